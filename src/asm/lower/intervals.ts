// Liveness on structured code: one interval per virtual register, from its first to its last occurrence, stretched over loops.
//
// No fixed point is needed. Code is laid out so that a definition precedes its uses, except across the back edge of a loop; whatever
// lives before a loop and occurs in it must live until the loop's end. A loop's condition lies inside its range.

import { unreachable } from "../failure.ts";
import type { InstructionList, VirtualRegister } from "./instructions.ts";
import { DEF, HELD, registerOf, roleOf, USE } from "./instructions.ts";

/** Positions per instruction: 0 early definition, 1 use, 2 definition, 3 held use. */
export const POSITIONS = 4;
export const AT_START = 0;
export const AT_USE = 1;
export const AT_RESULT = 2;
export const AT_END = 3;

export interface Interval {
  readonly register: VirtualRegister;
  start: number;
  end: number;
  /** Occurrences, each counted ten times per enclosing loop: the cost of spilling. */
  weight: number;
}

export function liveIntervals<A>(list: InstructionList<A>): Interval[] {
  const intervals: (Interval | undefined)[] = new Array<Interval | undefined>(list.registers.length).fill(undefined);
  const weights = instructionWeights(list);
  list.instructions.forEach(({ operands }, number) => {
    for (const operand of operands) {
      const register = registerOf(operand);
      const { first, last } = span(number, roleOf(operand));
      const interval = (intervals[register] ??= { register, start: first, end: last, weight: 0 });
      interval.start = Math.min(interval.start, first);
      interval.end = Math.max(interval.end, last);
      interval.weight += weights[number] ?? 1;
    }
  });
  const present = intervals.filter((interval) => interval !== undefined);
  stretch(list, present);
  return present;
}

function span(number: number, role: number): { first: number; last: number } {
  const base = number * POSITIONS;
  const isUse = (role & USE) !== 0;
  const isDef = (role & DEF) !== 0;
  const isHeld = (role & HELD) !== 0;
  if (!isUse && !isDef) throw unreachable("an operand without a role");
  const first = isUse ? AT_USE : isHeld ? AT_START : AT_RESULT;
  const last = isHeld ? AT_END : isDef ? AT_RESULT : AT_USE;
  return { first: base + first, last: base + last };
}

function instructionWeights<A>(list: InstructionList<A>): number[] {
  const weights = new Array<number>(list.instructions.length).fill(1);
  for (const { first, last } of list.loops) {
    for (let number = first; number <= last; number++) weights[number] = (weights[number] ?? 1) * 10;
  }
  return weights;
}

/** Loops are closed inside out, so one pass in that order carries an end through all enclosing loops. */
function stretch<A>(list: InstructionList<A>, intervals: readonly Interval[]): void {
  for (const { first, last } of list.loops) {
    const start = first * POSITIONS;
    const end = last * POSITIONS + AT_END;
    for (const interval of intervals) {
      if (interval.start < start && interval.end >= start && interval.end < end) interval.end = end;
    }
  }
}
