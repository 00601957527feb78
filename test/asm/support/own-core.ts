// Runs a program on this project's own core: a bare CPU from the driver's start until it waits for ever.
//
// On AArch64 a second CPU sends events all the time, as the timer's event stream does on a real machine: a WFE for a cell that nobody
// else writes would wait for ever.

import { RunStatus } from "../../../src/abi.ts";
import type { Arm64Flavour, Architecture } from "../../../src/asm/index.ts";
import { arm64, x64 } from "../../../src/asm/index.ts";
import { BareMachine, PAGE_RW, PAGE_RX } from "../../support/bare-machine.ts";
import { Call, outcomesOf, programImage } from "./program-image.ts";
import type { ProgramImage, ProgramOutcome, Surroundings } from "./program-image.ts";
import type { Program } from "./random-program.ts";

const MSR_GS_BASE = 0xc000_0101;
const PAGE_BYTES = 4096;
/** At the driver's first stack pointer, above all frames: not 0 when the driver has ended. */
const FLAG_BYTES = 16;
const STACK_BYTES = 0x1_0000;
const RAM_BYTES = 4 * 2 ** 20;
/** Far beyond what any program takes: one that reaches it hangs. */
const CYCLE_LIMIT = 200_000_000;

const SURROUNDINGS: Surroundings = {
  perCpuRegister: "tpidr_el1",
  x64: {
    perCpuBase: (a) => {
      const { rax, rdx, rsi, ecx } = x64;
      a.mov(rax, rsi).mov(rdx, rsi).shr(rdx, 32).mov(ecx, MSR_GS_BASE).wrmsr();
    },
    finish: (a) => a.cli().hlt(),
  },
  arm64: {
    perCpuBase: (a) => a.msr("tpidr_el1", arm64.x9),
    finish: (a) => {
      const { x0, x1, x9, sp, offset } = arm64;
      a.mov(x9, sp).str(x9, offset(sp)).daifSet(15).wfi();
      a.label("events").mark("events").movz(x1, 50).label("delay").subs(x1, x1, 1).bcond("ne", "delay");
      a.sev().ldr(x1, offset(x0)).cbz(x1, "events").wfi();
    },
  },
};

export function coreImage(
  program: Program,
  architecture: Architecture,
  cpus: number,
  flavour: Partial<Arm64Flavour>,
): ProgramImage {
  return programImage(program, architecture, cpus, flavour, SURROUNDINGS);
}

export function runOnCore({ image, regions, callsAddress }: ProgramImage, program: Program): ProgramOutcome {
  const { architecture } = image;
  const machine = new BareMachine({ architecture, ramBytes: RAM_BYTES, cpus: architecture === "arm64" ? 2 : 1 });
  const stackTop = machine.ramBase + RAM_BYTES;
  const stack = stackTop - FLAG_BYTES;
  machine.map(stackTop - STACK_BYTES, STACK_BYTES, PAGE_RW);
  for (const { address, bytes, memoryBytes, executable } of image.segments) {
    const start = address - (address % PAGE_BYTES);
    machine.map(start, address + memoryBytes - start, executable ? PAGE_RX : PAGE_RW);
    machine.write(address, bytes);
  }
  machine.start(0, image.entry ?? 0, { stack });
  if (architecture === "arm64") {
    machine.start(1, image.mark("_start:events").address, { argument: BigInt(stack) });
  }
  const status = machine.run(CYCLE_LIMIT);
  if (status !== RunStatus.QUIESCENT) {
    throw new Error(`the program does not end: status ${RunStatus[status]}, pc ${machine.pc(0).toString(16)}`);
  }
  const calls = outcomesOf(machine.read(callsAddress, program.calls.length * Call.bytes), program);
  const pieces = regions.map(({ address, bytes }) => machine.read(address, bytes));
  return { calls, memory: Buffer.concat(pieces) };
}
