// Makes the plain data of a call from a run: what its CPUs' time went to until they stopped, and what they were in behind that.

import { culpritsAmong, type Lateness } from "../measure/lateness.ts";
import type { Stretch } from "../measure/partition.ts";
import { latest } from "../measure/statistics.ts";
import type { Timeline } from "../measure/timeline.ts";
import { latenessOf, reportedCall } from "../scenario/lateness.ts";
import { callerOf } from "../scenario/requests.ts";
import type { RunResult } from "../scenario/run.ts";
import { nsOf } from "../timing/index.ts";
import type { StretchState, Rendezvous, RendezvousCpu } from "./rendezvous.ts";
import { causeParts } from "./where-time-went.ts";

/**
 * A call of a run.
 * @param timeline one of `result.timelines`; that of the report if not given
 * @returns undefined of a run that came to no call, or of a policy that makes none
 */
export function rendezvousOf(
  result: RunResult,
  timeline: Timeline | undefined = reportedCall(result),
): Rendezvous | undefined {
  if (timeline === undefined) return undefined;
  const { policy, topology, requests, timing } = result.expanded;
  const late = latenessOf(result, timeline);
  const stops = timeline.acknowledge[policy.stoppedState - 1];
  const haveStopped = late.length > 0 && late.every(({ isStopped }) => isStopped);
  const end = endOf(result, timeline, haveStopped);
  const sinceCall = (cycle: number): number | null =>
    Number.isNaN(cycle) ? null : nsOf(timing, cycle - timeline.call);
  const culprits = culpritsAmong(late.filter(({ isStopped }) => !isStopped));
  return {
    policy: policy.name,
    stoppedMeans: policy.phases[policy.stoppedState - 1]?.reached ?? "every CPU has stopped",
    topology,
    requester: callerOf(requests[0]),
    call: result.timelines.indexOf(timeline) + 1,
    calls: result.timelines.length,
    stoppedNs: haveStopped && stops !== undefined ? sinceCall(latest(stops)?.value ?? NaN) : null,
    returnedNs: sinceCall(timeline.return),
    endNs: nsOf(timing, end - timeline.call),
    cpus: late
      .map((one) => ({ ...cpuOf(result, timeline, one, end), isCulprit: culprits.has(one.cpu) }))
      .sort((a, b) => a.cpu - b.cpu),
  };
}

function endOf({ expanded, machine }: RunResult, timeline: Timeline, haveStopped: boolean): number {
  const { policy } = expanded;
  const isThrough = policy.promises?.end === "stopped" ? haveStopped : !Number.isNaN(timeline.return);
  if (!isThrough) return machine.cycle;
  const columns = [...timeline.acknowledge, timeline.leave];
  return Math.max(timeline.call, orZero(timeline.return), ...columns.map((column) => orZero(latest(column)?.value)));
}

function orZero(cycle: number | undefined): number {
  return cycle === undefined || Number.isNaN(cycle) ? 0 : cycle;
}

/** Cycles; NaN: it has not happened. */
type Passed = Readonly<Record<Boundary, number>>;

const boundaries = [
  "signalled",
  "delivered",
  "taken",
  "entered",
  "stopped",
  "functionStart",
  "functionEnd",
  "released",
  "resumed",
] as const;
type Boundary = (typeof boundaries)[number];

function cpuOf(result: RunResult, timeline: Timeline, late: Lateness, end: number): Omit<RendezvousCpu, "isCulprit"> {
  const { policy, loads, timing } = result.expanded;
  const { cpu } = late;
  const passed: Passed = {
    signalled: late.signalled,
    delivered: late.delivered,
    taken: late.taken,
    entered: timeline.enter[cpu] ?? NaN,
    stopped: late.isStopped ? late.until : NaN,
    functionStart: timeline.functionStart[cpu] ?? NaN,
    functionEnd: timeline.functionEnd[cpu] ?? NaN,
    released: policy.marks.leave === undefined ? NaN : releasedAt(result, timeline, cpu),
    resumed: timeline.leave[cpu] ?? NaN,
  };
  const ns = (cycle: number): number => nsOf(timing, cycle - timeline.call);
  const times = boundaries.map((name) => [`${name}Ns`, Number.isNaN(passed[name]) ? null : ns(passed[name])] as const);
  return {
    cpu,
    load: loads[cpu]?.kind ?? "",
    ...(Object.fromEntries(times) as Record<`${Boundary}Ns`, number | null>),
    causes: causeParts(result, late.parts),
    stretches: joined([...late.stretches, ...behindStop(late, passed, end)]).map(({ state, from, until }) => ({
      state,
      fromNs: ns(from),
      untilNs: ns(until),
    })),
  };
}

/** When a CPU passed the last state that all of them pass, if that is behind the stop. */
function releasedAt({ expanded }: RunResult, { acknowledge }: Timeline, cpu: number): number {
  const { phases, stoppedState } = expanded.policy;
  const last = phases.findLastIndex(({ by }) => by === undefined);
  return last < stoppedState ? NaN : (acknowledge[last]?.[cpu] ?? NaN);
}

interface CpuStretch extends Omit<Stretch, "cause"> {
  readonly state: StretchState;
}

/** From the stop to the end. */
function behindStop(
  late: Lateness,
  { functionStart, functionEnd, released, resumed }: Passed,
  end: number,
): CpuStretch[] {
  if (!late.isStopped) return [];
  const stretches: CpuStretch[] = [];
  let from = late.until;
  const goOn = (state: StretchState, cycle: number): void => {
    const until = Math.min(Number.isNaN(cycle) ? end : cycle, end);
    if (!(until > from)) return;
    stretches.push({ state, from, until });
    from = until;
  };
  if (!Number.isNaN(functionStart)) {
    goOn("stopped", functionStart);
    goOn("function", functionEnd);
  }
  goOn("stopped", Number.isNaN(released) ? resumed : released);
  goOn("released", resumed);
  goOn("resumed", end);
  return stretches;
}

/** What a CPU was in does not tell lines apart. */
function joined(stretches: readonly (Stretch | CpuStretch)[]): CpuStretch[] {
  const result: CpuStretch[] = [];
  for (const one of stretches) {
    const state = "state" in one ? one.state : one.cause;
    const last = result.at(-1);
    if (last?.state === state && last.until === one.from) result[result.length - 1] = { ...last, until: one.until };
    else result.push({ state, from: one.from, until: one.until });
  }
  return result;
}
