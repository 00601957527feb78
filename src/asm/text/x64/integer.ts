// x86-64 mnemonics that move data and calculate (SDM volume 2).

import type { AluOperator, BitOperator, ShiftOperator, X64Assembler } from "../../x64/assembler.ts";
import type { Width, X64Condition } from "../../x64/registers.ts";
import type { SegmentRegister } from "../../x64/instructions/system.ts";
import { CONDITION_NAMES } from "./operands.ts";
import type { X64Statement } from "./statement.ts";
import { each } from "./table.ts";
import type { Table } from "./table.ts";

const ALU: readonly AluOperator[] = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"];
const SHIFTS: Readonly<Record<string, ShiftOperator>> = {
  rol: "rol", ror: "ror", rcl: "rcl", rcr: "rcr", shl: "shl", sal: "shl", shr: "shr", sar: "sar",
}; // prettier-ignore
const BITS: readonly BitOperator[] = ["bt", "bts", "btr", "btc"];
const SOURCES = "register, register or memory; memory, register; $immediate, register or memory";
const ONE = "one register or memory";
const TO_REGISTER = "register or memory, register";

// --- moves ----------------------------------------------------------------------------------------------------------------------

function mov(s: X64Statement): void {
  s.expect(2);
  const [from, to] = [s.operand(0), s.operand(1)];
  if (from.kind === "control") s.a.movFromCr(s.register(1, 64), from.number);
  else if (to.kind === "control") s.a.movToCr(to.number, s.register(0, 64));
  else if (from.kind === "debug") s.a.movFromDr(s.register(1, 64), from.number);
  else if (to.kind === "debug") s.a.movToDr(to.number, s.register(0, 64));
  else if (from.kind === "segment") s.a.movFromSegment(s.registerOrMemory(1, segmentWidth(s, 1)), from.segment);
  else if (to.kind === "segment") moveToSegment(s, to.segment);
  else {
    const width = s.width(1, 0);
    s.a.mov(s.registerOrMemory(1, width), s.source(0, width));
  }
}

/** Memory has 16 bits of a segment; a register may be wider. */
function segmentWidth(s: X64Statement, position: number): Width {
  return s.isRegister(position) ? s.register(position).width : 16;
}

function moveToSegment(s: X64Statement, segment: SegmentRegister): void {
  const from = s.registerOrMemory(0, segmentWidth(s, 0));
  s.a.movToSegment(segment, from);
}

/** Zero- or sign-extension from a width that the mnemonic or a register names. */
function extend(s: X64Statement, name: "movzx" | "movsx", from: Width | undefined, to: Width | undefined): void {
  s.expect(2);
  const source = s.registerOrMemory(0, from ?? s.width(0));
  const target = s.register(1, to);
  if (name === "movsx" && source.width === 32) s.a.movsxd(target, source);
  else s.a[name](target, source);
}

const EXTENSIONS: readonly (readonly [string, "movzx" | "movsx", Width, Width | undefined])[] = [
  ["movzb", "movzx", 8, undefined], ["movzw", "movzx", 16, undefined],
  ["movzbw", "movzx", 8, 16], ["movzbl", "movzx", 8, 32], ["movzbq", "movzx", 8, 64], ["movzwl", "movzx", 16, 32],
  ["movzwq", "movzx", 16, 64], ["movsbw", "movsx", 8, 16], ["movsbl", "movsx", 8, 32], ["movsbq", "movsx", 8, 64],
  ["movswl", "movsx", 16, 32], ["movswq", "movsx", 16, 64], ["movslq", "movsx", 32, 64],
]; // prettier-ignore

function exchange(s: X64Statement): void {
  s.expect(2);
  const width = s.width(0, 1);
  if (s.isRegister(0)) s.a.xchg(s.registerOrMemory(1, width), s.register(0, width));
  else s.a.xchg(s.memory(0, width), s.register(1, width));
}

function push(s: X64Statement): void {
  s.expect(1);
  const operand = s.operand(0);
  if (operand.kind === "segment") s.a.pushSegment(fsOrGs(s, operand.segment));
  else if (operand.kind === "immediate") s.a.push(s.immediate(0, 64));
  else s.a.push(s.registerOrMemory(0, 64));
}

function pop(s: X64Statement): void {
  s.expect(1);
  const operand = s.operand(0);
  if (operand.kind === "segment") s.a.popSegment(fsOrGs(s, operand.segment));
  else s.a.pop(s.registerOrMemory(0, 64));
}

function fsOrGs(s: X64Statement, segment: SegmentRegister): "fs" | "gs" {
  if (segment === "fs" || segment === "gs") return segment;
  throw s.refuse("a segment register that 64-bit code can't push", s.operand(0).token, "%fs, %gs");
}

