// Snippets that compute in loops: what spin elision has to follow, or to refuse.

import { R8, R9, R10, R11, R12, R15 } from "../../../instructions/x86-64/code.ts";
import { aluOperations, type AluOperation } from "../../x64.ts";
import { COUNTERS, privately } from "../layout.ts";
import { EQUAL, both, bounded, relax, type Snippet } from "../snippet.ts";

export const arithmetic: readonly Snippet[] = [
  // counted loops up and down, close to the wraps, with every condition
  (code, random) => {
    const head = code.fresh();
    const out = code.fresh();
    const width = random.pick([1, 2, 4, 8, 4, 8] as const);
    const start = random.pick([
      0n,
      1n,
      100n,
      0x7cn,
      0xf0n,
      0x7fc0n,
      0xffc0n,
      0x3fffffe0n,
      0x7fffffc0n,
      0xffffff80n,
      0x3fffffffffffffe0n,
      0x7fffffffffffffb0n,
      0xffffffffffffffa0n,
    ]);
    const cell = random.chance(25) ? privately(COUNTERS + 56) : undefined;
    const step = random.between(1, 3);
    // R9 is close to R8, or to its negative: then their difference overflows somewhere.
    const close = random.chance(75) ? start : -start;
    code.movImmediate(R8, start).movImmediate(R9, close + BigInt(random.between(-90, 90)));
    if (cell !== undefined) code.store(8, cell, R8);
    const counted = cell ?? R8;
    code.set(R15, 70).label(head).decrement(4, R15).jumpIf(EQUAL, out);
    const kind = random.between(0, 5);
    if (kind === 0) code.increment(width, counted);
    else if (kind === 1) code.decrement(width, counted);
    else if (kind === 2) code.opImmediate("add", width, counted, step);
    else if (kind === 3) code.opImmediate("sub", width, counted, step);
    else if (kind === 4 && cell === undefined) code.lea(width === 8 ? 8 : 4, R8, { base: R8, displacement: step });
    else code.opImmediate("add", width, counted, -step);
    const compare = random.between(0, 5);
    if (compare === 0) code.opImmediate("cmp", width, counted, Number(BigInt.asIntN(32, start)) + step);
    else if (compare === 1 && cell === undefined) code.test(width, R8, R8);
    else if (compare === 2) code.op("cmp", width, R9, counted);
    else if (compare === 3 && cell === undefined) code.op("cmp", width, R8, R9);
    else if (compare === 4 && cell === undefined) code.test(width, R8, R9);
    const condition = random.between(0, 15);
    // Flags may be used in more than one way.
    if (random.chance(25)) code.setIf(random.between(0, 15), random.chance(50) ? R10 : privately(40));
    if (random.chance(25)) code.moveIf(random.between(0, 15), random.pick(both), R11, random.chance(70) ? R8 : R9);
    if (random.chance(10)) code.pushf().pop(R12);
    code.jumpIf(condition, head).label(out);
  },
  // INC and DEC keep the carry that something before has left
  (code, random) => {
    const width = random.pick(both);
    const kind = random.between(0, 3);
    code.movImmediate(R8, random.pick([0n, 0xfffffff0n, 0x7ffffff0n, 0xfffffffffffffff0n]));
    code.movImmediate(R9, random.pick([0n, 0xffffff00n, 0xffffffffffffff00n]));
    const condition = random.pick([2, 3, 6, 7]);
    bounded(code, random, (out) => {
      if (kind === 0) code.stc();
      else if (kind === 1) code.clc();
      else code.opImmediate(kind === 2 ? "add" : "cmp", width, R9, random.between(1, 9));
      if (random.chance(50)) code.increment(width, R8);
      else code.decrement(width, R8);
      code.jumpIf(condition, out);
      if (random.chance(30)) code.op(random.pick(["adc", "sbb"] as const), width, R10, R9);
    });
  },
  // growth that is not affine
  (code, random) => {
    const width = random.pick(both);
    code.set(R8, random.between(1, 9)).set(R9, 1).set(R10, 3);
    const kind = random.between(0, 9);
    bounded(code, random, () => {
      relax(code, random);
      if (kind === 0) code.op("add", width, R8, R8);
      else if (kind === 1) code.copy(8, R11, R8).op("add", width, R8, R9).copy(8, R9, R11);
      else if (kind === 2) code.increment(width, R9).op("add", width, R8, R9);
      else if (kind === 3) code.imul(width, R8, R10);
      else if (kind === 4) code.shift(random.pick([0, 1, 4, 5, 7] as const), width, R8, random.between(1, 5));
      else if (kind === 5) code.lea(8, R8, { base: R8, index: R8, scale: random.pick([1, 2, 4, 8]) });
      else if (kind === 6) code.increment(width, R9).op("xor", width, R8, R9);
      else if (kind === 7) code.negate(width, R8).opImmediate("add", width, R8, 3);
      else if (kind === 8) code.increment(8, R9).movzx(random.pick([1, 2] as const), R8, R9);
      else code.lea(8, R8, { base: R8, index: R9, scale: 4, displacement: 5 }).increment(4, R10);
    });
  },
  // arithmetic of all kinds in a loop, registers, memory and immediates
  (code, random) => {
    const width = random.pick([1, 2, 4, 8, 4, 8] as const);
    const turn = Array.from({ length: random.between(1, 4) }, () => ({
      operation: random.pick<AluOperation>(aluOperations),
      from: random.pick([R8, R9, R10]),
      to: random.pick([R10, R11, R12]),
      kind: random.between(0, 3),
      value: random.between(-4, 4),
    }));
    code
      .set(R8, random.pick([0, 3, 0xf0, 0x7fff_fff0, 0xffff_ffe0]))
      .set(R9, 1)
      .set(R10, 0)
      .set(R11, 0)
      .set(R12, 0);
    const moves = random.between(0, 3);
    bounded(code, random, () => {
      relax(code, random);
      // Operands that move by a constant from turn to turn.
      if (moves === 1) code.increment(width, R8);
      else if (moves === 2) code.lea(8, R8, { base: R8, displacement: 16 }).opImmediate("add", width, R9, 3);
      else if (moves === 3) code.opImmediate("add", width, privately(COUNTERS), 1);
      for (const { operation, from, to, kind, value } of turn) {
        if (kind === 0) code.op(operation, width, to, from);
        else if (kind === 1) code.opImmediate(operation, width, to, value);
        else if (kind === 2) code.op(operation, width, to, privately(COUNTERS));
        else code.opTo(operation, width, privately(COUNTERS + 32), from);
      }
    });
  },
];
