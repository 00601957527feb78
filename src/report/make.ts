// Makes the report of a run from its machine and timelines.

import { latest, spreadOf } from "../measure/statistics.ts";
import type { Timeline } from "../measure/timeline.ts";
import { kernelSymbols, perCpuOffsets } from "../guest/kernel.ts";
import type { Machine, RunEnd } from "../machine/machine.ts";
import type { Policy } from "../policies/index.ts";
import type { RunResult } from "../scenario/run.ts";
import { nsOf } from "../timing/index.ts";
import {
  REPORT_FORMAT,
  type MissingCpu,
  type PhaseReport,
  type Report,
  type Straggler,
  type Verdict,
} from "./report.ts";

const MOST_STRAGGLERS = 8;
const MOST_MISSING = 32;

export function makeReport(result: RunResult): Report {
  const { expanded, machine, timelines, wallMs } = result;
  const { topology, timing, online } = expanded;
  const { events, guestInstructions } = machine.work;
  const current = timelines.at(-1);
  const last = timelines.findLast((timeline) => !Number.isNaN(timeline.return)) ?? current;
  return {
    format: REPORT_FORMAT,
    scenario: expanded.scenario,
    machine: {
      name: topology.name,
      arch: timing.architecture,
      cpus: topology.counts.complete,
      online: online.length,
      packages: topology.counts.packages,
      llcDomains: topology.counts.llcs,
      nodes: topology.counts.nodes,
      timing: timing.name,
      clockHz: timing.clockMhz.value * 1e6,
    },
    outcome: outcomeOf(result, current),
    latency: latencyOf(result, last),
    rounds: timelines
      .filter((timeline) => !Number.isNaN(timeline.return))
      .map((timeline) => ({
        rendezvousNs: sinceCall(result, timeline, stoppedAt(timeline, expanded.policy)) ?? NaN,
        totalNs: sinceCall(result, timeline, timeline.return) ?? NaN,
      })),
    phases: last === undefined ? [] : phasesOf(result, last),
    stragglers: last === undefined ? [] : stragglersOf(result, last),
    digest: machine.digest(),
    simulatedNs: nsOf(timing, machine.cycle),
    recordsLost: machine.recordsLost,
    host: { wallMs, guestInstructions, events },
  };
}

/** Nanoseconds from a timeline's call to a cycle; null for what has not happened. */
function sinceCall({ expanded }: RunResult, timeline: Timeline, cycle: number | undefined): number | null {
  if (cycle === undefined || Number.isNaN(cycle)) return null;
  return nsOf(expanded.timing, cycle - timeline.call);
}

/** Cycle at which the last CPU acknowledged the stopped state, if all have. */
function stoppedAt(timeline: Timeline, policy: Policy, online?: readonly number[]): number | undefined {
  const column = timeline.acknowledge[policy.stoppedState - 1];
  if (column === undefined || online?.some((cpu) => Number.isNaN(column[cpu]))) return undefined;
  return latest(column)?.value;
}

function latencyOf(result: RunResult, last: Timeline | undefined): Report["latency"] {
  if (last === undefined) return { rendezvousNs: null, totalNs: null, frozenNs: null };
  const { policy, online, timing } = result.expanded;
  const frozen = last.leave.map((left, cpu) => nsOf(timing, left - (last.enter[cpu] as number)));
  return {
    rendezvousNs: sinceCall(result, last, stoppedAt(last, policy, online)),
    totalNs: sinceCall(result, last, last.return),
    frozenNs: spreadOf(frozen) ?? null,
  };
}

function phasesOf(result: RunResult, timeline: Timeline): PhaseReport[] {
  const { policy } = result.expanded;
  return policy.phases.flatMap(({ name, reached }, index) => {
    const column = timeline.acknowledge[index] as Float64Array;
    const last = latest(column);
    if (last === undefined) return [];
    const passed = column.filter((cycle) => !Number.isNaN(cycle));
    const firstCycle = passed.reduce((least, cycle) => Math.min(least, cycle), Infinity);
    const ns = (cycle: number): number => sinceCall(result, timeline, cycle) as number;
    return [
      { name, reached, firstNs: ns(firstCycle), lastNs: ns(last.value), lastCpu: last.index, passed: passed.length },
    ];
  });
}

