// Candidate executions: traces of all threads, with each way in which their loads could read from their stores, and each order
// of the stores to each location. A model says which of them the architecture has.

import { compareItems, formatState, holds } from "./litmus.ts";
import type { LitmusTest } from "./litmus.ts";
import { inverse, isAcyclic, isEmpty, MOST_EVENTS, nothing, sequence, union, without } from "./relation.ts";
import type { EventSet, Relation } from "./relation.ts";
import { tracesOf } from "./trace.ts";
import type { Domain, Marks, Step, Trace, TraceEvent } from "./trace.ts";

/** What doesn't depend on who reads from whom. Initial stores come first and are of no thread. */
export interface Skeleton {
  readonly events: readonly TraceEvent[];
  readonly reads: EventSet;
  readonly writes: EventSet;
  readonly po: Relation;
  /** Program order of accesses to one location. */
  readonly poLoc: Relation;
  readonly sameThread: Relation;
  readonly rmw: Relation;
  readonly amo: Relation;
  readonly addr: Relation;
  readonly data: Relation;
  readonly ctrl: Relation;
  readonly pickAddr: Relation;
  readonly pickData: Relation;
  readonly pickCtrl: Relation;
  readonly marked: (mark: keyof Marks) => EventSet;
  readonly fences: (names: readonly string[]) => EventSet;
}

export interface Communication {
  readonly rf: Relation;
  readonly co: Relation;
  readonly fr: Relation;
}

/** An architecture as the reference knows it. */
export interface Model {
  readonly step: Step;
  /** What each thread keeps in order, seen from others. */
  localOrder(skeleton: Skeleton): Relation;
  /** With the local order it must have no cycle. */
  observed(communication: Communication, sameThread: Relation): Relation;
}

function setOf<T>(items: readonly T[], has: (item: T) => boolean): EventSet {
  return items.reduce((set, item, at) => (has(item) ? set | (1 << at) : set), 0);
}

/** The relation of each event to the events of its thread that come out of `row`. */
type Row = (event: TraceEvent, number: number) => EventSet;

function skeletonOf(initial: readonly TraceEvent[], traces: readonly Trace[]): Skeleton {
  const events = [...initial, ...traces.flatMap((trace) => trace.events)];
  if (events.length > MOST_EVENTS) throw new Error("litmus reference: too many events");
  let start = initial.length;
  const starts = traces.map((trace) => (start += trace.events.length) - trace.events.length);
  /** Shifts what threads say about themselves to the numbers of the whole. */
  const inThreads = (row: Row): Relation => {
    const result = nothing(events.length);
    traces.forEach((trace, thread) => {
      const first = starts[thread] ?? 0;
      trace.events.forEach((event, number) => (result[first + number] = row(event, number) << first));
    });
    return result;
  };
  const dependency = (of: (event: TraceEvent) => EventSet): Relation => inverse(inThreads(of));
  const isRmw = (event: TraceEvent): EventSet => (event.rmwOf === undefined ? 0 : 1 << event.rmwOf);
  const poBefore = inThreads((_, number) => 2 ** number - 1);
  const po = inverse(poBefore);
  const sameLocation = events.map(({ kind, address }) =>
    setOf(events, (other) => kind !== "F" && other.kind !== "F" && other.address === address),
  );
  return {
    events,
    reads: setOf(events, ({ kind }) => kind === "R"),
    writes: setOf(events, ({ kind }) => kind === "W"),
    po,
    poLoc: po.map((row, event) => row & (sameLocation[event] ?? 0)),
    sameThread: union(po, poBefore),
    rmw: dependency(isRmw),
    amo: dependency((event) => (event.isAmo === true ? isRmw(event) : 0)),
    addr: dependency(({ addr }) => addr),
    data: dependency(({ data }) => data),
    ctrl: dependency(({ ctrl }) => ctrl),
    pickAddr: dependency(({ pickAddr }) => pickAddr),
    pickData: dependency(({ pickData }) => pickData),
    pickCtrl: dependency(({ pickCtrl }) => pickCtrl),
    marked: (mark) => setOf(events, ({ marks }) => marks[mark] === true),
    fences: (names) => setOf(events, ({ fence }) => names.includes(fence)),
  };
}

/** Each choice of one element of each list. */
function* choices<T>(lists: readonly (readonly T[])[]): Generator<T[]> {
  const [first, ...rest] = lists;
  if (first === undefined) yield [];
  else for (const item of first) for (const others of choices(rest)) yield [item, ...others];
}

function* permutations<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield [];
  for (const [at, item] of items.entries())
    for (const others of permutations(items.filter((_, other) => other !== at))) yield [item, ...others];
}

/** Values that locations can hold: what stores write, given that loads return what locations can hold. */
function domainOf(test: LitmusTest, step: Step): Domain {
  const domain = new Map<bigint, Set<bigint>>();
  for (const [name, address] of test.addresses) domain.set(address, new Set([test.memory.get(name) ?? 0n]));
  for (let round = 0; ; round++) {
    const before = [...domain.values()].reduce((sum, values) => sum + values.size, 0);
    const traces = test.threads.map((thread) => tracesOf(thread, step, domain));
    // No value comes of more stores than there are.
    const longest = traces.reduce((sum, ofThread) => sum + Math.max(...ofThread.map(countWrites)), 0);
    for (const { kind, address, value } of traces.flat().flatMap(({ events }) => events))
      if (kind === "W") domain.get(address)?.add(value);
    const after = [...domain.values()].reduce((sum, values) => sum + values.size, 0);
    if (after === before || round > longest) return domain;
  }
}

