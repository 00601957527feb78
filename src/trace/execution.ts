// What each CPU runs, from the core's records and the guest's marks: tasks, interrupts, waits, and the messages between CPUs.

import { DeliveryMode, TraceKind, WaitKind, X86Vector } from "../abi.ts";
import type { ObservedEvent } from "../guest/observe.ts";
import type { Machine } from "../machine/machine.ts";
import type { TraceRecord } from "../machine/trace-log.ts";
import { exceptionName } from "../report/exception-name.ts";
import type { ExpandedScenario } from "../scenario/expand.ts";
import type { Category, Details, Emit, KernelEvent, Task } from "./event.ts";
import { handlerEvents, interruptName, interruptOf, sendEvents, type InterruptId } from "./interrupt-names.ts";
import { MessagesUnderWay } from "./messages.ts";
import type { KernelPoint, Passed } from "./probes.ts";
import { ExecutionSlices } from "./slices.ts";
import { taskReader } from "./tasks.ts";

/** arm64: what the core says of an interrupt that EL3 takes: the dispatch of an SDEI event. */
const TAKEN_BY_EL3 = 32;
/** What cpu_idle says of a CPU that leaves idle: (u32)-1. */
const IDLE_EXIT = 0xffff_ffff;
/** cpu_idle's number of WFI, and of HLT and MWAIT with the hint of C1: cpuidle's state 0 on x86 is to poll. */
const IDLE_STATES: Partial<Record<WaitKind, number>> = { [WaitKind.WFI]: 0, [WaitKind.HLT]: 1, [WaitKind.MWAIT]: 1 };

/** Events that begin a slice, with the event that ends it. */
const SLICE_ENDS: Partial<Record<ObservedEvent, ObservedEvent>> = {
  function_start: "function_end",
  work_start: "work_end",
  hold_start: "hold_end",
  update_start: "update_end",
  wait: "waited",
};
const SLICE_BEGINS = new Map(Object.entries(SLICE_ENDS).map(([begin, end]) => [end, begin as ObservedEvent]));
const SLICE_NAMES: Partial<Record<ObservedEvent, string>> = {
  function_start: "function",
  work_start: "work",
  hold_start: "hold",
  update_start: "microcode update",
  wait: "wait",
  park: "parked",
};
/** Events of the life of memory, which oracles want and nobody looks at. */
const UNSHOWN = new Set<ObservedEvent>(["alive", "dead", "access"]);

export class Execution {
  readonly #machine: Machine;
  readonly #expanded: ExpandedScenario;
  readonly #emit: Emit;
  readonly #cpus: readonly ExecutionSlices[];
  /** Open slices of the `calls` tracks: what they are of, and their names. */
  readonly #calls: (readonly [kind: "request" | "call", name: string])[][];
  readonly #taskAt: (address: bigint) => Task | undefined;
  readonly #messages = new MessagesUnderWay();
  /** Messages of one instruction, in the order of their targets. */
  #sent: TraceRecord[] = [];
  /** Ends of time that CPUs lose. */
  readonly #suspendedUntil = new Map<number, number>();
  /** CPUs that are about to switch because they are preempted. */
  readonly #preempted = new Set<number>();
  /** The event that firmware dispatches on each CPU. */
  readonly #sdeiEvents = new Map<number, number>();
  readonly #nmiSince = new Map<number, number>();

  constructor(machine: Machine, expanded: ExpandedScenario, emit: Emit) {
    this.#machine = machine;
    this.#expanded = expanded;
    this.#emit = emit;
    const { cpus } = machine.topology;
    this.#cpus = cpus.map(({ number }) => new ExecutionSlices(number, emit));
    this.#calls = cpus.map(() => []);
    this.#taskAt = taskReader(machine.image);
  }

  read(record: TraceRecord, passed: readonly Passed[]): void {
    this.#flushSent(record);
    this.#endSuspensions(record.cycle);
    if (record.kind === TraceKind.PROBE) {
      for (const { meaning, values } of passed) {
        if (meaning.kind === "kernel") this.#point(meaning.point, record, values);
        else if (meaning.kind === "event") this.#event(meaning, record, values);
      }
    } else this.#records[record.kind]?.(record);
  }

  /** There are no further records. */
  end(cycle: number): void {
    this.#flushSent();
    this.#endSuspensions(cycle);
  }

  // --- what the core records ---------------------------------------------------------------------------------------------------

