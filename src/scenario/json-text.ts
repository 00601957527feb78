// JSON from text, as JSON.parse has it, but what is wrong is named by its line; and a field that is given twice is wrong, since one of the
// two would be lost.

import { AllstopError } from "../errors.ts";

/** Deeper than any document is; so that no input exhausts the stack. */
const MOST_LEVELS = 64;
const LINE_SHOWN = 60;

/** @throws SCENARIO_INVALID at line:column, both from 1, with that part of the line and what belongs there */
export function parseJson(source: string): unknown {
  try {
    new Scanner(source).document();
    return JSON.parse(source);
  } catch (error) {
    if (!(error instanceof Misplaced)) throw error;
    const { what, offset, allowed } = error;
    const { line, column, text: value } = lineAt(source, offset);
    throw new AllstopError("SCENARIO_INVALID", what, { at: `${line}:${column}`, value, allowed });
  }
}

function lineAt(source: string, offset: number): { line: number; column: number; text: string } {
  const before = source.slice(0, offset).split("\n");
  const column = (before.at(-1) ?? "").length + 1;
  const start = offset - column + 1;
  const end = source.indexOf("\n", offset);
  const whole = source.slice(start, end < 0 ? source.length : end).replace(/\r$/, "");
  const from = whole.length <= LINE_SHOWN ? 0 : Math.max(0, column - LINE_SHOWN / 2);
  return { line: before.length, column, text: whole.slice(from, from + LINE_SHOWN).trim() };
}

class Misplaced extends Error {
  readonly what: string;
  readonly offset: number;
  readonly allowed: string;

  constructor(what: string, offset: number, allowed: string) {
    super(what);
    this.what = what;
    this.offset = offset;
    this.allowed = allowed;
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const WORD = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const A_VALUE = "a value: an object, a list, a text in double quotes, a number, true, false or null";

/** Goes over a text by JSON's grammar (RFC 8259). */
class Scanner {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  /** @throws Misplaced */
  document(): void {
    this.#blanks();
    this.#value(0);
    this.#blanks();
    if (this.#at < this.#source.length) throw this.#misplaced("nothing more: the document ends before this");
  }

  #value(level: number): void {
    if (level > MOST_LEVELS) {
      throw new Misplaced("nested too deeply", this.#at, `at most ${MOST_LEVELS} levels`);
    }
    const first = this.#source[this.#at];
    if (first === "{") this.#object(level);
    else if (first === "[") this.#list(level);
    else if (first === '"') this.#text();
    else if (!this.#match(NUMBER) && !this.#match(WORD)) throw this.#misplaced(A_VALUE);
  }

  #object(level: number): void {
    const seen = new Set<string>();
    this.#at++;
    this.#blanks();
    if (this.#takes("}")) return;
    do {
      this.#blanks();
      this.#key(seen);
      this.#blanks();
      if (!this.#takes(":")) throw this.#misplaced("a colon behind the field's name");
      this.#blanks();
      this.#value(level + 1);
      this.#blanks();
    } while (this.#takes(","));
    if (!this.#takes("}")) throw this.#misplaced('"," and another field, or "}"');
  }

  #key(seen: Set<string>): void {
    const from = this.#at;
    if (this.#source[from] !== '"') {
      const isBehindComma = this.#source[from] === "}";
      throw this.#misplaced(
        isBehindComma ? "a field: no comma stands behind the last one" : "a field's name in double quotes",
      );
    }
    this.#text();
    const name = JSON.parse(this.#source.slice(from, this.#at)) as string;
    if (seen.has(name)) throw new Misplaced("a field that is given twice", from, "each field once");
    seen.add(name);
  }

  #list(level: number): void {
    this.#at++;
    this.#blanks();
    if (this.#takes("]")) return;
    do {
      this.#blanks();
      if (this.#source[this.#at] === "]") throw this.#misplaced("a value: no comma stands behind the last one");
      this.#value(level + 1);
      this.#blanks();
    } while (this.#takes(","));
    if (!this.#takes("]")) throw this.#misplaced('"," and another value, or "]"');
  }

  #text(): void {
    this.#at++;
    while (!this.#takes('"')) {
      const letter = this.#source[this.#at];
      if (letter === undefined || letter === "\n") throw this.#misplaced('the end of the text: "');
      if (letter === "\\") {
        if (!this.#match(ESCAPE)) throw this.#misplaced('one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\u0000');
      } else if (letter < " ") throw this.#misplaced("control characters as escapes, such as \\t");
      else this.#at++;
    }
  }

  #blanks(): void {
    while (/[ \t\r\n]/.test(this.#source[this.#at] ?? "")) this.#at++;
  }

  #takes(letter: string): boolean {
    const isThere = this.#source[this.#at] === letter;
    if (isThere) this.#at++;
    return isThere;
  }

  #match(form: RegExp): boolean {
    form.lastIndex = this.#at;
    const isThere = form.test(this.#source);
    if (isThere) this.#at = form.lastIndex;
    return isThere;
  }

  #misplaced(allowed: string): Misplaced {
    const rest = this.#source.slice(this.#at, this.#at + 2);
    return new Misplaced(misplacedWhat(rest), this.#at, allowed);
  }
}

/** @param rest the first characters that don't belong where they are */
function misplacedWhat(rest: string): string {
  if (rest === "") return "not JSON: the text ends too early";
  if (rest === "//" || rest === "/*") return "not JSON, which has no comments";
  if (rest.startsWith("\uFEFF")) return "not JSON: a byte order mark, U+FEFF";
  return "not JSON";
}
