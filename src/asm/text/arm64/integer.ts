// A64 mnemonics that calculate (Arm ARM, chapter C6), with their aliases.

import { armGpr, invertArmCondition, xzr } from "../../arm64/registers.ts";
import type { Arm64Register } from "../../arm64/registers.ts";
import type { ArmExtend, ArmShift } from "../../arm64/instructions/arithmetic.ts";
import type { Arm64Statement } from "./statement.ts";
import { each } from "./table.ts";
import type { Table } from "./table.ts";

const SHIFTS: readonly string[] = ["lsl", "lsr", "asr", "ror"];
const THREE = "register, register, register";
const SHIFTED = `${THREE}[, shift #amount]`;

function zero(register: Arm64Register): Arm64Register {
  return armGpr(31, register.width);
}

// --- addition -------------------------------------------------------------------------------------------------------------------

type Addition = "add" | "sub" | "adds" | "subs";
const OPPOSITE: Readonly<Record<Addition, Addition>> = { add: "sub", sub: "add", adds: "subs", subs: "adds" };

/** Operands from position `from` on are the two sources; `to` is the destination. */
function addition(s: Arm64Statement, name: Addition, to: Arm64Register, from: number): void {
  s.expect(from + 2, from + 3);
  if (s.is(from + 1, "register")) {
    addRegister(s, name, to, from);
    return;
  }
  const one = s.register(from, to.width, "sp");
  if (to.number === 31 && to.isStackPointer === name.endsWith("s"))
    throw s.refuse("another meaning of register 31", s.operand(0).token, name.endsWith("s") ? "zr" : "sp");
  const operand = s.operand(from + 1);
  if (operand.kind === "low12") {
    s.a.addLow12(s.register(0, 64, "sp"), one, s.scope.deferred(operand.expression));
    return;
  }
  const value = s.constant(from + 1);
  const modifier = s.modifier(from + 2);
  if (modifier !== undefined && (modifier.modifier !== "lsl" || ![0, 12].includes(s.amount(modifier, 12))))
    throw s.refuse("no shift of an immediate", s.operand(from + 2).token, "lsl #0, lsl #12");
  const shifted = modifier === undefined ? value : value << BigInt(s.amount(modifier, 12));
  if (shifted < 0n) s.a[OPPOSITE[name]](to, one, -shifted);
  else s.a[name](to, one, shifted);
}

function addRegister(s: Arm64Statement, name: Addition, to: Arm64Register, from: number): void {
  const one = s.register(from, to.width, "either");
  const modifier = s.modifier(from + 2);
  const isExtended = modifier !== undefined && !SHIFTS.includes(modifier.modifier);
  if (isExtended) {
    const isWhole = to.width === 64 && modifier.modifier.endsWith("x");
    refuseZero(s, one, from);
    const other = s.register(from + 1, isWhole ? 64 : 32);
    s.a.extended(name, to, one, other, modifier.modifier as ArmExtend, s.amount(modifier, 4));
    return;
  }
  const other = s.register(from + 1, to.width);
  if (to.isStackPointer && name.endsWith("s"))
    throw s.refuse("another meaning of register 31", s.operand(0).token, "zr");
  s.a[name](
    to,
    one,
    other,
    (modifier?.modifier ?? "lsl") as ArmShift,
    modifier === undefined ? 0 : s.amount(modifier, 63),
  );
}

function refuseZero(s: Arm64Statement, register: Arm64Register, position: number): void {
  if (register.number === 31 && !register.isStackPointer)
    throw s.refuse("another meaning of register 31", s.operand(position).token, "sp");
}

const ADDITIONS = "register, register, #immediate | register[, shift or extension #amount]";

