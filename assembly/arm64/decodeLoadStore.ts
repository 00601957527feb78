// A64 decoder: loads and stores (Arm ARM DDI 0487 K.a, C4.1.96).

import { Timing } from "../../src/abi.ts";
import { DecodedFlag } from "../memory/code.ts";
import { bits, setOperation, signed, source, stackOr, target } from "./fields.ts";
import { A64, AddressMode, Op } from "./operations.ts";

/** `extra` of loads, stores and pairs: log2 of the size of a register's data in bits 1:0, then these. */
export const ACCESS_SIGNED: u32 = 1 << 2;
/** Sign-extend to 64 bits rather than to 32. */
export const ACCESS_WIDE: u32 = 1 << 3;
/** AddressMode in bits 5:4; for REGISTER the extension option in bits 10:8, and the amount in `immediate`. */
export const ACCESS_MODE_SHIFT: u32 = 4;
export const ACCESS_OPTION_SHIFT: u32 = 8;

/** `extra` of the exclusive accesses, besides the size. */
export const EXCLUSIVE_PAIR: u32 = 1 << 4;
/** Ordered, exclusive and atomic accesses: RCsc acquire (LDAPR has none), release. A store-release has it by its operation. */
export const ORDER_ACQUIRE: u32 = 1 << 12;
export const ORDER_RELEASE: u32 = 1 << 13;

/** Swap, among the atomic operations that `extra` of ATOMIC holds in bits 7:4 (the others are numbered as encoded). */
export const ATOMIC_SWAP: u32 = 8;

export function decodeLoadStore(d: A64, word: u32): void {
  if (bits(word, 26, 26) != 0) return; // Advanced SIMD and floating point: not announced
  d.rd = source(bits(word, 4, 0));
  d.rn = stackOr(bits(word, 9, 5));
  switch (bits(word, 29, 27)) {
    case 0b001:
      if (bits(word, 25, 24) == 0) decodeExclusive(d, word);
      break;
    case 0b011:
      // 01: LDAPUR, STLUR (FEAT_LRCPC2), not announced
      if (bits(word, 25, 24) == 0) decodeLiteral(d, word);
      break;
    case 0b101:
      if (bits(word, 25, 25) == 0) decodePair(d, word);
      break;
    case 0b111:
      if (bits(word, 25, 24) == 1) decodeUnsignedOffset(d, word);
      else if (bits(word, 25, 24) == 0) decodeOtherRegister(d, word);
      break;
    default: // 000, 010, 100: unallocated with V = 0; 110: memory tagging and copies, not announced
      break;
  }
}

function memoryOperation(d: A64, operation: Op, cost: Timing): void {
  setOperation(d, operation, cost);
  d.flags |= <u16>DecodedFlag.MEMORY;
}

// --- exclusive and ordered -------------------------------------------------------------------------------------------

/** An access that must be aligned to its `bytes`, which `immediate` keeps; `extra` begins with log2 of a register's share. */
function alignedOperation(d: A64, operation: Op, cost: Timing, size: u32, bytes: u32): void {
  d.extra |= size;
  d.immediate = <i64>bytes;
  memoryOperation(d, operation, cost);
}

function decodeExclusive(d: A64, word: u32): void {
  const size = bits(word, 31, 30);
  const ordered = bits(word, 23, 23) != 0;
  const pair = bits(word, 21, 21) != 0;
  if (ordered && !pair) decodeOrdered(d, word, size);
  else if (ordered) decodeCompareAndSwap(d, word, size);
  else if (pair && size < 2) decodeCompareAndSwapPair(d, word, size);
  else decodeExclusiveAccess(d, word, size, pair);
}

/** Acquire and release bits of an atomic operation. */
function orderOf(acquire: u32, release: u32): u32 {
  return (acquire != 0 ? ORDER_ACQUIRE : 0) | (release != 0 ? ORDER_RELEASE : 0);
}

/** LDAR, STLR. With bit 15 clear: LDLAR, STLLR (FEAT_LOR), not announced. */
function decodeOrdered(d: A64, word: u32, size: u32): void {
  if (bits(word, 15, 15) == 0) return;
  if (bits(word, 22, 22) != 0) {
    d.rd = target(bits(word, 4, 0));
    d.extra = ORDER_ACQUIRE;
    alignedOperation(d, Op.LOAD_ACQUIRE, Timing.COST_LOAD, size, 1 << size);
  } else {
    alignedOperation(d, Op.STORE_RELEASE, Timing.COST_STORE, size, 1 << size);
  }
}

