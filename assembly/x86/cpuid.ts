// CPUID (SDM 2A, CPUID, table 3-8): what this CPU is and has. A feature is announced if, and only if, it is modelled; that
// leaves out x87, MMX and SSE, which real 64-bit processors always have.

import { Timing } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { ApicMode } from "../interrupts/apic/base.ts";
import { apicId, apicMode } from "../interrupts/apic/record.ts";
import { machine, timing } from "../machine.ts";
import { countIds } from "../interrupts/hardwareIds.ts";
import { loadSignature } from "./microcode.ts";
import { RAX, RBX, RCX, RDX, readR, writeR } from "./cpu.ts";

const HIGHEST_BASIC: u32 = 0x1f;
const HIGHEST_EXTENDED: u32 = 0x8000_0008;

/** "allstop-core" in EBX, EDX, ECX. */
const VENDOR_EBX: u32 = 0x736c_6c61;
const VENDOR_EDX: u32 = 0x2d70_6f74;
const VENDOR_ECX: u32 = 0x6572_6f63;
/** Family 6, model 0, stepping 0: EAX of leaf 1; in EDX after INIT. */
export const CPUID_SIGNATURE: u32 = 0x600;

// Leaf 1, ECX and EDX.
const MONITOR: u32 = 1 << 3;
const CX16: u32 = 1 << 13;
const X2APIC: u32 = 1 << 21;
const TSC_DEADLINE: u32 = 1 << 24;
const MOVBE: u32 = 1 << 22;
const POPCNT: u32 = 1 << 23;
const DE: u32 = 1 << 2;
const PSE: u32 = 1 << 3;
const TSC: u32 = 1 << 4;
const MSR: u32 = 1 << 5;
const PAE: u32 = 1 << 6;
const CX8: u32 = 1 << 8;
const APIC: u32 = 1 << 9;
const PGE: u32 = 1 << 13;
const CMOV: u32 = 1 << 15;
const CLFSH: u32 = 1 << 19;
const HTT: u32 = 1 << 28;

/** Leaf 6, EAX: the APIC timer counts in every idle state. */
const ARAT: u32 = 1 << 2;

// Leaf 7, EBX, ECX and EDX.
const FSGSBASE: u32 = 1 << 0;
const TSC_ADJUST: u32 = 1 << 1;
const BMI1: u32 = 1 << 3;
const SMEP: u32 = 1 << 7;
const BMI2: u32 = 1 << 8;
const INVPCID: u32 = 1 << 10;
const ADX: u32 = 1 << 19;
const SMAP: u32 = 1 << 20;
const CLFLUSHOPT: u32 = 1 << 23;
const CLWB: u32 = 1 << 24;
const WAITPKG: u32 = 1 << 5;
const RDPID: u32 = 1 << 22;
const SERIALIZE: u32 = 1 << 14;

// Leaf 80000001, ECX and EDX; leaf 80000007, EDX.
const LAHF64: u32 = 1 << 0;
const LZCNT: u32 = 1 << 5;
const PREFETCHW: u32 = 1 << 8;
const SYSCALL: u32 = 1 << 11;
const NX: u32 = 1 << 20;
const RDTSCP: u32 = 1 << 27;
const LONG_MODE: u32 = 1 << 29;
const INVARIANT_TSC: u32 = 1 << 8;

/** Physical and linear address bits. */
const ADDRESS_BITS: u32 = 32 | (48 << 8);
/** CLFLUSH line in units of 8 bytes. */
const CLFLUSH_LINE: u32 = 8 << 8;
const MONITOR_LINE: u32 = 64;
/** MWAIT takes masked interrupts as a reason to go on. */
const MWAIT_EXTENSIONS: u32 = 3;

let eax: u32 = 0;
let ebx: u32 = 0;
let ecx: u32 = 0;
let edx: u32 = 0;

export function executeCpuid(cpu: Cpu): void {
  const base = changetype<usize>(cpu);
  let leaf = <u32>readR(base, RAX);
  const subleaf = <u32>readR(base, RCX);
  // What is beyond the highest leaf answers like the highest basic one.
  if (leaf > HIGHEST_EXTENDED || (leaf > HIGHEST_BASIC && leaf < 0x8000_0000)) leaf = HIGHEST_BASIC;
  eax = ebx = ecx = edx = 0;
  if (leaf >= 0x8000_0000) answerExtended(leaf);
  else answerBasic(cpu, leaf, subleaf);
  writeR(base, RAX, <u64>eax);
  writeR(base, RBX, <u64>ebx);
  writeR(base, RCX, <u64>ecx);
  writeR(base, RDX, <u64>edx);
}

