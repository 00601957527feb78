// A report as a person wants to read it: the verdict first, then the figures, who was late, and why.

import { interruptLines } from "./interrupts-text.ts";
import type { Cause } from "../measure/partition.ts";
import type { CausePart, LineReport, Report } from "./report.ts";

/** Colours text; `plain` for output that is no terminal. */
export interface Palette {
  /** What went well. */
  readonly good: (text: string) => string;
  /** What went wrong. */
  readonly bad: (text: string) => string;
  /** What a reader looks for. */
  readonly strong: (text: string) => string;
  /** What only explains. */
  readonly faint: (text: string) => string;
}

const same = (text: string): string => text;
/** The palette of a file or a page: no colours. */
export const plain: Palette = { good: same, bad: same, strong: same, faint: same };

/** A value below a unit that three digits would round up to it: shown in that unit. */
const ROUNDS_UP = 0.9995;

/** Nanoseconds in the unit that leaves one to three digits before the point, as far as seconds go. */
export function formatNs(ns: number | null): string {
  if (ns === null || Number.isNaN(ns)) return "-";
  const units = [
    [1e9, "s"],
    [1e6, "ms"],
    [1e3, "us"],
  ] as const;
  for (const [scale, unit] of units) {
    const value = ns / scale;
    if (Math.abs(value) >= 1000 * ROUNDS_UP) return `${Math.round(value)} ${unit}`;
    if (Math.abs(value) >= ROUNDS_UP) return `${value.toPrecision(3)} ${unit}`;
  }
  return `${Math.round(ns)} ns`;
}

export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Of waits, and of messages. */
const MOST_LINES = 12;

/** The lines of a whole report. */
export function reportLines(report: Report, palette: Palette = plain): string[] {
  const blocks = [
    headline(report, palette),
    figures(report, palette),
    phaseLines(report, palette),
    missingLines(report, palette),
    oracleLines(report, palette),
    waitLines(report, palette),
    messageLines(report, palette),
    stragglerLines(report, palette),
    pathLines(report, palette),
    distributionLines(report, palette),
    contendedLines(report, palette),
    interruptLines(report, palette),
    [palette.faint(footer(report))],
  ];
  return blocks.filter((block) => block.length > 0).flatMap((block, index) => (index === 0 ? block : ["", ...block]));
}

/** The rules that were broken; of one that holds nothing is to be said. */
function oracleLines({ oracles }: Report, { bad, good, faint }: Palette): string[] {
  if (oracles.length === 0) return [];
  const broken = oracles.filter(({ held }) => !held);
  if (broken.length === 0) return [`${good("all rules hold")} ${faint(`(${oracles.length} oracles)`)}`];
  return broken.map(({ name, detail }) => `${bad("broken")}  ${name}: ${detail}`);
}

function waitLines({ waits }: Report, { faint }: Palette): string[] {
  return waits.slice(0, MOST_LINES).map(({ name, cpu, iterations, limit, expired, ns }) => {
    const end = ns === null ? "goes on" : expired ? "given up" : "ended well";
    return `wait ${name} of CPU ${cpu}: ${formatCount(iterations)} of ${formatCount(limit)} iterations, ${end}${ns === null ? "" : ` after ${formatNs(ns)}`} ${faint("(simulated)")}`;
  });
}

function messageLines({ messages }: Report, { faint }: Palette): string[] {
  return messages
    .slice(0, MOST_LINES)
    .map(
      ({ name, cpu, ns, value }) =>
        `message ${name}${value === null ? "" : ` ${value}`} ${faint(`on CPU ${cpu} at ${formatNs(ns)}`)}`,
    );
}

/** How it went, in a word or two. */
function markOf({ outcome, oracles }: Report, palette: Palette): string {
  if (outcome.verdict !== "completed") return palette.bad(outcome.verdict.toUpperCase());
  return oracles.every(({ held }) => held) ? palette.good("OK") : palette.bad("RULES BROKEN");
}

function headline(report: Report, palette: Palette): string[] {
  const { machine, outcome, scenario } = report;
  const mark = markOf(report, palette);
  const firmware = machine.firmware === undefined ? "" : `, firmware ${machine.firmware}`;
  const domains = `${plural(machine.packages, "package")}, ${plural(machine.llcDomains, "LLC domain")}`;
  return [
    `${mark}  ${palette.strong(outcome.story)}`,
    palette.faint(
      `    ${machine.name}: ${formatCount(machine.online)} of ${formatCount(machine.cpus)} CPUs online, ${machine.arch}, ${domains}, timing ${machine.timing}${firmware}`,
    ),
    palette.faint(`    ${scenario.policy.name}, load ${scenario.load.common}, seed ${scenario.seed}`),
    ...outcome.also.map(({ policy, requester, returned }) =>
      palette.faint(
        `    meanwhile ${policy} from CPU ${requester}, ${returned === null ? "under way" : `returned ${returned}`}`,
      ),
    ),
  ];
}

