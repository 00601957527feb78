// The machine as it is built, each CPU coloured by when it arrived: what distance, siblings and single CPUs do to a call.

import type { Rendezvous, RendezvousCpu } from "../rendezvous.ts";
import { formatCpuList } from "../../topology/index.ts";
import { formatCount, formatNs } from "../text.ts";
import { layBoxes, nameOf, type Box, type Boxes } from "./boxes.ts";
import { callStory, callTitle, lastArrivals } from "./call.ts";
import {
  FONT_SIZE,
  heading,
  legend,
  MARGIN,
  picture,
  SMALL_SIZE,
  swatch,
  tickText,
  type LegendEntry,
} from "./parts.ts";
import { StepScale } from "./steps.ts";
import { element, fitted, rounded, textElement, textWidth } from "./svg.ts";
import { areaClass } from "./theme.ts";

/** What colours a CPU: when it entered the rendezvous, or when it had stopped there. */
export type TopologyMoment = "entered" | "stopped";

/** All of it may be left out. */
export interface TopologyMapOptions {
  /** By default it names the stop path and the machine. */
  readonly title?: string;
  /** "entered" if not given: who is late is seen there; the stop itself comes at about the same time for all. */
  readonly moment?: TopologyMoment;
}

const WIDTH = 960;
const MOST_HEIGHT = 760;
const NUMBER_SIZE = 9;
/** Edge of a box that has room for more than its number. */
const ROOMY_CELL = 14;
/** A box says its number and time when it is pointed at, as long as there are not too many. */
const MOST_POINTED_AT = 1024;

const moments = {
  entered: { ns: ({ enteredNs }: RendezvousCpu) => enteredNs, text: "arrived" },
  stopped: { ns: ({ stoppedNs }: RendezvousCpu) => stoppedNs, text: "stopped" },
} as const;

/**
 * Boxes for packages, NUMA nodes, LLC domains, cores and threads, each thread in a step of a sequential scale from the first arrival to
 * the last; those that came far later than most, or not at all, are marked. An SVG document.
 */
