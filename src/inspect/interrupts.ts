// What interrupts wait at a CPU, and what keeps them from being taken.

import { ARM64_SP_SLOT } from "../abi.ts";
import { offsets, places, type CoreRecords } from "./records.ts";

/** x86-64: the local APIC and what the CPU itself holds off (SDM 3A chapter 11). */
export interface ApicInterrupts {
  readonly architecture: "x86-64";
  /** Vectors that wait, and those whose handlers have not ended; in falling order, that of their priorities. */
  readonly irr: readonly number[];
  readonly isr: readonly number[];
  readonly tpr: number;
  readonly ppr: number;
  /** The last command that was written: ICR. */
  readonly icr: bigint;
  /** SVR bit 8. */
  readonly enabled: boolean;
  /** RFLAGS.IF */
  readonly interruptFlag: boolean;
  /** One waits; NMIs are blocked until IRET. */
  readonly nmiLatched: boolean;
  readonly nmiBlocked: boolean;
  readonly smiLatched: boolean;
  readonly initLatched: boolean;
  /** Messages under way to this CPU. */
  readonly underWay: number;
}

/** arm64: SGIs and PPIs at the redistributor, the CPU interface, and PSTATE (IHI 0069H; DDI 0487). */
export interface GicInterrupts {
  readonly architecture: "arm64";
  /** INTIDs below 32, and the SPI that the distributor has forwarded. */
  readonly pending: readonly number[];
  readonly enabled: readonly number[];
  readonly active: readonly number[];
  /** Those with superpriority (FEAT_NMI). */
  readonly nonMaskable: readonly number[];
  /** ICC_PMR_EL1, and the running priority: 0xff when none is active. */
  readonly pmr: number;
  readonly rpr: number;
  /** What the interface signals to the PE. */
  readonly irqSignalled: boolean;
  readonly fiqSignalled: boolean;
  readonly nmiSignalled: boolean;
  /** An interrupt of EL3 waits. */
  readonly el3Pending: boolean;
  /** PSTATE.D, A, I, F, as letters of those that are set, such as "IF". */
  readonly daif: string;
  /** PSTATE.ALLINT */
  readonly allint: boolean;
  readonly underWay: number;
}

/** What is pending for a CPU, masked there, and being handled. */
export type CpuInterrupts = ApicInterrupts | GicInterrupts;

/** Bits of Cpu.pending (assembly/cpu.ts). */
const Pending = { NMI: 1, IRQ: 2, FIQ: 4, SMI: 8, INIT: 16, EL3: 32 } as const;
const RFLAGS_IF = 1 << 9;
const SPURIOUS_ENABLE = 1 << 8;
const VECTORS = 256;
const WORD_BITS = 32;

/** Interrupts of a CPU, whose architecture the caller knows. */
export function interruptsOf(records: CoreRecords, cpu: number, architecture: "x86-64" | "arm64"): CpuInterrupts {
  return architecture === "x86-64" ? apicOf(records, cpu) : gicOf(records, cpu);
}

function apicOf(records: CoreRecords, cpu: number): ApicInterrupts {
  const apic = records.ofMachine("apics") + cpu * places.APIC_BYTES;
  const state = records.cpu(cpu) + places.X86_STATE_OFFSET;
  const pending = records.u32(records.cpu(cpu) + offsets.Cpu.pending);
  const isr = vectorsAt(records, apic + offsets.Apic.inService0);
  const tpr = records.u32(apic + offsets.Apic.taskPriority);
  const service = (isr[0] ?? 0) & 0xf0;
  return {
    architecture: "x86-64",
    irr: vectorsAt(records, apic + offsets.Apic.requests0),
    isr,
    tpr,
    ppr: (tpr & 0xf0) >= service ? tpr : service,
    icr: records.u64(apic + offsets.Apic.command),
    enabled: (records.u32(apic + offsets.Apic.spurious) & SPURIOUS_ENABLE) !== 0,
    interruptFlag: (records.u32(state + offsets.X86State.rflags) & RFLAGS_IF) !== 0,
    nmiLatched: (pending & Pending.NMI) !== 0,
    nmiBlocked: records.u32(state + offsets.X86State.nmiBlocked) !== 0,
    smiLatched: (pending & Pending.SMI) !== 0,
    initLatched: (pending & Pending.INIT) !== 0,
    underWay: records.u32(records.cpu(cpu) + offsets.Cpu.interruptArrivals),
  };
}

/** The highest first. */
function vectorsAt(records: CoreRecords, address: number): number[] {
  const found: number[] = [];
  for (let vector = VECTORS - 1; vector >= 0; vector--) {
    if ((records.u32(address + 4 * (vector >> 5)) >>> (vector & 31)) & 1) found.push(vector);
  }
  return found;
}

const PSTATE_LETTERS = [
  [1 << 9, "D"],
  [1 << 8, "A"],
  [1 << 7, "I"],
  [1 << 6, "F"],
] as const;
const PRIORITY_SHIFT = 3;
const IDLE_PRIORITY = 0xff;

