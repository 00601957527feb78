// Assembly text to machine code: statements in order, each by its architecture's encoder; addresses filled in at the end.

import { AllstopError } from "../../errors.ts";
import { checkRange } from "../code-buffer.ts";
import type { Code, DeferredSymbol } from "../code-buffer.ts";
import { reportingAt, unknownName } from "../failure.ts";
import type { Architecture } from "../image/collect.ts";
import { relocate } from "../relocate.ts";
import { Arm64Dialect } from "./arm64/dialect.ts";
import { Cursor } from "./cursor.ts";
import type { Dialect } from "./dialect.ts";
import { Directives } from "./directives.ts";
import { parseExpression } from "./expression.ts";
import { mistake, nearNames, placeOf } from "./failure.ts";
import { Macros } from "./macro.ts";
import { Scanner } from "./scanner.ts";
import type { Statement, Token } from "./scanner.ts";
import type { Scope } from "./scope.ts";
import { X64Dialect } from "./x64/dialect.ts";

/** What text is assembled for, and where to. */
export interface TextOptions {
  readonly architecture: Architecture;
  /** Address of the first byte, from 0 to 2^52; 0 if not given. Code for arm64 starts at a multiple of four. */
  readonly base?: number;
  /** Values of names that the text uses and does not define. */
  readonly symbols?: Readonly<Record<string, number | bigint>>;
}

/** The bytes that a line of the text became, by address; `end` is the address behind the last. */
export interface TextLine {
  readonly start: number;
  readonly end: number;
  /** From 1. */
  readonly line: number;
}

/** Assembled text. */
export interface AssembledText {
  /** Address of the first byte. */
  readonly base: number;
  readonly bytes: Uint8Array;
  /** Addresses of the labels that have a name. */
  readonly labels: ReadonlyMap<string, number>;
  /** Address of a label. @throws AllstopError NAME_UNKNOWN if the text has none of that name */
  label(name: string): number;
  /** In address order, without lines that became nothing. */
  readonly lines: readonly TextLine[];
}

/**
 * Assembles text: x86-64 in AT&T syntax, arm64 in Arm's, with the usual directives of GNU as (.byte to .quad, .ascii, .asciz,
 * .space, .fill, .align, .balign, .p2align, .org, .set, .rept, .macro), labels, numeric labels (1: 1b 1f) and expressions with GNU
 * as' precedence. Bytes are those of GNU as, but for padding in x86-64, where alignment is filled with one-byte NOPs. Mnemonics and
 * registers may be in capitals; a statement ends at a line's end or a semicolon.
 *
 * Arm64's `mov` takes any constant, in up to four instructions. `ldr x0, =value` is one move where one does, else a load from a
 * pool of literals, which stands at `.ltorg` or at the end.
 *
 * @throws AllstopError ASSEMBLY_INVALID at line:column, with the token that is wrong and what is allowed in its place
 */
export function assembleText(text: string, options: TextOptions): AssembledText {
  const { architecture, base = 0, symbols = {} } = options;
  checkRange(base, 0, 2 ** 52, "address of the first byte");
  if (architecture === "arm64" && base % 4 !== 0)
    throw new AllstopError("ASSEMBLY_INVALID", "an unaligned address of A64 code", {
      value: base,
      allowed: "multiples of 4",
    });
  return new TextAssembly(text, architecture, base, symbols).run();
}

class TextAssembly {
  readonly #text: string;
  readonly #scope: Scope;
  readonly #dialect: Dialect;
  readonly #directives: Directives;
  readonly #macros = new Macros();

  constructor(
    text: string,
    architecture: Architecture,
    base: number,
    symbols: Readonly<Record<string, number | bigint>>,
  ) {
    this.#text = text;
    const dialect = architecture === "x86-64" ? new X64Dialect(base, symbols) : new Arm64Dialect(base, symbols);
    this.#scope = dialect.scope;
    this.#dialect = dialect;
    this.#directives = new Directives(dialect, dialect.scope);
  }

  run(): AssembledText {
    this.#block(new Scanner(this.#text, this.#dialect.numberSign).statements());
    this.#dialect.finish();
    this.#scope.checkUses();
    const code = this.#dialect.buffer.finish();
    const { base } = this.#scope;
    const labels = this.#scope.place(code.labels);
    this.#fillIn(code);
    return {
      base,
      bytes: code.bytes,
      labels,
      label: (name) => labels.get(name) ?? unknownLabel(name, labels),
      lines: linesOf(code, base),
    };
  }

