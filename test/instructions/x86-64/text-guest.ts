// A bare x86-64 machine whose programs and handlers are text: for tests that state a rule and can be read beside the manual.
//
//   const guest = runGuest({
//     programs: [wrmsr("IA32_X2APIC_ICR", icr(0x40, { destination: 1 })), "sti; hlt; mov $1, %r8"],
//     handlers: { 0x40: note(0x40) + endOfInterrupt(), nmi: "incq DATA" },
//   });
//   expect(guest.noted).toEqual([0x40n]);

import { type CpuState, XAPIC_BASE } from "../../../src/abi.ts";
import { assembleText, type AssembledText } from "../../../src/asm/index.ts";
import { placed } from "../../../src/errors.ts";
import type { Code } from "./code.ts";
import {
  CODE,
  CONSTANTS,
  DATA,
  type Frame,
  type Gate,
  Guest,
  type GuestOptions,
  IDT,
  loadTables,
  PSEUDO_DESCRIPTORS,
  STACKS,
} from "./guest.ts";

/** Exceptions by their names in the manual (SDM volume 3A, table 6-1). */
const EXCEPTIONS = {
  de: 0, db: 1, nmi: 2, bp: 3, of: 4, br: 5, ud: 6, nm: 7, df: 8, ts: 10, np: 11, ss: 12, gp: 13, pf: 14, mf: 16, ac: 17, mc: 18,
} as const; // prettier-ignore
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

/** Registers of the processor that texts may call by their names (SDM volume 3A, table 11-6; volume 4). */
const MSRS = {
  IA32_TSC: 0x10, IA32_APIC_BASE: 0x1b, IA32_TSC_ADJUST: 0x3b, IA32_TSC_DEADLINE: 0x6e0, IA32_TSC_AUX: 0xc000_0103,
  IA32_EFER: 0xc000_0080, IA32_STAR: 0xc000_0081, IA32_LSTAR: 0xc000_0082, IA32_FMASK: 0xc000_0084, IA32_FS_BASE: 0xc000_0100, IA32_GS_BASE: 0xc000_0101, IA32_KERNEL_GS_BASE: 0xc000_0102,
  IA32_X2APIC_APICID: 0x802, IA32_X2APIC_VERSION: 0x803, IA32_X2APIC_TPR: 0x808, IA32_X2APIC_PPR: 0x80a, IA32_X2APIC_EOI: 0x80b,
  IA32_X2APIC_LDR: 0x80d, IA32_X2APIC_SIVR: 0x80f, IA32_X2APIC_ISR0: 0x810, IA32_X2APIC_TMR0: 0x818, IA32_X2APIC_IRR0: 0x820,
  IA32_X2APIC_ESR: 0x828, IA32_X2APIC_LVT_CMCI: 0x82f, IA32_X2APIC_ICR: 0x830, IA32_X2APIC_LVT_TIMER: 0x832,
  IA32_X2APIC_LVT_THERMAL: 0x833, IA32_X2APIC_LVT_PMI: 0x834, IA32_X2APIC_LVT_LINT0: 0x835, IA32_X2APIC_LVT_LINT1: 0x836,
  IA32_X2APIC_LVT_ERROR: 0x837, IA32_X2APIC_INIT_COUNT: 0x838, IA32_X2APIC_CUR_COUNT: 0x839, IA32_X2APIC_DIV_CONF: 0x83e,
  IA32_X2APIC_SELF_IPI: 0x83f,
} as const; // prettier-ignore

/** Upper half of DATA: a count, then what was noted. */
const NOTES = DATA + 0x800;
/** What LGDT and LIDT load. */
const POINTERS = { GDT_POINTER: PSEUDO_DESCRIPTORS, IDT_POINTER: PSEUDO_DESCRIPTORS + 16 } as const;
const SYMBOLS = { ...MSRS, ...POINTERS, CODE, IDT, DATA, CONSTANTS, STACKS, NOTES } as const;

/** CPUs that have a task state segment. */
const TSS_COUNT = 8;

export interface Handler {
  /** The whole handler: saves nothing, and ends as it likes. */
  readonly raw: string;
}

