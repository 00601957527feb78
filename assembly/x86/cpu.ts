// State of an x86-64 CPU in 64-bit mode: what its record holds behind the part common to both architectures.

import { CPU_REGISTERS } from "../../src/abi.ts";
import { CPU_JOURNAL, Cpu, Pending } from "../cpu.ts";

// Words of 8 bytes from CPU_REGISTERS: RAX..R15 in encoding order, then slots that spare the executor its special cases.
// Decoded instructions name a word by its byte offset, which fits a byte: SLOT_SHIFT left of its number.
export const SLOT_SHIFT: u32 = 3;
export const RAX: u32 = 0 << SLOT_SHIFT;
export const RCX: u32 = 1 << SLOT_SHIFT;
export const RDX: u32 = 2 << SLOT_SHIFT;
export const RBX: u32 = 3 << SLOT_SHIFT;
export const RSP: u32 = 4 << SLOT_SHIFT;
export const RBP: u32 = 5 << SLOT_SHIFT;
export const RSI: u32 = 6 << SLOT_SHIFT;
export const RDI: u32 = 7 << SLOT_SHIFT;
export const R11: u32 = 11 << SLOT_SHIFT;
/** Reads as zero: the base of an address that has none. */
export const ZERO: u32 = 16 << SLOT_SHIFT;
export const FS_BASE: u32 = 17 << SLOT_SHIFT;
export const GS_BASE: u32 = 18 << SLOT_SHIFT;
/** The status flags, not yet computed: see x86/flags.ts. */
export const FLAG_RESULT: u32 = 19 << SLOT_SHIFT;
export const FLAG_BITS: u32 = 20 << SLOT_SHIFT;
export const FLAG_OPERAND: u32 = 21 << SLOT_SHIFT;
/** Words that make up the state which a loop can change (spin elision). */
export const STATE_WORDS: u32 = 22;

/** RFLAGS (SDM 1 3.4.3). The six status flags are kept lazily, the others in X86State.rflags. */
export const RFLAGS_CF: u32 = 1 << 0;
export const RFLAGS_FIXED: u32 = 1 << 1;
export const RFLAGS_PF: u32 = 1 << 2;
export const RFLAGS_AF: u32 = 1 << 4;
export const RFLAGS_ZF: u32 = 1 << 6;
export const RFLAGS_SF: u32 = 1 << 7;
export const RFLAGS_TF: u32 = 1 << 8;
export const RFLAGS_IF: u32 = 1 << 9;
export const RFLAGS_DF: u32 = 1 << 10;
export const RFLAGS_OF: u32 = 1 << 11;
export const RFLAGS_IOPL: u32 = 3 << 12;
export const RFLAGS_NT: u32 = 1 << 14;
export const RFLAGS_RF: u32 = 1 << 16;
export const RFLAGS_VM: u32 = 1 << 17;
export const RFLAGS_AC: u32 = 1 << 18;
export const RFLAGS_ID: u32 = 1 << 21;
export const RFLAGS_STATUS: u32 = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF;
/** What POPFQ and IRETQ load at CPL 0, beside the status flags (SDM 2B POPF, table 4-21). */
export const RFLAGS_LOADED: u32 = RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID;

