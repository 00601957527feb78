// One instruction of a text: its operands by position, and how it is refused. The architectures add what their operands mean.

import { isSameNumber, mistake } from "./failure.ts";
import type { TextExpression } from "./expression.ts";
import type { Scope } from "./scope.ts";
import type { Token } from "./scanner.ts";

/** What an instruction is made of. */
export interface StatementParts<Assembler, Operand> {
  readonly a: Assembler;
  readonly scope: Scope;
  readonly mnemonic: Token;
  readonly operands: readonly Operand[];
  /** The forms that the instruction has, for messages. */
  readonly forms: string;
}

export abstract class TextStatement<Assembler, Operand extends { readonly kind: string; readonly token: Token }> {
  readonly a: Assembler;
  readonly scope: Scope;
  readonly mnemonic: Token;
  readonly operands: readonly Operand[];
  readonly forms: string;

  constructor({ a, scope, mnemonic, operands, forms }: StatementParts<Assembler, Operand>) {
    this.a = a;
    this.scope = scope;
    this.mnemonic = mnemonic;
    this.operands = operands;
    this.forms = forms;
  }

  get count(): number {
    return this.operands.length;
  }

  refuse(what: string, token: Token = this.mnemonic, allowed = this.forms): Error {
    return mistake(what, token, allowed);
  }

  operand(position: number): Operand {
    const operand = this.operands[position];
    if (operand === undefined) throw this.refuse("an operand is missing");
    return operand;
  }

  is(position: number, kind: Operand["kind"]): boolean {
    return this.operands[position]?.kind === kind;
  }

  /** Refuses another number of operands. */
  expect(...counts: readonly number[]): void {
    const excess = this.operands[Math.max(...counts)];
    if (!counts.includes(this.count)) throw this.refuse(`an instruction with ${this.count} operands`, excess?.token);
  }

  /** Whether an operand is a register of that name, or has that constant: what an encoder's mistake is about. */
  abstract hasValue(operand: Operand, value: unknown): boolean;

  protected isConstant(expression: TextExpression | undefined, value: unknown): boolean {
    return expression !== undefined && isSameNumber(this.scope.constant(expression), value);
  }
}
