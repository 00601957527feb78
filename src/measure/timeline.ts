// When each CPU passed each phase of a rendezvous, from the trace of its marks.

import { TraceKind } from "../abi.ts";
import type { Machine, ProbeHandle } from "../machine/machine.ts";
import type { TraceRecord } from "../machine/trace-log.ts";
import type { Policy } from "../policies/index.ts";

/** Cycles of one call. NaN: it has not happened. Arrays are indexed by CPU number. */
export interface Timeline {
  call: number;
  return: number;
  /** First interrupt sent to the CPU, and taken by it, on its way in. */
  readonly signalled: Float64Array;
  readonly interrupted: Float64Array;
  /** It left HLT, MWAIT, WFI or WFE on its way in. */
  readonly woken: Float64Array;
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
  readonly further: readonly { readonly probe: ProbeHandle; readonly state: number }[];
  readonly functionStart: ProbeHandle | undefined;
  readonly functionEnd: ProbeHandle | undefined;
  readonly leave: ProbeHandle | undefined;
}

/** Sets the probes that a timeline is made of, and traces interrupts, the ends of waits, and exceptions. */
export function probeRendezvous(machine: Machine, { marks }: Policy): RendezvousProbes {
  machine.traceKinds([TraceKind.INTERRUPT_SENT, TraceKind.INTERRUPT_TAKEN, TraceKind.WAKE, TraceKind.EXCEPTION]);
  const { mark, state } = marks.acknowledge;
  const optional = (place: string | undefined) => (place === undefined ? undefined : machine.probe(place));
  return {
    call: machine.probe(marks.call, { values: [marks.request] }),
    return: machine.probe(marks.return, { values: [marks.request] }),
    enter: machine.probe(marks.enter, { values: marks.caller === undefined ? [] : [marks.caller] }),
    acknowledge: machine.probe(mark, { values: typeof state === "string" ? [state] : [] }),
    further: (marks.further ?? []).map((one) => ({ probe: machine.probe(one.mark), state: one.state })),
    functionStart: optional(marks.functionStart),
    functionEnd: optional(marks.functionEnd),
    leave: optional(marks.leave),
  };
}

function emptyTimeline(cpus: number, states: number, call: number): Timeline {
  const column = (): Float64Array => new Float64Array(cpus).fill(NaN);
  return {
    call,
    return: NaN,
    signalled: column(),
    interrupted: column(),
    woken: column(),
    enter: column(),
    acknowledge: Array.from({ length: states }, column),
    functionStart: column(),
    functionEnd: column(),
    leave: column(),
  };
}

/** Whose calls a timeline is of: several may be under way, and their captured CPUs pass the same marks. */
export interface TimelineOf {
  readonly requester: number;
  readonly targets: readonly number[];
}

const ALL_BUT_LINES = ~(1 << TraceKind.LINE);

/** One timeline per call of a policy, in order; without `of`, no matter whose. */
export function readTimelines(machine: Machine, probes: RendezvousProbes, policy: Policy, of?: TimelineOf): Timeline[] {
  const reader = new TimelineReader(machine, probes, policy, of);
  for (const record of machine.trace.ofKinds(ALL_BUT_LINES)) reader.read(record);
  return reader.timelines;
}

class TimelineReader {
  readonly timelines: Timeline[] = [];
  readonly #cpus: number;
  readonly #policy: Policy;
  readonly #targets: readonly number[];
  /** The block of the CPU that calls: request blocks, stacks and thus what the captured CPUs share lie there. */
  readonly #block: readonly [start: number, end: number];
  /** CPUs that are in this request's rendezvous. */
  readonly #inside = new Set<number>();
  readonly #handlers: ReadonlyMap<number, (record: TraceRecord, current: Timeline | undefined) => void>;

  constructor(machine: Machine, probes: RendezvousProbes, policy: Policy, of: TimelineOf | undefined) {
    this.#cpus = machine.topology.cpus.length;
    this.#policy = policy;
    this.#targets = of?.targets ?? [];
    const { perCpuStart, perCpuStride } = machine.image;
    const caller = policy.request.startsTarget === "calling" ? of?.targets[0] : of?.requester;
    const start = perCpuStart + (caller ?? 0) * perCpuStride;
    this.#block = caller === undefined ? [0, Infinity] : [start, start + perCpuStride];
    this.#handlers = this.#handlersOf(probes);
  }

