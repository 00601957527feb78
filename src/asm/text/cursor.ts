// Reading the tokens of one statement from left to right.

import { mistake } from "./failure.ts";
import type { Statement, Token } from "./scanner.ts";

export class Cursor {
  readonly #tokens: readonly Token[];
  /** The whole text, of which the tokens are a part; none where they come from several places. */
  readonly #source: string | undefined;
  #next = 0;

  /** @param source the whole text, of which the tokens are a part */
  constructor({ tokens, isComposed = false }: Statement, source: string) {
    this.#tokens = tokens;
    this.#source = isComposed ? undefined : source;
  }

  get isAtEnd(): boolean {
    return this.#next >= this.#tokens.length;
  }

  /** The token that is read next, or one behind it. */
  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#next + ahead];
  }

  /** Whether the next token is this one; letter case counts. */
  isNext(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token?.text === text && token.kind !== "string";
  }

  /** Passes over a token if it is the next. */
  accept(text: string): boolean {
    if (!this.isNext(text)) return false;
    this.#next++;
    return true;
  }

  take(allowed: string): Token {
    const token = this.peek();
    if (token === undefined) throw mistake("the statement ends here", this.end(), allowed);
    this.#next++;
    return token;
  }

  expect(text: string): Token {
    const token = this.take(text);
    if (token.text !== text) throw mistake("something else is expected here", token, text);
    return token;
  }

  expectName(allowed: string): Token {
    const token = this.take(allowed);
    if (token.kind !== "name") throw mistake("a name is expected here", token, allowed);
    return token;
  }

  expectEnd(): void {
    const token = this.peek();
    if (token !== undefined) throw mistake("something behind the end of the statement", token, "; or a new line");
  }

  /** Elements with commas between them, until the statement ends. */
  list<T>(element: () => T): T[] {
    const elements: T[] = [];
    if (this.isAtEnd) return elements;
    do elements.push(element());
    while (this.accept(","));
    this.expectEnd();
    return elements;
  }

  /** What was written from that token on, up to what is read next. */
  written(from: Token): Token {
    const read = this.#tokens.slice(0, this.#next);
    const last = read.at(-1) ?? from;
    const text =
      this.#source === undefined
        ? read
            .slice(read.findLastIndex(({ start }) => start === from.start))
            .map((token) => token.text)
            .join("")
        : this.#source.slice(from.start, last.start + last.text.length);
    return { ...from, text };
  }

  /** Place of the end of the statement, for messages about what is missing. */
  end(): Token {
    const last = this.#tokens[this.#tokens.length - 1];
    const { line = 1, column = 1, start = 0, text = "" } = last ?? {};
    return { kind: "mark", text: "", line, column: column + text.length, start: start + text.length };
  }
}
