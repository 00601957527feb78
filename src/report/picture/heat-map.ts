// CPUs by time, coloured by what each is in: thousands of CPUs in a picture of one screen, grouped as the machine is.

import type { StretchState, Rendezvous, RendezvousCpu } from "../rendezvous.ts";
import { formatCount, formatNs, plural } from "../text.ts";
import { callStory, callTitle, lastArrivals, momentMarks, shownNs, stateLegend } from "./call.ts";
import {
  acrossTime,
  apart,
  heading,
  legend,
  MARGIN,
  picture,
  SMALL_SIZE,
  swatch,
  timeAxis,
  TIME_AXIS_HEIGHT,
  type Frame,
} from "./parts.ts";
import { layRows, type Band, type Row, type Rows } from "./rows.ts";
import { ColumnRuns, exactRuns, type Run } from "./runs.ts";
import type { Scale } from "./scale.ts";
import { element, rounded, textElement, textWidth } from "./svg.ts";
import { areaClass } from "./theme.ts";

/** All of it may be left out. */
export interface HeatMapOptions {
  /** By default it names the stop path and the machine. */
  readonly title?: string;
}

const WIDTH = 960;
const RIGHT_ROOM = 132;
/** A row that is at least so high has its CPU's number, and a band its name. */
const NAMED_HEIGHT = 11;
/** Above so many stretches or runs, what happens is shown per column of pixels only, so that a picture stays below a megabyte. */
const MOST_RUNS = 30_000;
const COLUMN_WIDTH = 0.5;

/**
 * A row per CPU, by package and LLC domain; of machines with more CPUs than rows, a row for several CPUs of a domain, which shows what
 * keeps the others waiting if one of them is in it, else what most are in. An SVG document of at most a megabyte, whatever the machine.
 */
