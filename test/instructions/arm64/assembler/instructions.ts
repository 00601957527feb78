// Encodings of A64 instructions (Arm ARM DDI 0487 C4.1) from assembly text.

import { encode, encodeBitmask } from "../encodings.ts";
import { encodingOf } from "../system-registers.ts";
import { memoryEncoder } from "./loads-and-stores.ts";
import {
  conditionOf,
  extensions,
  immediateOf,
  inRange,
  nameOf,
  registerOf,
  shifts,
  type Encoder,
  type Operand,
} from "./operands.ts";

export function encodeInstruction(
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

/** LSL and LSR by an immediate, as UBFM. */
const shiftImmediate =
  (kind: "lsl" | "lsr"): Encoder =>
  ([first, second, third]) => {
    const d = registerOf(first);
    const width = d.wide ? 64 : 32;
    const amount = inRange(Number(immediateOf(third)), 0, width - 1);
    const r = kind === "lsl" ? (width - amount) % width : amount;
    const s = kind === "lsl" ? width - 1 - amount : width - 1;
    return encode("f 10 100110 f rrrrrr ssssss nnnnn ddddd", {
      f: d.wide,
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

const barrierOptions: Record<string, number> = {
  sy: 15, st: 14, ld: 13, ish: 11, ishst: 10, ishld: 9, nsh: 7, nshst: 6, nshld: 5, osh: 3, oshst: 2, oshld: 1,
}; // prettier-ignore

const barrier =
  (o: number): Encoder =>
  ([first]) => {
    const m =
      first?.kind === "name" ? barrierOptions[first.name] : first === undefined ? 15 : Number(immediateOf(first));
    if (m === undefined) throw new Error("no such barrier option");
    return encode("11010101000000110011 mmmm ooo 11111", { m, o });
  };

const timedWait =
  (o: number): Encoder =>
  ([first]) =>
    encode("11010101000000110001 0000 00o ttttt", { o, t: registerOf(first).number });

const msr: Encoder = ([first, second]) => {
  const name = nameOf(first);
  if (second?.kind === "register")
    return encode("1101010100 0 rrrrrrrrrrrrrrrr ttttt", { r: encodingOf(name), t: second.number });
  const fields: Record<string, readonly [number, number]> = {
    spsel: [0, 5],
    daifset: [3, 6],
    daifclr: [3, 7],
    allint: [1, 0],
  };
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

const encoders: Record<string, Encoder> = {
  add: addition(0, 0),
  sub: addition(1, 0),
  subs: addition(1, 1),
  cmp: withZero(addition(1, 1), 0),
  and: logical(0, 0),
  bic: logical(0, 1),
  orr: logical(1, 0),
  eor: logical(2, 0),
  mov: move,
  madd: threeRegisters("f 00 11011000 mmmmm 0 aaaaa nnnnn ddddd"),
  mul: threeRegisters("f 00 11011000 mmmmm 0 aaaaa nnnnn ddddd"),
  lsl: shiftImmediate("lsl"),
  lsr: shiftImmediate("lsr"),
  csel: select(0, 0),
  adr: address(0),
  b: branch(0),
  bl: branch(1),
  br: branchRegister(0),
  ret: branchRegister(2),
  cbz: compareBranch(0),
  cbnz: compareBranch(1),
  svc: exceptionCall("11010100000 iiiiiiiiiiiiiiii 00001"),
  hvc: exceptionCall("11010100000 iiiiiiiiiiiiiiii 00010"),
  smc: exceptionCall("11010100000 iiiiiiiiiiiiiiii 00011"),
  brk: exceptionCall("11010100001 iiiiiiiiiiiiiiii 00000"),
  udf: exceptionCall("0000000000000000 iiiiiiiiiiiiiiii"),
  eret: () => 0xd69f_03e0,
  nop: hint(0),
  wfe: hint(2),
  wfi: hint(3),
  sev: hint(4),
  sevl: hint(5),
  wfet: timedWait(0),
  wfit: timedWait(1),
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
