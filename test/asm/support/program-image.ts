// A random program as an image with a driver in direct instructions: it makes each call with a pattern in every register that a callee
// must keep, then checks the pattern and the stack pointer. What it runs on (a process, a machine) decides how it begins and ends.

import type { Arm64Assembler, Arm64Flavour, Image, X64Assembler } from "../../../src/asm/index.ts";
import { arm64, array, asmRoutine, buildImage, code, global, struct, u64, x64 } from "../../../src/asm/index.ts";
import type { DataSymbol } from "../../../src/asm/record/data.ts";
import { symbolicAddress } from "../../../src/asm/record/data.ts";
import type { Program } from "./random-program.ts";
import { TestBlock } from "./random-memory.ts";
const MAXIMUM_VALUES = 6;

export const PER_CPU_STRIDE = 4096;

export const Call = struct("test_call", {
  target: code,
  values: array(u64, MAXIMUM_VALUES),
  result: u64,
  kept: u64,
  stack: u64,
});
const RESULT_OFFSET = 8 + 8 * MAXIMUM_VALUES;
const KEPT_OFFSET = RESULT_OFFSET + 8;
const STACK_OFFSET = KEPT_OFFSET + 8;

export interface CallOutcome {
  readonly result: bigint;
  /** True if every call-saved register and the stack pointer came back. */
  readonly kept: boolean;
}

/** How a driver begins, with the address of the per-CPU blocks in rsi or x9, and how it ends. */
export interface Surrounding<A> {
  perCpuBase(a: A): void;
  finish(a: A, calls: DataSymbol, regions: readonly DataSymbol[], program: Program): void;
}

export interface Surroundings {
  readonly x64: Surrounding<X64Assembler>;
  readonly arm64: Surrounding<Arm64Assembler>;
  readonly perCpuRegister: Arm64Flavour["perCpuRegister"];
}

export interface ProgramOutcome {
  readonly calls: readonly CallOutcome[];
  /** Blocks, shared globals and per-CPU blocks, in that order. */
  readonly memory: Uint8Array;
}

export interface ProgramImage {
  readonly image: Image;
  readonly regions: readonly { readonly address: number; readonly bytes: number }[];
  readonly callsAddress: number;
}

/** Builds an image of the program with its driver, which ends in the way of its surroundings. */
export function programImage(
  program: Program,
  architecture: "x86-64" | "arm64",
  cpus: number,
  flavour: Partial<Arm64Flavour>,
  surroundings: Surroundings,
): ProgramImage {
  const calls = global("test_calls", array(Call, program.calls.length), {
    initial: program.calls.map(({ routine, values }, i) => ({
      target: routine,
      // The block's address is filled in by the driver, which knows only the array's start.
      // Callers of our own clear the upper half of a 32-bit argument.
      values: [
        BigInt(i * TestBlock.bytes),
        ...values.map((value, n) => BigInt.asUintN(8 * (routine.signature.parameters[n + 1]?.type.bytes ?? 8), value)),
      ],
    })),
    align: 64,
  });
  const regionSymbols = [dataSymbol(program.blocks), ...program.shared.map(dataSymbol)];
  const start = asmRoutine(
    "_start",
    {
      x64: (a) => {
        x64Driver(a, dataSymbol(calls), regionSymbols, program, surroundings.x64);
      },
      arm64: (a) => {
        arm64Driver(a, dataSymbol(calls), regionSymbols, program, surroundings.arm64);
      },
    },
    { section: "head" },
  );
  const image = buildImage({
    architecture,
    entry: start,
    roots: [...program.routines, program.blocks, ...program.shared, program.perCpu, calls],
    cpus,
    perCpuStride: PER_CPU_STRIDE,
    flavour: { perCpuRegister: surroundings.perCpuRegister, ...flavour },
  });
  const regions = regionSymbols.map((symbol) => ({
    address: image.symbol(symbol.name).address,
    bytes: symbol.type.bytes,
  }));
  regions.push({ address: image.perCpuStart, bytes: cpus * image.perCpuStride });
  return { image, regions, callsAddress: image.symbol("test_calls").address };
}

export function dataSymbol(face: unknown): DataSymbol {
  const target = symbolicAddress(face)?.symbol;
  if (target?.kind !== "data") throw new Error("not a global");
  return target;
}

