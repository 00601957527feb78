// Where decoded A64 instructions are found: the record of an address, the address of a record, a branch's target.

import { ADDRESS_LIMIT, PAGE_BYTES, PAGE_SHIFT } from "../../src/abi.ts";
import { DecodedFlag, SpecialKind, codePageAt, mayExecute, openCodePage } from "../memory/code.ts";
import { pageAt, ramAt } from "../memory/map.ts";
import { decodeA64 } from "./decode.ts";
import { A64, A64_BYTES } from "./operations.ts";

/** Decoded records of one page, and the marker behind the last. */
const CODE_PAGE_BYTES: usize = (<usize>PAGE_BYTES / 4 + 1) * A64_BYTES;

/** Records are eight times as far apart as instructions. */
const PC_SHIFT: u64 = 3;
if (A64_BYTES != 4 << (<usize>PC_SHIFT)) ERROR("PC_SHIFT relies on A64_BYTES");

/** Record of the instruction at an address, decoded or not; null when nothing can be executed there. */
export function recordAt(pc: u64): usize {
  if (pc >= <u64>ADDRESS_LIMIT || (pc & 3) != 0) return 0;
  let page = codePageAt(pc);
  if (page == 0) {
    if (!mayExecute(pageAt(pc))) return 0;
    page = openCodePage(pc, CODE_PAGE_BYTES);
    if (page == 0) return 0;
    changetype<A64>(page + CODE_PAGE_BYTES - A64_BYTES).kind = <u16>SpecialKind.PAGE_END;
  }
  return page + (((<usize>pc) & (PAGE_BYTES - 1)) >>> 2) * A64_BYTES;
}

/** The decoded instruction at an address, for looking at it; null when nothing can be executed there. */
export function decodedAt(pc: u64): A64 {
  const d = changetype<A64>(recordAt(pc));
  if (changetype<usize>(d) != 0 && d.kind == <u16>SpecialKind.UNDECODED) {
    decodeA64(d, load<u32>(ramAt(pc)), pc, pageAt(pc));
  }
  return d;
}

/** What pcAt() needs to know of the page that holds a record, given one instruction of it. */
// @ts-ignore: decorator
@inline
export function pcBaseOf(record: usize, pc: u64): u64 {
  return pc - ((<u64>record) >>> PC_SHIFT);
}

/** Address of the instruction that a record stands for; `pcBase` belongs to the page. */
// @ts-ignore: decorator
@inline
export function pcAt(record: usize, pcBase: u64): u64 {
  return pcBase + ((<u64>record) >>> PC_SHIFT);
}

/** Whether the instruction touches memory that others may touch; false while it isn't decoded. */
// @ts-ignore: decorator
@inline
export function isMemory(record: usize): bool {
  return (changetype<A64>(record).flags & (<u16>DecodedFlag.MEMORY)) != 0;
}

/**
 * Record of a direct branch's target, which the branch remembers when both lie in one page; null when nothing can be
 * executed there. The first time that a branch is taken comes here, and every time that it leaves its page.
 */
export function branchTarget(d: A64, target: u64): usize {
  const found = recordAt(target);
  if (target >>> PAGE_SHIFT == (target - <u64>d.immediate) >>> PAGE_SHIFT) d.target = <u32>found;
  return found;
}
