// The kernel's own test tables (lib/test_bitmap.c) as the reference restates them in section 13.4, with a few more vectors
// of the same kinds, on both engines.

import { describe, expect, it } from "vitest";
import { cpusOf, errnoOf, pools } from "./support.ts";

/** Input, width, and the mask's digits or the error. */
type Vector = readonly [text: string, bits: number, result: string];

const separatorsOnly = ["", "\n", ",", ",,", " ", "  ,  , ", "\t\n", ",\n,"];
const one = ["0-0:1/1", "0-0:1/31", "0-0:31/31", "0-0:1/N", "0-0:N/N"];
const fifteen = ["15-15:1/2", "15-15:31/31", "15-15:N/N", "15-31:1/31", "15-N:1/N", "15-31:1/N", "15-N:1/31"];
const last = ["31-31", "N-N", "N", "31", "N-N:N/N", "31-31:31/31", "31-31:1/31", "N-N:1/N", "N-31:1/31"];
const thirds = ["0-31:1/3,1-31:1/3,2-31:1/3", "0-N:1/3,1-N:1/3,2-N:1/3", "0-31:1/3, 1-N:1/3 2-31:1/3"];
const syntax = [
  "al",
  "alll",
  "-1",
  "-0",
  "10-1",
  "0-\n",
  "a-31",
  "0-a1",
  "a-31:10/1",
  "0-31:a/1",
  "+1",
  "0x1",
  "1.",
  "n",
];
const groups = ["0-31:", "0-31:0", "0-31:0/", "0-31:0/0", "0-31:1/0", "0-31:10/1", "0-31:/1", "0-31:1/"];

const lists: readonly Vector[] = [
  ["0", 8, "01"],
  ["1", 8, "02"],
  ["0-15", 32, "0000ffff"],
  ["16-31", 32, "ffff0000"],
  ["0-31:1/2", 32, "55555555"],
  ["1-31:1/2", 32, "aaaaaaaa"],
  ["0-31:1/4", 32, "11111111"],
  ["1-31:1/4", 32, "22222222"],
  ["0-31:4/4", 32, "ffffffff"],
  ["1-31:4/4", 32, "fffffffe"],
  ["0-31:1/4,32-63:2/4", 64, "33333333,11111111"],
  ["0-31:3/4,32-63:4/4", 64, "ffffffff,77777777"],
  ["0-31:3/4,,32-63:4/4", 64, "ffffffff,77777777"],
  [",, ,,0-31:3/4 , , ,,32-63:4/4 ,, ", 64, "ffffffff,77777777"],
  ...separatorsOnly.map((text): Vector => [text, 8, "00"]),
  ["0-0:0/1", 32, "00000000"],
  ...one.map((text): Vector => [text, 32, "00000001"]),
  ...fifteen.map((text): Vector => [text, 32, "00008000"]),
  ...last.map((text): Vector => [text, 32, "80000000"]),
  ...thirds.map((text): Vector => [text, 32, "ffffffff"]),
  ["1-10:8/12,8-31:24/29,0-31:0/3", 32, "fffffffe"],
  ...["all", "ALL", "aLl", "0, 1, all,  "].map((text): Vector => [text, 32, "ffffffff"]),
  ...["all:1/2", "ALL:1/2"].map((text): Vector => [text, 32, "55555555"]),
  ...syntax.map((text): Vector => [text, 8, "EINVAL"]),
  ...groups.map((text): Vector => [text, 32, "EINVAL"]),
  ["8-8", 8, "ERANGE"],
  ["0-31", 8, "ERANGE"],
  ["0-98765432123456789:10/1", 8, "EOVERFLOW"],
];

const numbered: readonly Vector[] = ["badf00d,deadbeef,1,0", "badf00d,deadbeef,00000001,00000000"].map(
  (text): Vector => [text, 124, "badf00d,deadbeef,00000001,00000000"],
);

const masks: readonly Vector[] = [
  ...["", " ", "0", "0\n", ",", ",,"].map((text): Vector => [text, 32, "00000000"]),
  ["deadbeef", 32, "deadbeef"],
  ["1,0", 33, "1,00000000"],
  ["deadbeef,\n,0,1", 96, "00000000,00000000,deadbeef"],
  ["deadbeef,1,0", 96, "deadbeef,00000001,00000000"],
  ["baadf00d,deadbeef,1,0", 128, "baadf00d,deadbeef,00000001,00000000"],
  ...numbered,
  ["  badf00d , deadbeef,1 ,, 0  ", 124, "badf00d,deadbeef,00000001,00000000"],
  [" ,badf00d,,\tdeadbeef 1,,0, ", 124, "badf00d,deadbeef,00000001,00000000"],
  ["goodfood,deadbeef,1,0", 128, "EINVAL"],
  ["3,0", 33, "EOVERFLOW"],
  ["123badf00d,deadbeef,1,0", 128, "EOVERFLOW"],
  ["badf00d,deadbeef,1,0", 90, "EOVERFLOW"],
  ["fbadf00d,deadbeef,1,0", 95, "EOVERFLOW"],
  ["badf00d,deadbeef,1,0", 100, "EOVERFLOW"],
];