export function renderHeatMap(rendezvous: Rendezvous, options: HeatMapOptions = {}): string {
  const rows = layRows(rendezvous.topology);
  const columns = nameColumns(rows);
  const [left, right] = [MARGIN + columns.width, WIDTH - MARGIN - RIGHT_ROOM];
  const { endNs, isCut } = shownNs(rendezvous);
  const scale = acrossTime(endNs, { left, right });
  const runs = runsOf(rendezvous, rows.rows, scale, { left, right });
  const title = options.title ?? `What every CPU does: ${callTitle(rendezvous)}`;
  const head = heading(
    title,
    [
      callStory(rendezvous),
      rowsText(rows),
      ...(isCut ? [`behind the end of the axis nothing changes until ${formatNs(rendezvous.endNs)}`] : []),
    ].map(capital),
    WIDTH,
  );
  const shown = new Set(runs.flatMap((some) => some.map(({ state }) => state)));
  const isWhole = rendezvous.cpus.length >= rendezvous.topology.counts.complete;
  const key = legend(
    [...stateLegend(shown), ...(isWhole ? [] : [{ text: "not to be stopped", sign: swatch("paper") }])],
    { left: MARGIN, right: WIDTH - MARGIN, top: head.height + 8 },
  );
  const top = head.height + 8 + key.height + 8;
  const lanes = momentMarks(rendezvous, scale, { left, right, bottom: top }, top);
  const frame = { left, right, top: top + lanes.height, bottom: top + lanes.height + rows.height };
  const marks = momentMarks(rendezvous, scale, { left, right, bottom: frame.bottom }, top);
  return picture(title, { width: WIDTH, height: frame.bottom + TIME_AXIS_HEIGHT }, [
    ...head.elements,
    ...key.elements,
    ...timeAxis(scale, frame, "time from the call (simulated)"),
    ...areas(rows.rows, runs, frame.top),
    ...names(rows, columns, frame),
    ...marks.elements,
    ...remarks(rendezvous, rows.rows, frame),
  ]);
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function rowsText({ rows, packages, domains, most }: Rows): string {
  const least = Math.min(...rows.map(({ cpus }) => cpus.length));
  const each = least === most ? formatCount(most) : `${formatCount(least)} or ${formatCount(most)}`;
  const what =
    most === 1
      ? "a row per CPU"
      : `a row for ${least === most || most - least === 1 ? each : `${formatCount(least)} to ${formatCount(most)}`} CPUs: what keeps the others waiting if one of them is in it, else what most are in`;
  const groups = [
    ...(packages.length > 1 ? [plural(packages.length, "package")] : []),
    ...(domains.length > 1 ? [plural(domains.length, "LLC domain")] : []),
  ];
  return groups.length === 0 ? what : `${what}; by ${groups.join(" and ")}`;
}

function runsOf(
  { cpus }: Rendezvous,
  rows: readonly Row[],
  { place }: Scale,
  { left, right }: { left: number; right: number },
): Run[][] {
  const byNumber = new Map(cpus.map((one) => [one.cpu, one]));
  const members = rows.map((row) => row.cpus.flatMap((cpu) => byNumber.get(cpu)?.stretches ?? []));
  const stretches = cpus.reduce((sum, one) => sum + one.stretches.length, 0);
  if (rows.every((row) => row.cpus.length === 1) && stretches <= MOST_RUNS) {
    return members.map((some) => exactRuns(some, place, right));
  }
  for (let width = COLUMN_WIDTH; ; width *= 2) {
    const columns = new ColumnRuns({ left, right, width }, place);
    const runs = members.map((some) => columns.of(some));
    if (runs.reduce((sum, some) => sum + some.length, 0) <= MOST_RUNS || width > right - left) return runs;
  }
}

/** A path per state: a rectangle for each run. */
function areas(rows: readonly Row[], runs: readonly (readonly Run[])[], top: number): string[] {
  const paths = new Map<StretchState, string[]>();
  rows.forEach((row, index) => {
    for (const { state, from, until } of runs[index] ?? []) {
      // Of rounded places, so that neighbours meet.
      const width = rounded(rounded(until) - rounded(from));
      if (width <= 0) continue;
      const path = paths.get(state) ?? [];
      path.push(`M${rounded(from)} ${rounded(top + row.top)}h${width}v${row.height}h-${width}z`);
      paths.set(state, path);
    }
  });
  // Without smoothing: neighbours would show the paper between them.
  return [...paths].map(([state, path]) =>
    element("path", { class: areaClass.state(state), "shape-rendering": "crispEdges", d: path.join("") }),
  );
}

/** Where names of packages, domains and CPUs stand, pixels from the left; those that there is no room or no need for are left out. */
interface NameColumns {
  readonly packages: number | undefined;
  readonly domains: number | undefined;
  readonly cpus: number | undefined;
  readonly width: number;
}

function nameColumns({ rows, packages, domains }: Rows): NameColumns {
  let width = 0;
  const column = (isThere: boolean, widest: string): number | undefined => {
    if (!isThere) return undefined;
    width += textWidth(widest, SMALL_SIZE) + 10;
    return width - 10;
  };
  const isNamed = ({ top, bottom }: Band): boolean => bottom - top >= NAMED_HEIGHT;
  const many = packages.length > 1;
  return {
    packages: column(many, `package ${packages.at(-1)?.index ?? 0}`),
    domains: column(domains.length > packages.length && domains.some(isNamed), `LLC ${domains.at(-1)?.index ?? 0}`),
    cpus: column(
      rows.every(({ cpus, height }) => cpus.length === 1 && height >= NAMED_HEIGHT),
      `CPU ${rows.reduce((most, { cpus }) => Math.max(most, ...cpus), 0)}`,
    ),
    get width() {
      return width;
    },
  };
}

function names({ rows, packages, domains }: Rows, columns: NameColumns, { left, top }: Frame): string[] {
  const name = (text: string, right: number, y: number): string =>
    textElement(text, { class: "faint", x: MARGIN + right, y: y + 4, "font-size": SMALL_SIZE, "text-anchor": "end" });
  const bands = (some: readonly Band[], title: string, right: number | undefined): string[] => {
    if (right === undefined) return [];
    let free = -Infinity;
    return some.flatMap((band) => {
      const middle = (band.top + band.bottom) / 2;
      if (middle - free < NAMED_HEIGHT) return [];
      free = middle;
      return [name(`${title} ${band.index}`, right, top + middle)];
    });
  };
  const edges = packages.length > 1 ? packages : [];
  return [
    ...bands(packages, "package", columns.packages),
    ...bands(domains, "LLC", columns.domains),
    ...(columns.cpus === undefined
      ? []
      : rows.map((row) => name(`CPU ${row.cpus[0]}`, columns.cpus as number, top + row.top + row.height / 2))),
    ...edges.map((band) =>
      element("line", { class: "axis", x1: left - 4, x2: left - 4, y1: top + band.top, y2: top + band.bottom }),
    ),
  ];
}

const MOST_CULPRITS = 6;

/** On the right: who calls, who was last, who never came. */
function remarks(rendezvous: Rendezvous, rows: readonly Row[], { right, top, bottom }: Frame): string[] {
  const { requester, cpus, stoppedNs } = rendezvous;
  const [last] = lastArrivals(rendezvous);
  const culprits = cpus.filter(({ isCulprit }) => isCulprit).slice(0, MOST_CULPRITS);
  const wanted: readonly { readonly cpu: number; readonly text: string }[] = [
    { cpu: requester, text: `CPU ${requester} calls` },
    ...(stoppedNs !== null && last !== undefined ? [{ cpu: last.cpu, text: `CPU ${last.cpu} last` }] : []),
    ...culprits.map(({ cpu }: RendezvousCpu) => ({ cpu, text: `CPU ${cpu} missing` })),
  ];
  const placed = wanted
    .flatMap(({ cpu, text }) => {
      const row = rows.find((one) => one.cpus.includes(cpu));
      return row === undefined ? [] : [{ text, at: top + row.top + row.height / 2 }];
    })
    .sort((a, b) => a.at - b.at);
  const places = apart(
    placed.map(({ at }) => at),
    [top + 4, bottom - 4],
    NAMED_HEIGHT + 2,
  );
  return placed.flatMap(({ text, at }, index) => {
    const y = places[index] ?? at;
    return [
      element("path", {
        class: "rule line",
        "stroke-width": 0.8,
        d: `M${right + 2} ${rounded(at)}L${right + 12} ${rounded(y)}`,
      }),
      textElement(text, { class: "ink", x: right + 16, y: y + 4, "font-size": SMALL_SIZE }),
    ];
  });
}
