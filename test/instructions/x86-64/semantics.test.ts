// What x86-64 instructions do, against QEMU: random programs whose results on QEMU are recorded are executed by the core.
// Recording anew: RECORD=1 npx vitest run --config .config/vitest.config.ts test/instructions/x86-64

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { differences, fold } from "../folded.ts";
import { disassemble, objdumpVersion } from "./objdump.ts";
import { type Program, type Programs, drawPrograms } from "./programs.ts";
import { qemuVersion, runOnQemu } from "./qemu.ts";
import { type ReplayOptions, replay } from "./replay.ts";
import { resultOf } from "./results.ts";
import { templates } from "./templates/index.ts";

const PROGRAMS = 2400;
const SEED = 1;
/** Another seed for what is compared without being recorded. */
const FRESH_SEED = 0x5eed;
const FRESH_PROGRAMS = 400;
const recordedFile = new URL("recorded/semantics.txt", import.meta.url);
const drawn = drawPrograms(SEED, PROGRAMS);
const version = await qemuVersion();

if (process.env.RECORD !== undefined) await record();

async function record(): Promise<void> {
  if (version === undefined) {
    console.warn("qemu-system-x86_64 is not installed: the recorded results stay as they are");
    return;
  }
  const words = await runOnQemu(drawn);
  const lines = drawn.programs.map((_, index) => fold(resultOf(words, index)));
  writeFileSync(recordedFile, [`${version}; programs ${checksum(drawn)}`, ...lines, ""].join("\n"));
}

/** Says whether the recorded results belong to the programs that the generator makes today. */
function checksum({ code }: Programs): string {
  return code.reduce((sum, byte) => (Math.imul(sum, 31) + byte) >>> 0, 0).toString(16);
}

function recordedLines(): string[] {
  if (!existsSync(recordedFile))
    throw new Error("no recorded results: run with RECORD=1 where qemu-system-x86_64 is installed");
  const [header = "", ...lines] = readFileSync(recordedFile, "utf8").trimEnd().split("\n");
  if (!header.endsWith(checksum(drawn)))
    throw new Error("the generator has changed since the results were recorded: record anew");
  return lines;
}

/** The program as objdump sees it, with the template that each part comes from. */
function listing({ address, bytes, notes }: Program): string {
  if (objdumpVersion() === undefined) return `objdump is not installed; the program is at ${address.toString(16)}`;
  const lines = disassemble(bytes, address).map((line) => {
    const note = notes.find(({ address: at }) => at === line.address)?.template ?? "";
    return `${line.address.toString(16)}: ${line.text.padEnd(60)} ${note}`;
  });
  return lines.join("\n");
}

/** The first program that ends otherwise than the reference says, in words that one can debug with. */
function firstFailure(
  { programs }: Programs,
  { words }: { words: BigUint64Array },
  reference: readonly string[],
): string | undefined {
  for (const [index, program] of programs.entries()) {
    const found = differences(resultOf(words, index), reference[index] ?? "");
    if (found.length !== 0) return `${listing(program)}\nunlike the reference: ${found.join(", ")}`;
  }
  return undefined;
}

describe("random x86-64 programs end as on QEMU", () => {
  it("from code in read-only pages", () => {
    expect(firstFailure(drawn, replay(drawn, { writableCode: false }), recordedLines())).toBeUndefined();
  });

  it("from code in writable pages, which is fetched as data are", () => {
    expect(firstFailure(drawn, replay(drawn, { writableCode: true }), recordedLines())).toBeUndefined();
  });

  it("also those that are not recorded", async ({ skip }) => {
    if (version === undefined) skip("QEMU is not installed");
    const fresh = drawPrograms(FRESH_SEED, FRESH_PROGRAMS);
    const words = await runOnQemu(fresh);
    const reference = fresh.programs.map((_, index) => fold(resultOf(words, index)));
    expect(firstFailure(fresh, replay(fresh, { writableCode: false }), reference)).toBeUndefined();
  });
});

describe("random x86-64 programs", () => {
  it("leave the same machine, to the cycle, with and without accelerations", () => {
    const some = drawPrograms(SEED, 250);
    const digest = (options: ReplayOptions): bigint => replay(some, options).digest;
    for (const writableCode of [false, true]) {
      const reference = digest({ writableCode });
      for (const accelerations of [{ decodeCache: false }, { runAhead: false }, { spinElision: false }]) {
        expect(digest({ writableCode, accelerations }), JSON.stringify(accelerations)).toBe(reference);
      }
    }
  });

  it("use every template", () => {
    const used = new Set(drawn.programs.flatMap(({ notes }) => notes.map(({ template }) => template)));
    expect(templates.map(({ name }) => name).filter((name) => !used.has(name))).toEqual([]);
  });
});
