// What becomes known only when an image is built: options. Resolves them in expressions and decides conditions on them.

import { binary, both, compare, convert, not, unary } from "../record/expressions.ts";
import type { ImageOption } from "../record/data.ts";
import type { Address, ConditionEffect, ConditionNode, Expression, Statement } from "../record/tree.ts";

export type OptionValue = (option: ImageOption) => bigint;

/** The expression with options replaced by their values; the same object if there are none. */
export function resolve(expression: Expression, value: OptionValue): Expression {
  switch (expression.kind) {
    case "constant":
    case "local":
      return expression;
    case "option":
      return { kind: "constant", type: expression.type, value: value(expression.option) };
    case "load":
    case "address": {
      const address = resolveAddress(expression.address, value);
      return address === expression.address ? expression : { ...expression, address };
    }
    case "binary": {
      const left = resolve(expression.left, value);
      const right = resolve(expression.right, value);
      return left === expression.left && right === expression.right
        ? expression
        : binary(expression.operator, left, right);
    }
    case "unary": {
      const operand = resolve(expression.operand, value);
      return operand === expression.operand ? expression : unary(expression.operator, operand);
    }
    case "convert": {
      const operand = resolve(expression.operand, value);
      return operand === expression.operand ? expression : convert(expression.type, operand);
    }
  }
}

export function resolveAddress(address: Address, value: OptionValue): Address {
  const { base, index } = address;
  const newIndex = index === undefined ? undefined : resolve(index, value);
  const newBase = resolveBase(base, value);
  if (newIndex === index && newBase === base) return address;
  if (newIndex?.kind === "constant") {
    const offset = address.offset + Number(BigInt.asIntN(64, newIndex.value)) * address.scale;
    return { base: newBase, index: undefined, scale: 1, offset };
  }
  return { ...address, base: newBase, index: newIndex };
}

function resolveBase(base: Address["base"], value: OptionValue): Address["base"] {
  if (base.kind === "value") {
    const inner = resolve(base.value, value);
    return inner === base.value ? base : { kind: "value", value: inner };
  }
  if (base.kind === "otherCpu") {
    const cpu = resolve(base.cpu, value);
    return cpu === base.cpu ? base : { ...base, cpu };
  }
  return base;
}

export function resolveCondition(condition: ConditionNode, value: OptionValue): ConditionNode {
  switch (condition.kind) {
    case "compare": {
      const left = resolve(condition.left, value);
      const right = resolve(condition.right, value);
      return left === condition.left && right === condition.right
        ? condition
        : compare(condition.operator, left, right);
    }
    case "bit":
      return { kind: "bit", address: resolveAddress(condition.address, value), bit: resolve(condition.bit, value) };
    case "and":
    case "or":
      return both(condition.kind, resolveCondition(condition.left, value), resolveCondition(condition.right, value));
    case "not":
      return not(resolveCondition(condition.operand, value));
    case "effect":
      return { kind: "effect", effect: resolveEffect(condition.effect, value) };
    case "literal":
      return condition;
  }
}

function resolveEffect(effect: ConditionEffect, value: OptionValue): ConditionEffect {
  const address = resolveAddress(effect.address, value);
  switch (effect.kind) {
    case "addAndTest":
      return { ...effect, address };
    case "tryCmpxchg":
      return { ...effect, address, desired: resolve(effect.desired, value) };
    case "testAndSetBit":
    case "testAndClearBit":
      return { ...effect, address, bit: resolve(effect.bit, value) };
  }
}

/** The statement with options replaced in its own expressions; nested blocks are left to the walk that lowers them. */
export function resolveStatement(statement: Statement, value: OptionValue): Statement {
  const one = (expression: Expression): Expression => resolve(expression, value);
  switch (statement.kind) {
    case "set":
      return { ...statement, value: one(statement.value) };
    case "store":
      return { ...statement, address: resolveAddress(statement.address, value), value: one(statement.value) };
    case "load":
      return { ...statement, address: resolveAddress(statement.address, value) };
    case "bool":
    case "if":
    case "loop":
      return { ...statement, condition: resolveCondition(statement.condition, value) };
    case "switch":
      return { ...statement, value: one(statement.value) };
    case "call": {
      const { target } = statement;
      return {
        ...statement,
        target: "signature" in target ? target : one(target),
        arguments: statement.arguments.map(one),
      };
    }
    case "return":
      return statement.value === undefined ? statement : { ...statement, value: one(statement.value) };
    case "update":
    case "fetch":
    case "xchg":
      return { ...statement, address: resolveAddress(statement.address, value), operand: one(statement.operand) };
    case "setBit":
    case "clearBit":
      return { ...statement, address: resolveAddress(statement.address, value), bit: one(statement.bit) };
    case "cmpxchg":
      return {
        ...statement,
        address: resolveAddress(statement.address, value),
        expected: one(statement.expected),
        desired: one(statement.desired),
      };
    case "interrupts":
      return statement.action === "restore" ? { ...statement, flags: one(statement.flags) } : statement;
    case "cmpWait":
      return { ...statement, address: resolveAddress(statement.address, value), seen: one(statement.seen) };
    case "arch": {
      const uses = statement.block.uses.map((use) => ({ ...use, value: one(use.value) }));
      return { ...statement, block: { ...statement.block, uses } };
    }
    case "break":
    case "continue":
    case "fence":
    case "relax":
    case "idle":
    case "bug":
    case "mark":
      return statement;
  }
}
