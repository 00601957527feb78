// Guest data: globals, tables, per-CPU variables, list slots and options of an image.
//
// A symbol carries what the linker needs; the routine author sees its place. Only what is reachable from an image's roots is placed.

import { invalid } from "../failure.ts";
import type {
  ArrayType,
  CodeType,
  FieldType,
  Lineage,
  PointerType,
  ScalarType,
  StructType,
  ValueName,
} from "../types.ts";
import { here } from "../source.ts";
import type { SourceMark } from "../source.ts";
import { array, isPowerOfTwo, opaque, u32, u8 } from "../types.ts";
import type { Callable } from "./callable.ts";
import { checkedConstant, pointedTo } from "./expressions.ts";
import { Face, nodeOf, placeAt, pointerTo, valueOf } from "./faces.ts";
import { nextOrdinal } from "./ordinal.ts";
import type { Address, Expression } from "./tree.ts";
import type { AggregatePlace, AnyPointer, PlaceFor, Pointer, Target, Value } from "./values.ts";

/** Sections a global can lie in; `.rodata` has no write permission, `arena` takes no bytes in the image. */
export type DataSection = "rodata" | "readMostly" | "data" | "arch" | "arena";

/** What a variable may start with; an address is that of a global, a string or a routine. */
export type InitialFor<T> = T extends ScalarType
  ? number | bigint
  : T extends PointerType
    ? AnyPointer | AggregatePlace<unknown> | Target<unknown> | null
    : T extends CodeType
      ? Callable | null
      : T extends ArrayType<infer E>
        ? readonly InitialFor<E>[] | (E extends ScalarType<"u8"> ? string | Uint8Array : never)
        : T extends StructType<Lineage, infer F>
          ? { readonly [K in keyof F]?: InitialFor<F[K]> }
          : never;

/** Where a global lies and what it starts with. */
export interface GlobalOptions<T> {
  readonly initial?: InitialFor<T>;
  /** In bytes; a power of two, not below the type's own. */
  readonly align?: number;
  /** Globals of one group lie next to each other in declaration order, as statics of one kernel source file do. */
  readonly group?: string;
  /** "data" if not given. */
  readonly section?: DataSection;
}

/** Cache lines of both architectures as the kernel assumes them. */
export const LINE_BYTES = 64;

/** A global as the linker sees it. */
export class DataSymbol {
  readonly kind = "data";
  readonly ordinal = nextOrdinal();
  readonly name: string;
  readonly type: FieldType;
  readonly section: DataSection;
  readonly align: number;
  readonly group: string | undefined;
  /** Position of the declaration. */
  readonly source: SourceMark;
  /** Of the type's initial form; checked and encoded when an image is built. */
  readonly initial: unknown;

  constructor(
    name: string,
    type: FieldType,
    options: Omit<GlobalOptions<unknown>, "initial"> & { readonly initial?: unknown },
    source: SourceMark,
  ) {
    const align = options.align ?? type.align;
    if (!isPowerOfTwo(align) || align < type.align) {
      throw invalid(`global ${name} can't be aligned so`, {
        value: align,
        allowed: `powers of two from ${type.align}`,
      });
    }
    this.name = name;
    this.type = type;
    this.source = source;
    this.section = options.section ?? "data";
    this.align = align;
    this.group = options.group;
    this.initial = options.initial;
    if (this.section === "arena" && this.initial !== undefined) {
      throw invalid(`global ${name} lies in the arena, which is zero, and has an initial value`, {
        value: this.section,
        allowed: "another section",
      });
    }
  }
}

/**
 * Declares a variable and returns its place. Its initial value is checked when an image is built.
 * @throws ASSEMBLY_INVALID for an impossible alignment, or an initial value in the arena
 */
export function global<T extends FieldType>(name: string, type: T, options: GlobalOptions<T> = {}): PlaceFor<T, never> {
  return placeAt(symbolAddress(new DataSymbol(name, type, options, here())), type);
}

