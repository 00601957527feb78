// Directives that both dialects have: data, strings, space, alignment, symbols (GNU as manual, chapter 7).

import type { CodeBuffer } from "../code-buffer.ts";
import type { Cursor } from "./cursor.ts";
import type { Dialect } from "./dialect.ts";
import { parseExpression } from "./expression.ts";
import type { TextExpression } from "./expression.ts";
import { mistake, nearNames } from "./failure.ts";
import type { Scope } from "./scope.ts";
import type { Token } from "./scanner.ts";

const DATA_BYTES: Readonly<Record<string, 1 | 2 | 4 | 8>> = {
  ".byte": 1, ".2byte": 2, ".short": 2, ".hword": 2, ".value": 2, ".4byte": 4, ".long": 4, ".int": 4,
  ".8byte": 8, ".quad": 8, ".xword": 8, ".dword": 8,
}; // prettier-ignore
const KINDS = { 1: "abs8", 2: "abs16", 4: "abs32", 8: "abs64" } as const;

/** They tell a linker or a debugger something that doesn't change the bytes. */
const WITHOUT_EFFECT = new Set([
  ".arch", ".arch_extension", ".att_syntax", ".cfi_endproc", ".cfi_startproc", ".code64", ".cpu", ".end", ".file",
  ".global", ".globl", ".hidden", ".ident", ".local", ".size", ".text", ".type", ".weak",
]); // prettier-ignore

/** Most bytes that a directive may fill: a slip of the pen must not take all memory. */
const MOST_BYTES = 2 ** 28;

const ALIGNMENTS = new Set([".align", ".balign", ".p2align"]);
const STRINGS = new Set([".ascii", ".asciz", ".string"]);
const SPACES = new Set([".space", ".skip", ".zero"]);
const ASSIGNMENTS = new Set([".set", ".equ"]);

export class Directives {
  readonly #dialect: Dialect;
  readonly #buffer: CodeBuffer;
  readonly #scope: Scope;

  constructor(dialect: Dialect, scope: Scope) {
    this.#dialect = dialect;
    this.#buffer = dialect.buffer;
    this.#scope = scope;
  }

  /** One directive, its name taken. */
  run(token: Token, cursor: Cursor): void {
    const name = token.text.toLowerCase();
    const bytes = name === ".word" ? this.#dialect.wordBytes : DATA_BYTES[name];
    if (bytes !== undefined) this.#data(bytes, cursor);
    else if (STRINGS.has(name)) this.#strings(name !== ".ascii", cursor);
    else if (SPACES.has(name)) this.#space(cursor);
    else if (name === ".fill") this.#fill(cursor);
    else if (ALIGNMENTS.has(name)) this.#align(name, cursor);
    else if (name === ".org") this.#origin(cursor);
    else if (ASSIGNMENTS.has(name)) this.#assign(cursor);
    else if (!WITHOUT_EFFECT.has(name) && !this.#dialect.directive(name, cursor)) throw this.#unknown(token);
  }

  #unknown(token: Token): Error {
    const names = [".word", ...Object.keys(DATA_BYTES), ...STRINGS, ...SPACES, ...ALIGNMENTS, ...ASSIGNMENTS];
    const all = [...names, ".fill", ".org", ".rept", ".endr", ".macro", ".endm", ...this.#dialect.directives];
    const near = nearNames(token.text, [...all, ...WITHOUT_EFFECT]);
    return mistake("no such directive", token, near === "" ? all.join(" ") : near);
  }

  #expression(cursor: Cursor): TextExpression {
    return parseExpression(cursor, this.#scope);
  }

  #data(bytes: 1 | 2 | 4 | 8, cursor: Cursor): void {
    cursor.list(() => {
      const token = cursor.peek();
      if (token?.kind === "string") throw mistake("a string is no number", token, ".ascii or .asciz");
      const expression = this.#expression(cursor);
      const value = this.#scope.constant(expression);
      if (value !== undefined) {
        this.#refuseWider(value, bytes, expression);
        this.#buffer.bytes(littleEndian(value, bytes));
      } else {
        this.#buffer.bytes(littleEndian(0n, bytes)).holds(KINDS[bytes], this.#scope.deferred(expression));
      }
    });
  }

