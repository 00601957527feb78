// Types of guest memory and guest values: scalars, pointers, arrays, structs, code addresses, and their layout.
//
// The layout rules are those of both C ABIs (System V x86-64 section 3.1.2, AAPCS64 section 5): natural alignment, fields in
// declaration order, a struct padded to its own alignment. They agree for every type that exists here.

import type { AllstopError } from "../errors.ts";
import { invalid } from "./failure.ts";

/** Numbers in memory: width in bits, u unsigned, i signed (two's complement), little-endian. */
export type ScalarName = "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "u64" | "i64";

/** The types a value in a register can have; narrower ones exist only in memory. */
export type ValueName = "u32" | "i32" | "u64" | "i64";

/** What a load of a memory scalar yields: 8 and 16 bits promote to 32, as in C. */
export type Promoted<N extends ScalarName> = N extends "u8" | "u16" ? "u32" : N extends "i8" | "i16" ? "i32" : N;

/** A number of `bytes` bytes, aligned to as many. */
export interface ScalarType<N extends ScalarName = ScalarName> {
  readonly kind: "scalar";
  readonly name: N;
  readonly bytes: number;
  readonly align: number;
  readonly signed: boolean;
}

/** A pointer to data. `to` may be a struct, a scalar, another pointer, `code`, an array or `opaque`. */
export interface PointerType<T = unknown> {
  readonly kind: "pointer";
  readonly name: string;
  readonly bytes: 8;
  readonly align: 8;
  readonly to: T;
}

/** The address of a routine. */
export interface CodeType {
  readonly kind: "code";
  readonly name: "code";
  readonly bytes: 8;
  readonly align: 8;
}

/** `count` elements without gaps; `bytes` is their total. */
export interface ArrayType<E = unknown> {
  readonly kind: "array";
  readonly name: string;
  readonly bytes: number;
  readonly align: number;
  readonly element: E;
  readonly count: number;
}

/** Pointee of a pointer that is only passed on or cast. */
export interface OpaqueType {
  readonly kind: "opaque";
  readonly name: "opaque";
}

/** Stands for the struct being declared, inside its own field list. */
export interface SelfType {
  readonly kind: "self";
  readonly name: "self";
}

/** The result type of a routine that returns nothing. */
export interface NothingType {
  readonly kind: "nothing";
  readonly name: "nothing";
}

/** Fields by name, in the order in which they lie. */
export type Fields = Readonly<Record<string, FieldType>>;

/** Names of a struct and of the structs it extends, as keys: makes struct types nominal, and an extension usable as its base. */
export type Lineage = Readonly<Record<string, true>>;

/** A struct laid out by the rules of both C ABIs; `offsets` holds bytes from its start by field name. */
export interface StructType<L extends Lineage = Lineage, F extends Fields = Fields> {
  readonly kind: "struct";
  readonly name: string;
  readonly bytes: number;
  readonly align: number;
  readonly fields: F;
  readonly lineage: L;
  readonly offsets: ReadonlyMap<string, number>;
  readonly base: AnyStruct | undefined;
}

// Fields are left unconstrained here: a constraint of `Fields` would make the type refer to itself.
/** Any struct, whatever its fields. */
export interface AnyStruct {
  readonly kind: "struct";
  readonly name: string;
  readonly bytes: number;
  readonly align: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly lineage: Lineage;
  readonly offsets: ReadonlyMap<string, number>;
  readonly base: AnyStruct | undefined;
}

/** What a pointer may point to. */
export type Pointee = ScalarType | PointerType | CodeType | ArrayType | AnyStruct | OpaqueType;
/** What may lie in memory: types with a size. */
export type FieldType = ScalarType | PointerType | CodeType | ArrayType | AnyStruct;
/** What fits a register: parameters, results and locals. */
export type ValueType = ScalarType<ValueName> | PointerType | CodeType;
/** What a routine may return. */
export type ResultType = ValueType | NothingType;
/** What one load or store moves. */
export type CellType = ScalarType | PointerType | CodeType;

function scalar<N extends ScalarName>(name: N): ScalarType<N> {
  const bytes = Number(name.slice(1)) / 8;
  return Object.freeze({ kind: "scalar", name, bytes, align: bytes, signed: name.startsWith("i") });
}

/** Unsigned, 8 bits, 0 to 255; only in memory, a load yields u32. */
export const u8 = scalar("u8");
/** Signed, 8 bits, -128 to 127; only in memory, a load yields i32. */
export const i8 = scalar("i8");
/** Unsigned, 16 bits; only in memory, a load yields u32. */
export const u16 = scalar("u16");
/** Signed, 16 bits; only in memory, a load yields i32. */
export const i16 = scalar("i16");
/** Unsigned, 32 bits, 0 to 2^32 - 1. */
export const u32 = scalar("u32");
/** Signed, 32 bits, -2^31 to 2^31 - 1. */
export const i32 = scalar("i32");
/** Unsigned, 64 bits; constants beyond 2^53 are bigints. */
export const u64 = scalar("u64");
/** Signed, 64 bits; constants beyond 2^53 are bigints. */
export const i64 = scalar("i64");
/** The address of a routine, 8 bytes. */
export const code: CodeType = Object.freeze({ kind: "code", name: "code", bytes: 8, align: 8 });
/** What a pointer of unknown type points to, as `void` in C. */
export const opaque: OpaqueType = Object.freeze({ kind: "opaque", name: "opaque" });
/** In a field `ptr(self)`: the struct that is being declared. */
export const self: SelfType = Object.freeze({ kind: "self", name: "self" });
/** The result of a routine that returns none. */
export const nothing: NothingType = Object.freeze({ kind: "nothing", name: "nothing" });