export function renderTopology(rendezvous: Rendezvous, options: TopologyMapOptions = {}): string {
  const moment = moments[options.moment ?? "entered"];
  const times = new Map(rendezvous.cpus.map((one) => [one.cpu, moment.ns(one)]));
  const scale = new StepScale([...times.values()].flatMap((ns) => ns ?? []));
  const title = options.title ?? `When each CPU ${moment.text}: ${callTitle(rendezvous)}`;
  const head = heading(
    title,
    [capital(callStory(rendezvous)), `Colour: time from the call until the CPU had ${moment.text} (simulated)`],
    WIDTH,
  );
  const stepKey = stepLegend(scale, head.height + 10);
  const key = legend(signs(rendezvous, times, scale), {
    left: MARGIN,
    right: WIDTH - MARGIN,
    top: head.height + 10 + stepKey.height,
  });
  const top = head.height + 10 + stepKey.height + key.height + 12;
  const layout = layBoxes(rendezvous.topology, { width: WIDTH - 2 * MARGIN, height: MOST_HEIGHT }, nameWidth);
  const left = MARGIN + Math.max(0, (WIDTH - 2 * MARGIN - layout.width) / 2);
  const map = new BoxMap(layout, left, top);
  return picture(title, { width: WIDTH, height: top + layout.height + MARGIN }, [
    ...head.elements,
    ...stepKey.elements,
    ...key.elements,
    ...map.outlines(),
    ...map.threads(times, scale, moment.text),
    ...map.rings(rendezvous),
    ...map.outliers(times, scale),
  ]);
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function nameWidth(text: string): number {
  return textWidth(text, SMALL_SIZE);
}

const STEP_WIDTH = 74;
const STEP_HEIGHT = 12;

/** The steps side by side, each with where it begins. */
function stepLegend(scale: StepScale, top: number): { elements: string[]; height: number } {
  const edges = scale.edges.map((ns, index) => ({ x: MARGIN + index * STEP_WIDTH, ns }));
  const elements = [
    ...scale.edges.slice(1).map((_, step) =>
      element("rect", {
        class: areaClass.step(scale.colourOfStep(step)),
        x: MARGIN + step * STEP_WIDTH,
        y: top,
        width: STEP_WIDTH,
        height: STEP_HEIGHT,
      }),
    ),
    ...edges.flatMap(({ x, ns }, index) => [
      element("line", { class: "axis", x1: x, x2: x, y1: top, y2: top + STEP_HEIGHT + 4 }),
      textElement(tickText(ns), {
        class: "faint",
        x,
        y: top + STEP_HEIGHT + 16,
        "font-size": SMALL_SIZE,
        "text-anchor": index === 0 ? "start" : "middle",
      }),
    ]),
  ];
  return { elements, height: STEP_HEIGHT + 26 };
}

type Times = ReadonlyMap<number, number | null>;

function signs(rendezvous: Rendezvous, times: Times, scale: StepScale): LegendEntry[] {
  const late = [...times.values()].filter((ns) => ns !== null && scale.isBeyond(ns)).length;
  const missing = [...times].flatMap(([cpu, ns]) => (ns === null ? [cpu] : []));
  const others = rendezvous.topology.counts.complete - times.size;
  const [last] = lastArrivals(rendezvous);
  return [
    ...(late === 0
      ? []
      : [{ text: `${formatCount(late)} far later: beyond ${formatNs(scale.most)}`, sign: sign("beyond", dot) }]),
    ...(missing.length === 0 ? [] : [{ text: missingText(missing), sign: sign("paper", cross) }]),
    ...(others === 0 ? [] : [{ text: `${formatCount(others)} not to be stopped`, sign: swatch("paper") }]),
    { text: `CPU ${rendezvous.requester} calls`, sign: ringSign("") },
    ...(last === undefined
      ? []
      : [{ text: `CPU ${last.cpu}, the last to arrive: ${formatNs(last.enteredNs)}`, sign: ringSign("2 1.5") }]),
  ];
}

const MISSING_WIDTH = 480;

function missingText(missing: readonly number[]): string {
  const text = `${formatCount(missing.length)} never came: ${missing.length === 1 ? "CPU" : "CPUs"} ${formatCpuList(missing)}`;
  return fitted(text, MISSING_WIDTH, FONT_SIZE);
}

function sign(className: string, mark: (x: number, y: number, size: number) => string): LegendEntry["sign"] {
  return (x, y) => swatch(className)(x, y) + mark(x, y, 11);
}

function ringSign(dashes: string): LegendEntry["sign"] {
  return (x, y) => ring(x, y, 11, dashes);
}

/** A dot in the middle of a box. */
function dot(x: number, y: number, size: number): string {
  return element("circle", { class: "onbeyond", cx: x, cy: y, r: Math.max(0.5, size * 0.16) });
}

function cross(x: number, y: number, size: number): string {
  const reach = size * 0.3;
  const d = `M${rounded(x - reach)} ${rounded(y - reach)}l${rounded(2 * reach)} ${rounded(2 * reach)}m0 ${rounded(-2 * reach)}l${rounded(-2 * reach)} ${rounded(2 * reach)}`;
  return element("path", { class: "rule line", "stroke-width": Math.min(2, Math.max(0.8, size * 0.12)), d });
}

/** Around a box, or in it where there is room, with a halo, so that it is seen on every colour. */
function ring(x: number, y: number, size: number, dashes: string): string {
  const reach = size >= ROOMY_CELL ? size / 2 - 1.5 : size / 2 + 1.5;
  const box = { x: x - reach, y: y - reach, width: 2 * reach, height: 2 * reach, rx: 2, fill: "none" };
  return (
    element("rect", { class: "halo", "stroke-width": 3.5, ...box }) +
    element("rect", {
      class: "rule",
      "stroke-width": 1.8,
      ...(dashes === "" ? {} : { "stroke-dasharray": dashes }),
      ...box,
    })
  );
}

/** The boxes at their place in the picture. */
class BoxMap {
  readonly #boxes: readonly Box[];
  readonly #threads: readonly Box[];
  readonly #cell: number;
  readonly #isNumbered: boolean;

  constructor({ boxes, cell }: Boxes, left: number, top: number) {
    this.#boxes = boxes.map((box) => ({ ...box, x: box.x + left, y: box.y + top }));
    this.#threads = this.#boxes.filter(({ level }) => level === "thread");
    this.#cell = cell;
    const widest = this.#threads.reduce((most, { index }) => Math.max(most, index), 0);
    this.#isNumbered = textWidth(String(widest), NUMBER_SIZE) + 2 <= cell;
  }

  /** Packages, nodes and domains with their names. */
  outlines(): string[] {
    return this.#boxes.flatMap((box) => {
      const { level, x, y, width, height, header } = box;
      if (level === "thread" || level === "core") return [];
      const size = level === "llc" ? SMALL_SIZE - 1 : SMALL_SIZE;
      const outline = element("rect", {
        class: "grid",
        fill: "none",
        "stroke-width": level === "package" ? 1.5 : 1,
        ...{ x, y, width, height, rx: level === "package" ? 3 : 1 },
      });
      if (header === 0) return [outline];
      const className = level === "package" ? "ink" : "faint";
      return [outline, textElement(nameOf(box), { class: className, x: x + 3, y: y + header - 3, "font-size": size })];
    });
  }

  threads(times: Times, scale: StepScale, moment: string): string[] {
    if (this.#threads.length > MOST_POINTED_AT) return this.#paths(times, scale);
    return this.#threads.map(({ index, x, y, width, height }) => {
      const ns = times.get(index);
      const what =
        ns === undefined
          ? "not to be stopped"
          : ns === null
            ? `never ${moment}`
            : `${moment} ${formatNs(ns)} from the call`;
      const number = String(index);
      const on = textClass(ns, scale);
      return element(
        "g",
        {},
        element("title", {}, `CPU ${number}: ${what}`),
        element("rect", {
          class: `${cellClass(ns, scale)} grid`,
          "stroke-width": ns === undefined || ns === null ? 0.7 : 0,
          x,
          y,
          width,
          height,
        }),
        ...(this.#isNumbered && ns !== null
          ? [
              textElement(number, {
                class: on,
                x: x + width / 2,
                y: y + height / 2 + 3,
                "font-size": NUMBER_SIZE,
                "text-anchor": "middle",
              }),
            ]
          : []),
      );
    });
  }

  /** Of thousands: a path per colour. */
  #paths(times: Times, scale: StepScale): string[] {
    const paths = new Map<string, string[]>();
    for (const { index, x, y, width, height } of this.#threads) {
      const name = cellClass(times.get(index), scale);
      const path = paths.get(name) ?? [];
      path.push(`M${rounded(x)} ${rounded(y)}h${width}v${height}h-${width}z`);
      paths.set(name, path);
    }
    return [...paths].map(([name, path]) =>
      element("path", { class: name, "shape-rendering": "crispEdges", d: path.join("") }),
    );
  }

  /** Marks that don't need colour. */
  outliers(times: Times, scale: StepScale): string[] {
    return this.#threads.flatMap(({ index, x, y, width, height }) => {
      const ns = times.get(index);
      if (ns === null) return [cross(x + width / 2, y + height / 2, width)];
      if (ns === undefined || !scale.isBeyond(ns)) return [];
      const inset = Math.max(5, width / 6);
      return [
        this.#isNumbered ? dot(x + width - inset, y + inset, SMALL_SIZE) : dot(x + width / 2, y + height / 2, width),
      ];
    });
  }

  /** Who calls, and who was last. */
  rings(rendezvous: Rendezvous): string[] {
    const [last] = lastArrivals(rendezvous);
    return [[rendezvous.requester, ""] as const, ...(last === undefined ? [] : [[last.cpu, "2 1.5"] as const])].flatMap(
      ([cpu, dashes]) => {
        const box = this.#threads.find(({ index }) => index === cpu);
        if (box === undefined) return [];
        return [ring(box.x + box.width / 2, box.y + box.height / 2, this.#cell, dashes)];
      },
    );
  }
}

function cellClass(ns: number | null | undefined, scale: StepScale): string {
  if (ns === undefined || ns === null) return "paper";
  return scale.isBeyond(ns) ? "beyond" : areaClass.step(scale.colourOf(ns));
}

function textClass(ns: number | null | undefined, scale: StepScale): string {
  if (ns === undefined || ns === null) return "faint";
  return scale.isBeyond(ns) ? "onbeyond" : areaClass.onStep(scale.colourOf(ns));
}
