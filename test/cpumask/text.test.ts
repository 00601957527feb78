// The grammars of masks and lists: quirks, the order of errors, what an error leaves behind, and hostile text.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CpuMaskError, CpuMaskPool, cpuMaskErrnos } from "../../src/cpumask/index.ts";
import { AllstopError } from "../../src/errors.ts";
import { ascending, cpuSets, errnoOf, pools, runsFor, widths } from "./support.ts";

const [, plain] = pools;

/** The list that a text leaves in a mask of 32 CPUs, and its error. */
function readList(text: string | Uint8Array, bits = 32): readonly [list: string, errno: string] {
  const mask = plain.mask(bits, [0, bits - 1]);
  const errno = errnoOf(() => mask.parseList(text));
  return [mask.toListString(), errno];
}

function readMask(text: string | Uint8Array, bits = 64): readonly [mask: string, errno: string] {
  const mask = plain.mask(bits);
  mask.setAll();
  const errno = errnoOf(() => mask.parse(text));
  return [mask.toString(), errno];
}

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

describe("lists", () => {
  it.each([
    ["0-31:2/8", "0-1,8-9,16-17,24-25"],
    ["1,0-3:0/2", "1"],
    ["3\n5", "3"],
    ["1-3\n5", "1-3"],
    ["all\n5-4", "0-31"],
    // Behind a region with a group a newline is a blank, and no separator is needed at all.
    ["1-3:1/2\n5", "1,3,5"],
    ["1-3:1/2all", "0-31"],
    ["1-3:1/2N", "1,3,31"],
    ["\n\n5", "5"],
    ["5,\n7", "5,7"],
    ["5 \n7", "5,7"],
    ["5\v7\f8\r9\t10", "5,7-10"],
    ["5\0nonsense", "5"],
    ["00005", "5"],
    ["0000000000000000000000000000000005", "5"],
    // The start of the next group is counted in 32 bits, and wraps.
    ["3-5:1/4294967295", "0-3"],
    ["3-5:4294967295/4294967295", "0-5"],
    ["3-5:1/4294967294", "1,3"],
    ["3-5:1/2147483648", "3"],
  ])("%j is %s", (text, list) => expect(readList(text)).toEqual([list, ""]));

  it.each([
    // Left to right within a region, then its meaning, then its range.
    ["4294967296x", "EOVERFLOW"],
    ["0-4294967296:x", "EOVERFLOW"],
    ["x4294967296", "EINVAL"],
    ["18446744073709551616", "EOVERFLOW"],
    ["99999999999999999999999999999999999999999999", "EOVERFLOW"],
    ["40-39", "EINVAL"],
    ["0-40:2/1", "EINVAL"],
    ["0-40:0/0", "EINVAL"],
    ["40", "ERANGE"],
    ["4294967294", "ERANGE"],
    // The length of such a region is 2^32, that is 0.
    ["4294967295", "EINVAL"],
    ["0-4294967295", "EINVAL"],
    ["N5", "EINVAL"],
    ["5N", "EINVAL"],
    ["1 - 3", "EINVAL"],
    ["1-3 :1/2", "EINVAL"],
    ["1:1/2", "EINVAL"],
    ["1-2-3", "EINVAL"],
    ["all-3", "EINVAL"],
    ["١", "EINVAL"],
    ["1\u00a02", "EINVAL"],
    ["1\u20282", "EINVAL"],
  ])("%j is %s", (text, errno) => expect(readList(text)[1]).toBe(errno));

  it.each([
    ["1,3,2-1,5", "1,3", "EINVAL"],
    ["7,32,1", "7", "ERANGE"],
    ["7,4294967296", "7", "EOVERFLOW"],
    ["x", "", "EINVAL"],
  ])("%j leaves %j and %s", (text, left, errno) => expect(readList(text)).toEqual([left, errno]));

  it("come from user memory as well, where 0xA0 is a blank", () => {
    expect(readList(bytes("1\xa03\n"))).toEqual(["1,3", ""]);
    expect(readList(bytes("1\xe93"))[1]).toBe("EINVAL");
    expect(readList(new Uint8Array([0x31, 0, 0xff]))).toEqual(["1", ""]);
  });
});

