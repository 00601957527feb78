// What happens to CPUs, in the order of time: marks that they come by, interrupts, exceptions, waits, lines of memory.

import { LineEvent, TraceKind, WaitKind, X86Vector } from "../abi.ts";
import type { Machine } from "../machine/machine.ts";
import type { TraceRecord } from "../machine/trace-log.ts";
import { ObjectNames, objectText } from "../measure/object-names.ts";
import { interruptName, interruptOf } from "../trace/interrupt-names.ts";
import { coreEventKinds } from "../trace/probes.ts";

/** What can happen on a step. */
export type StepEventKind =
  "mark" | "sent" | "arrived" | "taken" | "lost" | "exception" | "wait" | "wake" | "started" | "stolen" | "line";

/** Something that happened on a step. */
export interface StepEvent {
  readonly cycle: number;
  readonly cpu: number;
  readonly kind: StepEventKind;
  /** What happened, without when and where. */
  readonly text: string;
  /** Of marks: the place as it was named. */
  readonly place?: string;
}

/** Watches a machine: all marks of its image, other places by name, and what the core itself tells of. */
export class EventReader {
  readonly #machine: Machine;
  readonly #names: ObjectNames;
  /** By probe. */
  readonly #places = new Map<number, string[]>();

  /**
   * @param places further symbols, marks or addresses, as they are to be called
   * @throws NAME_UNKNOWN, CAPACITY_EXCEEDED
   */
  constructor(
    machine: Machine,
    options: { readonly places?: readonly (string | number)[]; readonly lines?: boolean } = {},
  ) {
    this.#machine = machine;
    this.#names = new ObjectNames(machine.image);
    machine.trace.clear();
    machine.traceKinds(options.lines ? [...coreEventKinds, TraceKind.LINE] : coreEventKinds);
    const places = new Set([...machine.image.marks.map(({ name }) => name), ...(options.places ?? [])]);
    for (const place of places) {
      const { number } = machine.probe(place, { join: true });
      this.#places.set(number, [...(this.#places.get(number) ?? []), String(place)]);
    }
  }

  /** What has happened since the last call, in the order of (cycle, CPU). */
  take(): StepEvent[] {
    const events: StepEvent[] = [];
    for (const record of this.#machine.trace) {
      const { cycle, cpu, kind } = record;
      if (kind === TraceKind.PROBE) {
        for (const place of this.#places.get(record.subject) ?? []) {
          events.push({ cycle, cpu, kind: "mark", text: place, place });
        }
        continue;
      }
      const told = this.#tell(record);
      if (told !== undefined) events.push({ cycle, cpu, ...told });
    }
    this.#machine.trace.clear();
    return events;
  }

  #tell(record: TraceRecord): Pick<StepEvent, "kind" | "text"> | undefined {
    const { subject, peer, value } = record;
    switch (record.kind) {
      case TraceKind.INTERRUPT_SENT:
        return { kind: "sent", text: `sends ${this.#interrupt(subject)} to CPU ${peer}` };
      case TraceKind.INTERRUPT_ARRIVED:
        return { kind: "arrived", text: `${this.#interrupt(subject)} arrives` };
      case TraceKind.INTERRUPT_TAKEN:
        return { kind: "taken", text: `takes ${this.#taken(subject, peer)}` };
      case TraceKind.INTERRUPT_LOST:
        return { kind: "lost", text: `${this.#interrupt(subject)} is lost` };
      case TraceKind.EXCEPTION:
        return { kind: "exception", text: `takes ${this.#exception(subject)}` };
      case TraceKind.WAIT:
        return { kind: "wait", text: `begins to wait in ${WaitKind[subject] ?? "a wait"}` };
      case TraceKind.WAKE:
        return { kind: "wake", text: `ends its wait, executes from cycle ${value}` };
      case TraceKind.CPU_STARTED:
        return { kind: "started", text: "starts" };
      case TraceKind.SMM_ENTERED:
        return { kind: "stolen", text: `is in system-management mode until cycle ${value}` };
      case TraceKind.SMM_LEFT:
        return { kind: "stolen", text: "leaves system-management mode" };
      case TraceKind.SUSPENDED:
        return { kind: "stolen", text: `executes nothing until cycle ${value}` };
      case TraceKind.INIT_TAKEN:
        return { kind: "taken", text: "takes INIT" };
      case TraceKind.SHUTDOWN:
        return { kind: "exception", text: "shuts down" };
      case TraceKind.LINE:
        return this.#line(record);
      case TraceKind.PROBE:
      case TraceKind.CONSOLE:
        return undefined;
    }
  }

  #interrupt(subject: number): string {
    return interruptName(this.#machine.image.architecture, interruptOf(subject));
  }

  /** x86-64: a vector; arm64: how the interrupt is signalled, and of what EL3 takes the SDEI event. */
  #taken(subject: number, peer: number): string {
    if (this.#machine.image.architecture === "x86-64") {
      return subject === NMI_VECTOR ? "NMI" : this.#interrupt(subject);
    }
    return SIGNALS.get(subject) ?? `SDEI event ${peer}`;
  }

  #exception(subject: number): string {
    const { architecture } = this.#machine.image;
    const name = architecture === "x86-64" ? X86Vector[subject] : undefined;
    return name === undefined
      ? `exception 0x${subject.toString(16)}`
      : `the exception ${name.toLowerCase().replaceAll("_", " ")}`;
  }

  #line({ subject, value, peer }: TraceRecord): Pick<StepEvent, "kind" | "text"> | undefined {
    const line = `line ${objectText(this.#names.nameOf(Number(value)))}`;
    const tell = (text: string): Pick<StepEvent, "kind" | "text"> => ({ kind: "line", text });
    switch (subject as LineEvent) {
      case LineEvent.REQUESTED:
        return tell(`asks for ${line} to ${(peer & WRITE) === 0 ? "read" : "write"}`);
      case LineEvent.GRANTED:
        return tell(`is granted ${line}`);
      case LineEvent.INVALIDATED:
        return tell(`loses ${line}${peer > 1 ? `, as ${peer - 1} more of its last-level cache do` : ""}`);
      case LineEvent.DOWNGRADED:
        return tell(`may only read ${line}`);
      case LineEvent.WAITED:
        return tell(`goes on with ${line}`);
      case LineEvent.ASKED:
      case LineEvent.SERVED:
        return undefined;
    }
  }
}

const NMI_VECTOR: number = X86Vector.NMI;

/** Bits of Cpu.pending (assembly/cpu.ts). */
const SIGNALS = new Map([
  [1, "an NMI"],
  [2, "IRQ"],
  [4, "FIQ"],
]);

/** Bit of `peer` in records of requests. */
const WRITE = 0x100;
