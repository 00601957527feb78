// Slopes of memory locations within a turn of a spin loop: only locations in lines that the turn writes can have any.

import { PAGE_RAM } from "../../src/abi.ts";
import { loadBytes } from "../memory/access.ts";
import { bytesToLineEnd, pageAt, ramAt } from "../memory/map.ts";
import { cellSlope, keepUnsigned, setCellSlope, touchCell } from "./affine.ts";
import { copiedLocation, lineCount, writtenLineIndex } from "./shadow.ts";

/** Of the location that was read last: its slope, and what the shadow sees there, zero-extended. */
export let locationSlope: u64 = 0;
export let locationValue: u64 = 0;

/** Looks at a location, anywhere, before the turn accesses it. @returns false when its slope can't be told */
export function readLocation(address: u64, size: u32): bool {
  // The second turn may go another way than the first, to an access that faults or is a device's.
  if (size > bytesToLineEnd(address) || (pageAt(address) & PAGE_RAM) == 0) return false;
  const index = writtenLineIndex(address);
  if (index == lineCount()) {
    locationSlope = 0;
    locationValue = loadBytes(ramAt(address), size);
    return true;
  }
  const host = copiedLocation(index, address);
  if (!touchCell(address, size, host, ramAt(address))) return false;
  locationSlope = cellSlope;
  locationValue = loadBytes(host, size);
  return true;
}

/** As readLocation(), for a load that zero-extends: the location must not wrap. */
export function loadLocation(address: u64, size: u32): bool {
  if (!readLocation(address, size)) return false;
  if (size < 8) keepUnsigned(locationValue, locationSlope, size << 3);
  return true;
}

/** A store gives a location a slope. @returns false when that can't be told */
export function storeLocation(address: u64, size: u32, slope: u64): bool {
  if (!readLocation(address, size) || writtenLineIndex(address) == lineCount()) return false;
  setCellSlope(address, size, slope);
  return true;
}
