// Every operation against sets of numbers, on both engines, at widths around the edges of words and vectors.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CpuMask, CpuMaskPool } from "../../src/cpumask/index.ts";
import { ascending, cpuSets, cpusOf, pools, runsFor, widths } from "./support.ts";

/** Three masks and the sets that they are to be. */
interface Trio {
  readonly bits: number;
  readonly sets: readonly [Set<number>, Set<number>, Set<number>];
  readonly masks: readonly [CpuMask, CpuMask, CpuMask];
}

function trio(pool: CpuMaskPool, bits: number, sets: Trio["sets"]): Trio {
  const [a, b, c] = sets;
  return { bits, sets, masks: [pool.mask(bits, a), pool.mask(bits, b), pool.mask(bits, c)] };
}

/** The least member that is allowed, or the width. */
function least(cpus: Iterable<number>, bits: number, allowed = (_cpu: number) => true): number {
  let found = bits;
  for (const cpu of cpus) if (cpu < found && allowed(cpu)) found = cpu;
  return found;
}

const both = (a: Set<number>, b: Set<number>) => new Set([...a].filter((cpu) => b.has(cpu)));
const without = (a: Set<number>, b: Set<number>) => new Set([...a].filter((cpu) => !b.has(cpu)));
const either = (a: Set<number>, b: Set<number>) => new Set([...a, ...b]);
const all = (bits: number) => new Set(Array.from({ length: bits }, (_, cpu) => cpu));

/** Each gives a mask (the target) its content, and says what that must be. */
type Change = (target: CpuMask, { masks, sets, bits }: Trio, distance: number) => Iterable<number>;

const changes: Record<string, Change> = {
  and: (target, { masks: [a, b], sets: [setA, setB] }) => {
    expect(target.and(a, b)).toBe(both(setA, setB).size > 0);
    return both(setA, setB);
  },
  andNot: (target, { masks: [a, b], sets: [setA, setB] }) => {
    expect(target.andNot(a, b)).toBe(without(setA, setB).size > 0);
    return without(setA, setB);
  },
  or: (target, { masks: [a, b], sets: [setA, setB] }) => (target.or(a, b), either(setA, setB)),
  xor: (target, { masks: [a, b], sets: [setA, setB] }) => (
    target.xor(a, b),
    either(without(setA, setB), without(setB, setA))
  ),
  copy: (target, { masks: [a], sets: [setA] }) => (target.copy(a), setA),
  complement: (target, { masks: [a], sets: [setA], bits }) => (target.complement(a), without(all(bits), setA)),
  shiftLeft: (target, { masks: [a], sets: [setA], bits }, distance) => (
    target.shiftLeft(a, distance),
    [...setA].map((cpu) => cpu + distance).filter((cpu) => cpu < bits)
  ),
  shiftRight: (target, { masks: [a], sets: [setA] }, distance) => (
    target.shiftRight(a, distance),
    [...setA].map((cpu) => cpu - distance).filter((cpu) => cpu >= 0)
  ),
};

/** What reads masks: each row is a result and what it must be. */
function readings(
  { masks: [a, b, c], sets: [setA, setB, setC], bits }: Trio,
  cpu: number,
): [string, unknown, unknown][] {
  const [and, andNot] = [both(setA, setB), without(setA, setB)];
  const andAndNot = ascending(without(and, setC));
  const beyond = (other: number) => other > cpu;
  const but = (other: number) => other !== cpu;
  const zeros = without(all(bits), setA);
  const around = (cpus: Set<number>) => least(cpus, bits, [...cpus].some(beyond) ? beyond : undefined);
  const n = cpu % 7;
  return [
    ["testCpu", a.testCpu(cpu), setA.has(cpu)],
    ["weight", a.weight(), setA.size],
    ["weightAnd", a.weightAnd(b), and.size],
    ["weightAndNot", a.weightAndNot(b), andNot.size],
    ["weightFrom", a.weightFrom(cpu), [...setA].filter((other) => other >= cpu).length],
    ["equal", a.equal(b), setA.size === setB.size && and.size === setA.size],
    ["orEqual", a.orEqual(b, c), either(setA, setB).size === setC.size && without(setC, either(setA, setB)).size === 0],
    ["intersects", a.intersects(b), and.size > 0],
    ["subset", a.subset(b), andNot.size === 0],
    ["empty", a.empty(), setA.size === 0],
    ["full", a.full(), setA.size === bits],
    ["first", a.first(), least(setA, bits)],
    ["firstZero", a.firstZero(), least(zeros, bits)],
    ["firstAnd", a.firstAnd(b), least(and, bits)],
    ["firstAndNot", a.firstAndNot(b), least(andNot, bits)],
    ["firstAndAnd", a.firstAndAnd(b, c), least(both(and, setC), bits)],
    ["last", a.last(), setA.size === 0 ? bits : ascending(setA).at(-1)],
    ["next", a.next(cpu), least(setA, bits, beyond)],
    ["nextZero", a.nextZero(cpu), least(zeros, bits, beyond)],
    ["nextAnd", a.nextAnd(cpu, b), least(and, bits, beyond)],
    ["nextAndNot", a.nextAndNot(cpu, b), least(andNot, bits, beyond)],
    ["nextOr", a.nextOr(cpu, b), least(either(setA, setB), bits, beyond)],
    ["nextWrap", a.nextWrap(cpu), around(setA)],
    ["nextAndWrap", a.nextAndWrap(cpu, b), around(and)],
    ["nth", a.nth(n), ascending(setA)[n] ?? bits],
    ["nthAnd", a.nthAnd(n, b), ascending(and)[n] ?? bits],
    ["nthAndNot", a.nthAndNot(n, b), ascending(andNot)[n] ?? bits],
    ["nthAndAndNot", a.nthAndAndNot(n, b, c), andAndNot[n] ?? bits],
    ["any", a.any(), least(setA, bits)],
    ["anyBut", a.anyBut(cpu), least(setA, bits, but)],
    ["anyAnd", a.anyAnd(b), least(and, bits)],
    ["anyAndBut", a.anyAndBut(b, cpu), least(and, bits, but)],
    ["anyAndNotBut", a.anyAndNotBut(b, cpu), least(andNot, bits, but)],
    ["toArray", a.toArray(), ascending(setA)],
    ["each", [...a], ascending(setA)],
    ["eachAnd", [...a.eachAnd(b)], ascending(and)],
    ["eachAndNot", [...a.eachAndNot(b)], ascending(andNot)],
    ["eachOr", [...a.eachOr(b)], ascending(either(setA, setB))],
  ];
}