export interface TextGuestOptions extends Omit<GuestOptions, "cpus"> {
  /** By default as many as there are programs. */
  readonly cpus?: number;
  /**
   * What each CPU runs, `undefined` for one that stays off; a single text is run by all. Before it come the tables (GDT, IDT, TSS, with
   * data segments) and the APIC's enabling; behind it CLI and HLT for good. RDI and the symbol CPU are the CPU's number. Symbols:
   * CODE, IDT, GDT_POINTER, IDT_POINTER, DATA, CONSTANTS, STACKS, MSRs by their names, labels of `shared`, and `symbols`.
   */
  readonly programs: string | readonly (string | undefined)[];
  /**
   * By vector or name (nmi, gp …). A text alone keeps RAX, RCX and RDX, drops the error code, and ends with IRETQ. `others` handles
   * all that have none of their own, with the vector in R15, and drops no error code.
   */
  readonly handlers?: Readonly<Partial<Record<number | keyof typeof EXCEPTIONS | "others", string | Handler>>>;
  /** Macros that all texts know: .macro … .endm, without comments. */
  readonly macros?: string;
  /** Routines whose labels all texts know. */
  readonly shared?: string;
  readonly symbols?: Readonly<Record<string, number | bigint>>;
  /** Whether the prologue software-enables the local APIC (SVR = 1FFH); true if not given. */
  readonly enableApic?: boolean;
  /** Whether the prologue loads GDTR, IDTR and TR; true if not given. */
  readonly loadTables?: boolean;
}

type RegisterName = (typeof REGISTER_NAMES)[number];
const REGISTER_NAMES = [
  "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
] as const; // prettier-ignore

export class TextGuest extends Guest {
  readonly #texts: ReadonlyMap<string, AssembledText>;

  /** All CPUs with a program are started. */
  constructor(options: TextGuestOptions) {
    const texts = new Map<string, AssembledText>();
    const handlers = handlersByVector(options);
    const programs = programsOf(options);
    const others = options.handlers?.others === undefined ? {} : { others: "others" };
    super((code) => emitAll(code, texts, programs, handlers, options), {
      ...options,
      ...others,
      cpus: options.cpus ?? programs.length,
      gates: { ...options.gates, ...gatesOf(handlers, options) },
    });
    this.#texts = texts;
    this.start(...programs.map((program, cpu) => (program === undefined ? undefined : `program${cpu}`)));
  }

  /** Address of a label, by the text that has it: program0, handler64 (for vector 40H), shared. */
  address(text: string, label: string): bigint {
    const assembled = this.#texts.get(text);
    if (assembled === undefined) throw new Error(`no text ${text}, only ${[...this.#texts.keys()].join(" ")}`);
    return BigInt(assembled.label(label));
  }

