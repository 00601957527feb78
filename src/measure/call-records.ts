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

/** Of one CPU, in the order of time. What there is nothing of is one empty list for all: most CPUs of thousands have little. */
export class CpuRecords {
  sent: readonly Sent[] = NONE;
  arrived: readonly Arrival[] = NONE;
  lost: readonly Sent[] = NONE;
  taken: readonly Sent[] = NONE;
  /** When somebody set what it polls, or is to see when it is interrupted. */
  told: readonly number[] = NONE;
  /** Waits that ended, until it executed again. */
  woken: readonly { readonly cycle: number; readonly executes: number }[] = NONE;
  /** Time in system-management mode, and time that a hypervisor took; some of it may be before the call. */
  stolen: readonly Stretch[] = NONE;
  /** When it signalled others itself; in no order. */
  signals: readonly number[] = NONE;
}

const NONE: readonly never[] = [];

/** A list with one more at its end: the same list, unless it was the empty one. */
function add<T>(list: readonly T[], one: T): readonly T[] {
  if (list === NONE) return [one];
  (list as T[]).push(one);
  return list;
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
      const own = this.of(cpu);
      own.signals = add(own.signals, cycle);
      if (target === cpu) continue;
      const other = this.of(target);
      other.told = add(other.told, cycle);
    }
    for (const record of records) this.#read(record);
  }

  of(cpu: number): CpuRecords {
    const known = this.#cpus.get(cpu);
    if (known !== undefined) return known;
    const made = new CpuRecords();
    this.#cpus.set(cpu, made);
    return made;
  }

  #isWithin(cycle: number): boolean {
    return cycle >= this.#from && cycle <= this.#until;
  }

  #read({ kind, cycle, cpu, subject, peer, value }: TraceRecord): void {
    if (kind === TraceKind.SMM_ENTERED || kind === TraceKind.SUSPENDED) {
      const cause = kind === TraceKind.SUSPENDED ? "descheduled" : "smm";
      const until = Number(value);
      const own = this.of(cpu);
      if (until > this.#from) own.stolen = add(own.stolen, { cause, from: cycle, until });
      return;
    }
    if (!this.#isWithin(cycle)) return;
    const own = this.of(cpu);
    if (kind === TraceKind.INTERRUPT_SENT) {
      own.signals = add(own.signals, cycle);
      const other = this.of(peer);
      if (peer !== cpu) other.sent = add(other.sent, { cycle, subject });
    } else if (kind === TraceKind.INTERRUPT_ARRIVED) {
      own.arrived = add(own.arrived, { cycle, subject, flags: Number(value) });
    } else if (kind === TraceKind.INTERRUPT_LOST) own.lost = add(own.lost, { cycle, subject });
    else if (kind === TraceKind.INTERRUPT_TAKEN) own.taken = add(own.taken, { cycle, subject });
    else if (kind === TraceKind.WAKE) own.woken = add(own.woken, { cycle, executes: Number(value) });
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
