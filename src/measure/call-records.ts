// What the core's records and the guest's events say of each CPU during one call: which signals it was sent, when they came and were
// taken, when it woke, and what time it lost.

import { ArrivalFlag, TraceKind, X86Vector } from "../abi.ts";
import type { Machine } from "../machine/machine.ts";
import type { TraceRecord } from "../machine/trace-log.ts";
import type { History } from "./observations.ts";
import type { Stretch } from "./partition.ts";

/** An interrupt message of another CPU, on its way here. */
export interface Sent {
  readonly cycle: number;
  /** Of its records: vector or interrupt id, and how it is delivered. */
  readonly subject: number;
}

export interface Arrival extends Sent {
  /** Set of `ArrivalFlag`. */
  readonly flags: number;
}

/** Of one CPU, in the order of time. */
export interface CpuRecords {
  readonly sent: Sent[];
  readonly arrived: Arrival[];
  readonly lost: Sent[];
  readonly taken: Sent[];
  /** When somebody set what it polls, or is to see when it is interrupted. */
  readonly told: number[];
  /** Waits that ended, until it executed again. */
  readonly woken: { readonly cycle: number; readonly executes: number }[];
  /** Time in system-management mode, and time that a hypervisor took; some of it may be before the call. */
  readonly stolen: Stretch[];
  /** When it signalled others itself; in no order. */
  readonly signals: number[];
}

/** Records of a call by CPU; CPUs of which there are none are missing. */
export class CallRecords {
  readonly #cpus = new Map<number, CpuRecords>();
  readonly #from: number;
  readonly #until: number;

  /** @param from @param until cycles of the call: those before and behind don't count */
  constructor({ observations, records }: History, from: number, until: number) {
    this.#from = from;
    this.#until = until;
    for (const { event, cycle, cpu, values } of observations) {
      if (event !== "signal" || !this.#isWithin(cycle)) continue;
      const target = Number(BigInt.asUintN(32, values[0] ?? 0n));
      this.of(cpu).signals.push(cycle);
      if (target !== cpu) this.of(target).told.push(cycle);
    }
    for (const record of records) this.#read(record);
  }

  of(cpu: number): CpuRecords {
    const known = this.#cpus.get(cpu);
    if (known !== undefined) return known;
    const made = { sent: [], arrived: [], lost: [], taken: [], told: [], woken: [], stolen: [], signals: [] };
    this.#cpus.set(cpu, made);
    return made;
  }

  #isWithin(cycle: number): boolean {
    return cycle >= this.#from && cycle <= this.#until;
  }

  #read({ kind, cycle, cpu, subject, peer, value }: TraceRecord): void {
    if (kind === TraceKind.SMM_ENTERED || kind === TraceKind.SUSPENDED) {
      const cause = kind === TraceKind.SUSPENDED ? "descheduled" : "smm";
      if (Number(value) > this.#from) this.of(cpu).stolen.push({ cause, from: cycle, until: Number(value) });
      return;
    }
    if (!this.#isWithin(cycle)) return;
    if (kind === TraceKind.INTERRUPT_SENT) {
      this.of(cpu).signals.push(cycle);
      if (peer !== cpu) this.of(peer).sent.push({ cycle, subject });
    } else if (kind === TraceKind.INTERRUPT_ARRIVED) {
      this.of(cpu).arrived.push({ cycle, subject, flags: Number(value) });
    } else if (kind === TraceKind.INTERRUPT_LOST) this.of(cpu).lost.push({ cycle, subject });
    else if (kind === TraceKind.INTERRUPT_TAKEN) this.of(cpu).taken.push({ cycle, subject });
    else if (kind === TraceKind.WAKE) this.of(cpu).woken.push({ cycle, executes: Number(value) });
  }
}

/** How records tell interrupts apart, by architecture. */
const MODE_SHIFT = 8;
const NMI_MODE = 4;
/** Subject of a taken interrupt that EL3 has handed on, and in the place of a mode. */
const EL3 = 32;

/** Whether an interrupt that was taken may be a message that was sent. */
export function isOf(architecture: "x86-64" | "arm64", taken: Sent, sent: Sent): boolean {
  const mode = sent.subject >> MODE_SHIFT;
  if (architecture === "arm64") return (taken.subject === EL3) === (mode === EL3);
  const vector = mode === NMI_MODE ? X86Vector.NMI : sent.subject & 0xff;
  return taken.subject === vector;
}

/** What kept a message from being taken that found its CPU masked. */
export function maskedBy({ image }: Machine, { subject, flags }: Arrival): "irqs-off" | "nmi-blocked" {
  const mode = subject >> MODE_SHIFT;
  const isNmi = image.architecture === "arm64" ? mode === EL3 : mode === NMI_MODE;
  if (isNmi || (flags & ArrivalFlag.MASKS_NMI) !== 0) return "nmi-blocked";
  // Interrupts are masked by priority there; what PSTATE masks is masked for pseudo-NMIs, too.
  const byPriority = image.flavour?.interrupts === "pseudo-nmi";
  return byPriority && (flags & ArrivalFlag.MASKS_IRQ) !== 0 ? "nmi-blocked" : "irqs-off";
}
