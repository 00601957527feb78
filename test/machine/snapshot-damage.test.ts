// Snapshots that are damaged or of something else are refused with the reason: always a typed error, never a trap.

import { readFile } from "node:fs/promises";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/abi.ts";
import { loadCore } from "../../src/core/load.ts";
import { AllstopError } from "../../src/errors.ts";
import { Machine, type RestoreOptions } from "../../src/machine/machine.ts";
import { checksum } from "../../src/machine/snapshot/checksum.ts";
import { decodeSnapshot, encodeSnapshot } from "../../src/machine/snapshot/format.ts";
import { packWords, unpackWords } from "../../src/machine/snapshot/pack.ts";
import { findTimingModel } from "../../src/timing/index.ts";
import { topologyForCpus } from "../../src/topology/index.ts";
import { checkedCore } from "../support/bare-machine.ts";
import { partsOf, rendezvous } from "./support.ts";

const { machine } = await rendezvous("arm64", 4, 1);
machine.run(30_000);
const whole = machine.snapshot();
const parts = partsOf(machine);
const HEADER = 32;

function restore(bytes: Uint8Array, options: RestoreOptions = parts): AllstopError | undefined {
  try {
    Machine.restoreOn(checkedCore, bytes, options);
    return undefined;
  } catch (error) {
    if (error instanceof AllstopError) return error;
    throw error;
  }
}

function expectRefused(bytes: Uint8Array, reason: RegExp, options?: RestoreOptions): void {
  const error = restore(bytes, options);
  expect(error?.code).toBe("SNAPSHOT_INVALID");
  expect(error?.message).toMatch(reason);
}

function changed(body: (copy: Uint8Array<ArrayBuffer>, view: DataView) => void): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(whole);
  body(copy, new DataView(copy.buffer));
  return copy;
}

/** Makes the checksum right again, as somebody who forges would. */
function sealed(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  const view = new DataView(bytes.buffer);
  view.setUint32(12, bytes.length, true);
  checksum(bytes.subarray(24)).forEach((word, index) => view.setUint32(16 + 4 * index, word, true));
  return bytes;
}

/** The snapshot with another description. */
function described(change: (description: Record<string, unknown>) => void): Uint8Array {
  const view = new DataView(whole.buffer);
  const length = view.getUint32(24, true);
  const description = JSON.parse(new TextDecoder().decode(whole.subarray(HEADER, HEADER + length))) as Record<
    string,
    unknown
  >;
  change(description);
  const text = new TextEncoder().encode(JSON.stringify(description));
  const behind = whole.subarray(HEADER + Math.ceil(length / 4) * 4);
  const start = HEADER + Math.ceil(text.length / 4) * 4;
  const bytes = new Uint8Array(start + behind.length);
  bytes.set(whole.subarray(0, HEADER));
  bytes.set(text, HEADER);
  bytes.set(behind, start);
  new DataView(bytes.buffer).setUint32(24, text.length, true);
  return sealed(bytes);
}

