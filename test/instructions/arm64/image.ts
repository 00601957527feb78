// The memory image of many random programs and the runner that executes them.

import { generate, type Program } from "./programs/index.ts";
import { RandomValues } from "./random-values.ts";
import {
  DATA,
  DATA_RO,
  DATA_RW_BYTES,
  MOST_PROGRAMS,
  PROGRAMS,
  RAM_END,
  RECORDS,
  RECORD_WORDS,
  RUNNER,
  TEMPLATE,
  runner,
} from "./runner.ts";

export type { Program };

export interface Image {
  readonly programs: readonly Program[];
  /** What stands at RUNNER and behind. */
  readonly bytes: Uint8Array;
}

/** Programs of `count` seeds, one behind the other. */
export function buildImage(count: number, firstSeed = 0): Image {
  if (count > MOST_PROGRAMS) throw new Error(`at most ${MOST_PROGRAMS} programs`);
  const view = new DataView(new ArrayBuffer(TEMPLATE + DATA_RW_BYTES - RUNNER));
  const put64 = (address: number, value: bigint): void => view.setBigUint64(address - RUNNER, value, true);
  const programs: Program[] = [];
  let address = PROGRAMS;
  for (let index = 0; index < count; index++) {
    const program = generate(firstSeed + index, address);
    programs.push(program);
    for (const word of program.words) {
      view.setUint32(address - RUNNER, word, true);
      address += 4;
    }
    const record = [BigInt(program.address), BigInt(program.spsr), ...program.stacks, ...program.registers];
    for (const [slot, value] of record.entries()) put64(RECORDS + (index * RECORD_WORDS + slot) * 8, value);
  }
  if (address > DATA) throw new Error("the programs outgrew their region");

  const random = new RandomValues(0xda7a);
  for (let at = TEMPLATE; at < TEMPLATE + DATA_RW_BYTES; at += 8) put64(at, random.value());
  for (let at = DATA_RO; at < DATA_RO + 0x1000; at += 8) put64(at, random.value());

  const bytes = new Uint8Array(view.buffer);
  bytes.set(runner.bytes);
  // For QEMU, which starts without arguments.
  put64(runner.label("header"), 0n);
  put64(runner.label("header") + 8, BigInt(count));
  return { programs, bytes };
}

if (TEMPLATE + DATA_RW_BYTES > RAM_END) throw new Error("the image outgrew RAM");
