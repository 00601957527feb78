// Pools on both engines, widths around the edges of words and vectors, and what a parser's error says.

import fc from "fast-check";
import { CpuMaskError, CpuMaskPool, type CpuMask } from "../../src/cpumask/index.ts";
import { checkedCore } from "../support/bare-machine.ts";

/** Both engines: the core with its assertions compiled in, and plain TypeScript. */
export const pools = [await CpuMaskPool.create({ core: checkedCore }), CpuMaskPool.plain()] as const;

export const widths = [
  1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 4095, 4096, 4097, 65_535, 65_536,
];

/** Fewer runs where a run takes longer; plain TypeScript is slow on the widest. */
export function runsFor(bits: number): number {
  return bits > 60_000 ? 6 : bits > 4000 ? 30 : 100;
}

/** CPUs of a mask: often near the edges, and in runs. */
export function cpuSets(bits: number): fc.Arbitrary<Set<number>> {
  const position = fc.oneof(
    fc.nat(bits - 1),
    fc.constantFrom(0, bits - 1, Math.max(0, bits - 2), Math.min(63, bits - 1), Math.min(64, bits - 1)),
  );
  const run = fc.tuple(position, fc.oneof(fc.constant(1), fc.nat(Math.min(bits, 300))));
  return fc.array(run, { maxLength: 12 }).map((runs) => {
    const cpus = new Set<number>();
    for (const [start, length] of runs) {
      for (let cpu = start; cpu < Math.min(start + length, bits); cpu++) cpus.add(cpu);
    }
    return cpus;
  });
}

export function ascending(cpus: Iterable<number>): number[] {
  return [...cpus].sort((a, b) => a - b);
}

/** A mask's CPUs, read one by one. */
export function cpusOf(mask: CpuMask): number[] {
  const cpus: number[] = [];
  for (let cpu = 0; cpu < mask.bits; cpu++) if (mask.testCpu(cpu)) cpus.push(cpu);
  return cpus;
}

/** What a parser answers: "" or the name of its error. Anything else that it throws is thrown on. */
export function errnoOf(parse: () => void): string {
  try {
    parse();
    return "";
  } catch (error) {
    if (!(error instanceof CpuMaskError)) throw error;
    return error.errno;
  }
}
