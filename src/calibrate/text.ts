// A calibration as a person wants to read it: the verdict, handoffs as a table, contention as a picture, interrupts.

import { formatNs, plain, type Palette } from "../report/text.ts";
import type { Calibration, ContentionResult } from "./calibration.ts";
import { costTitles } from "./costs.ts";
import { contentionKinds, handoffClasses, type PublishedCost } from "./published.ts";

const BAR_COLUMNS = 22;

/** A calibration as a table for a terminal, a line each. */
export function calibrationLines(calibration: Calibration, palette: Palette = plain): string[] {
  const { handoffs, contention, interrupts } = calibration;
  return [
    ...headline(calibration, palette),
    ...(handoffs.length === 0 ? [] : ["", ...handoffLines(calibration, palette)]),
    ...contention.flatMap((one) => ["", ...contentionLines(one, calibration, palette)]),
    ...(interrupts.length === 0 ? [] : ["", ...costLines(calibration, palette)]),
    "",
    ...sourceLines(calibration, palette),
  ];
}

function percent(error: number | null): string {
  if (error === null) return "-";
  const rounded = Math.round(error * 10) / 10;
  return `${rounded > 0 ? "+" : ""}${rounded.toFixed(1)} %`;
}

function nanoseconds(ns: number | null): string {
  if (ns === null) return "-";
  return ns >= 1000 ? String(Math.round(ns)) : ns.toFixed(1);
}

function isOff(error: number | null, limit: number): boolean {
  return error !== null && Math.abs(error) > limit;
}

function headline(calibration: Calibration, palette: Palette): string[] {
  const { timing, title, topology, isWithinLimits, limits } = calibration;
  const on = palette.faint(`    ${title}, measured by guest programs on ${topology.name}, ${topology.cpus} CPUs`);
  if (isWithinLimits === null) {
    return [`--  ${palette.strong(`${timing}: nothing is published to compare with; its figures are estimates`)}`, on];
  }
  const handoffs = calibration.handoffs.filter(({ errorPercent }) => errorPercent !== null);
  const slopes = calibration.contention.filter(({ slope }) => slope.errorPercent !== null);
  const good =
    handoffs.filter(({ errorPercent }) => !isOff(errorPercent, limits.handoffPercent)).length +
    slopes.filter(({ slope }) => !isOff(slope.errorPercent, limits.slopePercent)).length;
  const mark = isWithinLimits ? palette.good("OK") : palette.bad("OFF");
  const what = `${good} of ${handoffs.length + slopes.length} published figures within their limits`;
  const bounds = `handoffs ${limits.handoffPercent} %, slopes of contention ${limits.slopePercent} %`;
  return [`${mark}  ${palette.strong(`${timing}: ${what}`)} (${bounds})`, on];
}

function handoffLines({ handoffs, limits }: Calibration, palette: Palette): string[] {
  const row = (cells: readonly [string, string, string, string]): string =>
    `  ${cells[0].padEnd(36)}${cells[1].padStart(10)}${cells[2].padStart(10)}${cells[3].padStart(10)}`;
  return [
    palette.faint(row(["handoff of a line, one way, ns", "published", "model", "error"])),
    ...handoffs.map(({ class: handoff, modelNs, publishedNs, errorPercent }) => {
      const line = row([
        handoffClasses[handoff],
        nanoseconds(publishedNs),
        nanoseconds(modelNs),
        percent(errorPercent),
      ]);
      return isOff(errorPercent, limits.handoffPercent) ? palette.bad(line) : line;
    }),
  ];
}

function bar(ns: number | null, most: number): string {
  if (ns === null) return "";
  const eighths = Math.max(1, Math.round((ns / most) * BAR_COLUMNS * 8));
  return "█".repeat(eighths >> 3) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths & 7];
}

/** One line per number of CPUs: both curves, to one scale. */
function contentionLines(contention: ContentionResult, { limits }: Calibration, palette: Palette): string[] {
  const { kind, atomics, points, slope } = contention;
  const published = points.filter(({ publishedNs }) => publishedNs !== null);
  // Where there is a publication, the picture ends with it.
  const shown = published.length === 0 ? points : points.slice(0, points.indexOf(published.at(-1) ?? points[0]!) + 1);
  const most = Math.max(...shown.flatMap(({ modelNs, publishedNs }) => [modelNs, publishedNs ?? 0]));
  const side = (ns: number | null): string => `${nanoseconds(ns).padStart(8)} ${bar(ns, most).padEnd(BAR_COLUMNS)}`;
  const title = `${contentionKinds[kind]}${atomics === "llsc" ? ", exclusive accesses" : ""}, all CPUs one counter, ns each`;
  const compared = `  each further CPU adds ${nanoseconds(slope.modelNs)} ns${comparedTo(slope)}`;
  return [
    palette.faint(`  ${title}`),
    palette.faint(
      `  ${"CPUs".padStart(4)}  ${"model".padEnd(BAR_COLUMNS + 9)}  ${published.length > 0 ? "published" : ""}`.trimEnd(),
    ),
    ...shown.map(({ cpus, modelNs, publishedNs }) =>
      `  ${String(cpus).padStart(4)}  ${side(modelNs)}  ${published.length > 0 ? side(publishedNs) : ""}`.trimEnd(),
    ),
    isOff(slope.errorPercent, limits.slopePercent) ? palette.bad(compared) : compared,
  ];
}

function comparedTo({ publishedNs, errorPercent }: ContentionResult["slope"]): string {
  if (publishedNs === null) return "; not published";
  if (errorPercent === null) return `; published of another core, no target: ${nanoseconds(publishedNs)} ns`;
  return `, published ${nanoseconds(publishedNs)} ns: ${percent(errorPercent)}`;
}

function costLines({ interrupts }: Calibration, palette: Palette): string[] {
  const header = `  ${"interrupts and wake-ups".padEnd(52)}${"model".padStart(9)}   published of other machines`;
  return [
    palette.faint(header),
    ...interrupts.flatMap(({ what, modelNs, published }) => {
      const [first, ...rest] = published;
      const text = `  ${costTitles[what].padEnd(52)}${formatNs(modelNs).padStart(9)}`;
      return [
        first === undefined ? text : `${text}   ${costText(first, palette)}`,
        ...rest.map((cost) => `${"".padEnd(66)}${costText(cost, palette)}`),
      ];
    }),
  ];
}

function costText({ ns, machine, source, confidence }: PublishedCost, palette: Palette): string {
  const [least, most] = ns;
  const range = least === most ? formatNs(least) : `${formatNs(least)} to ${formatNs(most)}`;
  return `${range} ${palette.faint(`(${machine}; ${source}; ${confidence})`)}`;
}

function sourceLines({ publication }: Calibration, palette: Palette): string[] {
  const { handoffs, contention } = publication;
  const lines: string[] = [];
  if (handoffs !== undefined) {
    const standsIn = handoffs.standsInFor === undefined ? "" : ` (${handoffs.standsInFor})`;
    const { source, matrix, machine, confidence } = handoffs;
    lines.push(`  handoffs: ${machine}${standsIn}; ${source}${matrix?.file ?? ""}; ${confidence}`);
  }
  for (const { machine, source, confidence } of contention ?? []) {
    lines.push(`  contention: ${machine}; ${source}; ${confidence}`);
  }
  lines.push(
    "  A handoff is half a round trip of a flag that two CPUs flip in turn by compare-and-swap, the retries of who waits included.",
  );
  return lines.map((line) => palette.faint(line));
}
