// The code of a routine, or of an ELF file, instruction by instruction: bytes, text, what operands mean, the source line.

import type { ElfFile, Image } from "../asm/index.ts";
import type { ImageLine } from "../asm/image/tables.ts";
import type { SourcePosition } from "../asm/source.ts";
import { AllstopError } from "../errors.ts";
import { nearestNames } from "../names.ts";
import type { Architecture } from "../topology/index.ts";
import { AddressNames, Annotator, type NamedImage } from "./annotate.ts";
import { loadDecoder, type DecodedInstruction, type InstructionDecoder } from "./decoder.ts";
import { readSourceLines, type SourceLine } from "./source-lines.ts";

/** The `format` of a disassembly, with its version. */
export const DISASSEMBLY_FORMAT = "allstop.disassembly/1";

/** One instruction with all that is known of it. */
export interface ListedInstruction extends DecodedInstruction {
  /** What the operands mean: a symbol, a field; empty where there is nothing to say. */
  readonly comment: string;
  /** Marks that stand here, without the routine's name. */
  readonly marks: readonly string[];
  /** Where it comes from; of an ELF file nothing is known. */
  readonly source?: SourceLine;
}

/** A routine, instruction by instruction. */
export interface ListedRoutine {
  readonly name: string;
  readonly address: number;
  /** Bytes. */
  readonly size: number;
  readonly section: string;
  readonly instructions: readonly ListedInstruction[];
}

/** Routines of an image as text, beside their source: JSON. */
export interface Disassembly {
  readonly architecture: Architecture;
  readonly routines: readonly ListedRoutine[];
}

/** What code is taken from: an image of the assembler, one that a machine runs, or a file. */
export type CodeImage = NamedImage & Pick<Image, "segments"> & Partial<Pick<Image, "marks" | "lines">>;

/** Routine names with their addresses and sizes, by address. */
export function routinesOf(image: Pick<CodeImage, "symbols">): CodeImage["symbols"] {
  return image.symbols
    .filter(({ kind, size }) => kind === "function" && size > 0)
    .sort((one, other) => one.address - other.address);
}

/** Disassembles the routines of one image. */
export class Disassembler {
  readonly image: CodeImage;
  readonly #decoder: InstructionDecoder;
  readonly #names: AddressNames;
  readonly #lines: ReadonlyMap<string, readonly ImageLine[]>;
  readonly #marks: ReadonlyMap<number, readonly string[]>;
  readonly #sourceOf: (position: SourcePosition) => SourceLine;
  readonly #listed = new Map<string, ListedRoutine>();

  private constructor(
    image: CodeImage,
    decoder: InstructionDecoder,
    sourceOf: (position: SourcePosition) => SourceLine,
  ) {
    this.image = image;
    this.#decoder = decoder;
    this.#sourceOf = sourceOf;
    this.#names = new AddressNames(image);
    this.#lines = linesByRoutine(image.lines ?? []);
    this.#marks = marksByAddress(image.marks ?? []);
  }

  /** Loads the decoder, and reads the source. @throws PACKAGE_MISSING */
  static async of(image: CodeImage): Promise<Disassembler> {
    const decoder = await loadDecoder(image.architecture);
    return new Disassembler(image, decoder, await readSourceLines(image.lines ?? []));
  }