/** What it is to be stopped, in the policy's own words. */
function stoppedMeans({ phases }: Report): string {
  return phases.find(({ isRendezvous }) => isRendezvous)?.reached ?? "every CPU has stopped";
}

function figures(report: Report, palette: Palette): string[] {
  const { latency, outcome, rounds } = report;
  if (latency.rendezvousNs === null && latency.totalNs === null) return [];
  const row = (name: string, value: string, what: string): string =>
    `  ${name.padEnd(12)}${palette.strong(value.padStart(9))}   ${palette.faint(what)}`;
  const lines = [
    row("rendezvous", formatNs(latency.rendezvousNs), `from the call until ${stoppedMeans(report)}`),
    row("whole call", formatNs(latency.totalNs), returnedText(outcome.returned)),
  ];
  if (latency.frozenNs !== null) {
    const { min, p50, p99, max } = latency.frozenNs;
    lines.push(
      row("CPUs frozen", formatNs(p50), `median; least ${formatNs(min)}, 99 % ${formatNs(p99)}, most ${formatNs(max)}`),
    );
  }
  if (rounds.length > 1) {
    const totals = rounds.map(({ totalNs }) => totalNs);
    lines.push(
      row(
        "rounds",
        String(rounds.length),
        `whole call ${formatNs(Math.min(...totals))} to ${formatNs(Math.max(...totals))}`,
      ),
    );
  }
  return lines;
}

function returnedText(returned: number | null): string {
  return returned === null ? "has not returned" : `from the call to its return; returned ${returned}`;
}

const BAR_COLUMNS = 40;

/** One bar per phase: from the first CPU that passed it to the last. */
function phaseLines({ phases }: Report, palette: Palette): string[] {
  const end = Math.max(...phases.map(({ lastNs }) => lastNs), 1);
  const column = (ns: number): number => Math.round((ns / end) * BAR_COLUMNS);
  const lines = phases.map(({ name, firstNs, lastNs, lastCpu, reached, passed, expected }) => {
    const meaning = passed === expected ? reached : `${formatCount(passed)} of ${formatCount(expected)} CPUs so far`;
    const from = Math.min(column(firstNs), BAR_COLUMNS - 1);
    const bar = `${" ".repeat(from)}${"█".repeat(Math.max(1, column(lastNs) - from))}`.padEnd(BAR_COLUMNS);
    return `  ${name.padEnd(12)}${bar} ${formatNs(lastNs).padStart(8)}   ${palette.faint(`${meaning}; last CPU ${lastCpu}`)}`;
  });
  return lines;
}

function missingLines({ outcome }: Report, palette: Palette): string[] {
  if (outcome.missingCount === 0) return [];
  const lines = outcome.missing.map(({ cpu, load, at, state, missing, isCulprit, causes }) => {
    const blame = isCulprit ? "" : palette.faint("; waits for others");
    const why = causes.length === 0 ? "" : palette.faint(`; ${causesText(causes)}`);
    return `  CPU ${String(cpu).padEnd(6)} ${load.padEnd(10)} ${state} at ${at}; missing: ${missing}${blame}${why}`;
  });
  const more = outcome.missingCount - outcome.missing.length;
  return [
    palette.bad(`  ${formatCount(outcome.missingCount)} did not arrive:`),
    ...lines,
    ...(more > 0 ? [`  and ${formatCount(more)} more`] : []),
  ];
}

function stragglerLines({ stragglers, scenario }: Report, palette: Palette): string[] {
  if (stragglers.length === 0) return [];
  const header = `  ${"last to arrive".padEnd(16)}${"load".padEnd(12)}${"arrived".padStart(10)}${"stopped".padStart(10)}   why`;
  return [
    palette.faint(header),
    ...stragglers.slice(0, 5).map(({ cpu, load, enteredNs, stoppedNs, causes }) => {
      const times = [enteredNs, stoppedNs].map((ns) => formatNs(ns).padStart(10)).join("");
      return `  ${`CPU ${cpu}`.padEnd(16)}${load.padEnd(12)}${times}   ${palette.faint(causesText(causes, cpu === scenario.policy.requester))}`;
    }),
  ];
}

/** What a CPU's time went to, in the order in which that mostly comes. */
export const causeTexts: Readonly<Record<Cause, string>> = {
  sender: "waiting for its turn with the sender",
  message: "message under way",
  lost: "message lost",
  "irqs-off": "IRQs off",
  "nmi-blocked": "NMIs blocked",
  smm: "in SMM",
  descheduled: "descheduled",
  "idle-exit": "leaving idle",
  kernel: "its way through the kernel",
  line: "waiting for lines",
  others: "spinning for others",
};

