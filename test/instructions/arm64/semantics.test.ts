// What A64 instructions do, against QEMU: random programs whose results on QEMU are recorded are executed by the core.
//
// Recording anew, with qemu-system-aarch64 and aarch64-linux-gnu-objdump installed (also for decoder.test.ts):
//   RECORD=1 npx vitest run --config .config/vitest.config.ts test/instructions/arm64
// Comparing with QEMU on 20,000 fresh programs, from a seed that the recorded ones don't use:
//   CAMPAIGN=20000 SEED=1000000 npx vitest run --config .config/vitest.config.ts test/instructions/arm64/semantics.test.ts

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Counter, StopReason } from "../../../src/abi.ts";
import type { Accelerations } from "../../../src/machine/accelerations.ts";
import { BareMachine, PAGE_RW, PAGE_RWX, PAGE_RX } from "../../support/bare-machine.ts";
import { differences, fold } from "../folded.ts";
import { Decoder } from "./decoder.ts";
import { buildImage, type Image, type Program } from "./image.ts";
import { templateNames } from "./programs/index.ts";
import { qemuVersion, runOnQemu } from "./qemu.ts";
import { correctReference, resultOf } from "./results.ts";
import { RAM_END, RESULTS, RESULT_WORDS, RUNNER, regions, runner } from "./runner.ts";

const PROGRAMS = 2400;
const RAM_BASE = 0x4000_0000;
const recordedFile = new URL("recorded/semantics.txt", import.meta.url);
const image = buildImage(PROGRAMS);

if (process.env.RECORD !== undefined) record();

function record(): void {
  const version = qemuVersion();
  if (version === undefined) {
    console.warn("qemu-system-aarch64 is not installed: the recorded results stay as they are");
    return;
  }
  writeFileSync(recordedFile, [`${version}; programs ${imageChecksum()}`, ...referenceOf(image), ""].join("\n"));
}

/** How the programs end on QEMU, one line each. */
function referenceOf(programs: Image): string[] {
  const words = runOnQemu(programs);
  correctReference(words, programs);
  return programs.programs.map((_, index) => fold(resultOf(words, index)));
}

/** Says whether the recorded results belong to the programs that the generator makes today. */
function imageChecksum(): string {
  const hash = new Uint32Array(image.bytes.buffer).reduce((sum, word) => (Math.imul(sum, 31) + word) >>> 0, 0);
  return hash.toString(16);
}

function recordedLines(): string[] {
  if (!existsSync(recordedFile))
    throw new Error("no recorded results: run with RECORD=1 where qemu-system-aarch64 is installed");
  const [header = "", ...lines] = readFileSync(recordedFile, "utf8").trimEnd().split("\n");
  if (!header.endsWith(imageChecksum()))
    throw new Error("the generator has changed since the results were recorded: record anew");
  return lines;
}

interface Variant {
  readonly writableCode?: boolean;
  readonly accelerations?: Partial<Accelerations>;
  readonly programs?: number;
}

/** Results of all programs on the core, and the digest of the machine at the end. */
function runOnCore(
  { programs: all, bytes: imageBytes }: Image,
  { writableCode = false, accelerations = {}, programs = all.length }: Variant = {},
): {
  words: BigUint64Array;
  digest: bigint;
} {
  const machine = new BareMachine({ architecture: "arm64", ramBytes: RAM_END - RAM_BASE, accelerations });
  const attributes = { rx: writableCode ? PAGE_RWX : PAGE_RX, rw: PAGE_RW, ro: PAGE_RX & PAGE_RW };
  for (const { address, bytes, rights } of regions) machine.map(address, bytes, attributes[rights]);
  machine.write(RUNNER, imageBytes);
  machine.start(0, runner.label("entry"), { argument: BigInt(programs) << 32n });
  machine.run(10_000_000_000n);
  expect(machine.counter(Counter.STOP_REASON), "the runner must reach its end").toBe(BigInt(StopReason.SYSTEM_OFF));
  const bytes = machine.read(RESULTS, programs * RESULT_WORDS * 8);
  return { words: new BigUint64Array(bytes.buffer), digest: machine.core.digest() };
}

