// A report as a person wants to read it: the verdict first, then the figures, who was late, and why.

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

/** Nanoseconds in the unit that leaves one to three digits before the point. */
export function formatNs(ns: number | null): string {
  if (ns === null || Number.isNaN(ns)) return "-";
  const units = [
    [1e9, "s"],
    [1e6, "ms"],
    [1e3, "us"],
  ] as const;
  for (const [scale, unit] of units) if (Math.abs(ns) >= scale) return `${(ns / scale).toPrecision(3)} ${unit}`;
  return `${Math.round(ns)} ns`;
}

export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** The lines of a whole report. */
export function reportLines(report: Report, palette: Palette = plain): string[] {
  return [
    ...headline(report, palette),
    "",
    ...figures(report, palette),
    ...phaseLines(report, palette),
    ...missingLines(report, palette),
    ...stragglerLines(report, palette),
    "",
    palette.faint(footer(report)),
  ];
}

function headline({ machine, outcome, scenario }: Report, palette: Palette): string[] {
  const mark = outcome.verdict === "completed" ? palette.good("OK") : palette.bad(outcome.verdict.toUpperCase());
  const domains = `${plural(machine.packages, "package")}, ${plural(machine.llcDomains, "LLC domain")}`;
  return [
    `${mark}  ${palette.strong(outcome.story)}`,
    palette.faint(
      `    ${machine.name}: ${formatCount(machine.online)} of ${formatCount(machine.cpus)} CPUs online, ${machine.arch}, ${domains}, timing ${machine.timing}`,
    ),
    palette.faint(`    ${scenario.policy.name}, load ${scenario.load.common}, seed ${scenario.seed}`),
  ];
}

function figures({ latency, outcome, rounds }: Report, palette: Palette): string[] {
  if (latency.rendezvousNs === null && latency.totalNs === null) return [];
  const row = (name: string, value: string, what: string): string =>
    `  ${name.padEnd(12)}${palette.strong(value.padStart(9))}   ${palette.faint(what)}`;
  const lines = [
    row("rendezvous", formatNs(latency.rendezvousNs), "from the call until every CPU has stopped, interrupts off"),
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
function phaseLines({ phases, machine }: Report, palette: Palette): string[] {
  const end = Math.max(...phases.map(({ lastNs }) => lastNs), 1);
  const column = (ns: number): number => Math.round((ns / end) * BAR_COLUMNS);
  const lines = phases.map(({ name, firstNs, lastNs, lastCpu, reached, passed }) => {
    const meaning =
      passed === machine.online ? reached : `${formatCount(passed)} of ${formatCount(machine.online)} CPUs so far`;
    const from = Math.min(column(firstNs), BAR_COLUMNS - 1);
    const bar = `${" ".repeat(from)}${"█".repeat(Math.max(1, column(lastNs) - from))}`.padEnd(BAR_COLUMNS);
    return `  ${name.padEnd(12)}${bar} ${formatNs(lastNs).padStart(8)}   ${palette.faint(`${meaning}; last CPU ${lastCpu}`)}`;
  });
  return lines.length === 0 ? [] : ["", ...lines];
}

function missingLines({ outcome }: Report, palette: Palette): string[] {
  if (outcome.missingCount === 0) return [];
  const lines = outcome.missing.map(
    ({ cpu, load, at, state, missing }) =>
      `  CPU ${String(cpu).padEnd(6)} ${load.padEnd(10)} ${state} at ${at}; missing: ${missing}`,
  );
  const more = outcome.missingCount - outcome.missing.length;
  return [
    "",
    palette.bad(`  ${formatCount(outcome.missingCount)} did not arrive:`),
    ...lines,
    ...(more > 0 ? [`  and ${formatCount(more)} more`] : []),
  ];
}

function stragglerLines({ stragglers }: Report, palette: Palette): string[] {
  if (stragglers.length === 0) return [];
  const header = `  ${"last to arrive".padEnd(16)}${"load".padEnd(10)}${"arrived".padStart(10)}   why`;
  return [
    "",
    palette.faint(header),
    ...stragglers
      .slice(0, 5)
      .map(
        (straggler) =>
          `  ${`CPU ${straggler.cpu}`.padEnd(16)}${straggler.load.padEnd(10)}${formatNs(straggler.enteredNs).padStart(10)}   ${palette.faint(whyLate(straggler))}`,
      ),
  ];
}

/** The parts of a CPU's way to the rendezvous. */
function whyLate({ signalledNs, interruptedNs, enteredNs }: Straggler): string {
  if (signalledNs === null) return "woken without an interrupt";
  if (interruptedNs === null)
    return `signalled after ${formatNs(signalledNs)}, entered ${formatNs(enteredNs - signalledNs)} later`;
  const delivery = formatNs(interruptedNs - signalledNs);
  return `signalled after ${formatNs(signalledNs)}, interrupted ${delivery} later, in its stopper thread after ${formatNs(enteredNs - interruptedNs)} more`;
}

function footer({ digest, host, simulatedNs, recordsLost }: Report): string {
  const lost = recordsLost === 0 ? "" : `; ${formatCount(recordsLost)} trace records lost`;
  return `  ${formatNs(simulatedNs)} simulated in ${Math.round(host.wallMs)} ms: ${formatCount(host.guestInstructions)} guest instructions, ${formatCount(host.events)} events; digest ${digest}${lost}`;
}