function symbolAddress(symbol: DataSymbol): Address {
  return { base: { kind: "symbol", symbol }, index: undefined, scale: 1, offset: 0 };
}

/** A constant array in .rodata. */
export function table<E extends FieldType>(
  name: string,
  element: E,
  entries: readonly InitialFor<E>[],
): PlaceFor<ArrayType<E>, never> {
  const type = array(element, entries.length);
  const options = { initial: entries, section: "rodata", align: Math.max(8, element.align) } as const;
  return placeAt(symbolAddress(new DataSymbol(name, type, options, here())), type);
}

/** A text in .rodata, without a terminator unless it holds one. */
export function text(name: string, content: string): Pointer<ScalarType<"u8">> {
  const bytes = new TextEncoder().encode(content);
  const symbol = new DataSymbol(name, array(u8, bytes.length), { initial: bytes, section: "rodata" }, here());
  return pointerTo(symbolAddress(symbol), u8);
}

/** The symbol and offset that an address constant refers to; undefined if the expression is more than that. */
export function symbolicAddress(face: unknown): { symbol: DataSymbol | Callable; offset: number } | undefined {
  if (!(face instanceof Face)) return undefined;
  const node = nodeOf(face);
  const address = node.kind === "address" || node.kind === "load" ? node.address : undefined;
  if (address?.base.kind !== "symbol" || address.index !== undefined) return undefined;
  return { symbol: address.base.symbol, offset: address.offset };
}

// --- per-CPU variables ------------------------------------------------------------------------------------------------------------

/** A variable at a fixed offset of each CPU's block. All per-CPU memory starts as zero. */
export class PerCpuSymbol {
  readonly kind = "perCpu";
  readonly name: string;
  readonly type: FieldType;
  readonly offset: number;

  constructor(name: string, type: FieldType, offset: number) {
    if (
      !Number.isSafeInteger(offset) ||
      offset < 0 ||
      offset % type.align !== 0 ||
      offset + type.bytes > MAXIMUM_STRIDE
    ) {
      throw invalid(`per-CPU variable ${name} can't lie there`, {
        value: offset,
        allowed: `multiples of ${type.align}`,
      });
    }
    this.name = name;
    this.type = type;
    this.offset = offset;
  }
}

/** Largest distance between two CPUs' blocks. */
export const MAXIMUM_STRIDE = 0x100000;

/** A per-CPU variable: `here` is this CPU's instance, `of(cpu)` another one's, `from(base)` that of a block at a known address. */
export interface PerCpu<T> {
  readonly here: PlaceFor<T, never>;
  of(cpu: number | Value<"u32">): PlaceFor<T, never>;
  from(base: AnyPointer): PlaceFor<T, never>;
  readonly symbol: PerCpuSymbol;
}

/** Declares a variable at byte `offset` of the per-CPU block. The word at offset 0 must hold the block's own address on x86-64. */
export function perCpu<T extends FieldType>(name: string, type: T, at: { readonly offset: number }): PerCpu<T> {
  const variable = new PerCpuSymbol(name, type, at.offset);
  const on = (base: Address["base"]): PlaceFor<T, never> =>
    placeAt({ base, index: undefined, scale: 1, offset: variable.offset }, type);
  return {
    symbol: variable,
    here: on({ kind: "thisCpu", variable }),
    of: (cpu) => on({ kind: "otherCpu", variable, cpu: cpuNode(cpu) }),
    from: (base) => placeAt(pointedTo(nodeOf(base), variable.offset), type),
  };
}

/** The start of another CPU's block. */
export function perCpuBlock(cpu: number | Value<"u32">): Pointer<typeof opaque> {
  const base = { kind: "otherCpu", variable: undefined, cpu: cpuNode(cpu) } as const;
  return pointerTo({ base, index: undefined, scale: 1, offset: 0 }, opaque);
}