/** Below this share of the whole, a part is not worth a word. */
const SMALL = 0.01;
const MOST_PARTS = 5;

/** The parts of a time with their figures, the greatest first; what is left is summed up. @param isCaller of the CPU that calls */
export function causesText(causes: readonly CausePart[], isCaller = false): string {
  const whole = causes.reduce((sum, { ns }) => sum + ns, 0);
  const told = causes.filter(({ ns }, index) => index < MOST_PARTS && ns >= SMALL * whole);
  const left = causes.slice(told.length).reduce((sum, { ns }) => sum + ns, 0);
  const texts = told.map(({ cause, ns, line }) => {
    const own = isCaller && cause === "sender" ? "signalling the others" : causeTexts[cause];
    const what = line === undefined ? own : `waiting for ${line}`;
    return `${what} ${formatNs(ns)}`;
  });
  return [...texts, ...(left > 0 ? [`the rest ${formatNs(left)}`] : [])].join(", ");
}

/** The whole call step by step, where there are several. */
function pathLines({ criticalPath, scenario }: Report, palette: Palette): string[] {
  if (criticalPath.length < 2) return [];
  return [
    palette.faint(`  ${"step".padEnd(16)}${"took".padStart(10)}   whom everybody waited for, and why`),
    ...criticalPath.map(({ name, cpu, ns, causes = [] }) => {
      const why = causes.length === 0 ? "" : `: ${causesText(causes, cpu === scenario.policy.requester)}`;
      return `  ${name.padEnd(16)}${formatNs(ns).padStart(10)}   ${palette.faint(`CPU ${cpu}${why}`)}`;
    }),
  ];
}

/** Percentiles over all calls: one call says it in figures(). */
function distributionLines({ distributions, rounds }: Report, palette: Palette): string[] {
  if (rounds.length < 2) return [];
  const rows = [
    ["call to stop", distributions.stopNs],
    ["frozen", distributions.frozenNs],
    ["release skew", distributions.releaseSkewNs],
  ] as const;
  const columns = ["min", "p50", "p90", "p99", "p99.9", "max"].map((name) => name.padStart(10)).join("");
  return [
    palette.faint(`  ${"over all calls".padEnd(16)}${columns}`),
    ...rows.flatMap(([name, values]) => {
      if (values === null) return [];
      const { min, p50, p90, p99, p99_9, max } = values;
      const cells = [min, p50, p90, p99, p99_9, max].map((ns) => formatNs(ns).padStart(10)).join("");
      return [`  ${name.padEnd(16)}${cells}`];
    }),
  ];
}

const MOST_CONTENDED = 10;
const LINE_NAME_COLUMNS = 56;

/** As perf c2c lists them: a line per line, the most expensive first. */
function contendedLines({ lines }: Report, palette: Palette): string[] {
  if (lines === undefined) return [];
  const columns = [
    ["requests", 10],
    ["writes", 9],
    ["copies taken", 14],
    ["waited", 10],
    ["queued", 10],
  ] as const;
  const header = columns.map(([name, width]) => name.padStart(width)).join("");
  return [
    palette.faint(`  ${"contended lines".padEnd(LINE_NAME_COLUMNS)}${header}   worst wait`),
    ...lines.most.slice(0, MOST_CONTENDED).map((line) => {
      const figures = [
        formatCount(line.transfers),
        formatCount(line.writes),
        formatCount(line.invalidations),
        formatNs(line.waitNs),
        formatNs(line.queueNs),
      ];
      const cells = figures.map((text, index) => text.padStart(columns[index]?.[1] ?? 0)).join("");
      const worst = line.worst === null ? "" : `${formatNs(line.worst.ns)}, CPU ${line.worst.cpu}`;
      const name = `${line.name}${fieldsText(line)}`;
      return `  ${shorten(name, LINE_NAME_COLUMNS - 1).padEnd(LINE_NAME_COLUMNS)}${cells}   ${palette.faint(worst)}`;
    }),
  ];
}

/** The fields that were asked for most; of a line that other variables share, with their names. */
function fieldsText({ name, fields }: LineReport): string {
  const [symbol = ""] = name.split(" ");
  const texts = fields
    .filter(({ name: field }) => field !== symbol)
    .map(({ name: field }) => (field.startsWith(`${symbol}.`) ? field.slice(symbol.length + 1) : field));
  return texts.length === 0 ? "" : `: ${texts.slice(0, 3).join(", ")}`;
}

function shorten(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;
}

function footer({ digest, host, simulatedNs, recordsLost }: Report): string {
  const lost = recordsLost === 0 ? "" : `; ${formatCount(recordsLost)} trace records lost`;
  return `  ${formatNs(simulatedNs)} simulated in ${Math.round(host.wallMs)} ms: ${formatCount(host.guestInstructions)} guest instructions, ${formatCount(host.events)} events; digest ${digest}${lost}`;
}
