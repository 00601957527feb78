// Tables of an image: segments, symbols, marks and lines, made from its placed units.

import { armGpr } from "../arm64/registers.ts";
import { PER_CPU_START } from "../code-buffer.ts";
import { invalid } from "../failure.ts";
import type { LocalPlace } from "../lower/lowered.ts";
import type { PerCpuSymbol } from "../record/data.ts";
import type { PositionTable, SourceMark, SourcePosition } from "../source.ts";
import type { FieldType } from "../types.ts";
import { gpr } from "../x64/registers.ts";
import type { Architecture, CodeUnit, Collected } from "./collect.ts";
import type { Linked, LinkedSection } from "./link.ts";
import { PAGE_BYTES } from "./sections.ts";
import type { Rights } from "./sections.ts";

/** What is loaded in one piece: bytes at an address, then zeros. */
export interface ImageSegment extends Rights {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** The memory behind the bytes starts as zero. */
  readonly memoryBytes: number;
}

/** A section; `size` in bytes, `align` a power of two that divides the address. */
export interface ImageSection extends Rights {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly align: number;
  readonly hasBytes: boolean;
}

/** A routine or variable; `size` in bytes. */
export interface ImageSymbol {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly kind: "function" | "object";
  readonly section: string;
  /** Of variables of the assembler's own images: the type's name; that of a struct is in `structs`. */
  readonly type?: string;
}

/** From `address` on, code comes from this source line. */
export interface ImageLine extends SourcePosition {
  readonly address: number;
  readonly routine: string;
}

/** A zero-byte label in a routine, for probes. */
export interface ImageMark {
  /** routine:mark */
  readonly name: string;
  readonly address: number;
  readonly locals: readonly MarkedLocal[];
}

/** A local at a mark: in a register by its 64-bit name, or in memory at sp + stackOffset. */
export interface MarkedLocal {
  readonly name: string;
  readonly register?: string;
  readonly stackOffset?: number;
}

/** What the per-CPU symbols depend on. */
export interface PerCpuLayout {
  readonly cpus: number;
  readonly perCpuStride: number;
  readonly perCpuRoots: readonly PerCpuSymbol[];
}

/** Neighbouring sections of equal rights become one segment; memory without bytes comes last in it. */
export function segmentsOf(sections: readonly LinkedSection[]): ImageSegment[] {
  const segments: ImageSegment[] = [];
  let open: LinkedSection[] = [];
  const close = (): void => {
    const [first] = open;
    const last = open.at(-1);
    if (first === undefined || last === undefined) return;
    const withBytes = open.filter(({ bytes }) => bytes !== undefined).at(-1);
    const bytes = new Uint8Array(withBytes === undefined ? 0 : withBytes.address + withBytes.size - first.address);
    for (const section of open)
      if (section.bytes !== undefined) bytes.set(section.bytes, section.address - first.address);
    const { readable, writable, executable, address } = first;
    segments.push({ address, bytes, memoryBytes: last.address + last.size - address, readable, writable, executable });
    open = [];
  };
  for (const section of sections) {
    const previous = open.at(-1);
    const follows =
      previous !== undefined &&
      section.address >= previous.address &&
      section.address - previous.address - previous.size < PAGE_BYTES;
    const isAlike = previous?.writable === section.writable && previous.executable === section.executable;
    const bytesAfterZero = previous?.bytes === undefined && section.bytes !== undefined;
    const startsFresh =
      section.bytes === undefined && previous?.bytes !== undefined && section.address % PAGE_BYTES === 0;
    if (!follows || !isAlike || bytesAfterZero || startsFresh) close();
    open.push(section);
  }
  close();
  return segments;
}

