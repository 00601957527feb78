// Constructors of tree expressions and conditions. They fold constants and bring operands into the one form the lowerings expect:
// a constant stands on the right, `x - c` is `x + (-c)`, and `(x + a) + b` is `x + (a + b)`.

import { invalid } from "../failure.ts";
import type { ScalarName, ValueName } from "../types.ts";
import type { Address, BinaryOperator, Comparison, ConditionNode, Expression, UnaryOperator } from "./tree.ts";
import { isSigned, isWide, promoted, widthOf } from "./tree.ts";

/** The value as its type stores it: arithmetic wraps. */
export function wrap(type: ValueName, value: bigint): bigint {
  return isSigned(type) ? BigInt.asIntN(widthOf(type), value) : BigInt.asUintN(widthOf(type), value);
}

/** A constant given by a user: must lie in the range of its type. */
export function constant(type: ScalarName, value: number | bigint): Expression {
  return { kind: "constant", type: promoted(type), value: checkedConstant(type, value) };
}

export function checkedConstant(type: ScalarName, value: number | bigint): bigint {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw invalid(`not an exact ${type} constant`, { value, allowed: "safe integers, or a bigint" });
  }
  const exact = BigInt(value);
  const bits = Number(type.slice(1));
  const fits = isSigned(type) ? BigInt.asIntN(bits, exact) : BigInt.asUintN(bits, exact);
  if (fits !== exact) throw invalid(`constant out of the range of ${type}`, { value, allowed: rangeOf(type) });
  return exact;
}

function rangeOf(type: ScalarName): string {
  const bits = BigInt(type.slice(1));
  return isSigned(type) ? `${-(1n << (bits - 1n))} to ${(1n << (bits - 1n)) - 1n}` : `0 to ${(1n << bits) - 1n}`;
}

function literal(type: ValueName, value: bigint): Expression {
  return { kind: "constant", type, value: wrap(type, value) };
}

const commutative: ReadonlySet<BinaryOperator> = new Set(["add", "mul", "and", "or", "xor"]);

export function binary(operator: BinaryOperator, left: Expression, right: Expression): Expression {
  const type = left.type;
  if (left.kind === "constant" && right.kind === "constant")
    return literal(type, evaluateBinary(operator, type, left.value, right.value));
  if (left.kind === "constant" && commutative.has(operator)) return binary(operator, right, left);
  if (right.kind === "constant") return withConstant(operator, left, right.value);
  return { kind: "binary", type, operator, left, right };
}

/** `left operator value`, with the algebra that leaves the result the same for every left. */
function withConstant(operator: BinaryOperator, left: Expression, value: bigint): Expression {
  const type = left.type;
  const bits = widthOf(type);
  const node = (op: BinaryOperator, constantValue: bigint): Expression => ({
    kind: "binary",
    type,
    operator: op,
    left,
    right: literal(type, constantValue),
  });
  switch (operator) {
    case "sub":
      return withConstant("add", left, wrap(type, -value));
    case "add":
      if (value === 0n) return left;
      if (left.kind === "binary" && left.operator === "add" && left.right.kind === "constant") {
        return withConstant("add", left.left, wrap(type, left.right.value + value));
      }
      return node("add", value);
    case "shl":
    case "shr": {
      const count = value & BigInt(bits - 1);
      return count === 0n ? left : node(operator, count);
    }
    case "mul":
      return multiplied(left, value) ?? node("mul", value);
    case "div":
    case "rem":
      return divided(operator, left, value) ?? node(operator, value);
    case "and":
      if (wrap(type, value) === wrap(type, -1n)) return left;
      return value === 0n ? literal(type, 0n) : node("and", value);
    case "or":
    case "xor":
      return value === 0n ? left : node(operator, value);
  }
}

function multiplied(left: Expression, value: bigint): Expression | undefined {
  if (value === 0n) return literal(left.type, 0n);
  if (value === 1n) return left;
  const shift = powerOfTwo(BigInt.asUintN(widthOf(left.type), value));
  return shift === undefined ? undefined : withConstant("shl", left, shift);
}

