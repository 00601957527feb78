// ELF files: read back by the own reader, accepted by readelf, objdump and gdb; malformed input gives typed errors.

import { describe, expect, it } from "vitest";
import { AllstopError } from "../../src/errors.ts";
import { arm64, array, asmRoutine, buildImage, global, parseElf, u64, writeElf, x64 } from "../../src/asm/index.ts";
import type { Architecture, Image } from "../../src/asm/index.ts";
import { stopBindings, stopRoutines } from "./fixtures/stop-routines.ts";
import { stopNames } from "./support/golden.ts";
import { Random } from "./support/random.ts";
import { hasAll, needing, run, withFolder, writeExecutable } from "./support/tools.ts";

const ARCHITECTURES = ["x86-64", "arm64"] as const;

const arena = global("elf_arena", array(u64, 64), { section: "arena" });
const start = asmRoutine(
  "_start",
  {
    x64: (a) => a.cli().jmp("over").data32(0x1234_5678).label("over").mov(x64.rax, 1).mark("begun").hlt(),
    arm64: (a) => a.daifSet(15).b("over").data32(0x1234_5678).label("over").movz(arm64.x0, 1).mark("begun").wfi(),
  },
  { section: "head" },
);

function imageFor(architecture: Architecture): Image {
  return buildImage({
    architecture,
    entry: start,
    roots: [...stopRoutines, arena],
    bindings: stopBindings,
    cpus: 1024,
  });
}

describe.for(ARCHITECTURES)("the ELF file of an image for %s", (architecture) => {
  const image = imageFor(architecture);
  const file = writeElf(image);

  it("reads back as written", () => {
    const read = parseElf(file);
    expect(read.architecture).toBe(architecture);
    expect(read.entry).toBe(image.entry);
    expect(read.segments).toEqual(image.segments.map((segment) => ({ ...segment, physicalAddress: segment.address })));
    expect(read.symbols.map(({ name, address, size }) => ({ name, address, size })).sort(byName)).toEqual(
      image.symbols.map(({ name, address, size }) => ({ name, address, size })).sort(byName),
    );
    expect(read.marks.map(({ name, address }) => ({ name, address }))).toEqual(
      image.marks.map(({ name, address }) => ({ name, address })),
    );
    expect(read.marks.find(({ name }) => name === "multi_cpu_stop:ack")?.locals).toHaveProperty("msdata");
    expect(read.pvhEntry).toBeUndefined();
  });

  it("holds no bytes for zero memory", () => {
    expect(image.segments.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)).toBeGreaterThan(1024 * 16384);
    expect(file.length).toBeLessThan(40_000);
  });

  it("is the same without lines, but for the debug sections", () => {
    const bare = writeElf(image, { lines: false });
    expect(bare.length).toBeLessThan(file.length);
    expect(parseElf(bare).segments.map(({ address, bytes }) => [address, bytes.length])).toEqual(
      parseElf(file).segments.map(({ address, bytes }) => [address, bytes.length]),
    );
  });

  it.skipIf(!hasAll("readelf"))(needing("is accepted by readelf without a warning", "readelf"), () => {
    withFolder((path) => {
      writeExecutable(path("image"), writeElf(image, architecture === "x86-64" ? { pvhEntry: 0x20_0000 } : {}));
      const { stdout, stderr, status } = run("readelf", "-W", "-a", path("image"));
      expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
      expect(stdout.toString()).not.toMatch(/warning|error|corrupt/i);
      expect(stdout.toString()).toContain("multi_cpu_stop");
      const debug = run("readelf", "-W", "--debug-dump=info,abbrev,decodedline", path("image"));
      expect(debug.stderr).toBe("");
      expect(debug.stdout.toString()).toContain("stop-routines.ts");
    });
  });

  const objdump = architecture === "x86-64" ? "objdump" : "aarch64-linux-gnu-objdump";
  it.skipIf(!hasAll(objdump))(needing("is disassembled by objdump with symbols and lines", objdump), () => {
    withFolder((path) => {
      writeExecutable(path("image"), file);
      const { stdout, stderr } = run(objdump, "-d", "-l", path("image"));
      expect(stderr).toBe("");
      const text = stdout.toString();
      for (const name of stopNames) expect(text).toContain(`<${name}>:`);
      expect(text).toMatch(/test\/asm\/fixtures\/stop-routines\.ts:\d+/);
      expect(text).not.toContain("(bad)");
      if (architecture === "arm64") expect(text).toContain(".word\t0x12345678");
    });
  });

  it.skipIf(!hasAll("gdb-multiarch"))(
    needing("gives gdb a symbol and a line for each routine", "gdb-multiarch"),
    () => {
      withFolder((path) => {
        writeExecutable(path("image"), file);
        const commands = stopNames.flatMap((name) => ["-ex", `info line ${name}`, "-ex", `info symbol ${name}`]);
        const { stdout, stderr } = run("gdb-multiarch", "-nx", "-q", "-batch", ...commands, path("image"));
        expect(stderr).toBe("");
        const text = stdout.toString();
        for (const name of stopNames) {
          // The declaration, or the first statement where there is no prologue.
          const { address } = image.symbol(name);
          const lines = image.lines.filter((row) => row.address === address).map(({ line }) => line);
          expect(text).toMatch(
            new RegExp(`Line (${lines.join("|")}) of "test/asm/fixtures/stop-routines.ts" .*<${name}>`),
          );
          expect(text).toContain(`${name} in section .text`);
        }
      });
    },
  );
});

function byName(one: { name: string }, other: { name: string }): number {
  return one.name < other.name ? -1 : 1;
}

describe("the PVH note", () => {
  it("carries its entry", () => {
    expect(parseElf(writeElf(imageFor("x86-64"), { pvhEntry: 0x20_0040 })).pvhEntry).toBe(0x20_0040);
    expect(() => writeElf(imageFor("arm64"), { pvhEntry: 0 })).toThrow("a PVH entry in an AArch64 image");
  });
});

describe("the reader", () => {
  const file = writeElf(imageFor("x86-64"));

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
  ] as const)("refuses %s", ([, bytes, message]) => {
    expect(() => parseElf(bytes)).toThrow(AllstopError);
    expect(() => parseElf(bytes)).toThrow(message);
  });

  it("throws only typed errors on damaged and truncated files", () => {
    const random = new Random(9);
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      const copy = random.chance(0.2) ? file.slice(0, random.below(file.length)) : file.slice();
      // Mostly headers, symbols and notes: the parts that are read.
      for (let n = random.between(1, 6); n > 0 && copy.length > 0; n--) {
        const at = random.chance(0.5)
          ? random.below(Math.min(copy.length, 400))
          : copy.length - 1 - random.below(Math.min(copy.length, 4000));
        copy[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
      }
      try {
        parseElf(copy);
      } catch (error) {
        refused++;
        expect(error).toBeInstanceOf(AllstopError);
        expect((error as AllstopError).code).toBe("IMAGE_INVALID");
      }
    }
    expect(refused).toBeGreaterThan(300);
  });

  it("does not copy the segments", () => {
    expect(parseElf(file).segments[0]?.bytes.buffer).toBe(file.buffer);
  });
});
