// All instruction forms of the x86-64 emitter with random operands, in Intel syntax for GNU as.

import type { X64Assembler } from "../../../src/asm/index.ts";
import { x64 } from "../../../src/asm/index.ts";
import type { Form } from "../support/form.ts";
import type { Random } from "../support/random.ts";

type Width = 8 | 16 | 32 | 64;
type Register = x64.X64Register;
type Memory = x64.X64Memory;
interface Operand<T> {
  readonly text: string;
  readonly value: T;
}

const WIDTHS: readonly Width[] = [8, 16, 32, 64];
const WIDE: readonly Width[] = [16, 32, 64];
const POINTER: Readonly<Record<Width, string>> = { 8: "byte", 16: "word", 32: "dword", 64: "qword" };

function register(random: Random, width: Width): Operand<Register> {
  const value = x64.gpr(random.below(16), width);
  return { text: value.name, value };
}

const DISPLACEMENTS = [0, 1, -1, 8, 127, 128, -128, -129, 0x1000, 0x7fff_ffff, -0x8000_0000];

/** Any addressing mode; rsp is no index. */
function memory(random: Random, width: Width, prefix = `${POINTER[width]} ptr `): Operand<Memory> {
  const displacement = random.chance(0.5) ? random.pick(DISPLACEMENTS) : random.between(-5000, 5000);
  const segment = random.chance(0.15) ? random.pick(["gs", "fs"] as const) : undefined;
  const base = random.chance(0.85) ? x64.gpr(random.below(16), 64) : undefined;
  const index = random.chance(0.4)
    ? x64.gpr(random.pick([0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]), 64)
    : undefined;
  const scale = index === undefined ? 1 : random.pick([1, 2, 4, 8] as const);
  const parts = [base?.name, index === undefined ? undefined : `${index.name}*${scale}`].filter(
    (part) => part !== undefined,
  );
  // Without registers the displacement alone; as would take a bare number in brackets without a segment for an immediate.
  const inner =
    parts.length === 0
      ? `${displacement}`
      : displacement === 0
        ? parts.join("+")
        : `${parts.join("+")}+${displacement}`;
  const isBare = parts.length === 0;
  const usedSegment = isBare && segment === undefined ? "ds" : segment;
  const text = `${prefix}${usedSegment === undefined ? "" : `${usedSegment}:`}[${inner}]`;
  return {
    text,
    value: x64.memory(width, {
      displacement,
      scale,
      ...(base === undefined ? {} : { base }),
      ...(index === undefined ? {} : { index }),
      ...(segment === undefined ? {} : { segment }),
    }),
  };
}

function either(random: Random, width: Width): Operand<Register | Memory> {
  return random.chance(0.5) ? register(random, width) : memory(random, width);
}

function immediate(random: Random, width: Width): number {
  const bits = Math.min(width, 32);
  const edges = [0, 1, -1, 127, -128, 128, -129, 2 ** (bits - 1) - 1, -(2 ** (bits - 1))];
  const value = random.chance(0.6) ? random.pick(edges) : Math.floor((random.bits() / 2 ** 32 - 0.5) * 2 ** bits);
  return Math.max(-(2 ** (bits - 1)), Math.min(2 ** (bits - 1) - 1, value));
}

function form(name: string, make: Form<X64Assembler>["make"]): Form<X64Assembler> {
  return { name, make };
}

/** Instructions without operands, by the name of their method and that of as. */
const SIMPLE = {
  pushfq: "pushfq", popfq: "popfq", cqo: "cqo", cdq: "cdq", cdqe: "cdqe", ret: "ret", retfq: "rex.w retf", iretq: "iretq",
  syscall: "syscall", sysretq: "sysretq", int3: "int3", ud2: "ud2", endbr64: "endbr64", cld: "cld", std: "std",
  repMovsb: "rep movsb", repMovsq: "rep movsq", repStosb: "rep stosb", repStosq: "rep stosq", cli: "cli", sti: "sti", hlt: "hlt",
  pause: "pause", monitor: "monitor", mwait: "mwait", mfence: "mfence", lfence: "lfence", sfence: "sfence", serialize: "serialize",
  wbinvd: "wbinvd", invd: "invd", wrmsr: "wrmsr", rdmsr: "rdmsr", cpuid: "cpuid", rdtsc: "rdtsc", rdtscp: "rdtscp",
  rdpmc: "rdpmc", xgetbv: "xgetbv", xsetbv: "xsetbv", swapgs: "swapgs", stac: "stac", clac: "clac", vmcall: "vmcall",
  vmmcall: "vmmcall", clts: "clts",
} as const; // prettier-ignore

const ALU = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"] as const;
const LOCKABLE = ["add", "or", "adc", "sbb", "and", "sub", "xor"] as const;
const SHIFTS = ["rol", "ror", "shl", "shr", "sar"] as const;
const BITS = ["bt", "bts", "btr", "btc"] as const;

