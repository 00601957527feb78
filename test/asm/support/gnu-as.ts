// Bytes of many single instructions from GNU as: one file, one label per case.

import { readFileSync, writeFileSync } from "node:fs";
import { parseSections } from "./sections.ts";
import { hasAll, run, withFolder } from "./tools.ts";
import type { Tool } from "./tools.ts";

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

/** Where texts stand that are linked: each starts at a multiple of LINKED_ALIGNMENT. */
export const LINKED_BASE = 0x1_0000;
export const LINKED_ALIGNMENT = 64;

const TOOLS: Readonly<Record<AsArchitecture, readonly [as: Tool, ld: Tool]>> = {
  "x86-64": ["as", "ld"],
  arm64: ["aarch64-linux-gnu-as", "aarch64-linux-gnu-ld"],
};

export function canLink(architecture: AsArchitecture): boolean {
  return hasAll(...TOOLS[architecture]);
}

/** The bytes of each text, one behind the other with addresses filled in; x86-64 in AT&T's syntax. */
export function linkAll(architecture: AsArchitecture, texts: readonly string[]): Uint8Array[] {
  const [as, ld] = TOOLS[architecture];
  const flags = architecture === "x86-64" ? ["--64"] : ["-march=armv8.8-a+profile+sve+sme+memtag+rng"];
  const literals = architecture === "x86-64" ? "" : "\n.ltorg";
  return withFolder((path) => {
    const cases = texts.map((text, i) => `.balign ${LINKED_ALIGNMENT}\nc${i}: ${text}${literals}\ne${i}:`).join("\n");
    const places = texts.map((_, i) => `.8byte c${i} - c0, e${i} - c0`).join("\n");
    writeFileSync(path("cases.s"), `.text\n${cases}\n.data\n${places}\n`);
    checked(run(as, ...flags, "-o", path("cases.o"), path("cases.s")));
    checked(
      run(
        ld,
        `-Ttext=0x${LINKED_BASE.toString(16)}`,
        "-Tdata=0x800000",
        "-e",
        "0",
        "-o",
        path("cases"),
        path("cases.o"),
      ),
    );
    const { text, data } = parseSections(readFileSync(path("cases")));
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const place = (index: number): number => Number(view.getBigUint64(8 * index, true));
    return texts.map((_, i) => text.subarray(place(2 * i), place(2 * i + 1)));
  });
}

function checked({ status, stderr }: { readonly status: number | null; readonly stderr: string }): void {
  if (status !== 0) throw new Error(stderr.split("\n").slice(0, 12).join("\n"));
}
