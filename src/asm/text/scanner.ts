// Text to statements: comments away, statements apart (by line ends and semicolons), tokens with their line and column.

import { mistake } from "./failure.ts";

export interface Token {
  /** `local` is a reference to a numeric label: 1b or 2f; `parameter` one of a macro: \value. */
  readonly kind: "name" | "number" | "local" | "parameter" | "string" | "mark";
  /** As it was written. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** Position in the whole text. */
  readonly start: number;
  /** Of a number. */
  readonly value?: bigint;
  /** Of a string, without the quotes. */
  readonly content?: string;
}

export interface Statement {
  readonly tokens: readonly Token[];
  /** Whether the tokens come from several places, as those of a macro and its arguments do. */
  readonly isComposed?: boolean;
}

/** Where a number sign opens a comment: anywhere (x86), or as the first character of a line only (Arm, whose immediates have one). */
export type NumberSign = "comment" | "comment at the start of a line";

const NAME = /[A-Za-z_.][\w.]*/y;
const PARAMETER = /\\[A-Za-z_][\w]*/y;
const HEXADECIMAL = /0[xX][0-9a-fA-F]+/y;
const BINARY = /0[bB][01]+(?!\w)/y;
const LOCAL = /\d+[bfBF](?!\w)/y;
const DECIMAL = /\d+/y;
const CHARACTER = /'(\\.|[^\\'\n])'?/y;
const STRING = /"((?:\\.|[^\\"\n])*)"/y;
const MARK = /<<|>>|[%$*(),:#=+\-/&|^~!{}[\]]/y;

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", "0": "\0" };

export class Scanner {
  readonly #text: string;
  readonly #numberSign: NumberSign;
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #tokens: Token[] = [];
  readonly #statements: Statement[] = [];

  constructor(text: string, numberSign: NumberSign) {
    this.#text = text;
    this.#numberSign = numberSign;
  }

  statements(): readonly Statement[] {
    while (this.#at < this.#text.length) {
      if (!this.#space() && !this.#comment()) this.#token();
    }
    this.#end();
    return this.#statements;
  }

  #end(): void {
    if (this.#tokens.length > 0) this.#statements.push({ tokens: this.#tokens });
    this.#tokens = [];
  }

  #newLine(): void {
    this.#line++;
    this.#lineStart = this.#at;
  }

  /** White space, and what ends a statement. */
  #space(): boolean {
    const character = this.#text[this.#at];
    if (character === "\n" || character === ";") {
      this.#at++;
      this.#end();
      if (character === "\n") this.#newLine();
      return true;
    }
    if (character !== " " && character !== "\t" && character !== "\r" && character !== "\f") return false;
    this.#at++;
    return true;
  }

  #comment(): boolean {
    const text = this.#text;
    if (text.startsWith("/*", this.#at)) {
      const end = text.indexOf("*/", this.#at + 2);
      if (end < 0) throw mistake("a comment without end", this.#here("/*"), "*/ behind it");
      for (; this.#at < end + 2;) if (text[this.#at++] === "\n") this.#newLine();
      return true;
    }
    const isNumberSign =
      text[this.#at] === "#" && (this.#numberSign === "comment" || text.slice(this.#lineStart, this.#at).trim() === "");
    if (!isNumberSign && !text.startsWith("//", this.#at)) return false;
    const end = text.indexOf("\n", this.#at);
    this.#at = end < 0 ? text.length : end;
    return true;
  }

  #here(text: string): Token {
    const column = this.#at - this.#lineStart + 1;
    return { kind: "mark", text, line: this.#line, column, start: this.#at };
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text);
  }

  #push(kind: Token["kind"], text: string, more: Pick<Token, "value" | "content"> = {}): void {
    this.#tokens.push({ ...this.#here(text), kind, ...more });
    this.#at += text.length;
  }

  #token(): void {
    const name = this.#match(NAME);
    if (name !== null) {
      this.#push("name", name[0]);
      return;
    }
    const parameter = this.#match(PARAMETER);
    if (parameter !== null) {
      this.#push("parameter", parameter[0]);
      return;
    }
    if (this.#number() || this.#quoted()) return;
    const mark = this.#match(MARK);
    if (mark === null) {
      const character = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
      throw mistake("a character that means nothing here", this.#here(character), "names, numbers, strings, operators");
    }
    this.#push("mark", mark[0]);
  }

  #number(): boolean {
    const based = this.#match(HEXADECIMAL) ?? this.#match(BINARY);
    if (based !== null) {
      this.#push("number", based[0], { value: BigInt(based[0]) });
      return this.#endOfNumber();
    }
    const local = this.#match(LOCAL);
    if (local !== null) {
      this.#push("local", local[0].toLowerCase());
      return true;
    }
    const digits = this.#match(DECIMAL)?.[0];
    if (digits === undefined) return false;
    if (/^0\d*[89]/.test(digits)) throw mistake("an octal number with that digit", this.#here(digits), "0 to 7");
    const isOctal = digits.length > 1 && digits.startsWith("0");
    this.#push("number", digits, { value: BigInt(isOctal ? `0o${digits.slice(1)}` : digits) });
    return this.#endOfNumber();
  }

  #endOfNumber(): true {
    const rest = this.#match(/\w+/y);
    if (rest === null) return true;
    throw mistake("a number with that behind it", this.#here(rest[0]), "digits: 10, 0x10, 0b10, 010; 1b, 1f");
  }

  #quoted(): boolean {
    const character = this.#match(CHARACTER);
    if (character?.[1] !== undefined) {
      const value = BigInt(unescape(character[1]).charCodeAt(0));
      this.#push("number", character[0], { value });
      return true;
    }
    const string = this.#match(STRING);
    if (string?.[1] !== undefined) {
      this.#push("string", string[0], { content: unescape(string[1]) });
      return true;
    }
    if (this.#text[this.#at] === '"') throw mistake("a string without end", this.#here('"'), '" on the same line');
    return false;
  }
}

function unescape(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)/g, (_, escape: string) => {
    if (/^x./.test(escape)) return String.fromCharCode(parseInt(escape.slice(1), 16));
    if (/^[0-7]/.test(escape)) return String.fromCharCode(parseInt(escape, 8) & 0xff);
    return ESCAPES[escape] ?? escape;
  });
}