/** Unsigned powers of two become shift and mask. A divisor of -1 becomes a negation, because MIN / -1 traps on x86 (SDM, IDIV). */
function divided(operator: "div" | "rem", left: Expression, value: bigint): Expression | undefined {
  const isDivision = operator === "div";
  if (value === 1n) return isDivision ? left : literal(left.type, 0n);
  if (isSigned(left.type)) {
    if (value !== -1n) return undefined;
    return isDivision ? unary("neg", left) : literal(left.type, 0n);
  }
  const shift = powerOfTwo(value);
  if (shift === undefined) return undefined;
  return isDivision ? withConstant("shr", left, shift) : withConstant("and", left, value - 1n);
}

export function powerOfTwo(value: bigint): bigint | undefined {
  if (value <= 0n || (value & (value - 1n)) !== 0n) return undefined;
  return BigInt(value.toString(2).length - 1);
}

/** The meaning of each operator; the reference of lowerings and of the interpreter in the tests alike. */
export function evaluateBinary(operator: BinaryOperator, type: ValueName, left: bigint, right: bigint): bigint {
  const count = right & BigInt(widthOf(type) - 1);
  switch (operator) {
    case "add":
      return wrap(type, left + right);
    case "sub":
      return wrap(type, left - right);
    case "mul":
      return wrap(type, left * right);
    case "and":
      return wrap(type, left & right);
    case "or":
      return wrap(type, left | right);
    case "xor":
      return wrap(type, left ^ right);
    case "shl":
      return wrap(type, left << count);
    case "shr":
      return wrap(type, left >> count);
    case "div":
    case "rem":
      if (right === 0n) throw invalid("division by zero", { value: 0, allowed: "other divisors" });
      return wrap(type, operator === "div" ? left / right : left % right);
  }
}

export function unary(operator: UnaryOperator, operand: Expression): Expression {
  const type = operand.type;
  if (operand.kind === "constant") return literal(type, evaluateUnary(operator, type, operand.value));
  return { kind: "unary", type, operator, operand };
}

/** ctz and clz of zero are the width. */
export function evaluateUnary(operator: UnaryOperator, type: ValueName, operand: bigint): bigint {
  const bits = widthOf(type);
  const pattern = BigInt.asUintN(bits, operand);
  switch (operator) {
    case "neg":
      return wrap(type, -operand);
    case "not":
      return wrap(type, ~operand);
    case "clz":
      return BigInt(pattern === 0n ? bits : bits - pattern.toString(2).length);
    case "ctz":
      return BigInt(pattern === 0n ? bits : (pattern & -pattern).toString(2).length - 1);
  }
}

/** Conversion between value types: widening extends by the sign of the source, narrowing keeps the low half. */
export function convert(type: ValueName, operand: Expression): Expression {
  if (operand.type === type) return operand;
  if (operand.kind === "constant") return literal(type, operand.value);
  if (operand.kind === "convert") {
    const source = operand.operand;
    const sameWidth = isWide(operand.type) === isWide(type);
    const narrowsAgain = isWide(operand.type) && !isWide(type) && !isWide(source.type);
    if (sameWidth && isWide(source.type) === isWide(operand.type)) return convert(type, source);
    if (narrowsAgain) return convert(type, source);
  }
  return { kind: "convert", type, operand };
}

export function load(memory: ScalarName, address: Address): Expression {
  return { kind: "load", type: promoted(memory), memory, address };
}

/** The address as a value; the address of what a pointer value points to is that value. */
export function addressValue(address: Address): Expression {
  if (address.base.kind === "value" && address.index === undefined && address.offset === 0) return address.base.value;
  return { kind: "address", type: "u64", address };
}

/** The place that a pointer value points to. */
export function pointedTo(pointer: Expression, offset = 0): Address {
  if (pointer.kind === "address") return { ...pointer.address, offset: pointer.address.offset + offset };
  if (pointer.kind === "binary" && pointer.operator === "add" && pointer.right.kind === "constant") {
    const distance = BigInt.asIntN(64, pointer.right.value) + BigInt(offset);
    if (fitsDisplacement(distance)) return pointedTo(pointer.left, Number(distance));
  }
  return { base: { kind: "value", value: pointer }, index: undefined, scale: 1, offset };
}

