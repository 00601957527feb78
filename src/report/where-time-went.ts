// The report's part about where time went: each CPU's lateness by cause, the whole call step by step, and who is to blame for a hang.

import { LINE_BYTES } from "../abi.ts";
import { measureDistributions } from "../measure/distributions.ts";
import type { Lateness } from "../measure/lateness.ts";
import { objectText } from "../measure/object-names.ts";
import { clip, sumParts, type Cause, type Part } from "../measure/partition.ts";
import { latest } from "../measure/statistics.ts";
import type { Timeline } from "../measure/timeline.ts";
import type { RunResult } from "../scenario/run.ts";
import { nsOf } from "../timing/index.ts";
import type { BoundaryReport, CausePart, CauseReport, DistributionsReport, StepReport } from "./report.ts";

/** Parts for people: lines by name, those of one variable of several CPUs together. They still sum to the whole. */
export function causeParts({ expanded, lines }: RunResult, parts: readonly Part[]): CausePart[] {
  const sums = new Map<string, { cause: Cause; cycles: number; name: string; cpus: Set<number | undefined> }>();
  for (const { cause, cycles, address } of parts) {
    const name = address === undefined ? undefined : lines?.names.nameOf(address);
    const key = name === undefined ? cause : `${cause} ${name.symbol} ${name.field} ${name.isOnStack ? name.cpu : ""}`;
    const sum = sums.get(key);
    if (sum === undefined) {
      sums.set(key, { cause, cycles, name: name === undefined ? "" : objectText(name), cpus: new Set([name?.cpu]) });
    } else {
      sum.cycles += cycles;
      sum.cpus.add(name?.cpu);
    }
  }
  return [...sums.values()]
    .sort((one, other) => other.cycles - one.cycles)
    .map(({ cause, cycles, name, cpus }) => ({
      cause,
      cycles,
      ns: nsOf(expanded.timing, cycles),
      ...(name !== "" && { line: cpus.size === 1 ? name : name.replace(/ of CPU \d+$/, ` of ${cpus.size} CPUs`) }),
    }));
}

/** @param lateness of the captured CPUs */
export function boundariesOf(
  { expanded }: RunResult,
  timeline: Timeline,
  lateness: readonly Lateness[],
): BoundaryReport[] {
  const { policy, timing } = expanded;
  const column = (read: (one: Lateness) => number): Float64Array => {
    const values = new Float64Array(timeline.enter.length).fill(NaN);
    for (const one of lateness) values[one.cpu] = read(one);
    return values;
  };
  const columns: readonly [BoundaryReport["name"], Float64Array | undefined][] = [
    ["signalled", column(({ signalled }) => signalled)],
    ["delivered", column(({ delivered }) => delivered)],
    ["taken", column(({ taken }) => taken)],
    ["entered", timeline.enter],
    ["stopped", timeline.acknowledge[policy.stoppedState - 1]],
    ["functionStart", timeline.functionStart],
    ["functionEnd", timeline.functionEnd],
    ["released", policy.marks.leave === undefined ? undefined : timeline.acknowledge.at(-1)],
    ["resumed", timeline.leave],
  ];
  return columns.flatMap(([name, values]) => {
    const last = values === undefined ? undefined : latest(values);
    if (values === undefined || last === undefined) return [];
    const passed = values.filter((cycle) => !Number.isNaN(cycle));
    const first = passed.reduce((least, cycle) => Math.min(least, cycle), Infinity);
    const ns = (cycle: number): number => nsOf(timing, cycle - timeline.call);
    return [{ name, firstNs: ns(first), lastNs: ns(last.value), lastCpu: last.index, passed: passed.length }];
  });
}

/** Step by step, each ended by the last CPU to pass a state. */
export function criticalPathOf(result: RunResult, timeline: Timeline, lateness: readonly Lateness[]): StepReport[] {
  const { policy, timing, requests } = result.expanded;
  if (Number.isNaN(timeline.return)) return [];
  const byCpu = new Map(lateness.map((one) => [one.cpu, one]));
  const steps: StepReport[] = [];
  let from = timeline.call;
  const step = (name: string, cpu: number, until: number, isDivided: boolean): void => {
    const stretches = isDivided ? byCpu.get(cpu)?.stretches : undefined;
    const causes =
      stretches === undefined ? undefined : causeParts(result, sumParts(clip(stretches, from, until), LINE_BYTES));
    const cycles = until - from;
    steps.push({ name, cpu, cycles, ns: nsOf(timing, cycles), ...(causes && { causes }) });
    from = until;
  };
  policy.phases.forEach(({ name }, index) => {
    const last = latest(timeline.acknowledge[index] as Float64Array);
    if (last === undefined || last.value < from || last.value > timeline.return) return;
    step(name, last.index, last.value, index < policy.stoppedState);
  });
  step("return", requests[0].requester, timeline.return, false);
  return steps;
}

export function causesOf({ expanded }: RunResult, lateness: readonly Lateness[]): CauseReport[] {
  const sums = new Map<Cause, { cpus: number; total: number; max: number; maxCpu: number; cpu: number; own: number }>();
  for (const { cpu, parts } of lateness) {
    for (const { cause, cycles } of parts) {
      let sum = sums.get(cause);
      if (sum === undefined) sums.set(cause, (sum = { cpus: 0, total: 0, max: -1, maxCpu: -1, cpu: -1, own: 0 }));
      // A CPU has several parts of one cause where it waited for several lines.
      if (sum.cpu !== cpu) {
        sum.cpu = cpu;
        sum.cpus++;
        sum.own = 0;
      }
      sum.total += cycles;
      sum.own += cycles;
      if (sum.own > sum.max) {
        sum.max = sum.own;
        sum.maxCpu = cpu;
      }
    }
  }
  return [...sums]
    .sort(([, one], [, other]) => other.total - one.total)
    .map(([cause, { cpus, total, max, maxCpu }]) => ({
      cause,
      cpus,
      totalNs: nsOf(expanded.timing, total),
      maxNs: nsOf(expanded.timing, max),
      maxCpu,
    }));
}

export function distributionsOf({ timelines, expanded }: RunResult): DistributionsReport {
  const { stop, frozen, releaseSkew } = measureDistributions(timelines, expanded.policy, expanded.timing);
  return {
    stopNs: stop.percentiles ?? null,
    frozenNs: frozen.percentiles ?? null,
    releaseSkewNs: releaseSkew.percentiles ?? null,
  };
}
