// Types and values of tests: C's integer types, numbers in any of their spellings, and what a register's bits are shown as.

import { litmusMistake } from "./failure.ts";
import type { Token } from "./source.ts";
import type { ValueType } from "./test.ts";

const TYPES: Readonly<Record<string, readonly [bits: ValueType["bits"], isSigned: boolean]>> = {
  char: [8, true], short: [16, true], int: [32, true], long: [64, true],
  int8_t: [8, true], int16_t: [16, true], int32_t: [32, true], int64_t: [64, true], intptr_t: [64, true],
  uint8_t: [8, false], uint16_t: [16, false], uint32_t: [32, false], uint64_t: [64, false], uintptr_t: [64, false],
}; // prettier-ignore

export const INT: ValueType = { name: "int", bits: 32, isSigned: true };
export const ADDRESS: ValueType = { name: "address", bits: 64, isSigned: true };

export function typeNamed(token: Token): ValueType {
  const found = TYPES[token.text];
  if (found === undefined) throw litmusMistake("no such type", token.place, token.text, Object.keys(TYPES).join(" "));
  return { name: token.text, bits: found[0], isSigned: found[1] };
}

export function numberOf({ text }: Token): bigint {
  return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
}

/**
 * A number as its type shows it. Without a type, C's `int` is meant: what fits 32 bits is one, whether it was extended with zeros
 * (as a write to W0 or EAX does) or with its sign; anything else is a signed number of 64 bits.
 */
export function shownNumber(bits: bigint, type: ValueType | undefined): bigint {
  if (type !== undefined) return type.isSigned ? BigInt.asIntN(type.bits, bits) : BigInt.asUintN(type.bits, bits);
  const word = BigInt.asUintN(64, bits);
  return word >> 32n === 0n ? BigInt.asIntN(32, word) : BigInt.asIntN(64, word);
}
