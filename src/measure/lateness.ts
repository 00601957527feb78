// Why each CPU of a call stopped as late as it did: the time from the call to its stop, divided among causes without a rest.
//
// A CPU's way has three parts. Until its signal has come, only the sender and the message's way count, whatever the CPU does. From
// then until it has arrived, its own state counts. Behind that it spins until the last of the others has arrived, and the news of that
// reaches it. Over each part lies what happens to the CPU meanwhile: time that is stolen, lines that it waits for.

import { ArrivalFlag, LINE_BYTES } from "../abi.ts";
import type { Machine } from "../machine/machine.ts";
import type { Policy } from "../policies/index.ts";
import { CallRecords, isOf, maskedBy, type Arrival, type CpuRecords } from "./call-records.ts";
import type { LineWaits } from "./lines.ts";
import type { History } from "./observations.ts";
import { Span, layOver, sumParts, type Cause, type Part, type Stretch } from "./partition.ts";
import { latest } from "./statistics.ts";
import type { Timeline } from "./timeline.ts";

/** One CPU's way from a call to its stop. Cycles; NaN: it has not happened. */
export interface Lateness {
  readonly cpu: number;
  /** The call, and the CPU's stop: its acknowledgement of the state in which it stands still. Without one, the end of the run. */
  readonly from: number;
  readonly until: number;
  readonly isStopped: boolean;
  /** Its signal was sent, reached it, and was taken. For one that polls or watches: the store, and what it woke. */
  readonly signalled: number;
  readonly delivered: number;
  readonly taken: number;
  /** From the call to the stop, without a gap. */
  readonly stretches: readonly Stretch[];
  /** The same by cause, the greatest first: the cycles sum to `until - from`, exactly. */
  readonly parts: readonly Part[];
}

/** What a lateness is computed from. */
export interface LatenessInput {
  readonly machine: Machine;
  readonly history: History;
  readonly policy: Policy;
  readonly timeline: Timeline;
  /** Whose call it is. */
  readonly caller: number;
  /** CPUs that it is to stop. */
  readonly captured: readonly number[];
  /** Of a run that has measured lines. */
  readonly waits?: LineWaits;
}

/** What concerns the CPU itself. What happens to it before its signal has come, or while it spins for others, makes nobody later. */
const OWN: ReadonlySet<Cause> = new Set<Cause>(["irqs-off", "nmi-blocked", "idle-exit", "kernel"]);
/** Where a CPU executes what it is there for. */
const EXECUTES: ReadonlySet<Cause> = new Set<Cause>(["kernel", "idle-exit"]);
/** For the caller, signalling others is what it executes. */
const CALLER_OWN: ReadonlySet<Cause> = new Set<Cause>([...OWN, "sender"]);
const CALLER_EXECUTES: ReadonlySet<Cause> = new Set<Cause>([...EXECUTES, "sender"]);
/** What gives way to time that is stolen. */
const STOLEN_FROM: ReadonlySet<Cause> = new Set<Cause>([...OWN, "line"]);
const STOLEN_FROM_CALLER: ReadonlySet<Cause> = new Set<Cause>([...CALLER_OWN, "line"]);

/** In the order of `captured`. O(n log n) in the number of records. */
export function measureLateness(input: LatenessInput): Lateness[] {
  const { machine, history, policy, timeline, captured } = input;
  const stops = timeline.acknowledge[policy.stoppedState - 1];
  const isOver = captured.every((cpu) => !Number.isNaN(stops?.[cpu] ?? NaN));
  const end = isOver && stops !== undefined ? (latest(stops)?.value ?? timeline.call) : machine.cycle;
  const records = new CallRecords(history, timeline.call, end);
  const ways = new Ways(input, records, end);
  return captured.map((cpu) => ways.of(cpu));
}

class Ways {
  readonly #input: LatenessInput;
  readonly #records: CallRecords;
  readonly #end: number;
  /** By state: when the first CPU acknowledged it, and so knew that all others had acknowledged the one before. */
  readonly #first: readonly number[];
  /** By state: who was the last to acknowledge it, and moves on to the next; -1 before all have. */
  readonly #last: readonly number[];

