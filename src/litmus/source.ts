// The text of a test: comments blanked out, so that everything keeps its place; and its tokens.

import { litmusMistake } from "./failure.ts";
import type { Place } from "./failure.ts";

export interface Token {
  readonly kind: "name" | "number" | "mark" | "end";
  readonly text: string;
  readonly place: Place;
}

const SPACE = /\s+/y;
const NUMBER = /-?(?:0[xX][0-9a-fA-F]+|\d+)/y;
/** As herd's lexer has it, but `/\` is never part of a name. */
const NAME = /[A-Za-z_.$%](?:[\w.-]|\/(?!\\))*/y;
const MARK = /\/\\|\\\/|==|=>|!=|<>|[=~()[\]{}:;,*&+|]/y;

export class Source {
  readonly text: string;
  /** Offsets at which lines start. */
  readonly #lines: number[] = [0];

  constructor(text: string) {
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#lines.push(at + 1);
    this.text = this.#withoutComments(text);
  }

  place(offset: number): Place {
    let low = 0;
    for (let high = this.#lines.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      if ((this.#lines[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (this.#lines[low] ?? 0) + 1 };
  }

  /** Tokens from an offset up to another, with one that says that nothing follows. */
  tokens(start: number, end: number): Token[] {
    const tokens: Token[] = [];
    for (let at = start; at < end;) {
      const space = this.#match(SPACE, at, end);
      if (space !== undefined) {
        at += space.length;
        continue;
      }
      const token = this.#token(at, end);
      tokens.push(token);
      at += token.text.length;
    }
    return [...tokens, { kind: "end", text: "the end", place: this.place(end) }];
  }

  #token(at: number, end: number): Token {
    const place = this.place(at);
    const kinds = [["number", NUMBER], ["name", NAME], ["mark", MARK]] as const; // prettier-ignore
    for (const [kind, pattern] of kinds) {
      const text = this.#match(pattern, at, end);
      if (text !== undefined) return { kind, text, place };
    }
    const character = String.fromCodePoint(this.text.codePointAt(at) ?? 0);
    throw litmusMistake("a character that means nothing here", place, character, "names, numbers, operators");
  }

  #match(pattern: RegExp, at: number, end: number): string | undefined {
    pattern.lastIndex = at;
    return pattern.exec(this.text)?.[0].slice(0, end - at);
  }

  /** Comments of OCaml, which nest; those of C are no part of the format. */
  #withoutComments(text: string): string {
    let result = "";
    let depth = 0;
    let opened = 0;
    for (let at = 0; at < text.length;) {
      const two = text.slice(at, at + 2);
      if (two === "(*") {
        if (depth++ === 0) opened = at;
      } else if (two !== "*)" || depth === 0) {
        const character = text[at++] ?? "";
        result += depth > 0 && character !== "\n" ? " " : character;
        continue;
      } else depth--;
      result += "  ";
      at += 2;
    }
    if (depth > 0) throw litmusMistake("a comment without end", this.place(opened), "(*", "*) behind it");
    return result;
  }
}

/** Reads tokens one after the other. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#next + ahead, this.#tokens.length - 1)] as Token;
  }

  take(): Token {
    const token = this.peek();
    this.#next++;
    return token;
  }

  isNext(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind !== "end" && token.text === text;
  }

  accept(...texts: readonly string[]): boolean {
    const found = texts.some((text) => this.isNext(text));
    if (found) this.#next++;
    return found;
  }

  expect(text: string): Token {
    if (!this.isNext(text)) throw this.mistake("something else is wanted here", text);
    return this.take();
  }

  get isAtEnd(): boolean {
    return this.peek().kind === "end";
  }

  mistake(what: string, allowed: string): Error {
    const { text, place } = this.peek();
    return litmusMistake(what, place, text, allowed);
  }
}