const ADDITION: Table = {
  ...each(["add", "sub", "adds", "subs"], (name) => ({
    forms: ADDITIONS,
    emit: (s) => addition(s, name, s.register(0, undefined, "either"), 1),
  })),
  ...each(["cmp", "cmn"], (name) => ({
    forms: "register, #immediate | register[, shift or extension #amount]",
    emit: (s) => addition(s, name === "cmp" ? "subs" : "adds", zero(s.register(0, undefined, "either")), 0),
  })),
  ...each(["neg", "negs"], (name) => ({
    forms: "register, register[, shift #amount]",
    emit: (s) => {
      s.expect(2, 3);
      const to = s.register(0);
      const { shift, amount } = shiftAt(s, 2);
      s.a[name === "neg" ? "sub" : "subs"](to, zero(to), s.register(1), shift, amount);
    },
  })),
  ...each(["adc", "adcs", "sbc", "sbcs"], (name) => ({
    forms: THREE,
    emit: (s) => {
      s.expect(3);
      s.a[name](s.register(0), s.register(1), s.register(2));
    },
  })),
  ...each(["ngc", "ngcs"], (name) => ({
    forms: "register, register",
    emit: (s) => {
      s.expect(2);
      const to = s.register(0);
      s.a[name === "ngc" ? "sbc" : "sbcs"](to, zero(to), s.register(1));
    },
  })),
};

// --- logic ----------------------------------------------------------------------------------------------------------------------

function shiftAt(s: Arm64Statement, position: number): { shift: ArmShift; amount: number } {
  const modifier = s.modifier(position);
  if (modifier === undefined) return { shift: "lsl", amount: 0 };
  if (!SHIFTS.includes(modifier.modifier))
    throw s.refuse("an extension where a shift is expected", s.operand(position).token, SHIFTS.join(", "));
  return { shift: modifier.modifier as ArmShift, amount: s.amount(modifier, 63) };
}

type Logical = "and" | "orr" | "eor" | "ands";

/** Immediate results of all but ands may go to the stack pointer. */
function logicalImmediate(s: Arm64Statement, name: Logical, value: bigint): void {
  const to = s.register(0, undefined, name === "ands" ? "zr" : "either");
  if (name !== "ands") refuseZero(s, to, 0);
  s.a[name](to, s.register(1), value);
}

function logical(s: Arm64Statement, name: Logical): void {
  s.expect(3, 4);
  if (!s.is(2, "register")) {
    s.expect(3);
    logicalImmediate(s, name, s.constant(2));
    return;
  }
  const { shift, amount } = shiftAt(s, 3);
  s.a[name](s.register(0), s.register(1), s.register(2), shift, amount);
}

/** bic with an immediate is and with its complement. */
function inverted(s: Arm64Statement, name: "bic" | "orn" | "eon" | "bics"): void {
  s.expect(3, 4);
  if (name === "bic" && !s.is(2, "register")) {
    s.expect(3);
    logicalImmediate(s, "and", ~s.constant(2));
    return;
  }
  const { shift, amount } = shiftAt(s, 3);
  s.a[name](s.register(0), s.register(1), s.register(2), shift, amount);
}

function test(s: Arm64Statement): void {
  s.expect(2, 3);
  const one = s.register(0);
  if (!s.is(1, "register")) {
    s.expect(2);
    s.a.tst(one, s.constant(1));
    return;
  }
  const { shift, amount } = shiftAt(s, 2);
  s.a.ands(zero(one), one, s.register(1), shift, amount);
}

/** Between registers, or any constant in as few instructions as it takes. */
function move(s: Arm64Statement): void {
  s.expect(2);
  const to = s.register(0, undefined, "either");
  if (s.is(1, "register")) s.a.mov(to, s.register(1, to.width, "either"));
  else if (to.isStackPointer) s.a.orr(to, zero(to), s.constant(1));
  else s.a.movConstant(to, moved(s, to));
}

function moved(s: Arm64Statement, to: Arm64Register): bigint {
  const value = s.constant(1);
  if (BigInt.asIntN(to.width, value) !== value && BigInt.asUintN(to.width, value) !== value)
    throw s.refuse("a number that is too large", s.operand(1).token, `${to.width} bits`);
  return value;
}