/** A pointer, 8 bytes. */
export function ptr<T extends Pointee | SelfType>(to: T): PointerType<T> {
  return { kind: "pointer", name: `ptr(${to.name})`, bytes: 8, align: 8, to };
}

/**
 * An array of `count` elements, 0 or more; 0 stands for memory of unknown length.
 * @throws ASSEMBLY_INVALID for an impossible count
 */
export function array<E extends FieldType>(element: E, count: number): ArrayType<E> {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw invalid("array with an impossible length", { value: count, allowed: "an integer, 0 or more" });
  }
  const bytes = element.bytes * count;
  return { kind: "array", name: `${element.name}[${count}]`, bytes, align: element.align, element, count };
}

/** What a struct's author knows of its layout, checked when it is declared. */
export interface StructOptions<F> {
  /** Expected size in bytes; a difference throws. */
  readonly size?: number;
  /** Expected offsets in bytes; a difference throws. */
  readonly at?: { readonly [K in keyof F]?: number };
  /** Offsets that leave a gap before the field, for layouts with reserved words. */
  readonly place?: { readonly [K in keyof F]?: number };
  /** Alignment of the whole struct, if larger than that of its fields. */
  readonly align?: number;
}

/** Declares a struct. Sizes and offsets that differ from the expected ones throw when the module is loaded. */
export function struct<const N extends string, F extends Fields>(
  name: N,
  fields: F,
  options: StructOptions<F> = {},
): StructType<Readonly<Record<N, true>>, F> {
  const lineage = { [name]: true } as Readonly<Record<N, true>>;
  return layOut(name, lineage, undefined, fields, options);
}

/** Declares a struct that starts with all fields of `base`; a pointer to it may be passed where one to `base` is expected. */
export function extend<L extends Lineage, B extends Fields, const N extends string, F extends Fields>(
  base: StructType<L, B>,
  name: N,
  fields: F,
  options: StructOptions<B & F> = {},
): StructType<L & Readonly<Record<N, true>>, B & F> {
  for (const field of Object.keys(fields)) {
    if (base.offsets.has(field))
      throw invalid(`struct ${name} repeats the field ${field} of ${base.name}`, {
        value: field,
        allowed: "names that the base does not have",
      });
  }
  const lineage = { ...base.lineage, [name]: true } as L & Readonly<Record<N, true>>;
  return layOut(name, lineage, base, { ...base.fields, ...fields }, options);
}

function layOut<L extends Lineage, F extends Fields>(
  name: string,
  lineage: L,
  base: AnyStruct | undefined,
  fields: F,
  options: StructOptions<F>,
): StructType<L, F> {
  const offsets = new Map<string, number>();
  const placed: Readonly<Record<string, number | undefined>> = options.place ?? {};
  let end = 0;
  let align = options.align ?? 1;
  for (const [field, type] of Object.entries(fields)) {
    const natural = roundUp(end, type.align);
    const offset = placed[field] ?? natural;
    if (offset < natural || offset % type.align !== 0) {
      throw invalid(`struct ${name} can't place ${field} there`, {
        value: offset,
        allowed: `multiples of ${type.align} from ${natural}`,
      });
    }
    offsets.set(field, offset);
    end = offset + type.bytes;
    align = Math.max(align, type.align);
  }
  const bytes = roundUp(end, align);
  checkLayout(name, offsets, bytes, options.at ?? {}, options.size);
  return { kind: "struct", name, bytes, align, fields, lineage, offsets, base };
}

function checkLayout(
  name: string,
  offsets: ReadonlyMap<string, number>,
  bytes: number,
  expected: Readonly<Record<string, number | undefined>>,
  size: number | undefined,
): void {
  for (const [field, offset] of Object.entries(expected)) {
    if (offsets.get(field) !== offset) {
      throw invalid(`struct ${name} has ${field} at ${offsets.get(field)}, not at ${offset}`, {
        value: offset,
        allowed: String(offsets.get(field)),
      });
    }
  }
  if (size !== undefined && size !== bytes)
    throw invalid(`struct ${name} has ${bytes} bytes, not ${size}`, { value: size, allowed: String(bytes) });
}

/** Byte offset of a field. */
export function offsetOf<F extends Fields>(type: StructType<Lineage, F>, field: keyof F & string): number {
  const offset = type.offsets.get(field);
  if (offset === undefined) throw noField(type, field);
  return offset;
}

/** The error for a field that a struct does not have. */
export function noField({ name, offsets }: AnyStruct, field: string, where = ""): AllstopError {
  return invalid(`${where}struct ${name} has no field ${field}`, {
    value: field,
    allowed: [...offsets.keys()].join(", "),
  });
}

/** True if a pointer to `given` may stand where one to `wanted` is expected. */
export function pointsTo(given: unknown, wanted: unknown): boolean {
  const from = given as Pointee;
  const to = wanted as Pointee;
  if (from === to || to.kind === "opaque") return true;
  if (from.kind === "struct" && to.kind === "struct") return from.base !== undefined && pointsTo(from.base, to);
  if (from.kind === "array" && to.kind === "array") return from.name === to.name && pointsTo(from.element, to.element);
  if (from.kind === "pointer" && to.kind === "pointer") return pointsTo(from.to, to.to);
  return from.kind === to.kind && from.kind !== "struct" && from.name === to.name;
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

export function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && Math.log2(value) % 1 === 0;
}
