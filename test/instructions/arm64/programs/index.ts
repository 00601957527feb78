// Random A64 programs over everything that the core implements. Encodings come from the manual's diagrams, not from the
// core; what a program does is defined by the architecture in every step, so that any two implementations agree.

import { RandomValues } from "../random-values.ts";
import { END_CALL } from "../runner.ts";
import { atomics } from "./atomics.ts";
import { branches, straight } from "./branches.ts";
import { dataProcessing } from "./data-processing.ts";
import { exceptions } from "./exceptions.ts";
import { dataAddress, memory } from "./loads-and-stores.ts";
import { system } from "./system.ts";
import { MODE_EL1H, MODE_EL1T, Writer, one, type Template } from "./writer.ts";

export interface Program {
  readonly seed: number;
  readonly address: number;
  readonly words: readonly number[];
  /** Entry values: SPSR, SP_EL0, SP_EL1, X0 to X30. */
  readonly spsr: number;
  readonly stacks: readonly [bigint, bigint];
  readonly registers: readonly bigint[];
  /** Which template each word comes from. */
  readonly notes: readonly string[];
}

const everything = { ...straight, ...branches, ...exceptions, ...system };

/** What programs are made of; each kind has its turn. */
const mixtures: readonly (readonly Record<string, Template>[])[] = [
  [dataProcessing],
  [dataProcessing, memory],
  [memory, memory, dataProcessing],
  [atomics, dataProcessing],
  [branches, straight],
  [exceptions, system, straight],
  [everything],
  [everything],
];

export const templateNames: readonly string[] = Object.keys(everything);

/** The program of a seed, to stand at `address`. */
export function generate(seed: number, address: number): Program {
  const random = new RandomValues(seed);
  const w = new Writer(random, address);
  const mixture = mixtures[seed % mixtures.length] ?? [];
  const length = random.between(20, 44);
  while (w.words.length < length) one(w, random.pick(mixture));
  w.note = "end";
  w.emit("11010100000 iiiiiiiiiiiiiiii 00001", { i: END_CALL });
  return {
    seed,
    address,
    words: w.words,
    notes: w.notes,
    spsr: ((random.below(16) << 28) | (random.below(16) << 6) | random.pick([MODE_EL1T, MODE_EL1H])) >>> 0,
    stacks: [BigInt(dataAddress(w, 16, true)), BigInt(dataAddress(w, 16, true))],
    registers: Array.from({ length: 31 }, () => random.value()),
  };
}