function cpuNode(cpu: number | Value<"u32">): Expression {
  if (typeof cpu === "number") return { kind: "constant", type: "u64", value: checkedConstant("u32", cpu) };
  const node = nodeOf(cpu);
  if (node.type !== "u32") throw invalid("a CPU number is a u32", { value: node.type });
  return { kind: "convert", type: "u64", operand: node };
}

// --- options and lists of an image --------------------------------------------------------------------------------------------

/** A constant that each image chooses. */
export class ImageOption {
  readonly name: string;
  readonly type: ValueName;
  readonly initial: bigint;

  constructor(name: string, type: ValueName, initial: bigint) {
    this.name = name;
    this.type = type;
    this.initial = initial;
  }
}

const optionNames = new Set<string>();

/** True if some loaded module declares an option of that name. */
export function isOptionName(name: string): boolean {
  return optionNames.has(name);
}

/** A constant that buildImage({ options }) sets by name. A condition on it is decided when the image is built. */
export function imageOption<N extends ValueName>(
  name: string,
  type: ScalarType<N>,
  initial: number | bigint,
): Value<N> {
  const option = new ImageOption(name, type.name, checkedConstant(type.name, initial));
  optionNames.add(name);
  return valueOf({ kind: "option", type: type.name, option }, type) as unknown as Value<N>;
}

/** Number of per-CPU blocks of the image, and the distance between two of them. */
export const CPU_COUNT = new ImageOption("cpus", "u32", 1n);
export const PER_CPU_STRIDE = new ImageOption("perCpuStride", "u32", 16384n);
/** The number of CPUs of the image, as a u32 constant. */
export const cpuCount = optionValue(CPU_COUNT);
/** The distance between two CPUs' blocks, as a u32 constant in bytes. */
export const perCpuStrideBytes = optionValue(PER_CPU_STRIDE);

function optionValue(option: ImageOption): Value<"u32"> {
  return valueOf({ kind: "option", type: "u32", option }, u32);
}

/** An ordered table whose entries each image chooses, for handler lists that guest code walks. */
export class ListSlot<E extends FieldType = FieldType> {
  readonly name: string;
  readonly element: E;
  /** Stands for the table, whose length is known when an image is built. */
  readonly symbol: DataSymbol;
  /** Number of entries, a constant of the image. */
  readonly count: Value<"u32">;
  readonly countOption: ImageOption;

  constructor(name: string, element: E) {
    this.name = name;
    this.element = element;
    this.symbol = new DataSymbol(
      name,
      array(element, 0),
      { section: "rodata", align: Math.max(8, element.align) },
      here(),
    );
    this.countOption = new ImageOption(`${name}.count`, "u32", 0n);
    this.count = optionValue(this.countOption);
  }

  /** The place of entry `index`. */
  at(index: number | Value<"u32"> | Value<"u64">): PlaceFor<E, never> {
    const whole = placeAt(symbolAddress(this.symbol), array(this.element, 0)) as unknown as {
      at(index: unknown): unknown;
    };
    return whole.at(index) as PlaceFor<E, never>;
  }
}

/** Declares a list slot; an image without a binding for it has an empty list. */
export function listSlot<E extends FieldType>(name: string, element: E): ListSlot<E> {
  return new ListSlot(name, element);
}

/** The entries of a list slot in one image. */
export class ListBinding {
  readonly slot: ListSlot;
  readonly entries: readonly unknown[];

  constructor(slot: ListSlot, entries: readonly unknown[]) {
    this.slot = slot;
    this.entries = entries;
  }
}

/**
 * Gives a list slot its entries, in order.
 * @throws ASSEMBLY_INVALID when an image is built, for entries that do not fit
 */
export function bindList<E extends FieldType>(slot: ListSlot<E>, entries: readonly InitialFor<E>[]): ListBinding {
  return new ListBinding(slot, entries);
}
