// Runs a program as a process, natively on x86-64 Linux or under qemu-aarch64: its driver writes results and memory to standard output.

import type { Arm64Flavour, Architecture } from "../../../src/asm/index.ts";
import { arm64, writeElf, x64 } from "../../../src/asm/index.ts";
import { Call, outcomesOf, PER_CPU, PER_CPU_STRIDE, programImage } from "./program-image.ts";
import type { ProgramImage, ProgramOutcome, Surroundings } from "./program-image.ts";
import type { Program } from "./random-program.ts";
import { run, withFolder, writeExecutable } from "./tools.ts";

const ARCH_SET_GS = 0x1001;

/** Linux system calls: write 1, exit 60, arch_prctl 158 on x86-64; write 64, exit 93 on AArch64. */
function surroundings(cpus: number): Surroundings {
  return {
    perCpuRegister: "tpidr_el0",
    x64: {
      perCpuBase: (a) => a.mov(x64.edi, ARCH_SET_GS).mov(x64.eax, 158).syscall(),
      finish: (a, calls, regions, program) => {
        const { rax, rbx, rsi, rdx, eax, edi, memory } = x64;
        const perCpu = memory(64, { symbol: PER_CPU });
        const write = (address: x64.X64Memory, bytes: number): void => {
          const again = a.newLabel();
          a.lea(rsi, address).mov(rbx, bytes).place(again);
          a.mov(edi, 1).mov(rdx, rbx).mov(eax, 1).syscall();
          a.add(rsi, rax).sub(rbx, rax).jcc("ne", again);
        };
        write(memory(64, { symbol: calls }), program.calls.length * Call.bytes);
        for (const symbol of regions) write(memory(64, { symbol }), symbol.type.bytes);
        write(perCpu, cpus * PER_CPU_STRIDE);
        a.xor(edi, edi).mov(eax, 60).syscall();
      },
    },
    arm64: {
      perCpuBase: (a) => a.msr("tpidr_el0", arm64.x9),
      finish: (a, calls, regions, program) => {
        const { x0, x1, x2, x8 } = arm64;
        const write = (load: () => void, bytes: number): void => {
          const again = a.newLabel();
          load();
          a.movConstant(x2, bytes).place(again);
          a.movz(x0, 1).movz(x8, 64).svc();
          a.add(x1, x1, x0).subs(x2, x2, x0).bcond("ne", again);
        };
        write(() => a.symbolAddress(x1, calls), program.calls.length * Call.bytes);
        for (const symbol of regions) write(() => a.symbolAddress(x1, symbol), symbol.type.bytes);
        write(() => a.symbolAddress(x1, PER_CPU), cpus * PER_CPU_STRIDE);
        a.movz(x0, 0).movz(x8, 93).svc();
      },
    },
  };
}

export function processImage(
  program: Program,
  architecture: Architecture,
  cpus: number,
  flavour: Partial<Arm64Flavour>,
): ProgramImage {
  return programImage(program, architecture, cpus, flavour, surroundings(cpus));
}

export function runAsProcess({ image }: ProgramImage, program: Program, emulator?: string): ProgramOutcome {
  return withFolder((path) => {
    const file = path("program");
    writeExecutable(file, writeElf(image, { lines: false }));
    const { stdout, stderr, status } = emulator === undefined ? run(file) : run(emulator, file);
    if (status !== 0) throw new Error(`program ended with status ${status}: ${stderr}`);
    const bytes = new Uint8Array(stdout);
    const callBytes = program.calls.length * Call.bytes;
    return { calls: outcomesOf(bytes.subarray(0, callBytes), program), memory: bytes.subarray(callBytes) };
  });
}
