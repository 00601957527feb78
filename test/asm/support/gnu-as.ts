// Bytes of many single instructions from GNU as: one file, one label per case.

import { readFileSync, writeFileSync } from "node:fs";
import { parseSections } from "./sections.ts";
import { run, withFolder } from "./tools.ts";

export type AsArchitecture = "x86-64" | "arm64";

/** The bytes of each text, in order. A text that as refuses throws with its message. */
export function assembleAll(architecture: AsArchitecture, texts: readonly string[]): Uint8Array[] {
  return withFolder((path) => {
    const source = path("cases.s");
    const object = path("cases.o");
    const head = architecture === "x86-64" ? ".intel_syntax noprefix\n" : "";
    // Offsets between cases are kept as data, which needs no symbol table.
    const cases = texts.map((text, i) => `c${i}: ${text}`).join("\n");
    const ends = texts.map((_, i) => `.8byte c${i + 1} - c0`).join("\n");
    writeFileSync(source, `${head}.text\n${cases}\nc${texts.length}:\n.data\n${ends}\n`);
    const result =
      architecture === "x86-64"
        ? run("as", "--64", "-o", object, source)
        : run("aarch64-linux-gnu-as", "-march=armv8.8-a", "-o", object, source);
    if (result.status !== 0) throw new Error(result.stderr.split("\n").slice(0, 12).join("\n"));
    const { text, data } = parseSections(readFileSync(object));
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    let start = 0;
    return texts.map((_, i) => {
      const end = Number(view.getBigUint64(8 * i, true));
      const bytes = text.subarray(start, end);
      start = end;
      return bytes;
    });
  });
}
