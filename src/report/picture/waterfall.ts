// One call, CPU by CPU in the order of their arrivals: bars of what each CPU's time went to, and the boundaries that it passed.

import type { StretchState, Rendezvous, RendezvousCpu, StateStretch } from "../rendezvous.ts";
import type { CausePart } from "../report.ts";
import type { Cause } from "../../measure/partition.ts";
import { formatCount, formatNs } from "../text.ts";
import { callStory, callTitle, lastArrivals, momentMarks, shownNs, stateLegend } from "./call.ts";
import {
  acrossTime,
  heading,
  legend,
  MARGIN,
  picture,
  SMALL_SIZE,
  timeAxis,
  TIME_AXIS_HEIGHT,
  type Frame,
  type LegendEntry,
} from "./parts.ts";
import { exactRuns } from "./runs.ts";
import type { Scale } from "./scale.ts";
import { element, fitted, rounded, textElement } from "./svg.ts";
import { areaClass } from "./theme.ts";

/** All of it may be left out. */
export interface WaterfallOptions {
  /** By default it names the stop path and the machine. */
  readonly title?: string;
  /** The most CPUs that are shown: 40 if not given; less than 1 counts as 1, more than 200 as 200. */
  readonly cpus?: number;
}

const WIDTH = 1100;
const NAME_ROOM = 140;
const WHY_ROOM = 350;
const TIME_ROOM = 52;
const ROW_HEIGHT = 18;
const BAR_HEIGHT = 9;
const DEFAULT_CPUS = 40;
const MOST_CPUS = 200;
/** Of the CPUs that are shown, so many at the most are those that are missing, and as many those that came last. */
const LATE_SHARE = 0.5;

/** Signs for boundaries, below a bar: paths of about 6 pixels around the origin. */
const boundarySigns = [
  { key: "signalledNs", text: "signalled", path: "M0 -3V3" },
  { key: "deliveredNs", text: "delivered", path: "M-3 -2.5H3L0 2.5z" },
  { key: "takenNs", text: "taken", path: "M-2.5 -2.5L2.5 2.5M2.5 -2.5L-2.5 2.5" },
  { key: "enteredNs", text: "entered", path: "M0 -3.2L3.2 0L0 3.2L-3.2 0z" },
  { key: "stoppedNs", text: "stopped", path: "M-2.4 -2.4h4.8v4.8h-4.8z" },
  { key: "releasedNs", text: "released", path: "M-3 2.5H3L0 -2.5z" },
  { key: "resumedNs", text: "resumed", path: "M-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0z" },
] as const;

/**
 * A row per CPU: bars for what its time went to until it had stopped, and for what it was in behind that, with signs for the boundaries
 * that it passed; those that came last and those that never came with the causes in words, the one that calls, and a sample of the
 * others. An SVG document.
 */
