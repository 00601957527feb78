// Guests for rules about the local APIC: macros that reach its registers in either mode, names of what is written there, and a log
// per CPU of what it reads, which interrupts it takes, and which accesses raise #GP.
//
//   expect(alone("xapic", "write APIC_TPR, $0x50; send $SELF | 0x61; open; read APIC_TPR")).toEqual(["int 0x61", 0x50]);

import { type LocalInterrupt, XAPIC_BASE } from "../../../src/abi.ts";
import { buildTopology } from "../../../src/topology/index.ts";
import { TextGuest } from "../../instructions/x86-64/text-guest.ts";
import { PAGE_RW } from "../../support/bare-machine.ts";
import { plainTiming, type Figures } from "../../support/plain-timing.ts";

export type Mode = "xapic" | "x2apic";
export const MODES = ["xapic", "x2apic"] as const;

/** Offsets in the page of xAPIC mode (SDM 3A table 11-1); in x2APIC mode offset / 16 is the MSR's distance from 800H (11.12.1.2). */
export const OFFSETS = {
  APIC_ID: 0x20, APIC_VERSION: 0x30, APIC_TPR: 0x80, APIC_APR: 0x90, APIC_PPR: 0xa0, APIC_EOI: 0xb0, APIC_RRD: 0xc0,
  APIC_LDR: 0xd0, APIC_DFR: 0xe0, APIC_SVR: 0xf0, APIC_ISR: 0x100, APIC_TMR: 0x180, APIC_IRR: 0x200, APIC_ESR: 0x280,
  APIC_LVT_CMCI: 0x2f0, APIC_ICR: 0x300, APIC_ICR_HIGH: 0x310, APIC_LVT_TIMER: 0x320, APIC_LVT_THERMAL: 0x330,
  APIC_LVT_PMI: 0x340, APIC_LVT_LINT0: 0x350, APIC_LVT_LINT1: 0x360, APIC_LVT_ERROR: 0x370, APIC_INIT_COUNT: 0x380,
  APIC_CUR_COUNT: 0x390, APIC_DIV_CONF: 0x3e0, APIC_SELF_IPI: 0x3f0,
} as const; // prettier-ignore

/** Fields of ICR and of entries of the LVT (SDM 3A figures 11-8, 11-12), and what else programs write by name. */
export const FIELDS = {
  LOWEST_PRIORITY: 1 << 8, SMI: 2 << 8, NMI: 4 << 8, INIT: 5 << 8, STARTUP: 6 << 8, EXTINT: 7 << 8,
  LOGICAL: 1 << 11, ASSERT: 1 << 14, LEVEL: 1 << 15, SELF: 1 << 18, ALL: 2 << 18, OTHERS: 3 << 18,
  REMOTE_IRR: 1 << 14, MASKED: 1 << 16, PERIODIC: 1 << 17, TSC_DEADLINE: 2 << 17,
  /** Divide configuration: one count per clock. */
  BY_ONE: 0xb,
  /** SVR: software-enabled, with the spurious vector that Linux has. */
  ENABLED: 0x1ff,
} as const; // prettier-ignore

/** IA32_APIC_BASE of the BSP, by mode (11.4.4). */
export const BASES = {
  BASE_DISABLED: 0xfee0_0100n,
  BASE_XAPIC: 0xfee0_0900n,
  BASE_X2APIC: 0xfee0_0d00n,
  BASE_EXTD_ONLY: 0xfee0_0500n,
} as const;

const LOGS = 0x10_0000;
const LOG_BYTES = 0x1000;
const LOG_KINDS = { LOG_VALUE: 1, LOG_INTERRUPT: 2, LOG_NMI: 3, LOG_PROTECTION: 4 } as const;
const SYMBOLS = { ...OFFSETS, ...FIELDS, ...BASES, ...LOG_KINDS, LOGS, LOG_BYTES, APIC_PAGE: XAPIC_BASE } as const;

/**
 * Values are operands: $constant, %register. R13 is the page of xAPIC mode, R14 the place in the log; RAX, RCX and RDX change.
 *
 *   write REGISTER, value       a register of the local APIC, by its offset and the interface of the mode
 *   read REGISTER               notes it
 *   send command, destination   ICR; the destination as in x2APIC mode, of which xAPIC mode takes the lower 8 bits
 *   writemsr MSR, value         64 bits
 *   readmsr MSR                 notes 64 bits
 *   note value                  RAX if not given
 *   delay cycles                lets at least so many pass: 1000 if not given
 *   open cycles                 with interrupts open meanwhile
 */
const MACROS = `
  .macro log kind
    movq $\\kind, (%r14)
    mov %rax, 8(%r14)
    lea 16(%r14), %r14
  .endm
  .macro note value=%rax
    mov \\value, %rax
    log LOG_VALUE
  .endm
  .macro writemsr msr, value
    mov \\value, %rax
    mov %rax, %rdx
    shr $32, %rdx
    mov $\\msr, %ecx
    wrmsr
  .endm
  .macro readmsr msr
    mov $\\msr, %ecx
    rdmsr
    shl $32, %rdx
    or %rdx, %rax
    note
  .endm
  .macro delay cycles=$1000
    mov \\cycles, %ecx
    996: sub $2, %ecx
    ja 996b
  .endm
  .macro open cycles=$1000
    sti
    delay \\cycles
    cli
  .endm`;
