// Makes the report of a run from its machine and timelines.

import { TraceKind } from "../abi.ts";
import { publishedInterrupts } from "../measure/published-interrupts.ts";
import { readWaits } from "../measure/waits.ts";
import { judgeRun, raisedBy } from "../scenario/judge.ts";
import { culpritsAmong, type Lateness } from "../measure/lateness.ts";
import { latest, spreadOf } from "../measure/statistics.ts";
import type { Timeline } from "../measure/timeline.ts";
import { kernelSymbols, perCpuOffsets, requestOffsets } from "../guest/kernel.ts";
import { request } from "../guest/percpu.ts";
import type { Machine } from "../machine/machine.ts";
import type { Policy } from "../policies/index.ts";
import { capturedBy, latenessOf, reportedCall } from "../scenario/lateness.ts";
import { callerOf } from "../scenario/requests.ts";
import type { RunResult } from "../scenario/run.ts";
import { nsOf } from "../timing/index.ts";
import { formatCpuList } from "../topology/index.ts";
import {
  REPORT_FORMAT,
  type MissingCpu,
  type PhaseReport,
  type Report,
  type Straggler,
  type Verdict,
} from "./report.ts";
import { linesOf } from "./lines-report.ts";
import { boundariesOf, causeParts, causesOf, criticalPathOf, distributionsOf } from "./where-time-went.ts";
import { exceptionName } from "./exception-name.ts";
import { formatCount, formatNs, plural } from "./text.ts";

const MOST_STRAGGLERS = 8;
const MOST_MISSING = 32;
/** Waits and messages. */
const MOST_TOLD = 64;

/** The report of a run that has ended; `simulate()` makes it, too. */
export function makeReport(result: RunResult): Report {
  const { expanded, machine, timelines, wallMs } = result;
  const { topology, timing, online } = expanded;
  const { events, guestInstructions } = machine.work;
  const current = timelines.at(-1);
  const last = reportedCall(result);
  const late = latenessOf(result);
  const outcome = outcomeOf(result, current, current === last ? late : undefined);
  const returned = returnedBy(result);
  const lines = linesOf(result);
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
      ...(expanded.firmware && { firmware: expanded.firmware.name }),
      clockHz: timing.clockMhz.value * 1e6,
    },
    outcome,
    latency: latencyOf(result, last),
    rounds: timelines
      .filter((timeline) => !Number.isNaN(timeline.return))
      .map((timeline, round) => ({
        returned: returned[round] ?? null,
        rendezvousNs: sinceCall(result, timeline, stoppedAt(timeline, expanded.policy)) ?? NaN,
        totalNs: sinceCall(result, timeline, timeline.return) ?? NaN,
      })),
    phases: last === undefined ? [] : phasesOf(result, last),
    stragglers: last === undefined ? [] : stragglersOf(result, last, late),
    boundaries: last === undefined ? [] : boundariesOf(result, last, late),
    criticalPath: last === undefined ? [] : criticalPathOf(result, last, late),
    causes: causesOf(result, late),
    distributions: distributionsOf(result),
    ...(lines && { lines }),
    ...judgementOf(result, outcome),
    ...interruptsOf(result),
    digest: machine.digest(),
    simulatedNs: nsOf(timing, machine.cycle),
    recordsLost: machine.recordsLost,
    host: { wallMs, guestInstructions, events },
  };
}

/** What the first request's calls returned, in order. */
function returnedBy({ expanded, history, machine }: RunResult): number[] {
  const block = blockOf(machine, callerOf(expanded.requests[0])) + request.symbol.offset;
  return history.observations
    .filter(({ event, values }) => event === "answer" && Number(values[0]) === block)
    .map(({ values }) => Number(BigInt.asIntN(32, values[1] ?? 0n)));
}

/** What the oracles say, and the waits and messages of the run. */
function judgementOf(
  result: RunResult,
  { missing }: Report["outcome"],
): Pick<Report, "oracles" | "waits" | "messages"> {
  const { expanded, history } = result;
  const { timing, policy } = expanded;
  const culprits = missing.map(({ cpu }) => cpu);
  return {
    oracles:
      policy.measures === undefined ? judgeRun({ ...result, raised: result.injected.flatMap(raisedBy) }, culprits) : [],
    waits: readWaits(history.observations, timing).slice(0, MOST_TOLD),
    messages: history.observations
      .filter(({ event }) => event === "say")
      .slice(0, MOST_TOLD)
      .map(({ which = "", cpu, cycle, values: [value] }) => ({
        name: which,
        cpu,
        ns: nsOf(timing, cycle),
        value: value === undefined ? null : Number(BigInt.asIntN(64, value)),
      })),
  };
}