/** Offsets beyond this stay arithmetic, so that both architectures' displacement forms hold every recorded offset. */
function fitsDisplacement(distance: bigint): boolean {
  return distance > -0x4000_0000n && distance < 0x4000_0000n;
}

/** Element `index` of an array at the place `pointer` points to. */
export function element(pointer: Expression, index: Expression, bytes: number): Address {
  const start = pointedTo(pointer);
  if (index.kind === "constant") {
    const distance = BigInt(start.offset) + index.value * BigInt(bytes);
    if (!fitsDisplacement(distance))
      throw invalid("array index too far away", { value: index.value, allowed: "offsets below 1 GiB" });
    return { ...start, offset: Number(distance) };
  }
  const base = start.index === undefined ? start : pointedTo({ kind: "address", type: "u64", address: start });
  const wide = convert(isSigned(index.type) ? "i64" : "u64", index);
  return start.index === undefined
    ? { ...base, index: wide, scale: bytes }
    : {
        base: { kind: "value", value: { kind: "address", type: "u64", address: start } },
        index: wide,
        scale: bytes,
        offset: 0,
      };
}

const swapped: Readonly<Record<Comparison, Comparison>> = {
  eq: "eq",
  ne: "ne",
  lt: "gt",
  le: "ge",
  gt: "lt",
  ge: "le",
};
const negated: Readonly<Record<Comparison, Comparison>> = {
  eq: "ne",
  ne: "eq",
  lt: "ge",
  le: "gt",
  gt: "le",
  ge: "lt",
};

export function compare(operator: Comparison, left: Expression, right: Expression): ConditionNode {
  if (left.kind === "constant" && right.kind === "constant") {
    return { kind: "literal", value: evaluateCompare(operator, left.value, right.value) };
  }
  if (left.kind === "constant") return compare(swapped[operator], right, left);
  return { kind: "compare", operator, left, right };
}

export function evaluateCompare(operator: Comparison, left: bigint, right: bigint): boolean {
  switch (operator) {
    case "eq":
      return left === right;
    case "ne":
      return left !== right;
    case "lt":
      return left < right;
    case "le":
      return left <= right;
    case "gt":
      return left > right;
    case "ge":
      return left >= right;
  }
}

export function not(operand: ConditionNode): ConditionNode {
  switch (operand.kind) {
    case "not":
      return operand.operand;
    case "literal":
      return { kind: "literal", value: !operand.value };
    case "compare":
      return { ...operand, operator: negated[operand.operator] };
    case "bit":
    case "and":
    case "or":
    case "effect":
      return { kind: "not", operand };
  }
}

export function both(kind: "and" | "or", left: ConditionNode, right: ConditionNode): ConditionNode {
  const absorbing = kind === "or";
  if (left.kind === "literal") return left.value === absorbing ? left : right;
  if (right.kind === "literal" && right.value !== absorbing) return left;
  return { kind, left, right };
}

/** Calls `visit` for each local that the expression reads. */
export function eachLocal(expression: Expression, visit: (use: Extract<Expression, { kind: "local" }>) => void): void {
  switch (expression.kind) {
    case "constant":
    case "option":
      return;
    case "local":
      visit(expression);
      return;
    case "load":
    case "address":
      eachLocalOfAddress(expression.address, visit);
      return;
    case "binary":
      eachLocal(expression.left, visit);
      eachLocal(expression.right, visit);
      return;
    case "unary":
    case "convert":
      eachLocal(expression.operand, visit);
  }
}

type LocalVisitor = Parameters<typeof eachLocal>[1];

export function eachLocalOfAddress(address: Address, visit: LocalVisitor): void {
  if (address.base.kind === "value") eachLocal(address.base.value, visit);
  else if (address.base.kind === "otherCpu") eachLocal(address.base.cpu, visit);
  if (address.index !== undefined) eachLocal(address.index, visit);
}

