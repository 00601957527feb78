// What is asked of final states: propositions over registers and memory, and their quantifiers (herd's stateParser.mly).

import { litmusMistake } from "./failure.ts";
import type { Token, TokenReader } from "./source.ts";
import { formatLocation } from "./test.ts";
import type { LitmusLocation, LitmusValue } from "./test.ts";
import { numberOf } from "./values.ts";

export type Prop =
  | { readonly kind: "constant"; readonly value: boolean }
  | { readonly kind: "is"; readonly location: LitmusLocation; readonly value: LitmusValue }
  /** Two locations hold the same. */
  | { readonly kind: "same"; readonly location: LitmusLocation; readonly other: LitmusLocation }
  | { readonly kind: "not"; readonly of: Prop }
  | { readonly kind: "and" | "or" | "implies"; readonly left: Prop; readonly right: Prop };

export type Quantifier = "exists" | "~exists" | "forall";

export interface Condition {
  readonly quantifier: Quantifier;
  readonly prop: Prop;
}

/** What the herd tools call tests with such a condition. */
export const kindNames: Readonly<Record<Quantifier, string>> = {
  exists: "Allowed",
  "~exists": "Forbidden",
  forall: "Required",
};

// --- reading --------------------------------------------------------------------------------------------------------------------

/** A condition; none at all asks nothing. */
export function parseCondition(reader: TokenReader): Condition {
  if (reader.isAtEnd) return { quantifier: "forall", prop: { kind: "constant", value: true } };
  const quantifier = parseQuantifier(reader);
  const prop = parseProp(reader);
  reader.accept(";");
  if (!reader.isAtEnd) throw reader.mistake("something behind the condition", "the end of the test");
  return { quantifier, prop };
}

function parseQuantifier(reader: TokenReader): Quantifier {
  if (reader.accept("exists", "final") || reader.isNext("(")) return "exists";
  if (reader.accept("forall")) return "forall";
  if (reader.accept("~", "not")) {
    reader.expect("exists");
    return "~exists";
  }
  throw reader.mistake("no condition begins so", "exists, ~exists, forall");
}

/** Loosest first: \/, /\, =>, then ~. */
export function parseProp(reader: TokenReader): Prop {
  return leftToRight(reader, "\\/", "or", () => leftToRight(reader, "/\\", "and", () => parseImplication(reader)));
}

function leftToRight(reader: TokenReader, mark: string, kind: "and" | "or", operand: () => Prop): Prop {
  let left = operand();
  while (reader.accept(mark)) left = { kind, left, right: operand() };
  return left;
}

function parseImplication(reader: TokenReader): Prop {
  const left = parseNegation(reader);
  return reader.accept("=>") ? { kind: "implies", left, right: parseImplication(reader) } : left;
}

function parseNegation(reader: TokenReader): Prop {
  if (reader.accept("~", "not")) return { kind: "not", of: parseNegation(reader) };
  if (reader.accept("true")) return { kind: "constant", value: true };
  if (reader.accept("false")) return { kind: "constant", value: false };
  if (!reader.accept("(")) return parseAtom(reader);
  const inner = parseProp(reader);
  reader.expect(")");
  return inner;
}

function parseAtom(reader: TokenReader): Prop {
  const location = parseLocation(reader);
  const isDifferent = reader.isNext("!=") || reader.isNext("<>");
  if (!reader.accept("=", "==", "!=", "<>")) throw reader.mistake("a location without a value", "=, !=");
  const atom = parseRight(reader, location);
  return isDifferent ? { kind: "not", of: atom } : atom;
}

function parseRight(reader: TokenReader, location: LitmusLocation): Prop {
  const isLocation = reader.isNext("[") || reader.isNext("*") || reader.isNext(":", 1);
  if (isLocation) return { kind: "same", location, other: parseLocation(reader) };
  return { kind: "is", location, value: parseValue(reader) };
}

