// What has to be run for a test: its memory locations, what each register starts with, and what is looked at in the end.

import { addressesIn, locationsOf } from "./condition.ts";
import { dialects } from "./dialect/dialect.ts";
import type { LitmusDialect, RegisterName } from "./dialect/dialect.ts";
import { litmusMistake } from "./failure.ts";
import type { Initial, LitmusLocation, LitmusTest, LitmusValue, RegisterLocation, ValueType } from "./test.ts";
import { formatLocation } from "./test.ts";
import { ADDRESS, INT, shownNumber } from "./values.ts";

/** A memory location, in a cache line of its own. */
export interface MemoryCell {
  readonly name: string;
  readonly type: ValueType;
  readonly value: LitmusValue;
}

/** What a register holds when the thread's code begins; all others hold 0. */
export interface RegisterStart {
  /** The whole register. */
  readonly register: string;
  readonly value: LitmusValue;
}

/** Something that a final state shows. */
export interface Observable {
  readonly location: LitmusLocation;
  readonly type: ValueType | undefined;
  /** Whether it is part of the histogram, or only of the filter. */
  readonly isShown: boolean;
}

export interface LitmusPlan {
  readonly test: LitmusTest;
  readonly dialect: LitmusDialect;
  readonly memory: readonly MemoryCell[];
  /** By thread. */
  readonly starts: readonly (readonly RegisterStart[])[];
  /** By thread: the whole registers that are saved behind its code. */
  readonly saved: readonly (readonly string[])[];
  readonly observables: readonly Observable[];
}

/** Threads and locations: what fits the harness's offsets, and more than any test has. */
export const litmusLimits = { threads: 8, memory: 32, observed: 28 } as const;

/** @throws LITMUS_INVALID for names that mean nothing, and for more than there is room for */
export function planLitmus(test: LitmusTest): LitmusPlan {
  const dialect = dialects[test.dialect];
  const observables = observablesOf(test, dialect);
  const memory = memoryOf(test, dialect, observables);
  const plan = {
    test,
    dialect,
    memory,
    starts: test.threads.map((_, thread) => startsOf(test, dialect, thread)),
    saved: test.threads.map((_, thread) => savedOf(dialect, observables, thread)),
    observables,
  };
  checkRoom("threads", test.threads.length, litmusLimits.threads);
  checkRoom("memory locations", memory.length, litmusLimits.memory);
  checkRoom(
    "observed registers of a thread",
    Math.max(...plan.saved.map(({ length }) => length)),
    litmusLimits.observed,
  );
  return plan;
}

const START = { line: 1, column: 1 };

function checkRoom(what: string, count: number, most: number): void {
  if (count > most) throw litmusMistake(`too many ${what}`, START, count, `up to ${most}`);
}

/** The register of a thread that a location names. */
export function registerOf(dialect: LitmusDialect, { name, place }: RegisterLocation): RegisterName {
  const register = dialect.register(name);
  if (register === undefined) throw litmusMistake("no such register", place, name, dialect.registers);
  return register;
}

// --- what is looked at ----------------------------------------------------------------------------------------------------------

function observablesOf(test: LitmusTest, dialect: LitmusDialect): Observable[] {
  const { shown, condition, filter } = test;
  const wanted: readonly (Omit<Observable, "type"> & { readonly named?: ValueType | undefined })[] = [
    ...shown.map(({ location, type }) => ({ location, isShown: true, named: type })),
    ...locationsOf(condition.prop).map((location) => ({ location, isShown: true })),
    ...(filter === undefined ? [] : locationsOf(filter)).map((location) => ({ location, isShown: false })),
  ];
  const found = new Map<string, Observable>();
  for (const { location, isShown, named } of wanted) {
    const name = formatLocation(location);
    if (!found.has(name)) found.set(name, { location, isShown, type: named ?? typeOf(test, dialect, location) });
  }
  return [...found.values()].sort(inHerdsOrder);
}

