// The symbols of a text: labels, numeric labels, constants; and the values of expressions, now or when everything has its place.

import type { CodeBuffer, DeferredSymbol, Label } from "../code-buffer.ts";
import { evaluate } from "./expression.ts";
import type { Names, TextExpression } from "./expression.ts";
import { mistake } from "./failure.ts";
import type { Token } from "./scanner.ts";

/** A constant, or a place at a distance from a label; neither: known when everything has its place. */
export type Folded =
  | { readonly kind: "constant"; readonly value: bigint }
  | { readonly kind: "place"; readonly name: string; readonly distance: bigint }
  | { readonly kind: "deferred" };

/** Marks the names of numeric labels and of places that have none. No name of a text has it. */
const INTERNAL = "#";

export class Scope implements Names {
  /** Address of the first byte. */
  readonly base: number;
  readonly #buffer: CodeBuffer;
  readonly #constants = new Map<string, TextExpression>();
  readonly #labels = new Map<string, Token>();
  /** First use of each name, for those that nothing defines. */
  readonly #uses = new Map<string, Token>();
  /** First use of each name as a place to go to. */
  readonly #targets = new Map<string, Token>();
  /** How often each numeric label is defined so far. */
  readonly #numeric = new Map<string, number>();
  #places = 0;
  /** Addresses of labels, known at the end. */
  #addresses: ReadonlyMap<string, number> = new Map();

  constructor(buffer: CodeBuffer, base: number, constants: Readonly<Record<string, number | bigint>>) {
    this.#buffer = buffer;
    this.base = base;
    for (const [name, value] of Object.entries(constants)) {
      const token: Token = { kind: "name", text: name, line: 0, column: 0, start: 0 };
      this.#constants.set(name, { kind: "number", value: BigInt(value), token });
    }
  }

  // --- names --------------------------------------------------------------------------------------------------------------------

  nameOf(token: Token): string {
    const name = this.#internalName(token);
    if (!this.#uses.has(name)) this.#uses.set(name, token);
    return name;
  }

  #internalName({ kind, text }: Token): string {
    if (text === ".") {
      const name = `.${INTERNAL}${++this.#places}`;
      this.#buffer.label(name);
      return name;
    }
    if (kind !== "local") return text;
    const number = text.slice(0, -1);
    const defined = this.#numeric.get(number) ?? 0;
    return `${number}${INTERNAL}${text.endsWith("b") ? defined : defined + 1}`;
  }

  /** Defines a label here. */
  label(token: Token): void {
    let name = token.text;
    if (token.kind === "number") {
      const count = (this.#numeric.get(name) ?? 0) + 1;
      this.#numeric.set(name, count);
      name = `${name}${INTERNAL}${count}`;
    }
    this.#refuseSecond(name, token);
    this.#labels.set(name, token);
    this.#buffer.label(name);
  }

  /** Gives a name a value; once, as a label, or again like a variable. */
  define(token: Token, expression: TextExpression): void {
    if (this.#labels.has(token.text)) this.#refuseSecond(token.text, token);
    const folded = this.fold(expression);
    const value: TextExpression =
      folded.kind === "constant" ? { kind: "number", value: folded.value, token: expression.token } : expression;
    this.#constants.set(token.text, value);
  }

  #refuseSecond(name: string, token: Token): void {
    const first = this.#labels.get(name) ?? this.#constants.get(name)?.token;
    if (first === undefined) return;
    const before = first.line === 0 ? "among the given symbols" : `in line ${first.line}`;
    throw mistake(`a name is defined twice, first ${before}`, token, "one definition");
  }

  // --- values -------------------------------------------------------------------------------------------------------------------

  fold(expression: TextExpression): Folded {
    const value = this.constant(expression);
    if (value !== undefined) return { kind: "constant", value };
    return this.#foldPlace(expression) ?? { kind: "deferred" };
  }

  #foldPlace(expression: TextExpression): Folded | undefined {
    if (expression.kind === "symbol") {
      const defined = this.#constants.get(expression.name);
      return defined === undefined ? { kind: "place", name: expression.name, distance: 0n } : this.#foldPlace(defined);
    }
    if (expression.kind !== "binary" || (expression.operator !== "+" && expression.operator !== "-")) return undefined;
    const { operator, left, right } = expression;
    const isSwapped = operator === "+" && this.constant(left) !== undefined;
    const place = this.#foldPlace(isSwapped ? right : left);
    const distance = this.constant(isSwapped ? left : right);
    if (place?.kind !== "place" || distance === undefined) return undefined;
    return { ...place, distance: place.distance + (operator === "+" ? distance : -distance) };
  }

