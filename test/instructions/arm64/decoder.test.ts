// Which A64 words are instructions, against objdump: random words of every encoding class, and what objdump calls them.
// Recording anew: RECORD=1 npx vitest run --config .config/vitest.config.ts test/instructions/arm64

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { Decoder } from "./decoder.ts";
import { encodingClasses, sampleClass } from "./encoding-classes.ts";
import { disassemble, objdumpVersion } from "./objdump.ts";
import { mnemonicsOf, notDecidable, notAnnounced } from "./mnemonics.ts";

const SAMPLE = 1500;
const UNDEFINED = "undefined";
const recordedFile = new URL("recorded/decoder.json", import.meta.url);

interface Recorded {
  readonly reference: string;
  /** Words per class. */
  readonly sample: number;
  readonly mnemonics: readonly string[];
  /** By class: an index into `mnemonics` for each word, 16 bits, deflated, base64. */
  readonly classes: Readonly<Record<string, string>>;
}

function record(): void {
  const version = objdumpVersion();
  if (version === undefined) {
    console.warn("aarch64-linux-gnu-objdump is not installed: the recorded mnemonics stay as they are");
    return;
  }
  const mnemonics: string[] = [];
  const classes: Record<string, string> = {};
  for (const name of Object.keys(encodingClasses)) {
    const indices = disassemble(sampleClass(name, SAMPLE)).map((mnemonic) => {
      const index = mnemonics.indexOf(mnemonic);
      return index >= 0 ? index : mnemonics.push(mnemonic) - 1;
    });
    classes[name] = deflateRawSync(new Uint8Array(Uint16Array.from(indices).buffer), { level: 9 }).toString("base64");
  }
  const recorded: Recorded = { reference: version, sample: SAMPLE, mnemonics, classes };
  writeFileSync(recordedFile, JSON.stringify(recorded, undefined, 1) + "\n");
}

if (process.env.RECORD !== undefined) record();

function recordedMnemonics(name: string): string[] {
  if (!existsSync(recordedFile))
    throw new Error("nothing recorded: run with RECORD=1 where aarch64-linux-gnu-objdump is installed");
  const { classes, mnemonics, sample } = JSON.parse(readFileSync(recordedFile, "utf8")) as Recorded;
  const deflated = classes[name];
  if (deflated === undefined || sample !== SAMPLE) throw new Error(`class ${name} is not recorded: record anew`);
  const bytes = Uint8Array.from(inflateRawSync(Buffer.from(deflated, "base64")));
  return [...new Uint16Array(bytes.buffer)].map((index) => mnemonics[index] ?? "");
}

const decoder = new Decoder();

/** What is wrong with the decoding of a word, or undefined. */
function complaint(word: number, mnemonic: string): string | undefined {
  const operation = decoder.operation(word);
  const shown = word.toString(16).padStart(8, "0");
  if (notDecidable(word, mnemonic)) return undefined;
  if (mnemonic === UNDEFINED || notAnnounced(word, mnemonic)) {
    return operation === "UNDEFINED"
      ? undefined
      : `${shown} is decoded as ${operation}; expected UNDEFINED (${mnemonic})`;
  }
  return mnemonicsOf(operation).test(mnemonic) ? undefined : `${shown} is decoded as ${operation}; it is ${mnemonic}`;
}

describe("the A64 decoder knows what is allocated", () => {
  it.each(Object.keys(encodingClasses))("%s", (name) => {
    const words = sampleClass(name, SAMPLE);
    const complaints = recordedMnemonics(name).flatMap(
      (mnemonic, index) => complaint(words[index] ?? 0, mnemonic) ?? [],
    );
    expect(complaints.slice(0, 10)).toEqual([]);
  });

  it("and has a name for every operation", () => {
    expect(() => decoder.operations.map(mnemonicsOf)).not.toThrow();
  });
});
