// Records the committed reference files anew, on request only: ALLSTOP_RECORD=1 and GNU as installed. Otherwise it does nothing.

import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { arm64Forms } from "./forms/arm64.ts";
import { x64Forms } from "./forms/x64.ts";
import { makeCases } from "./support/form.ts";
import { listing } from "../../src/asm/index.ts";
import { disassemble } from "./support/disassemble.ts";
import { assembleAll } from "./support/gnu-as.ts";
import { goldenFile, stopImage, stopNames } from "./support/golden.ts";
import { Random } from "./support/random.ts";
import { formatRecorded, RECORDED_CASES, RECORDED_SEED, recordedFile } from "./support/recorded.ts";

const isWanted = process.env["ALLSTOP_RECORD"] === "1";

describe.skipIf(!isWanted)("recording (set ALLSTOP_RECORD=1)", () => {
  it.for(["x86-64", "arm64"] as const)("writes the encoder bytes of %s", (architecture) => {
    const random = new Random(RECORDED_SEED);
    const cases =
      architecture === "x86-64"
        ? makeCases(x64Forms, random, RECORDED_CASES)
        : makeCases(arm64Forms, random, RECORDED_CASES);
    const texts = cases.map(({ text }) => text);
    const bytes = assembleAll(architecture, texts).map((one) => Buffer.from(one).toString("hex"));
    writeFileSync(recordedFile(architecture), formatRecorded(texts, bytes));
    expect(bytes).toHaveLength(RECORDED_CASES);
  });

  it.for(["x86-64", "arm64"] as const)("writes the golden listings of %s", (architecture) => {
    const text = listing(stopImage(architecture), {
      routines: stopNames,
      lines: false,
      disassemble: (bytes, address) => disassemble(architecture, bytes, address),
    });
    writeFileSync(goldenFile(architecture), text);
    expect(text).toContain("multi_cpu_stop");
  });
});