export const x64Forms: readonly Form<X64Assembler>[] = [
  form("mov reg/mem, reg", (r) => {
    const width = r.pick(WIDTHS);
    const to = either(r, width);
    const from = register(r, width);
    return { text: `mov ${to.text}, ${from.text}`, emit: (a) => a.mov(to.value, from.value) };
  }),
  form("mov reg, mem", (r) => {
    const width = r.pick(WIDTHS);
    const to = register(r, width);
    const from = memory(r, width);
    return { text: `mov ${to.text}, ${from.text}`, emit: (a) => a.mov(to.value, from.value) };
  }),
  form("mov reg/mem, imm", (r) => {
    const width = r.pick(WIDTHS);
    const to = either(r, width);
    const value = immediate(r, width);
    return { text: `mov ${to.text}, ${value}`, emit: (a) => a.mov(to.value, value) };
  }),
  form("movabs", (r) => {
    const to = register(r, 64);
    const value = r.bits64();
    return { text: `movabs ${to.text}, ${value}`, emit: (a) => a.movabs(to.value, value) };
  }),
  form("movzx, movsx", (r) => {
    const from = either(r, r.pick([8, 16]));
    const to = register(r, r.pick(from.value.width === 8 ? WIDE : ([32, 64] as const)));
    const name = r.pick(["movzx", "movsx"] as const);
    return { text: `${name} ${to.text}, ${from.text}`, emit: (a) => a[name](to.value, from.value) };
  }),
  form("movsxd", (r) => {
    const to = register(r, 64);
    const from = either(r, 32);
    return { text: `movsxd ${to.text}, ${from.text}`, emit: (a) => a.movsxd(to.value, from.value) };
  }),
  form("lea", (r) => {
    const to = register(r, r.pick([32, 64]));
    const from = memory(r, 64, "");
    return { text: `lea ${to.text}, ${from.text}`, emit: (a) => a.lea(to.value, from.value) };
  }),
  form("push", (r) => {
    const kind = r.below(3);
    if (kind === 2) {
      const value = immediate(r, 32);
      return { text: `push ${value}`, emit: (a) => a.push(value) };
    }
    const operand = kind === 0 ? register(r, 64) : memory(r, 64);
    return { text: `push ${operand.text}`, emit: (a) => a.push(operand.value) };
  }),
  form("pop", (r) => {
    const operand = either(r, 64);
    return { text: `pop ${operand.text}`, emit: (a) => a.pop(operand.value) };
  }),
  form("xchg", (r) => {
    const width = r.pick(WIDTHS);
    const one = memory(r, width);
    const other = register(r, width);
    return { text: `xchg ${one.text}, ${other.text}`, emit: (a) => a.xchg(one.value, other.value) };
  }),
  form("xchg registers", (r) => {
    const width = r.pick(WIDTHS);
    const one = register(r, width);
    const other = register(r, width);
    return { text: `xchg ${one.text}, ${other.text}`, emit: (a) => a.xchg(one.value, other.value) };
  }),
  form("alu reg/mem, reg", (r) => {
    const width = r.pick(WIDTHS);
    const name = r.pick(ALU);
    const to = either(r, width);
    const from = register(r, width);
    return { text: `${name} ${to.text}, ${from.text}`, emit: (a) => a[name](to.value, from.value) };
  }),
  form("alu reg, mem", (r) => {
    const width = r.pick(WIDTHS);
    const name = r.pick(ALU);
    const to = register(r, width);
    const from = memory(r, width);
    return { text: `${name} ${to.text}, ${from.text}`, emit: (a) => a[name](to.value, from.value) };
  }),
  form("alu reg/mem, imm", (r) => {
    const width = r.pick(WIDTHS);
    const name = r.pick(ALU);
    const to = either(r, width);
    const value = immediate(r, width);
    return { text: `${name} ${to.text}, ${value}`, emit: (a) => a[name](to.value, value) };
  }),
  form("lock alu mem, reg/imm", (r) => {
    const width = r.pick(WIDTHS);
    const name = r.pick(LOCKABLE);
    const to = memory(r, width);
    if (r.chance(0.5)) {
      const value = immediate(r, width);
      return { text: `lock ${name} ${to.text}, ${value}`, emit: (a) => a.lock()[name](to.value, value) };
    }
    const from = register(r, width);
    return { text: `lock ${name} ${to.text}, ${from.text}`, emit: (a) => a.lock()[name](to.value, from.value) };
  }),
  form("test", (r) => {
    const width = r.pick(WIDTHS);
    const one = either(r, width);
    if (r.chance(0.5)) {
      const value = immediate(r, width);
      return { text: `test ${one.text}, ${value}`, emit: (a) => a.test(one.value, value) };
    }
    const other = register(r, width);
    return { text: `test ${one.text}, ${other.text}`, emit: (a) => a.test(one.value, other.value) };
  }),
  form("inc, dec, neg, not", (r) => {
    const operand = either(r, r.pick(WIDTHS));
    const name = r.pick(["inc", "dec", "neg", "not"] as const);
    return { text: `${name} ${operand.text}`, emit: (a) => a[name](operand.value) };
  }),
  form("lock inc, dec", (r) => {
    const operand = memory(r, r.pick(WIDTHS));
    const name = r.pick(["inc", "dec"] as const);
    return { text: `lock ${name} ${operand.text}`, emit: (a) => a.lock()[name](operand.value) };
  }),
  form("mul, div, idiv", (r) => {
    const operand = either(r, r.pick(WIDTHS));
    const name = r.pick(["mul", "div", "idiv"] as const);
    return { text: `${name} ${operand.text}`, emit: (a) => a[name](operand.value) };
  }),
  form("imul reg, reg/mem", (r) => {
    const width = r.pick(WIDE);
    const to = register(r, width);
    const from = either(r, width);
    return { text: `imul ${to.text}, ${from.text}`, emit: (a) => a.imul(to.value, from.value) };
  }),
  form("imul reg, reg/mem, imm", (r) => {
    const width = r.pick(WIDE);
    const to = register(r, width);
    const from = either(r, width);
    const value = immediate(r, width);
    return { text: `imul ${to.text}, ${from.text}, ${value}`, emit: (a) => a.imul(to.value, from.value, value) };
  }),
  form("shift", (r) => {
    const operand = either(r, r.pick(WIDTHS));
    const name = r.pick(SHIFTS);
    const count = r.chance(0.3) ? "cl" : r.between(1, operand.value.width - 1);
    return { text: `${name} ${operand.text}, ${count}`, emit: (a) => a.shift(name, operand.value, count) };
  }),
  form("bt family, register", (r) => {
    const width = r.pick(WIDE);
    const operand = either(r, width);
    const name = r.pick(BITS);
    const bit = register(r, width);
    return { text: `${name} ${operand.text}, ${bit.text}`, emit: (a) => a.bit(name, operand.value, bit.value) };
  }),
  form("bt family, constant", (r) => {
    const width = r.pick(WIDE);
    const operand = either(r, width);
    const name = r.pick(BITS);
    const bit = r.below(width);
    return { text: `${name} ${operand.text}, ${bit}`, emit: (a) => a.bit(name, operand.value, bit) };
  }),
  form("lock bts, btr", (r) => {
    const width = r.pick(WIDE);
    const operand = memory(r, width);
    const name = r.pick(["bts", "btr"] as const);
    const bit = register(r, width);
    return {
      text: `lock ${name} ${operand.text}, ${bit.text}`,
      emit: (a) => a.lock().bit(name, operand.value, bit.value),
    };
  }),
  form("bit scans", (r) => {
    const width = r.pick(WIDE);
    const to = register(r, width);
    const from = either(r, width);
    const name = r.pick(["bsf", "bsr", "tzcnt", "lzcnt", "popcnt"] as const);
    return { text: `${name} ${to.text}, ${from.text}`, emit: (a) => a[name](to.value, from.value) };
  }),
  form("bswap", (r) => {
    const operand = register(r, r.pick([32, 64]));
    return { text: `bswap ${operand.text}`, emit: (a) => a.bswap(operand.value) };
  }),
  form("lock xadd, cmpxchg", (r) => {
    const width = r.pick(WIDTHS);
    const to = memory(r, width);
    const from = register(r, width);
    const name = r.pick(["xadd", "cmpxchg"] as const);
    return { text: `lock ${name} ${to.text}, ${from.text}`, emit: (a) => a.lock()[name](to.value, from.value) };
  }),
  form("cmpxchg16b", (r) => {
    const to = memory(r, 64, "xmmword ptr ");
    return { text: `lock cmpxchg16b ${to.text}`, emit: (a) => a.lock().cmpxchg16b(to.value) };
  }),
  form("setcc", (r) => {
    const condition = r.pick(x64.CONDITIONS);
    const to = either(r, 8);
    return { text: `set${condition} ${to.text}`, emit: (a) => a.setcc(condition, to.value) };
  }),
  form("cmovcc", (r) => {
    const condition = r.pick(x64.CONDITIONS);
    const width = r.pick(WIDE);
    const to = register(r, width);
    const from = either(r, width);
    return {
      text: `cmov${condition} ${to.text}, ${from.text}`,
      emit: (a) => a.cmovcc(condition, to.value, from.value),
    };
  }),
  form("branch to a label", (r) => {
    // Distances on both sides of the short form's limits.
    const gap = r.pick([0, 1, 125, 126, 127, 128, 129, 200]);
    const isBackward = r.chance(0.5);
    const name = r.chance(0.3) ? "jmp" : `j${r.pick(x64.CONDITIONS)}`;
    const branch = (a: X64Assembler, label: number): void => {
      if (name === "jmp") a.jmp(label);
      else a.jcc(name.slice(1) as x64.X64Condition, label);
    };
    const filler = `.skip ${gap}, 0x90`;
    return {
      text: isBackward ? `9: ${filler}; ${name} 9b` : `${name} 9f; ${filler}; 9:`,
      emit: (a) => {
        const label = a.newLabel();
        if (isBackward) a.place(label);
        else branch(a, label);
        for (let i = 0; i < gap; i++) a.nop();
        if (isBackward) branch(a, label);
        else a.place(label);
      },
    };
  }),
  form("indirect branches", (r) => {
    const target = either(r, 64);
    const name = r.pick(["call", "jmp"] as const);
    return { text: `${name} ${target.text}`, emit: (a) => a[`${name}Indirect`](target.value) };
  }),
  form("far jump", (r) => {
    const target = memory(r, 32, "fword ptr ");
    return { text: `jmp ${target.text}`, emit: (a) => a.jmpFar(target.value) };
  }),
  form("simple", (r) => {
    const name = r.pick(Object.keys(SIMPLE) as (keyof typeof SIMPLE)[]);
    return { text: SIMPLE[name], emit: (a) => a[name]() };
  }),
  form("int", (r) => {
    const vector = r.pick([0x20, 0x80, 0xff]);
    return { text: `int ${vector}`, emit: (a) => a.int(vector) };
  }),
  form("umonitor, umwait, tpause", (r) => {
    const operand = register(r, 32);
    const name = r.pick(["umwait", "tpause"] as const);
    if (r.chance(0.3)) {
      const address = register(r, 64);
      return { text: `umonitor ${address.text}`, emit: (a) => a.umonitor(address.value) };
    }
    return { text: `${name} ${operand.text}`, emit: (a) => a[name](operand.value) };
  }),
  form("cache lines", (r) => {
    const line = memory(r, 8, "byte ptr ");
    const name = r.pick(["clflush", "clflushopt", "clwb", "prefetchw", "invlpg"] as const);
    return { text: `${name} ${line.text}`, emit: (a) => a[name](line.value) };
  }),
  form("segment bases", (r) => {
    const operand = register(r, r.pick([32, 64]));
    const name = r.pick(["rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase"] as const);
    return { text: `${name} ${operand.text}`, emit: (a) => a[name](operand.value) };
  }),
  form("control and debug registers", (r) => {
    const operand = register(r, 64);
    const cr = r.pick([0, 2, 3, 4, 8]);
    const dr = r.pick([0, 1, 2, 3, 6, 7]);
    return r.pick([
      () => ({ text: `mov cr${cr}, ${operand.text}`, emit: (a: X64Assembler) => a.movToCr(cr, operand.value) }),
      () => ({ text: `mov ${operand.text}, cr${cr}`, emit: (a: X64Assembler) => a.movFromCr(operand.value, cr) }),
      () => ({ text: `mov dr${dr}, ${operand.text}`, emit: (a: X64Assembler) => a.movToDr(dr, operand.value) }),
      () => ({ text: `mov ${operand.text}, dr${dr}`, emit: (a: X64Assembler) => a.movFromDr(operand.value, dr) }),
    ])();
  }),
  form("segment registers", (r) => {
    const segment = r.pick(["es", "ss", "ds", "fs", "gs"] as const);
    const operand = register(r, 32);
    return r.chance(0.5)
      ? { text: `mov ${segment}, ${operand.text}`, emit: (a) => a.movToSegment(segment, operand.value) }
      : { text: `mov ${operand.text}, ${segment}`, emit: (a) => a.movFromSegment(operand.value, segment) };
  }),
  form("descriptor tables", (r) => {
    const name = r.pick(["lgdt", "lidt", "sgdt", "sidt"] as const);
    const operand = memory(r, 64, "");
    return { text: `${name} ${operand.text}`, emit: (a) => a[name](operand.value) };
  }),
  form("lldt, ltr", (r) => {
    const name = r.pick(["lldt", "ltr"] as const);
    const operand = register(r, 16);
    return { text: `${name} ${operand.text}`, emit: (a) => a[name](operand.value) };
  }),
  form("ports", (r) => {
    const width = r.pick([8, 16, 32] as const);
    const accumulator = { 8: "al", 16: "ax", 32: "eax" }[width];
    const port = r.chance(0.5) ? "dx" : r.below(256);
    return r.chance(0.5)
      ? { text: `in ${accumulator}, ${port}`, emit: (a) => a.inPort(width, port) }
      : { text: `out ${port}, ${accumulator}`, emit: (a) => a.outPort(width, port) };
  }),
];