describe("damage", () => {
  it("is told by its kind", () => {
    expect(restore(whole)).toBeUndefined();
    expectRefused(new Uint8Array(0), /too short/);
    expectRefused("no bytes" as unknown as Uint8Array, /not bytes/);
    expectRefused(
      changed((copy) => copy.fill(0, 0, 1)),
      /not a snapshot/,
    );
    expectRefused(new TextEncoder().encode("x".repeat(500)), /not a snapshot/);
    expectRefused(
      changed((_, view) => view.setUint32(8, 2, true)),
      /another format version; found 2; allowed: 1/,
    );
    expectRefused(whole.subarray(0, whole.length - 4), /cut short/);
    expectRefused(new Uint8Array([...whole, 0, 0, 0, 0]), /has grown/);
    expectRefused(
      changed((copy) => void (copy[whole.length >> 1]! ^= 1)),
      /checksum/,
    );
  });

  it("of any one bit is found", () => {
    const copy = new Uint8Array(whole);
    for (let bit = 0; bit < 8 * copy.length; bit += bit < 8 * HEADER ? 1 : 1999) {
      copy[bit >> 3]! ^= 1 << (bit & 7);
      expect(restore(copy)?.code).toBe("SNAPSHOT_INVALID");
      copy[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(restore(copy)).toBeUndefined();
  });

  it("of any kind is found", () => {
    const place = fc.nat(whole.length - 1);
    const damage = fc.oneof(
      fc
        .tuple(place, fc.uint8Array({ minLength: 1, maxLength: 40 }))
        .map(([at, bytes]) => changed((copy) => copy.set(bytes.subarray(0, copy.length - at), at))),
      place.map((length) => whole.slice(0, length)),
      fc.uint8Array({ minLength: 1, maxLength: 64 }).map((more) => new Uint8Array([...whole, ...more])),
      fc.tuple(place, place, place).map(([to, from, end]) => changed((copy) => copy.copyWithin(to, from, end))),
      fc.tuple(place, place).map(([from, end]) => changed((copy) => copy.fill(0, from, end))),
      fc.uint8Array({ maxLength: 200 }),
    );
    fc.assert(
      fc.property(damage, (bytes) => {
        fc.pre(Buffer.compare(bytes, whole) !== 0);
        expect(restore(bytes)?.code).toBe("SNAPSHOT_INVALID");
      }),
      { numRuns: 1500 },
    );
  });

  it("that is sealed again gives a typed error, if any", () => {
    const place = fc.integer({ min: HEADER, max: whole.length - 1 });
    fc.assert(
      fc.property(place, fc.uint8Array({ minLength: 1, maxLength: 8 }), (at, bytes) => {
        const forged = sealed(changed((copy) => copy.set(bytes.subarray(0, copy.length - at), at)));
        expect(restore(forged)?.code).not.toBe("CORE_TRAPPED"); // throws on what is no AllstopError
      }),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(place, (length) => void restore(sealed(new Uint8Array(whole.subarray(0, length & ~3))))),
      { numRuns: 200 },
    );
  });

  it("of the machine's own record is told, where it keeps a machine from being attached", () => {
    const content = decodeSnapshot(whole);
    const words = unpackWords(content.packedPages, content.description.pages * (PAGE_BYTES / 4));
    // It stands among the static data, which take the first pages.
    words.fill(0xffff_ffff, 0, (4 * PAGE_BYTES) / 4);
    const packedPages = packWords(words);
    const description = { ...content.description, packedPages: packedPages.length };
    expectRefused(encodeSnapshot({ ...content, description, packedPages }), /memory is no machine/);
  });

  it("of the description is told", () => {
    expectRefused(
      described((one) => delete one["runs"]),
      /description/,
    );
    expectRefused(
      described((one) => (one["pages"] = -1)),
      /description/,
    );
    expectRefused(
      described((one) => (one["more"] = 1)),
      /description/,
    );
    expectRefused(
      described((one) => (one["pages"] = 1)),
      /pages are not all there/,
    );
    expectRefused(
      described((one) => (one["memoryBytes"] = 4096)),
      /don't fit memory/,
    );
    expectRefused(
      described((one) => (one["packedPages"] = 2 ** 31)),
      /parts don't fit/,
    );
    expectRefused(
      described((one) => (one["traceBytes"] = 2 ** 20)),
      /trace record|unpacked/,
    );
  });
});

describe("a snapshot of something else", () => {
  it("is refused with what differs", async () => {
    expectRefused(
      described((one) => (one["abi"] = 99)),
      /another ABI; found 99/,
    );
    expectRefused(whole, /another topology \(/, { ...parts, topology: topologyForCpus(8, "arm64") });
    expectRefused(whole, /another timing model \(/, { ...parts, timing: slower() });
    const other = await rendezvous("arm64", 4, 2);
    expectRefused(whole, /another image/, { ...parts, image: other.machine.image });
    const x86 = await rendezvous("x86-64", 4, 1);
    expectRefused(whole, /another architecture/, partsOf(x86.machine));
  });

  it("another build of the core, is refused", async () => {
    const shipped = await readFile(new URL("../../dist/core.wasm", import.meta.url));
    await expect(Machine.restore(whole, { ...parts, core: shipped })).rejects.toThrow(/another build of the core/);
    await expect(Machine.restore(whole, { ...parts, core: shipped })).rejects.toMatchObject({
      code: "SNAPSHOT_INVALID",
    });
  });

  it("needs a core whose build is known", async () => {
    const module = await WebAssembly.compile(await readFile(new URL("../../dist/core.wasm", import.meta.url)));
    expect(await loadCore(module)).toBe(module);
    await expect(Machine.restore(whole, { ...parts, core: module })).rejects.toMatchObject({ code: "CORE_MISMATCH" });
  });
});

function slower(): RestoreOptions["timing"] {
  const model = findTimingModel("generic-arm64");
  return { ...model, lines: { ...model.lines, node: { ...model.lines.node, value: model.lines.node.value + 50 } } };
}