export function renderWaterfall(rendezvous: Rendezvous, options: WaterfallOptions = {}): string {
  const { rows, note } = chosen(rendezvous, Math.min(MOST_CPUS, Math.max(1, options.cpus ?? DEFAULT_CPUS)));
  const [left, right] = [MARGIN + NAME_ROOM, WIDTH - MARGIN - WHY_ROOM];
  const { endNs, isCut } = shownNs(rendezvous);
  const scale = acrossTime(endNs, { left, right });
  const title = options.title ?? `Who is late, and why: ${callTitle(rendezvous)}`;
  const cut = isCut ? `; behind the end of the axis nothing changes until ${formatNs(rendezvous.endNs)}` : "";
  const head = heading(title, [callStory(rendezvous), `${note}${cut}`].map(capital), WIDTH);
  const across = { left: MARGIN, right: WIDTH - MARGIN };
  const key = legend(stateLegend(statesOf(rows, endNs)), { ...across, top: head.height + 8 });
  const signKey = legend(signsOf(rows), { ...across, top: head.height + 8 + key.height });
  const top = head.height + 8 + key.height + signKey.height + 8;
  const height = rows.length * ROW_HEIGHT;
  const lanes = momentMarks(rendezvous, scale, { left, right, bottom: top }, top);
  const frame = { left, right, top: top + lanes.height + 4, bottom: top + lanes.height + 4 + height };
  return picture(title, { width: WIDTH, height: frame.bottom + TIME_AXIS_HEIGHT }, [
    ...head.elements,
    ...key.elements,
    ...signKey.elements,
    ...timeAxis(scale, frame, "time from the call (simulated)"),
    ...columnTitles(frame),
    ...rows.flatMap((one, index) => rowElements(one, rendezvous, scale, frame, frame.top + index * ROW_HEIGHT)),
    ...momentMarks(rendezvous, scale, { left, right, bottom: frame.bottom }, top).elements,
  ]);
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Rows in the order of arrival, those that never came at the end; culprits behind their victims. */
function chosen(rendezvous: Rendezvous, most: number): { readonly rows: RendezvousCpu[]; readonly note: string } {
  const arrived = lastArrivals(rendezvous).reverse();
  const absent = rendezvous.cpus.filter(({ enteredNs }) => enteredNs === null);
  const missing = [...absent.filter((one) => !one.isCulprit), ...absent.filter((one) => one.isCulprit)];
  if (rendezvous.cpus.length <= most) {
    return { rows: [...arrived, ...missing], note: "all CPUs, in the order of their arrivals" };
  }
  const told = missing.slice(-Math.ceil(most * LATE_SHARE));
  const late = arrived.slice(arrived.length - Math.min(arrived.length, Math.ceil((most - told.length) * LATE_SHARE)));
  const early = arrived.slice(0, arrived.length - late.length);
  const caller = early.find(({ cpu }) => cpu === rendezvous.requester);
  const room = Math.max(0, most - told.length - late.length - (caller === undefined ? 0 : 1));
  const step = Math.max(1, Math.ceil(early.length / Math.max(1, room)));
  const sample = room === 0 ? [] : early.filter((one, index) => index % step === 0 || one === caller);
  const parts = [
    ...(sample.length === 0 ? [] : [step === 1 ? "the others" : `one in ${formatCount(step)} of the others`]),
    ...(late.length === 0 ? [] : [`the last ${formatCount(late.length)} to arrive`]),
    ...(told.length === 0 ? [] : [`${formatCount(told.length)} of ${formatCount(missing.length)} that never came`]),
  ];
  const note = `${formatCount(rendezvous.cpus.length)} CPUs, of which here are, in the order of their arrivals, ${parts.join(", ")}`;
  return { rows: [...sample, ...late, ...told], note };
}

function statesOf(rows: readonly RendezvousCpu[], endNs: number): Set<StretchState> {
  return new Set(
    rows.flatMap(({ stretches }) => stretches.filter(({ fromNs }) => fromNs < endNs).map(({ state }) => state)),
  );
}

function signsOf(rows: readonly RendezvousCpu[]): LegendEntry[] {
  return boundarySigns
    .filter(({ key }) => rows.some((one) => one[key] !== null))
    .map(({ text, path }) => ({ text, sign: (x, y) => signElement(path, x, y) }));
}

function signElement(path: string, x: number, y: number): string {
  return element("path", {
    class: "ink rule",
    "stroke-width": 0.8,
    d: path,
    transform: `translate(${rounded(x)} ${rounded(y)})`,
  });
}

function columnTitles({ right, top }: Frame): string[] {
  const title = (text: string, x: number, anchor: string): string =>
    textElement(text, { class: "faint", x, y: top - 6, "font-size": SMALL_SIZE, "text-anchor": anchor });
  return [title("arrived", right + TIME_ROOM, "end"), title("what kept it", right + TIME_ROOM + 10, "start")];
}

function rowElements(
  one: RendezvousCpu,
  { requester }: Rendezvous,
  { place }: Scale,
  frame: Frame,
  top: number,
): string[] {
  const { cpu, load, stretches, enteredNs, isCulprit } = one;
  const { left, right } = frame;
  const small = (text: string, x: number, anchor: string, className: string): string =>
    textElement(text, { class: className, x, y: top + BAR_HEIGHT, "font-size": SMALL_SIZE, "text-anchor": anchor });
  const name = cpu === requester ? `CPU ${cpu}, calls` : `CPU ${cpu}`;
  const kept = one.causes.filter(({ cause }) => cause !== "others");
  const why = shortCauses(kept, cpu === requester);
  return [
    small(name, MARGIN, "start", "ink"),
    small(load, left - 8, "end", "faint"),
    ...bars(stretches, place, right, top + 1),
    ...boundarySigns.flatMap(({ key, path }) => {
      const ns = one[key];
      if (ns === null || place(ns) > right) return [];
      return [signElement(path, place(ns), top + BAR_HEIGHT + 5)];
    }),
    small(
      enteredNs === null ? (isCulprit ? "never" : "-") : formatNs(enteredNs),
      right + TIME_ROOM,
      "end",
      isCulprit || enteredNs !== null ? "ink" : "faint",
    ),
    small(fitted(why, WHY_ROOM - TIME_ROOM - 10, SMALL_SIZE), right + TIME_ROOM + 10, "start", "faint"),
  ];
}

/** A path for each state: of a run that measured lines, a CPU has thousands of stretches. */
function bars(stretches: readonly StateStretch[], place: (ns: number) => number, right: number, top: number): string[] {
  const paths = new Map<StretchState, string[]>();
  for (const { state, from, until } of exactRuns(stretches, place, right)) {
    const width = rounded(rounded(until) - rounded(from));
    if (width <= 0) continue;
    const path = paths.get(state) ?? [];
    path.push(`M${rounded(from)} ${rounded(top)}h${width}v${BAR_HEIGHT}h-${width}z`);
    paths.set(state, path);
  }
  return [...paths].map(([state, path]) =>
    element("path", { class: areaClass.state(state), "shape-rendering": "crispEdges", d: path.join("") }),
  );
}

/** In a row there is room for a word. */
const causeWords: Readonly<Record<Cause, string>> = {
  sender: "sender",
  message: "message",
  lost: "message lost",
  "irqs-off": "IRQs off",
  "nmi-blocked": "NMIs blocked",
  "idle-exit": "idle exit",
  smm: "SMM",
  descheduled: "descheduled",
  line: "lines",
  kernel: "kernel",
  others: "others",
};

/** Below this share of the whole, a part is not worth a word. */
const SMALL_SHARE = 0.01;
const MOST_WORDS = 3;

/** What kept a CPU, the longest first. */
function shortCauses(causes: readonly CausePart[], isCaller: boolean): string {
  const whole = causes.reduce((sum, { ns }) => sum + ns, 0);
  return causes
    .filter(({ ns }) => ns >= SMALL_SHARE * whole)
    .slice(0, MOST_WORDS)
    .map(({ cause, ns, line }) => {
      const word = isCaller && cause === "sender" ? "signalling" : causeWords[cause];
      return `${line ?? word} ${formatNs(ns)}`;
    })
    .join(", ");
}
