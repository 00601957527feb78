// x86-TSO for write-back memory (SDM volume 3A, 9.2; Owens, Sarkar, Sewell: A better x86 memory model: x86-TSO, TPHOLs 2009):
// only a load may come before a store that precedes it, unless an MFENCE or a locked instruction lies between, or is one of them.

import type { Model, Skeleton } from "../execution.ts";
import type { Dialect } from "../litmus.ts";
import { between, sequence, union, without } from "../relation.ts";
import type { Relation } from "../relation.ts";
import { stepX86 } from "./instructions.ts";

function localOrder({ po, reads, writes, marked, fences }: Skeleton): Relation {
  const accesses = reads | writes;
  const locked = marked("locked");
  return union(
    between(writes, po, writes),
    between(reads, po, accesses),
    sequence(between(accesses, po, fences(["mfence"])), between(-1, po, accesses)),
    between(writes & locked, po, reads),
    between(writes, po, reads & locked),
  );
}

export function x86(dialect: Dialect, addresses: ReadonlyMap<string, bigint>): Model {
  // Stores of the own CPU, which a load reads early, aren't ordered before it.
  return {
    step: stepX86(dialect, addresses),
    localOrder,
    observed: ({ rf, co, fr }, sameThread) => union(without(rf, sameThread), co, fr),
  };
}
