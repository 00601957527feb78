// Runs an image of random programs on QEMU's virt board, whose results are recorded as the reference.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Image } from "./image.ts";
import { RESULT_WORDS, RUNNER, runner } from "./runner.ts";

/** A CPU with LSE and RCPC, and nothing else that the generated programs could notice. */
const CPU_MODEL = "neoverse-n1";
const MOST_MS = 60_000;

/** First line of `qemu-system-aarch64 --version`, or undefined when it is not there. */
export function qemuVersion(): string | undefined {
  const { stdout, error } = spawnSync("qemu-system-aarch64", ["--version"], { encoding: "utf8" });
  return error === undefined ? stdout.split("\n")[0] : undefined;
}

/** The results of all programs, RESULT_WORDS each. */
export function runOnQemu(image: Image): BigUint64Array {
  const bytes = outputOnQemu(image.bytes, RUNNER, runner.label("entry"));
  const expected = image.programs.length * RESULT_WORDS * 8;
  if (bytes.length !== expected) throw new Error(`QEMU sent ${bytes.length} bytes instead of ${expected}`);
  return new BigUint64Array(bytes.buffer);
}

/** What an image writes to the UART before it switches the board off. */
export function outputOnQemu(image: Uint8Array, address: number, entry: number): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "a64-"));
  try {
    const imageFile = join(folder, "image");
    const output = join(folder, "output");
    writeFileSync(imageFile, image);
    execFileSync(
      "qemu-system-aarch64",
      [
        ...["-M", "virt,gic-version=3", "-cpu", CPU_MODEL, "-m", "64", "-display", "none", "-monitor", "none"],
        ...["-serial", `file:${output}`],
        ...["-device", `loader,file=${imageFile},addr=${address},force-raw=on`],
        ...["-device", `loader,addr=${entry},cpu-num=0`],
      ],
      { timeout: MOST_MS },
    );
    return new Uint8Array(readFileSync(output));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
