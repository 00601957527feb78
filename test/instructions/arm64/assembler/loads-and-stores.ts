// Encodings of A64 loads and stores (Arm ARM DDI 0487 C4.1.96) from assembly text.

import { encode } from "../encodings.ts";
import { extensions, immediateOf, inRange, memoryOf, registerOf, type Encoder, type Operand } from "./operands.ts";

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

export function memoryEncoder(mnemonic: string): Encoder | undefined {
  const plain = plainAccesses[mnemonic];
  if (plain !== undefined) return (operands, distance) => plainAccess(plain, operands, distance);
  if (mnemonic === "ldp" || mnemonic === "stp") return (operands) => pairAccess(mnemonic === "ldp" ? 1 : 0, operands);
  return orderedEncoder(mnemonic) ?? atomicEncoder(mnemonic);
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