/** Control registers (SDM 3A 2.5). */
export const CR0_PE: u64 = (<u64>1) << 0;
export const CR0_MP: u64 = (<u64>1) << 1;
export const CR0_EM: u64 = (<u64>1) << 2;
export const CR0_TS: u64 = (<u64>1) << 3;
export const CR0_ET: u64 = (<u64>1) << 4;
export const CR0_NE: u64 = (<u64>1) << 5;
export const CR0_WP: u64 = (<u64>1) << 16;
export const CR0_AM: u64 = (<u64>1) << 18;
export const CR0_NW: u64 = (<u64>1) << 29;
export const CR0_CD: u64 = (<u64>1) << 30;
export const CR0_PG: u64 = (<u64>1) << 31;
export const CR4_TSD: u64 = (<u64>1) << 2;
export const CR4_DE: u64 = (<u64>1) << 3;
export const CR4_PSE: u64 = (<u64>1) << 4;
export const CR4_PAE: u64 = (<u64>1) << 5;
export const CR4_MCE: u64 = (<u64>1) << 6;
export const CR4_PGE: u64 = (<u64>1) << 7;
export const CR4_PCE: u64 = (<u64>1) << 8;
export const CR4_OSFXSR: u64 = (<u64>1) << 9;
export const CR4_OSXMMEXCPT: u64 = (<u64>1) << 10;
export const CR4_FSGSBASE: u64 = (<u64>1) << 16;
export const CR4_SMEP: u64 = (<u64>1) << 20;
export const CR4_SMAP: u64 = (<u64>1) << 21;
export const EFER_SCE: u64 = (<u64>1) << 0;
export const EFER_LME: u64 = (<u64>1) << 8;
export const EFER_LMA: u64 = (<u64>1) << 10;
export const EFER_NXE: u64 = (<u64>1) << 11;

/** What lasts for one instruction (X86State.shadow): the one that is next, or with OPENING the one behind it. */
export enum Shadow {
  NONE = 0,
  /** STI: covers the next instruction. */
  STI = 1,
  /** MOV SS, POP SS: debug traps too. */
  STACK = 2,
  /** Those that hold off interrupts and NMIs. */
  HOLDING = 3,
  /** IRET has loaded RF: it is set during the next instruction, which clears it when it is complete. Holds nothing off. */
  RESUME = 8,
  /** Added by the instruction that opens a shadow; taken away when that instruction is complete. */
  OPENING = 4,
}

/** Fields behind the words. Everything before `fetched` enters the digest. */
@unmanaged
export class X86State {
  /** RFLAGS without the status flags. */
  rflags: u32;
  /** Set of `Shadow`. */
  shadow: u32;
  /** From the delivery of an NMI until an IRETQ, complete or not (SDM 3A 6.7.1). */
  nmiBlocked: u32;
  /** What the CPU's next instruction has to deal with first: a `Waited` (x86/wait.ts). */
  waited: u32;

  // The event being delivered, or raised and not yet delivered, while Cpu.delivery is not 0.
  eventVector: u32;
  /** Set of `EventFlag` (x86/exception.ts). */
  eventFlags: u32;
  eventError: u32;
  /** Failed attempts of a locked access across two lines (x86/split.ts). */
  splitFailures: u32;
  /** RIP that the frame gets. */
  eventReturn: u64;
  /** What an ENTER that waits has stored already. */
  enterStored: u32;
  /** Nonzero between two iterations of a string instruction. */
  repeating: u16;
  /** Two bits for each of ES, DS, FS and GS: the outermost level that may use it. */
  dataLevels: u16;

  es: u16;
  cs: u16;
  ss: u16;
  ds: u16;
  fs: u16;
  gs: u16;
  tr: u16;
  ldtr: u16;

  gdtBase: u64;
  idtBase: u64;
  trBase: u64;
  ldtBase: u64;
  gdtLimit: u32;
  idtLimit: u32;
  trLimit: u32;
  ldtLimit: u32;

  cr0: u64;
  cr2: u64;
  cr3: u64;
  cr4: u64;
  efer: u64;
  dr0: u64;
  dr1: u64;
  dr2: u64;
  dr3: u64;
  dr6: u64;
  dr7: u64;

  /** TSC less the machine's cycle (SDM 3B 18.17.3). */
  tscOffset: u64;
  tscAdjust: u64;
  kernelGsBase: u64;
  star: u64;
  lstar: u64;
  cstar: u64;
  fmask: u64;
  apicBase: u64;
  tscAux: u64;

