// State of an AArch64 PE at EL1 and EL0: what its record holds behind the part common to both architectures.

import { ARM64_SP_SLOT, CPU_REGISTERS } from "../../src/abi.ts";
import { CPU_JOURNAL, Cpu } from "../cpu.ts";

// Words of 8 bytes from CPU_REGISTERS: X0..X30, then slots that spare the executor its special cases. Decoders map
// register 31 to one of them: it reads as zero, is SP, or swallows what is written to it.
export const ZERO_SLOT: u32 = 31;
export const SP_SLOT: u32 = ARM64_SP_SLOT;
export const SINK_SLOT: u32 = 33;
/**
 * Condition flags: Z is set when the word at ZERO_RESULT_SLOT is 0, N is bit 63 of the one at SIGN_RESULT_SLOT (an
 * operation stores its result in both, 32-bit results sign-extended); C and V are 0 or 1.
 */
export const ZERO_RESULT_SLOT: u32 = 34;
export const SIGN_RESULT_SLOT: u32 = 35;
export const CARRY_SLOT: u32 = 36;
export const OVERFLOW_SLOT: u32 = 37;
/** Words that make up the state which a loop can change (spin elision). */
export const STATE_WORDS: u32 = 38;

/** PSTATE.DAIF in the positions of SPSR_ELx (Arm ARM DDI 0487, C5.2.18). */
export const PSTATE_F: u32 = 1 << 6;
export const PSTATE_I: u32 = 1 << 7;
export const PSTATE_A: u32 = 1 << 8;
export const PSTATE_D: u32 = 1 << 9;
export const PSTATE_DAIF: u32 = PSTATE_F | PSTATE_I | PSTATE_A | PSTATE_D;
/** SPSR_EL1.M: EL0; EL1 using SP_EL0; EL1 using SP_EL1. */
export const SPSR_MODE: u32 = 0x1f;
export const MODE_EL0T: u32 = 0;
export const MODE_EL1T: u32 = 4;
export const MODE_EL1H: u32 = 5;
export const PSTATE_IL: u32 = 1 << 20;
/** FEAT_NMI. */
export const PSTATE_ALLINT: u32 = 1 << 13;

/** Fields behind the words; offsets from the record's start. */
@unmanaged
export class Arm64State {
  daif: u32;
  /** PSTATE.SP: 1 while SP is SP_EL1. */
  spsel: u32;
  /** The stack pointer that is not selected. */
  otherSp: u64;
  elr: u64;
  spsr: u64;
  esr: u64;
  far: u64;
  vbar: u64;
  tpidrEl0: u64;
  tpidrroEl0: u64;
  tpidrEl1: u64;
  contextidr: u64;
  sctlr: u64;
  tcr: u64;
  ttbr0: u64;
  ttbr1: u64;
  mair: u64;
  cpacr: u64;
  mdscr: u64;
  cntkctl: u64;
  par: u64;
  afsr0: u64;
  afsr1: u64;
  amair: u64;
  csselr: u64;
  /** Affinity fields; after a reset also bit 31, which reads as one. */
  mpidr: u64;
  /** Event register (Arm ARM D1.6.1). */
  event: u32;
  /** Exclusive monitor: size in bytes of the marked access, 0 when open; the line is Cpu.watchedLine. */
  exclusiveSize: u32;
  exclusiveAddress: u64;
  /** PSTATE.IL */
  illegal: u16;
  /** Nonzero at EL0; PSTATE.SP is 0 then. */
  el0: u16;
  /** PSTATE.ALLINT, as PSTATE_ALLINT or 0. */
  allint: u32;
  /** The generic timers (arm64/timer.ts). CTL without ISTATUS, which follows from the time. */
  cntpCval: u64;
  cntvCval: u64;
  cntpCtl: u32;
  cntvCtl: u32;
  /** CNTVOFF_EL2: belongs to EL2, is set by the host, and outlives a reset of EL1. */
  cntvoff: u64;
  /** Of a PE that waits: the cycle at which WFET or WFIT gives up, or NEVER. */
  waitDeadline: u64;
}

export const STATE_OFFSET: usize = CPU_REGISTERS + 40 * 8;
if (STATE_WORDS > 40) ERROR("arm64 words outgrew their bytes");
if (STATE_OFFSET + offsetof<Arm64State>() > CPU_JOURNAL) ERROR("Arm64State outgrew its bytes");

// @ts-ignore: decorator
@inline
export function arm64(cpu: Cpu): Arm64State {
  return changetype<Arm64State>(changetype<usize>(cpu) + STATE_OFFSET);
}

// @ts-ignore: decorator
@inline
export function readX(cpu: usize, slot: u32): u64 {
  return load<u64>(cpu + ((<usize>slot) << 3), CPU_REGISTERS);
}

// @ts-ignore: decorator
@inline
export function writeX(cpu: usize, slot: u32, value: u64): void {
  store<u64>(cpu + ((<usize>slot) << 3), value, CPU_REGISTERS);
}

// @ts-ignore: decorator
@inline
export function isAtEl0(cpu: usize): bool {
  return load<u16>(cpu, STATE_OFFSET + offsetof<Arm64State>("el0")) != 0;
}

/** NZCV in bits 31:28. */
// @ts-ignore: decorator
@inline
export function readNzcv(cpu: usize): u32 {
  const n = <u32>(readX(cpu, SIGN_RESULT_SLOT) >>> 63);
  const z: u32 = readX(cpu, ZERO_RESULT_SLOT) == 0 ? 1 : 0;
  return (n << 31) | (z << 30) | ((<u32>readX(cpu, CARRY_SLOT)) << 29) | ((<u32>readX(cpu, OVERFLOW_SLOT)) << 28);
}

export function writeNzcv(cpu: usize, nzcv: u32): void {
  writeX(cpu, SIGN_RESULT_SLOT, (<u64>(nzcv >>> 31)) << 63);
  writeX(cpu, ZERO_RESULT_SLOT, ((nzcv >>> 30) & 1) ^ 1);
  writeX(cpu, CARRY_SLOT, (nzcv >>> 29) & 1);
  writeX(cpu, OVERFLOW_SLOT, (nzcv >>> 28) & 1);
}