function stragglersOf(result: RunResult, timeline: Timeline): Straggler[] {
  const { loads, online, policy } = result.expanded;
  const arrived = online.filter((cpu) => !Number.isNaN(timeline.enter[cpu]));
  arrived.sort((a, b) => (timeline.enter[b] as number) - (timeline.enter[a] as number) || a - b);
  return arrived.slice(0, MOST_STRAGGLERS).map((cpu) => ({
    cpu,
    load: loads[cpu]?.kind ?? "",
    enteredNs: sinceCall(result, timeline, timeline.enter[cpu]) as number,
    signalledNs: sinceCall(result, timeline, timeline.signalled[cpu]),
    interruptedNs: sinceCall(result, timeline, timeline.interrupted[cpu]),
    stoppedNs: sinceCall(result, timeline, timeline.acknowledge[policy.stoppedState - 1]?.[cpu]) ?? NaN,
  }));
}

function outcomeOf(result: RunResult, current: Timeline | undefined): Report["outcome"] {
  const { expanded, machine, end } = result;
  const verdict = verdictOf(result);
  const missing = verdict === "hang" ? missingCpus(result, current) : [];
  const perCpu = expanded.online.map((cpu) => callsOn(machine, cpu));
  const returned = verdict === "completed" ? machine.readUint32(machine.address(kernelSymbols.outcome) + 4) | 0 : null;
  return {
    verdict,
    returned,
    story: storyOf(result, verdict, missing, end),
    calls: { cpus: perCpu.filter((calls) => calls > 0).length, total: perCpu.reduce((sum, calls) => sum + calls, 0) },
    missing: missing.slice(0, MOST_MISSING),
    missingCount: missing.length,
  };
}

function callsOn(machine: Machine, cpu: number): number {
  const { perCpuStart, perCpuStride } = machine.image;
  return Number(machine.readUint64(perCpuStart + cpu * perCpuStride + perCpuOffsets.calls));
}

function verdictOf({ end, expanded }: RunResult): Verdict {
  if (end.kind === "stopped") return "stopped";
  if (end.kind !== "probe") return "hang";
  return end.probe === expanded.policy.marks.done ? "completed" : "unhandled";
}

/** Who keeps the others waiting: those that have not entered; if all have, those that have not acknowledged what others have. */
function missingCpus({ expanded, machine }: RunResult, timeline: Timeline | undefined): MissingCpu[] {
  const { online, policy, loads } = expanded;
  const describe = (cpu: number, missing: string): MissingCpu => {
    const view = machine.cpu(cpu);
    const state = view.state === "WAITING" ? `waiting in ${view.waitsIn}` : view.state.toLowerCase();
    return { cpu, missing, load: loads[cpu]?.kind ?? "", at: view.at ?? `0x${view.pc.toString(16)}`, state };
  };
  if (timeline === undefined)
    return online.filter((cpu) => machine.cpu(cpu).state === "OFFLINE").map((cpu) => describe(cpu, "start"));
  const columns = [timeline.enter, ...timeline.acknowledge];
  const names = ["entering", ...policy.phases.map(({ name }) => name)];
  for (const [index, column] of columns.entries()) {
    const absent = online.filter((cpu) => Number.isNaN(column[cpu]));
    if (absent.length > 0) return absent.map((cpu) => describe(cpu, names[index] as string));
  }
  return [];
}

function storyOf(
  { expanded, machine }: RunResult,
  verdict: Verdict,
  missing: readonly MissingCpu[],
  end: RunEnd,
): string {
  const { policy, online, scenario } = expanded;
  const culprits = missing
    .slice(0, 4)
    .map(({ cpu, load, at }) => `CPU ${cpu} (${load}, at ${at})`)
    .join(", ");
  const more = missing.length > 4 ? ` and ${missing.length - 4} more` : "";
  switch (verdict) {
    case "completed":
      return `all ${online.length} online CPUs stopped, ran ${policy.name} and were released`;
    case "hang":
      if (missing.length === 0) return `the limit of ${scenario.limitUs} us was reached before the call`;
      return `limit of ${scenario.limitUs} us reached: ${culprits}${more} did not get past ${missing[0]?.missing}`;
    case "stopped": {
      const stop = machine.stop;
      return `machine stop ${stop?.reason} on CPU ${stop?.cpu} at ${stop?.at ?? `0x${stop?.pc.toString(16)}`}, cycle ${stop?.cycle}`;
    }
    case "unhandled":
      return `an exception or interrupt that the guest doesn't handle, cycle ${end.kind === "probe" ? end.cycle : machine.cycle}`;
  }
}
