// When each CPU passed each phase of a rendezvous, from the trace of its marks.

import { TraceKind } from "../abi.ts";
import type { Machine, ProbeHandle } from "../machine/machine.ts";
import type { Policy } from "../policies/index.ts";

/** Cycles of one call. NaN: it has not happened. Arrays are indexed by CPU number. */
export interface Timeline {
  call: number;
  return: number;
  /** First interrupt sent to the CPU, and taken by it, on its way in. */
  readonly signalled: Float64Array;
  readonly interrupted: Float64Array;
  readonly enter: Float64Array;
  /** By state: entry 0 for the first. */
  readonly acknowledge: readonly Float64Array[];
  readonly functionStart: Float64Array;
  readonly functionEnd: Float64Array;
  readonly leave: Float64Array;
}

export interface RendezvousProbes {
  readonly call: ProbeHandle;
  readonly return: ProbeHandle;
  readonly enter: ProbeHandle;
  readonly acknowledge: ProbeHandle;
  readonly functionStart: ProbeHandle;
  readonly functionEnd: ProbeHandle;
  readonly leave: ProbeHandle;
}

/** Sets the probes that a timeline is made of, and traces interrupts sent and taken. */
export function probeRendezvous(machine: Machine, { marks }: Policy): RendezvousProbes {
  machine.traceKinds([TraceKind.INTERRUPT_SENT, TraceKind.INTERRUPT_TAKEN]);
  return {
    call: machine.probe(marks.call),
    return: machine.probe(marks.return),
    enter: machine.probe(marks.enter),
    acknowledge: machine.probe(marks.acknowledge.mark, { values: [marks.acknowledge.state] }),
    functionStart: machine.probe(marks.functionStart),
    functionEnd: machine.probe(marks.functionEnd),
    leave: machine.probe(marks.leave),
  };
}

function emptyTimeline(cpus: number, states: number, call: number): Timeline {
  const column = (): Float64Array => new Float64Array(cpus).fill(NaN);
  return {
    call,
    return: NaN,
    signalled: column(),
    interrupted: column(),
    enter: column(),
    acknowledge: Array.from({ length: states }, column),
    functionStart: column(),
    functionEnd: column(),
    leave: column(),
  };
}

/** One timeline per call, in order. */
export function readTimelines(machine: Machine, probes: RendezvousProbes, policy: Policy): Timeline[] {
  const cpus = machine.topology.cpus.length;
  const timelines: Timeline[] = [];
  for (const { cycle, cpu, kind, subject, peer, value } of machine.trace) {
    const current = timelines.at(-1);
    if (kind === TraceKind.PROBE) {
      if (subject === probes.call.number) timelines.push(emptyTimeline(cpus, policy.phases.length, cycle));
      else if (current !== undefined) notePassing(current, probes, subject, cpu, cycle, Number(value & 0xffff_ffffn));
    } else if (current !== undefined) {
      if (kind === TraceKind.INTERRUPT_SENT) firstBefore(current.signalled, current.enter, peer, cycle);
      else if (kind === TraceKind.INTERRUPT_TAKEN) firstBefore(current.interrupted, current.enter, cpu, cycle);
    }
  }
  return timelines;
}

function notePassing(
  timeline: Timeline,
  probes: RendezvousProbes,
  probe: number,
  cpu: number,
  cycle: number,
  state: number,
): void {
  switch (probe) {
    case probes.return.number:
      timeline.return = cycle;
      break;
    case probes.enter.number:
      first(timeline.enter, cpu, cycle);
      break;
    case probes.acknowledge.number: {
      const column = timeline.acknowledge[state - 1];
      if (column !== undefined) first(column, cpu, cycle);
      break;
    }
    case probes.functionStart.number:
      first(timeline.functionStart, cpu, cycle);
      break;
    case probes.functionEnd.number:
      first(timeline.functionEnd, cpu, cycle);
      break;
    case probes.leave.number:
      first(timeline.leave, cpu, cycle);
      break;
    default:
      break;
  }
}

/** Interrupts that come once the CPU has entered belong to something else, such as the requester's wake-up. */
function firstBefore(column: Float64Array, entered: Float64Array, index: number, value: number): void {
  if (Number.isNaN(entered[index])) first(column, index, value);
}

function first(column: Float64Array, index: number, value: number): void {
  if (Number.isNaN(column[index])) column[index] = value;
}
