// Running the programs on the emulator.

import { PAGE_BYTES } from "../../../src/abi.ts";
import type { Accelerations } from "../../../src/machine/accelerations.ts";
import { BareMachine, PAGE_RW, PAGE_RWX, PAGE_RX } from "../../support/bare-machine.ts";
import {
  BOOT,
  DONE,
  HARNESS_STACK,
  MEMORY_END,
  PROGRAM_TABLE,
  RESULTS,
  RESULT_WORDS,
  TABLES,
  VARIABLES,
  buildHarness,
} from "./harness.ts";
import type { Programs } from "./programs.ts";

export interface ReplayOptions {
  /** Code in writable pages is fetched through the coherent path, code in others from RAM. */
  readonly writableCode: boolean;
  readonly accelerations?: Partial<Accelerations>;
}

function roundUp(address: number): number {
  return Math.ceil(address / PAGE_BYTES) * PAGE_BYTES;
}

export interface Replayed {
  /** RESULT_WORDS words for each program. */
  readonly words: BigUint64Array;
  /** Digest of the machine at the end. */
  readonly digest: bigint;
}

export function replay(programs: Programs, { writableCode, accelerations = {} }: ReplayOptions): Replayed {
  const count = programs.programs.length;
  const harness = buildHarness((code) => code.raw(0xfa, 0xf4));
  const machine = new BareMachine({ architecture: "x86-64", ramBytes: MEMORY_END, accelerations });
  machine.map(PAGE_BYTES, MEMORY_END - PAGE_BYTES, PAGE_RWX);
  if (!writableCode) {
    machine.map(harness.entry, roundUp(harness.entry + harness.code.length) - harness.entry, PAGE_RX);
    machine.map(programs.start, roundUp(programs.end) - programs.start, PAGE_RX);
    machine.map(BOOT, TABLES - BOOT, PAGE_RW);
  }
  machine.write(TABLES, harness.tables);
  machine.write(VARIABLES, harness.variables);
  machine.write(harness.entry, harness.code);
  machine.write(PROGRAM_TABLE, programs.table);
  machine.write(programs.start, programs.code);
  machine.start(0, harness.entry, { stack: HARNESS_STACK });
  machine.run(20_000_000 + count * 50_000);
  if (machine.read64(DONE) !== 1n) {
    const program = (Number(machine.read64(VARIABLES)) - PROGRAM_TABLE) / 8;
    throw new Error(`program ${program} doesn't end: RIP is ${machine.pc(0).toString(16)}`);
  }
  const bytes = machine.read(RESULTS, count * RESULT_WORDS * 8);
  const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, count * RESULT_WORDS);
  return { words, digest: machine.core.digest() };
}