  #handlersOf(probes: RendezvousProbes): Map<number, (record: TraceRecord, current: Timeline | undefined) => void> {
    const { state } = this.#policy.marks.acknowledge;
    const handlers = new Map<number, (record: TraceRecord, current: Timeline | undefined) => void>([
      [probes.call.number, (record) => this.#call(record)],
      [
        probes.return.number,
        (record, current) => {
          if (current !== undefined && this.#isOurs(record.value)) current.return = record.cycle;
        },
      ],
      [probes.enter.number, (record, current) => this.#enter(record, current)],
      [
        probes.acknowledge.number,
        (record, current) => {
          this.#pass(record, current, typeof state === "number" ? state : Number(record.value & 0xffff_ffffn));
        },
      ],
    ]);
    const within = (probe: ProbeHandle | undefined, read: (record: TraceRecord, current: Timeline) => void): void => {
      if (probe === undefined) return;
      handlers.set(probe.number, (record, current) => {
        if (current !== undefined && this.#inside.has(record.cpu)) read(record, current);
      });
    };
    within(probes.functionStart, ({ cpu, cycle }, { functionStart }) => {
      first(functionStart, cpu, cycle);
    });
    within(probes.functionEnd, ({ cpu, cycle }, { functionEnd }) => {
      first(functionEnd, cpu, cycle);
    });
    within(probes.leave, ({ cpu, cycle }, { leave }) => {
      this.#inside.delete(cpu);
      first(leave, cpu, cycle);
    });
    for (const { probe, state: passed } of probes.further) {
      handlers.set(probe.number, (record, current) => {
        this.#pass(record, current, passed);
      });
    }
    return handlers;
  }

  #isOurs(address: bigint): boolean {
    const [start, end] = this.#block;
    return address >= start && address < end;
  }

  #call({ cycle, value }: TraceRecord): void {
    if (this.#isOurs(value)) this.timelines.push(emptyTimeline(this.#cpus, this.#policy.phases.length, cycle));
  }

  #enter({ cpu, cycle, value }: TraceRecord, current: Timeline | undefined): void {
    const isOurs = this.#policy.marks.caller === undefined || this.#isOurs(value);
    if (current === undefined || !isOurs) return;
    this.#inside.add(cpu);
    first(current.enter, cpu, cycle);
  }

  #pass({ cpu, cycle }: TraceRecord, current: Timeline | undefined, state: number): void {
    const column = current?.acknowledge[state - 1];
    const ofTarget = this.#policy.phases[state - 1]?.by === "target" && this.#targets.includes(cpu);
    const isOpen = current !== undefined && Number.isNaN(current.return);
    if (this.#inside.has(cpu) || (ofTarget && isOpen)) first(column, cpu, cycle);
  }

  read(record: TraceRecord): void {
    const { cycle, cpu, kind, subject, peer } = record;
    const current = this.timelines.at(-1);
    if (kind === TraceKind.PROBE) this.#handlers.get(subject)?.(record, current);
    else if (current === undefined) return;
    else if (kind === TraceKind.INTERRUPT_SENT) firstBefore(current.signalled, current.enter, peer, cycle);
    else if (kind === TraceKind.INTERRUPT_TAKEN) firstBefore(current.interrupted, current.enter, cpu, cycle);
    else if (kind === TraceKind.WAKE) firstBefore(current.woken, current.enter, cpu, cycle);
  }
}

/** Interrupts that come once the CPU has entered belong to something else, such as the requester's wake-up. */
function firstBefore(column: Float64Array, entered: Float64Array, index: number, value: number): void {
  if (Number.isNaN(entered[index])) first(column, index, value);
}

function first(column: Float64Array | undefined, index: number, value: number): void {
  if (column !== undefined && Number.isNaN(column[index])) column[index] = value;
}
