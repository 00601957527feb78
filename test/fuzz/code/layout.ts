// Where things stand in a code target's memory, pages counted from the start of RAM.

import { PAGE_BYTES } from "../../../src/abi.ts";
import { PAGE_RW, PAGE_RWX, PAGE_RX } from "../../support/bare-machine.ts";

/** Small, so that it is quickly put back. Page 0 isn't mapped. */
export const RAM_BYTES = 32 * PAGE_BYTES;

/** Routines that set registers, and handlers. */
export const ROUTINES_PAGE = 1;
/** One block of registers for each CPU. */
export const BLOCKS_PAGE = 2;
/** Tables of handlers: IDTs, or exception vectors. */
export const TABLES_PAGE = 3;
export const TABLES = 8;
export const CODE_PAGE = 11;
export const CODE_PAGES = 8;
export const DATA_PAGE = 19;
export const DATA_PAGES = 8;
/** Up to the end of RAM. */
export const REST_PAGE = 27;
export const LAST_PAGE = 31;

export const BLOCK_BYTES = 512;
/** CPUs of an input at most; the page of blocks has room for one thing more. */
export const MOST_STARTS = 7;

export interface Pages {
  readonly page: number;
  readonly pages: number;
  readonly attributes: number;
}

/** What stands where before an input changes it. */
export const pages: readonly Pages[] = [
  { page: ROUTINES_PAGE, pages: 1, attributes: PAGE_RX },
  { page: BLOCKS_PAGE, pages: 1, attributes: PAGE_RW },
  { page: TABLES_PAGE, pages: TABLES, attributes: PAGE_RWX },
  { page: CODE_PAGE, pages: CODE_PAGES, attributes: PAGE_RWX },
  { page: DATA_PAGE, pages: DATA_PAGES, attributes: PAGE_RW },
  { page: REST_PAGE, pages: LAST_PAGE - REST_PAGE + 1, attributes: PAGE_RWX },
];

/** Offset in RAM. */
export function offsetOf(page: number, byte = 0): number {
  return page * PAGE_BYTES + byte;
}