/** `0:X1`, `P0:X1`, `x`, `[x]`, `*x`. */
export function parseLocation(reader: TokenReader): LitmusLocation {
  const first = reader.peek();
  const { place } = first;
  if (reader.accept("[")) {
    const { text } = takeName(reader, "the name of a location");
    reader.expect("]");
    return { kind: "memory", name: text, place };
  }
  if (reader.accept("*")) return { kind: "memory", name: takeName(reader, "the name of a location").text, place };
  const thread = threadOf(first);
  if (thread !== undefined && reader.isNext(":", 1)) {
    reader.take();
    reader.take();
    return { kind: "register", thread, name: takeName(reader, "the name of a register").text, place };
  }
  const { text } = takeName(reader, "a location, such as 0:X1 or [x]");
  if (reader.isNext("[")) throw litmusMistake("an array", place, text, "locations of one value");
  if (text === "fault" || text === "Fault") throw litmusMistake("a condition on faults", place, text, "values");
  return { kind: "memory", name: text, place };
}

export function threadOf({ kind, text }: Token): number | undefined {
  if (kind === "number" && /^\d{1,4}$/.test(text)) return Number(text);
  const found = /^P(\d{1,4})$/.exec(text);
  return found === null ? undefined : Number(found[1]);
}

export function parseValue(reader: TokenReader): LitmusValue {
  const token = reader.peek();
  if (token.kind === "number") return numberOf(reader.take());
  reader.accept("&");
  return takeName(reader, "a number, or the name of a location").text;
}

function takeName(reader: TokenReader, what: string): Token {
  const token = reader.peek();
  if (token.kind !== "name") throw reader.mistake("no name", what);
  if (token.text.startsWith("%")) throw reader.mistake("a symbolic register", "registers of the architecture");
  return reader.take();
}

// --- using ----------------------------------------------------------------------------------------------------------------------

/** Every location that a proposition names, once, in order. */
export function locationsOf(prop: Prop): LitmusLocation[] {
  switch (prop.kind) {
    case "constant":
      return [];
    case "is":
      return [prop.location];
    case "same":
      return [prop.location, prop.other];
    case "not":
      return locationsOf(prop.of);
    case "and":
    case "or":
    case "implies":
      return [...locationsOf(prop.left), ...locationsOf(prop.right)];
  }
}

/** Names of locations whose address a proposition compares with. */
export function addressesIn(prop: Prop): string[] {
  if (prop.kind === "is") return typeof prop.value === "string" ? [prop.value] : [];
  if (prop.kind === "not") return addressesIn(prop.of);
  return "left" in prop ? [...addressesIn(prop.left), ...addressesIn(prop.right)] : [];
}

/** What a final state says of locations. */
export interface StateView {
  value(location: LitmusLocation): LitmusValue;
  /** The value as a location would show it. */
  shown(location: LitmusLocation, value: LitmusValue): LitmusValue;
}

export function holds(prop: Prop, state: StateView): boolean {
  switch (prop.kind) {
    case "constant":
      return prop.value;
    case "is":
      return state.value(prop.location) === state.shown(prop.location, prop.value);
    case "same":
      return state.value(prop.location) === state.value(prop.other);
    case "not":
      return !holds(prop.of, state);
    case "and":
      return holds(prop.left, state) && holds(prop.right, state);
    case "or":
      return holds(prop.left, state) || holds(prop.right, state);
    case "implies":
      return !holds(prop.left, state) || holds(prop.right, state);
  }
}

/** As the herd tools print it: `exists (0:X0=1 /\ [x]=2)`. */
export function formatCondition({ quantifier, prop }: Condition): string {
  return `${quantifier} (${formatProp(prop, 0)})`;
}

const BINDING = { or: 0, and: 1, implies: 2 } as const;
const MARKS = { or: "\\/", and: "/\\", implies: "=>" } as const;

function formatProp(prop: Prop, least: number): string {
  switch (prop.kind) {
    case "constant":
      return String(prop.value);
    case "is":
      return `${formatLocation(prop.location)}=${prop.value}`;
    case "same":
      return `${formatLocation(prop.location)}=${formatLocation(prop.other)}`;
    case "not":
      return `not (${formatProp(prop.of, 0)})`;
    case "and":
    case "or":
    case "implies": {
      const level = BINDING[prop.kind];
      const inner = prop.kind === "implies" ? level + 1 : level;
      const text = `${formatProp(prop.left, inner)} ${MARKS[prop.kind]} ${formatProp(prop.right, level)}`;
      return level < least ? `(${text})` : text;
    }
  }
}
