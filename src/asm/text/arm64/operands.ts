// Operands in Arm's syntax: registers, #immediates, [addresses], shifts and extensions, =literals, names.

import { armGpr, sp, wsp } from "../../arm64/registers.ts";
import type { Arm64Register } from "../../arm64/registers.ts";
import type { Cursor } from "../cursor.ts";
import { parseExpression } from "../expression.ts";
import type { TextExpression } from "../expression.ts";
import { mistake } from "../failure.ts";
import type { Scope } from "../scope.ts";
import type { Token } from "../scanner.ts";

export const MODIFIERS = [
  "lsl", "lsr", "asr", "ror", "uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx",
] as const; // prettier-ignore
export type Modifier = (typeof MODIFIERS)[number];

/** A shift or an extension, with its amount if one is written. */
export interface ModifierOperand {
  readonly modifier: Modifier;
  readonly amount: TextExpression | undefined;
}

export interface AddressOperand {
  readonly base: Arm64Register;
  readonly offset: TextExpression | undefined;
  readonly low12: TextExpression | undefined;
  readonly index: Arm64Register | undefined;
  readonly modifier: ModifierOperand | undefined;
  readonly isPreIndexed: boolean;
}

export type Arm64Operand = { readonly token: Token } & (
  | { readonly kind: "register"; readonly register: Arm64Register }
  | { readonly kind: "immediate"; readonly expression: TextExpression }
  | ({ readonly kind: "address" } & AddressOperand)
  | ({ readonly kind: "modifier" } & ModifierOperand)
  | { readonly kind: "literal"; readonly expression: TextExpression }
  | { readonly kind: "low12"; readonly expression: TextExpression }
  /** A name alone: a condition, a barrier's option, a system register, or a label. */
  | { readonly kind: "name" }
);

const GENERAL: readonly (readonly [string, Arm64Register])[] = [32, 64].flatMap((width) =>
  Array.from({ length: 32 }, (_, number) => armGpr(number, width as 32 | 64)).map(
    (register) => [register.name, register] as const,
  ),
);
const REGISTERS: ReadonlyMap<string, Arm64Register> = new Map([
  ...GENERAL,
  ["sp", sp],
  ["wsp", wsp],
  ["ip0", armGpr(16, 64)],
  ["ip1", armGpr(17, 64)],
  ["fp", armGpr(29, 64)],
  ["lr", armGpr(30, 64)],
]);

export class OperandParser {
  readonly #cursor: Cursor;
  readonly #scope: Scope;

  constructor(cursor: Cursor, scope: Scope) {
    this.#cursor = cursor;
    this.#scope = scope;
  }

  all(): Arm64Operand[] {
    return this.#cursor.list(() => this.#operand());
  }

  #operand(): Arm64Operand {
    const cursor = this.#cursor;
    const first = cursor.peek() ?? cursor.end();
    if (cursor.isNext("[")) return { kind: "address", ...this.#address(), token: cursor.written(first) };
    if (cursor.accept("=")) return this.#expression("literal", first);
    if (cursor.isNext(":")) return { ...this.#low12(), token: cursor.written(first) };
    if (cursor.accept("#")) return cursor.isNext(":") ? this.#operand() : this.#expression("immediate", first);
    const register = this.#register();
    if (register !== undefined) return { kind: "register", register, token: first };
    const modifier = this.#modifier();
    if (modifier !== undefined) return { kind: "modifier", ...modifier, token: cursor.written(first) };
    if (first.kind === "name" && first.text !== "." && this.#endsBehindNext()) {
      cursor.take("a name");
      return { kind: "name", token: first };
    }
    return this.#expression("immediate", first);
  }

  #endsBehindNext(): boolean {
    return this.#cursor.peek(1) === undefined || this.#cursor.isNext(",", 1);
  }

  #expression(kind: "immediate" | "literal", first: Token): Arm64Operand {
    const expression = parseExpression(this.#cursor, this.#scope);
    return { kind, expression, token: this.#cursor.written(first) };
  }

  /** :lo12:expression */
  #low12(): { readonly kind: "low12"; readonly expression: TextExpression } {
    const cursor = this.#cursor;
    cursor.expect(":");
    const name = cursor.expectName("lo12");
    if (name.text.toLowerCase() !== "lo12") throw mistake("no such part of an address", name, "lo12");
    cursor.expect(":");
    return { kind: "low12", expression: parseExpression(cursor, this.#scope) };
  }

  #register(): Arm64Register | undefined {
    const token = this.#cursor.peek();
    const register = token?.kind === "name" ? REGISTERS.get(token.text.toLowerCase()) : undefined;
    if (register !== undefined) this.#cursor.take("a register");
    return register;
  }

  /** A shift or extension is one only where an amount or the end follows: labels may have these names otherwise. */
  #modifier(): ModifierOperand | undefined {
    const cursor = this.#cursor;
    const name = cursor.peek()?.text.toLowerCase();
    const modifier = MODIFIERS.find((candidate) => candidate === name);
    if (modifier === undefined) return undefined;
    cursor.take("a shift");
    const isExtension = modifier.startsWith("uxt") || modifier.startsWith("sxt");
    if (isExtension && (cursor.isAtEnd || cursor.isNext("]"))) return { modifier, amount: undefined };
    cursor.accept("#");
    return { modifier, amount: parseExpression(cursor, this.#scope) };
  }

  /** [base], [base, #offset], [base, #offset]!, [base, index, extension], [base, :lo12:symbol] */
  #address(): AddressOperand {
    const cursor = this.#cursor;
    cursor.expect("[");
    const first = cursor.peek() ?? cursor.end();
    const base = this.#register();
    if (base === undefined || base.width !== 64 || (base.number === 31 && !base.isStackPointer))
      throw mistake("no base register", first, "x0 to x30, sp");
    const parts = cursor.accept(",") ? this.#addend() : {};
    cursor.expect("]");
    const isPreIndexed = cursor.accept("!");
    const none = { offset: undefined, low12: undefined, index: undefined, modifier: undefined };
    return { base, ...none, ...parts, isPreIndexed };
  }

  #addend(): Partial<AddressOperand> {
    const cursor = this.#cursor;
    const index = this.#register();
    if (index !== undefined) {
      const modifier = cursor.accept(",") ? this.#modifier() : undefined;
      return { index, modifier };
    }
    cursor.accept("#");
    if (cursor.isNext(":")) return { low12: this.#low12().expression };
    return { offset: parseExpression(cursor, this.#scope) };
  }
}
