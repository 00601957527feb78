// The decode cache: instructions are decoded once into fixed-size records, shared by all CPUs and kept per physical page.
//
// Coherence of code. A page that nobody may write is decoded once and for all. Code in a writable page is fetched like
// data: executing it needs the line (FETCH, below), and what was decoded is used only while the bytes are the same. So
// stores to code need no invalidation, and a CPU sees another's store to code when it sees its other stores.

import { Acceleration, PAGE_BYTES, PAGE_EXECUTE, PAGE_RAM, PAGE_SHIFT, PAGE_WRITE, StopReason } from "../../src/abi.ts";
import { machine, reserve, stopMachine } from "../machine.ts";

/** What every decoded instruction of either architecture begins with. */
@unmanaged
export class Decoded {
  /** What the executor dispatches on: one of the special kinds, or the operation. */
  kind: u16;
  /** The instruction proper. */
  operation: u16;
  /** Ticks. */
  cost: u16;
  /** Set of `DecodedFlag`. */
  flags: u16;
}

/** Special kinds; operations of both architectures are numbered from SPECIAL_KINDS on. */
export enum SpecialKind {
  /** Not decoded yet, or never kept: decode, then do `operation`. */
  UNDECODED = 0,
  /** In a writable page: get the line and compare the bytes first. */
  FETCH = 1,
  /** A probe is set here: report it first. */
  PROBE = 2,
  /** Not an instruction: execution has left the page. */
  PAGE_END = 3,
}
export const SPECIAL_KINDS: i32 = 4;

export enum DecodedFlag {
  /** Touches memory that others may touch: may start only before the limit of hits. */
  MEMORY = 1,
  /** Does more than registers and memory: never part of an elided loop. */
  SIDE_EFFECT = 2,
  /** Lies in a writable page. */
  WRITABLE_PAGE = 4,
}

let keeping: bool = true;

export function attachCode(): void {
  keeping = (machine().accelerations & Acceleration.DECODE_CACHE) != 0;
}

export function openCode(poolBytes: u32): bool {
  const m = machine();
  m.codeStart = m.codeNext = reserve(poolBytes, 64);
  if (m.codeStart == 0) return false;
  m.codeEnd = m.codeStart + poolBytes;
  return true;
}

/** Whether decoded instructions are kept at all (Acceleration.DECODE_CACHE). */
// @ts-ignore: decorator
@inline
export function decodesAreKept(): bool {
  return keeping;
}

/** Decoded page of an address, or 0 when there is none yet. */
// @ts-ignore: decorator
@inline
export function codePageAt(address: u64): usize {
  return <usize>load<u32>(machine().codePageTable + ((<usize>(address >>> PAGE_SHIFT)) << 2));
}

/** Makes an empty, zeroed decoded page of `bytes`. When the pool is full, all that was decoded is forgotten first. */
export function openCodePage(address: u64, bytes: usize): usize {
  const page = takeCode(bytes);
  if (page != 0) store<u32>(machine().codePageTable + ((<usize>(address >>> PAGE_SHIFT)) << 2), <u32>page);
  return page;
}

/** Bytes of the pool, zeroed. Callers hold no pointer into the pool across this call. */
export function takeCode(bytes: usize): usize {
  const m = machine();
  const size = (bytes + 31) & ~(<usize>31);
  if (size > m.codeEnd - m.codeNext) {
    forgetCode();
    if (size > m.codeEnd - m.codeNext) {
      stopMachine(StopReason.CODE_POOL_EXHAUSTED, 0, 0, m.now, 0);
      return 0;
    }
  }
  const start = m.codeNext;
  m.codeNext = start + size;
  memory.fill(start, 0, size);
  return start;
}

/** Forgets everything that was decoded: probes have changed, or the pool is full. */
export function forgetCode(): void {
  const m = machine();
  memory.fill(m.codePageTable, 0, (<usize>((m.ramBase + m.ramBytes) >>> PAGE_SHIFT)) << 2);
  m.codeNext = m.codeStart;
  m.codeFlushes++;
}

// @ts-ignore: decorator
@inline
export function mayExecute(page: u32): bool {
  return (page & (PAGE_EXECUTE | PAGE_RAM)) == (PAGE_EXECUTE | PAGE_RAM);
}

// @ts-ignore: decorator
@inline
export function isWritableCode(page: u32): bool {
  return (page & PAGE_WRITE) != 0;
}

/** Sets and returns how a freshly decoded instruction is to be dispatched. */
export function admit(decoded: Decoded, address: u64, page: u32): i32 {
  let kind: i32 = decoded.operation;
  if (isWritableCode(page)) {
    decoded.flags |= <u16>(DecodedFlag.WRITABLE_PAGE | DecodedFlag.MEMORY);
    kind = SpecialKind.FETCH;
  }
  if (hasProbe(address)) kind = SpecialKind.PROBE;
  decoded.kind = <u16>(keeping ? kind : SpecialKind.UNDECODED);
  return kind;
}

/** What to dispatch on for a record that is not kept, or behind a probe. */
// @ts-ignore: decorator
@inline
export function kindBehindProbe(decoded: Decoded): i32 {
  return (decoded.flags & (<u16>DecodedFlag.WRITABLE_PAGE)) != 0 ? SpecialKind.FETCH : <i32>decoded.operation;
}

// --- probes ----------------------------------------------------------------------------------------------------------

/** A probe: address and `Probe` flags; the number is its index. */
export const PROBE_BYTES: usize = 16;

/** Number of the probe at an address, or -1. Probes are few and looked up when code is decoded. */
export function probeAt(address: u64): i32 {
  const m = machine();
  for (let i: u32 = 0; i < m.probeCount; i++) {
    if (load<u64>(m.probes + <usize>i * PROBE_BYTES) == address && probeFlags(i) != 0) return i;
  }
  return -1;
}

export function probeFlags(probe: u32): u32 {
  return load<u32>(machine().probes + <usize>probe * PROBE_BYTES + 8);
}

function hasProbe(address: u64): bool {
  return machine().probeCount != 0 && probeAt(address) >= 0;
}

if (PAGE_BYTES != 4096) ERROR("decoded pages assume 4 KiB");