  /** Values that are known only now. */
  #fillIn({ bytes, relocations }: Code): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const { offset, kind, symbol, addend } of relocations) {
      const { token, ...deferred } = symbol as DeferredSymbol & { readonly token: Token };
      const place = this.#scope.base + offset;
      reportingAt(placeOf(token), () => {
        relocate(view, offset, kind, deferred.value(place, addend) + addend, place, deferred.name);
      });
    }
  }

  // --- statements ---------------------------------------------------------------------------------------------------------------

  #block(statements: readonly Statement[]): void {
    for (let next = 0; next < statements.length;) {
      const statement = statements[next++];
      if (statement === undefined) return;
      const cursor = new Cursor(statement, this.#text);
      this.#labels(cursor);
      if (cursor.isNext(".rept")) next = this.#repeat(cursor, statements, next);
      else if (cursor.isNext(".macro")) next = this.#macro(cursor, statements, next);
      else this.#statement(cursor);
    }
  }

  /** Any number of labels before the statement. */
  #labels(cursor: Cursor): void {
    for (let token = cursor.peek(); token !== undefined && cursor.isNext(":", 1); token = cursor.peek()) {
      const isLabel = token.kind === "name" || (token.kind === "number" && /^\d+$/.test(token.text));
      if (!isLabel || token.text === ".") throw mistake("no name of a label", token, "a name, or a decimal number");
      this.#scope.label(cursor.take("a label"));
      cursor.expect(":");
    }
  }

  #statement(cursor: Cursor): void {
    if (cursor.isAtEnd) return;
    const token = cursor.take("an instruction");
    if (token.kind !== "name") throw mistake("no statement begins so", token, "a label, a mnemonic, a directive");
    const { buffer } = this.#dialect;
    if (this.#macros.has(token)) {
      this.#macros.call(token, cursor, (statements) => this.#block(statements));
      return;
    }
    buffer.line(token.line);
    reportingAt(placeOf(token), () => {
      if (cursor.accept("=")) this.#directives.define(token, cursor);
      else if (token.text.startsWith(".")) this.#directives.run(token, cursor);
      else this.#dialect.instruction(token, cursor);
    });
  }

  /** .rept count … .endr; returns the number of the statement behind it. */
  #repeat(cursor: Cursor, statements: readonly Statement[], first: number): number {
    const token = cursor.take(".rept");
    const count = this.#scope.knownNumber(parseExpression(cursor, this.#scope), 0, 0x10_0000);
    cursor.expectEnd();
    const end = endOf(statements, first, ".rept", ".endr");
    if (end === undefined) throw mistake("a repetition without end", token, ".endr");
    for (let i = 0; i < count; i++) this.#block(statements.slice(first, end));
    return end + 1;
  }

  /** .macro name parameters … .endm; returns the number of the statement behind it. */
  #macro(cursor: Cursor, statements: readonly Statement[], first: number): number {
    const token = cursor.take(".macro");
    const end = endOf(statements, first, ".macro", ".endm");
    if (end === undefined) throw mistake("a macro without end", token, ".endm");
    this.#macros.define(cursor, statements.slice(first, end));
    return end + 1;
  }
}

/** Where the statement stands that ends what was opened before `first`; others of the kind may stand between. */
function endOf(statements: readonly Statement[], first: number, opening: string, closing: string): number | undefined {
  let depth = 1;
  for (let end = first; end < statements.length; end++) {
    const name = statements[end]?.tokens[0]?.text;
    if (name === opening) depth++;
    else if (name === closing && --depth === 0) return end;
  }
  return undefined;
}

function unknownLabel(name: string, labels: ReadonlyMap<string, number>): never {
  const near = nearNames(name, labels.keys());
  throw unknownName("no such label", { value: name, allowed: near === "" ? [...labels.keys()].join(" ") : near });
}

/** The lines that bytes came from; what follows from one line is one range. */
function linesOf(code: Code, base: number): TextLine[] {
  const lines: TextLine[] = [];
  code.lines.forEach(({ offset, item }, i) => {
    const end = code.lines[i + 1]?.offset ?? code.bytes.length;
    const line = item as number;
    const last = lines.at(-1);
    if (end === offset) return;
    if (last?.line === line && last.end === base + offset) lines[lines.length - 1] = { ...last, end: base + end };
    else lines.push({ start: base + offset, end: base + end, line });
  });
  return lines;
}