describe("masks", () => {
  it.each([
    ["1 2", "00000001,00000002"],
    ["1\n2", "00000000,00000001"],
    ["\n2", "00000000,00000000"],
    ["1,\0,2", "00000000,00000001"],
    ["DEADbeef", "00000000,deadbeef"],
    // A ninth character that is no digit is swallowed.
    ["x12345678", "00000000,12345678"],
    ["9x12345678", "00000009,12345678"],
  ])("%j is %s", (text, mask) => expect(readMask(text)).toEqual([mask, ""]));

  it.each([
    ["x1", 64, "ffffffff,ffffffff", "EINVAL"],
    ["x,5", 64, "ffffffff,00000005", "EINVAL"],
    ["123456789,5", 64, "ffffffff,00000005", "EOVERFLOW"],
    ["1,2,3", 64, "00000002,00000003", "EOVERFLOW"],
    // Too many chunks come before what is in them.
    ["x,2,3", 64, "00000002,00000003", "EOVERFLOW"],
    ["xx12345678", 64, "ffffffff,12345678", "EINVAL"],
    // What has no place is not kept either.
    ["3,0", 33, "1,00000000", "EOVERFLOW"],
    ["ff", 7, "7f", "EOVERFLOW"],
    ["0x1", 64, "ffffffff,ffffffff", "EINVAL"],
    ["-1", 64, "ffffffff,ffffffff", "EINVAL"],
    ["\u00a01", 64, "ffffffff,ffffffff", "EINVAL"],
    ["１", 64, "ffffffff,ffffffff", "EINVAL"],
  ])("%j in %d bits leaves %s and %s", (text, bits, mask, errno) =>
    expect(readMask(text, bits)).toEqual([mask, errno]),
  );

  it.each([
    [1, "1"],
    [4, "f"],
    [5, "1f"],
    [32, "ffffffff"],
    [33, "1,ffffffff"],
    [61, "1fffffff,ffffffff"],
    [64, "ffffffff,ffffffff"],
    [66, "3,ffffffff,ffffffff"],
  ])("of %d bits print as %s when full", (bits, text) => {
    const mask = plain.mask(bits);
    expect(mask.toString()).toBe(
      "0".repeat(text.length).replaceAll("0", (_, at: number) => (text[at] === "," ? "," : "0")),
    );
    mask.setAll();
    expect(String(mask)).toBe(text);
  });
});

describe.each(pools)("$engine", (pool) => {
  it.each(widths)("reads back what it prints of %d CPUs", (bits) => {
    fc.assert(
      fc.property(cpuSets(bits), (cpus) => {
        const mask = pool.mask(bits, cpus);
        const again = [pool.parse(mask.toString(), bits), pool.parseList(mask.toListString(), bits)];
        expect(again.map((other) => other.equal(mask))).toEqual([true, true]);
        expect(again.map((other) => other.toArray())).toEqual([ascending(cpus), ascending(cpus)]);
        expect(again[0]?.toString()).toBe(mask.toString());
        expect(again[1]?.toListString()).toBe(mask.toListString());
        for (const one of [mask, ...again]) one.dispose();
      }),
      { numRuns: runsFor(bits) },
    );
  });

  it("throws nothing but its error, whatever the text, and sets nothing behind the width", () => {
    const close = fc.string({ unit: fc.constantFrom(..."0123456789NnalAL-:/, \n\t\0fx"), maxLength: 40 });
    const number = fc.oneof(fc.nat(300), fc.constant("N"), fc.constantFrom("all", 4294967295, 4294967296));
    const region = fc.tuple(number, fc.constantFrom("-", "", " "), number, fc.constantFrom(":", ","), number, number);
    const regions = fc.array(region.map(([a, dash, b, colon, c, d]) => `${a}${dash}${b}${colon}${c}/${d}`));
    const text = fc.oneof(
      close,
      fc.string({ unit: "binary" }),
      regions.map((list) => list.join(",")),
    );
    fc.assert(
      fc.property(text, fc.constantFrom(1, 31, 33, 64, 100, 256), (source, bits) => {
        const mask = pool.mask(bits);
        errnoOf(() => mask.parseList(source));
        expect(mask.weight()).toBe(mask.toArray().length);
        errnoOf(() => mask.parse(source));
        expect(pool.parse(mask.toString(), bits).equal(mask)).toBe(true);
        expect([errnoOf(() => mask.parse(bytes(source))), errnoOf(() => mask.parseList(bytes(source)))]).toBeDefined();
      }),
      { numRuns: 1000 },
    );
  });
});

describe("errors", () => {
  it("say what, where, and the kernel's number", () => {
    const parse = () => CpuMaskPool.plain().parseList("0-3,9-8", 16);
    expect(parse).toThrow(CpuMaskError);
    expect(parse).toThrow(AllstopError);
    expect(parse).toThrow(
      expect.objectContaining({ code: "CPUMASK_INVALID", errno: "EINVAL", at: "character 5", value: "0-3,9-8" }),
    );
    expect(parse).toThrow('character 5: a range that runs backwards (EINVAL); found "0-3,9-8"; allowed: first-last');
    expect(cpuMaskErrnos).toEqual({ EINVAL: 22, ERANGE: 34, EOVERFLOW: 75 });
  });

  it.each([
    ["3,16", 16],
    ["3,40-50", 40],
    ["3-20", 16],
    ["0-N,4294967294", 4294967294],
  ])("name the CPU that has no place: %j", (text, cpu) => {
    expect(() => CpuMaskPool.plain().parseList(text, 16)).toThrow(
      expect.objectContaining({ errno: "ERANGE", cpu, allowed: "0-15" }),
    );
  });

  it("stay short for long text", () => {
    const text = `${"1,".repeat(100_000)}x`;
    expect(() => plain.parseList(text, 8)).toThrow(/^.{1,250}$/);
  });
});
