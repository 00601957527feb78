// A report as a person wants to read it: the verdict first, then the figures, who was late, and why.

import { findPolicy } from "../policies/index.ts";
import { interruptLines } from "./interrupts-text.ts";
import type { Report, Straggler } from "./report.ts";

/** Colours text; `plain` for output that is no terminal. */
export interface Palette {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly strong: (text: string) => string;
  readonly faint: (text: string) => string;
}

const same = (text: string): string => text;
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

function headline({ machine, outcome, scenario }: Report, palette: Palette): string[] {
  const mark = outcome.verdict === "completed" ? palette.good("OK") : palette.bad(outcome.verdict.toUpperCase());
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
function stoppedMeans(name: string): string {
  const { phases, stoppedState } = findPolicy(name);
  return phases[stoppedState - 1]?.reached ?? "every CPU has stopped";
}

function figures({ latency, outcome, rounds, scenario }: Report, palette: Palette): string[] {
  if (latency.rendezvousNs === null && latency.totalNs === null) return [];
  const row = (name: string, value: string, what: string): string =>
    `  ${name.padEnd(12)}${palette.strong(value.padStart(9))}   ${palette.faint(what)}`;
  const lines = [
    row("rendezvous", formatNs(latency.rendezvousNs), `from the call until ${stoppedMeans(scenario.policy.name)}`),
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
  const lines = outcome.missing.map(
    ({ cpu, load, at, state, missing }) =>
      `  CPU ${String(cpu).padEnd(6)} ${load.padEnd(10)} ${state} at ${at}; missing: ${missing}`,
  );
  const more = outcome.missingCount - outcome.missing.length;
  return [
    palette.bad(`  ${formatCount(outcome.missingCount)} did not arrive:`),
    ...lines,
    ...(more > 0 ? [`  and ${formatCount(more)} more`] : []),
  ];
}

function stragglerLines(report: Report, palette: Palette): string[] {
  const { stragglers } = report;
  if (stragglers.length === 0) return [];
  const header = `  ${"last to arrive".padEnd(16)}${"load".padEnd(10)}${"arrived".padStart(10)}   why`;
  return [
    palette.faint(header),
    ...stragglers
      .slice(0, 5)
      .map(
        (straggler) =>
          `  ${`CPU ${straggler.cpu}`.padEnd(16)}${straggler.load.padEnd(10)}${formatNs(straggler.enteredNs).padStart(10)}   ${palette.faint(whyLate(straggler, report))}`,
      ),
  ];
}

/** The parts of a CPU's way to the rendezvous. */
function whyLate(straggler: Straggler, { scenario }: Report): string {
  const { cpu, load, signalledNs, interruptedNs, wokenNs, enteredNs } = straggler;
  if (cpu === scenario.policy.requester) return "it calls; its own stopper takes over once all others are queued";
  const where = findPolicy(scenario.policy.name).promises?.end === "stopped" ? "at its stop" : "in its stopper thread";
  const arrival = (since: number): string => `${where} after ${formatNs(enteredNs - since)} more`;
  if (signalledNs === null) {
    if (wokenNs !== null)
      return `no interrupt: woken by the store to its flags after ${formatNs(wokenNs)}, ${arrival(wokenNs)}`;
    return load === "poll" ? "no interrupt: it polls its flags and saw the store" : "no interrupt";
  }
  const sent = `interrupt sent after ${formatNs(signalledNs)}`;
  if (interruptedNs === null) {
    const saw = load === "poll" ? "it polls its flags and saw the store first" : "not taken yet";
    return `${sent}, ${saw}: ${arrival(signalledNs)}`;
  }
  return `${sent}, taken ${formatNs(interruptedNs - signalledNs)} later, ${arrival(interruptedNs)}`;
}

function footer({ digest, host, simulatedNs, recordsLost }: Report): string {
  const lost = recordsLost === 0 ? "" : `; ${formatCount(recordsLost)} trace records lost`;
  return `  ${formatNs(simulatedNs)} simulated in ${Math.round(host.wallMs)} ms: ${formatCount(host.guestInstructions)} guest instructions, ${formatCount(host.events)} events; digest ${digest}${lost}`;
}
