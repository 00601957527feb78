// A64 in Arm's syntax, as GNU as and herd's AArch64 tests have it.

import { Arm64Assembler } from "../../arm64/assembler.ts";
import type { Cursor } from "../cursor.ts";
import type { Dialect } from "../dialect.ts";
import { parseExpression } from "../expression.ts";
import { blamingOperands, mistake, nearNames } from "../failure.ts";
import { Scope } from "../scope.ts";
import type { Token } from "../scanner.ts";
import { INTEGER } from "./integer.ts";
import { LiteralPool } from "./literals.ts";
import { MEMORY } from "./memory.ts";
import { OperandParser } from "./operands.ts";
import { Arm64Statement } from "./statement.ts";
import { SYSTEM_TABLE } from "./system.ts";
import type { Entry } from "./table.ts";

/** By mnemonic, in small letters. */
export const ARM64_TABLE: ReadonlyMap<string, Entry> = new Map(
  Object.entries({ ...INTEGER, ...MEMORY, ...SYSTEM_TABLE }),
);

export class Arm64Dialect implements Dialect {
  readonly buffer = new Arm64Assembler();
  readonly scope: Scope;
  readonly numberSign = "comment at the start of a line";
  readonly wordBytes = 4;
  readonly alignsByPower = true;
  readonly directives: readonly string[] = [".inst", ".ltorg", ".pool"];
  readonly #pool: LiteralPool;

  constructor(base: number, symbols: Readonly<Record<string, number | bigint>>) {
    this.scope = new Scope(this.buffer, base, symbols);
    this.#pool = new LiteralPool(this.buffer, this.scope);
  }

  instruction(mnemonic: Token, cursor: Cursor): void {
    const name = mnemonic.text.toLowerCase();
    const entry = ARM64_TABLE.get(name);
    if (entry === undefined)
      throw mistake(
        "no such instruction",
        mnemonic,
        nearNames(name, ARM64_TABLE.keys()) || "A64 mnemonics of general registers",
      );
    if (this.buffer.offset % 4 !== 0)
      throw mistake("an instruction at an address that is no multiple of 4", mnemonic, ".align 2 before it");
    const operands = new OperandParser(cursor, this.scope).all();
    const { buffer: a, scope } = this;
    const statement = new Arm64Statement({ a, scope, pool: this.#pool, mnemonic, operands, forms: entry.forms });
    blamingOperands(
      mnemonic,
      operands,
      (operand, value) => statement.hasValue(operand, value),
      () => {
        entry.emit(statement);
      },
    );
  }

  /** Zeros up to a whole instruction, then NOPs. */
  align(multiple: number, fill: number | undefined): void {
    if (fill !== undefined || multiple < 4) {
      this.buffer.alignData(multiple, fill);
      return;
    }
    this.buffer.alignData(4).align(multiple);
  }

  padTo(offset: number, fill = 0): void {
    this.buffer.padData(offset, fill);
  }

  directive(name: string, cursor: Cursor): boolean {
    if (name === ".ltorg" || name === ".pool") {
      cursor.expectEnd();
      this.#pool.write();
    } else if (name === ".inst") {
      cursor.list(() => this.buffer.word(this.scope.knownNumber(parseExpression(cursor, this.scope), 0, 0xffff_ffff)));
    } else return false;
    return true;
  }

  finish(): void {
    this.#pool.write();
  }
}
