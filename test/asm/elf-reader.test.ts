// The reader of ELF files on hostile input: always a typed error that says what, where and what is allowed; never a hang.

import { describe, expect, it } from "vitest";
import { AllstopError } from "../../src/errors.ts";
import { parseElf, writeElf } from "../../src/asm/index.ts";
import { stopImage } from "./support/golden.ts";
import { Random } from "./support/random.ts";

const ARCHITECTURES = ["x86-64", "arm64"] as const;
const SHT_SYMTAB = 2;
const SHT_STRTAB = 3;
const SHT_NOTE = 7;

function viewOf(file: Uint8Array): DataView {
  return new DataView(file.buffer, file.byteOffset, file.byteLength);
}

/** File offset of the first section header of that type. */
function sectionHeader(file: Uint8Array, type: number): number {
  const view = viewOf(file);
  const start = Number(view.getBigUint64(40, true));
  for (let i = 0; i < view.getUint16(60, true); i++) {
    if (view.getUint32(start + 64 * i + 4, true) === type) return start + 64 * i;
  }
  throw new Error(`no section of type ${type}`);
}

/** The file with its section headers moved to the end and `count` more like the given one. */
function withMoreSections(file: Uint8Array, header: number, count: number): Uint8Array {
  const view = viewOf(file);
  const start = Number(view.getBigUint64(40, true));
  const old = view.getUint16(60, true);
  const result = new Uint8Array(file.length + 64 * (old + count));
  result.set(file);
  result.set(file.subarray(start, start + 64 * old), file.length);
  for (let i = 0; i < count; i++) result.set(file.subarray(header, header + 64), file.length + 64 * (old + i));
  viewOf(result).setBigUint64(40, BigInt(file.length), true);
  viewOf(result).setUint16(60, old + count, true);
  return result;
}

/** The file with one note, whose description has two bytes: 12 of header, 8 of owner, 4 with padding. */
function withShortMark(file: Uint8Array, header: number, content: number): Uint8Array {
  const copy = file.slice();
  viewOf(copy).setBigUint64(header + 32, 24n, true);
  viewOf(copy).setUint32(content + 4, 2, true);
  return copy;
}