function decodeCompareAndSwap(d: A64, word: u32, size: u32): void {
  if (bits(word, 14, 10) != 31) return;
  d.rm = source(bits(word, 20, 16));
  d.ra = target(bits(word, 20, 16)); // the compare register receives the old value
  d.extra = orderOf(bits(word, 22, 22), bits(word, 15, 15));
  alignedOperation(d, Op.COMPARE_AND_SWAP, Timing.COST_COMPARE_AND_SWAP, size, 1 << size);
}

/** CASP of two words or doublewords: even register numbers only. */
function decodeCompareAndSwapPair(d: A64, word: u32, size: u32): void {
  if (bits(word, 14, 10) != 31 || bits(word, 16, 16) != 0 || bits(word, 0, 0) != 0) return;
  d.rm = source(bits(word, 20, 16));
  d.extra = orderOf(bits(word, 22, 22), bits(word, 15, 15));
  alignedOperation(d, Op.COMPARE_AND_SWAP_PAIR, Timing.COST_COMPARE_AND_SWAP, size + 2, 8 << size);
}

function decodeExclusiveAccess(d: A64, word: u32, size: u32, pair: bool): void {
  const bytes: u32 = pair ? 2 << size : 1 << size;
  const second = bits(word, 14, 10);
  if (pair) d.extra = EXCLUSIVE_PAIR;
  const isLoad = bits(word, 22, 22) != 0;
  if (bits(word, 15, 15) != 0) d.extra |= isLoad ? ORDER_ACQUIRE : ORDER_RELEASE;
  if (isLoad) {
    d.rd = target(bits(word, 4, 0));
    d.ra = target(second);
    alignedOperation(d, Op.LOAD_EXCLUSIVE, Timing.COST_LOAD, size, bytes);
  } else {
    d.ra = source(second);
    d.rm = target(bits(word, 20, 16)); // status
    alignedOperation(d, Op.STORE_EXCLUSIVE, Timing.COST_ATOMIC, size, bytes);
  }
  d.flags |= <u16>DecodedFlag.SIDE_EFFECT;
}

function decodeAtomic(d: A64, word: u32): void {
  const operation = bits(word, 14, 12);
  const size = bits(word, 31, 30);
  d.rd = target(bits(word, 4, 0));
  d.rm = source(bits(word, 20, 16));
  if (bits(word, 15, 15) == 0) {
    d.extra = (operation << 4) | orderOf(bits(word, 23, 23), bits(word, 22, 22));
    alignedOperation(d, Op.ATOMIC, Timing.COST_ATOMIC, size, 1 << size);
  } else if (operation == 0) {
    d.extra = (ATOMIC_SWAP << 4) | orderOf(bits(word, 23, 23), bits(word, 22, 22));
    alignedOperation(d, Op.ATOMIC, Timing.COST_ATOMIC, size, 1 << size);
  } else if (operation == 4 && bits(word, 23, 22) == 0b10) {
    alignedOperation(d, Op.LOAD_ACQUIRE, Timing.COST_LOAD, size, 1 << size); // LDAPR (FEAT_LRCPC)
  }
}

// --- plain -----------------------------------------------------------------------------------------------------------

/** PRFM: a hint without effect on what is modelled. */
function prefetch(d: A64): void {
  setOperation(d, Op.NOP, Timing.COST_SIMPLE);
}

function decodeLiteral(d: A64, word: u32): void {
  d.rd = target(bits(word, 4, 0));
  d.immediate = signed(bits(word, 23, 5), 19) << 2;
  switch (bits(word, 31, 30)) {
    case 0:
      d.extra = 2;
      break;
    case 1:
      d.extra = 3;
      break;
    case 2:
      d.extra = 2 | ACCESS_SIGNED | ACCESS_WIDE;
      break;
    default:
      prefetch(d);
      return;
  }
  memoryOperation(d, Op.LOAD_LITERAL, Timing.COST_LOAD);
}

