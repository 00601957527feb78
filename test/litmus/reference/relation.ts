// Relations between the events of one execution, as cat files calculate with them.

/** A set of events: one bit for each. */
export type EventSet = number;
/** For each event, the set of those that it is related to. */
export type Relation = readonly EventSet[];

/** Bits of a number that stays positive in every operation here. */
export const MOST_EVENTS = 31;

export function nothing(count: number): EventSet[] {
  return new Array<EventSet>(count).fill(0);
}

export function union(first: Relation, ...others: readonly Relation[]): Relation {
  return first.map((row, event) => others.reduce((sum, other) => sum | (other[event] ?? 0), row));
}

export function without(relation: Relation, other: Relation): Relation {
  return relation.map((row, event) => row & ~(other[event] ?? 0));
}

/** `[from]; relation; [to]` */
export function between(from: EventSet, relation: Relation, to: EventSet): Relation {
  return relation.map((row, event) => (((from >> event) & 1) === 1 ? row & to : 0));
}

function after(row: EventSet, relation: Relation): EventSet {
  let found = 0;
  for (let rest = row; rest !== 0; rest &= rest - 1) found |= relation[31 - Math.clz32(rest & -rest)] ?? 0;
  return found;
}

/** `first; second; …` */
export function sequence(first: Relation, ...others: readonly Relation[]): Relation {
  return others.reduce((left, right) => left.map((row) => after(row, right)), first);
}

export function inverse(relation: Relation): Relation {
  const result = nothing(relation.length);
  relation.forEach((row, from) => {
    for (let to = 0; to < relation.length; to++)
      if (((row >> to) & 1) === 1) result[to] = (result[to] ?? 0) | (1 << from);
  });
  return result;
}

export function isEmpty(relation: Relation): boolean {
  return relation.every((row) => row === 0);
}

export function isAcyclic(relation: Relation): boolean {
  let rest = relation.length === 0 ? 0 : 2 ** relation.length - 1;
  for (;;) {
    let last = 0;
    relation.forEach((row, event) => {
      if (((rest >> event) & 1) === 1 && (row & rest) === 0) last |= 1 << event;
    });
    if (last === 0) return rest === 0;
    rest &= ~last;
  }
}
