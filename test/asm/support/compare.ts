// One program, every way to run it: the interpreter against each machine that is there, results and memory compared.

import { expect } from "vitest";
import type { Arm64Flavour, Architecture } from "../../../src/asm/index.ts";
import type { InterpreterOptions } from "./interpreter.ts";
import { FlatMemory, Interpreter } from "./interpreter.ts";
import type { Program } from "./random-program.ts";
import { TestBlock } from "./random-program.ts";
import { hasAll, isX64Linux } from "./tools.ts";
import { programImage, runAsProcess } from "./user-process.ts";

export interface Machine {
  readonly name: string;
  readonly architecture: Architecture;
  readonly flavour: Partial<Arm64Flavour>;
  readonly emulator: string | undefined;
  readonly isThere: boolean;
}

const hasQemu = hasAll("qemu-aarch64");

export const MACHINES: readonly Machine[] = [
  { name: "x86-64", architecture: "x86-64", flavour: {}, emulator: undefined, isThere: isX64Linux },
  {
    name: "AArch64 with LSE atomics",
    architecture: "arm64",
    flavour: { atomics: "lse" },
    emulator: "qemu-aarch64",
    isThere: hasQemu,
  },
  {
    name: "AArch64 with exclusive loops",
    architecture: "arm64",
    flavour: { atomics: "llsc" },
    emulator: "qemu-aarch64",
    isThere: hasQemu,
  },
];

/** Why a machine's tests do not run, for their titles. */
export function titleOf({ name, isThere, emulator }: Machine): string {
  if (isThere) return name;
  return `${name} (skipped: ${emulator === undefined ? "the host is no x86-64 Linux" : `${emulator} not installed`})`;
}

/** Runs the calls on a machine and in the interpreter; results, kept registers and memory must agree. Returns the results. */
export function expectSame(
  program: Program,
  machine: Machine,
  cpus: number,
  options: InterpreterOptions = {},
): bigint[] {
  const built = programImage(program, machine.architecture, cpus, machine.flavour);
  const memory = FlatMemory.ofImage(built.image);
  // The driver stores the block's own address at its start, as the x86-64 convention wants.
  memory.write("u64", BigInt(built.image.perCpuStart), BigInt(built.image.perCpuStart));
  const blocks = built.image.addressOf(program.blocks);
  const expected = program.calls.map(({ routine, values }, i) => {
    const interpreter = new Interpreter(built.image, memory, { stepLimit: 2_000_000, ...options });
    return BigInt.asUintN(64, interpreter.call(routine, [BigInt(blocks + i * TestBlock.bytes), ...values]) ?? 0n);
  });
  const outcome = runAsProcess(built, program, machine.emulator);
  const names = program.calls.map(({ routine, values }, i) => `${i} ${routine.name}(${values.join(", ")})`);
  const described = (of: (i: number) => unknown): object => Object.fromEntries(names.map((name, i) => [name, of(i)]));
  expect(described((i) => outcome.calls[i])).toEqual(described((i) => ({ result: expected[i], kept: true })));
  let at = 0;
  for (const { address, bytes } of built.regions) {
    const own = Buffer.from(outcome.memory.subarray(at, at + bytes));
    const difference = own.findIndex((byte, i) => byte !== memory.view(address, bytes)[i]);
    expect(difference, `first different byte of the memory at 0x${address.toString(16)}`).toBe(-1);
    at += bytes;
  }
  return expected;
}
