// Tables of an image: marks with the places of locals, source lines, and the digest that identifies it.

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { buildImage, listing, nothing, ptr, recordPositions, routine, u64 } from "../../src/asm/index.ts";
import { Sha256 } from "../../src/asm/image/sha256.ts";
import { stopBindings, stopRoutines } from "./fixtures/stop-routines.ts";
import { contentOf, stopImage } from "./support/golden.ts";

const ARCHITECTURES = ["x86-64", "arm64"] as const;

describe("marks", () => {
  it.for(ARCHITECTURES)("carry the places of the live locals (%s)", (architecture) => {
    const image = stopImage(architecture);
    const mark = image.mark("multi_cpu_stop:ack");
    const { address, size } = image.symbol("multi_cpu_stop");
    expect(mark.address).toBeGreaterThan(address);
    expect(mark.address).toBeLessThan(address + size);
    const names = mark.locals.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["msdata", "err", "curstate", "is_active"]));
    expect(names).not.toContain("cpu");
    const registers = mark.locals.map(({ register }) => register);
    expect(new Set(registers).size).toBe(registers.length);
    expect(() => image.mark("multi_cpu_stop:typo")).toThrow("no such mark");
  });

  it("name a stack slot where the local is spilled", () => {
    const crowded = routine("crowded", { p: ptr(u64) }, nothing, (k, { p }) => {
      const many = Array.from({ length: 30 }, (_, i) => k.let(`v${i}`, p.at(i)));
      k.mark("here");
      many.forEach((value, i) => k.set(p.at(29 - i), value));
    });
    const { locals } = buildImage({ architecture: "x86-64", roots: [crowded] }).mark("crowded:here");
    expect(new Set(locals.map(({ name }) => name)).size).toBe(31);
    const offsets = locals.flatMap(({ stackOffset }) => (stackOffset === undefined ? [] : [stackOffset]));
    expect(offsets.length).toBeGreaterThan(10);
    expect(new Set(offsets).size).toBe(offsets.length);
  });

  it("count stack slots from the stack pointer, past the saved registers", () => {
    const crowded = routine("crowded_arm", { p: ptr(u64) }, nothing, (k, { p }) => {
      const many = Array.from({ length: 40 }, (_, i) => k.let(`v${i}`, p.at(i)));
      k.mark("here");
      many.forEach((value, i) => k.set(p.at(39 - i), value));
    });
    const image = buildImage({ architecture: "arm64", roots: [crowded] });
    const bytes = contentOf(image, "crowded_arm");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const stored = new Set<number>();
    for (let at = 0; at < bytes.length; at += 4) {
      // str xN, [sp, #imm12 * 8]
      const word = view.getUint32(at, true);
      if ((word & 0xffc0_03e0) >>> 0 === 0xf900_03e0) stored.add(8 * ((word >>> 10) & 0xfff));
    }
    const offsets = image
      .mark("crowded_arm:here")
      .locals.flatMap(({ stackOffset }) => (stackOffset === undefined ? [] : [stackOffset]));
    expect(offsets.length).toBeGreaterThan(5);
    for (const offset of offsets) expect([...stored]).toContain(offset);
    expect(Math.min(...offsets)).toBeGreaterThanOrEqual(16 * 5);
  });

  it("of one name in one routine are refused", () => {
    const twice = routine("marked_twice", {}, nothing, (k) => {
      k.mark("m");
      k.mark("m");
    });
    expect(() => buildImage({ architecture: "x86-64", roots: [twice] })).toThrow("two marks of one name in a routine");
  });
});

describe("source lines", () => {
  it("lead from each instruction to the statement of this file", () => {
    const here = new Error().stack?.split("\n")[1]?.match(/:(\d+):\d+\)?$/)?.[1];
    const first = Number(here) + 2;
    const lined = routine("lined", { p: ptr(u64) }, nothing, (k, { p }) => {
      k.set(p.at(0), 1);
      k.smpMb();
      k.set(p.at(1), 2);
    });
    const image = buildImage({ architecture: "arm64", roots: [lined] });
    expect(image.lines.every(({ file }) => file === "test/asm/image-tables.test.ts")).toBe(true);
    const lines = [...new Set(image.lines.map(({ line }) => line))];
    expect(lines).toEqual([first, first + 1, first + 2, first + 3].map((line) => line));
    expect(image.lineAt(image.symbol("lined").address + 8)?.line).toBe(first + 2);
    expect(listing(image)).toContain(`; fence  test/asm/image-tables.test.ts:${first + 2}:`);
  });

  it("can come from a table recorded in advance, and never change bytes or hash", () => {
    const own = stopImage("arm64");
    const table = recordPositions(own);
    const moved = Object.fromEntries(
      Object.entries(table).map(([name, entries]) => [
        name,
        entries.map((entry) => entry && { ...entry, file: "bundle.js" }),
      ]),
    );
    const image = buildImage({
      architecture: "arm64",
      roots: stopRoutines,
      bindings: stopBindings,
      cpus: 4,
      positions: moved,
    });
    expect(new Set(image.lines.map(({ file }) => file))).toEqual(new Set(["bundle.js"]));
    expect(image.lines.map(({ line }) => line)).toEqual(own.lines.map(({ line }) => line));
    expect(image.hash).toBe(own.hash);
  });
});

describe("SHA-256", () => {
  it.for([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])("agrees with the platform on %i bytes", (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7) & 0xff);
    const half = Math.floor(length / 2);
    const own = new Sha256().update(bytes.subarray(0, half)).update(bytes.subarray(half)).hex();
    expect(own).toBe(createHash("sha256").update(bytes).digest("hex"));
  });
});