  constructor(input: LatenessInput, records: CallRecords, end: number) {
    const { policy, timeline, captured } = input;
    this.#input = input;
    this.#records = records;
    this.#end = end;
    const columns = timeline.acknowledge.slice(0, policy.stoppedState);
    this.#first = columns.map((column) =>
      captured.reduce((first, cpu) => Math.min(first, orInfinite(column[cpu])), Infinity),
    );
    this.#last = columns.map((column) =>
      captured.some((cpu) => Number.isNaN(column[cpu])) ? -1 : (latest(column)?.index ?? -1),
    );
  }

  of(cpu: number): Lateness {
    const { timeline, policy, caller, waits } = this.#input;
    const records = this.#records.of(cpu);
    const stop = timeline.acknowledge[policy.stoppedState - 1]?.[cpu] ?? NaN;
    const isStopped = !Number.isNaN(stop);
    const until = Math.max(timeline.call, isStopped ? stop : this.#end);
    const span = new Span(timeline.call, until);
    const marks = this.#wayIn(cpu, records, span, until);
    this.#wait(cpu, span, until);
    span.goOn("kernel", until);
    const isCaller = cpu === caller;
    const stolen = records.stolen.toSorted((one, other) => one.from - other.from);
    const lines = waits?.of(cpu) ?? [];
    const executing = layOver(span.stretches, lines, isCaller ? CALLER_EXECUTES : EXECUTES);
    const stretches = layOver(executing, stolen, isCaller ? STOLEN_FROM_CALLER : STOLEN_FROM);
    return { cpu, from: timeline.call, until, isStopped, ...marks, stretches, parts: sumParts(stretches, LINE_BYTES) };
  }

  /** Until the CPU has entered the rendezvous. */
  #wayIn(
    cpu: number,
    records: CpuRecords,
    span: Span,
    until: number,
  ): Pick<Lateness, "signalled" | "delivered" | "taken"> {
    const { timeline, caller } = this.#input;
    const entered = Math.min(orInfinite(timeline.enter[cpu]), until);
    const unsignalled = { signalled: NaN, delivered: NaN, taken: NaN };
    if (cpu === caller) {
      const last = records.signals.reduce((latest, cycle) => (cycle <= entered ? Math.max(latest, cycle) : latest), 0);
      span.goOn("sender", last);
      span.goOn("kernel", this.#firstState(cpu, until));
      return unsignalled;
    }
    const told = records.told.find((cycle) => cycle <= entered) ?? NaN;
    const sent = records.sent.find(({ cycle }) => cycle <= entered);
    const messages = new Messages(this.#input.machine, records, sent?.cycle ?? NaN, entered);
    const [arrival] = messages.arrived;
    const isSeen = arrival === undefined && records.lost.length === 0 && !Number.isNaN(told) && entered < until;
    if (sent === undefined || isSeen) {
      // A store alone tells it, or comes before the interrupt.
      if (Number.isNaN(told)) span.goOn(entered < until ? "kernel" : "sender", entered);
      const delivered = this.#seeStore(told, records, span, entered);
      span.goOn("kernel", this.#firstState(cpu, until));
      return { signalled: told, delivered, taken: NaN };
    }
    span.goOn("sender", sent.cycle);
    for (const { cycle } of records.lost.filter((one) => one.cycle <= entered)) {
      if (arrival !== undefined && cycle > arrival.cycle) continue;
      span.goOn("message", cycle);
      span.goOn("lost", arrival?.cycle ?? entered);
    }
    span.goOn("message", arrival?.cycle ?? entered);
    const taken = messages.taken();
    if (arrival !== undefined) this.#holdOff(arrival, records, span, Math.min(orInfinite(taken), entered));
    span.goOn("kernel", this.#firstState(cpu, until));
    return { signalled: sent.cycle, delivered: arrival?.cycle ?? NaN, taken };
  }

  /** A CPU that polls sees the store by itself; one that watches is woken. @returns when */
  #seeStore(told: number, { woken }: CpuRecords, span: Span, entered: number): number {
    if (Number.isNaN(told)) return NaN;
    span.goOn("sender", told);
    const wake = woken.find(({ cycle }) => cycle >= told && cycle <= entered);
    if (wake === undefined) return told;
    span.goOn("message", wake.cycle);
    span.goOn("idle-exit", wake.executes);
    return wake.cycle;
  }

  /** From a message's arrival until it, or another that was sent, is taken. */
  #holdOff(arrival: Arrival, { woken }: CpuRecords, span: Span, until: number): void {
    const wake = woken.find(({ cycle }) => cycle >= arrival.cycle && cycle <= until);
    const isTakeable = (arrival.flags & ArrivalFlag.TAKEABLE) !== 0;
    // At the next boundary, or what keeps it away.
    const held = isTakeable ? "kernel" : maskedBy(this.#input.machine, arrival);
    if (wake === undefined) {
      span.goOn(held, until);
      return;
    }
    span.goOn(held, wake.cycle);
    span.goOn("idle-exit", until);
  }

  /** When the CPU has acknowledged the first state. */
  #firstState(cpu: number, until: number): number {
    return Math.min(orInfinite(this.#input.timeline.acknowledge[0]?.[cpu]), until);
  }

  /** Behind the first state: for others, until the last of them has moved on to the next; then the news has to come here. */
  #wait(cpu: number, span: Span, until: number): void {
    const { timeline, policy } = this.#input;
    for (let state = 1; state < policy.stoppedState; state++) {
      const own = timeline.acknowledge[state - 1]?.[cpu] ?? NaN;
      if (Number.isNaN(own)) return;
      if (this.#last[state - 1] !== cpu) span.goOn("others", this.#first[state] ?? Infinity);
      span.goOn("kernel", Math.min(orInfinite(timeline.acknowledge[state]?.[cpu]), until));
    }
  }
}

/** The messages of a call on their way to a CPU. */
class Messages {
  readonly arrived: readonly Arrival[];
  readonly #machine: Machine;
  readonly #records: CpuRecords;
  readonly #until: number;

  constructor(machine: Machine, records: CpuRecords, from: number, until: number) {
    const { sent, arrived } = records;
    this.#machine = machine;
    this.#records = records;
    this.#until = until;
    const isOurs = (subject: number): boolean => sent.some((one) => one.subject === subject);
    this.arrived = arrived.filter(({ cycle, subject }) => cycle >= from && cycle <= until && isOurs(subject));
  }

  /** When the first of them was taken, or NaN. */
  taken(): number {
    const { architecture } = this.#machine.image;
    const first = this.#records.taken.find(
      (taken) =>
        taken.cycle <= this.#until &&
        this.arrived.some((arrival) => arrival.cycle <= taken.cycle && isOf(architecture, taken, arrival)),
    );
    return first?.cycle ?? NaN;
  }
}

function orInfinite(cycle: number | undefined): number {
  return cycle === undefined || Number.isNaN(cycle) ? Infinity : cycle;
}

/** What a CPU does that is late because of others. */
const VICTIMS: ReadonlySet<Cause> = new Set<Cause>(["sender", "others"]);
/** What it does that may be because of others: it may spin for a lock there. */
const SUSPECTS: ReadonlySet<Cause> = new Set<Cause>(["kernel", "line"]);

/**
 * Of CPUs that have not arrived, those that keep everybody waiting: by what they were doing last. Those that nobody has signalled yet wait for
 * the sender, and those that spin wait for somebody. Whoever is on its own way through the kernel is to blame if nobody else is.
 */
export function culpritsAmong(missing: readonly Lateness[]): ReadonlySet<number> {
  const last = missing.map(({ cpu, stretches }) => ({ cpu, cause: stretches.at(-1)?.cause }));
  const plain = last.filter(({ cause }) => cause !== undefined && !VICTIMS.has(cause) && !SUSPECTS.has(cause));
  const suspects = last.filter(({ cause }) => cause !== undefined && SUSPECTS.has(cause));
  return new Set((plain.length > 0 ? plain : suspects).map(({ cpu }) => cpu));
}