/** The typed error of parsing; fails if there is none or another. */
function refusal(bytes: Uint8Array): AllstopError {
  try {
    parseElf(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(AllstopError);
    expect((error as AllstopError).code).toBe("IMAGE_INVALID");
    return error as AllstopError;
  }
  throw new Error("the file was accepted");
}

describe.for(ARCHITECTURES)("the reader of %s files", (architecture) => {
  const file = writeElf(stopImage(architecture));

  const symbols = sectionHeader(file, SHT_SYMTAB);
  const strings = sectionHeader(file, SHT_STRTAB);
  const notes = sectionHeader(file, SHT_NOTE);
  const contentOf = (header: number): number => Number(viewOf(file).getBigUint64(header + 24, true));
  const symbolBytes = contentOf(symbols);
  const noteBytes = contentOf(notes);

  const changed = (offset: number, ...bytes: number[]): Uint8Array => {
    const copy = file.slice();
    copy.set(bytes, offset);
    return copy;
  };

  it.for([
    ["an empty file", new Uint8Array(), "the ELF header lies outside the file"],
    ["a text", new TextEncoder().encode("x".repeat(100)), "not an ELF file"],
    ["32 bits", changed(4, 1), "not a 64-bit ELF file"],
    ["big-endian", changed(5, 2), "not a little-endian ELF file"],
    ["an object file", changed(16, 1, 0), "not an executable ELF file"],
    ["another machine", changed(18, 8, 0), "another architecture"],
    ["an entry beyond 2^53", changed(24, 0, 0, 0, 0, 0, 0, 0, 0xff), "entry is too large"],
    ["program headers outside", changed(32, 0xff, 0xff, 0xff, 0x7f), "lies outside the file"],
    ["short program headers", changed(54, 16, 0), "program headers are too short"],
    ["short section headers", changed(58, 16, 0), "section headers are too short"],
    ["a segment outside", changed(64 + 8, 0xff, 0xff, 0xff, 0x7f), "segment 0 lies outside the file"],
    ["less memory than bytes", changed(64 + 40, 0, 0, 0, 0), "segment 0 has more bytes than memory"],
    ["a segment beyond 2^53", changed(64 + 40, 0, 0, 0, 0, 0, 0, 0, 0x7f), "segment 0 is too large"],
    ["a segment that ends nowhere", changed(64 + 40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0), "ends beyond"],
    ["as many segments as can be", changed(56, 0xff, 0xff), "the program header table lies outside the file"],
    ["as many sections as can be", changed(60, 0xff, 0xff), "the section header table lies outside the file"],
    ["overlapping segments", changed(64 + 56 + 16, ...file.subarray(64 + 16, 64 + 24)), "segments overlap"],
    ["several symbol tables", withMoreSections(file, symbols, 1), "several symbol tables"],
    ["notes in many sections at once", withMoreSections(file, notes, 60_000), "note sections overlap"],
    ["symbols without names", changed(symbols + 40, 0, 0, 0, 0), "the symbol table has no string table"],
    ["symbols of no size", changed(symbols + 56, 0, 0, 0, 0), "symbols are too short"],
    ["a symbol table outside", changed(symbols + 24, 0xff, 0xff, 0xff, 0x7f), "the symbol table lies outside"],
    ["a string table outside", changed(strings + 24, 0xff, 0xff, 0xff, 0x7f), "the string table lies outside"],
    ["a name outside", changed(symbolBytes + 24, 0xff, 0xff, 0xff, 0x7f), "the name of symbol 1 does not end"],
    ["a note that is too long", changed(noteBytes + 4, 0xff, 0xff, 0xff, 0x7f), "a note ends behind its section"],
    ["an owner without an end", changed(noteBytes, 3, 0, 0, 0), "the owner of a note does not end"],
    ["a mark of two bytes", withShortMark(file, notes, noteBytes), "a mark without an address"],
    ["a mark beyond 2^53", changed(noteBytes + 20 + 7, 0xff), "the address of a mark is too large"],
  ] as const)("refuses %s", ([, bytes, message]) => {
    const error = refusal(bytes);
    expect(error.message).toContain(message);
    expect(error.value).toBeDefined();
    expect(error.allowed).toBeDefined();
  });

  it("refuses names that overlap so much that reading them would take for ever", () => {
    // A megabyte of one name, and 20,000 symbols that all begin with it.
    const name = 2 ** 20;
    const count = 20_000;
    const bytes = new Uint8Array(file.length + name + 24 * count);
    bytes.set(file);
    bytes.fill(0x61, file.length, file.length + name - 1);
    const view = viewOf(bytes);
    view.setBigUint64(strings + 24, BigInt(file.length), true);
    view.setBigUint64(strings + 32, BigInt(name), true);
    view.setBigUint64(symbols + 24, BigInt(file.length + name), true);
    view.setBigUint64(symbols + 32, BigInt(24 * count), true);
    const start = performance.now();
    expect(refusal(bytes).message).toContain("symbols share names beyond measure");
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it("refuses the file cut off anywhere before its end", () => {
    for (let length = 0; length < file.length; length += length < 200 ? 1 : 97) refusal(file.subarray(0, length));
  });

  it("gives a typed error or a file that holds together, whatever is damaged", () => {
    const random = new Random(9);
    const words = [0n, 1n, 24n, 0x7fn, 0xffffn, 0x7fff_ffffn, 0xffff_ffffn, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
    let refused = 0;
    const start = performance.now();
    for (let i = 0; i < 3000; i++) {
      const copy = random.chance(0.1) ? file.slice(0, random.below(file.length)) : file.slice();
      for (let n = random.between(1, 6); n > 0 && copy.length >= 8; n--) {
        // Mostly headers, symbols and notes: the parts that are read.
        const at = random.chance(0.5)
          ? random.below(Math.min(copy.length, 400))
          : copy.length - 1 - random.below(Math.min(copy.length, 4000));
        const field = Math.min(at & ~7, copy.length - 8);
        if (random.chance(0.3)) viewOf(copy).setBigUint64(field, random.pick(words), true);
        else copy[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
      }
      try {
        const read = parseElf(copy);
        for (const { bytes, memoryBytes } of read.segments) expect(bytes.length).toBeLessThanOrEqual(memoryBytes);
        for (const { address, size } of read.symbols) expect(address + size).toBeGreaterThanOrEqual(0);
      } catch (error) {
        refused++;
        expect(error).toBeInstanceOf(AllstopError);
        expect((error as AllstopError).code).toBe("IMAGE_INVALID");
        expect((error as AllstopError).message.length).toBeLessThan(400);
      }
    }
    expect(refused).toBeGreaterThan(1000);
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  it("does not copy the segments", () => {
    expect(parseElf(file).segments[0]?.bytes.buffer).toBe(file.buffer);
  });
});
