// Operands in AT&T syntax: %register, $immediate, segment:displacement(base, index, scale), *indirect; a bare expression is memory, or the
// place that a branch goes to.

import { CONDITIONS, gpr } from "../../x64/registers.ts";
import type { Width, X64Condition, X64Register } from "../../x64/registers.ts";
import type { SegmentRegister } from "../../x64/instructions/system.ts";
import type { Cursor } from "../cursor.ts";
import { parseExpression } from "../expression.ts";
import type { TextExpression } from "../expression.ts";
import { mistake, nearNames } from "../failure.ts";
import type { Scope } from "../scope.ts";
import type { Token } from "../scanner.ts";

interface Written {
  /** The operand as it was written. */
  readonly token: Token;
}
export interface RegisterOperand extends Written {
  readonly kind: "register";
  readonly register: X64Register;
}
export interface MemoryOperand extends Written {
  readonly kind: "memory";
  readonly displacement: TextExpression | undefined;
  readonly base: X64Register | undefined;
  readonly index: X64Register | undefined;
  readonly scale: 1 | 2 | 4 | 8;
  readonly isRipRelative: boolean;
  readonly segment: SegmentRegister | undefined;
}
type AnyRegister =
  | RegisterOperand
  | (Written & { readonly kind: "segment"; readonly segment: SegmentRegister })
  | (Written & { readonly kind: "control" | "debug"; readonly number: number });
type ImmediateOperand = Written & { readonly kind: "immediate"; readonly expression: TextExpression };
export type X64Operand = { readonly isIndirect: boolean } & (AnyRegister | MemoryOperand | ImmediateOperand);

const WIDTHS: readonly Width[] = [8, 16, 32, 64];
const REGISTERS: ReadonlyMap<string, X64Register> = new Map(
  WIDTHS.flatMap((width) =>
    Array.from({ length: 16 }, (_, number) => gpr(number, width)).map((register) => [register.name, register] as const),
  ),
);
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;

/** Conditions by all of their names. */
export const CONDITION_NAMES: Readonly<Record<string, X64Condition>> = {
  ...Object.fromEntries(CONDITIONS.map((condition) => [condition, condition])),
  c: "b", nae: "b", nb: "ae", nc: "ae", z: "e", nz: "ne", na: "be", nbe: "a", pe: "p", po: "np", nge: "l", nl: "ge", ng: "le",
  nle: "g",
}; // prettier-ignore

export class OperandParser {
  readonly #cursor: Cursor;
  readonly #scope: Scope;

  constructor(cursor: Cursor, scope: Scope) {
    this.#cursor = cursor;
    this.#scope = scope;
  }

  all(): X64Operand[] {
    return this.#cursor.list(() => this.#operand());
  }

  #operand(): X64Operand {
    const cursor = this.#cursor;
    const first = cursor.peek() ?? cursor.end();
    const isIndirect = cursor.accept("*");
    if (cursor.accept("$")) {
      const expression = parseExpression(cursor, this.#scope);
      return { kind: "immediate", isIndirect, expression, token: cursor.written(first) };
    }
    if (!cursor.isNext("%")) return { isIndirect, ...this.#memory(first, undefined) };
    const register = this.#anyRegister();
    if (!cursor.accept(":")) return { ...register, isIndirect, token: cursor.written(first) };
    if (register.kind !== "segment")
      throw mistake("no segment register", register.token, SEGMENTS.map((name) => `%${name}`).join(" "));
    return { isIndirect, ...this.#memory(first, register.segment) };
  }

  /** %name */
  #anyRegister(): AnyRegister {
    const cursor = this.#cursor;
    const sign = cursor.expect("%");
    const name = cursor.expectName("the name of a register").text.toLowerCase();
    const token = cursor.written(sign);
    const register = REGISTERS.get(name);
    if (register !== undefined) return { kind: "register", register, token };
    const segment = SEGMENTS.find((candidate) => candidate === name);
    if (segment !== undefined) return { kind: "segment", segment, token };
    const numbered = /^(cr|dr|db)(\d|1[0-5])$/.exec(name);
    if (numbered !== null)
      return { kind: numbered[1] === "cr" ? "control" : "debug", number: Number(numbered[2]), token };
    if (/^[abcd]h$/.test(name))
      throw mistake(
        "the second byte of a register is not encoded here",
        token,
        `%${name.slice(0, 1)}l, or a shift by 8`,
      );
    throw mistake("no such register", token, nearNames(name, REGISTERS.keys()) || "%rax to %r15, %cr0, %dr0, %ds …");
  }

  #general(): X64Register {
    const operand = this.#anyRegister();
    if (operand.kind !== "register") throw mistake("no general register", operand.token, "%rax to %r15");
    return operand.register;
  }

  /** displacement(base, index, scale); each part may be missing. */
  #memory(first: Token, segment: SegmentRegister | undefined): MemoryOperand {
    const cursor = this.#cursor;
    const displacement = this.#isRegisterPart() ? undefined : parseExpression(cursor, this.#scope);
    const none = { base: undefined, index: undefined, scale: 1, isRipRelative: false } as const;
    const parts = cursor.accept("(") ? this.#registers() : none;
    return { kind: "memory", displacement, segment, ...parts, token: cursor.written(first) };
  }

  #isRegisterPart(): boolean {
    return this.#cursor.isNext("(") && (this.#cursor.isNext("%", 1) || this.#cursor.isNext(",", 1));
  }

  #registers(): Pick<MemoryOperand, "base" | "index" | "scale" | "isRipRelative"> {
    const cursor = this.#cursor;
    if (cursor.isNext("%") && cursor.peek(1)?.text.toLowerCase() === "rip" && cursor.isNext(")", 2)) {
      for (let i = 0; i < 3; i++) cursor.take("(%rip)");
      return { base: undefined, index: undefined, scale: 1, isRipRelative: true };
    }
    const base = cursor.isNext(",") ? undefined : this.#general();
    const index = cursor.accept(",") ? this.#general() : undefined;
    const scale = cursor.accept(",") ? this.#scale() : 1;
    cursor.expect(")");
    return { base, index, scale, isRipRelative: false };
  }

  #scale(): 1 | 2 | 4 | 8 {
    const expression = parseExpression(this.#cursor, this.#scope);
    const scale = Number(this.#scope.knownConstant(expression, "1, 2, 4, 8"));
    if (scale !== 1 && scale !== 2 && scale !== 4 && scale !== 8)
      throw mistake("no scale of an index", expression.token, "1, 2, 4, 8");
    return scale;
  }
}
