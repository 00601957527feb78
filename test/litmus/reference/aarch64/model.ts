// Armv8-A's memory model for accesses of one size to Normal memory by PEs of one Inner Shareable domain: Arm ARM DDI 0487,
// B2.3 (Definition of the Arm memory model): Internal visibility, External visibility and Atomicity requirements.

import type { Model, Skeleton } from "../execution.ts";
import { between, sequence, union, without } from "../relation.ts";
import type { Relation } from "../relation.ts";
import { stepAArch64 } from "./instructions.ts";

const ALL = -1;

/**
 * Options by what they order. Between accesses to memory DSB orders as DMB does. Those of the Non-shareable domain say nothing
 * about other PEs.
 */
function barriers(options: readonly string[]): readonly string[] {
  return options.flatMap((option) => [`dmb.${option}`, `dsb.${option}`]);
}
const FULL = barriers(["sy", "ish", "osh"]);
const LOADS = barriers(["ld", "ishld", "oshld"]);
const STORES = barriers(["st", "ishst", "oshst"]);

/** `from; po; [fences]; po; to` */
function fenced({ po, fences }: Skeleton, from: number, names: readonly string[], to: number): Relation {
  return sequence(between(from, po, fences(names)), between(ALL, po, to));
}

/** Dependency-ordered-before and Pick-ordered-before. */
function dependencyOrder(s: Skeleton, localReadSuccessor: Relation): Relation {
  const { addr, data, ctrl, pickAddr, pickData, pickCtrl, po, writes, reads } = s;
  const accesses = writes | reads;
  const isb = s.fences(["isb"]);
  const throughIsb = sequence(between(ALL, union(ctrl, pickCtrl, sequence(union(addr, pickAddr), po)), isb), po);
  return union(
    addr,
    data,
    between(ALL, union(ctrl, pickCtrl, pickAddr, pickData), writes),
    between(ALL, throughIsb, accesses),
    between(ALL, sequence(union(addr, pickAddr), po), writes),
    sequence(union(addr, data), localReadSuccessor),
  );
}

/** Atomic-ordered-before. */
function atomicOrder(s: Skeleton, localReadSuccessor: Relation): Relation {
  const acquires = s.marked("A") | s.marked("Q");
  return union(s.rmw, between(ALL, sequence(s.rmw, localReadSuccessor), acquires));
}

/** Barrier-ordered-before. */
function barrierOrder(s: Skeleton): Relation {
  const { po, reads, writes, amo } = s;
  const [A, Q, L, NoRet] = [s.marked("A"), s.marked("Q"), s.marked("L"), s.marked("NoRet")];
  const acquireRelease = between(A, amo, L).reduce((set, row) => set | row, 0);
  return union(
    fenced(s, ALL, FULL, ALL),
    fenced(s, reads & ~NoRet, LOADS, ALL),
    fenced(s, writes, STORES, writes),
    // With what L orders before it, an atomic with both is a full barrier.
    between(acquireRelease, po, ALL),
    between(L, po, A),
    between(A | Q, po, ALL),
    between(ALL, po, L),
  );
}

/** Locally-ordered-before. */
function localOrder(s: Skeleton): Relation {
  const { poLoc, writes, reads } = s;
  const overStores = sequence(between(ALL, poLoc, writes), poLoc);
  const localReadSuccessor = between(writes, without(poLoc, overStores), reads);
  const localWriteSuccessor = between(ALL, poLoc, writes);
  return union(
    localWriteSuccessor,
    dependencyOrder(s, localReadSuccessor),
    atomicOrder(s, localReadSuccessor),
    barrierOrder(s),
  );
}

/** The architecture. */
export const aarch64: Model = {
  step: stepAArch64,
  localOrder,
  observed: ({ rf, co, fr }, sameThread) => without(union(rf, co, fr), sameThread),
};

/**
 * A PE that issues in order: whatever waits for a loaded value holds up all that follows it, and stores become visible when the
 * loads before them have their values. Loads still return out of order, those behind a branch too, and stores still drain out of order.
 */
export const inOrderAArch64: Model = {
  ...aarch64,
  localOrder: (s) => {
    const { addr, po, reads, writes, amo } = s;
    // What an atomic stores is calculated where it is done.
    const data = without(s.data, amo);
    const ctrl = between(ALL, s.ctrl, writes | s.marked("A") | s.marked("Q"));
    return union(
      localOrder(s),
      between(reads, po, writes),
      between(ALL, union(ctrl, sequence(union(addr, data, ctrl), po)), reads | writes),
    );
  },
};
