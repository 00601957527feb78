// What the snippets of random x86-64 programs have in common: words of the shared lines, loops that end, vectors.

import { R8, R9, R15, RBX, type Memory } from "../../instructions/x86-64/code.ts";
import type { Layout } from "../random-machine.ts";
import type { Random } from "../random.ts";
import type { Width, X64 } from "../x64.ts";

// Condition codes.
export const [BELOW, EQUAL, NOT_EQUAL, SIGN] = [2, 4, 5, 8];

export interface Place extends Layout {
  readonly cpu: number;
  readonly routines: readonly number[];
}

export type Snippet = (code: X64, random: Random, place: Place) => void;

export const both = [4, 8] as const;

/** Not each time: when none of these bits of the TSC is set. Changes RAX and RDX. */
export function now(code: X64, bits: number, body: () => void): void {
  const skip = code.fresh();
  code.rdtsc().raw(0xa8, bits).jumpIf(NOT_EQUAL, skip);
  body();
  code.label(skip);
}

/** LIDT from one of the pointers of layout.ts. */
export function loadIdt(code: X64, pointer: number): X64 {
  return code.put({ opcode: [0x0f, 0x01], reg: 3, rm: { displacement: pointer } });
}

export function someWord(random: Random, { lines, words }: Layout): Memory {
  return { base: RBX, displacement: random.between(0, lines - 1) * 64 + random.between(0, words - 1) * 8 };
}

/** A word that lies across the end of a shared line. */
export function splitWord(random: Random, { lines }: Layout, width: 4 | 8): Memory {
  return { base: RBX, displacement: random.between(0, lines - 1) * 64 + 64 - random.between(1, width - 1) };
}

/** Goes round a loop at most so often, so that nobody waits for ever; R15 or ECX counts, down by DEC or by SUB, or up. */
export function bounded(code: X64, random: Random, body: (out: string) => void, most = 60): void {
  const head = code.fresh();
  const out = code.fresh();
  const turns = random.between(3, most);
  const counter = R15;
  const kind = random.between(0, 3);
  const width = random.pick(both);
  if (kind === 2) code.op("xor", 4, counter, counter);
  else code.set(counter, turns);
  code.label(head);
  if (random.chance(20)) code.mark();
  body(out);
  if (kind === 0) code.decrement(width, counter);
  else if (kind === 1) code.opImmediate("sub", width, counter, 1);
  else if (kind === 2) code.increment(width, counter).opImmediate("cmp", width, counter, turns);
  else code.lea(8, counter, { base: counter, displacement: -1 }).test(width, counter, counter);
  code.jumpIf(NOT_EQUAL, head).label(out);
}

export function relax(code: X64, random: Random): void {
  if (random.chance(80)) code.pause();
}

/** Leaves the spin when a shared word is no longer what R8 says, by one of the ways to compare. */
export function leaveWhenMoved(code: X64, random: Random, word: Memory, width: Width, out: string): void {
  const kind = random.between(0, 3);
  if (kind === 0) code.op("cmp", width, R8, word);
  else if (kind === 1) code.load(width, R9, word).op("cmp", width, R9, R8);
  else if (kind === 2) code.put({ opcode: [0x39], reg: R8, rm: word, wide: width === 8 });
  else code.load(width, R9, word).op("xor", width, R9, R8).test(width, R9, R9);
  code.jumpIf(NOT_EQUAL, out);
}

/** Vectors of all priorities; the handlers differ. */
export function someVector(random: Random): number {
  return random.between(2, 15) * 16 + random.between(0, 5);
}
