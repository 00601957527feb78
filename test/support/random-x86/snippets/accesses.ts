// Snippets that access shared words: counters, compare and exchange, accesses across two lines.

import { R10, R11, RAX } from "../../../instructions/x86-64/code.ts";
import { NOT_EQUAL, both, someWord, splitWord, type Snippet } from "../snippet.ts";

export const accesses: readonly Snippet[] = [
  // counters, locked or not
  (code, random, place) => {
    const word = someWord(random, place);
    const width = random.pick(both);
    const lock = random.chance(70);
    code.set(R10, random.between(1, 3));
    const kind = random.between(0, 6);
    if (kind === 0) code.opTo("add", width, word, R10, lock);
    else if (kind === 1) code.increment(width, word, lock);
    else if (kind === 2) code.xadd(width, word, R10, lock);
    else if (kind === 3) code.xchg(width, word, R10);
    else if (kind === 4) code.opImmediate(random.pick(["add", "sub", "xor"] as const), width, word, 5, lock);
    else if (kind === 5) code.bitTest(random.pick([5, 6, 7] as const), width, word, random.between(0, 31), lock);
    else code.load(width, R11, word).op("add", width, R11, R10).store(width, word, R11);
  },
  // compare and exchange until it succeeds
  (code, random, place) => {
    const word = someWord(random, place);
    const width = random.pick(both);
    const retry = code.fresh();
    code.load(width, RAX, word);
    if (random.chance(50)) code.label(retry).lea(8, R10, { base: RAX, displacement: 1 });
    else code.label(retry).copy(8, R10, RAX).opImmediate("add", width, R10, 3);
    code.cmpxchg(width, word, R10, random.chance(80)).jumpIf(NOT_EQUAL, retry);
  },
  // plain accesses across two lines
  (code, random, place) => {
    const width = random.pick(both);
    const word = splitWord(random, place, width);
    code.load(width, R10, word).opImmediate("add", width, R10, random.between(1, 99));
    if (random.chance(50)) code.store(width, word, R10);
    else code.opTo("add", width, word, R10);
  },
];

/** Locked accesses across two lines. */
export const lockedSplit: Snippet = (code, random, place) => {
  const width = random.pick(both);
  const word = splitWord(random, place, width);
  code.set(R10, random.between(1, 300));
  const kind = random.between(0, 4);
  if (kind === 0) code.opTo("add", width, word, R10, true);
  else if (kind === 1) code.increment(width, word, true);
  else if (kind === 2) code.xadd(width, word, R10);
  else if (kind === 3) code.xchg(width, word, R10);
  else code.load(width, RAX, word).cmpxchg(width, word, R10);
};