function interruptsOf({ expanded, interrupts }: RunResult): Pick<Report, "interrupts"> {
  if (interrupts === undefined) return {};
  const { requests, timing } = expanded;
  const [{ requester, targets }] = requests;
  const foreign = timing.architecture === "x86-64" ? "arm64" : "x86-64";
  return {
    interrupts: {
      sender: requester,
      target: targets[0] ?? requester,
      kernelsWay: timing.architecture === "x86-64" ? "broadcast" : "lists",
      cases: interrupts.cases,
      published: publishedInterrupts.filter(({ architecture }) => architecture !== foreign),
    },
  };
}

/** Nanoseconds from a timeline's call to a cycle; null for what has not happened. */
function sinceCall({ expanded }: RunResult, timeline: Timeline, cycle: number | undefined): number | null {
  if (cycle === undefined || Number.isNaN(cycle)) return null;
  return nsOf(expanded.timing, cycle - timeline.call);
}

/** Cycle at which the last CPU acknowledged the stopped state, if all have. */
function stoppedAt(timeline: Timeline, policy: Policy, captured?: readonly number[]): number | undefined {
  const column = timeline.acknowledge[policy.stoppedState - 1];
  if (column === undefined || captured?.some((cpu) => Number.isNaN(column[cpu]))) return undefined;
  return latest(column)?.value;
}

function latencyOf(result: RunResult, last: Timeline | undefined): Report["latency"] {
  if (last === undefined) return { rendezvousNs: null, totalNs: null, frozenNs: null };
  const { policy, timing } = result.expanded;
  const frozen = last.leave.map((left, cpu) => nsOf(timing, left - (last.enter[cpu] as number)));
  return {
    rendezvousNs: sinceCall(result, last, stoppedAt(last, policy, capturedBy(result, last))),
    totalNs: sinceCall(result, last, last.return),
    frozenNs: spreadOf(frozen) ?? null,
  };
}

function phasesOf(result: RunResult, timeline: Timeline): PhaseReport[] {
  const { policy } = result.expanded;
  const captured = capturedBy(result, timeline).length;
  return policy.phases.flatMap(({ name, reached, by }, index) => {
    const column = timeline.acknowledge[index] as Float64Array;
    const last = latest(column);
    if (last === undefined) return [];
    const passed = column.filter((cycle) => !Number.isNaN(cycle));
    const firstCycle = passed.reduce((least, cycle) => Math.min(least, cycle), Infinity);
    const ns = (cycle: number): number => sinceCall(result, timeline, cycle) as number;
    return [
      {
        name,
        reached,
        isRendezvous: index + 1 === policy.stoppedState,
        firstNs: ns(firstCycle),
        lastNs: ns(last.value),
        lastCpu: last.index,
        passed: passed.length,
        expected: by === "target" ? 1 : captured,
      },
    ];
  });
}

function stragglersOf(result: RunResult, timeline: Timeline, late: readonly Lateness[]): Straggler[] {
  const { loads, online, policy } = result.expanded;
  const byCpu = new Map(late.map((one) => [one.cpu, one]));
  const arrived = online.filter((cpu) => !Number.isNaN(timeline.enter[cpu]));
  arrived.sort((a, b) => (timeline.enter[b] as number) - (timeline.enter[a] as number) || a - b);
  return arrived.slice(0, MOST_STRAGGLERS).map((cpu) => ({
    cpu,
    load: loads[cpu]?.kind ?? "",
    enteredNs: sinceCall(result, timeline, timeline.enter[cpu]) as number,
    signalledNs: sinceCall(result, timeline, timeline.signalled[cpu]),
    interruptedNs: sinceCall(result, timeline, timeline.interrupted[cpu]),
    wokenNs: sinceCall(result, timeline, timeline.woken[cpu]),
    stoppedNs: sinceCall(result, timeline, timeline.acknowledge[policy.stoppedState - 1]?.[cpu]) ?? NaN,
    ...waysOf(result, timeline, byCpu.get(cpu)),
  }));
}

/** What is known of a straggler that the call was to stop. */
function waysOf(
  result: RunResult,
  timeline: Timeline,
  late: Lateness | undefined,
): Pick<Straggler, "deliveredNs" | "latenessCycles" | "causes"> {
  if (late === undefined) return { deliveredNs: null, latenessCycles: 0, causes: [] };
  return {
    deliveredNs: sinceCall(result, timeline, late.delivered),
    latenessCycles: late.until - late.from,
    causes: causeParts(result, late.parts),
  };
}

