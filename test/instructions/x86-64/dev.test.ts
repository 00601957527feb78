import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { it } from "vitest";
import { drawPrograms } from "./support/programs.ts";
import { RESULT_WORDS, resultNames } from "./support/harness.ts";
import { runOnQemu } from "./support/qemu.ts";
import { replay } from "./support/replay.ts";

it("compares", async () => {
  const count = Number(process.env["COUNT"] ?? 100);
  const seed = Number(process.env["SEED"] ?? 1);
  const length = Number(process.env["LENGTH"] ?? 40);
  const programs = drawPrograms(seed, count, length);
  const t0 = Date.now();
  let got: BigUint64Array;
  try {
    got = replay(programs, { writableCode: process.env["RX"] === undefined });
  } catch (e) {
    const m = /program (\d+)/.exec(String(e));
    const p = m ? Number(m[1]) : 0;
    const t = new BigUint64Array(programs.table.buffer);
    const start = Number(t[p]!),
      next = Number(t[p + 1]!) || programs.end;
    writeFileSync("/tmp/x86/prog.bin", programs.code.subarray(start - programs.start, next - programs.start));
    console.log(
      "program",
      p,
      execFileSync("objdump", [
        "-D",
        "-b",
        "binary",
        "-mi386:x86-64",
        "-Mintel",
        `--adjust-vma=0x${start.toString(16)}`,
        "/tmp/x86/prog.bin",
      ])
        .toString()
        .split("\n")
        .slice(7)
        .join("\n"),
    );
    throw e;
  }
  const t1 = Date.now();
  const want = await runOnQemu(programs);
  const t2 = Date.now();
  console.log("emulator", t1 - t0, "ms; qemu", t2 - t1, "ms");
  let bad = 0;
  for (let p = 0; p < count; p++) {
    const diffs: string[] = [];
    for (let w = 0; w < RESULT_WORDS; w++) {
      const a = want[p * RESULT_WORDS + w]!,
        b = got[p * RESULT_WORDS + w]!;
      if (a !== b) diffs.push(`${resultNames[w]}: qemu ${a.toString(16)} ours ${b.toString(16)}`);
    }
    if (diffs.length > 0) {
      bad++;
      if (bad <= Number(process.env["SHOW"] ?? 3)) {
        console.log(`program ${p}:`, diffs.join("\n  "));
        const start = Number(new BigUint64Array(programs.table.buffer)[p]!);
        const next = Number(new BigUint64Array(programs.table.buffer)[p + 1]!) || programs.end;
        writeFileSync("/tmp/x86/prog.bin", programs.code.subarray(start - programs.start, next - programs.start));
        console.log(
          execFileSync("objdump", [
            "-D",
            "-b",
            "binary",
            "-mi386:x86-64",
            "-Mintel",
            `--adjust-vma=0x${start.toString(16)}`,
            "/tmp/x86/prog.bin",
          ])
            .toString()
            .split("\n")
            .slice(7)
            .join("\n"),
        );
      }
    }
  }
  console.log(`${bad} of ${count} differ`);
}, 600000);