const LOGIC: Table = {
  ...each(["and", "orr", "eor", "ands"], (name) => ({
    forms: `${SHIFTED}; register, register, #immediate`,
    emit: (s) => logical(s, name),
  })),
  ...each(["bic", "orn", "eon", "bics"], (name) => ({ forms: SHIFTED, emit: (s) => inverted(s, name) })),
  tst: { forms: "register, #immediate | register[, shift #amount]", emit: test },
  mvn: {
    forms: "register, register[, shift #amount]",
    emit: (s) => {
      s.expect(2, 3);
      const to = s.register(0);
      const { shift, amount } = shiftAt(s, 2);
      s.a.orn(to, zero(to), s.register(1), shift, amount);
    },
  },
  mov: { forms: "register, register | #immediate", emit: move },
  ...each(["movz", "movn", "movk"], (name) => ({
    forms: "register, #0 to #65535[, lsl #0, #16, #32, #48]",
    emit: (s) => {
      s.expect(2, 3);
      s.a[name](s.register(0), s.number(1, 0, 0xffff), shiftAt(s, 2).amount);
    },
  })),
};

// --- products and quotients -----------------------------------------------------------------------------------------------------

type Product = (a: Arm64Statement["a"], to: Arm64Register, one: Arm64Register, other: Arm64Register) => void;
const PRODUCTS: Readonly<Record<string, Product>> = {
  mul: (a, to, one, other) => a.mul(to, one, other),
  mneg: (a, to, one, other) => a.msub(to, one, other, zero(to)),
  smull: (a, to, one, other) => a.multiplyLong("smaddl", to, one, other, xzr),
  smnegl: (a, to, one, other) => a.multiplyLong("smsubl", to, one, other, xzr),
  umull: (a, to, one, other) => a.multiplyLong("umaddl", to, one, other, xzr),
  umnegl: (a, to, one, other) => a.multiplyLong("umsubl", to, one, other, xzr),
  smulh: (a, to, one, other) => a.smulh(to, one, other),
  umulh: (a, to, one, other) => a.umulh(to, one, other),
  udiv: (a, to, one, other) => a.udiv(to, one, other),
  sdiv: (a, to, one, other) => a.sdiv(to, one, other),
};

const FOUR = "register, register, register, register";
const PRODUCT: Table = {
  ...each(Object.keys(PRODUCTS), (name) => ({
    forms: THREE,
    emit: (s) => {
      s.expect(3);
      const width = name.endsWith("h") ? 64 : undefined;
      PRODUCTS[name]?.(s.a, s.register(0, width), s.register(1, width), s.register(2, width));
    },
  })),
  ...each(["madd", "msub"], (name) => ({
    forms: FOUR,
    emit: (s) => {
      s.expect(4);
      s.a[name](s.register(0), s.register(1), s.register(2), s.register(3));
    },
  })),
  ...each(["smaddl", "smsubl", "umaddl", "umsubl"], (name) => ({
    forms: FOUR,
    emit: (s) => {
      s.expect(4);
      s.a.multiplyLong(name, s.register(0), s.register(1), s.register(2), s.register(3));
    },
  })),
};

// --- shifts and bit fields ------------------------------------------------------------------------------------------------------

const FIELDS = ["ubfx", "sbfx", "bfi", "bfxil", "ubfiz", "sbfiz", "sbfm", "ubfm", "bfm"] as const;
/** Name, highest bit of the part that is extended, and whether by sign. */
const EXTENSIONS = {
  sxtb: [7, true],
  sxth: [15, true],
  sxtw: [31, true],
  uxtb: [7, false],
  uxth: [15, false],
} as const;

function sameWidths(s: Arm64Statement, count: number): readonly Arm64Register[] {
  const first = s.register(0);
  return Array.from({ length: count }, (_, i) => s.register(i, first.width));
}

