// Machine code of one routine while it is written: bytes, labels, branches whose length is not known yet, relocations, marks, lines.
//
// Positions are kept as (byte offset without the unsized items, number of unsized items before), so that growing a branch moves
// everything behind it. Relaxation starts with the shortest form and only grows, so it ends.

import { invalid, reportedPlace, reportingAt, unreachable } from "./failure.ts";
import type { MistakePlace } from "./failure.ts";
import type { Callable } from "./record/callable.ts";
import type { DataSymbol } from "./record/data.ts";

/** The blocks of all CPUs: a symbol that exists once per image. */
export const PER_CPU_START = { kind: "perCpuStart", name: "__per_cpu_start" } as const;
/** A value of an assembly text that is known when everything has its place; never part of an image. */
export interface DeferredSymbol {
  readonly kind: "deferred";
  /** The expression as it was written. */
  readonly name: string;
  /** Its value for a field at that address to which the addend is added. */
  value(place: number, addend: number): number;
}
/** What an instruction can refer to before it has an address. */
export type LinkSymbol = Callable | DataSymbol | typeof PER_CPU_START | DeferredSymbol;

/** How the linker writes an address into the code. AArch64 names are those of the ELF ABI (AAELF64), shortened. */
export type RelocationKind =
  | "pc32"
  | "abs8"
  | "abs16"
  | "abs32signed"
  | "abs32"
  | "abs64"
  | "call26"
  | "adrPage21"
  | "addLow12"
  | "load8Low12"
  | "load16Low12"
  | "load32Low12"
  | "load64Low12";

export interface Relocation {
  readonly offset: number;
  readonly kind: RelocationKind;
  readonly symbol: LinkSymbol;
  readonly addend: number;
}

/** A number of a label inside one routine. */
export type Label = number;

export interface Located<T> {
  readonly offset: number;
  readonly item: T;
}

/** The finished code of one routine. `line` items are the statements that produced the bytes from there on. */
export interface Code<Line = unknown, Mark = unknown> {
  readonly bytes: Uint8Array;
  readonly relocations: readonly Relocation[];
  readonly lines: readonly Located<Line>[];
  readonly marks: readonly Located<Mark>[];
  /** Ranges of data between the instructions. */
  readonly data: readonly { readonly start: number; readonly end: number }[];
  readonly labels: ReadonlyMap<string, number>;
}

interface Position {
  readonly offset: number;
  readonly items: number;
}

/** A place relative to a label: fixed only when everything is. */
interface Derived {
  readonly from: Label;
  readonly distance: number;
}

/** A piece whose length depends on where things end up. */
type UnsizedItem =
  | {
      readonly kind: "branch";
      readonly offset: number;
      readonly label: Label;
      /** Instruction bytes before the displacement. */
      readonly short: readonly number[] | undefined;
      readonly long: readonly number[];
      isLong: boolean;
    }
  | {
      readonly kind: "align";
      readonly offset: number;
      readonly multiple: number;
      readonly fill: number;
      length: number;
    }
  | { readonly kind: "padTo"; readonly offset: number; readonly target: number; readonly fill: number; length: number };

/** A place whose bytes depend on where a label ends up. */
interface LabelFixup {
  readonly at: Position;
  readonly label: Label;
  /** Whose mistake it is when the bytes can't hold it. */
  readonly place: MistakePlace | undefined;
  readonly apply: (bytes: DataView, at: number, target: number) => void;
}

const INITIAL_BYTES = 256;

export class CodeBuffer {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  readonly #labels: (Position | Derived | undefined)[] = [];
  readonly #names = new Map<string, Label>();
  readonly #items: UnsizedItem[] = [];
  readonly #fixups: LabelFixup[] = [];
  readonly #relocations: { at: Position; kind: RelocationKind; symbol: LinkSymbol; addend: number }[] = [];
  readonly #lines: { at: Position; item: unknown }[] = [];
  readonly #marks: { at: Position; item: unknown }[] = [];
  readonly #data: { start: Position; end: Position }[] = [];

