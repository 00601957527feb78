// One program, every way to run it: the interpreter against each machine that is there, results and memory compared.

import { expect } from "vitest";
import type { Arm64Flavour, Architecture } from "../../../src/asm/index.ts";
import type { InterpreterOptions } from "./interpreter.ts";
import { FlatMemory, Interpreter } from "./interpreter.ts";
import type { Program } from "./random-program.ts";
import { TestBlock } from "./random-memory.ts";
import { coreImage, runOnCore } from "./own-core.ts";
import type { ProgramImage, ProgramOutcome } from "./program-image.ts";
import { hasAll, isX64Linux } from "./tools.ts";
import { processImage, runAsProcess } from "./user-process.ts";

export interface Machine {
  readonly name: string;
  readonly architecture: Architecture;
  readonly flavour: Partial<Arm64Flavour>;
  /** What is missing if the machine is not there. */
  readonly missing: string | undefined;
  readonly build: (program: Program, cpus: number) => ProgramImage;
  readonly run: (image: ProgramImage, program: Program) => ProgramOutcome;
}

const TARGETS = [
  { name: "x86-64", architecture: "x86-64", flavour: {} },
  { name: "AArch64 with LSE atomics", architecture: "arm64", flavour: { atomics: "lse" } },
  { name: "AArch64 with exclusive loops", architecture: "arm64", flavour: { atomics: "llsc" } },
] as const;

/** Other implementations: the host's processor, and QEMU in user mode. */
export const OUTSIDE_MACHINES: readonly Machine[] = TARGETS.map((target) => {
  const emulator = target.architecture === "arm64" ? ("qemu-aarch64" as const) : undefined;
  const isThere = emulator === undefined ? isX64Linux : hasAll(emulator);
  return {
    ...target,
    name: `${target.name} as a process`,
    missing: isThere ? undefined : (emulator ?? "a host with x86-64 Linux"),
    build: (program, cpus) => processImage(program, target.architecture, cpus, target.flavour),
    run: (image, program) => runAsProcess(image, program, emulator),
  };
});

/** The core of this project. */
export const OWN_CORE: readonly Machine[] = TARGETS.map((target) => ({
  ...target,
  name: `${target.name} on the own core`,
  missing: undefined,
  build: (program, cpus) => coreImage(program, target.architecture, cpus, target.flavour),
  run: runOnCore,
}));

export const MACHINES: readonly Machine[] = [...OWN_CORE, ...OUTSIDE_MACHINES];

/** Says why a machine's tests do not run. */
export function titleOf({ name, missing }: Machine): string {
  return missing === undefined ? name : `${name} (skipped: needs ${missing})`;
}

/** Runs the calls on a machine and in the interpreter; results, kept registers and memory must agree. Returns the results. */
export function expectSame(
  program: Program,
  machine: Machine,
  cpus: number,
  options: InterpreterOptions = {},
): bigint[] {
  const built = machine.build(program, cpus);
  const memory = FlatMemory.ofImage(built.image);
  // The driver stores the block's own address at its start, as the x86-64 convention wants.
  memory.write("u64", BigInt(built.image.perCpuStart), BigInt(built.image.perCpuStart));
  const blocks = built.image.addressOf(program.blocks);
  const expected = program.calls.map(({ routine, values }, i) => {
    const interpreter = new Interpreter(built.image, memory, { stepLimit: 2_000_000, ...options });
    return BigInt.asUintN(64, interpreter.call(routine, [BigInt(blocks + i * TestBlock.bytes), ...values]) ?? 0n);
  });
  const outcome = machine.run(built, program);
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
