// A small A64 assembler for tests: text with labels to words, for the instructions that tests write by hand. Encodings are
// given as the diagrams of the Arm ARM (DDI 0487, C6.2), independently of the core's decoder and of src/asm.

import { encode, encodeBitmask } from "./encodings.ts";
import { encodingOf } from "./system-registers.ts";

export interface Assembled {
  readonly base: number;
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  /** Address of a label. @throws when there is no such label */
  readonly label: (name: string) => number;
}

type Operand =
  | { kind: "register"; number: number; wide: boolean; stack: boolean }
  | { kind: "immediate"; value: bigint }
  | { kind: "memory"; base: number; inner: Operand[]; writeback: boolean }
  | { kind: "name"; name: string }
  | { kind: "modifier"; name: string; amount: number | undefined };

interface Line {
  readonly text: string;
  readonly mnemonic: string;
  readonly operands: readonly Operand[];
  readonly address: number;
}

const conditions = ["eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"];
const conditionNames: Record<string, number> = Object.fromEntries(
  [...conditions.entries()].map(([code, name]) => [name, code]),
);
conditionNames.hs = 2;
conditionNames.lo = 3;
const shifts = ["lsl", "lsr", "asr", "ror"];
const extensions = ["uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"];

/**
 * Assembles one instruction per line. `label:` may stand alone or before an instruction; `//` starts a comment;
 * directives are .word, .quad, .space, .align (to a power of two in bytes) and `li Xd, #value` (MOVZ and MOVKs).
 */
export function assemble(text: string, base: number): Assembled {
  const labels = new Map<string, number>();
  const lines = layOut(text, base, labels);
  const end = lines.at(-1);
  const words: number[] = [];
  for (const line of lines) {
    while (base + words.length * 4 < line.address) words.push(0);
    try {
      words.push(...encodeLine(line, labels));
    } catch (cause) {
      throw new Error(`${line.text}: ${String(cause)}`, { cause });
    }
  }
  if (end !== undefined) while (base + words.length * 4 < end.address + sizeOf(end)) words.push(0);
  const array = Uint32Array.from(words);
  const label = (name: string): number => {
    const address = labels.get(name);
    if (address === undefined) throw new Error(`no label ${name}`);
    return address;
  };
  return { base, words: array, bytes: new Uint8Array(array.buffer), label };
}

function layOut(text: string, base: number, labels: Map<string, number>): Line[] {
  const lines: Line[] = [];
  let address = base;
  for (const raw of text.split("\n")) {
    let rest = raw.replace(/\/\/.*/, "").trim();
    for (let match = /^([\w.]+):\s*/.exec(rest); match !== null; match = /^([\w.]+):\s*/.exec(rest)) {
      const name = match[1] ?? "";
      if (labels.has(name)) throw new Error(`label ${name} stands twice`);
      labels.set(name, address);
      rest = rest.slice(match[0].length);
    }
    if (rest === "") continue;
    const [mnemonic = "", ...operandTexts] = rest.split(/\s+/);
    const operands = parseOperands(operandTexts.join(" "));
    if (mnemonic === ".align") {
      const to = Number(immediateOf(operands[0]));
      address = Math.ceil(address / to) * to;
      continue;
    }
    const line = { text: raw.trim(), mnemonic: mnemonic.toLowerCase(), operands, address };
    lines.push(line);
    address += sizeOf(line);
  }
  // Labels at the very end stand behind the last line.
  return lines;
}

function sizeOf(line: Line): number {
  switch (line.mnemonic) {
    case ".quad":
      return 8 * line.operands.length;
    case ".word":
      return 4 * line.operands.length;
    case ".space":
      return Number(immediateOf(line.operands[0]));
    case "li":
      return 4 * halfwords(immediateOf(line.operands[1])).length;
    default:
      return 4;
  }
}

/** Positions of the 16-bit parts that MOVZ and MOVK must write. */
function halfwords(value: bigint): number[] {
  const nonzero = [0, 1, 2, 3].filter((part) => ((BigInt.asUintN(64, value) >> BigInt(16 * part)) & 0xffffn) !== 0n);
  return nonzero.length === 0 ? [0] : nonzero;
}