/** The program as objdump sees it, or its bare words; with the template that each word comes from. */
function listing({ seed, address, words, notes }: Program): string {
  const folder = mkdtempSync(join(tmpdir(), "a64-"));
  const file = join(folder, "program");
  writeFileSync(file, Uint32Array.from(words));
  const { stdout } = spawnSync("aarch64-linux-gnu-objdump", ["-D", "-b", "binary", "-m", "aarch64", file], {
    encoding: "utf8",
  });
  rmSync(folder, { recursive: true });
  const disassembly = (stdout as string | null)?.split("\n").filter((line) => /^\s*[\da-f]+:\t/.test(line)) ?? [];
  const lines = words.map((word, index) => {
    const text = disassembly[index]?.split("\t").slice(2).join(" ") ?? "";
    return `${(address + 4 * index).toString(16)}: ${word.toString(16).padStart(8, "0")} ${text.padEnd(40)} ${notes[index]}`;
  });
  return [`seed ${seed}`, ...lines].join("\n");
}

/** The first program that ends otherwise than the reference, in words that one can debug with. */
function firstFailure({ programs }: Image, words: BigUint64Array, recorded: readonly string[]): string | undefined {
  for (const [index, program] of programs.entries()) {
    const found = differences(resultOf(words, index), recorded[index] ?? "");
    if (found.length !== 0) return `${listing(program)}\nunlike the reference: ${found.join(", ")}`;
  }
  return undefined;
}

describe("random A64 programs end as on QEMU", () => {
  it("from code in read-only pages", () => {
    expect(firstFailure(image, runOnCore(image).words, recordedLines())).toBeUndefined();
  });

  it("from code in writable pages, which is fetched as data are", () => {
    expect(firstFailure(image, runOnCore(image, { writableCode: true }).words, recordedLines())).toBeUndefined();
  });
});

describe("random A64 programs", () => {
  it("leave the same machine, to the cycle, with and without accelerations", () => {
    const programs = 300;
    for (const writableCode of [false, true]) {
      const { digest } = runOnCore(image, { programs, writableCode });
      for (const accelerations of [{ decodeCache: false }, { runAhead: false }, { spinElision: false }]) {
        expect(runOnCore(image, { programs, writableCode, accelerations }).digest, JSON.stringify(accelerations)).toBe(
          digest,
        );
      }
    }
  });

  it("contain every operation that the decoder knows, except those that wait or leave the PE", () => {
    const decoder = new Decoder();
    const words = new Set(image.programs.flatMap((program) => program.words));
    const used = new Set([...words].map((word) => decoder.operation(word)));
    expect(decoder.operations.filter((name) => !used.has(name))).toEqual([
      // what stores and pairs are left to when they miss
      "STORE",
      "STORE_PAIR",
      ...["WFI", "WFET", "WFIT", "HVC", "SMC", "UNSUPPORTED"],
    ]);
  });

  it("use every template", () => {
    const used = new Set(
      image.programs.flatMap(({ notes }) => notes.map((note) => note.replace(/^undefined .*/, "undefined"))),
    );
    expect(templateNames.filter((name) => !used.has(name))).toEqual([]);
  });
});

const campaign = Number(process.env.CAMPAIGN ?? 0);
const firstSeed = Number(process.env.SEED ?? 1_000_000);

if (campaign > 0) {
  describe("fresh random A64 programs end as on QEMU", () => {
    const starts = Array.from({ length: Math.ceil(campaign / PROGRAMS) }, (_, batch) => firstSeed + batch * PROGRAMS);
    it.each(starts)("from seed %i", { timeout: 300_000 }, (seed) => {
      const fresh = buildImage(PROGRAMS, seed);
      expect(firstFailure(fresh, runOnCore(fresh).words, referenceOf(fresh))).toBeUndefined();
    });
  });
}
