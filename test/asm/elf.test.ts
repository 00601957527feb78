// ELF files: read back by the own reader, accepted by readelf, addr2line, objdump and gdb.
//
// What GNU's readers find is recorded (RECORD=1), so that the written files are checked where they are not installed too.

import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { arm64, array, asmRoutine, buildImage, global, parseElf, u64, writeElf, x64 } from "../../src/asm/index.ts";
import type { Architecture, Image } from "../../src/asm/index.ts";
import { stopBindings, stopRoutines } from "./fixtures/stop-routines.ts";
import { ADDR2LINE, factsByTools, factsFile, factsOf } from "./support/elf-facts.ts";
import { stopImage, stopNames } from "./support/golden.ts";
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

if (process.env.RECORD !== undefined) {
  for (const architecture of ARCHITECTURES) {
    if (hasAll("readelf", ADDR2LINE[architecture])) {
      writeFileSync(factsFile(architecture), factsByTools(architecture, writeElf(stopImage(architecture))));
    } else {
      console.warn(`readelf or ${ADDR2LINE[architecture]} is not installed: the recorded facts stay as they are`);
    }
  }
}

describe.for(ARCHITECTURES)("sections, symbols and lines for %s", (architecture) => {
  const image = stopImage(architecture);
  const recorded = readFileSync(factsFile(architecture), "utf8").split("\n");

  it("are those that GNU's readers found when they were recorded", () => {
    expect(factsOf(image).split("\n")).toEqual(recorded);
    for (const kind of ["section", "symbol", "row", "place"]) {
      expect(recorded.filter((line) => line.startsWith(`${kind} `)).length, kind).toBeGreaterThan(3);
    }
  });

  const tools = ["readelf", ADDR2LINE[architecture]] as const;
  it.skipIf(!hasAll(...tools))(needing("are those that GNU's readers find", ...tools), () => {
    expect(factsByTools(architecture, writeElf(image)).split("\n")).toEqual(recorded);
  });

  it("lie at aligned addresses, and in the file where loaders can map them", () => {
    for (const { address, align } of image.sections) expect(address % align).toBe(0);
    const file = writeElf(image);
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    image.segments.forEach(({ address }, i) => {
      const header = 64 + 56 * i;
      const offset = Number(view.getBigUint64(header + 8, true));
      expect(offset % Number(view.getBigUint64(header + 48, true))).toBe(address % 4096);
    });
  });
});

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