function countWrites({ events }: Trace): number {
  return events.filter(({ kind }) => kind === "W").length;
}

/** The orders of the stores to each location, the initial one first. */
function* coherenceOrders({ events }: Skeleton, addresses: readonly bigint[]): Generator<number[][]> {
  const stores = addresses.map((address) =>
    events.flatMap((event, at) => (event.kind === "W" && event.address === address ? [at] : [])),
  );
  yield* choices(stores.map(([first = 0, ...others]) => [...permutations(others)].map((order) => [first, ...order])));
}

function* readsFrom({ events }: Skeleton): Generator<Relation> {
  const sources = events.map(({ kind, address, value }) =>
    kind !== "R"
      ? [-1]
      : events.flatMap((other, at) =>
          other.kind === "W" && other.address === address && other.value === value ? [at] : [],
        ),
  );
  for (const chosen of choices(sources)) {
    const rf = nothing(events.length);
    chosen.forEach((source, read) => {
      if (source >= 0) rf[source] = (rf[source] ?? 0) | (1 << read);
    });
    yield rf;
  }
}

function relationOf(count: number, orders: readonly (readonly number[])[]): Relation {
  const co = nothing(count);
  for (const order of orders)
    order.forEach((store, at) => (co[store] = order.slice(at + 1).reduce((set, later) => set | (1 << later), 0)));
  return co;
}

/** An execution is an architecture's if its locations are coherent, its read-modify-writes atomic, and no order is circular. */
function isConsistent(model: Model, skeleton: Skeleton, localOrder: Relation, communication: Communication): boolean {
  const { rf, co, fr } = communication;
  const { poLoc, rmw, sameThread } = skeleton;
  if (!isAcyclic(union(poLoc, rf, co, fr))) return false;
  const interference = sequence(without(fr, sameThread), without(co, sameThread));
  if (!isEmpty(rmw.map((row, event) => row & (interference[event] ?? 0)))) return false;
  return isAcyclic(union(localOrder, model.observed(communication, sameThread)));
}

/** Final states that a model allows. */
export interface Allowed {
  /** Of what the condition names. */
  readonly states: readonly string[];
  /** Of all locations, and of all registers that a load, an atomic or a store-exclusive writes. */
  readonly whole: readonly string[];
  /** Those of `states` of which the condition holds. */
  readonly satisfying: readonly string[];
}

export function allowedStates(test: LitmusTest, model: Model): Allowed {
  const addresses = [...test.addresses.values()];
  const domain = domainOf(test, model.step);
  const traces = test.threads.map((thread) => tracesOf(thread, model.step, domain));
  const initial = [...test.addresses].map(([name, address]) => initialStore(address, test.memory.get(name) ?? 0n));
  const results = traces.flatMap((ofThread, thread) =>
    [...new Set(ofThread.flatMap((trace) => [...trace.results]))].map((register) => `${thread}:${register}`),
  );
  const locations = [...test.addresses.keys()].map((name) => `[${name}]`);
  const everything = [...new Set([...results, ...locations])].sort(compareItems);
  const found = new Map<string, ReadonlyMap<string, bigint>>();

  for (const combination of choices(traces)) {
    const skeleton = skeletonOf(initial, combination);
    const localOrder = model.localOrder(skeleton);
    const count = skeleton.events.length;
    const registers = registersOf(combination);
    for (const orders of coherenceOrders(skeleton, addresses)) {
      const state = new Map(registers);
      [...test.addresses.keys()].forEach((name, at) =>
        state.set(`[${name}]`, skeleton.events[orders[at]?.at(-1) ?? 0]?.value ?? 0n),
      );
      const key = formatState(everything, state) + formatState(test.items, state);
      if (found.has(key)) continue;
      const co = relationOf(count, orders);
      for (const rf of readsFrom(skeleton)) {
        const fr = sequence(inverse(rf), co);
        if (!isConsistent(model, skeleton, localOrder, { rf, co, fr })) continue;
        found.set(key, state);
        break;
      }
    }
  }
  const format = (items: readonly string[], states: Iterable<ReadonlyMap<string, bigint>>): string[] =>
    [...new Set([...states].map((state) => formatState(items, state)))].sort();
  const states = [...found.values()];
  return {
    states: format(test.items, states),
    whole: format(everything, states),
    satisfying: format(
      test.items,
      states.filter((state) => holds(test.condition, state)),
    ),
  };
}

function initialStore(address: bigint, value: bigint): TraceEvent {
  const none = { fence: "", marks: {}, addr: 0, data: 0, ctrl: 0, pickAddr: 0, pickData: 0, pickCtrl: 0 };
  return { kind: "W", address, value, ...none };
}

function registersOf(traces: readonly Trace[]): Map<string, bigint> {
  return new Map(
    traces.flatMap((trace, thread) =>
      [...trace.registers].map(([name, { bits }]) => [`${thread}:${name}`, bits] as const),
    ),
  );
}