  /** Undefined if addresses take part (not only distances that are known already), or names that are defined further on. */
  constant(expression: TextExpression, depth = 0): bigint | undefined {
    // A distance between labels stays the same wherever the text stands.
    const [one, ...others] = [0n, 1n, 0x7fff_ffffn].map((shift) => this.#shifted(expression, { shift }, depth));
    return others.every((other) => other === one) ? one : undefined;
  }

  /** The value with labels at their offsets plus `shift`; those behind other lengths that are not known yet have none. */
  #shifted(
    expression: TextExpression,
    start: { readonly shift: bigint; unsized?: number },
    depth: number,
  ): bigint | undefined {
    return evaluate(expression, (name, token) => {
      const defined = this.#constants.get(name);
      if (defined !== undefined) return this.#shifted(defined, start, this.#deeper(depth, token));
      const place = this.#buffer.placeOf(name);
      if (place === undefined) return undefined;
      start.unsized ??= place.unsized;
      return place.unsized === start.unsized ? BigInt(place.offset) + start.shift : undefined;
    });
  }

  #deeper(depth: number, token: Token): number {
    if (depth > this.#constants.size) throw mistake("a symbol is defined by itself", token, "other symbols");
    return depth + 1;
  }

  /** A constant that has to be known where it is written. */
  knownConstant(expression: TextExpression, allowed: string): bigint {
    const value = this.constant(expression);
    if (value === undefined) throw mistake("not a constant", expression.token, allowed);
    return value;
  }

  knownNumber(expression: TextExpression, low: number, high: number): number {
    const value = Number(this.knownConstant(expression, `${low} to ${high}`));
    if (value < low || value > high) throw mistake("out of range", expression.token, `${low} to ${high}`);
    return value;
  }

  /** The label that a branch goes to, or whose address is taken. */
  target(expression: TextExpression): Label {
    const folded = this.fold(expression);
    if (folded.kind === "deferred")
      throw mistake("not the address of an instruction", expression.token, "a label, label + constant, an address");
    if (folded.kind === "constant") return this.#buffer.labelAt(this.#distanceTo(folded.value, expression.token));
    const distance = this.#distanceOf(folded.distance, expression.token);
    if (!this.#targets.has(folded.name)) this.#targets.set(folded.name, expression.token);
    return distance === 0 ? this.#buffer.named(folded.name) : this.#buffer.labelBehind(folded.name, distance);
  }

  #distanceTo(address: bigint, token: Token): number {
    return this.#distanceOf(address - BigInt(this.base), token);
  }
  #distanceOf(distance: bigint, token: Token): number {
    if (BigInt.asIntN(32, distance) !== distance) throw mistake("too far away", token, "within 2 GiB");
    return Number(distance);
  }

  /** A value to be filled in when everything has its place; `adjust` makes of it what the field shall hold. */
  deferred(
    expression: TextExpression,
    adjust: (value: number, place: number, addend: number) => number = (value) => value,
  ): DeferredSymbol & { readonly token: Token } {
    const { token } = expression;
    const value = (place: number, addend: number): number => adjust(this.#final(expression), place, addend);
    return { kind: "deferred", name: token.text, value, token };
  }

  #final(expression: TextExpression): number {
    const value = this.#finalValue(expression, 0);
    if (BigInt.asIntN(53, value) !== value)
      throw mistake("a value that is too large where labels take part", expression.token, "53 bits");
    return Number(value);
  }

  #finalValue(expression: TextExpression, depth: number): bigint {
    const value = evaluate(expression, (name, token) => {
      const defined = this.#constants.get(name);
      if (defined !== undefined) return this.#finalValue(defined, this.#deeper(depth, token));
      return BigInt(this.#addresses.get(name) ?? 0);
    });
    return value ?? 0n;
  }

  // --- the end ------------------------------------------------------------------------------------------------------------------

  /** Every name that was used must be defined by now. */
  checkUses(): void {
    for (const [name, token] of this.#uses) {
      if (this.#labels.has(name) || this.#constants.has(name) || name.startsWith(`.${INTERNAL}`)) continue;
      if (token.kind === "local")
        throw mistake("a numeric label that is not there", token, `${token.text.slice(0, -1)}: ${direction(token)} it`);
      throw mistake("a name that nothing defines", token, "labels, .set, the given symbols");
    }
    for (const [name, token] of this.#targets) {
      if (this.#constants.has(name))
        throw mistake("a name that gets its value only behind its use as a place", token, ".set before it");
    }
  }

  /** Takes the addresses of all labels; returns those with a name of their own. */
  place(offsets: ReadonlyMap<string, number>): Map<string, number> {
    const addresses = new Map<string, number>();
    for (const [name, offset] of offsets) addresses.set(name, this.base + offset);
    this.#addresses = addresses;
    return new Map([...addresses].filter(([name]) => this.#labels.has(name) && !name.includes(INTERNAL)));
  }
}

function direction({ text }: Token): string {
  return text.endsWith("b") ? "before" : "behind";
}
