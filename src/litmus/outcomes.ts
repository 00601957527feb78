// The outcomes of a run: from the words that were left in memory to values, states, and what the condition says of them.

import { holds } from "./condition.ts";
import type { StateView } from "./condition.ts";
import type { LitmusProgram } from "./harness.ts";
import { Harvest } from "./batch.ts";
import type { BlockPlace } from "./batch.ts";
import { Record, memoryOffset } from "./layout.ts";
import { registerOf } from "./plan.ts";
import type { Observable } from "./plan.ts";
import { formatLocation } from "./test.ts";
import type { LitmusLocation, LitmusValue } from "./test.ts";
import { shownNumber } from "./values.ts";

/** A final state, and how often it came. */
export interface LitmusState {
  readonly count: number;
  /** Whether it decides what is asked: it is as `exists` or `~exists` says, or not as `forall` does. */
  readonly isWitness: boolean;
  /** By location as it is printed, in the order of printing: a number as decimal digits, or the name of a location. */
  readonly values: Readonly<Record<string, string>>;
}

export class Outcomes {
  readonly #program: LitmusProgram;
  readonly #counts = new Map<string, number>();
  readonly #harvest: Harvest;
  /** Names of locations by their offset in a block. */
  readonly #names: ReadonlyMap<number, string>;

  constructor(program: LitmusProgram) {
    this.#program = program;
    const { layout, plan } = program;
    const threads = plan.test.threads.length;
    this.#harvest = new Harvest(
      layout,
      plan.observables.map((one) => placeOf(program, one)),
    );
    this.#names = new Map(plan.memory.map(({ name }, i) => [memoryOffset(layout, threads, i), name] as const));
  }

  add(bytes: Uint8Array, iterations: number): void {
    this.#harvest.count(bytes, iterations, this.#counts);
  }

  /** As litmus7 orders them: the first location changes fastest. */
  states(): LitmusState[] {
    const { condition, filter } = this.#program.plan.test;
    const merged = new Map<string, { values: LitmusValue[]; count: number; isWitness: boolean }>();
    const { observables } = this.#program.plan;
    for (const [key, count] of this.#counts) {
      const all = this.#valuesOf(key);
      const view = viewOf(observables, all);
      if (filter !== undefined && !holds(filter, view)) continue;
      const values = all.filter((_, i) => observables[i]?.isShown);
      const isWitness = holds(condition.prop, view) !== (condition.quantifier === "forall");
      const name = values.join(";");
      const before = merged.get(name);
      merged.set(name, { values, isWitness, count: count + (before?.count ?? 0) });
    }
    const shown = observables.filter(({ isShown }) => isShown).map(({ location }) => formatLocation(location));
    return [...merged.values()].sort((one, other) => compareStates(one.values, other.values)).map(
      ({ values, count, isWitness }) => ({
        count,
        isWitness,
        values: Object.fromEntries(shown.map((name, i) => [name, String(values[i])])),
      }),
    ); // prettier-ignore
  }

  #valuesOf(key: string): LitmusValue[] {
    return key.split(",").slice(0, -1).map((word, i): LitmusValue => {
      const { type } = this.#program.plan.observables[i] as Observable;
      if (!word.startsWith("@")) return shownNumber(BigInt(`0x${word}`), type);
      const offset = parseInt(word.slice(1), 16);
      return this.#names.get(offset) ?? `block+${offset}`;
    }); // prettier-ignore
  }
}

function placeOf({ plan, layout }: LitmusProgram, { location, type }: Observable): BlockPlace {
  if (location.kind === "memory") {
    const index = plan.memory.findIndex(({ name }) => name === location.name);
    return { offset: memoryOffset(layout, plan.test.threads.length, index), bits: type?.bits ?? 64 };
  }
  const { whole, bits } = registerOf(plan.dialect, location);
  const slot = plan.saved[location.thread]?.indexOf(whole) ?? 0;
  return { offset: location.thread * layout.recordBytes + Record.SAVED + 8 * slot, bits };
}

function viewOf(observables: readonly Observable[], values: readonly LitmusValue[]): StateView {
  const indices = new Map(observables.map(({ location }, i) => [formatLocation(location), i] as const));
  const indexOf = (location: LitmusLocation): number => indices.get(formatLocation(location)) ?? 0;
  return {
    value: (location) => values[indexOf(location)] ?? 0n,
    shown: (location, value) =>
      typeof value === "string" ? value : shownNumber(value, observables[indexOf(location)]?.type),
  };
}

function compareStates(one: readonly LitmusValue[], other: readonly LitmusValue[]): number {
  for (let i = one.length - 1; i >= 0; i--) {
    const order = compareValues(one[i] ?? 0n, other[i] ?? 0n);
    if (order !== 0) return order;
  }
  return 0;
}

/** Numbers by value, before addresses by name. */
function compareValues(one: LitmusValue, other: LitmusValue): number {
  if (typeof one !== typeof other) return typeof one === "bigint" ? -1 : 1;
  return one < other ? -1 : one > other ? 1 : 0;
}
