// The memory map: which 4 KiB pages of guest physical memory exist, what backs them and what may be done with them.

import {
  ADDRESS_LIMIT,
  Device,
  GICR_FIRST_WINDOW_CPUS,
  GICR_SECOND_BASE,
  GICR_STRIDE,
  LINE_BYTES,
  LINE_SHIFT,
  PAGE_BYTES,
  PAGE_DEVICE,
  PAGE_OWNER_SHIFT,
  PAGE_RAM,
  PAGE_READ,
  PAGE_SHIFT,
  PAGE_WRITE,
} from "../../src/abi.ts";
import { machine, reserve } from "../machine.ts";

// Immutable after the machine is built; kept in globals because every access needs them.
let pageTable: usize = 0;
let ramHost: usize = 0;
let ramBase: u64 = 0;

/** Reserves RAM, the page table and the table of lines. @returns false when memory is exhausted. */
export function openMemoryMap(base: u64, bytes: u64): bool {
  const m = machine();
  m.ramBase = base;
  m.ramBytes = bytes;
  m.pageTable = reserve((<usize>((<u64>ADDRESS_LIMIT) >>> PAGE_SHIFT)) << 2, PAGE_BYTES);
  m.codePageTable = reserve((<usize>((<u64>ADDRESS_LIMIT) >>> PAGE_SHIFT)) << 2, PAGE_BYTES);
  m.ramHost = reserve(<usize>bytes, PAGE_BYTES);
  m.lineTable = reserve(((<usize>bytes) >>> LINE_SHIFT) << 2, PAGE_BYTES);
  if (m.pageTable == 0 || m.codePageTable == 0 || m.ramHost == 0 || m.lineTable == 0) return false;
  attachMemoryMap();
  return true;
}

export function attachMemoryMap(): void {
  pageTable = machine().pageTable;
  ramHost = machine().ramHost;
  ramBase = machine().ramBase;
}

/** Attributes of the page that holds `address` (PAGE_* bits), 0 where nothing is. */
export function pageAt(address: u64): u32 {
  if (address < <u64>ADDRESS_LIMIT) return load<u32>(pageTable + ((<usize>(address >>> PAGE_SHIFT)) << 2));
  if (machine().gics == 0 || address < <u64>GICR_SECOND_BASE) return 0;
  const frame = (address - <u64>GICR_SECOND_BASE) / GICR_STRIDE + GICR_FIRST_WINDOW_CPUS;
  if (frame >= machine().cpus) return 0;
  return PAGE_READ | PAGE_WRITE | PAGE_DEVICE | ((<u32>Device.GIC_REDISTRIBUTOR) << PAGE_OWNER_SHIFT);
}

/**
 * Sets the attributes of whole pages. RAM pages must lie within RAM.
 * @returns false, with nothing changed, when the range doesn't fit.
 */
export function mapPages(address: u64, bytes: u64, attributes: u32): bool {
  const m = machine();
  if (((address | bytes) & (PAGE_BYTES - 1)) != 0) return false;
  if (address >= <u64>ADDRESS_LIMIT || bytes > <u64>ADDRESS_LIMIT - address) return false;
  if ((attributes & PAGE_RAM) != 0) {
    if (address < m.ramBase || address + bytes > m.ramBase + m.ramBytes) return false;
  }
  const first = address >>> PAGE_SHIFT;
  const end = (address + bytes) >>> PAGE_SHIFT;
  // Neither architecture has pages that may be written and not read: a line that is held for stores serves loads.
  const rights = (attributes & PAGE_WRITE) != 0 ? attributes | PAGE_READ : attributes;
  for (let page = first; page < end; page++) store<u32>(pageTable + ((<usize>page) << 2), rights);
  return true;
}

/** Host address of a byte of RAM; the page must be a RAM page. */
// @ts-ignore: decorator
@inline
export function ramAt(address: u64): usize {
  return ramHost + <usize>(address - ramBase);
}

/** Number of the line that holds `address`, counted from the start of RAM. */
// @ts-ignore: decorator
@inline
export function lineOf(address: u64): u32 {
  return <u32>((address - ramBase) >>> LINE_SHIFT);
}

// @ts-ignore: decorator
@inline
export function addressOfLine(line: u32): u64 {
  return ramBase + ((<u64>line) << LINE_SHIFT);
}

/** Node that holds the memory, hence the home, of a line. */
// @ts-ignore: decorator
@inline
export function nodeOfLine(line: u32): u32 {
  return load<u32>(pageTable + ((<usize>(addressOfLine(line) >>> PAGE_SHIFT)) << 2)) >>> PAGE_OWNER_SHIFT;
}

/** Bytes from `address` to the end of its line. */
// @ts-ignore: decorator
@inline
export function bytesToLineEnd(address: u64): u32 {
  return LINE_BYTES - ((<u32>address) & (LINE_BYTES - 1));
}