  #refuseWider(value: bigint, bytes: number, { token }: TextExpression): void {
    const bits = 8 * bytes;
    if (BigInt.asUintN(bits, value) !== value && BigInt.asIntN(bits, value) !== value)
      throw mistake("a number that is too large", token, `${bits} bits`);
  }

  #strings(isTerminated: boolean, cursor: Cursor): void {
    cursor.list(() => {
      const token = cursor.take("a string");
      if (token.content === undefined) throw mistake("a string is expected here", token, '"text"');
      // Characters below 256 are bytes, as escapes write them; others stand for their UTF-8 form.
      const bytes = /^[\0-\xff]*$/.test(token.content)
        ? Array.from(token.content, (character) => character.charCodeAt(0))
        : new TextEncoder().encode(token.content);
      this.#buffer.bytes(bytes, isTerminated ? [0] : []);
    });
  }

  /** A byte for filling, if one is written. */
  #fillByte(cursor: Cursor): number | undefined {
    if (!cursor.accept(",") || cursor.isNext(",")) return undefined;
    return this.#scope.knownNumber(this.#expression(cursor), -128, 255) & 0xff;
  }

  #space(cursor: Cursor): void {
    const count = this.#scope.knownNumber(this.#expression(cursor), 0, MOST_BYTES);
    const fill = this.#fillByte(cursor) ?? 0;
    cursor.expectEnd();
    this.#buffer.bytes(new Uint8Array(count).fill(fill));
  }

  /** .fill count, bytes of each, value */
  #fill(cursor: Cursor): void {
    const count = this.#scope.knownNumber(this.#expression(cursor), 0, MOST_BYTES / 8);
    const size = cursor.accept(",") ? this.#scope.knownNumber(this.#expression(cursor), 1, 8) : 1;
    const value = cursor.accept(",") ? this.#scope.knownConstant(this.#expression(cursor), "a constant") : 0n;
    cursor.expectEnd();
    for (let i = 0; i < count; i++) this.#buffer.bytes(littleEndian(value, size));
  }

  /** The start of the text counts as aligned, so its address has to be. */
  #align(name: string, cursor: Cursor): void {
    const isPower = name === ".p2align" || (name === ".align" && this.#dialect.alignsByPower);
    const expression = this.#expression(cursor);
    const number = this.#scope.knownNumber(expression, 0, isPower ? 16 : 0x1_0000);
    const multiple = isPower ? 2 ** number : Math.max(1, number);
    const fill = this.#fillByte(cursor);
    // The most bytes to skip are a matter of speed, and left out of account.
    if (cursor.accept(",")) this.#expression(cursor);
    cursor.expectEnd();
    if ((multiple & (multiple - 1)) !== 0) throw mistake("no power of two", expression.token, "1, 2, 4, 8, …");
    if (this.#scope.base % multiple !== 0)
      throw mistake("more than the base address is aligned to", expression.token, "a base that is a multiple of it");
    this.#dialect.align(multiple, fill);
  }

  #origin(cursor: Cursor): void {
    const offset = this.#scope.knownNumber(this.#expression(cursor), 0, MOST_BYTES);
    const fill = this.#fillByte(cursor);
    cursor.expectEnd();
    this.#dialect.padTo(offset, fill);
  }

  #assign(cursor: Cursor): void {
    const name = cursor.expectName("the name of a symbol");
    cursor.expect(",");
    this.define(name, cursor);
  }

  /** name = expression, or .set with its name and comma taken. */
  define(name: Token, cursor: Cursor): void {
    const expression = this.#expression(cursor);
    cursor.expectEnd();
    this.#scope.define(name, expression);
  }
}

function littleEndian(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}