describe.each(pools)("$engine", (pool) => {
  it.each(lists)("reads the list %j of %d CPUs", (text, bits, result) => {
    const mask = pool.mask(bits, [0]);
    expect(errnoOf(() => mask.parseList(text)) || mask.toString()).toBe(result);
  });

  it("reads 0-2047:128/256 and the list that it makes", () => {
    const mask = pool.parseList("0-2047:128/256", 2048);
    expect(mask.weight()).toBe(1024);
    expect(mask.toListString()).toBe("0-127,256-383,512-639,768-895,1024-1151,1280-1407,1536-1663,1792-1919");
  });

  it.each(masks)("reads the mask %j of %d bits", (text, bits, result) => {
    const mask = pool.mask(bits, [0]);
    expect(errnoOf(() => mask.parse(text)) || mask.toString()).toBe(result);
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    expect(errnoOf(() => mask.parse(bytes)) || mask.toString()).toBe(result);
  });

  it("prints a page of ones", () => {
    const mask = pool.mask(8 * 4096);
    mask.setAll();
    expect(mask.toListString()).toBe("0-32767");
    expect(mask.printToPage("list")).toBe("0-32767\n");
    expect(mask.printToPage("mask")).toBe(mask.toString().slice(0, 4095));
  });

  it.each([
    [64, 1],
    [2560, 40],
  ] as const)("prints 33333333,11111111 in %d bits, whole and in parts", (bits, repeats) => {
    const mask = pool.mask(bits);
    mask.parse(Array.from({ length: repeats }, () => "33333333,11111111").join(","));
    const list = Array.from({ length: bits / 4 }, (_, digit) =>
      digit % 16 < 8 ? `${4 * digit}` : `${4 * digit}-${4 * digit + 1}`,
    ).join(",");
    expect(mask.toString()).toBe(Array.from({ length: repeats }, () => "33333333,11111111").join(","));
    expect(mask.toListString()).toBe(list);
    for (const [format, text] of [
      ["mask", `${mask.toString()}\n`],
      ["list", `${list}\n`],
    ] as const) {
      for (const offset of [0, 40, text.length - 1, text.length, text.length + 5]) {
        const buffer = new Uint8Array(100);
        const written = mask.printToBuffer(format, buffer, offset);
        expect(new TextDecoder().decode(buffer.subarray(0, written))).toBe(text.slice(offset, offset + 100));
      }
    }
  });

  it("weighs all:1/2 of 30 bits, and its parts", () => {
    const mask = pool.parseList("all:1/2", 30);
    const low = pool.mask(
      30,
      [...mask].filter((cpu) => cpu < 15),
    );
    expect([mask.weight(), mask.weightAnd(low), mask.weightAndNot(low), mask.weightFrom(15)]).toEqual([15, 8, 7, 7]);
  });

  it("sets and clears aligned ranges of 1024 bits as one by one", () => {
    const [fast, slow] = [pool.mask(1024), pool.mask(1024)];
    for (let start = 0; start < 1024; start += 8) {
      for (let count = 0; start + count <= 1024; count += 56) {
        fast.setRange(start, count);
        slow.clear();
        for (let cpu = start; cpu < start + count; cpu++) slow.setCpu(cpu);
        expect(fast.equal(slow)).toBe(true);
        fast.setAll();
        fast.clearRange(start, count);
        slow.complement(slow);
        expect(fast.equal(slow)).toBe(true);
        fast.clear();
      }
    }
  });

  it("walks every tenth bit of 500 and 100 to 149, from anywhere and round", () => {
    const expected = [
      ...new Set([...Array.from({ length: 50 }, (_, n) => 10 * n), ...Array.from({ length: 50 }, (_, n) => 100 + n)]),
    ];
    expected.sort((a, b) => a - b);
    const mask = pool.mask(500, expected);
    expect([...mask]).toEqual(expected);
    expect(mask.toArray()).toEqual(expected);
    expect(cpusOf(mask)).toEqual(expected);
    for (let start = 0; start < 500; start++) {
      const above = expected.filter((cpu) => cpu >= start);
      expect([...mask.eachFrom(start)]).toEqual(above);
      expect([...mask.eachWrap(start)]).toEqual([...above, ...expected.filter((cpu) => cpu < start)]);
    }
  });

  it("finds the n-th bit of a mask of 655 bits", () => {
    const cpus = [0, 10, 20, 30, 40, 50, 60, 80, 123, 654];
    const mask = pool.mask(655, cpus);
    cpus.forEach((cpu, n) => expect(mask.nth(n)).toBe(cpu));
    expect(mask.nth(cpus.length)).toBe(655);
  });
});