function answerBasic(cpu: Cpu, leaf: u32, subleaf: u32): void {
  switch (leaf) {
    case 0:
      eax = HIGHEST_BASIC;
      ebx = VENDOR_EBX;
      edx = VENDOR_EDX;
      ecx = VENDOR_ECX;
      break;
    case 1: {
      loadSignature(cpu);
      // Room for ids in a package, and whether more than one of its CPUs exists (SDM 3A 9.9.3).
      const ids = min<u32>(255, (<u32>1) << min<u32>(machine().apicPackageShift, 8));
      eax = CPUID_SIGNATURE;
      ebx = ((apicId(cpu) & 0xff) << 24) | (ids << 16) | CLFLUSH_LINE;
      ecx = MONITOR | CX16 | X2APIC | MOVBE | POPCNT | TSC_DEADLINE;
      edx = DE | PSE | TSC | MSR | PAE | CX8 | APIC | PGE | CMOV | CLFSH | (machine().apicPackageShift != 0 ? HTT : 0);
      // As if there were none (SDM 3A 11.4.3).
      if (apicMode(cpu) == ApicMode.DISABLED) edx &= ~APIC;
      break;
    }
    case 4:
      answerCache(subleaf);
      break;
    case 5:
      eax = MONITOR_LINE;
      ebx = MONITOR_LINE;
      ecx = MWAIT_EXTENSIONS;
      edx = (1 << 4) | (1 << 12); // one sub-state of C1, one of C3: hints 0 and 0x20
      break;
    case 6:
      eax = ARAT;
      break;
    case 7:
      if (subleaf != 0) break;
      ebx = FSGSBASE | TSC_ADJUST | BMI1 | SMEP | BMI2 | INVPCID | ADX | SMAP | CLFLUSHOPT | CLWB;
      ecx = RDPID | WAITPKG;
      edx = SERIALIZE;
      break;
    case 0xb:
      answerTopology(cpu, subleaf, false);
      break;
    case 0x15: {
      // The TSC counts the machine's clock: the core crystal clock, which is the APIC timer's, times EBX / EAX.
      const crystal = timing(Timing.APIC_TIMER_CLOCK);
      const clock = machine().clockMhz * 1000;
      const divisor = greatestCommonDivisor(clock, crystal);
      eax = crystal / divisor;
      ebx = clock / divisor;
      ecx = crystal * 1000;
      break;
    }
    case 0x16:
      eax = ebx = machine().clockMhz;
      break;
    case 0x1f:
      answerTopology(cpu, subleaf, true);
      break;
    default:
      break;
  }
}

function greatestCommonDivisor(a: u32, b: u32): u32 {
  while (b != 0) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/** Level types of leaves 0xb and 0x1f (SDM 2A, CPUID, table 3-8). */
enum LevelType {
  INVALID = 0,
  SMT = 1,
  CORE = 2,
  DIE = 5,
}

/**
 * Extended topology enumeration: a sub-leaf per level, with the bits to shift an x2APIC id right to get that of the next
 * level, and the CPUs that there are of this one. Leaf 0xb knows threads and cores, 0x1f also dies; the domain of a
 * last-level cache has no type of its own: leaf 4 tells of it. EDX is the x2APIC id, whatever the sub-leaf.
 */
function answerTopology(cpu: Cpu, subleaf: u32, dies: bool): void {
  const m = machine();
  const packages = m.apicPackageShift;
  // A level that tells nothing apart is left out.
  const hasDies = dies && m.apicDieShift != packages;
  let type: u32 = LevelType.INVALID;
  let shift: u32 = 0;
  if (subleaf == 0) {
    type = LevelType.SMT;
    shift = m.apicCoreShift;
  } else if (subleaf == 1) {
    type = LevelType.CORE;
    shift = hasDies ? m.apicDieShift : packages;
  } else if (subleaf == 2 && hasDies) {
    type = LevelType.DIE;
    shift = packages;
  }
  if (type != LevelType.INVALID) {
    eax = shift;
    ebx = min<u32>(countIds(apicId(cpu), shift), 0xffff);
  }
  ecx = (subleaf & 0xff) | (type << 8);
  edx = apicId(cpu);
}

// Leaf 4: cache types, and properties.
const DATA_CACHE: u32 = 1;
const UNIFIED_CACHE: u32 = 3;
const SELF_INITIALIZING: u32 = 1 << 8;
const FULLY_ASSOCIATIVE: u32 = 1 << 9;
const LINE_LESS_ONE: u32 = 63;
/** No capacity is modelled: as many lines as can be told of. */
const WAYS_LESS_ONE: u32 = 0x3ff << 22;

/** Deterministic cache parameters: the caches of a core, then the one that its domain shares (SDM 3A 9.9.3.2). */
function answerCache(subleaf: u32): void {
  const m = machine();
  if (subleaf > 1) return;
  const isLast = subleaf == 1;
  const sharers = idsBelow(isLast ? m.apicCacheShift : m.apicCoreShift, 0xfff);
  const cores = idsBelow(m.apicPackageShift - m.apicCoreShift, 0x3f);
  const level: u32 = isLast ? 3 : 1;
  eax = (isLast ? UNIFIED_CACHE : DATA_CACHE) | (level << 5) | SELF_INITIALIZING | FULLY_ASSOCIATIVE;
  eax |= (sharers << 14) | (cores << 26);
  ebx = LINE_LESS_ONE | WAYS_LESS_ONE;
}

/** Ids that differ in so many bits at most, less one. */
function idsBelow(bits: u32, most: u32): u32 {
  return min<u32>(most, ((<u32>1) << min<u32>(bits, 16)) - 1);
}

function answerExtended(leaf: u32): void {
  switch (leaf & 0xffff) {
    case 0:
      eax = HIGHEST_EXTENDED;
      break;
    case 1:
      ecx = LAHF64 | LZCNT | PREFETCHW;
      edx = SYSCALL | NX | RDTSCP | LONG_MODE;
      break;
    case 7:
      edx = INVARIANT_TSC;
      break;
    case 8:
      eax = ADDRESS_BITS;
      break;
    default:
      break;
  }
}
