// Which bytes are x86-64 instructions and how long they are, against objdump: all opcode maps with prefixes and ModRM forms.
// Recording anew: RECORD=1 npx vitest run --config .config/vitest.config.ts test/instructions/x86-64

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { Decoder } from "./decoder.ts";
import { encodingClasses } from "./encodings.ts";
import { isDefinedAllTheSame, isNotAnnounced, isUndefinedAllTheSame, mnemonicsOf } from "./mnemonics.ts";
import { disassembleEach, objdumpVersion, type Reference } from "./objdump.ts";

const BAD = "(bad)";
const recordedFile = new URL("recorded/decoder.json", import.meta.url);

interface Recorded {
  readonly reference: string;
  /** "mnemonic length" */
  readonly kinds: readonly string[];
  /** By class: an index into `kinds` for each encoding, 16 bits, deflated, base64. */
  readonly classes: Readonly<Record<string, string>>;
}

function record(): void {
  const version = objdumpVersion();
  if (version === undefined) {
    console.warn("objdump for x86-64 is not installed: what is recorded stays as it is");
    return;
  }
  const kinds = new Map<string, number>();
  const classes: Record<string, string> = {};
  for (const [name, encodings] of Object.entries(encodingClasses)) {
    const indices = disassembleEach(encodings).map(({ mnemonic, length }) => {
      const kind = mnemonic === BAD ? BAD : `${mnemonic} ${length}`;
      const index = kinds.get(kind) ?? kinds.size;
      kinds.set(kind, index);
      return index;
    });
    classes[name] = deflateRawSync(new Uint8Array(Uint16Array.from(indices).buffer), { level: 9 }).toString("base64");
  }
  const recorded: Recorded = { reference: version, kinds: [...kinds.keys()], classes };
  writeFileSync(recordedFile, JSON.stringify(recorded, undefined, 1) + "\n");
}

if (process.env.RECORD !== undefined) record();

function recordedReferences(name: string): Reference[] {
  if (!existsSync(recordedFile)) throw new Error("nothing recorded: run with RECORD=1 where objdump is installed");
  const { classes, kinds } = JSON.parse(readFileSync(recordedFile, "utf8")) as Recorded;
  const bytes = Uint8Array.from(inflateRawSync(Buffer.from(classes[name] ?? "", "base64")));
  const references = [...new Uint16Array(bytes.buffer)].map((index): Reference => {
    const [mnemonic = "", length = "0"] = (kinds[index] ?? "").split(" ");
    return { mnemonic, length: Number(length) };
  });
  if (references.length !== encodingClasses[name]?.length) throw new Error(`class ${name} has changed: record anew`);
  return references;
}

const decoder = new Decoder();

/** What is wrong with the decoding of some bytes, or undefined. */
function complaint(encoding: readonly number[], { mnemonic, length }: Reference): string | undefined {
  const decoded = decoder.decode(encoding);
  const shown = encoding.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  if (decoded === undefined) return `${shown} needs more than 15 bytes; it is ${mnemonic}`;
  const { operation } = decoded;
  if (operation === "UNDEFINED") {
    const isRight = mnemonic === BAD || isNotAnnounced(mnemonic) || isUndefinedAllTheSame(encoding, mnemonic);
    return isRight ? undefined : `${shown} is undefined; it is ${mnemonic}`;
  }
  if (mnemonic === BAD) {
    return isDefinedAllTheSame(encoding, operation) ? undefined : `${shown} is decoded as ${operation}; it is none`;
  }
  if (!mnemonicsOf(operation).test(mnemonic) || isUndefinedAllTheSame(encoding, mnemonic))
    return `${shown} is decoded as ${operation}; it is ${mnemonic}`;
  return decoded.length === length ? undefined : `${shown} (${mnemonic}) has ${decoded.length} bytes, not ${length}`;
}

describe("the x86-64 decoder knows what is an instruction, and its length", () => {
  it.each(Object.keys(encodingClasses))("%s", (name) => {
    const references = recordedReferences(name);
    const complaints = (encodingClasses[name] ?? []).flatMap(
      (encoding, index) => complaint(encoding, references[index] ?? { mnemonic: "", length: 0 }) ?? [],
    );
    expect(complaints.slice(0, 10)).toEqual([]);
  });

  it("and has a name for every operation", () => {
    expect(() => decoder.operations.map(mnemonicsOf)).not.toThrow();
  });
});

