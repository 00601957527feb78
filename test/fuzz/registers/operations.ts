// Operations that programs are made of: each kind with how often it comes, and the values that registers are written with.

import type { Random } from "../../support/random.ts";

export interface Kind<Program> {
  /** How often it comes, among the others of its list. */
  readonly weight: number;
  /** Puts one operation into the program. */
  readonly emit: (program: Program, random: Random) => void;
}

/** What a target draws its operations from. */
export interface Repertoire<Program> {
  readonly usual: readonly Kind<Program>[];
  /** What may end the machine or take a CPU out of it for good: power, resets, what isn't modelled. */
  readonly reckless: readonly Kind<Program>[];
}

/** Percent of the operations of an input that are reckless: mostly none, or hardly any, since one ends all. */
const recklessness = [0, 0, 0, 0, 1, 1, 4, 20] as const;

export function drawRecklessness(random: Random): number {
  return random.pick(recklessness);
}

export function emitOne<Program>(
  { usual, reckless }: Repertoire<Program>,
  program: Program,
  random: Random,
  recklessPercent: number,
): void {
  weighted(random, random.chance(recklessPercent) ? reckless : usual).emit(program, random);
}

function weighted<Program>(random: Random, kinds: readonly Kind<Program>[]): Kind<Program> {
  let at = random.between(0, kinds.reduce((sum, { weight }) => sum + weight, 0) - 1);
  return kinds.find(({ weight }) => (at -= weight) < 0) as Kind<Program>;
}

const edges = [
  0n,
  1n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x7fff_ffff_ffffn,
  0x8000_0000_0000n,
  0xffff_7fff_ffff_ffffn,
  0xffff_8000_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0xffff_ffff_ffff_fffen,
  0xffff_ffff_ffff_ffffn,
] as const;

/** Any 64 bits: small numbers, single bits, edges, 32 and 64 random bits. */
export function someWord(random: Random): bigint {
  switch (random.between(0, 7)) {
    case 0:
    case 1:
      return BigInt(random.between(0, 255));
    case 2:
      return 1n << BigInt(random.between(0, 63));
    case 3:
      return BigInt.asUintN(64, ~(1n << BigInt(random.between(0, 63))));
    case 4:
      return random.pick(edges);
    case 5:
      return (BigInt(random.next()) << 32n) | BigInt(random.next());
    default:
      return BigInt(random.next());
  }
}

/** Mostly one of the values that make sense, now and then with a bit changed, or any. */
export function plausible(random: Random, values: readonly (number | bigint)[]): bigint {
  if (values.length === 0 || random.chance(15)) return someWord(random);
  const value = BigInt(random.pick(values));
  return random.chance(15) ? value ^ (1n << BigInt(random.between(0, 63))) : value;
}