const MOVES: Table = {
  mov: { suffixes: "bwlq", forms: `${SOURCES}; register, %cr0 to %cr8, %dr0 to %dr7, %ds … and back`, emit: mov },
  movabs: {
    suffixes: "q",
    forms: "$immediate, register of 64 bits",
    emit: (s) => {
      s.expect(2);
      s.a.movabs(s.register(1, 64), s.immediate(0, 64, 8));
    },
  },
  movzx: { suffixes: "", forms: TO_REGISTER, emit: (s) => extend(s, "movzx", undefined, undefined) },
  movsx: { suffixes: "", forms: TO_REGISTER, emit: (s) => extend(s, "movsx", undefined, undefined) },
  ...Object.fromEntries(
    EXTENSIONS.map(([name, method, from, to]) => [
      name,
      { suffixes: "", forms: TO_REGISTER, emit: (s: X64Statement) => extend(s, method, from, to) },
    ]),
  ),
  movnti: {
    suffixes: "lq",
    forms: "register, memory",
    emit: (s) => {
      s.expect(2);
      const from = s.register(0, s.suffix);
      s.a.movnti(s.memory(1, from.width), from);
    },
  },
  movbe: {
    suffixes: "wlq",
    forms: "memory, register; register, memory",
    emit: (s) => {
      s.expect(2);
      const width = s.width(0, 1);
      s.a.movbe(s.registerOrMemory(1, width), s.registerOrMemory(0, width));
    },
  },
  lea: {
    suffixes: "wlq",
    forms: "memory, register",
    emit: (s) => {
      s.expect(2);
      const width = s.width(1);
      s.a.lea(s.register(1, width), s.memory(0, width));
    },
  },
  xchg: { suffixes: "bwlq", forms: "two operands, one of them a register", isLockable: true, emit: exchange },
  push: { suffixes: "q", forms: "register of 64 bits, memory, $immediate, %fs, %gs", emit: push },
  pop: { suffixes: "q", forms: "register of 64 bits, memory, %fs, %gs", emit: pop },
};

// --- arithmetic and bits --------------------------------------------------------------------------------------------------------

function alu(s: X64Statement, operator: AluOperator): void {
  s.expect(2);
  const width = s.width(1, 0);
  s.a.alu(operator, s.registerOrMemory(1, width), s.source(0, width));
}

function test(s: X64Statement): void {
  s.expect(2);
  const width = s.width(1, 0);
  if (s.operand(0).kind === "immediate") s.a.test(s.registerOrMemory(1, width), s.immediate(0, width));
  else if (s.isRegister(0)) s.a.test(s.registerOrMemory(1, width), s.register(0, width));
  else s.a.test(s.registerOrMemory(0, width), s.register(1, width));
}

function multiply(s: X64Statement): void {
  s.expect(1, 2, 3);
  const width = s.width(...s.operands.keys());
  if (s.count === 1) {
    s.a.imulWide(s.registerOrMemory(0, width));
    return;
  }
  const to = s.register(s.count - 1, width);
  if (s.operand(0).kind !== "immediate") s.a.imul(to, s.registerOrMemory(0, width));
  else s.a.imul(to, s.count === 3 ? s.registerOrMemory(1, width) : to, s.immediate(0, width));
}

/** A constant number, %cl, or nothing, which means one. */
function shiftCount(s: X64Statement, from: number): number | "cl" {
  if (s.count === from) return 1;
  if (!s.isRegister(0)) return s.constant(0, 0, 63);
  if (s.register(0).name !== "cl") throw s.refuse("a count in another register", s.operand(0).token, "%cl");
  return "cl";
}

function shift(s: X64Statement, operator: ShiftOperator): void {
  s.expect(1, 2);
  const last = s.count - 1;
  s.a.shift(operator, s.registerOrMemory(last, s.width(last)), shiftCount(s, 1));
}

function doubleShift(s: X64Statement, operator: "shld" | "shrd"): void {
  s.expect(2, 3);
  const isByCl = s.count === 2;
  const [from, to] = isByCl ? [0, 1] : [1, 2];
  const width = s.width(from, to);
  s.a.doubleShift(operator, s.registerOrMemory(to, width), s.register(from, width), isByCl ? "cl" : shiftCount(s, 2));
}

function bit(s: X64Statement, operator: BitOperator): void {
  s.expect(2);
  const width = s.width(1, 0);
  const operand = s.registerOrMemory(1, width);
  s.a.bit(operator, operand, s.isRegister(0) ? s.register(0, width) : s.constant(0, 0, width - 1));
}

type ToRegister = "bsf" | "bsr" | "tzcnt" | "lzcnt" | "popcnt";

function toRegister(s: X64Statement, name: ToRegister): void {
  s.expect(2);
  const width = s.width(1, 0);
  s.a[name](s.register(1, width), s.registerOrMemory(0, width));
}

type OneOperand = "inc" | "dec" | "not" | "neg" | "mul" | "div" | "idiv";

function oneOperand(s: X64Statement, name: OneOperand): void {
  s.expect(1);
  s.a[name](s.registerOrMemory(0, s.width(0)));
}