export function eachLocalOfCondition(condition: ConditionNode, visit: LocalVisitor): void {
  switch (condition.kind) {
    case "compare":
      eachLocal(condition.left, visit);
      eachLocal(condition.right, visit);
      return;
    case "bit":
      eachLocalOfAddress(condition.address, visit);
      eachLocal(condition.bit, visit);
      return;
    case "and":
    case "or":
      eachLocalOfCondition(condition.left, visit);
      eachLocalOfCondition(condition.right, visit);
      return;
    case "not":
      eachLocalOfCondition(condition.operand, visit);
      return;
    case "literal":
    case "effect":
      return;
  }
}

/** True if the condition contains a read-modify-write. */
export function hasEffect(condition: ConditionNode): boolean {
  switch (condition.kind) {
    case "effect":
      return true;
    case "and":
    case "or":
      return hasEffect(condition.left) || hasEffect(condition.right);
    case "not":
      return hasEffect(condition.operand);
    case "compare":
    case "bit":
    case "literal":
      return false;
  }
}

/** True if both expressions are built alike, so that they yield the same value at one point. */
export function alike(one: Expression, other: Expression): boolean {
  if (one === other) return true;
  if (one.kind !== other.kind || one.type !== other.type) return false;
  switch (one.kind) {
    case "constant":
      return one.value === (other as typeof one).value;
    case "option":
      return one.option === (other as typeof one).option;
    case "local":
      return one.local === (other as typeof one).local;
    case "load":
      return one.memory === (other as typeof one).memory && sameAddress(one.address, (other as typeof one).address);
    case "address":
      return sameAddress(one.address, (other as typeof one).address);
    case "binary": {
      const { operator, left, right } = other as typeof one;
      return one.operator === operator && alike(one.left, left) && alike(one.right, right);
    }
    case "unary":
      return one.operator === (other as typeof one).operator && alike(one.operand, (other as typeof one).operand);
    case "convert":
      return alike(one.operand, (other as typeof one).operand);
  }
}

export function sameAddress(one: Address, other: Address): boolean {
  if (one === other) return true;
  if (one.offset !== other.offset || one.scale !== other.scale) return false;
  if (one.index === undefined || other.index === undefined) {
    if (one.index !== other.index) return false;
  } else if (!alike(one.index, other.index)) {
    return false;
  }
  return sameBase(one.base, other.base);
}

function sameBase(one: Address["base"], other: Address["base"]): boolean {
  if (one.kind === "value") return other.kind === "value" && alike(one.value, other.value);
  if (one.kind === "symbol") return other.kind === "symbol" && one.symbol === other.symbol;
  if (one.kind === "frame") return other.kind === "frame" && one.slot === other.slot;
  if (one.kind === "otherCpu") return other.kind === "otherCpu" && alike(one.cpu, other.cpu);
  return other.kind === "thisCpu";
}

/** True if the value of 64 bits is known to be below 2^32, so that narrowing it changes no bit of a register. */
export function fitsLowHalf(expression: Expression): boolean {
  switch (expression.kind) {
    case "unary":
      return expression.operator === "ctz" || expression.operator === "clz";
    case "convert":
      return !isWide(expression.operand.type) && !isSigned(expression.operand.type);
    case "binary": {
      const { operator, type, right } = expression;
      if (right.kind !== "constant" || type !== "u64") return false;
      return operator === "and" ? right.value < 0x1_0000_0000n : operator === "shr" && right.value >= 32n;
    }
    case "constant":
    case "option":
    case "local":
    case "load":
    case "address":
      return false;
  }
}

/** The value without conversions that only change bits above the lowest `width`, for stores of that width. */
export function lowBits(value: Expression, width: number): Expression {
  if (value.kind !== "convert") return value;
  const kept = Math.min(widthOf(value.type), widthOf(value.operand.type));
  return width <= kept ? lowBits(value.operand, width) : value;
}