const BITS: Table = {
  ...each(["lsl", "lsr", "asr", "ror"], (name) => ({
    forms: "register, register, #amount | register",
    emit: (s) => {
      s.expect(3);
      const [to = xzr, from = xzr] = sameWidths(s, 2);
      s.a[name](to, from, s.is(2, "register") ? s.register(2, to.width) : s.number(2, 0, to.width - 1));
    },
  })),
  ...each(["lslv", "lsrv", "asrv", "rorv"], (name) => ({
    forms: THREE,
    emit: (s) => {
      s.expect(3);
      s.a[name.slice(0, 3) as ArmShift](s.register(0), s.register(1), s.register(2));
    },
  })),
  ...each(FIELDS, (name) => ({
    forms: "register, register, #bit, #bits",
    emit: (s) => {
      s.expect(4);
      const [to = xzr, from = xzr] = sameWidths(s, 2);
      s.a[name](to, from, s.number(2, 0, 63), s.number(3, 0, 64));
    },
  })),
  bfc: {
    forms: "register, #bit, #bits",
    emit: (s) => {
      s.expect(3);
      const to = s.register(0);
      s.a.bfi(to, zero(to), s.number(1, 0, 63), s.number(2, 0, 64));
    },
  },
  ...each(Object.keys(EXTENSIONS) as (keyof typeof EXTENSIONS)[], (name) => ({
    forms: "register, register of 32 bits",
    emit: (s) => {
      s.expect(2);
      const [last, isSigned] = EXTENSIONS[name];
      const to = s.register(0, name === "sxtw" ? 64 : isSigned ? undefined : 32);
      // Some write the source as they write the destination.
      s.a[isSigned ? "sbfm" : "ubfm"](to, s.register(1), 0, last);
    },
  })),
  extr: {
    forms: `${THREE}, #bit`,
    emit: (s) => {
      s.expect(4);
      s.a.extr(s.register(0), s.register(1), s.register(2), s.number(3, 0, 63));
    },
  },
  ...each(["rbit", "rev", "rev16", "rev32", "clz", "cls"], (name) => ({
    forms: "register, register",
    emit: (s) => {
      s.expect(2);
      s.a[name](s.register(0), s.register(1));
    },
  })),
  rev64: {
    forms: "register of 64 bits, register of 64 bits",
    emit: (s) => {
      s.expect(2);
      s.a.rev(s.register(0, 64), s.register(1, 64));
    },
  },
  ...each(["crc32b", "crc32h", "crc32w", "crc32x", "crc32cb", "crc32ch", "crc32cw", "crc32cx"], (name) => ({
    forms: THREE,
    emit: (s) => {
      s.expect(3);
      const part = name.slice(-1) as "b" | "h" | "w" | "x";
      s.a.crc32(part, name.length === 7, s.register(0), s.register(1), s.register(2));
    },
  })),
};

// --- conditions -----------------------------------------------------------------------------------------------------------------

const CONDITIONAL: Table = {
  ...each(["csel", "csinc", "csinv", "csneg"], (name) => ({
    forms: `${THREE}, condition`,
    emit: (s) => {
      s.expect(4);
      s.a[name](s.register(0), s.register(1), s.register(2), s.condition(3));
    },
  })),
  ...each(["cset", "csetm"], (name) => ({
    forms: "register, condition",
    emit: (s) => {
      s.expect(2);
      const to = s.register(0);
      s.a[name === "cset" ? "csinc" : "csinv"](to, zero(to), zero(to), inverse(s, 1));
    },
  })),
  ...each(["cinc", "cinv", "cneg"], (name) => ({
    forms: "register, register, condition",
    emit: (s) => {
      s.expect(3);
      const from = s.register(1);
      s.a[({ cinc: "csinc", cinv: "csinv", cneg: "csneg" } as const)[name]](s.register(0), from, from, inverse(s, 2));
    },
  })),
  ...each(["ccmp", "ccmn"], (name) => ({
    forms: "register, #immediate | register, #flags, condition",
    emit: (s) => {
      s.expect(4);
      const other = s.is(1, "register") ? s.register(1) : s.number(1, 0, 31);
      s.a[name](s.register(0), other, s.number(2, 0, 15), s.condition(3));
    },
  })),
};

/** al has no opposite here: what the alias means then is not what it says. */
function inverse(s: Arm64Statement, position: number): ReturnType<typeof invertArmCondition> {
  const condition = s.condition(position);
  if (condition === "al") throw s.refuse("a condition that always holds", s.operand(position).token, "eq to le");
  return invertArmCondition(condition);
}

export const INTEGER: Table = { ...ADDITION, ...LOGIC, ...PRODUCT, ...BITS, ...CONDITIONAL };