describe("an instruction", () => {
  const segmentPrefixes = (count: number): number[] => Array.from({ length: count }, () => 0x2e);

  it("has at most 15 bytes (SDM 2A 2.3.11)", () => {
    expect(decoder.decode([...segmentPrefixes(14), 0x90])).toEqual({ operation: "NOP", length: 15 });
    expect(decoder.decode([...segmentPrefixes(15), 0x90])?.operation).toBe("TOO_LONG");
    expect(decoder.decode([...segmentPrefixes(11), 0x81, 0xc0, 1, 2, 3, 4])?.operation).toBe("TOO_LONG");
    expect(decoder.decode([...segmentPrefixes(9), 0x81, 0xc0, 1, 2, 3, 4])).toEqual({
      operation: "ADD_RI32",
      length: 15,
    });
  });

  it("is decoded when all of its bytes are there, and not before", () => {
    const encodings = [
      [0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8],
      [0x66, 0x41, 0x81, 0x84, 0xc8, 1, 2, 3, 4, 5, 6],
      [0x0f, 0x38, 0xf0, 0x04, 0x25, 1, 2, 3, 4],
      [0xc4, 0xe3, 0xfb, 0xf0, 0xc1, 3],
      [0xf7, 0x05, 1, 2, 3, 4, 5, 6, 7, 8],
      [0xff, 0x24, 0x25, 1, 2, 3, 4],
      [0xc8, 1, 2, 3],
    ];
    for (const encoding of encodings) {
      for (let available = 0; available < encoding.length; available++)
        expect(decoder.decode(encoding, available)).toBeUndefined();
      expect(decoder.decode(encoding, encoding.length)?.length).toBe(encoding.length);
    }
  });

  it("may have LOCK only in front of a store to memory that allows it (SDM 2A LOCK)", () => {
    const allowed: Record<string, number[]> = {
      add: [0x01, 0x03],
      or: [0x80, 0x0b, 1],
      adc: [0x11, 0x03],
      sbb: [0x19, 0x03],
      and: [0x83, 0x23, 1],
      sub: [0x29, 0x03],
      xor: [0x31, 0x03],
      not: [0xf7, 0x13],
      neg: [0xf6, 0x1b],
      inc: [0xff, 0x03],
      dec: [0xfe, 0x0b],
      xchg: [0x87, 0x03],
      bts: [0x0f, 0xab, 0x03],
      btr: [0x0f, 0xba, 0x33, 1],
      btc: [0x0f, 0xbb, 0x03],
      xadd: [0x0f, 0xc1, 0x03],
      cmpxchg: [0x0f, 0xb1, 0x03],
      cmpxchg8b: [0x0f, 0xc7, 0x0b],
    };
    const forbidden: Record<string, number[]> = {
      cmp: [0x39, 0x03],
      "cmp with an immediate": [0x83, 0x3b, 1],
      test: [0x85, 0x03],
      "add to a register": [0x03, 0x03],
      mov: [0x89, 0x03],
      bt: [0x0f, 0xa3, 0x03],
      "bt with an immediate": [0x0f, 0xba, 0x23, 1],
      shl: [0xc1, 0x23, 1],
      shld: [0x0f, 0xa4, 0x03, 1],
      mul: [0xf7, 0x23],
      push: [0xff, 0x33],
      call: [0xff, 0x13],
      nop: [0x90],
      movs: [0xa5],
      setcc: [0x0f, 0x90, 0x03],
      "mov to cr0": [0x0f, 0x22, 0xc0],
      "add of registers": [0x01, 0xc0],
      "xchg of registers": [0x87, 0xc0],
    };
    for (const [name, encoding] of Object.entries(allowed))
      expect(decoder.decode([0xf0, ...encoding])?.operation, name).not.toBe("UNDEFINED");
    for (const [name, encoding] of Object.entries(forbidden)) {
      expect(decoder.decode(encoding)?.operation, name).not.toBe("UNDEFINED");
      expect(decoder.decode([0xf0, ...encoding])?.operation, name).toBe("UNDEFINED");
    }
  });
});