  protected byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow();
    this.#bytes[this.#length++] = value;
  }

  protected word32(value: number): void {
    if (this.#length + 4 > this.#bytes.length) this.#grow();
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  #grow(): void {
    const larger = new Uint8Array(this.#bytes.length * 2);
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  /** Offset of the next byte, as long as no unsized item has been written. */
  protected get fixedOffset(): number {
    return this.#length;
  }

  #here(): Position {
    return { offset: this.#length, items: this.#items.length };
  }

  // --- labels -------------------------------------------------------------------------------------------------------------------

  newLabel(): Label {
    return this.#labels.push(undefined) - 1;
  }

  /** A label at a distance from the start, before it or behind the end, too. */
  labelAt(offset: number): Label {
    return this.#labels.push({ offset, items: 0 }) - 1;
  }

  /** A label at a distance from another one. */
  labelBehind(from: string | Label, distance: number): Label {
    return this.#labels.push({ from: this.named(from), distance }) - 1;
  }

  /** Puts a label here. */
  place(label: Label): this {
    if (this.#labels[label] !== undefined)
      throw invalid("a label is placed twice", { value: this.#nameOf(label), allowed: "one place" });
    this.#labels[label] = this.#here();
    return this;
  }

  /** Puts a named label here. */
  label(name: string): this {
    return this.place(this.named(name));
  }

  /** The label of that name, before or after it is placed. */
  named(name: string | Label): Label {
    if (typeof name === "number") return name;
    let label = this.#names.get(name);
    if (label === undefined) {
      label = this.newLabel();
      this.#names.set(name, label);
    }
    return label;
  }

  /** Where a label stands, if it does and only the first `unsized` lengths before it are not known yet. */
  placeOf(name: string): { readonly offset: number; readonly unsized: number } | undefined {
    const label = this.#names.get(name);
    const position = label === undefined ? undefined : this.#labels[label];
    if (position === undefined || "from" in position) return undefined;
    return { offset: position.offset, unsized: position.items };
  }

  #nameOf(label: Label): string {
    for (const [name, number] of this.#names) if (number === label) return name;
    return `#${label}`;
  }

  // --- what the linker and the tables need --------------------------------------------------------------------------------------

  protected relocate(kind: RelocationKind, symbol: LinkSymbol, addend: number): void {
    this.#relocations.push({ at: this.#here(), kind, symbol, addend });
  }

  protected fixup(label: string | Label, apply: LabelFixup["apply"]): void {
    this.#fixups.push({ at: this.#here(), label: this.named(label), place: reportedPlace(), apply });
  }

  /** The last bytes, as many as the kind writes, hold the value of a symbol. */
  holds(kind: "abs8" | "abs16" | "abs32" | "abs32signed" | "abs64", symbol: LinkSymbol): this {
    const bytes = { abs8: 1, abs16: 2, abs32: 4, abs32signed: 4, abs64: 8 }[kind];
    const { offset, items } = this.#here();
    this.#relocations.push({ at: { offset: offset - bytes, items }, kind, symbol, addend: 0 });
    return this;
  }

  /** The bytes from here on belong to `item`. */
  line(item: unknown): void {
    this.#lines.push({ at: this.#here(), item });
  }

  /** A zero-byte label "routine:name" that a host can put a probe on. */
  mark(name: string): this {
    this.markHere({ name, locals: [] });
    return this;
  }

  markHere(item: unknown): void {
    this.#marks.push({ at: this.#here(), item });
  }

  // --- data between instructions ------------------------------------------------------------------------------------------------

  /** Marks what `write` emits as data for disassemblers. */
  protected asData(write: () => void): this {
    const start = this.#here();
    write();
    this.#data.push({ start, end: this.#here() });
    return this;
  }

  bytes(...values: readonly (number | readonly number[] | Uint8Array)[]): this {
    return this.asData(() => {
      for (const value of values) {
        if (typeof value === "number") this.byte(value & 0xff);
        else for (const one of value) this.byte(one & 0xff);
      }
    });
  }
  data16(value: number): this {
    return this.bytes(value, value >>> 8);
  }
  data32(value: number): this {
    return this.asData(() => {
      this.word32(value >>> 0);
    });
  }
  data64(value: bigint | number): this {
    const pattern = BigInt.asUintN(64, BigInt(value));
    return this.asData(() => {
      this.word32(Number(pattern & 0xffff_ffffn));
      this.word32(Number(pattern >> 32n));
    });
  }
  /** The address of a symbol, 8 bytes. */
  address64(symbol: LinkSymbol, addend = 0): this {
    return this.asData(() => {
      this.relocate("abs64", symbol, addend);
      this.word32(0);
      this.word32(0);
    });
  }
  /** The address of a symbol, 4 bytes; the image must lie below 4 GiB. */
  address32(symbol: LinkSymbol, addend = 0): this {
    return this.asData(() => {
      this.relocate("abs32", symbol, addend);
      this.word32(0);
    });
  }
  /** base + (label - start of this routine), for code that runs at another address than it is linked at. */
  labelOffset16(label: string | Label, base = 0): this {
    return this.asData(() => {
      this.fixup(label, (view, at, target) => {
        view.setUint16(at, checkRange(target + base, 0, 0xffff, "16-bit label offset"), true);
      });
      this.byte(0);
      this.byte(0);
    });
  }
  labelOffset32(label: string | Label, base = 0): this {
    return this.asData(() => {
      this.fixup(label, (view, at, target) => {
        view.setUint32(at, target + base, true);
      });
      this.word32(0);
    });
  }
  /** Signed distance from the end of these bytes to a label: displacement of a 16- or 32-bit branch given as raw bytes. */
  relative8(label: string | Label): this {
    return this.asData(() => {
      this.fixup(label, (view, at, target) => {
        view.setInt8(at, checkRange(target - at - 1, -0x80, 0x7f, "8-bit displacement"));
      });
      this.byte(0);
    });
  }
  relative16(label: string | Label): this {
    return this.asData(() => {
      this.fixup(label, (view, at, target) => {
        view.setInt16(at, checkRange(target - at - 2, -0x8000, 0x7fff, "16-bit displacement"), true);
      });
      this.byte(0);
      this.byte(0);
    });
  }
  relative32(label: string | Label): this {
    return this.asData(() => {
      this.fixup(label, (view, at, target) => {
        view.setInt32(at, target - at - 4, true);
      });
      this.word32(0);
    });
  }

  // --- items without a size -----------------------------------------------------------------------------------------------------

  protected branchItem(label: Label, short: readonly number[] | undefined, long: readonly number[]): void {
    const isLong = short === undefined;
    this.#items.push({ kind: "branch", offset: this.#length, label, short, long, isLong });
  }

  protected alignItem(multiple: number, fill: number): void {
    this.#items.push({ kind: "align", offset: this.#length, multiple, fill, length: 0 });
  }

  protected padItem(target: number, fill: number): void {
    this.#items.push({ kind: "padTo", offset: this.#length, target, fill, length: 0 });
  }

  // --- finishing ----------------------------------------------------------------------------------------------------------------

  finish(): Code {
    const sizes = this.#relax();
    const shift = (at: Position): number => at.offset + (sizes[at.items] ?? 0);
    const bytes = this.#join(sizes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (const { at, label, place, apply } of this.#fixups) {
      reportingAt(place ?? reportedPlace(), () => {
        apply(view, shift(at), this.#target(label, sizes));
      });
    }
    const labels = new Map<string, number>();
    for (const [name, label] of this.#names) labels.set(name, this.#target(label, sizes));
    return {
      bytes,
      labels,
      relocations: this.#relocations.map(({ at, kind, symbol, addend }) => ({
        offset: shift(at),
        kind,
        symbol,
        addend,
      })),
      lines: this.#lines.map(({ at, item }) => ({ offset: shift(at), item })),
      marks: this.#marks.map(({ at, item }) => ({ offset: shift(at), item })),
      data: this.#data.map(({ start, end }) => ({ start: shift(start), end: shift(end) })),
    };
  }

  #target(label: Label, sizes: readonly number[]): number {
    const position = this.#labels[label];
    if (position === undefined)
      throw invalid("a label is used and never placed", {
        value: this.#nameOf(label),
        allowed: "label(name) or place(label)",
      });
    if ("from" in position) return this.#target(position.from, sizes) + position.distance;
    return position.offset + (sizes[position.items] ?? 0);
  }

  /** Lengths of the items, as running sums: entry n is the length of the first n items. */
  #relax(): number[] {
    for (;;) {
      const sums = this.#sums();
      let grew = false;
      this.#items.forEach((item, n) => {
        if (item.kind !== "branch" || item.isLong) return;
        const end = item.offset + (sums[n + 1] ?? 0);
        const distance = this.#target(item.label, sums) - end;
        if (distance < -128 || distance > 127) {
          item.isLong = true;
          grew = true;
        }
      });
      if (!grew) return sums;
    }
  }

  #sums(): number[] {
    const sums = [0];
    let sum = 0;
    for (const item of this.#items) {
      const start = item.offset + sum;
      if (item.kind === "align") item.length = (item.multiple - (start % item.multiple)) % item.multiple;
      else if (item.kind === "padTo") item.length = padding(start, item.target);
      sum += lengthOf(item);
      sums.push(sum);
    }
    return sums;
  }

  #join(sums: readonly number[]): Uint8Array {
    const bytes = new Uint8Array(this.#length + (sums.at(-1) ?? 0));
    let from = 0;
    let to = 0;
    this.#items.forEach((item, n) => {
      bytes.set(this.#bytes.subarray(from, item.offset), to);
      to += item.offset - from;
      from = item.offset;
      if (item.kind === "branch")
        this.#writeBranch(bytes, to, item, this.#target(item.label, sums) - to - lengthOf(item));
      else bytes.fill(item.fill, to, to + item.length);
      to = item.offset + (sums[n + 1] ?? 0);
    });
    bytes.set(this.#bytes.subarray(from, this.#length), to);
    return bytes;
  }

  #writeBranch(bytes: Uint8Array, at: number, item: Extract<UnsizedItem, { kind: "branch" }>, distance: number): void {
    const opcode = item.isLong || item.short === undefined ? item.long : item.short;
    bytes.set(opcode, at);
    const view = new DataView(bytes.buffer);
    if (item.isLong) view.setInt32(at + opcode.length, distance, true);
    else view.setInt8(at + opcode.length, distance);
  }
}

function lengthOf(item: UnsizedItem): number {
  if (item.kind !== "branch") return item.length;
  if (item.isLong) return item.long.length + 4;
  if (item.short === undefined) throw unreachable("a short branch without a short form");
  return item.short.length + 1;
}

function padding(start: number, target: number): number {
  if (start > target)
    throw invalid("code is longer than its slot", { value: start, allowed: `at most ${target} bytes` });
  return target - start;
}

export function checkRange(value: number, low: number, high: number, what: string): number {
  if (value < low || value > high) throw invalid(`${what} out of range`, { value, allowed: `${low} to ${high}` });
  return value;
}
