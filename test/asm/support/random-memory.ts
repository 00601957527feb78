// What random routines work on: memory of every type, options, and constants that collide.

import {
  array,
  code,
  i16,
  i32,
  i64,
  i8,
  imageOption,
  perCpu,
  ptr,
  self,
  struct,
  u16,
  u32,
  u64,
  u8,
} from "../../../src/asm/index.ts";
import type { PlaceFor, Pointer, Routine, Value, ValueName } from "../../../src/asm/index.ts";
import type { Random } from "./random.ts";

export const Inner = struct("inner", { low: u32, high: i64, tag: u8 });

/** Memory that a routine works on: every scalar type, arrays, an embedded struct, a pointer to another block. */
export const TestBlock = struct("test_block", {
  a8: u8,
  b8: i8,
  a16: u16,
  b16: i16,
  a32: u32,
  b32: i32,
  a64: u64,
  b64: i64,
  next: ptr(self),
  inner: Inner,
  counter: u32,
  words: array(u32, 8),
  longs: array(i64, 4),
  bytes: array(u8, 8),
  shorts: array(i16, 8),
  inners: array(Inner, 3),
  bits: array(u64, 3),
  handler: code,
});

/** Known only when the image is built; small enough to be an index. */
export const smallOption = imageOption("test_small_option", u32, 3);
export const wideOption = imageOption("test_wide_option", i64, -0x1234_5678_9abcn);

export type Block = Pointer<typeof TestBlock>;
export type Types = "u32" | "i32" | "u64" | "i64";
export const TYPES: readonly Types[] = ["u32", "i32", "u64", "i64"];
export const SCALARS = { u32, i32, u64, i64 } as const;

export const Shared = struct("shared_globals", { u: u32, s: i64, list: array(u64, 4), small: i8 });
export const PerCpuArea = struct("test_percpu", {
  self: u64,
  number: u32,
  counter: u64,
  small: i16,
  list: array(u32, 4),
});

export function perCpuVariable() {
  return perCpu("test_area", PerCpuArea, { offset: 0 });
}

const LIMITS: Readonly<Record<Types, readonly [bigint, bigint]>> = {
  u32: [0n, 0xffff_ffffn],
  i32: [-0x8000_0000n, 0x7fff_ffffn],
  u64: [0n, 0xffff_ffff_ffff_ffffn],
  i64: [-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
};

/** Mostly values that collide with each other and with the edges of immediate fields. */
export function randomConstant(random: Random, type: Types): bigint {
  const [low, high] = LIMITS[type];
  const bits = type.endsWith("32") ? 32 : 64;
  const interesting = [
    0n,
    1n,
    2n,
    3n,
    -1n,
    7n,
    127n,
    128n,
    255n,
    256n,
    4095n,
    4096n,
    0x7fff_ffffn,
    0x8000_0000n,
    0xffff_ffffn,
    low,
    high,
  ];
  const raw = random.chance(0.7) ? random.pick(interesting) : random.bits64() >> BigInt(random.below(63));
  return type.startsWith("i") ? BigInt.asIntN(bits, raw) : BigInt.asUintN(bits, raw);
}

export function randomBlock(random: Random): object {
  const small = (type: Types, count: number): bigint[] =>
    Array.from({ length: count }, () => randomConstant(random, type));
  const inner = (): object => ({
    low: randomConstant(random, "u32"),
    high: randomConstant(random, "i64"),
    tag: random.below(256),
  });
  return {
    a8: random.pick([0, 1, 127, 128, 255]),
    b8: random.pick([0, 1, 127, -128, -1]),
    a16: random.pick([0, 1, 0x7fff, 0x8000, 0xffff]),
    b16: random.pick([0, 1, 0x7fff, -0x8000, -1]),
    a32: randomConstant(random, "u32"),
    b32: randomConstant(random, "i32"),
    a64: randomConstant(random, "u64"),
    b64: randomConstant(random, "i64"),
    inner: inner(),
    counter: random.below(5),
    words: small("u32", 8),
    longs: small("i64", 4),
    bytes: Array.from({ length: 8 }, () => random.below(256)),
    shorts: Array.from({ length: 8 }, () => random.between(-0x8000, 0x7fff)),
    inners: [inner(), inner(), inner()],
    bits: small("u64", 3),
  };
}

export interface Surroundings {
  readonly callees: readonly Routine[];
  readonly shared: PlaceFor<typeof Shared, never>;
  readonly area: ReturnType<typeof perCpuVariable>;
  readonly cpus: number;
}

export interface KnownLocal {
  readonly type: Types;
  readonly value: Value<ValueName>;
  readonly mutable: boolean;
}

/** A value whose type is known only by name; the static one is a stand-in. */
export type AnyValue = Value<"u32">;
