// .macro name parameter, parameter=default … .endm: statements that a name stands for, with arguments in the place of \parameter
// (GNU as manual, section 7.80). Left out: \@, :req and :vararg, and pasting of names, such as \name\()_end.

import type { Cursor } from "./cursor.ts";
import { mistake } from "./failure.ts";
import type { Statement, Token } from "./scanner.ts";

interface Parameter {
  readonly name: string;
  readonly otherwise: readonly Token[];
}

interface Macro {
  readonly parameters: readonly Parameter[];
  readonly body: readonly Statement[];
}

/** Calls within calls: there are no conditions that could end a macro which calls itself. */
const MOST_CALLS = 64;

export class Macros {
  readonly #macros = new Map<string, Macro>();
  #depth = 0;

  /** Takes the name and the parameters, behind .macro. */
  define(cursor: Cursor, body: readonly Statement[]): void {
    const name = cursor.expectName("the name of the macro");
    if (this.#macros.has(name.text)) throw mistake("a macro is defined twice", name, "one definition");
    const parameters: Parameter[] = [];
    cursor.accept(",");
    while (!cursor.isAtEnd) {
      const parameter = cursor.expectName("the name of a parameter").text;
      parameters.push({ name: parameter, otherwise: cursor.accept("=") ? argument(cursor) : [] });
      cursor.accept(",");
    }
    for (const token of body.flatMap(({ tokens }) => tokens)) {
      // Those of a macro within are known when it is defined.
      if (token.kind === "parameter" && !body.some(({ tokens }) => tokens[0]?.text === ".macro"))
        placeIn(parameters, token);
    }
    this.#macros.set(name.text, { parameters, body });
  }

  has({ kind, text }: Token): boolean {
    return kind === "name" && this.#macros.has(text);
  }

  /** Passes on what a call of a macro stands for; the cursor is behind the macro's name. */
  call(name: Token, cursor: Cursor, assemble: (statements: readonly Statement[]) => void): void {
    const { parameters, body } = this.#macros.get(name.text) ?? { parameters: [], body: [] };
    if (this.#depth === MOST_CALLS) throw mistake("macros that call each other without end", name, "other statements");
    const values = parameters.map(({ otherwise }) => otherwise);
    for (let next = 0; !cursor.isAtEnd; next++) {
      const token = cursor.peek() ?? name;
      const isNamed = cursor.isNext("=", 1);
      const place = isNamed ? placeIn(parameters, token) : next;
      if (place >= parameters.length) throw mistake("more arguments than the macro has", token, names(parameters));
      if (isNamed) for (const part of [token.text, "="]) cursor.expect(part);
      const value = argument(cursor);
      if (value.length > 0) values[place] = value;
      if (!cursor.accept(",")) break;
    }
    this.#depth++;
    assemble(body.map((statement) => substituted(statement, parameters, values)));
    this.#depth--;
  }
}

/** Tokens up to the next comma; as for GNU as, parentheses don't keep one. */
function argument(cursor: Cursor): Token[] {
  const tokens: Token[] = [];
  while (!cursor.isAtEnd && !cursor.isNext(",")) tokens.push(cursor.take("an argument"));
  return tokens;
}

function names(parameters: readonly Parameter[]): string {
  return parameters.map(({ name }) => name).join(", ") || "none";
}

/** Which parameter a token names, as \name or name. */
function placeIn(parameters: readonly Parameter[], token: Token): number {
  const place = parameters.findIndex(({ name }) => name === token.text.replace("\\", ""));
  if (place < 0) throw mistake("no parameter of the macro", token, names(parameters));
  return place;
}

function substituted(
  { tokens }: Statement,
  parameters: readonly Parameter[],
  values: readonly (readonly Token[])[],
): Statement {
  const parts = tokens.flatMap((token) => {
    // A macro within has parameters of its own.
    const place =
      token.kind === "parameter" ? parameters.findIndex(({ name }) => `\\${name}` === token.text) : undefined;
    return place === undefined || place < 0 ? [token] : (values[place] ?? []);
  });
  return { tokens: parts, isComposed: true };
}