/** Three sets that are often alike, and a CPU. */
function inputs(bits: number) {
  const set = cpuSets(bits);
  const sets = fc.oneof(
    fc.tuple(set, set, set),
    set.map((same): Trio["sets"] => [same, new Set(same), new Set(same)]),
    fc.tuple(set, set).map(([a, b]): Trio["sets"] => [a, either(a, b), either(a, b)]),
    fc.constant<Trio["sets"]>([all(bits), all(bits), new Set()]),
  );
  return fc.tuple(sets, fc.nat(bits - 1), fc.nat(bits + 70));
}

describe.each(pools)("$engine", (pool) => {
  it.each(widths)("reads masks of %d CPUs as sets are read", (bits) => {
    fc.assert(
      fc.property(inputs(bits), ([sets, cpu]) => {
        const three = trio(pool, bits, sets);
        const rows = readings(three, cpu);
        expect(rows.map(([what, actual]) => [what, actual])).toEqual(
          rows.map(([what, , expected]) => [what, expected]),
        );
        for (const mask of three.masks) mask.dispose();
      }),
      { numRuns: runsFor(bits) },
    );
  });

  it.each(widths)("changes masks of %d CPUs as sets are changed, wherever the result goes", (bits) => {
    fc.assert(
      fc.property(inputs(bits), fc.constantFrom(...Object.keys(changes)), ([sets, , distance], name) => {
        for (const place of [0, 1, 2] as const) {
          const three = trio(pool, bits, sets);
          const target = three.masks[place];
          const expected = ascending(changes[name]?.(target, three, distance) ?? []);
          expect(target.toArray()).toEqual(expected);
          // Nothing is ever left behind the width.
          expect(target.weight()).toBe(expected.length);
          for (const mask of three.masks) mask.dispose();
        }
      }),
      { numRuns: runsFor(bits) },
    );
  });

  it.each(widths)("changes single CPUs and ranges of %d", (bits) => {
    const step = fc.record({
      what: fc.constantFrom(
        "setCpu",
        "clearCpu",
        "assignCpu",
        "testAndSetCpu",
        "testAndClearCpu",
        "setRange",
        "clearRange",
        "setAll",
        "clear",
      ),
      cpu: fc.nat(bits - 1),
      length: fc.nat(bits),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const mask = pool.mask(bits);
        let model = new Set<number>();
        for (const { what, cpu, length } of steps) {
          const count = Math.min(length, bits - cpu);
          const range = new Set(Array.from({ length: count }, (_, index) => cpu + index));
          if (what === "setRange" || what === "clearRange") mask[what](cpu, count);
          else if (what === "setAll" || what === "clear") mask[what]();
          else if (what === "assignCpu") mask.assignCpu(cpu, length % 2 === 1);
          else if (what === "testAndSetCpu" || what === "testAndClearCpu") expect(mask[what](cpu)).toBe(model.has(cpu));
          else mask[what](cpu);
          if (what === "setAll") model = all(bits);
          else if (what === "clear") model = new Set();
          else if (what === "setRange") model = either(model, range);
          else if (what === "clearRange") model = without(model, range);
          else if (/set/i.test(what) || (what === "assignCpu" && length % 2 === 1)) model.add(cpu);
          else model.delete(cpu);
        }
        expect(cpusOf(mask)).toEqual(ascending(model));
        mask.dispose();
      }),
      { numRuns: Math.ceil(runsFor(bits) / 2) },
    );
  });

  it("goes round a mask, and steps over what was cleared meanwhile", () => {
    const mask = pool.mask(130, [0, 64, 129]);
    const other = pool.mask(130, [64, 129]);
    const cursor = { previous: 0 };
    expect(Array.from({ length: 5 }, () => mask.anyDistribute(cursor))).toEqual([64, 129, 0, 64, 129]);
    expect(Array.from({ length: 3 }, () => mask.anyAndDistribute(other, cursor))).toEqual([64, 129, 64]);
    expect(pool.mask(130).anyDistribute(cursor)).toBe(130);
    expect(cursor).toEqual({ previous: 64 });
    const seen: number[] = [];
    for (const cpu of mask) {
      seen.push(cpu);
      mask.clearCpu(64);
    }
    expect(seen).toEqual([0, 129]);
  });
});
