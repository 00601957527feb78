// Pools: what may be asked of them, masks that don't go together, and memory that is given back.

import { describe, expect, it } from "vitest";
import { CpuMaskPool, maxCpuMaskBits, type CpuMask } from "../../src/cpumask/index.ts";
import { MaskMemory } from "../../src/cpumask/memory.ts";
import { PlainEngine } from "../../src/cpumask/plain-engine.ts";
import { checkedCore } from "../support/bare-machine.ts";
import { pools, widths } from "./support.ts";

describe.each(pools)("$engine", (pool) => {
  it.each([0, -1, 1.5, maxCpuMaskBits + 1, NaN, Infinity])("has no mask of %d bits", (bits) => {
    expect(() => pool.mask(bits)).toThrow(expect.objectContaining({ code: "OPTION_INVALID", value: bits }));
  });

  const mask = pool.mask(40, [3, 39]);
  const wrong: Record<string, () => unknown> = {
    "a CPU at the width": () => mask.setCpu(40),
    "a CPU below 0": () => mask.testCpu(-1),
    "half a CPU": () => mask.clearCpu(0.5),
    "no number": () => mask.testAndSetCpu(NaN),
    "a search from below -1": () => mask.next(-2),
    "a negative distance": () => mask.shiftLeft(mask, -1),
    "a negative count": () => mask.nth(-1),
    "a range beyond the width": () => mask.setRange(30, 11),
    "a negative range": () => mask.clearRange(-1, 2),
    "another CPU than one of the mask": () => mask.anyBut(40),
    "a mask of another width": () => mask.and(mask, pool.mask(41)),
    "a mask of another pool": () => mask.equal(CpuMaskPool.plain().mask(40)),
    "a CPU of a new mask beyond its width": () => pool.mask(40, [1, 40]),
  };
  it.each(Object.keys(wrong))("refuses %s, and changes nothing", (name) => {
    expect(wrong[name]).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
    expect(mask.toArray()).toEqual([3, 39]);
  });

  it("takes what lies far beyond the width for the width", () => {
    expect([mask.next(1e9), mask.weightFrom(2 ** 40), mask.nth(2 ** 40)]).toEqual([40, 0, 40]);
    const shifted = mask.clone();
    shifted.shiftRight(shifted, 2 ** 40);
    expect(shifted.empty()).toBe(true);
  });

  it("refuses masks that were disposed of, on either side", () => {
    const gone = pool.mask(40);
    gone.dispose();
    gone.dispose();
    const uses: (() => unknown)[] = [
      () => gone.weight(),
      () => gone.setCpu(1),
      () => gone.parse("1"),
      () => gone.toString(),
      () => [...gone],
      () => gone.clone(),
      () => mask.or(mask, gone),
    ];
    for (const use of uses) expect(use).toThrow("the mask was disposed of");
  });

  it("makes empty masks of memory that was used before, and leaves the neighbours alone", () => {
    const masks = widths.map((bits) => pool.mask(bits));
    for (const one of masks) one.setAll();
    expect(masks.map((one) => one.weight())).toEqual(widths);
    masks.forEach((one, index) => index % 2 === 0 && one.dispose());
    const again = widths.map((bits) => pool.mask(bits));
    expect(again.every((one) => one.empty())).toBe(true);
    for (const one of again) one.setAll();
    expect(masks.filter((_, index) => index % 2 === 1).every((one) => one.full())).toBe(true);
  });

  it("keeps masks while memory grows", () => {
    const first = pool.mask(maxCpuMaskBits, [1, 65_535]);
    const many: CpuMask[] = Array.from({ length: 300 }, (_, cpu) => pool.mask(maxCpuMaskBits, [cpu]));
    expect(first.toArray()).toEqual([1, 65_535]);
    expect(many.every((one, cpu) => one.first() === cpu && one.weight() === 1)).toBe(true);
    for (const one of many) one.dispose();
  });
});

describe("memory", () => {
  it("is reused", () => {
    const engine = new PlainEngine();
    const memory = new MaskMemory(engine);
    const top = () => engine.allocate(0);
    const before = [8, 100, 5000, 65_536].map((bits) => ({ owner: {}, bits }));
    const slots = before.map(({ owner, bits }) => memory.take(owner, bits));
    before.forEach(({ owner }, index) => memory.release(owner, slots[index]!));
    const reserved = top();
    for (let round = 0; round < 10_000; round++) {
      const owner = {};
      memory.release(owner, memory.take(owner, [8, 100, 5000, 65_536][round % 4]!));
    }
    expect(top()).toBe(reserved);
  });

  it("of masks that failed to be filled is given back", () => {
    const pool = CpuMaskPool.plain();
    for (let round = 0; round < 3_000; round++) expect(() => pool.parseList("x", 1)).toThrow();
    expect(pool.mask(1).empty()).toBe(true);
  });

  it("is an instance's own", async () => {
    const [one, other] = [
      await CpuMaskPool.create({ core: checkedCore }),
      await CpuMaskPool.create({ core: checkedCore }),
    ];
    const mask = one.mask(64);
    other.mask(64).setAll();
    expect(mask.empty()).toBe(true);
    expect(one.engine).toBe("simd");
  });
});
