// Masks of CPUs against loops that one would write in TypeScript instead: the same work side by side,
// …/allstop, …/plain (32-bit words) and …/bigint (64-bit words).

import { CpuMaskPool } from "allstop/cpumask";
import { expectEqual, type Prepared, type RepeatedCase } from "../case.ts";

/** Bits that one timed run goes over, in as many calls as it takes: a call of a few nanoseconds can't be timed alone. */
const BITS_PER_RUN = 1 << 18;

/** Every CPU whose number shares its low bits with this pattern: a quarter of them, unevenly. */
function isMember(cpu: number, salt: number): boolean {
  return ((Math.imul(cpu + salt, 0x9e37_79b9) >>> 16) & 3) === 0;
}

function members(bits: number, salt: number): number[] {
  return Array.from({ length: bits }, (_, cpu) => cpu).filter((cpu) => isMember(cpu, salt));
}

/** Runs of 1 to 24 CPUs with gaps, as lists of CPUs are in practice. */
function listText(bits: number): string {
  const parts: string[] = [];
  for (let start = 0, length = 1; start + length <= bits; start += length + 5, length = 1 + ((length * 7) % 24)) {
    parts.push(length === 1 ? `${start}` : `${start}-${start + length - 1}`);
  }
  return parts.join(",");
}

/** Words of 32 bits, the plain representation. */
function wordsOf(bits: number, cpus: Iterable<number>): Uint32Array {
  const words = new Uint32Array(Math.ceil(bits / 32));
  for (const cpu of cpus) words[cpu >>> 5] = (words[cpu >>> 5] ?? 0) | (1 << (cpu & 31));
  return words;
}

function popcount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const nibbles = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

function plainAnd(target: Uint32Array, a: Uint32Array, b: Uint32Array): boolean {
  let any = 0;
  for (let index = 0; index < target.length; index++) any |= target[index] = a[index]! & b[index]!;
  return any !== 0;
}

function plainAnd64(target: BigUint64Array, a: BigUint64Array, b: BigUint64Array): boolean {
  let any = 0n;
  for (let index = 0; index < target.length; index++) any |= target[index] = a[index]! & b[index]!;
  return any !== 0n;
}

function plainWeight(words: Uint32Array): number {
  let sum = 0;
  for (let index = 0; index < words.length; index++) sum += popcount(words[index]!);
  return sum;
}

/** First set bit at or above `from`, or the width. */
function plainNext(words: Uint32Array, bits: number, from: number): number {
  let skipped = -1 << (from & 31);
  for (let index = from >>> 5; index < words.length; index++, skipped = -1) {
    const word = words[index]! & skipped;
    if (word !== 0) return 32 * index + 31 - Math.clz32(word & -word);
  }
  return bits;
}

function* cpusIn(words: Uint32Array, bits: number): Generator<number> {
  for (let cpu = plainNext(words, bits, 0); cpu < bits; cpu = plainNext(words, bits, cpu + 1)) yield cpu;
}

function plainParseList(words: Uint32Array, bits: number, text: string): void {
  words.fill(0);
  for (const part of text.split(",")) {
    const [first = NaN, last = first] = part.split("-").map(Number);
    if (!(first <= last && last < bits)) throw new Error(`not a list: ${part}`);
    for (let cpu = first; cpu <= last; cpu++) words[cpu >>> 5] = words[cpu >>> 5]! | (1 << (cpu & 31));
  }
}

/** One way to do an operation. */
interface Contender {
  readonly call: () => void;
  /** A number that is right only when the last call was. */
  readonly checksum: () => number;
}

interface Operation {
  readonly name: string;
  readonly unit: string;
  /** How many units one call does. */
  readonly units: (bits: number) => number;
  readonly checksum: (bits: number) => number;
  readonly contenders: Readonly<Record<string, (pool: CpuMaskPool, bits: number) => Contender>>;
}

function sum(cpus: Iterable<number>): number {
  let total = 0;
  for (const cpu of cpus) total += cpu + 1;
  return total;
}