  /** Address of a label that one of the texts alone has; or of a whole text: program0, handler64, shared. */
  override label(name: string): bigint {
    const found = [...this.#texts].filter(([, { labels }]) => labels.has(name)).map(([text]) => text);
    if (found.length > 1) throw new Error(`the label ${name} is in ${found.join(" and ")}`);
    return found[0] === undefined ? super.label(name) : this.address(found[0], name);
  }

  /** Puts a text to an address of its own, over what is there. */
  place(address: number, text: string): this {
    this.machine.write(address, assembleText(text, { architecture: "x86-64", base: address, symbols: SYMBOLS }).bytes);
    return this;
  }

  reg(cpu: number, name: RegisterName): bigint {
    return this.register(cpu, REGISTER_NAMES.indexOf(name));
  }

  regs(cpu: number, ...names: RegisterName[]): bigint[] {
    return names.map((name) => this.reg(cpu, name));
  }

  state(cpu: number): CpuState {
    return this.machine.state(cpu);
  }

  pc(cpu: number): bigint {
    return this.machine.pc(cpu);
  }

  /** What note() wrote, in order. */
  get noted(): bigint[] {
    const count = Number(this.machine.read64(NOTES));
    return Array.from({ length: count }, (_, index) => this.machine.read64(NOTES + 8 * (index + 1)));
  }
}

/** The guest when all has come to rest, or after some cycles. */
export function runGuest(options: TextGuestOptions, cycles?: number): TextGuest {
  const guest = new TextGuest(options);
  guest.run(cycles);
  return guest;
}

/** A program of one CPU, and what its handler was called with where it raised an exception without a handler of its own. */
export function caught(
  program: string,
  options: Omit<TextGuestOptions, "programs"> = {},
): { readonly guest: TextGuest; readonly frame: Frame } {
  const guest = runGuest({ ...options, programs: [program] });
  return { guest, frame: guest.frame() };
}

// --- putting the texts together --------------------------------------------------------------------------------------

function programsOf({ programs, cpus = 1 }: TextGuestOptions): readonly (string | undefined)[] {
  return typeof programs === "string" ? Array.from({ length: cpus }, () => programs) : programs;
}

function handlersByVector({ handlers = {} }: TextGuestOptions): ReadonlyMap<number, string | Handler> {
  const byName: Readonly<Record<string, number>> = EXCEPTIONS;
  const own = Object.entries(handlers).filter(([name]) => name !== "others");
  return new Map(own.map(([name, handler]) => [byName[name] ?? Number(name), handler ?? ""]));
}

function gatesOf(handlers: ReadonlyMap<number, unknown>, { gates = {} }: TextGuestOptions): Record<number, Gate> {
  return Object.fromEntries(
    [...handlers.keys()].map((vector) => [vector, { label: `handler${vector}`, ...gates[vector] }]),
  );
}

function emitAll(
  code: Code,
  texts: Map<string, AssembledText>,
  programs: readonly (string | undefined)[],
  handlers: ReadonlyMap<number, string | Handler>,
  options: TextGuestOptions,
): void {
  const symbols: Record<string, number | bigint> = { ...SYMBOLS, ...options.symbols };
  // In front of the texts, so that their lines count from 1 in messages.
  const macros = onOneLine(options.macros ?? "");
  const emit = (name: string, text: string, more: Record<string, number> = {}): void => {
    const assembled = placed(name, () =>
      assembleText(`${macros} ${text}`, { architecture: "x86-64", base: code.here, symbols: { ...symbols, ...more } }),
    );
    texts.set(name, assembled);
    code.raw(...assembled.bytes);
  };
  emit("shared", options.shared ?? "");
  for (const [label, address] of texts.get("shared")?.labels ?? []) symbols[label] = address;
  for (const [vector, handler] of handlers) {
    code.label(`handler${vector}`);
    emit(`handler${vector}`, handlerText(vector, handler));
  }
  if (options.handlers?.others !== undefined) {
    code.label("others");
    emit("others", handlerText(undefined, options.handlers.others));
  }
  for (const [cpu, program] of programs.entries()) {
    if (program === undefined) continue;
    code.label(`program${cpu}`);
    if (options.loadTables !== false) {
      if (cpu >= TSS_COUNT) throw new Error(`only ${TSS_COUNT} CPUs have a TSS: loadTables: false`);
      loadTables(code, cpu);
    }
    const prologue = options.enableApic === false ? "" : onOneLine(enableApic(options.localApic));
    emit(`program${cpu}`, `${prologue} ${program}\n${halt}`, { CPU: cpu });
  }
}

function onOneLine(text: string): string {
  return text === "" ? "" : `${text.replaceAll("\n", ";")};`;
}

function enableApic(mode: TextGuestOptions["localApic"]): string {
  if (mode !== "xapic") return wrmsr("IA32_X2APIC_SIVR", 0x1ff);
  return `mov $${XAPIC_BASE}, %edx; movl $0x1ff, 0xf0(%rdx)`;
}

function handlerText(vector: number | undefined, handler: string | Handler): string {
  if (typeof handler !== "string") return handler.raw;
  const drop = vector !== undefined && WITH_ERROR_CODE.has(vector) ? "add $8, %rsp" : "";
  return `push %rax; push %rcx; push %rdx; ${handler}\n pop %rdx; pop %rcx; pop %rax; ${drop}; iretq`;
}

// --- pieces of texts -------------------------------------------------------------------------------------------------

/** Waits for good. */
export const halt = "cli; 999: hlt; jmp 999b";

/** `msr` is a number or an expression: IA32_X2APIC_ICR. Changes RAX, RCX and RDX. */
export function wrmsr(msr: number | string, value: number | bigint): string {
  const wide = BigInt.asUintN(64, BigInt(value));
  return `mov $${msr}, %ecx; mov $${wide & 0xffff_ffffn}, %eax; mov $${wide >> 32n}, %edx; wrmsr\n`;
}

/** RDMSR (IA32_X2APIC_ISR0 + 2, say) to a register of 64 bits or memory; changes RAX, RCX and RDX. */
export function rdmsr(msr: number | string, to: string): string {
  return `mov $${msr}, %ecx; rdmsr; shl $32, %rdx; or %rdx, %rax; mov %rax, ${to}\n`;
}

/** Lets some cycles pass per turn; changes RCX. */
export function wait(turns: number): string {
  return `mov $${turns}, %ecx; 998: dec %rcx; jnz 998b\n`;
}

/** Appends a number to what the test reads as `noted`; changes RBX. */
export function note(number: number): string {
  return `mov $1, %ebx; lock xadd %rbx, NOTES; movq $${number}, NOTES + 8(,%rbx,8)\n`;
}

/** Sets a word of DATA to one. */
export function setWord(index: number): string {
  return `movq $1, DATA + 8 * ${index}\n`;
}

/** Waits until a word of DATA is not zero. */
export function awaitWord(index: number): string {
  return `997: cmpq $0, DATA + 8 * ${index}; je 997b\n`;
}

/** Arms a monitor, of an address or expression; changes RAX, RCX and RDX. */
export function monitor(address: number | string): string {
  return `mov $${address}, %eax; xor %ecx, %ecx; xor %edx, %edx; monitor\n`;
}

/** Changes RAX, RCX and RDX. */
export function endOfInterrupt(): string {
  return wrmsr("IA32_X2APIC_EOI", 0);
}
