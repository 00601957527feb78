// All instruction forms of the AArch64 emitter with random operands, as text for GNU as.

import type { Arm64Assembler } from "../../../src/asm/index.ts";
import { arm64 } from "../../../src/asm/index.ts";
import { SYSTEM_INSTRUCTIONS, SYSTEM_REGISTER_NAMES } from "../../../src/asm/arm64/system-registers.ts";
import type { SystemInstruction } from "../../../src/asm/arm64/system-registers.ts";
import type { Form } from "../support/form.ts";
import type { Random } from "../support/random.ts";

type Register = arm64.Arm64Register;
type Width = 32 | 64;

const { armGpr, indexed, offset, postIndex, preIndex, sp, wsp } = arm64;

function form(name: string, make: Form<Arm64Assembler>["make"]): Form<Arm64Assembler> {
  return { name, make };
}

function width(random: Random): Width {
  return random.chance(0.5) ? 32 : 64;
}

/** x0 to x30 or the zero register. */
function register(random: Random, size: Width): Register {
  return armGpr(random.below(32), size);
}
/** x0 to x30 or the stack pointer. */
function orStackPointer(random: Random, size: Width): Register {
  const number = random.below(32);
  return number === 31 ? (size === 64 ? sp : wsp) : armGpr(number, size);
}
function base(random: Random): Register {
  return orStackPointer(random, 64);
}

function imm12(random: Random): number {
  return random.chance(0.5) ? random.pick([0, 1, 0xfff]) : random.below(0x1000);
}

const SHIFTS = ["lsl", "lsr", "asr", "ror"] as const;
const ORDERINGS = ["", "a", "l", "al"] as const;
const BARRIERS = ["sy", "st", "ld", "ish", "ishst", "ishld", "nsh", "nshst", "nshld", "osh", "oshst", "oshld"] as const;

/** A value that has a bitmask form: a run of ones, rotated, repeated. */
function bitmask(random: Random, size: Width): bigint {
  const element = random.pick(size === 64 ? [2, 4, 8, 16, 32, 64] : [2, 4, 8, 16, 32]);
  const ones = random.between(1, element - 1);
  const rotation = random.below(element);
  const run = (1n << BigInt(ones)) - 1n;
  const rotated = BigInt.asUintN(element, (run >> BigInt(rotation)) | (run << BigInt(element - rotation)));
  let value = 0n;
  for (let at = 0; at < size; at += element) value |= rotated << BigInt(at);
  return value;
}

const ACCESSES = {
  ldr: [[32, 4], [64, 8]], str: [[32, 4], [64, 8]], ldrb: [[32, 1]], strb: [[32, 1]], ldrh: [[32, 2]], strh: [[32, 2]],
  ldrsb: [[32, 1], [64, 1]], ldrsh: [[32, 2], [64, 2]], ldrsw: [[64, 4]],
} as const; // prettier-ignore
type Access = keyof typeof ACCESSES;

function access(random: Random): { name: Access; to: Register; bytes: number } {
  const name = random.pick(Object.keys(ACCESSES) as Access[]);
  const [size, bytes] = random.pick<readonly [Width, number]>(ACCESSES[name]);
  return { name, to: register(random, size), bytes };
}

