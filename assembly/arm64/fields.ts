// Fields of A64 instruction words, and the slots that register numbers stand for.

import { Timing } from "../../src/abi.ts";
import { timing } from "../machine.ts";
import { SINK_SLOT, SP_SLOT, ZERO_SLOT } from "./cpu.ts";
import { A64, Op } from "./operations.ts";

// @ts-ignore: decorator
@inline
export function bits(word: u32, high: u32, low: u32): u32 {
  return (word >>> low) & (((<u32>2) << (high - low)) - 1);
}

/** Sign-extends the low `width` bits. */
// @ts-ignore: decorator
@inline
export function signed(value: u32, width: u32): i64 {
  return ((<i64>value) << (64 - <i64>width)) >> (64 - <i64>width);
}

/** Slot of a source register: 31 reads as zero. */
// @ts-ignore: decorator
@inline
export function source(register: u32): u8 {
  return <u8>register; // ZERO_SLOT is 31
}

/** Slot of a destination register: 31 discards. */
// @ts-ignore: decorator
@inline
export function target(register: u32): u8 {
  return <u8>(register == 31 ? SINK_SLOT : register);
}

/** Slot of a base or of an operand for which 31 means SP. */
// @ts-ignore: decorator
@inline
export function stackOr(register: u32): u8 {
  return <u8>(register == 31 ? SP_SLOT : register);
}

if (ZERO_SLOT != 31) ERROR("source() relies on the slot of XZR");

export function setOperation(decoded: A64, operation: Op, cost: Timing): void {
  decoded.operation = <u16>operation;
  decoded.cost = <u16>timing(cost);
}