const and: Operation = {
  name: "and",
  unit: "bits",
  units: (bits) => bits,
  checksum: (bits) => sum(members(bits, 0).filter((cpu) => isMember(cpu, 77))),
  contenders: {
    allstop: (pool, bits) => {
      const [target, a, b] = [pool.mask(bits), pool.mask(bits, members(bits, 0)), pool.mask(bits, members(bits, 77))];
      return { call: () => void target.and(a, b), checksum: () => sum(target) };
    },
    plain: (_, bits) => {
      const target = wordsOf(bits, []);
      const [a, b] = [wordsOf(bits, members(bits, 0)), wordsOf(bits, members(bits, 77))];
      return { call: () => void plainAnd(target, a, b), checksum: () => sum(cpusIn(target, bits)) };
    },
    bigint: (_, bits) => {
      const words = wordsOf(bits, []);
      const target = new BigUint64Array(words.buffer);
      const a = new BigUint64Array(wordsOf(bits, members(bits, 0)).buffer);
      const b = new BigUint64Array(wordsOf(bits, members(bits, 77)).buffer);
      return { call: () => void plainAnd64(target, a, b), checksum: () => sum(cpusIn(words, bits)) };
    },
  },
};

const weight: Operation = {
  name: "weight",
  unit: "bits",
  units: (bits) => bits,
  checksum: (bits) => members(bits, 0).length,
  contenders: {
    allstop: (pool, bits) => {
      const mask = pool.mask(bits, members(bits, 0));
      let found = 0;
      return { call: () => void (found = mask.weight()), checksum: () => found };
    },
    plain: (_, bits) => {
      const words = wordsOf(bits, members(bits, 0));
      let found = 0;
      return { call: () => void (found = plainWeight(words)), checksum: () => found };
    },
  },
};

const next: Operation = {
  name: "next",
  unit: "CPUs",
  units: (bits) => members(bits, 0).length,
  checksum: (bits) => sum(members(bits, 0)),
  contenders: {
    allstop: (pool, bits) => {
      const mask = pool.mask(bits, members(bits, 0));
      let total = 0;
      const call = () => {
        total = 0;
        for (let cpu = mask.first(); cpu < bits; cpu = mask.next(cpu)) total += cpu + 1;
      };
      return { call, checksum: () => total };
    },
    plain: (_, bits) => {
      const words = wordsOf(bits, members(bits, 0));
      let total = 0;
      const call = () => {
        total = 0;
        for (let cpu = plainNext(words, bits, 0); cpu < bits; cpu = plainNext(words, bits, cpu + 1)) total += cpu + 1;
      };
      return { call, checksum: () => total };
    },
  },
};

const parseList: Operation = {
  name: "parseList",
  unit: "characters",
  units: (bits) => listText(bits).length,
  checksum: (bits) => sum(CpuMaskPool.plain().parseList(listText(bits), bits)),
  contenders: {
    allstop: (pool, bits) => {
      const mask = pool.mask(bits);
      const text = listText(bits);
      return { call: () => mask.parseList(text), checksum: () => sum(mask) };
    },
    plain: (_, bits) => {
      const words = wordsOf(bits, []);
      const text = listText(bits);
      return { call: () => plainParseList(words, bits, text), checksum: () => sum(cpusIn(words, bits)) };
    },
  },
};

/** One CPU, far away. */
const sparse: Operation = {
  name: "next-sparse",
  unit: "bits",
  units: (bits) => bits,
  checksum: (bits) => bits,
  contenders: {
    allstop: (pool, bits) => {
      const mask = pool.mask(bits, [bits - 1]);
      let found = 0;
      return { call: () => void (found = mask.first()), checksum: () => found + 1 };
    },
    plain: (_, bits) => {
      const words = wordsOf(bits, [bits - 1]);
      let found = 0;
      return { call: () => void (found = plainNext(words, bits, 0)), checksum: () => found + 1 };
    },
  },
};

async function prepare(operation: Operation, contender: string, bits: number): Promise<Prepared> {
  const make = operation.contenders[contender]!;
  const { call, checksum } = make(await CpuMaskPool.create(), bits);
  const units = operation.units(bits);
  const calls = Math.max(1, BITS_PER_RUN / bits);
  return {
    run() {
      for (let count = 0; count < calls; count++) call();
      return units * calls;
    },
    verify: () => expectEqual(checksum(), operation.checksum(bits), "the checksum"),
  };
}

export const cpumaskCases: readonly RepeatedCase[] = [and, weight, next, sparse, parseList].flatMap((operation) =>
  [64, 512, 4096, 65_536].flatMap((bits) =>
    Object.keys(operation.contenders).map((contender) => ({
      name: `cpumask/${operation.name}/${bits}/${contender}`,
      figure: "rate" as const,
      unit: operation.unit,
      prepare: () => prepare(operation, contender, bits),
    })),
  ),
);