export const arm64Forms: readonly Form<Arm64Assembler>[] = [
  form("add, sub immediate", (r) => {
    const size = width(r);
    const to = orStackPointer(r, size);
    const from = orStackPointer(r, size);
    const shifted = r.chance(0.3);
    const value = imm12(r) * (shifted ? 4096 : 1);
    const name = r.pick(["add", "sub"] as const);
    return { text: `${name} ${to.name}, ${from.name}, #${value}`, emit: (a) => a[name](to, from, value) };
  }),
  form("add, sub negative immediate", (r) => {
    const size = width(r);
    const to = register(r, size).number === 31 ? armGpr(0, size) : armGpr(r.below(31), size);
    const from = armGpr(r.below(31), size);
    const value = r.between(1, 4095);
    const name = r.pick(["add", "sub"] as const);
    return { text: `${name} ${to.name}, ${from.name}, #-${value}`, emit: (a) => a[name](to, from, -value) };
  }),
  form("adds, subs, cmp, cmn immediate", (r) => {
    const size = width(r);
    const to = register(r, size);
    const from = orStackPointer(r, size);
    const value = imm12(r);
    const name = r.pick(["adds", "subs", "cmp", "cmn"] as const);
    if (name === "cmp" || name === "cmn")
      return { text: `${name} ${from.name}, #${value}`, emit: (a) => a[name](from, value) };
    return { text: `${name} ${to.name}, ${from.name}, #${value}`, emit: (a) => a[name](to, from, value) };
  }),
  form("add, sub register", (r) => {
    const size = width(r);
    const [to, one, other] = [register(r, size), register(r, size), register(r, size)];
    const name = r.pick(["add", "sub", "adds", "subs"] as const);
    const shift = r.pick(["lsl", "lsr", "asr"] as const);
    const amount = r.below(size);
    const text = `${name} ${to.name}, ${one.name}, ${other.name}, ${shift} #${amount}`;
    return { text, emit: (a) => a[name](to, one, other, shift, amount) };
  }),
  form("add, sub with the stack pointer", (r) => {
    const size = width(r);
    const to = size === 64 ? sp : wsp;
    const from = orStackPointer(r, size);
    const other = register(r, size);
    const name = r.pick(["add", "sub"] as const);
    return { text: `${name} ${to.name}, ${from.name}, ${other.name}`, emit: (a) => a[name](to, from, other) };
  }),
  form("add extended", (r) => {
    const to = orStackPointer(r, 64);
    const one = orStackPointer(r, 64);
    const other = register(r, 32);
    const extend = r.pick(["uxtw", "sxtw"] as const);
    const amount = r.below(5);
    const text = `add ${to.name}, ${one.name}, ${other.name}, ${extend} #${amount}`;
    return { text, emit: (a) => a.addExtended(to, one, other, extend, amount) };
  }),
  form("adc, sbc, neg", (r) => {
    const size = width(r);
    const [to, one, other] = [register(r, size), register(r, size), register(r, size)];
    const name = r.pick(["adc", "sbc", "neg"] as const);
    if (name === "neg") return { text: `neg ${to.name}, ${one.name}`, emit: (a) => a.neg(to, one) };
    return { text: `${name} ${to.name}, ${one.name}, ${other.name}`, emit: (a) => a[name](to, one, other) };
  }),
  form("logical immediate", (r) => {
    const size = width(r);
    const name = r.pick(["and", "orr", "eor", "ands", "tst"] as const);
    const value = bitmask(r, size);
    const from = register(r, size);
    if (name === "tst") return { text: `tst ${from.name}, #${value}`, emit: (a) => a.tst(from, value) };
    const to = name === "ands" ? register(r, size) : orStackPointer(r, size);
    return { text: `${name} ${to.name}, ${from.name}, #${value}`, emit: (a) => a[name](to, from, value) };
  }),
  form("logical register", (r) => {
    const size = width(r);
    const [to, one, other] = [register(r, size), register(r, size), register(r, size)];
    const name = r.pick(["and", "orr", "eor", "ands", "bic", "orn"] as const);
    const shift = r.pick(SHIFTS);
    const amount = r.below(size);
    const text = `${name} ${to.name}, ${one.name}, ${other.name}, ${shift} #${amount}`;
    return { text, emit: (a) => a[name](to, one, other, shift, amount) };
  }),
  form("mov, mvn", (r) => {
    const size = width(r);
    const name = r.pick(["mov", "mvn"] as const);
    const to = register(r, size);
    const from = register(r, size);
    return { text: `${name} ${to.name}, ${from.name}`, emit: (a) => a[name](to, from) };
  }),
  form("mov with the stack pointer", (r) => {
    const size = width(r);
    const stack = size === 64 ? sp : wsp;
    const other = armGpr(r.below(31), size);
    return r.chance(0.5)
      ? { text: `mov ${stack.name}, ${other.name}`, emit: (a) => a.mov(stack, other) }
      : { text: `mov ${other.name}, ${stack.name}`, emit: (a) => a.mov(other, stack) };
  }),
  form("movz, movn, movk", (r) => {
    const size = width(r);
    const to = register(r, size);
    const value = r.below(0x10000);
    const shift = 16 * r.below(size / 16);
    const name = r.pick(["movz", "movn", "movk"] as const);
    return { text: `${name} ${to.name}, #${value}, lsl #${shift}`, emit: (a) => a[name](to, value, shift) };
  }),
  form("bit fields", (r) => {
    const size = width(r);
    const [to, from] = [register(r, size), register(r, size)];
    const lsb = r.below(size);
    const count = r.between(1, size - lsb);
    const name = r.pick(["ubfx", "sbfx", "bfi"] as const);
    return { text: `${name} ${to.name}, ${from.name}, #${lsb}, #${count}`, emit: (a) => a[name](to, from, lsb, count) };
  }),
  form("sbfm, ubfm, bfm", (r) => {
    const size = width(r);
    const [to, from] = [register(r, size), register(r, size)];
    const [immr, imms] = [r.below(size), r.below(size)];
    const name = r.pick(["sbfm", "ubfm", "bfm"] as const);
    return { text: `${name} ${to.name}, ${from.name}, #${immr}, #${imms}`, emit: (a) => a[name](to, from, immr, imms) };
  }),
  form("sxtw", (r) => {
    const to = register(r, 64);
    const from = register(r, 32);
    return { text: `sxtw ${to.name}, ${from.name}`, emit: (a) => a.sxtw(to, from) };
  }),
  form("shift by a constant", (r) => {
    const size = width(r);
    const [to, from] = [register(r, size), register(r, size)];
    const amount = r.below(size);
    const name = r.pick(SHIFTS);
    return { text: `${name} ${to.name}, ${from.name}, #${amount}`, emit: (a) => a[name](to, from, amount) };
  }),
  form("two sources", (r) => {
    const size = width(r);
    const [to, one, other] = [register(r, size), register(r, size), register(r, size)];
    const name = r.pick(["lsl", "lsr", "asr", "ror", "udiv", "sdiv", "mul"] as const);
    return { text: `${name} ${to.name}, ${one.name}, ${other.name}`, emit: (a) => a[name](to, one, other) };
  }),
  form("rbit, rev, clz", (r) => {
    const size = width(r);
    const [to, from] = [register(r, size), register(r, size)];
    const name = r.pick(["rbit", "rev", "clz"] as const);
    return { text: `${name} ${to.name}, ${from.name}`, emit: (a) => a[name](to, from) };
  }),
  form("madd, msub", (r) => {
    const size = width(r);
    const [to, one, other, sum] = [register(r, size), register(r, size), register(r, size), register(r, size)];
    const name = r.pick(["madd", "msub"] as const);
    return {
      text: `${name} ${to.name}, ${one.name}, ${other.name}, ${sum.name}`,
      emit: (a) => a[name](to, one, other, sum),
    };
  }),
  form("umulh, smulh", (r) => {
    const [to, one, other] = [register(r, 64), register(r, 64), register(r, 64)];
    const name = r.pick(["umulh", "smulh"] as const);
    return { text: `${name} ${to.name}, ${one.name}, ${other.name}`, emit: (a) => a[name](to, one, other) };
  }),
  form("conditional select", (r) => {
    const size = width(r);
    const [to, one, other] = [register(r, size), register(r, size), register(r, size)];
    const condition = r.pick(arm64.ARM_CONDITIONS.slice(0, 14));
    const name = r.pick(["csel", "csinc", "cset"] as const);
    if (name === "cset") return { text: `cset ${to.name}, ${condition}`, emit: (a) => a.cset(to, condition) };
    return {
      text: `${name} ${to.name}, ${one.name}, ${other.name}, ${condition}`,
      emit: (a) => a[name](to, one, other, condition),
    };
  }),
  form("ccmp", (r) => {
    const size = width(r);
    const one = register(r, size);
    const condition = r.pick(arm64.ARM_CONDITIONS.slice(0, 14));
    const flags = r.below(16);
    const other = r.chance(0.5) ? r.below(32) : register(r, size);
    const text = typeof other === "number" ? `#${other}` : other.name;
    return {
      text: `ccmp ${one.name}, ${text}, #${flags}, ${condition}`,
      emit: (a) => a.ccmp(one, other, flags, condition),
    };
  }),
  form("branches to a label", (r) => {
    const gap = r.below(20);
    const isBackward = r.chance(0.5);
    const tested = register(r, width(r));
    const bit = r.below(tested.width);
    const condition = r.pick(arm64.ARM_CONDITIONS.slice(0, 14));
    const [text, branch] = r.pick<readonly [string, (a: Arm64Assembler, label: number) => void]>([
      ["b L", (a, label) => a.b(label)],
      ["bl L", (a, label) => a.bl(label)],
      [`b.${condition} L`, (a, label) => a.bcond(condition, label)],
      [`cbz ${tested.name}, L`, (a, label) => a.cbz(tested, label)],
      [`cbnz ${tested.name}, L`, (a, label) => a.cbnz(tested, label)],
      [`tbz ${tested.name}, #${bit}, L`, (a, label) => a.tbz(tested, bit, label)],
      [`tbnz ${tested.name}, #${bit}, L`, (a, label) => a.tbnz(tested, bit, label)],
      ["adr x7, L", (a, label) => a.adr(armGpr(7, 64), label)],
    ]);
    const filler = `.rept ${gap}; nop; .endr`;
    return {
      text: isBackward ? `9: ${filler}; ${text.replace("L", "9b")}` : `${text.replace("L", "9f")}; ${filler}; 9:`,
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
  form("br, blr, ret", (r) => {
    const target = register(r, 64);
    const name = r.pick(["br", "blr", "ret"] as const);
    return { text: `${name} ${target.name}`, emit: (a) => a[name](target) };
  }),
  form("load, store with an offset", (r) => {
    const { name, to, bytes } = access(r);
    const from = base(r);
    const distance = r.chance(0.7) ? bytes * imm12(r) : r.between(-256, 255);
    return {
      text: `${name} ${to.name}, [${from.name}, #${distance}]`,
      emit: (a) => a[name](to, offset(from, distance)),
    };
  }),
  form("load, store with write-back", (r) => {
    const { name, to } = access(r);
    // Base equal to the data register has no defined meaning here.
    const from = armGpr((to.number + 1 + r.below(29)) % 31, 64);
    const distance = r.between(-256, 255);
    return r.chance(0.5)
      ? {
          text: `${name} ${to.name}, [${from.name}, #${distance}]!`,
          emit: (a) => a[name](to, preIndex(from, distance)),
        }
      : {
          text: `${name} ${to.name}, [${from.name}], #${distance}`,
          emit: (a) => a[name](to, postIndex(from, distance)),
        };
  }),
  form("load, store with a register", (r) => {
    const { name, to, bytes } = access(r);
    const from = base(r);
    const extend = r.pick(["lsl", "uxtw", "sxtw", "sxtx"] as const);
    const index = register(r, extend === "uxtw" || extend === "sxtw" ? 32 : 64);
    const shift = r.chance(0.5) ? 0 : Math.log2(bytes);
    const suffix = shift === 0 ? (extend === "lsl" ? "" : `, ${extend}`) : `, ${extend} #${shift}`;
    return {
      text: `${name} ${to.name}, [${from.name}, ${index.name}${suffix}]`,
      emit: (a) => a[name](to, indexed(from, index, shift, extend)),
    };
  }),
  form("pairs", (r) => {
    const size = width(r);
    const [one, two] = [armGpr(r.below(15), size), armGpr(15 + r.below(8), size)];
    const from = r.chance(0.3) ? sp : armGpr(24 + r.below(6), 64);
    const distance = (size / 8) * r.between(-64, 63);
    const name = r.pick(["ldp", "stp"] as const);
    return r.pick([
      () => ({
        text: `${name} ${one.name}, ${two.name}, [${from.name}, #${distance}]`,
        emit: (a: Arm64Assembler) => a[name](one, two, offset(from, distance)),
      }),
      () => ({
        text: `${name} ${one.name}, ${two.name}, [${from.name}, #${distance}]!`,
        emit: (a: Arm64Assembler) => a[name](one, two, preIndex(from, distance)),
      }),
      () => ({
        text: `${name} ${one.name}, ${two.name}, [${from.name}], #${distance}`,
        emit: (a: Arm64Assembler) => a[name](one, two, postIndex(from, distance)),
      }),
    ])();
  }),
  form("ordered accesses", (r) => {
    const from = base(r);
    const narrow = r.pick(["ldarb", "ldarh", "stlrb", "stlrh"] as const);
    const wide = r.pick(["ldar", "stlr", "ldapr"] as const);
    if (r.chance(0.4)) {
      const to = register(r, 32);
      return { text: `${narrow} ${to.name}, [${from.name}]`, emit: (a) => a[narrow](to, from) };
    }
    const to = register(r, width(r));
    return { text: `${wide} ${to.name}, [${from.name}]`, emit: (a) => a[wide](to, from) };
  }),
  form("exclusive accesses", (r) => {
    const data = armGpr(r.below(10), width(r));
    const from = armGpr(10 + r.below(10), 64);
    const status = armGpr(20 + r.below(10), 32);
    const load = r.pick(["ldxr", "ldaxr"] as const);
    const store = r.pick(["stxr", "stlxr"] as const);
    return r.chance(0.5)
      ? { text: `${load} ${data.name}, [${from.name}]`, emit: (a) => a[load](data, from) }
      : { text: `${store} ${status.name}, ${data.name}, [${from.name}]`, emit: (a) => a[store](status, data, from) };
  }),
  form("cas, swp", (r) => {
    const size = width(r);
    const [one, other] = [register(r, size), register(r, size)];
    const from = base(r);
    const ordering = r.pick(ORDERINGS);
    const name = r.pick(["cas", "swp"] as const);
    return {
      text: `${name}${ordering} ${one.name}, ${other.name}, [${from.name}]`,
      emit: (a) => a[name](ordering, one, other, from),
    };
  }),
  form("ldadd, ldclr, ldeor, ldset", (r) => {
    const size = width(r);
    const [value, old] = [register(r, size), armGpr(r.below(31), size)];
    const from = base(r);
    const ordering = r.pick(ORDERINGS);
    const operator = r.pick(["add", "clr", "eor", "set"] as const);
    const text = `ld${operator}${ordering} ${value.name}, ${old.name}, [${from.name}]`;
    return { text, emit: (a) => a.ld(operator, ordering, value, old, from) };
  }),
  form("stadd, stclr, steor, stset", (r) => {
    const value = register(r, width(r));
    const from = base(r);
    const ordering = r.pick(["", "l"] as const);
    const operator = r.pick(["add", "clr", "eor", "set"] as const);
    return {
      text: `st${operator}${ordering} ${value.name}, [${from.name}]`,
      emit: (a) => a.st(operator, ordering, value, from),
    };
  }),
  form("barriers", (r) => {
    const barrier = r.pick(BARRIERS);
    const name = r.pick(["dmb", "dsb"] as const);
    return { text: `${name} ${barrier}`, emit: (a) => a[name](barrier) };
  }),
  form("without operands", (r) => {
    const name = r.pick(["isb", "sb", "nop", "yield", "wfe", "wfi", "sev", "sevl", "eret", "clrex"] as const);
    return { text: name, emit: (a) => a[name]() };
  }),
  form("wfet, wfit", (r) => {
    const deadline = register(r, 64);
    const name = r.pick(["wfet", "wfit"] as const);
    return { text: `${name} ${deadline.name}`, emit: (a) => a[name](deadline) };
  }),
  form("exceptions", (r) => {
    const value = r.chance(0.5) ? 0 : r.below(0x10000);
    const name = r.pick(["svc", "hvc", "smc", "brk", "hlt", "udf"] as const);
    return { text: `${name} #${value}`, emit: (a) => a[name](value) };
  }),
  form("system registers", (r) => {
    const name = r.pick(SYSTEM_REGISTER_NAMES);
    const operand = armGpr(r.below(31), 64);
    // Some have one direction only; as then refuses the other.
    const isRead = !WRITE_ONLY.has(name) && (READ_ONLY.test(name) || r.chance(0.5));
    return isRead
      ? { text: `mrs ${operand.name}, ${name}`, emit: (a) => a.mrs(operand, name) }
      : { text: `msr ${name}, ${operand.name}`, emit: (a) => a.msr(name, operand) };
  }),
  form("system registers by encoding", (r) => {
    const code = [r.pick([2, 3]), r.below(8), r.below(16), r.below(16), r.below(8)] as const;
    const name = `s${code[0]}_${code[1]}_c${code[2]}_c${code[3]}_${code[4]}` as const;
    const operand = register(r, 64);
    return r.chance(0.5)
      ? { text: `mrs ${operand.name}, ${name}`, emit: (a) => a.mrs(operand, name) }
      : { text: `msr ${name}, ${operand.name}`, emit: (a) => a.msr(code, operand) };
  }),
  form("msr immediate", (r) => {
    const field = r.pick(["daifset", "daifclr", "spsel", "pan", "uao", "dit", "allint"] as const);
    const value = field === "daifset" || field === "daifclr" ? r.below(16) : r.below(2);
    return { text: `msr ${field}, #${value}`, emit: (a) => a.msrImmediate(field, value) };
  }),
  form("system instructions", (r) => {
    const name = r.pick(Object.keys(SYSTEM_INSTRUCTIONS) as SystemInstruction[]);
    const operand = armGpr(r.below(31), 64);
    return WITHOUT_OPERAND.has(name)
      ? { text: name, emit: (a) => a.sys(name) }
      : { text: `${name}, ${operand.name}`, emit: (a) => a.sys(name, operand) };
  }),
  form("prfm", (r) => {
    const from = base(r);
    const distance = 8 * imm12(r);
    return { text: `prfm pstl1keep, [${from.name}, #${distance}]`, emit: (a) => a.prfmStore(offset(from, distance)) };
  }),
];

const WRITE_ONLY: ReadonlySet<string> = new Set([
  "icc_asgi1r_el1", "icc_dir_el1", "icc_eoir0_el1", "icc_eoir1_el1", "icc_sgi0r_el1", "icc_sgi1r_el1", "oslar_el1",
]); // prettier-ignore
const READ_ONLY =
  /^(ccsidr|clidr|cntpct|cntvct|ctr|currentel|dczid|icc_hppir|icc_iar|icc_nmiar|icc_rpr|id_|isr|midr|mpidr|oslsr|revidr|rvbar)/;
const WITHOUT_OPERAND: ReadonlySet<string> = new Set([
  "ic iallu",
  "ic ialluis",
  "tlbi alle1",
  "tlbi vmalle1",
  "tlbi vmalle1is",
]);