function readModifyWrite(s: X64Statement, name: "xadd" | "cmpxchg"): void {
  s.expect(2);
  const width = s.width(0, 1);
  s.a[name](s.registerOrMemory(1, width), s.register(0, width));
}

const wlq = "wlq";
const ARITHMETIC: Table = {
  ...each(ALU, (name) => ({
    suffixes: "bwlq",
    forms: SOURCES,
    isLockable: name !== "cmp",
    emit: (s) => alu(s, name),
  })),
  test: { suffixes: "bwlq", forms: SOURCES, emit: test },
  ...each(["inc", "dec", "not", "neg"], (name) => ({
    suffixes: "bwlq",
    forms: ONE,
    isLockable: true,
    emit: (s) => oneOperand(s, name),
  })),
  ...each(["mul", "div", "idiv"], (name) => ({ suffixes: "bwlq", forms: ONE, emit: (s) => oneOperand(s, name) })),
  imul: { suffixes: "bwlq", forms: `${ONE}; ${TO_REGISTER}; $immediate, ${TO_REGISTER}`, emit: multiply },
  ...each(Object.keys(SHIFTS), (name) => ({
    suffixes: "bwlq",
    forms: "register or memory; $count or %cl, register or memory",
    emit: (s) => shift(s, SHIFTS[name] ?? "shl"),
  })),
  ...each(["shld", "shrd"], (name) => ({
    suffixes: wlq,
    forms: "$count or %cl, register, register or memory",
    emit: (s) => doubleShift(s, name),
  })),
  ...each(BITS, (name) => ({
    suffixes: wlq,
    forms: "register or $number, register or memory",
    isLockable: name !== "bt",
    emit: (s) => bit(s, name),
  })),
  ...each(["bsf", "bsr", "tzcnt", "lzcnt", "popcnt"], (name) => ({
    suffixes: wlq,
    forms: TO_REGISTER,
    emit: (s) => toRegister(s, name),
  })),
  bswap: { suffixes: "lq", forms: "one register of 32 or 64 bits", emit: (s) => s.a.bswap(s.register(0, s.suffix)) },
  ...each(["xadd", "cmpxchg"], (name) => ({
    suffixes: "bwlq",
    forms: "register, register or memory",
    isLockable: true,
    emit: (s) => readModifyWrite(s, name),
  })),
  ...each(["cmpxchg8b", "cmpxchg16b"], (name) => ({
    suffixes: "",
    forms: "memory",
    isLockable: true,
    emit: (s) => {
      s.expect(1);
      s.a[name](s.memory(0, 64));
    },
  })),
};

// --- conditions -----------------------------------------------------------------------------------------------------------------

function conditional(prefix: "set" | "cmov", emit: (s: X64Statement, condition: X64Condition) => void): Table {
  return Object.fromEntries(
    Object.entries(CONDITION_NAMES).map(([name, condition]) => [
      `${prefix}${name}`,
      {
        suffixes: prefix === "set" ? "b" : wlq,
        forms: prefix === "set" ? "register or memory of 8 bits" : TO_REGISTER,
        emit: (s: X64Statement) => emit(s, condition),
      },
    ]),
  );
}

const CONDITIONAL: Table = {
  ...conditional("set", (s, condition) => {
    s.expect(1);
    s.a.setcc(condition, s.registerOrMemory(0, 8));
  }),
  ...conditional("cmov", (s, condition) => {
    s.expect(2);
    const width = s.width(1, 0);
    s.a.cmovcc(condition, s.register(1, width), s.registerOrMemory(0, width));
  }),
};

// --- strings --------------------------------------------------------------------------------------------------------------------

type StringName = Parameters<X64Assembler["string"]>[0];

/** Without operands, or with those that it has anyway: their addresses are rsi and rdi, the register is rax. */
function string(s: X64Statement, name: StringName): void {
  if (name === "movs" && s.count === 2 && s.isRegister(1)) {
    extend(s, "movsx", s.suffix, undefined);
    return;
  }
  s.expect(0, 1, 2);
  for (const operand of s.operands) {
    if (operand.kind === "memory" && operand.displacement === undefined && /^r[sd]i$/.test(operand.base?.name ?? ""))
      continue;
    if (operand.kind === "register" && operand.register.number === 0) continue;
    throw s.refuse("another operand than the instruction has", operand.token, "(%rsi), (%rdi), %al to %rax");
  }
  s.a.string(name, s.width(...s.operands.keys()), s.repeat);
}

const STRINGS: Table = each(["movs", "cmps", "stos", "lods", "scas"], (name) => ({
  suffixes: "bwlq",
  forms: "none, or (%rsi), (%rdi), %rax as the instruction has them",
  isRepeatable: true,
  emit: (s) => string(s, name),
}));

export const INTEGER: Table = { ...MOVES, ...ARITHMETIC, ...CONDITIONAL, ...STRINGS };