/** @param late of the current call, if it is known */
function outcomeOf(
  result: RunResult,
  current: Timeline | undefined,
  late: readonly Lateness[] | undefined,
): Report["outcome"] {
  const { expanded, machine } = result;
  const verdict = verdictOf(result);
  const missing = verdict === "hang" ? blame(result, missingCpus(result, current), current, late) : [];
  const perCpu = expanded.online.map((cpu) => callsOn(machine, cpu));
  const ran = expanded.online.filter((_, index) => (perCpu[index] ?? 0) > 0);
  const [{ requester }, ...also] = expanded.requests;
  const returned = verdict === "completed" ? returnedTo(machine, requester) : null;
  return {
    verdict,
    returned,
    story: storyOf(result, verdict, returned, missing, current),
    calls: { cpus: ran.length, total: perCpu.reduce((sum, calls) => sum + calls, 0), on: ran },
    online: machine.readMask(kernelSymbols.onlineMask),
    missing: missing.slice(0, MOST_MISSING),
    missingCount: missing.length,
    also: also.map((request) => ({
      policy: request.policy.name,
      requester: request.requester,
      rounds: machine.readUint32(blockOf(machine, request.requester) + requestOffsets.roundsDone),
      returned: verdict === "completed" ? returnedTo(machine, request.requester) : null,
    })),
  };
}

function blockOf({ image }: Machine, cpu: number): number {
  return image.perCpuStart + cpu * image.perCpuStride;
}

function callsOn(machine: Machine, cpu: number): number {
  return Number(machine.readUint64(blockOf(machine, cpu) + perCpuOffsets.calls));
}

/** What the last call of a requester returned. */
function returnedTo(machine: Machine, requester: number): number {
  return machine.readUint32(blockOf(machine, requester) + requestOffsets.returned) | 0;
}

function verdictOf({ end, expanded }: RunResult): Verdict {
  if (end.kind === "stopped") return "stopped";
  if (end.kind !== "probe") return "hang";
  return end.probe === expanded.policy.marks.done ? "completed" : "unhandled";
}

/** Adds where each one's time went, and puts those first who are at fault. */
function blame(
  result: RunResult,
  missing: readonly MissingCpu[],
  current: Timeline | undefined,
  known: readonly Lateness[] | undefined,
): MissingCpu[] {
  if (current === undefined) return [...missing];
  const late = known ?? latenessOf(result, current);
  const byCpu = new Map(late.map((one) => [one.cpu, one]));
  const culprits = culpritsAmong(missing.flatMap(({ cpu }) => byCpu.get(cpu) ?? []));
  const blamed = missing.map((one) => ({
    ...one,
    isCulprit: culprits.size === 0 || culprits.has(one.cpu),
    causes: causeParts(result, byCpu.get(one.cpu)?.parts ?? []),
  }));
  return [...blamed.filter(({ isCulprit }) => isCulprit), ...blamed.filter(({ isCulprit }) => !isCulprit)];
}

/** Who keeps the others waiting: those that have not entered; if all have, those that have not acknowledged what others have. */
function missingCpus(result: RunResult, timeline: Timeline | undefined): MissingCpu[] {
  const { expanded, machine } = result;
  const { online, policy, loads, requests } = expanded;
  const describe = (cpu: number, missing: string): MissingCpu => {
    const view = machine.cpu(cpu);
    const state = view.state === "WAITING" ? `waiting in ${view.waitsIn}` : view.state.toLowerCase();
    const at = view.at ?? hex(view.pc);
    return { cpu, missing, load: loads[cpu]?.kind ?? "", at, state, isCulprit: true, causes: [] };
  };
  const unfinished = result.interrupts?.unfinished;
  if (unfinished) return unfinished.missing.map((cpu) => describe(cpu, unfinished.case));
  if (timeline === undefined)
    return online.filter((cpu) => machine.cpu(cpu).state === "OFFLINE").map((cpu) => describe(cpu, "start"));
  const captured = capturedBy(result, timeline);
  const [{ targets }] = requests;
  const steps = [
    { name: "entering", column: timeline.enter, of: captured },
    ...policy.phases.map(({ name, by }, index) => ({
      name,
      column: timeline.acknowledge[index] as Float64Array,
      of: by === "target" ? targets.slice(0, result.timelines.length).slice(-1) : captured,
    })),
  ];
  for (const { name, column, of } of steps) {
    const absent = of.filter((cpu) => Number.isNaN(column[cpu]));
    if (absent.length > 0) return absent.map((cpu) => describe(cpu, name));
  }
  return [];
}

/** Error numbers that the family returns. */
const errorNames = new Map([
  [-2, "ENOENT"],
  [-5, "EIO"],
  [-16, "EBUSY"],
  [-22, "EINVAL"],
  [-110, "ETIMEDOUT"],
]);

