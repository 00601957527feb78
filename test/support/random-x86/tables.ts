// Descriptor tables of a random x86-64 machine.

import { le } from "../../instructions/x86-64/code.ts";
import type { X64 } from "../x64.ts";
import {
  CODE_SELECTOR,
  DATA_SELECTOR,
  GDT,
  GDT_POINTER,
  IDT,
  IDT_POINTER,
  LEAVE_VECTOR,
  MOST_CPUS,
  NO_IDT_POINTER,
  SHORT_IDT_POINTER,
  TABLES,
  TABLES_BYTES,
  USER_CODE_SELECTOR,
  USER_DATA_SELECTOR,
  tssOf,
  tssSelector,
} from "./layout.ts";
import { HANDLER_KINDS } from "./handlers.ts";

export function tables(handlers: X64): Uint8Array {
  const bytes = new Uint8Array(TABLES_BYTES);
  const put = (address: number, values: readonly number[]): void => bytes.set(values, address - TABLES);
  // Flat 64-bit code and flat data (SDM 3A 3.4.5).
  put(GDT + CODE_SELECTOR, [0xff, 0xff, 0, 0, 0, 0x9b, 0xaf, 0]);
  put(GDT + DATA_SELECTOR, [0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0]);
  put(GDT + (USER_DATA_SELECTOR & ~3), [0xff, 0xff, 0, 0, 0, 0xf3, 0xcf, 0]);
  put(GDT + (USER_CODE_SELECTOR & ~3), [0xff, 0xff, 0, 0, 0, 0xfb, 0xaf, 0]);
  for (let cpu = 0; cpu < MOST_CPUS; cpu++) {
    const at = tssOf(cpu);
    put(GDT + tssSelector(cpu), [103, 0, ...le(at & 0xff_ffff, 3), 0x89, 0, at >>> 24, ...le(0, 8)]);
  }
  put(GDT_POINTER, [...le(tssSelector(MOST_CPUS) - 1, 2), ...le(GDT, 8)]);
  put(IDT_POINTER, [...le(0xfff, 2), ...le(IDT, 8)]);
  put(NO_IDT_POINTER, [...le(0, 2), ...le(IDT, 8)]);
  put(SHORT_IDT_POINTER, [...le(0x2f, 2), ...le(IDT, 8)]);
  for (let vector = 0; vector < 256; vector++) {
    const target = handlers.addressOf(handlerOf(vector));
    // INT3 by a trap gate: interrupts stay open.
    const type = vector === 3 ? 0x8f : vector === LEAVE_VECTOR ? 0xee : 0x8e;
    const low = [...le(target & 0xffff, 2), ...le(CODE_SELECTOR, 2), 0, type, ...le(target >>> 16, 2)];
    put(IDT + 16 * vector, [...low, ...le(0, 8)]);
  }
  return bytes;
}

function handlerOf(vector: number): string {
  if (vector >= 32) return `interrupt${vector % HANDLER_KINDS}`;
  if (vector === 2) return "nmi";
  if (vector === 6) return "undefined";
  if (vector === 13) return "protection";
  if (vector === LEAVE_VECTOR) return "leave";
  return vector === 1 || vector === 3 ? "trap" : "unexpected";
}
