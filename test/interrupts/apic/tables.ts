// Descriptor tables of a bare x86-64 machine for tests of its local APICs.

import { le } from "../../instructions/x86-64/code.ts";
import { type BareMachine, PAGE_RW } from "../../support/bare-machine.ts";
import type { X64 } from "../../support/x64.ts";

const TABLES = 0x8_0000;
const GDT = TABLES + 0x100;
const IDT = TABLES + 0x1000;
const GDT_POINTER = TABLES;
const IDT_POINTER = TABLES + 16;
const CODE_SELECTOR = 8;

/** Instructions that load both. */
export function loadTables(code: X64): void {
  code.put({ opcode: [0x0f, 0x01], reg: 3, rm: { displacement: IDT_POINTER } });
  code.put({ opcode: [0x0f, 0x01], reg: 2, rm: { displacement: GDT_POINTER } });
}

/** Flat segments, and an interrupt gate for each vector that leads to a label of the code. */
export function writeTables(machine: BareMachine, code: X64, handlerOf: (vector: number) => string): void {
  machine.map(TABLES, 0x2000, PAGE_RW);
  machine.write(GDT + CODE_SELECTOR, [0xff, 0xff, 0, 0, 0, 0x9b, 0xaf, 0, 0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0]);
  machine.write(GDT_POINTER, [...le(0x17, 2), ...le(GDT, 8)]);
  machine.write(IDT_POINTER, [...le(0xfff, 2), ...le(IDT, 8)]);
  for (let vector = 0; vector < 256; vector++) {
    const target = code.addressOf(handlerOf(vector));
    const low = [...le(target & 0xffff, 2), CODE_SELECTOR, 0, 0, 0x8e, ...le(target >>> 16, 2)];
    machine.write(IDT + 16 * vector, [...low, ...le(0, 8)]);
  }
}
