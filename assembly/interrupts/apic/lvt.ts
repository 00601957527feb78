// The local vector table: interrupts of the CPU's own sources (Intel SDM 3A 11.5.1, rev. 083).

import { CpuState, DeliveryMode, LocalInterrupt, StopReason, TraceKind } from "../../../src/abi.ts";
import { Cpu } from "../../cpu.ts";
import { stopMachine } from "../../machine.ts";
import { unpark } from "../../time/spin.ts";
import { trace } from "../../trace/ring.ts";
import { nmiArrives, systemEventArrives } from "../../x86/systemEvents.ts";
import { ApicError, noteError } from "./errors.ts";
import { requestVector, updatePending } from "./priority.ts";
import { ApicMode } from "./base.ts";
import { Apic, LVT_ENTRIES, LVT_MASKED, Lvt, SPURIOUS_ENABLE, apicMode, apicOf, lvtOf, setLvt } from "./record.ts";
import { changeTimerMode } from "./timer.ts";

const LVT_DELIVERY_STATUS: u32 = 1 << 12;
const LVT_POLARITY: u32 = 1 << 13;
export const LVT_REMOTE_IRR: u32 = 1 << 14;
const LVT_LEVEL: u32 = 1 << 15;
const LVT_VECTOR: u32 = 0xff;
const LVT_MODE: u32 = 7 << 8;
const LVT_TIMER_MODE: u32 = 3 << 17;

/** Bits that software sets. The others are reserved, or read-only. */
function writableBits(entry: i32): u32 {
  switch (entry) {
    case Lvt.TIMER:
      return LVT_VECTOR | LVT_MASKED | LVT_TIMER_MODE;
    case Lvt.ERROR:
      return LVT_VECTOR | LVT_MASKED;
    case Lvt.LINT0:
    case Lvt.LINT1:
      return LVT_VECTOR | LVT_MODE | LVT_POLARITY | LVT_LEVEL | LVT_MASKED;
    default:
      return LVT_VECTOR | LVT_MODE | LVT_MASKED;
  }
}

function isPin(entry: i32): bool {
  return entry == Lvt.LINT0 || entry == Lvt.LINT1;
}

/** Bits that aren't reserved. */
export function lvtDefinedBits(entry: i32): u32 {
  return writableBits(entry) | LVT_DELIVERY_STATUS | (isPin(entry) ? LVT_REMOTE_IRR : 0);
}

/** A write by software; while the APIC is software-disabled it can't clear the mask bit (SDM 3A 11.4.7.2). */
export function writeLvt(cpu: Cpu, apic: Apic, entry: i32, value: u32): void {
  const before = lvtOf(apic, entry);
  let after = (value & writableBits(entry)) | (before & LVT_REMOTE_IRR);
  if ((apic.spurious & SPURIOUS_ENABLE) == 0) after |= LVT_MASKED;
  setLvt(apic, entry, after);
  if (entry == Lvt.TIMER) changeTimerMode(cpu, apic, before);
}

export function maskLvt(apic: Apic): void {
  for (let entry: i32 = 0; entry < LVT_ENTRIES; entry++) setLvt(apic, entry, lvtOf(apic, entry) | LVT_MASKED);
}

/** A source of the table signals. What is masked is lost: there is no memory of edges. */
export function signalLvt(cpu: Cpu, apic: Apic, entry: i32, cycle: u64): void {
  const value = lvtOf(apic, entry);
  if ((value & LVT_MASKED) != 0) return;
  // The one that raised it keeps quiet until software has looked (SDM 3B 20.6.3.5.8).
  if (entry == Lvt.PERFORMANCE) setLvt(apic, entry, value | LVT_MASKED);
  const mode = <i32>((value & LVT_MODE) >>> 8);
  trace(TraceKind.INTERRUPT_ARRIVED, cpu, cycle, (value & LVT_VECTOR) | (mode << 8), cpu.index, 0, 0);
  if (systemEventArrives(cpu, mode, cycle)) return;
  if (mode == DeliveryMode.FIXED) signalFixed(cpu, apic, entry, value, cycle);
  else if (mode == DeliveryMode.EXTINT) externalInterrupt(cpu, value, cycle);
}

/** LINT0 may be level-triggered; LINT1 and the rest are edges, whatever bit 15 says (SDM 3A 11.5.1). */
function signalFixed(cpu: Cpu, apic: Apic, entry: i32, value: u32, cycle: u64): void {
  const vector = value & LVT_VECTOR;
  if (vector < 16) {
    noteError(cpu, apic, ApicError.RECEIVE_ILLEGAL_VECTOR, cycle);
    return;
  }
  const level = entry == Lvt.LINT0 && (value & LVT_LEVEL) != 0;
  if (level) {
    if ((value & LVT_REMOTE_IRR) != 0) return;
    setLvt(apic, entry, value | LVT_REMOTE_IRR);
  }
  requestVector(cpu, apic, vector, level);
}

/** The vector would come from an 8259, which this platform doesn't have. */
function externalInterrupt(cpu: Cpu, detail: u64, cycle: u64): void {
  // A CPU that spins has only been noted to: its pc is part of the report.
  if (cpu.parked != 0) unpark(cpu, cycle);
  stopMachine(StopReason.UNSUPPORTED, cpu.index, cpu.pc, cycle, detail);
}

/** The host makes a source of a CPU's own signal: a pulse on a pin, a counter that overflows. */
export function signalLocally(cpu: Cpu, source: LocalInterrupt, cycle: u64): void {
  if (cpu.state == CpuState.OFFLINE) return;
  const apic = apicOf(cpu);
  if (apicMode(cpu) == ApicMode.DISABLED) {
    // The pins are INTR and NMI then (SDM 3A 11.4.3); the rest has nowhere to go.
    if (source == LocalInterrupt.LINT1) nmiArrives(cpu);
    else if (source == LocalInterrupt.LINT0) externalInterrupt(cpu, 0, cycle);
    return;
  }
  if (source != LocalInterrupt.SPURIOUS) {
    signalLvt(cpu, apic, entryOf(source), cycle);
    return;
  }
  apic.spuriousDue = 1;
  updatePending(cpu, apic);
}

function entryOf(source: LocalInterrupt): i32 {
  switch (source) {
    case LocalInterrupt.LINT0:
      return Lvt.LINT0;
    case LocalInterrupt.LINT1:
      return Lvt.LINT1;
    case LocalInterrupt.PERFORMANCE_COUNTER:
      return Lvt.PERFORMANCE;
    case LocalInterrupt.THERMAL:
      return Lvt.THERMAL;
    default:
      return Lvt.CMCI;
  }
}
