// A small A64 assembler for tests: text with labels to words, for the instructions that tests write by hand. Encodings are
// given as the diagrams of the Arm ARM (DDI 0487, C6.2), independently of the core's decoder and of src/asm: what judges
// the decoder must not share its mistakes.

import { encode } from "../encodings.ts";
import { encodeInstruction } from "./instructions.ts";
import { immediateOf, nameOf, parseOperands, registerOf, type Operand } from "./operands.ts";

export interface Assembled {
  readonly base: number;
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  /** Address of a label. @throws when there is no such label */
  readonly label: (name: string) => number;
}
interface Line {
  readonly text: string;
  readonly mnemonic: string;
  readonly operands: readonly Operand[];
  readonly address: number;
}
/**
 * Assembles one instruction per line. `label:` may stand alone or before an instruction; `//` starts a comment;
 * directives are .word, .quad, .space, .align (to a power of two in bytes) and `li Xd, #value` (MOVZ and MOVKs).
 */
export function assemble(text: string, base: number): Assembled {
  const labels = new Map<string, number>();
  const lines = layOut(text, base, labels);
  const end = lines.at(-1);
  const words: number[] = [];
  for (const line of lines) {
    while (base + words.length * 4 < line.address) words.push(0);
    try {
      words.push(...encodeLine(line, labels));
    } catch (cause) {
      throw new Error(`${line.text}: ${String(cause)}`, { cause });
    }
  }
  if (end !== undefined) while (base + words.length * 4 < end.address + sizeOf(end)) words.push(0);
  const array = Uint32Array.from(words);
  const label = (name: string): number => {
    const address = labels.get(name);
    if (address === undefined) throw new Error(`no label ${name}`);
    return address;
  };
  return { base, words: array, bytes: new Uint8Array(array.buffer), label };
}

function layOut(text: string, base: number, labels: Map<string, number>): Line[] {
  const lines: Line[] = [];
  let address = base;
  for (const raw of text.split("\n")) {
    let rest = raw.replace(/\/\/.*/, "").trim();
    for (let match = /^([\w.]+):\s*/.exec(rest); match !== null; match = /^([\w.]+):\s*/.exec(rest)) {
      const name = match[1] ?? "";
      if (labels.has(name)) throw new Error(`label ${name} stands twice`);
      labels.set(name, address);
      rest = rest.slice(match[0].length);
    }
    if (rest === "") continue;
    const [mnemonic = "", ...operandTexts] = rest.split(/\s+/);
    const operands = parseOperands(operandTexts.join(" "));
    if (mnemonic === ".align") {
      const to = Number(immediateOf(operands[0]));
      address = Math.ceil(address / to) * to;
      continue;
    }
    const line = { text: raw.trim(), mnemonic: mnemonic.toLowerCase(), operands, address };
    lines.push(line);
    address += sizeOf(line);
  }
  // Labels at the very end stand behind the last line.
  return lines;
}

function sizeOf(line: Line): number {
  switch (line.mnemonic) {
    case ".quad":
      return 8 * line.operands.length;
    case ".word":
      return 4 * line.operands.length;
    case ".space":
      return Number(immediateOf(line.operands[0]));
    case "li":
      return 4 * halfwords(immediateOf(line.operands[1])).length;
    default:
      return 4;
  }
}

/** Positions of the 16-bit parts that MOVZ and MOVK must write. */
function halfwords(value: bigint): number[] {
  const nonzero = [0, 1, 2, 3].filter((part) => ((BigInt.asUintN(64, value) >> BigInt(16 * part)) & 0xffffn) !== 0n);
  return nonzero.length === 0 ? [0] : nonzero;
}
function encodeLine(line: Line, labels: ReadonlyMap<string, number>): number[] {
  const { mnemonic, operands } = line;
  /** Distance to a label or to an absolute address. */
  const distance = (operand: Operand | undefined): number => {
    if (operand?.kind === "immediate") return Number(operand.value) - line.address;
    const to = labels.get(nameOf(operand));
    if (to === undefined) throw new Error(`no label ${nameOf(operand)}`);
    return to - line.address;
  };
  const value = (operand: Operand): bigint => {
    if (operand.kind === "immediate") return operand.value;
    const to = labels.get(nameOf(operand));
    if (to === undefined) throw new Error(`no label ${nameOf(operand)}`);
    return BigInt(to);
  };
  switch (mnemonic) {
    case ".word":
      return operands.map((operand) => Number(BigInt.asUintN(32, value(operand))));
    case ".quad":
      return operands.flatMap((operand) => {
        const quad = BigInt.asUintN(64, value(operand));
        return [Number(quad & 0xffff_ffffn), Number(quad >> 32n)];
      });
    case ".space":
      return new Array<number>(Number(immediateOf(operands[0])) / 4).fill(0);
    case "li":
      return loadImmediate(registerOf(operands[0]).number, immediateOf(operands[1]));
    default:
      return [encodeInstruction(mnemonic, operands, distance)];
  }
}

function loadImmediate(d: number, value: bigint): number[] {
  return halfwords(value).map((part, position) => {
    const i = Number((BigInt.asUintN(64, value) >> BigInt(16 * part)) & 0xffffn);
    return encode("1 11 100101 hh iiiiiiiiiiiiiiii ddddd", { h: part, i, d }) & (position === 0 ? 0xdfff_ffff : -1);
  });
}