  /** One routine of routinesOf(). */
  routine(symbol: CodeImage["symbols"][number]): ListedRoutine {
    const { name, address, size, section } = symbol;
    const known = this.#listed.get(name);
    if (known?.address === address) return known;
    const code = this.#decoder.decode(contentAt(this.image, address, size), address);
    const annotator = new Annotator(this.#names, code);
    const own = this.#lines.get(name) ?? [];
    const instructions = code.map((one): ListedInstruction => {
      const position = lastLine(own, one.address);
      return {
        ...one,
        comment: annotator.next(one),
        marks: this.#marks.get(one.address) ?? [],
        ...(position === undefined ? {} : { source: this.#sourceOf(position) }),
      };
    });
    const listed = { name, address, size, section, instructions };
    this.#listed.set(name, listed);
    return listed;
  }

  /** The routine that an address lies in. */
  routineAt(address: number): ListedRoutine | undefined {
    const symbol = routinesOf(this.image).findLast((one) => one.address <= address && address < one.address + one.size);
    return symbol === undefined ? undefined : this.routine(symbol);
  }
}

/**
 * Disassembles routines of an image.
 * @param names routines; all of the image if not given
 * @throws NAME_UNKNOWN, PACKAGE_MISSING
 */
export async function disassemble(image: CodeImage, names?: readonly string[]): Promise<Disassembly> {
  const all = routinesOf(image);
  // Of names for the same code the last one, which is what branches to it are shown as.
  const each = all.filter(({ address }, index) => address !== all[index + 1]?.address);
  const wanted = names === undefined ? each : names.map((name) => routineNamed(all, name));
  const disassembler = await Disassembler.of(image);
  return { architecture: image.architecture, routines: wanted.map((symbol) => disassembler.routine(symbol)) };
}

function routineNamed(all: CodeImage["symbols"], name: string): CodeImage["symbols"][number] {
  const found = all.find((one) => one.name === name);
  if (found !== undefined) return found;
  const near = nearestNames(
    name,
    all.map((one) => one.name),
  );
  throw new AllstopError("NAME_UNKNOWN", "no such routine in the image", {
    value: name,
    allowed: near.length === 0 ? "there are none" : `${near.join(", ")} and others`,
  });
}

/** An ELF file as something to disassemble: where its segments lie for the CPU, that is by virtual address. */
export function imageOfElfFile({ architecture, segments, symbols }: ElfFile): CodeImage {
  const executable = segments.filter((one) => one.executable);
  const inCode = (address: number): boolean => segmentAt(executable, address) !== undefined;
  const named = symbols.map(({ name, address, size, kind }) => {
    const isCode = kind === "function" || (kind === "other" && inCode(address));
    return { name, address, size, kind: isCode ? ("function" as const) : ("object" as const), section: "" };
  });
  return {
    architecture,
    cpus: 0,
    perCpuStart: 0,
    perCpuStride: 0,
    segments,
    structs: [],
    symbols: reaching(named, executable),
  };
}

/** Labels of assembly sources have no size: they reach to the next one. Code before the first symbol has the segment's name. */
function reaching(symbols: CodeImage["symbols"], executable: CodeImage["segments"]): CodeImage["symbols"] {
  const sorted = [...symbols].sort((one, other) => one.address - other.address);
  const sized = sorted.map((symbol, index) => {
    if (symbol.size > 0 || symbol.kind !== "function") return symbol;
    const home = segmentAt(executable, symbol.address);
    const next = sorted.slice(index + 1).find(({ address }) => address > symbol.address)?.address ?? Infinity;
    const end = home === undefined ? symbol.address : home.address + home.bytes.length;
    return { ...symbol, size: Math.max(0, Math.min(next, end) - symbol.address) };
  });
  const unnamed = executable.flatMap(({ address, bytes }) => {
    const inside = sized.filter(
      (one) => one.kind === "function" && one.address >= address && one.address < address + bytes.length,
    );
    const first = Math.min(address + bytes.length, ...inside.map((one) => one.address));
    if (first === address || inside.length > 0) return [];
    const name = `0x${address.toString(16)}`;
    return [{ name, address, size: first - address, kind: "function" as const, section: "" }];
  });
  return [...sized, ...unnamed];
}

function segmentAt(segments: CodeImage["segments"], address: number): CodeImage["segments"][number] | undefined {
  return segments.find((one) => address >= one.address && address < one.address + one.bytes.length);
}

function contentAt({ segments }: CodeImage, address: number, size: number): Uint8Array {
  // What a loader puts last is what is there.
  const home = [...segments]
    .reverse()
    .find((one) => address >= one.address && address < one.address + one.bytes.length);
  return home === undefined
    ? new Uint8Array()
    : home.bytes.subarray(address - home.address, address - home.address + size);
}

/** Line tables, by routine. */
export function linesByRoutine(lines: readonly ImageLine[]): ReadonlyMap<string, readonly ImageLine[]> {
  const result = new Map<string, ImageLine[]>();
  for (const line of lines) {
    const own = result.get(line.routine);
    if (own === undefined) result.set(line.routine, [line]);
    else own.push(line);
  }
  return result;
}

function lastLine(lines: readonly ImageLine[], address: number): SourcePosition | undefined {
  return lines.findLast((line) => line.address <= address);
}

function marksByAddress(marks: Image["marks"]): ReadonlyMap<number, readonly string[]> {
  const result = new Map<number, string[]>();
  for (const { name, address } of marks) {
    const short = name.slice(name.indexOf(":") + 1);
    result.set(address, [...(result.get(address) ?? []), short]);
  }
  return result;
}