/** Registers by thread, then memory; each by name. */
function inHerdsOrder({ location: one }: Observable, { location: other }: Observable): number {
  if (one.kind !== other.kind) return one.kind === "register" ? -1 : 1;
  const threads = one.kind === "register" && other.kind === "register" ? one.thread - other.thread : 0;
  return threads || compareNames(one.name, other.name);
}

/** X2 before X10. */
function compareNames(one: string, other: string): number {
  return one.localeCompare(other, "en", { numeric: true });
}

function typeOf(test: LitmusTest, dialect: LitmusDialect, location: LitmusLocation): ValueType | undefined {
  if (location.kind === "memory") return memoryType(test, location.name);
  checkThread(test, location);
  const { whole, bits } = registerOf(dialect, location);
  const initial = test.initial.find((one) => isRegister(dialect, one.location, location.thread, whole));
  if (initial?.type !== undefined) return initial.type;
  return bits < 32 ? { name: `int${bits}_t`, bits, isSigned: true } : bits === 32 ? INT : undefined;
}

function checkThread({ threads }: LitmusTest, { thread, place }: RegisterLocation): void {
  if (thread >= threads.length)
    throw litmusMistake("a register of a thread that there isn't", place, thread, `0 to ${threads.length - 1}`);
}

function isRegister(dialect: LitmusDialect, location: LitmusLocation, thread: number, whole: string): boolean {
  return location.kind === "register" && location.thread === thread && dialect.register(location.name)?.whole === whole;
}

function savedOf(dialect: LitmusDialect, observables: readonly Observable[], thread: number): string[] {
  const registers = observables.flatMap(({ location }) =>
    location.kind === "register" && location.thread === thread ? [registerOf(dialect, location).whole] : [],
  );
  return [...new Set(registers)];
}

// --- what there is before -------------------------------------------------------------------------------------------------------

function initialOf({ initial }: LitmusTest, name: string): Initial | undefined {
  return initial.findLast(({ location }) => location.kind === "memory" && location.name === name);
}

function memoryType(test: LitmusTest, name: string): ValueType {
  const initial = initialOf(test, name);
  return initial?.type ?? (typeof initial?.value === "string" ? ADDRESS : INT);
}

/** Everything that is declared, named in a condition, pointed to, or used by the code. */
function memoryOf(test: LitmusTest, dialect: LitmusDialect, observables: readonly Observable[]): MemoryCell[] {
  const { initial, condition, filter, threads } = test;
  const names = new Set<string>([
    ...initial.flatMap(({ location, value }) => [
      ...(location.kind === "memory" ? [location.name] : []),
      ...(typeof value === "string" ? [value] : []),
    ]),
    ...threads.flat().flatMap((cell) => dialect.memoryNames(cell)),
    ...observables.flatMap(({ location }) => (location.kind === "memory" ? [location.name] : [])),
    ...addressesIn(condition.prop),
    ...(filter === undefined ? [] : addressesIn(filter)),
  ]);
  return [...names].sort(compareNames).map((name) => {
    const value = initialOf(test, name)?.value ?? 0n;
    return { name, type: memoryType(test, name), value };
  });
}

function startsOf(test: LitmusTest, dialect: LitmusDialect, thread: number): RegisterStart[] {
  const starts = new Map<string, LitmusValue>();
  for (const { location, type, value } of test.initial) {
    if (location.kind !== "register") continue;
    checkThread(test, location);
    const { whole, bits } = registerOf(dialect, location);
    if (location.thread !== thread) continue;
    starts.set(whole, typeof value === "bigint" ? startingBits(value, type, bits) : value);
  }
  return [...starts].map(([register, value]) => ({ register, value }));
}

/** A part of a register is written as the architecture does it: the rest is 0. */
function startingBits(value: bigint, type: ValueType | undefined, bits: number): bigint {
  if (bits < 64) return BigInt.asUintN(bits, value);
  return BigInt.asUintN(64, type === undefined ? value : shownNumber(value, type));
}