/** Of a path that stops all others for good: how many it did. */
function stoppedStory(result: RunResult, last: Timeline | undefined): string {
  const reports = last?.acknowledge[result.expanded.policy.stoppedState - 1];
  const others = capturedBy(result, last);
  const left = others.filter((cpu) => Number.isNaN(reports?.[cpu] ?? NaN));
  const exceptions = left.length === 0 ? "" : `; not stopped: ${formatCpuList(left)}`;
  return `${formatCount(others.length - left.length)} of ${plural(others.length, "other CPU")} stopped for good${exceptions}`;
}

/** What the last call did, and how often it was made. */
function completedStory(result: RunResult, returned: number | null): string {
  const { expanded, timelines, machine } = result;
  const { policy, online, requests } = expanded;
  const last = timelines.at(-1);
  if (result.interrupts !== undefined) {
    const rounds = plural(result.interrupts.cases[0]?.rounds ?? 0, "round");
    return `every interrupt of ${policy.name} has been answered, ${rounds} of each case`;
  }
  if (policy.promises?.end === "stopped") return stoppedStory(result, last);
  const captured = capturedBy(result, last).length;
  const error = returned === null || returned === 0 ? "" : `, which returned ${errorNames.get(returned) ?? returned}`;
  if (captured === 0) return `no CPU stopped for ${policy.name}${error}`;
  const ran = online.filter((cpu) => !Number.isNaN(last?.functionStart[cpu]));
  const where = ran.length === 0 ? "none" : `${ran.length === 1 ? "CPU" : "CPUs"} ${formatCpuList(ran)}`;
  const [{ rounds }] = requests;
  const times = rounds === 1 ? "" : ` ${formatCount(rounds)} times`;
  const left = new Set(machine.readMask(kernelSymbols.onlineMask));
  const gone = online.filter((cpu) => !left.has(cpu));
  const offline = gone.length === 0 ? "" : `; offline now: ${formatCpuList(gone)}`;
  return `${plural(captured, "CPU")} stopped and released${times}, the function run on ${where}${error}${offline}`;
}

/** One sentence for each verdict. */
function storyOf(
  result: RunResult,
  verdict: Verdict,
  returned: number | null,
  missing: readonly MissingCpu[],
  current: Timeline | undefined,
): string {
  const { expanded, machine } = result;
  const { scenario } = expanded;
  switch (verdict) {
    case "completed":
      return completedStory(result, returned);
    case "hang": {
      const limit = `not through after ${formatNs(scenario.limitUs * 1000)}`;
      if (missing.length > 0) return `${limit}: ${culprits(missing)}`;
      if (current === undefined) return `${limit}: the call was not made yet`;
      return `${limit}: every CPU is released, the requester has not finished`;
    }
    case "stopped": {
      const { stop } = machine;
      return `machine stop ${stop?.reason} on CPU ${stop?.cpu} at ${stop?.at ?? hex(stop?.pc)}, cycle ${stop?.cycle}`;
    }
    case "unhandled":
      return unhandledStory(result);
  }
}

const MOST_CULPRITS = 4;

function culprits(missing: readonly MissingCpu[]): string {
  const atFault = missing.filter(({ isCulprit }) => isCulprit);
  const named = atFault.slice(0, MOST_CULPRITS).map(({ cpu, load, at }) => `CPU ${cpu} (${load}, at ${at})`);
  const more = atFault.length - named.length;
  const phase = missing[0]?.missing;
  const what = phase === "entering" || phase === "start" ? "never arrived" : `did not get through ${phase}`;
  const victims = missing.length - atFault.length;
  const waiting = victims === 0 ? "" : `; ${plural(victims, "CPU")} behind ${atFault.length === 1 ? "it" : "them"}`;
  return `${named.join(", ")}${more > 0 ? ` and ${formatCount(more)} more` : ""} ${what}${waiting}`;
}

/** The exception that led there, if it was one. */
function unhandledStory({ end, machine, expanded }: RunResult): string {
  if (end.kind !== "probe") return "an exception or interrupt that the guest doesn't handle";
  const records = [...machine.trace].filter(({ cpu, cycle }) => cpu === end.cpu && cycle <= end.cycle);
  const record = records.findLast(({ kind }) => kind === TraceKind.EXCEPTION || kind === TraceKind.INTERRUPT_TAKEN);
  if (record?.kind !== TraceKind.EXCEPTION) {
    return `CPU ${end.cpu} met an interrupt that the guest doesn't handle, cycle ${end.cycle}`;
  }
  const pc = Number(record.value);
  const what = exceptionName(expanded.timing.architecture, record.subject, record.value2);
  return `CPU ${end.cpu} met ${what} at ${machine.describe(pc) ?? hex(pc)}, cycle ${record.cycle}; the guest doesn't handle it`;
}

function hex(value: number | undefined): string {
  return `0x${value?.toString(16)}`;
}