export function symbolsOf(collected: Collected, linked: Linked, options: PerCpuLayout): ImageSymbol[] {
  const symbols: ImageSymbol[] = linked.units.map(({ unit, address, section }) => ({
    name: unit.symbol.name,
    address,
    size: unit.kind === "code" ? unit.code.bytes.length : unit.size,
    kind: unit.kind === "code" ? "function" : "object",
    section,
    ...(unit.kind === "data" && { type: typeName(unit.type) }),
  }));
  const { perCpuStart } = linked;
  if (perCpuStart !== 0) {
    const size = options.cpus * options.perCpuStride;
    symbols.push({ name: PER_CPU_START.name, address: perCpuStart, size, kind: "object", section: ".percpu" });
    for (const variable of checkedPerCpu([...collected.perCpu, ...options.perCpuRoots], options.perCpuStride)) {
      const address = perCpuStart + variable.offset;
      const { name, type } = variable;
      const section = ".percpu";
      symbols.push({ name, address, size: type.bytes, kind: "object", section, type: typeName(type) });
    }
  }
  return symbols.sort(
    (one, other) => one.address - other.address || other.size - one.size || compareText(one.name, other.name),
  );
}

function typeName(type: FieldType): string {
  return (type as { readonly name: string }).name;
}

/** Variables in offset order, once it is known that they fit the block and do not overlap. */
function checkedPerCpu(variables: readonly PerCpuSymbol[], stride: number): PerCpuSymbol[] {
  const sorted = [...new Set(variables)].sort(
    (one, other) => one.offset - other.offset || compareText(one.name, other.name),
  );
  sorted.forEach((variable, i) => {
    const end = variable.offset + variable.type.bytes;
    const next = sorted[i + 1];
    if (end > stride)
      throw invalid(`per-CPU variable ${variable.name} ends behind the block`, {
        value: end,
        allowed: `up to ${stride}`,
      });
    if (next !== undefined && end > next.offset)
      throw invalid(`per-CPU variables ${variable.name} and ${next.name} overlap`, {
        value: next.offset,
        allowed: `from ${end} on`,
      });
  });
  return sorted;
}

export function uniqueNames(symbols: readonly ImageSymbol[]): Map<string, ImageSymbol> {
  const byName = new Map<string, ImageSymbol>();
  for (const symbol of symbols) {
    if (byName.has(symbol.name))
      throw invalid("two symbols of one name in an image", { value: symbol.name, allowed: "different names" });
    byName.set(symbol.name, symbol);
  }
  return byName;
}

export function marksOf(linked: Linked, architecture: Architecture): ImageMark[] {
  const registerName = (number: number): string =>
    architecture === "x86-64" ? gpr(number, 64).name : armGpr(number, 64).name;
  const describe = ({ name, register, stackOffset }: LocalPlace): MarkedLocal =>
    register !== undefined ? { name, register: registerName(register) } : { name, stackOffset: stackOffset ?? 0 };
  const marks = linked.units.flatMap(({ unit, address }) =>
    unit.kind === "data"
      ? []
      : unit.code.marks.map(({ offset, item }) => ({
          name: `${unit.symbol.name}:${item.name}`,
          address: address + offset,
          locals: item.locals.map(describe),
        })),
  );
  const names = new Set<string>();
  for (const { name } of marks) {
    if (names.has(name))
      throw invalid("two marks of one name in a routine", { value: name, allowed: "different names" });
    names.add(name);
  }
  return marks.sort((one, other) => one.address - other.address);
}

export function linesOf({ code, symbol, source }: CodeUnit, address: number, positions: PositionTable): ImageLine[] {
  const table = positions[symbol.name];
  const positionOf = (mark: SourceMark, ordinal: number): SourcePosition | undefined =>
    table?.[ordinal] ?? mark.position;
  return code.lines.flatMap(({ offset, item }) => {
    // Entry 0 of a recorded table is the declaration, statement n is entry n + 1.
    const position = item === undefined ? positionOf(source, 0) : positionOf(item.source, item.ordinal + 1);
    return position === undefined ? [] : [{ ...position, address: address + offset, routine: symbol.name }];
  });
}

export function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