function gicOf(records: CoreRecords, cpu: number): GicInterrupts {
  const gic = records.ofMachine("gics") + cpu * places.GIC_BYTES;
  const word = (field: keyof (typeof offsets)["Gic"]): number => records.u32(gic + offsets.Gic[field]);
  const state = records.cpu(cpu) + places.STATE_OFFSET;
  const daif = records.u32(state + offsets.Arm64State.daif);
  const signalled = records.u32(records.cpu(cpu) + offsets.Cpu.pending);
  const spi = word("spi");
  const latched = bitsOf(word("pending") | (word("level") & ~word("edge")));
  return {
    architecture: "arm64",
    pending: spi === 0 ? latched : [...latched, spi],
    enabled: bitsOf(word("enabled")),
    active: bitsOf(word("active")),
    nonMaskable: bitsOf(word("nonMaskable")),
    pmr: word("priorityMask"),
    rpr: runningPriority(word("activePriorities0") | word("activePriorities1"), word("activeNmi")),
    irqSignalled: (signalled & Pending.IRQ) !== 0,
    fiqSignalled: (signalled & Pending.FIQ) !== 0,
    nmiSignalled: (signalled & Pending.NMI) !== 0,
    el3Pending: (signalled & Pending.EL3) !== 0,
    daif: PSTATE_LETTERS.flatMap(([bit, letter]) => ((daif & bit) === 0 ? [] : [letter])).join(""),
    allint: records.u32(state + offsets.Arm64State.allint) !== 0,
    underWay: records.u32(records.cpu(cpu) + offsets.Cpu.interruptArrivals),
  };
}

function bitsOf(word: number): number[] {
  return Array.from({ length: WORD_BITS }, (_, bit) => bit).filter((bit) => (word >>> bit) & 1);
}

/** One bit per level of priority, the most urgent the lowest. */
function runningPriority(levels: number, activeNmi: number): number {
  if (activeNmi !== 0) return 0;
  const lowest = bitsOf(levels)[0];
  return lowest === undefined ? IDLE_PRIORITY : lowest << PRIORITY_SHIFT;
}

// --- flags and registers beside the general-purpose ones ---------------------------------------------------------------

const FS_BASE_SLOT = 17;
const GS_BASE_SLOT = 18;
const FLAG_RESULT_SLOT = 19;
const FLAG_BITS_SLOT = 20;
const FLAG_OPERAND_SLOT = 21;
const BITS_DIFFERENCE = 2n;
const BITS_SUM = 4n;

/** RFLAGS, with the status flags, which the core keeps as what they can be computed from (assembly/x86/flags.ts). */
export function x86Flags(records: CoreRecords, cpu: number): number {
  const result = records.register(cpu, FLAG_RESULT_SLOT);
  const bits = records.register(cpu, FLAG_BITS_SLOT);
  const operand = records.register(cpu, FLAG_OPERAND_SLOT);
  const carry = Number(bits & 1n);
  const adjust = Number(adjustOf(result, bits, operand) & 0x10n);
  const ones = (result & 0xffn).toString(2).replaceAll("0", "").length + Number((bits >> 61n) & 1n);
  const parity = ones % 2 === 0 ? 1 << 2 : 0;
  const zero = result === 0n ? 1 << 6 : 0;
  const sign = Number(((result ^ bits) >> 63n) & 1n) << 7;
  const overflow = Number((bits >> 62n) & 1n) << 11;
  const rest = records.u32(records.cpu(cpu) + places.X86_STATE_OFFSET + offsets.X86State.rflags);
  return (rest | carry | adjust | parity | zero | sign | overflow) >>> 0;
}

/** AF is bit 4 of this. */
function adjustOf(result: bigint, bits: bigint, operand: bigint): bigint {
  if ((bits & BITS_SUM) !== 0n) return operand ^ (result - operand) ^ result;
  if ((bits & BITS_DIFFERENCE) !== 0n) return operand ^ (operand - result) ^ result;
  return operand;
}

/** GS.base and FS.base. */
export function x86Bases(records: CoreRecords, cpu: number): { readonly gs: bigint; readonly fs: bigint } {
  return { gs: records.register(cpu, GS_BASE_SLOT), fs: records.register(cpu, FS_BASE_SLOT) };
}

/** PSTATE.N, Z, C, V in bits 3 to 0 (assembly/arm64/cpu.ts). */
export function arm64Flags(records: CoreRecords, cpu: number): number {
  const [zeroResult, signResult, carry, overflow] = [2, 3, 4, 5].map((behind) =>
    records.register(cpu, ARM64_SP_SLOT + behind),
  ) as [bigint, bigint, bigint, bigint];
  const negative = Number(signResult >> 63n);
  return (negative << 3) | ((zeroResult === 0n ? 1 : 0) << 2) | (Number(carry) << 1) | Number(overflow);
}

/** System registers that a stop path looks at, by name. */
export function systemRegisters(
  records: CoreRecords,
  cpu: number,
  architecture: "x86-64" | "arm64",
): readonly (readonly [name: string, value: bigint])[] {
  if (architecture === "x86-64") {
    const { gs } = x86Bases(records, cpu);
    const state = records.cpu(cpu) + places.X86_STATE_OFFSET;
    return [
      ["gs.base", gs],
      ["cr2", records.u64(state + offsets.X86State.cr2)],
    ];
  }
  const state = records.cpu(cpu) + places.STATE_OFFSET;
  const field = (name: keyof (typeof offsets)["Arm64State"]): bigint => records.u64(state + offsets.Arm64State[name]);
  return [
    ["tpidr_el1", field("tpidrEl1")],
    ["elr_el1", field("elr")],
    ["spsr_el1", field("spsr")],
    ["esr_el1", field("esr")],
    ["far_el1", field("far")],
  ];
}