  /** IA32_UMWAIT_CONTROL */
  umwaitControl: u64;
  /** IA32_BIOS_SIGN_ID as it was written, while no CPUID has put the revision there. */
  biosSignature: u64;
  /** Revision of the microcode, shared by the threads of a core. */
  microcodeRevision: u32;
  /** Nonzero once CPUID has loaded the revision into IA32_BIOS_SIGN_ID. */
  signatureLoaded: u32;

  /** Cycles in system-management mode that the SMI which is pending asks for. */
  smmCycles: u64;
  /** Cycle at which the APIC timer has something to say, and at which TPAUSE or UMWAIT gives up; 0 for never. */
  timerCycle: u64;
  pauseCycle: u64;
  /** Nonzero: that is the limit of IA32_UMWAIT_CONTROL. */
  pauseLimited: u64;

  // Bytes of an instruction in a writable page, as far as they have been fetched; of use only to the instruction that
  // is started again (x86/fetch.ts).
  fetched: u32;
  reserved: u32;
  fetchLow: u64;
  fetchHigh: u64;

  // Where INIT and start-up IPIs lead to, instead of real mode, once the host has said so: no state of the CPU.
  startupGiven: u32;
  reserved2: u32;
  startupPc: u64;
  startupStack: u64;
  startupArgument: u64;

  // What an update of this CPU's microcode does, as the host has said: cycles (0: the timing model's), and whether it is refused.
  updateCycles: u64;
  updateRefused: u32;
  reserved3: u32;
}

export const X86_STATE_OFFSET: usize = CPU_REGISTERS + 24 * 8;
if (STATE_WORDS > 24) ERROR("x86 words outgrew their bytes");
if (X86_STATE_OFFSET + offsetof<X86State>() > CPU_JOURNAL) ERROR("X86State outgrew its bytes");
if (offsetof<X86State>("fetched") % 8 != 0) ERROR("the digest takes whole words");

// @ts-ignore: decorator
@inline
export function x86(cpu: Cpu): X86State {
  return changetype<X86State>(changetype<usize>(cpu) + X86_STATE_OFFSET);
}

/** The level of user programs; kernels run at 0. */
export const USER_LEVEL: u32 = 3;

/** CPL: the RPL of CS. */
// @ts-ignore: decorator
@inline
export function levelOfCode(cpu: Cpu): u32 {
  return (<u32>x86(cpu).cs) & 3;
}

/** Word at a byte offset among the CPU's words. */
// @ts-ignore: decorator
@inline
export function readR(cpu: usize, offset: u32): u64 {
  return load<u64>(cpu + <usize>offset, CPU_REGISTERS);
}

// @ts-ignore: decorator
@inline
export function writeR(cpu: usize, offset: u32, value: u64): void {
  store<u64>(cpu + <usize>offset, value, CPU_REGISTERS);
}

/** Whether bits 63:47 are equal (SDM 1 3.3.7.1). */
// @ts-ignore: decorator
@inline
export function isCanonical(address: u64): bool {
  return <u64>(((<i64>address) << 16) >> 16) == address;
}

/** Derives what is masked from RFLAGS.IF, the shadow and the NMI block. x86 has no FIQ. */
export function updateMasked(cpu: Cpu): void {
  const state = x86(cpu);
  let masked: u32 = 0;
  if ((state.rflags & RFLAGS_IF) == 0) masked |= Pending.IRQ;
  if (state.nmiBlocked != 0) masked |= Pending.NMI;
  if ((state.shadow & Shadow.HOLDING) != 0) masked |= Pending.IRQ | Pending.NMI;
  if (masked != cpu.masked) cpu.loopVisits = 0;
  cpu.masked = masked;
}

/** An instruction is complete: a shadow that it opened covers the next one, an older one is over. */
export function advanceShadow(cpu: Cpu): void {
  const state = x86(cpu);
  state.shadow = (state.shadow & Shadow.OPENING) != 0 ? state.shadow & ~Shadow.OPENING : Shadow.NONE;
  updateMasked(cpu);
}