// --- operands --------------------------------------------------------------------------------------------------------

function parseOperands(text: string): Operand[] {
  const operands: Operand[] = [];
  for (const part of splitAtCommas(text)) {
    const memory = /^\[(.*)\](!?)$/.exec(part);
    if (memory === null) {
      operands.push(parseOperand(part));
      continue;
    }
    const [first, ...inner] = splitAtCommas(memory[1] ?? "").map(parseOperand);
    if (first?.kind !== "register") throw new Error(`no base register in ${part}`);
    operands.push({ kind: "memory", base: first.number, inner, writeback: memory[2] === "!" });
  }
  return operands;
}

function splitAtCommas(text: string): string[] {
  return text
    .split(/,(?![^[]*\])/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function parseOperand(text: string): Operand {
  const lower = text.toLowerCase();
  const register = /^([xw])(\d+|zr)$/.exec(lower);
  if (register !== null) {
    const number = register[2] === "zr" ? 31 : Number(register[2]);
    return { kind: "register", number, wide: register[1] === "x", stack: false };
  }
  if (lower === "sp" || lower === "wsp") return { kind: "register", number: 31, wide: lower === "sp", stack: true };
  if (/^#?-?(0x[\da-f_]+|\d[\d_]*)n?$/.test(lower)) return { kind: "immediate", value: integer(lower) };
  const [name = "", amount] = lower.split(/\s+/);
  if (shifts.includes(name) || extensions.includes(name)) {
    return { kind: "modifier", name, amount: amount === undefined ? undefined : Number(integer(amount)) };
  }
  return { kind: "name", name: text };
}

function integer(text: string): bigint {
  const digits = text.replace(/[#_n]/g, "");
  return digits.startsWith("-") ? -BigInt(digits.slice(1)) : BigInt(digits);
}

function immediateOf(operand: Operand | undefined): bigint {
  if (operand?.kind !== "immediate") throw new Error("an immediate is missing");
  return operand.value;
}

function registerOf(operand: Operand | undefined): { number: number; wide: boolean; stack: boolean } {
  if (operand?.kind !== "register") throw new Error("a register is missing");
  return operand;
}

function nameOf(operand: Operand | undefined): string {
  if (operand?.kind !== "name") throw new Error("a name is missing");
  return operand.name;
}

function conditionOf(name: string): number {
  const code = conditionNames[name];
  if (code === undefined) throw new Error(`no condition ${name}`);
  return code;
}

function inRange(value: number, least: number, most: number, step = 1): number {
  if (value < least || value > most || value % step !== 0) throw new Error(`${value} is not in ${least}..${most}`);
  return value;
}

// --- encoding --------------------------------------------------------------------------------------------------------

function encodeLine(line: Line, labels: ReadonlyMap<string, number>): number[] {
  const { mnemonic, operands } = line;
  /** Distance to a label or to an absolute address. */
  const distance = (operand: Operand | undefined): number => {
    if (operand?.kind === "immediate") return Number(operand.value) - line.address;
    const to = labels.get(nameOf(operand));
    if (to === undefined) throw new Error(`no label ${nameOf(operand)}`);
    return to - line.address;
  };
  const value = (operand: Operand): bigint => {
    if (operand.kind === "immediate") return operand.value;
    const to = labels.get(nameOf(operand));
    if (to === undefined) throw new Error(`no label ${nameOf(operand)}`);
    return BigInt(to);
  };
  switch (mnemonic) {
    case ".word":
      return operands.map((operand) => Number(BigInt.asUintN(32, value(operand))));
    case ".quad":
      return operands.flatMap((operand) => {
        const quad = BigInt.asUintN(64, value(operand));
        return [Number(quad & 0xffff_ffffn), Number(quad >> 32n)];
      });
    case ".space":
      return new Array<number>(Number(immediateOf(operands[0])) / 4).fill(0);
    case "li":
      return loadImmediate(registerOf(operands[0]).number, immediateOf(operands[1]));
    default:
      return [encodeInstruction(mnemonic, operands, distance)];
  }
}

function loadImmediate(d: number, value: bigint): number[] {
  return halfwords(value).map((part, position) => {
    const i = Number((BigInt.asUintN(64, value) >> BigInt(16 * part)) & 0xffffn);
    return encode("1 11 100101 hh iiiiiiiiiiiiiiii ddddd", { h: part, i, d }) & (position === 0 ? 0xdfff_ffff : -1);
  });
}

type Encoder = (operands: readonly Operand[], distance: (operand: Operand | undefined) => number) => number;

function encodeInstruction(
  mnemonic: string,
  operands: readonly Operand[],
  distance: (operand: Operand | undefined) => number,
): number {
  if (mnemonic.startsWith("b.")) {
    const c = conditionOf(mnemonic.slice(2));
    return encode("0101010 0 iiiiiiiiiiiiiiiiiii 0 cccc", {
      i: inRange(distance(operands[0]) / 4, -0x40000, 0x3ffff),
      c,
    });
  }
  const encoder = encoders[mnemonic] ?? memoryEncoder(mnemonic);
  if (encoder === undefined) throw new Error(`no instruction ${mnemonic}`);
  return encoder(operands, distance) >>> 0;
}

/** ADD, SUB and their flag-setting forms; `o` = subtract, `S` = set flags. */
function addition(o: number, S: number): Encoder {
  return ([first, second, third, modifier]) => {
    const d = registerOf(first);
    const n = registerOf(second);
    if (third?.kind === "immediate") {
      const shifted = modifier?.kind === "modifier" && modifier.amount === 12 ? 1 : 0;
      const i = inRange(Number(third.value), 0, 4095);
      return encode("f o S 100010 h iiiiiiiiiiii nnnnn ddddd", {
        f: d.wide,
        o,
        S,
        h: shifted,
        i,
        n: n.number,
        d: d.number,
      });
    }
    const m = registerOf(third);
    const fields = { f: d.wide, o, S, m: m.number, n: n.number, d: d.number };
    const name = modifier?.kind === "modifier" ? modifier.name : undefined;
    const amount = modifier?.kind === "modifier" ? (modifier.amount ?? 0) : 0;
    if (d.stack || n.stack || (name !== undefined && extensions.includes(name))) {
      const x = name === undefined || name === "lsl" ? (d.wide ? 3 : 2) : extensions.indexOf(name);
      return encode("f o S 01011 00 1 mmmmm xxx aaa nnnnn ddddd", { ...fields, x, a: inRange(amount, 0, 4) });
    }
    return encode("f o S 01011 tt 0 mmmmm aaaaaa nnnnn ddddd", {
      ...fields,
      t: name === undefined ? 0 : shifts.indexOf(name),
      a: amount,
    });
  };
}

function logical(o: number, N: number): Encoder {
  return ([first, second, third, modifier]) => {
    const d = registerOf(first);
    const n = registerOf(second);
    if (third?.kind === "immediate") {
      const mask = encodeBitmask(BigInt.asUintN(d.wide ? 64 : 32, third.value), d.wide ? 64 : 32);
      return encode("f oo 100100 MMMMMMMMMMMMM nnnnn ddddd", { f: d.wide, o, M: mask, n: n.number, d: d.number });
    }
    const t = modifier?.kind === "modifier" ? shifts.indexOf(modifier.name) : 0;
    const a = modifier?.kind === "modifier" ? (modifier.amount ?? 0) : 0;
    return encode("f oo 01010 tt N mmmmm aaaaaa nnnnn ddddd", {
      f: d.wide,
      o,
      t,
      N,
      m: registerOf(third).number,
      a,
      n: n.number,
      d: d.number,
    });
  };
}

const withZero =
  (encoder: Encoder, position: number): Encoder =>
  (operands, distance) => {
    const wide = operands.find((operand) => operand.kind === "register")?.wide ?? true;
    const zero: Operand = { kind: "register", number: 31, wide, stack: false };
    return encoder([...operands.slice(0, position), zero, ...operands.slice(position)], distance);
  };

const moveWide =
  (o: number): Encoder =>
  ([first, second, modifier]) => {
    const d = registerOf(first);
    const h = modifier?.kind === "modifier" ? (modifier.amount ?? 0) / 16 : 0;
    return encode("f oo 100101 hh iiiiiiiiiiiiiiii ddddd", {
      f: d.wide,
      o,
      h,
      i: inRange(Number(immediateOf(second)), 0, 0xffff),
      d: d.number,
    });
  };

const move: Encoder = (operands, distance) => {
  const [first, second] = operands;
  const d = registerOf(first);
  if (second?.kind === "immediate") {
    if (second.value >= 0n) return moveWide(2)(operands, distance);
    return moveWide(0)([d as Operand, { kind: "immediate", value: ~second.value }], distance);
  }
  const n = registerOf(second);
  if (d.stack || n.stack)
    return encode("f 00 100010 0 000000000000 nnnnn ddddd", { f: d.wide, n: n.number, d: d.number });
  return encode("f 01 01010 00 0 mmmmm 000000 11111 ddddd", { f: d.wide, m: n.number, d: d.number });
};

const threeRegisters =
  (diagram: string): Encoder =>
  ([first, second, third, fourth]) => {
    const d = registerOf(first);
    const a = fourth === undefined ? 31 : registerOf(fourth).number;
    return encode(diagram, { f: d.wide, d: d.number, n: registerOf(second).number, m: registerOf(third).number, a });
  };

/** LSL, LSR, ASR by an immediate, as UBFM and SBFM. */
const shiftImmediate =
  (kind: "lsl" | "lsr" | "asr"): Encoder =>
  ([first, second, third]) => {
    const d = registerOf(first);
    const width = d.wide ? 64 : 32;
    const amount = inRange(Number(immediateOf(third)), 0, width - 1);
    const r = kind === "lsl" ? (width - amount) % width : amount;
    const s = kind === "lsl" ? width - 1 - amount : width - 1;
    const o = kind === "asr" ? 0 : 2;
    return encode("f oo 100110 f rrrrrr ssssss nnnnn ddddd", {
      f: d.wide,
      o,
      r,
      s,
      n: registerOf(second).number,
      d: d.number,
    });
  };

const select =
  (o: number, l: number): Encoder =>
  ([first, second, third, condition]) => {
    const d = registerOf(first);
    const fields = { f: d.wide, o, l, d: d.number, n: registerOf(second).number, m: registerOf(third).number };
    return encode("f o 0 11010100 mmmmm cccc 0 l nnnnn ddddd", { ...fields, c: conditionOf(nameOf(condition)) });
  };

const compareBranch =
  (o: number): Encoder =>
  ([first, to], distance) => {
    const t = registerOf(first);
    return encode("f 011010 o iiiiiiiiiiiiiiiiiii ttttt", {
      f: t.wide,
      o,
      i: inRange(distance(to) / 4, -0x40000, 0x3ffff),
      t: t.number,
    });
  };

const testBranch =
  (o: number): Encoder =>
  ([first, bit, to], distance) => {
    const b = Number(immediateOf(bit));
    const i = inRange(distance(to) / 4, -0x2000, 0x1fff);
    return encode("h 011011 o bbbbb iiiiiiiiiiiiii ttttt", { h: b >> 5, o, b: b & 31, i, t: registerOf(first).number });
  };

const branch =
  (link: number): Encoder =>
  ([to], distance) =>
    encode("l 00101 iiiiiiiiiiiiiiiiiiiiiiiiii", { l: link, i: inRange(distance(to) / 4, -0x200_0000, 0x1ff_ffff) });

const branchRegister =
  (o: number): Encoder =>
  ([first]) =>
    encode("1101011 oooo 11111 000000 nnnnn 00000", { o, n: first === undefined ? 30 : registerOf(first).number });

const exceptionCall =
  (diagram: string): Encoder =>
  ([first]) =>
    encode(diagram, { i: first === undefined ? 0 : inRange(Number(immediateOf(first)), 0, 0xffff) });

const hint =
  (h: number): Encoder =>
  () =>
    encode("11010101000000110010 hhhhhhh 11111", { h });

const barrierOptions: Record<string, number> = { sy: 15, st: 14, ld: 13, ish: 11, ishst: 10, ishld: 9, nsh: 7, osh: 3 };

const barrier =
  (o: number): Encoder =>
  ([first]) => {
    const m =
      first?.kind === "name" ? barrierOptions[first.name] : first === undefined ? 15 : Number(immediateOf(first));
    if (m === undefined) throw new Error("no such barrier option");
    return encode("11010101000000110011 mmmm ooo 11111", { m, o });
  };

const msr: Encoder = ([first, second]) => {
  const name = nameOf(first);
  if (second?.kind === "register")
    return encode("1101010100 0 rrrrrrrrrrrrrrrr ttttt", { r: encodingOf(name), t: second.number });
  const fields: Record<string, readonly [number, number]> = { spsel: [0, 5], daifset: [3, 6], daifclr: [3, 7] };
  const [p, q] = fields[name] ?? [];
  if (p === undefined || q === undefined) throw new Error(`no PSTATE field ${name}`);
  return encode("1101010100000 ppp 0100 mmmm qqq 11111", { p, m: inRange(Number(immediateOf(second)), 0, 15), q });
};

const address =
  (page: number): Encoder =>
  ([first, to], distance) => {
    const delta = distance(to);
    return encode("p ll 10000 hhhhhhhhhhhhhhhhhhh ddddd", {
      p: page,
      l: delta & 3,
      h: delta >> 2,
      d: registerOf(first).number,
    });
  };

const cset: Encoder = ([first, condition]) => {
  const d = registerOf(first);
  return encode("f 0 0 11010100 11111 cccc 0 1 11111 ddddd", {
    f: d.wide,
    c: conditionOf(nameOf(condition)) ^ 1,
    d: d.number,
  });
};

const encoders: Record<string, Encoder> = {
  add: addition(0, 0),
  adds: addition(0, 1),
  sub: addition(1, 0),
  subs: addition(1, 1),
  cmp: withZero(addition(1, 1), 0),
  cmn: withZero(addition(0, 1), 0),
  neg: withZero(addition(1, 0), 1),
  and: logical(0, 0),
  bic: logical(0, 1),
  orr: logical(1, 0),
  orn: logical(1, 1),
  mvn: withZero(logical(1, 1), 1),
  eor: logical(2, 0),
  ands: logical(3, 0),
  tst: withZero(logical(3, 0), 0),
  mov: move,
  movn: moveWide(0),
  movz: moveWide(2),
  movk: moveWide(3),
  madd: threeRegisters("f 00 11011000 mmmmm 0 aaaaa nnnnn ddddd"),
  mul: threeRegisters("f 00 11011000 mmmmm 0 aaaaa nnnnn ddddd"),
  udiv: threeRegisters("f 0011010110 mmmmm 000010 nnnnn ddddd"),
  lsl: shiftImmediate("lsl"),
  lsr: shiftImmediate("lsr"),
  asr: shiftImmediate("asr"),
  csel: select(0, 0),
  csinc: select(0, 1),
  cset,
  adr: address(0),
  b: branch(0),
  bl: branch(1),
  br: branchRegister(0),
  blr: branchRegister(1),
  ret: branchRegister(2),
  cbz: compareBranch(0),
  cbnz: compareBranch(1),
  tbz: testBranch(0),
  tbnz: testBranch(1),
  svc: exceptionCall("11010100000 iiiiiiiiiiiiiiii 00001"),
  hvc: exceptionCall("11010100000 iiiiiiiiiiiiiiii 00010"),
  smc: exceptionCall("11010100000 iiiiiiiiiiiiiiii 00011"),
  brk: exceptionCall("11010100001 iiiiiiiiiiiiiiii 00000"),
  udf: exceptionCall("0000000000000000 iiiiiiiiiiiiiiii"),
  eret: () => 0xd69f_03e0,
  nop: hint(0),
  yield: hint(1),
  wfe: hint(2),
  wfi: hint(3),
  sev: hint(4),
  sevl: hint(5),
  clrex: barrier(2),
  dsb: barrier(4),
  dmb: barrier(5),
  isb: barrier(6),
  mrs: ([first, second]) =>
    encode("1101010100 1 rrrrrrrrrrrrrrrr ttttt", { r: encodingOf(nameOf(second)), t: registerOf(first).number }),
  msr,
  /** sys op1, CRn, CRm, op2, Xt: numbers only */
  sys: ([p, n, m, q, t]) =>
    encode("1101010100 0 01 ppp nnnn mmmm qqq ttttt", {
      p: Number(immediateOf(p)),
      n: Number(immediateOf(n)),
      m: Number(immediateOf(m)),
      q: Number(immediateOf(q)),
      t: t === undefined ? 31 : registerOf(t).number,
    }),
};

// --- loads and stores ------------------------------------------------------------------------------------------------

/** Size and opc of plain loads and stores by mnemonic; the size of LDR and STR follows from the register. */
const plainAccesses: Record<string, { size?: number; load: boolean; sign?: boolean }> = {
  ldr: { load: true },
  str: { load: false },
  ldrb: { size: 0, load: true },
  strb: { size: 0, load: false },
  ldrh: { size: 1, load: true },
  strh: { size: 1, load: false },
  ldrsb: { size: 0, load: true, sign: true },
  ldrsh: { size: 1, load: true, sign: true },
  ldrsw: { size: 2, load: true, sign: true },
};

function memoryEncoder(mnemonic: string): Encoder | undefined {
  const plain = plainAccesses[mnemonic];
  if (plain !== undefined) return (operands, distance) => plainAccess(plain, operands, distance);
  if (mnemonic === "ldp" || mnemonic === "stp") return (operands) => pairAccess(mnemonic === "ldp" ? 1 : 0, operands);
  return orderedEncoder(mnemonic) ?? atomicEncoder(mnemonic);
}

function memoryOf(operand: Operand | undefined): Extract<Operand, { kind: "memory" }> {
  if (operand?.kind !== "memory") throw new Error("a memory operand is missing");
  return operand;
}

function plainAccess(
  access: { size?: number; load: boolean; sign?: boolean },
  [first, second, third]: readonly Operand[],
  distance: (operand: Operand | undefined) => number,
): number {
  const t = registerOf(first);
  const z = access.size ?? (t.wide ? 3 : 2);
  const o = access.sign === true ? (t.wide ? 2 : 3) : access.load ? 1 : 0;
  if (second?.kind !== "memory") {
    const i = inRange(distance(second) / 4, -0x40000, 0x3ffff);
    return encode("0 z 011 0 00 iiiiiiiiiiiiiiiiiii ttttt", { z: z & 1, i, t: t.number });
  }
  const { base: n, inner, writeback } = second;
  const fields = { z, o, n, t: t.number };
  if (third !== undefined) {
    return encode("zz 111000 oo 0 iiiiiiiii 01 nnnnn ttttt", {
      ...fields,
      i: inRange(Number(immediateOf(third)), -256, 255),
    });
  }
  const [offset, modifier] = inner;
  if (offset?.kind === "register") {
    const x = modifier?.kind === "modifier" && modifier.name !== "lsl" ? extensions.indexOf(modifier.name) : 3;
    const shifted = modifier?.kind === "modifier" && (modifier.amount ?? 0) !== 0 ? 1 : 0;
    return encode("zz 111000 oo 1 mmmmm xxx s 10 nnnnn ttttt", { ...fields, m: offset.number, x, s: shifted });
  }
  const value = offset === undefined ? 0 : Number(immediateOf(offset));
  if (writeback) return encode("zz 111000 oo 0 iiiiiiiii 11 nnnnn ttttt", { ...fields, i: inRange(value, -256, 255) });
  if (value < 0 || value % (1 << z) !== 0) {
    return encode("zz 111000 oo 0 iiiiiiiii 00 nnnnn ttttt", { ...fields, i: inRange(value, -256, 255) });
  }
  return encode("zz 111001 oo iiiiiiiiiiii nnnnn ttttt", { ...fields, i: inRange(value >> z, 0, 4095) });
}

function pairAccess(l: number, [first, second, third, fourth]: readonly Operand[]): number {
  const t = registerOf(first);
  const { base: n, inner, writeback } = memoryOf(third);
  const scale = t.wide ? 8 : 4;
  const offset = fourth ?? inner[0];
  const value = offset === undefined ? 0 : Number(immediateOf(offset));
  const mode = fourth !== undefined ? 1 : writeback ? 3 : 2;
  const i = inRange(value / scale, -64, 63);
  return encode("f0 101 0 0mm l iiiiiii uuuuu nnnnn ttttt", {
    f: t.wide,
    m: mode,
    l,
    i,
    u: registerOf(second).number,
    n,
    t: t.number,
  });
}

/** Exclusive and ordered accesses: LDXR, STLXP, LDAR, ... with their B and H forms. */
function orderedEncoder(mnemonic: string): Encoder | undefined {
  const match = /^(ldxr|ldaxr|stxr|stlxr|ldxp|ldaxp|stxp|stlxp|ldar|stlr|ldapr|cas(?:a?l?))([bh]?)$/.exec(mnemonic);
  if (match === null) return undefined;
  const [, name = "", suffix = ""] = match;
  const sizeFor = (wide: boolean): number => (suffix === "b" ? 0 : suffix === "h" ? 1 : wide ? 3 : 2);
  return (operands) => {
    if (name.startsWith("cas")) {
      const [s, t, at] = operands;
      const fields = {
        z: sizeFor(registerOf(t).wide),
        A: name.includes("a", 3),
        R: name.endsWith("l"),
        s: registerOf(s).number,
      };
      return encode("zz 0010001 A 1 sssss R 11111 nnnnn ttttt", {
        ...fields,
        n: memoryOf(at).base,
        t: registerOf(t).number,
      });
    }
    const exclusiveStore = name.startsWith("st") && name.includes("x");
    const [s, rest] = exclusiveStore ? [registerOf(operands[0]).number, operands.slice(1)] : [31, operands];
    const pair = name.endsWith("p") && name !== "ldapr" ? 1 : 0;
    const t = registerOf(rest[0]);
    const u = pair ? registerOf(rest[1]).number : 31;
    const n = memoryOf(rest[1 + pair]).base;
    const z = sizeFor(t.wide);
    if (name === "ldapr") return encode("zz 111000 101 11111 110000 nnnnn ttttt", { z, n, t: t.number });
    const O = name === "ldar" || name === "stlr";
    const ordered = O || /^ldax|^stlx/.test(name);
    const l = name.startsWith("ld");
    return encode("zz 001000 O l p sssss a uuuuu nnnnn ttttt", { z, O, l, p: pair, s, a: ordered, u, n, t: t.number });
  };
}

/** LSE: LDADD, LDCLR, LDEOR, LDSET, LDSMAX, LDSMIN, LDUMAX, LDUMIN, SWP with A, L and B, H suffixes. */
function atomicEncoder(mnemonic: string): Encoder | undefined {
  const match = /^(ldadd|ldclr|ldeor|ldset|ldsmax|ldsmin|ldumax|ldumin|swp)(a?)(l?)([bh]?)$/.exec(mnemonic);
  if (match === null) return undefined;
  const [, name = "", acquire, release, suffix] = match;
  const operation = ["ldadd", "ldclr", "ldeor", "ldset", "ldsmax", "ldsmin", "ldumax", "ldumin", "swp"].indexOf(name);
  return ([s, t, at]) => {
    const z = suffix === "b" ? 0 : suffix === "h" ? 1 : registerOf(t).wide ? 3 : 2;
    const fields = { z, A: acquire !== "", R: release !== "", s: registerOf(s).number, o: operation };
    return encode("zz 111000 A R 1 sssss oooo 00 nnnnn ttttt", {
      ...fields,
      n: memoryOf(at).base,
      t: registerOf(t).number,
    });
  };
}
