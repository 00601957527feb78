// Folding at record time changes the form of an expression, never its value.

import { describe, expect, it } from "vitest";
import * as build from "../../src/asm/record/expressions.ts";
import type { BinaryOperator, Block, Comparison, ConditionNode, Expression, Local } from "../../src/asm/record/tree.ts";
import { widthOf } from "../../src/asm/record/tree.ts";
import type { ValueName } from "../../src/asm/types.ts";
import { Random } from "./support/random.ts";

const TYPES: readonly ValueName[] = ["u32", "i32", "u64", "i64"];
const OPERATORS: readonly BinaryOperator[] = ["add", "sub", "mul", "and", "or", "xor", "shl", "shr", "div", "rem"];
const COMPARISONS: readonly Comparison[] = ["eq", "ne", "lt", "le", "gt", "ge"];
const block: Block = { parent: undefined, statements: [], owner: {}, reachable: true };

function localOf(type: ValueName): Extract<Expression, { kind: "local" }> {
  const local: Local = { index: 0, name: "x", type, block, mutable: true };
  return { kind: "local", type, local };
}

/** Value of an expression over one local. */
function evaluate(node: Expression, x: bigint): bigint {
  switch (node.kind) {
    case "constant":
      return node.value;
    case "local":
      return build.wrap(node.type, x);
    case "binary":
      return build.evaluateBinary(node.operator, node.type, evaluate(node.left, x), evaluate(node.right, x));
    case "unary":
      return build.evaluateUnary(node.operator, node.type, evaluate(node.operand, x));
    case "convert":
      return build.wrap(node.type, evaluate(node.operand, x));
    case "load":
    case "address":
    case "option":
      throw new Error(`no ${node.kind} here`);
  }
}

function holds(node: ConditionNode, x: bigint): boolean {
  switch (node.kind) {
    case "literal":
      return node.value;
    case "compare":
      return build.evaluateCompare(node.operator, evaluate(node.left, x), evaluate(node.right, x));
    case "not":
      return !holds(node.operand, x);
    case "and":
      return holds(node.left, x) && holds(node.right, x);
    case "or":
      return holds(node.left, x) || holds(node.right, x);
    case "bit":
    case "effect":
      throw new Error(`no ${node.kind} here`);
  }
}

const RAW = [
  0n,
  1n,
  2n,
  3n,
  5n,
  8n,
  63n,
  64n,
  255n,
  256n,
  -1n,
  -2n,
  -8n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  1n << 63n,
  (1n << 63n) - 1n,
];
const valuesOf = (type: ValueName): bigint[] => [...new Set(RAW.map((value) => build.wrap(type, value)))];

describe("folding", () => {
  it.for(TYPES)("of an operation on %s with a constant on either side keeps its value", (type) => {
    const x = localOf(type);
    for (const operator of OPERATORS) {
      for (const constant of valuesOf(type)) {
        const node: Expression = { kind: "constant", type, value: constant };
        for (const value of valuesOf(type)) {
          const isDivision = operator === "div" || operator === "rem";
          const what = `${type}: ${value} ${operator} ${constant}`;
          if (!isDivision || constant !== 0n) {
            const expected = build.evaluateBinary(operator, type, value, constant);
            expect(evaluate(build.binary(operator, x, node), value), what).toBe(expected);
          }
          if (!isDivision || value !== 0n) {
            const expected = build.evaluateBinary(operator, type, constant, value);
            expect(evaluate(build.binary(operator, node, x), value), `${what}, turned round`).toBe(expected);
          }
        }
      }
    }
  });

  it.for(TYPES)("of a comparison on %s keeps its truth, negated and turned round too", (type) => {
    const x = localOf(type);
    for (const operator of COMPARISONS) {
      for (const constant of valuesOf(type)) {
        const node: Expression = { kind: "constant", type, value: constant };
        for (const value of valuesOf(type)) {
          const straight = build.evaluateCompare(operator, value, constant);
          const turned = build.evaluateCompare(operator, constant, value);
          expect(holds(build.compare(operator, x, node), value)).toBe(straight);
          expect(holds(build.compare(operator, node, x), value)).toBe(turned);
          expect(holds(build.not(build.compare(operator, x, node)), value)).toBe(!straight);
        }
      }
    }
  });

  it("of a chain of operations and conversions keeps its value", () => {
    const random = new Random(11);
    for (let i = 0; i < 3000; i++) {
      let type = random.pick(TYPES);
      const start = random.pick(valuesOf(type));
      let node: Expression = localOf(type);
      let expected = start;
      for (let depth = random.between(1, 6); depth > 0; depth--) {
        if (random.chance(0.4)) {
          type = random.pick(TYPES);
          node = build.convert(type, node);
          expected = build.wrap(type, expected);
          continue;
        }
        const operator = random.pick(["add", "sub", "mul", "and", "or", "xor", "shl", "shr"] as const);
        const constant = random.pick(valuesOf(type));
        node = build.binary(operator, node, { kind: "constant", type, value: constant });
        expected = build.evaluateBinary(operator, type, expected, constant);
      }
      expect(evaluate(node, start)).toBe(expected);
      expect(widthOf(node.type)).toBe(widthOf(type));
    }
  });

  it("of and, or with a literal side keeps the truth", () => {
    const x = localOf("u32");
    const zero: Expression = { kind: "constant", type: "u32", value: 0n };
    const open = build.compare("eq", x, zero);
    for (const kind of ["and", "or"] as const) {
      for (const value of [true, false]) {
        const literal: ConditionNode = { kind: "literal", value };
        for (const input of [0n, 1n]) {
          const truth = input === 0n;
          const expected = kind === "and" ? truth && value : truth || value;
          expect(holds(build.both(kind, open, literal), input)).toBe(expected);
          expect(holds(build.both(kind, literal, open), input)).toBe(expected);
        }
      }
    }
  });

  it("claims a zero upper half only where there is one", () => {
    const x = localOf("u64");
    const shapes = [
      build.binary("and", x, { kind: "constant", type: "u64", value: 0xffff_ffffn }),
      build.binary("and", x, { kind: "constant", type: "u64", value: 0x1_0000_0000n }),
      build.binary("shr", x, { kind: "constant", type: "u64", value: 31n }),
      build.binary("shr", x, { kind: "constant", type: "u64", value: 32n }),
      build.unary("ctz", x),
      build.unary("neg", x),
      build.convert("u64", localOf("u32")),
      build.convert("u64", localOf("i32")),
      build.binary("shr", localOf("i64"), { kind: "constant", type: "i64", value: 40n }),
    ];
    for (const shape of shapes) {
      const largest = RAW.map((value) => BigInt.asUintN(64, evaluate(shape, value))).reduce((one, other) =>
        one > other ? one : other,
      );
      if (build.fitsLowHalf(shape)) expect(largest).toBeLessThan(1n << 32n);
    }
    expect(shapes.map((shape) => build.fitsLowHalf(shape))).toEqual([
      true,
      false,
      false,
      true,
      true,
      false,
      true,
      false,
      false,
    ]);
  });

  it("refuses constants outside their type", () => {
    expect(() => build.constant("u32", -1)).toThrow("constant out of the range of u32");
    expect(() => build.constant("u32", 2 ** 32)).toThrow("out of the range");
    expect(() => build.constant("i32", 0x8000_0000)).toThrow("out of the range");
    expect(() => build.constant("u8", 256)).toThrow("out of the range");
    expect(() => build.constant("u64", 2 ** 60)).toThrow("not an exact u64 constant");
    expect(() => build.constant("u32", 1.5)).toThrow("not an exact");
  });
});
