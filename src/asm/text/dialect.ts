// What an architecture adds to the text that both have in common.

import type { CodeBuffer } from "../code-buffer.ts";
import type { Cursor } from "./cursor.ts";
import type { NumberSign, Token } from "./scanner.ts";
import type { Scope } from "./scope.ts";

export interface Dialect {
  readonly buffer: CodeBuffer;
  readonly scope: Scope;
  readonly numberSign: NumberSign;
  /** Bytes of .word. */
  readonly wordBytes: 2 | 4;
  /** Whether the operand of .align is a power of two instead of a number of bytes. */
  readonly alignsByPower: boolean;
  /** One instruction, its mnemonic taken. */
  instruction(mnemonic: Token, cursor: Cursor): void;
  /** Fills up to a multiple from the start, by default with instructions that do nothing. */
  align(multiple: number, fill: number | undefined): void;
  /** Fills up to an offset from the start. */
  padTo(offset: number, fill: number | undefined): void;
  /** A directive of its own; false if it is none. */
  directive(name: string, cursor: Cursor): boolean;
  /** Names of its own directives, for messages. */
  readonly directives: readonly string[];
  /** Before the end, and where the text ends. */
  finish(): void;
}
