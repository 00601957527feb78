// Expressions of a text: numbers, symbols and operators, with the precedence of GNU as: * / % << >> before | & ^ before + -.

import type { Cursor } from "./cursor.ts";
import { mistake } from "./failure.ts";
import type { Token } from "./scanner.ts";

/** Where an expression was written, and how. */
interface Written {
  readonly token: Token;
}
export type TextExpression = Written &
  (
    | { readonly kind: "number"; readonly value: bigint }
    | { readonly kind: "symbol"; readonly name: string }
    | { readonly kind: "unary"; readonly operator: "-" | "~"; readonly operand: TextExpression }
    | {
        readonly kind: "binary";
        readonly operator: Operator;
        readonly left: TextExpression;
        readonly right: TextExpression;
      }
  );

const OPERATORS = {
  "*": (one: bigint, other: bigint) => one * other,
  "/": (one: bigint, other: bigint) => one / other,
  "%": (one: bigint, other: bigint) => one % other,
  "<<": (one: bigint, other: bigint) => one << other,
  ">>": (one: bigint, other: bigint) => BigInt.asUintN(64, one) >> other,
  "|": (one: bigint, other: bigint) => one | other,
  "&": (one: bigint, other: bigint) => one & other,
  "^": (one: bigint, other: bigint) => one ^ other,
  "+": (one: bigint, other: bigint) => one + other,
  "-": (one: bigint, other: bigint) => one - other,
} as const;
type Operator = keyof typeof OPERATORS;
/** Loosest first. */
const LEVELS: readonly (readonly Operator[])[] = [
  ["+", "-"],
  ["|", "&", "^"],
  ["*", "/", "%", "<<", ">>"],
];

/** What names stand for: labels get their number while the text is read. */
export interface Names {
  /** The name under which a symbol, a numeric label (1b, 2f) or the place itself (.) is kept. */
  nameOf(token: Token): string;
}

const ALLOWED = "a number, a symbol, 1b, 1f, ., - or ~, a parenthesis";

export function parseExpression(cursor: Cursor, names: Names, level = 0): TextExpression {
  const operators = LEVELS[level];
  if (operators === undefined) return parseOperand(cursor, names);
  let left = parseExpression(cursor, names, level + 1);
  for (;;) {
    const operator = operators.find((candidate) => cursor.isNext(candidate));
    if (operator === undefined) return left;
    cursor.expect(operator);
    const right = parseExpression(cursor, names, level + 1);
    left = { kind: "binary", operator, left, right, token: cursor.written(left.token) };
  }
}

function parseOperand(cursor: Cursor, names: Names): TextExpression {
  const token = cursor.take(ALLOWED);
  if (token.text === "-" || token.text === "~") {
    const operand = parseOperand(cursor, names);
    return { kind: "unary", operator: token.text, operand, token: cursor.written(token) };
  }
  if (token.text === "+") return parseOperand(cursor, names);
  if (token.text === "(") {
    const inner = parseExpression(cursor, names);
    cursor.expect(")");
    return { ...inner, token: cursor.written(token) };
  }
  if (token.value !== undefined) return { kind: "number", value: token.value, token };
  if (token.kind !== "name" && token.kind !== "local") throw mistake("no expression begins so", token, ALLOWED);
  return { kind: "symbol", name: names.nameOf(token), token };
}

/** The value, where `symbol` knows that of each name. */
export function evaluate(
  expression: TextExpression,
  symbol: (name: string, token: Token) => bigint | undefined,
): bigint | undefined {
  switch (expression.kind) {
    case "number":
      return expression.value;
    case "symbol":
      return symbol(expression.name, expression.token);
    case "unary": {
      const value = evaluate(expression.operand, symbol);
      return value === undefined ? undefined : expression.operator === "-" ? -value : ~value;
    }
    case "binary": {
      const left = evaluate(expression.left, symbol);
      const right = evaluate(expression.right, symbol);
      if (left === undefined || right === undefined) return undefined;
      checkRight(expression.operator, right, expression.right.token);
      return OPERATORS[expression.operator](left, right);
    }
  }
}

function checkRight(operator: Operator, right: bigint, token: Token): void {
  if ((operator === "/" || operator === "%") && right === 0n) throw mistake("a division by zero", token, "not 0");
  if ((operator === "<<" || operator === ">>") && (right < 0n || right > 63n))
    throw mistake("a shift by that many bits", token, "0 to 63");
}

/** Whether a symbol takes part. */
export function namesSymbol(expression: TextExpression): boolean {
  switch (expression.kind) {
    case "number":
      return false;
    case "symbol":
      return true;
    case "unary":
      return namesSymbol(expression.operand);
    case "binary":
      return namesSymbol(expression.left) || namesSymbol(expression.right);
  }
}
