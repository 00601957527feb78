// What templates share: operands, prefixes, and what each operation does to the flags.

import type { Memory, Size } from "../code.ts";
import { type Draw, Flag } from "../draw.ts";

export interface Template {
  readonly name: string;
  readonly weight: number;
  emit(code: Draw): void;
}

export const { C, P, A, Z, S, O, ALL, NONE } = Flag;

export function immediateBytes(size: Size): Size {
  return size === 8 ? 4 : size;
}

export function isMemory(place: number | Memory): place is Memory {
  return typeof place === "object";
}

export function lock(code: Draw, place: number | Memory): number[] {
  return isMemory(place) && code.random.chance(30) ? [0xf0] : [];
}

/** REX by chance, so that byte registers 4 to 7 mean either of their names. SPL must not be written. */
export function rexFor(code: Draw, size: Size, written: number | Memory, other?: number | Memory): { rex?: boolean } {
  if (size !== 1) return {};
  // With any extended register or index there is a REX prefix anyway.
  const needsRex = [written, other].some(
    (operand) =>
      (typeof operand === "number" && operand >= 8) || (isMemory(operand ?? 0) && usesExtended(operand as Memory)),
  );
  if (needsRex) return {};
  return code.random.chance(40) ? { rex: true } : {};
}

export function usesExtended({ base = 0, index = 0 }: Memory): boolean {
  return base >= 8 || index >= 8;
}

/** Logical operations leave AF undefined. */
export function aluFlags(code: Draw, operation: number): void {
  code.flags(ALL, [1, 4, 6].includes(operation) ? A : NONE);
}

export function needCarry(code: Draw, operation: number): void {
  if (operation === 2 || operation === 3) code.need(C);
}