/** What the driver noted of each call. */
export function outcomesOf(calls: Uint8Array, program: Program): CallOutcome[] {
  const view = new DataView(calls.buffer, calls.byteOffset, calls.byteLength);
  return program.calls.map((_, i) => ({
    result: view.getBigUint64(i * Call.bytes + RESULT_OFFSET, true),
    kept: view.getBigUint64(i * Call.bytes + KEPT_OFFSET, true) === 1n,
  }));
}

// --- drivers ----------------------------------------------------------

const X64_KEPT = [3, 5, 12, 13, 14, 15];
const X64_ARGUMENTS = [7, 6, 2, 1, 8, 9];

function x64Driver(
  a: X64Assembler,
  calls: DataSymbol,
  regions: readonly DataSymbol[],
  program: Program,
  surroundings: Surrounding<X64Assembler>,
): void {
  const { rax, rcx, rdi, rsi, rsp, r10, r11, memory, gpr, ecx } = x64;
  const perCpu = memory(64, { symbol: PER_CPU });
  a.lea(rsi, perCpu).mov(x64.at(rsi), rsi);
  surroundings.perCpuBase(a);
  program.calls.forEach((_, i) => {
    const at = (offset: number): x64.X64Memory => memory(64, { symbol: calls, displacement: i * Call.bytes + offset });
    X64_ARGUMENTS.forEach((number, n) => a.mov(gpr(number, 64), at(8 + 8 * n)));
    a.lea(r10, memory(64, { symbol: regions[0] ?? calls })).add(rdi, r10);
    for (const number of X64_KEPT) a.mov(gpr(number, 64), pattern(number));
    a.mov(at(STACK_OFFSET), rsp);
    a.callIndirect(at(0));
    a.mov(at(RESULT_OFFSET), rax).mov(ecx, 1);
    const differs = a.newLabel();
    for (const number of X64_KEPT) a.mov(r11, pattern(number)).cmp(gpr(number, 64), r11).jcc("ne", differs);
    a.cmp(rsp, at(STACK_OFFSET)).jcc("ne", differs).mov(at(KEPT_OFFSET), rcx).place(differs);
    a.mov(rsp, at(STACK_OFFSET));
  });
  surroundings.finish(a, calls, regions, program);
}

export const PER_CPU = { kind: "perCpuStart", name: "__per_cpu_start" } as const;

function pattern(number: number): bigint {
  return 0x5a5a_0000_1234_0000n + BigInt(number);
}

const ARM64_KEPT = [19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29];

function arm64Driver(
  a: Arm64Assembler,
  calls: DataSymbol,
  regions: readonly DataSymbol[],
  program: Program,
  surroundings: Surrounding<Arm64Assembler>,
): void {
  const { x0, x9, x10, x16, sp, offset, armGpr } = arm64;
  a.symbolAddress(x9, PER_CPU).str(x9, offset(x9));
  surroundings.perCpuBase(a);
  program.calls.forEach((_, i) => {
    a.symbolAddress(x16, calls, i * Call.bytes);
    for (let n = 0; n < MAXIMUM_VALUES; n++) a.ldr(armGpr(n, 64), offset(x16, 8 + 8 * n));
    a.symbolAddress(x9, regions[0] ?? calls).add(x0, x0, x9);
    for (const number of ARM64_KEPT) a.movConstant(armGpr(number, 64), pattern(number));
    a.mov(x9, sp).str(x9, offset(x16, STACK_OFFSET)).ldr(x16, offset(x16)).blr(x16);
    a.symbolAddress(x16, calls, i * Call.bytes).str(x0, offset(x16, RESULT_OFFSET));
    const differs = a.newLabel();
    for (const number of ARM64_KEPT)
      a.movConstant(x9, pattern(number)).cmp(armGpr(number, 64), x9).bcond("ne", differs);
    a.mov(x9, sp).ldr(x10, offset(x16, STACK_OFFSET)).cmp(x9, x10).bcond("ne", differs);
    a.movz(x9, 1).str(x9, offset(x16, KEPT_OFFSET)).place(differs);
    a.ldr(x10, offset(x16, STACK_OFFSET)).mov(sp, x10);
  });
  surroundings.finish(a, calls, regions, program);
}
