// What a local APIC is: one record per CPU, which belongs to it alone; others reach it by messages only (Intel SDM 3A
// chapter 11, rev. 083). Reset and INIT.

import { Cpu, NEVER, Pending } from "../../cpu.ts";
import { mix } from "../../digest.ts";
import { machine, reserve } from "../../machine.ts";
import { APIC_BASE_ADDRESS, APIC_BASE_BSP, ApicMode, modeOf } from "./base.ts";
import { x86 } from "../../x86/cpu.ts";
import { setTimerCycle } from "../../x86/deadlines.ts";

/** LVT entries in the order of the record. */
export enum Lvt {
  CMCI = 0,
  TIMER = 1,
  THERMAL = 2,
  PERFORMANCE = 3,
  LINT0 = 4,
  LINT1 = 5,
  ERROR = 6,
}
export const LVT_ENTRIES: i32 = 7;
export const LVT_MASKED: u32 = 1 << 16;


@unmanaged
export class Apic {
  /** The x2APIC ID; its low byte is the xAPIC ID. */
  id: u32;
  /** TPR */
  taskPriority: u32;
  /** SVR; bit 8 enables the APIC. */
  spurious: u32;
  /** LDR and DFR of xAPIC mode; in x2APIC mode the one follows from the ID and the other doesn't exist. */
  logicalDestination: u32;
  destinationFormat: u32;
  /** ESR: what the last write to it has latched; errors since then; whether they have been signalled by LVT error. */
  errorStatus: u32;
  errors: u32;
  errorSignalled: u32;
  /** ICR; in xAPIC mode the destination stands in bits 63:56. */
  command: u64;

  cmci: u32;
  timer: u32;
  thermal: u32;
  performance: u32;
  lint0: u32;
  lint1: u32;
  error: u32;

  /** Timer: initial count and divide register; the count that began at `timerStart`, 0 when it doesn't count. */
  initialCount: u32;
  divide: u32;
  timerCount: u32;
  /** Cycle at which the count began, and parts of a cycle (interrupts/apic/timer.ts). */
  timerStart: u64;
  timerFraction: u32;
  /** INTR is asserted by an interrupt that has gone again: SVR's vector is owed. */
  spuriousDue: u32;
  /** IA32_TSC_DEADLINE, 0 when disarmed. */
  tscDeadline: u64;

  /** IRR, ISR, TMR: 256 bits each. */
  requests0: u64;
  requests1: u64;
  requests2: u64;
  requests3: u64;
  inService0: u64;
  inService1: u64;
  inService2: u64;
  inService3: u64;
  triggerMode0: u64;
  triggerMode1: u64;
  triggerMode2: u64;
  triggerMode3: u64;
}

const APIC_BYTES: usize = 256;
if (offsetof<Apic>() > APIC_BYTES) ERROR("Apic outgrew its bytes");
if (offsetof<Apic>() % 8 != 0) ERROR("the digest takes whole words");
const LVT_FIRST: usize = offsetof<Apic>("cmci");
if (offsetof<Apic>("error") != LVT_FIRST + Lvt.ERROR * 4) ERROR("Lvt and Apic disagree");

export const REQUESTS: usize = offsetof<Apic>("requests0");
export const IN_SERVICE: usize = offsetof<Apic>("inService0");
export const TRIGGER_MODE: usize = offsetof<Apic>("triggerMode0");
export const SPURIOUS_ENABLE: u32 = 1 << 8;
const SPURIOUS_RESET: u32 = 0xff;

export function openApics(): bool {
  const m = machine();
  m.apics = reserve(<usize>m.cpus * APIC_BYTES, 64);
  return m.apics != 0;
}

// @ts-ignore: decorator
@inline
export function apicOf(cpu: Cpu): Apic {
  return changetype<Apic>(machine().apics + <usize>cpu.index * APIC_BYTES);
}

export function apicId(cpu: Cpu): u32 {
  return apicOf(cpu).id;
}

export function lvtOf(apic: Apic, entry: i32): u32 {
  return load<u32>(changetype<usize>(apic) + (((<usize>entry) << 2) + LVT_FIRST));
}

export function setLvt(apic: Apic, entry: i32, value: u32): void {
  store<u32>(changetype<usize>(apic) + (((<usize>entry) << 2) + LVT_FIRST), value);
}

export function apicMode(cpu: Cpu): ApicMode {
  return modeOf(x86(cpu).apicBase);
}

// --- reset -----------------------------------------------------------------------------------------------------------

/** State after power-up: software-disabled, everything masked (SDM 3A 11.4.7.1); in the mode that firmware hands over. */
export function resetApic(cpu: Cpu, id: u32): void {
  apicOf(cpu).id = id;
  x86(cpu).apicBase = APIC_BASE_ADDRESS | ((<u64>machine().apicMode) << 10) | (cpu.index == 0 ? APIC_BASE_BSP : 0);
  initApic(cpu);
}

/** INIT: as reset, but IA32_APIC_BASE and the ID stay (SDM 3A 11.4.7.3, 11.12.5.1). */
export function initApic(cpu: Cpu): void {
  const apic = apicOf(cpu);
  const id = apic.id;
  memory.fill(changetype<usize>(apic), 0, APIC_BYTES);
  apic.id = id;
  apic.spurious = SPURIOUS_RESET;
  apic.destinationFormat = u32.MAX_VALUE;
  for (let entry: i32 = 0; entry < LVT_ENTRIES; entry++) setLvt(apic, entry, LVT_MASKED);
  cpu.pending &= ~Pending.IRQ;
  setTimerCycle(cpu, NEVER);
}

export function apicDigest(cpu: Cpu): void {
  const apic = changetype<usize>(apicOf(cpu));
  for (let offset: usize = 0; offset < offsetof<Apic>(); offset += 8) mix(load<u64>(apic + offset));
}
