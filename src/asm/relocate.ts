// Writing an address into code or data that refers to it.

import type { RelocationKind } from "./code-buffer.ts";
import { invalid } from "./failure.ts";

/** Writes one address (System V x86-64 ABI, section 4.4; AAELF64, section 5.7). */
export function relocate(
  view: DataView,
  at: number,
  kind: RelocationKind,
  value: number,
  place: number,
  what: string,
): void {
  switch (kind) {
    case "pc32":
      view.setInt32(at, inRange(value - place, 2 ** 31, what), true);
      return;
    case "abs32signed":
      view.setInt32(at, inRange(value, 2 ** 31, what), true);
      return;
    case "abs8":
      view.setUint8(at, ofBits(value, 8, what));
      return;
    case "abs16":
      view.setUint16(at, ofBits(value, 16, what), true);
      return;
    case "abs32":
      if (value >= 2 ** 32) throw invalid(`${what}: address beyond 32 bits`, { value, allowed: "below 2^32" });
      view.setUint32(at, value, true);
      return;
    case "abs64":
      view.setBigUint64(at, BigInt(value), true);
      return;
    case "call26":
      orInto(view, at, (inRange(value - place, 2 ** 27, what) / 4) & 0x3ff_ffff);
      return;
    case "adrPage21": {
      const pages = inRange(Math.floor(value / 4096) - Math.floor(place / 4096), 2 ** 20, what);
      orInto(view, at, ((pages & 3) << 29) | (((pages >> 2) & 0x7ffff) << 5));
      return;
    }
    case "addLow12":
      orInto(view, at, (value % 4096) << 10);
      return;
    case "load8Low12":
    case "load16Low12":
    case "load32Low12":
    case "load64Low12": {
      const bytes = { load8Low12: 1, load16Low12: 2, load32Low12: 4, load64Low12: 8 }[kind];
      if (value % bytes !== 0)
        throw invalid(`${what}: address is not a multiple of ${bytes}`, { value, allowed: `multiples of ${bytes}` });
      orInto(view, at, ((value % 4096) / bytes) << 10);
    }
  }
}

/** A value that has that many bits, signed or not. */
function ofBits(value: number, bits: number, what: string): number {
  if (value < -(2 ** (bits - 1)) || value >= 2 ** bits)
    throw invalid(`${what}: beyond ${bits} bits`, { value, allowed: `${-(2 ** (bits - 1))} to ${2 ** bits - 1}` });
  return value;
}

function inRange(distance: number, limit: number, what: string): number {
  if (distance < -limit || distance >= limit)
    throw invalid(`${what}: too far away`, { value: distance, allowed: `below ${limit}` });
  return distance;
}

function orInto(view: DataView, at: number, bits: number): void {
  view.setUint32(at, (view.getUint32(at, true) | bits) >>> 0, true);
}
