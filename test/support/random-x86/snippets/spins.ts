// Snippets that spin on shared words, with all that a spin may do beside.

import { R8, R10, R11, R12 } from "../../../instructions/x86-64/code.ts";
import { COUNTERS, privately } from "../layout.ts";
import { NOT_EQUAL, both, someWord, bounded, relax, leaveWhenMoved, type Snippet } from "../snippet.ts";

export const spins: readonly Snippet[] = [
  // spins that end when a shared word moves, or by a counter of turns
  (code, random, place) => {
    const word = someWord(random, place);
    const width = random.pick(both);
    code.load(width, R8, word);
    bounded(code, random, (out) => {
      relax(code, random);
      leaveWhenMoved(code, random, word, width, out);
    });
  },
  // two words
  (code, random, place) => {
    const word = someWord(random, place);
    const other = someWord(random, place);
    code.load(8, R8, word).load(4, R11, other);
    bounded(code, random, (out) => {
      leaveWhenMoved(code, random, word, 8, out);
      relax(code, random);
      code.load(4, R12, other).op("cmp", 4, R12, R11).jumpIf(NOT_EQUAL, out);
    });
  },
  // stores constants to private memory in each turn
  (code, random, place) => {
    const word = someWord(random, place);
    code.load(8, R8, word).set(R10, 7);
    bounded(code, random, (out) => {
      code.store(random.pick([1, 2, 4, 8] as const), privately(16), R10);
      if (random.chance(50)) code.storeImmediate(random.pick([1, 4, 8] as const), privately(24), 9);
      relax(code, random);
      code.load(8, R11, privately(8));
      leaveWhenMoved(code, random, word, 8, out);
    });
  },
  // counts turns in private memory, in every way
  (code, random, place) => {
    const word = someWord(random, place);
    const width = random.pick([1, 2, 4, 8, 4, 8] as const);
    const cell = privately(COUNTERS + 8 * random.between(2, 6));
    const lock = random.chance(40);
    const kind = random.between(0, 6);
    code.load(8, R8, word).set(R10, random.between(1, 5));
    bounded(code, random, (out) => {
      if (kind === 0) code.load(8, R11, cell).opImmediate("add", 8, R11, 1).store(8, cell, R11);
      else if (kind === 1) code.increment(width, cell, lock);
      else if (kind === 2) code.opTo(random.pick(["add", "sub"] as const), width, cell, R10, lock);
      else if (kind === 3) code.opImmediate("add", width, cell, 3, lock);
      else if (kind === 4) code.set(R11, 2).xadd(width, cell, R11, lock);
      else if (kind === 5) code.load(width, R11, cell).increment(4, R11).xchg(width, cell, R11);
      else code.decrement(width, cell).op("add", 8, R11, cell);
      relax(code, random);
      leaveWhenMoved(code, random, word, 8, out);
    });
  },
  // stores to a contended word in each turn
  (code, random, place) => {
    const word = someWord(random, place);
    const width = random.pick(both);
    code.set(R10, random.between(0, 5));
    bounded(code, random, () => code.store(width, word, R10).pause());
  },
  // a word is tested for bits, or compared with a constant
  (code, random, place) => {
    const word = someWord(random, place);
    const width = random.pick([1, 4, 8] as const);
    const value = random.between(0, 7);
    const condition = random.between(0, 15);
    const isTest = random.chance(50);
    bounded(code, random, (out) => {
      relax(code, random);
      if (isTest) code.testImmediate(width, word, value).jumpIf(condition, out);
      else code.opImmediate("cmp", width, word, value).jumpIf(condition, out);
    });
  },
];