const ACCESSES: Readonly<Record<Mode, string>> = {
  xapic: `
  .macro write register, value
    movl \\value, \\register(%r13)
  .endm
  .macro read register
    mov \\register(%r13), %eax
    note
  .endm
  .macro send command, destination=$0
    mov \\destination, %eax
    shl $24, %eax
    mov %eax, APIC_ICR_HIGH(%r13)
    movl \\command, APIC_ICR(%r13)
  .endm`,
  x2apic: `
  .macro write register, value
    mov \\value, %eax
    xor %edx, %edx
    mov $0x800 + ((\\register) >> 4), %ecx
    wrmsr
  .endm
  .macro read register
    mov $0x800 + ((\\register) >> 4), %ecx
    rdmsr
    note
  .endm
  .macro send command, destination=$0
    mov \\command, %eax
    mov \\destination, %edx
    mov $0x800 + (APIC_ICR >> 4), %ecx
    wrmsr
  .endm`,
};

export interface ApicOptions {
  /** By CPU; their numbers if not given. */
  readonly apicIds?: readonly number[];
  readonly figures?: Figures;
  /** Whether handlers of maskable interrupts end in an EOI; they do if not given. */
  readonly ends?: boolean;
  /** Local interrupts that the host makes signal. */
  readonly signals?: readonly { readonly cpu?: number; readonly source: LocalInterrupt; readonly cycle: number }[];
  /** Whether APICs are software-enabled before the programs; they are if not given. */
  readonly enabled?: boolean;
}

/** Entries of a CPU's log: numbers that it has read, "int 0x40", "nmi", "#GP". */
export type Log = readonly (number | bigint | string)[];

export class ApicGuest extends TextGuest {
  /** What each CPU runs, `undefined` for one that was never started. */
  constructor(mode: Mode, programs: readonly (string | undefined)[], options: ApicOptions = {}) {
    const { apicIds = [...programs.keys()], figures = {}, ends = true, enabled = true, signals = [] } = options;
    const prologue = "mov $APIC_PAGE, %r13d; mov $LOGS + CPU * LOG_BYTES, %r14d;";
    super({
      topology: buildTopology({ packages: 1, coresPerLlc: apicIds.length, apicIds }),
      timing: plainTiming("x86-64", { interrupt: 100, selfInterrupt: 20, ...figures }),
      localApic: mode,
      enableApic: enabled,
      symbols: SYMBOLS,
      macros: MACROS + ACCESSES[mode],
      programs: programs.map((program) => (program === undefined ? undefined : `${prologue} ${program}`)),
      handlers: {
        nmi: { raw: "log LOG_NMI; iretq" },
        // Goes on behind RDMSR or WRMSR, two bytes each.
        gp: { raw: "log LOG_PROTECTION; add $8, %rsp; addq $2, (%rsp); iretq" },
        others: `mov %r15, %rax; log LOG_INTERRUPT; ${ends ? "write APIC_EOI, $0" : ""}`,
      },
    });
    this.machine.map(LOGS, LOG_BYTES * programs.length, PAGE_RW);
    for (const { cpu = 0, source, cycle } of signals)
      this.machine.core.signalLocalInterrupt(cpu, source, BigInt(cycle));
    this.run();
    this.logs = programs.map((_, cpu) => this.#logOf(cpu));
  }

  readonly logs: readonly Log[];

  #logOf(cpu: number): Log {
    const log: (number | bigint | string)[] = [];
    const { machine } = this;
    for (let at = LOGS + cpu * LOG_BYTES; machine.read64(at) !== 0n; at += 16) {
      const value = machine.read64(at + 8);
      const kind = Number(machine.read64(at));
      if (kind === LOG_KINDS.LOG_VALUE) log.push(value > BigInt(Number.MAX_SAFE_INTEGER) ? value : Number(value));
      else if (kind === LOG_KINDS.LOG_PROTECTION) log.push("#GP");
      else log.push(kind === LOG_KINDS.LOG_NMI ? "nmi" : `int 0x${value.toString(16)}`);
    }
    return log;
  }
}

/** The logs of as many CPUs as there are programs. */
export function logsOf(mode: Mode, programs: readonly string[], options: ApicOptions = {}): readonly Log[] {
  return new ApicGuest(mode, programs, options).logs;
}

/** One CPU's log. */
export function alone(mode: Mode, program: string, options: ApicOptions = {}): Log {
  return logsOf(mode, [program], options)[0] ?? [];
}

/** The same statements for each of some registers. */
export function each<Item extends string | number>(items: readonly Item[], text: (item: Item) => string): string {
  return `${items.map(text).join("\n")}\n`;
}