function decodePair(d: A64, word: u32): void {
  const size = bits(word, 31, 30);
  const loads = bits(word, 22, 22) != 0;
  const mode = bits(word, 24, 23);
  if (size == 3 || (size == 1 && (!loads || mode == 0))) return;
  const scale: u32 = size == 2 ? 3 : 2;
  d.immediate = signed(bits(word, 21, 15), 7) << scale;
  const addressing = mode == 1 ? AddressMode.POST_INDEX : mode == 3 ? AddressMode.PRE_INDEX : AddressMode.OFFSET;
  if (loads) {
    d.rd = target(bits(word, 4, 0));
    d.ra = target(bits(word, 14, 10));
  } else {
    d.ra = source(bits(word, 14, 10));
  }
  d.extra = scale | (addressing << ACCESS_MODE_SHIFT) | (size == 1 ? ACCESS_SIGNED | ACCESS_WIDE : 0);
  if (!loads) memoryOperation(d, size == 2 ? Op.STORE_PAIR64 : Op.STORE_PAIR32, Timing.COST_STORE);
  else if (size == 1) memoryOperation(d, Op.LOAD_PAIR, Timing.COST_LOAD);
  else memoryOperation(d, size == 2 ? Op.LOAD_PAIR64 : Op.LOAD_PAIR32, Timing.COST_LOAD);
}

/** What size and opc mean for the general-purpose registers; false when unallocated or a prefetch. */
function describeAccess(d: A64, word: u32): bool {
  const size = bits(word, 31, 30);
  switch (bits(word, 23, 22)) {
    case 0:
      d.extra = size;
      setOperation(d, Op.STORE, Timing.COST_STORE);
      return true;
    case 1:
      d.extra = size;
      break;
    case 2:
      if (size == 3) {
        prefetch(d);
        return false;
      }
      d.extra = size | ACCESS_SIGNED | ACCESS_WIDE;
      break;
    default:
      if (size > 1) return false;
      d.extra = size | ACCESS_SIGNED;
      break;
  }
  d.rd = target(bits(word, 4, 0));
  setOperation(d, Op.LOAD, Timing.COST_LOAD);
  return true;
}

function decodeUnsignedOffset(d: A64, word: u32): void {
  if (!describeAccess(d, word)) return;
  d.immediate = <i64>(bits(word, 21, 10) << bits(word, 31, 30));
  finishOffset(d);
}

function finishOffset(d: A64): void {
  finishAccess(d, Op.LOAD64);
}

/** Without sign extension, the addressing modes have operations of their own: eight each, `first` being that of LDR Xt. */
function finishAccess(d: A64, first: Op): void {
  d.flags |= <u16>DecodedFlag.MEMORY;
  if ((d.extra & ACCESS_SIGNED) != 0) return;
  const kind = d.operation == <u16>Op.LOAD ? Op.LOAD64 : Op.STORE64;
  d.operation = <u16>(first + (kind - Op.LOAD64) + (3 - (d.extra & 3)));
}

function decodeOtherRegister(d: A64, word: u32): void {
  const mode = bits(word, 11, 10);
  if (bits(word, 21, 21) != 0) {
    if (mode == 0) decodeAtomic(d, word);
    else if (mode == 2) decodeRegisterOffset(d, word);
    return; // 01, 11: LDRAA, LDRAB (pointer authentication), not announced
  }
  if (!describeAccess(d, word)) {
    // PRFUM is the only prefetch here: the indexed and unprivileged forms are unallocated.
    if (mode != 0) d.operation = <u16>Op.UNDEFINED;
    return;
  }
  d.immediate = signed(bits(word, 20, 12), 9);
  if (mode == 1 || mode == 3) {
    d.extra |= (mode == 1 ? AddressMode.POST_INDEX : AddressMode.PRE_INDEX) << ACCESS_MODE_SHIFT;
    finishAccess(d, Op.LOAD_INDEXED64);
  } else {
    finishOffset(d); // unscaled; unprivileged (LDTR, STTR) equals it at EL1 without EL0
  }
}

function decodeRegisterOffset(d: A64, word: u32): void {
  const option = bits(word, 15, 13);
  if ((option & 2) == 0) return;
  if (!describeAccess(d, word)) return;
  d.rm = source(bits(word, 20, 16));
  const amount = bits(word, 12, 12) != 0 ? bits(word, 31, 30) : 0;
  d.immediate = <i64>amount;
  d.extra |= (AddressMode.REGISTER << ACCESS_MODE_SHIFT) | (option << ACCESS_OPTION_SHIFT);
  finishAccess(d, Op.LOAD_REGISTER64);
}