  readonly #records: Partial<Record<TraceKind, (record: TraceRecord) => void>> = {
    [TraceKind.INTERRUPT_SENT]: (record) => void this.#sent.push(record),
    [TraceKind.INTERRUPT_ARRIVED]: ({ cycle, cpu, subject }) => {
      const id = interruptOf(subject);
      const flow = this.#messages.arrive(cpu, keyOf(id), cycle);
      this.#instant(cycle, cpu, `${this.#nameOf(id)} arrives`, {
        category: "interrupt",
        ...(flow === undefined ? {} : { flows: [flow] }),
      });
    },
    [TraceKind.INTERRUPT_LOST]: ({ cycle, cpu, subject }) => {
      const id = interruptOf(subject);
      const flow = this.#messages.lose(cpu, keyOf(id), cycle);
      this.#instant(cycle, cpu, `${this.#nameOf(id)} lost`, {
        category: "fault",
        ...(flow === undefined ? {} : { endingFlows: [flow] }),
      });
    },
    [TraceKind.INTERRUPT_TAKEN]: (record) => {
      this.#taken(record);
    },
    [TraceKind.EXCEPTION]: ({ cycle, cpu, subject, value, value2 }) => {
      this.#instant(cycle, cpu, exceptionName(this.#architecture, subject, value2), {
        category: "fault",
        values: { pc: this.#place(value) },
      });
    },
    [TraceKind.WAIT]: ({ cycle, cpu, subject }) => {
      this.#wait(cycle, cpu, subject);
    },
    [TraceKind.WAKE]: ({ cycle, cpu, subject }) => {
      const name = WaitKind[subject];
      this.#cpus[cpu]?.end(cycle, (slice) => slice.category === "wait" && slice.name === name);
    },
    [TraceKind.CPU_STARTED]: ({ cycle, cpu }) => {
      this.#cpus[cpu]?.abandon(cycle);
      this.#cpus[cpu]?.run(cycle);
    },
    [TraceKind.INIT_TAKEN]: ({ cycle, cpu }) => {
      this.#cpus[cpu]?.abandon(cycle);
      const endingFlows = this.#messages.take(cpu, keyOf({ number: 0, mode: DeliveryMode.INIT }));
      this.#instant(cycle, cpu, "INIT", { category: "fault", endingFlows });
    },
    [TraceKind.SHUTDOWN]: ({ cycle, cpu }) => {
      this.#instant(cycle, cpu, "shutdown", { category: "fault" });
    },
    [TraceKind.SMM_ENTERED]: ({ cycle, cpu }) => {
      this.#emit({ type: "begin", cycle, cpu, track: "stolen", name: "SMM", category: "fault" });
    },
    [TraceKind.SMM_LEFT]: ({ cycle, cpu }) => {
      this.#emit({ type: "end", cycle, cpu, track: "stolen", name: "SMM" });
    },
    [TraceKind.SUSPENDED]: ({ cycle, cpu, value }) => {
      if (!this.#suspendedUntil.has(cpu))
        this.#emit({ type: "begin", cycle, cpu, track: "stolen", name: "descheduled", category: "fault" });
      this.#suspendedUntil.set(cpu, Number(value));
    },
  };

  get #architecture(): "x86-64" | "arm64" {
    return this.#machine.timing.architecture;
  }

  #nameOf(id: InterruptId): string {
    return interruptName(this.#architecture, id);
  }

  #place(address: bigint): string {
    return this.#machine.describe(Number(address)) ?? `0x${address.toString(16)}`;
  }

  #instant(cycle: number, cpu: number, name: string, details: Details, kernel?: readonly KernelEvent[]): void {
    const what = { type: "instant", cycle, cpu, track: "execution", name, ...details } as const;
    this.#emit(kernel === undefined ? what : { ...what, kernel });
  }

  /** What one instruction sends has one cycle: the kernel tells of it once, the trace of each message. */
  #flushSent(next?: TraceRecord): void {
    const [first] = this.#sent;
    if (first === undefined) return;
    const { kind, cycle, cpu, subject } = next ?? {};
    const goesOn = cycle === first.cycle && cpu === first.cpu && subject === first.subject;
    if (kind === TraceKind.INTERRUPT_SENT && goesOn) return;
    const id = interruptOf(first.subject);
    const targets = this.#sent.map(({ peer }) => peer);
    const kernel = sendEvents(this.#architecture, id, targets, this.#cpus.length);
    this.#cpus[first.cpu]?.run(first.cycle);
    for (const [index, { peer, value }] of this.#sent.entries()) {
      const flow = this.#messages.send(peer, keyOf(id), Number(value));
      const details = { category: categoryOf(id), values: { to: peer }, flows: [flow] };
      const said = kernel === undefined || index === 0 ? kernel : [];
      this.#instant(first.cycle, first.cpu, `send ${this.#nameOf(id)}`, details, said);
    }
    this.#sent = [];
  }

  #endSuspensions(cycle: number): void {
    if (this.#suspendedUntil.size === 0) return;
    const due = [...this.#suspendedUntil].filter(([, until]) => until <= cycle).sort(([, a], [, b]) => a - b);
    for (const [cpu, until] of due) {
      this.#suspendedUntil.delete(cpu);
      this.#emit({ type: "end", cycle: until, cpu, track: "stolen", name: "descheduled" });
    }
  }

  #wait(cycle: number, cpu: number, kind: WaitKind): void {
    const slices = this.#cpus[cpu];
    const slice = { name: WaitKind[kind], category: "wait" } as const;
    const state = IDLE_STATES[kind];
    slices?.run(cycle);
    if (slices?.isIdle !== true || state === undefined) slices?.begin(cycle, slice);
    else {
      const idle = (number: number): KernelEvent[] => [{ name: "cpu_idle", text: `state=${number} cpu_id=${cpu}` }];
      slices.begin(cycle, { ...slice, kernel: idle(state), kernelAtEnd: idle(IDLE_EXIT) });
    }
  }

  // --- interrupts --------------------------------------------------------------------------------------------------------------

  /** x86-64: the vector is known. arm64: the handler is about to ask for the INTID, and begins its slice. */
  #taken({ cycle, cpu, subject, peer, value }: TraceRecord): void {
    if (this.#architecture === "arm64") {
      if (subject === TAKEN_BY_EL3) this.#sdeiEvents.set(cpu, peer);
      return;
    }
    const isNmi = subject === X86Vector.NMI.valueOf();
    const id = { number: subject, mode: isNmi ? DeliveryMode.NMI : DeliveryMode.FIXED };
    if (isNmi) this.#nmiSince.set(cpu, cycle);
    this.#handler(cycle, cpu, id, isNmi ? "nmi" : "interrupt", { pc: this.#place(value) });
  }

  #handler(cycle: number, cpu: number, id: InterruptId, category: Category, values: Details["values"] = {}): void {
    const events = category === "nmi" ? undefined : handlerEvents(this.#architecture, id);
    this.#cpus[cpu]?.begin(cycle, {
      name: this.#nameOf(id),
      category,
      values,
      endingFlows: this.#messages.take(cpu, keyOf(id)),
      ...(events === undefined ? {} : { kernel: [events.entry], kernelAtEnd: [events.exit] }),
    });
  }

  #nmiEnter(cycle: number, cpu: number, id: bigint | undefined): void {
    if (this.#architecture === "x86-64") return;
    this.#nmiSince.set(cpu, cycle);
    const event = this.#sdeiEvents.get(cpu);
    this.#sdeiEvents.delete(cpu);
    if (event === undefined) this.#handler(cycle, cpu, { number: Number(id ?? 0n), mode: 0 }, "nmi");
    else {
      const endingFlows = this.#messages.take(cpu, SDEI_KEY);
      this.#cpus[cpu]?.begin(cycle, { name: `SDEI event ${event}`, category: "nmi", endingFlows });
    }
  }

  // --- marks where the kernel has tracepoints ----------------------------------------------------------------------------------

  #point(point: KernelPoint, { cycle, cpu }: TraceRecord, [first, second]: readonly bigint[]): void {
    const slices = this.#cpus[cpu];
    switch (point) {
      case "irq_entry":
        if (this.#architecture === "arm64" && first !== undefined)
          this.#handler(cycle, cpu, { number: Number(first & 0xffff_ffffn), mode: 0 }, "interrupt");
        break;
      case "irq_exit":
        slices?.end(cycle, ({ category }) => category === "interrupt");
        break;
      case "preempt":
        this.#preempted.add(cpu);
        break;
      case "sched_waking": {
        const task = this.#taskAt(first ?? 0n);
        if (task !== undefined) this.#waking(cycle, cpu, task);
        break;
      }
      case "sched_switch": {
        const prev = this.#taskAt(first ?? 0n);
        const next = this.#taskAt(second ?? 0n);
        if (prev !== undefined && next !== undefined) this.#switch(cycle, cpu, prev, next);
        break;
      }
    }
  }

  #waking(cycle: number, cpu: number, task: Task): void {
    const { comm, pid, prio } = task;
    const target = /\d+$/.exec(comm)?.[0] ?? "0";
    const text = `comm=${comm} pid=${pid} prio=${prio} target_cpu=${target.padStart(3, "0")}`;
    this.#instant(cycle, cpu, `wake ${comm}`, { category: "task" }, [{ name: "sched_waking", text }]);
  }

  /** A stopper thread that gives its CPU away sleeps interruptibly; a task waits for the end of a call. */
  #switch(cycle: number, cpu: number, prev: Task, next: Task): void {
    const isPreempted = this.#preempted.delete(cpu);
    const asleep = prev.pid === 0 ? "R" : prev.prio === 0 ? "S" : "D";
    const state = isPreempted ? (prev.pid === 0 ? "R" : "R+") : asleep;
    const from = `prev_comm=${prev.comm} prev_pid=${prev.pid} prev_prio=${prev.prio} prev_state=${state}`;
    const text = `${from} ==> next_comm=${next.comm} next_pid=${next.pid} next_prio=${next.prio}`;
    this.#cpus[cpu]?.switchTo(cycle, prev, next, [{ name: "sched_switch", text }]);
  }

  // --- events of the guest -----------------------------------------------------------------------------------------------------

  #event(
    {
      event,
      which,
      mark,
    }: { readonly event: ObservedEvent; readonly which: string | undefined; readonly mark: string },
    { cycle, cpu }: TraceRecord,
    values: readonly bigint[],
  ): void {
    if (UNSHOWN.has(event)) return;
    const slices = this.#cpus[cpu];
    slices?.run(cycle);
    const begun = SLICE_BEGINS.get(event);
    if (event === "request" || event === "call") this.#beginCall(cycle, cpu, event);
    else if (event === "answer" || event === "return")
      this.#endCall(cycle, cpu, event === "answer" ? "request" : "call");
    else if (event === "nmi_enter") this.#nmiEnter(cycle, cpu, values[0]);
    else if (event === "nmi_leave") slices?.end(cycle, ({ category }) => category === "nmi");
    else if (begun !== undefined) slices?.end(cycle, ({ name }) => name === labelOf(begun, which));
    else if (event === "park" || SLICE_ENDS[event] !== undefined) {
      const limit = event === "wait" ? { limit: Number(BigInt.asUintN(32, values[0] ?? 0n)) } : {};
      slices?.begin(cycle, {
        name: labelOf(event, which),
        category: event === "wait" ? "wait" : "event",
        values: limit,
      });
    } else this.#tell(cycle, cpu, { event, which, mark }, values[0]);
  }

  /** An event without a duration. */
  #tell(
    cycle: number,
    cpu: number,
    {
      event,
      which,
      mark,
    }: { readonly event: ObservedEvent; readonly which: string | undefined; readonly mark: string },
    value: bigint | undefined,
  ): void {
    const name = event === "say" ? `say ${which ?? ""}` : which === undefined ? event : `${event} ${which}`;
    const values = value === undefined ? {} : { value: signed(value) };
    const category = event === "handle" || event === "raise" || event === "broadcast" ? "nmi" : "event";
    if (event === "raise" && which === "sdei" && value !== undefined) {
      const target = Number(value);
      const flow = this.#messages.send(target, SDEI_KEY, cycle);
      // Firmware signals it itself: when it arrives there, nobody sees.
      this.#messages.arrive(target, SDEI_KEY, cycle);
      this.#instant(cycle, cpu, name, { category, values: { to: target }, flows: [flow] });
    } else if (event === "handle") {
      const since = this.#nmiSince.get(cpu) ?? cycle;
      const delta = this.#nsOf(cycle - since);
      const handler = mark.slice(0, mark.indexOf(":"));
      const text = `${handler}() delta_ns: ${delta} handled: 1`;
      this.#instant(cycle, cpu, name, { category, values }, [{ name: "nmi_handler", text }]);
    } else this.#instant(cycle, cpu, name, { category, values });
  }

  #nsOf(cycles: number): number {
    return Math.round((cycles * 1000) / this.#machine.timing.clockMhz.value);
  }

  #beginCall(cycle: number, cpu: number, kind: "request" | "call"): void {
    const request = this.#expanded.requests.find(({ requester }) => requester === cpu);
    const name = kind === "request" ? `request ${request?.policy.name ?? ""}`.trim() : "stop path";
    this.#calls[cpu]?.push([kind, name]);
    this.#emit({ type: "begin", cycle, cpu, track: "calls", name, category: "call" });
  }

  #endCall(cycle: number, cpu: number, kind: "request" | "call"): void {
    const open = this.#calls[cpu] ?? [];
    const left = open.findLastIndex(([one]) => one === kind);
    while (left >= 0 && open.length > left) {
      const name = open.pop()?.[1] ?? "";
      this.#emit({ type: "end", cycle, cpu, track: "calls", name });
    }
  }
}

const SDEI_KEY = "SDEI";

/** NMIs of any vector are one; so are interrupts of a vector, however they are addressed. */
function keyOf({ number, mode }: InterruptId): string {
  const isInterrupt = mode === DeliveryMode.FIXED.valueOf() || mode === DeliveryMode.LOWEST_PRIORITY.valueOf();
  return isInterrupt ? String(number) : `mode ${mode}`;
}

function categoryOf({ mode }: InterruptId): Category {
  return mode === DeliveryMode.NMI.valueOf() ? "nmi" : "interrupt";
}

function labelOf(event: ObservedEvent, which: string | undefined): string {
  const name = SLICE_NAMES[event] ?? event;
  return which === undefined ? name : `${name} ${which}`;
}

function signed(value: bigint): number {
  return Number(BigInt.asIntN(64, value));
}
