// The code around random programs, the same on QEMU and on the emulator: descriptor tables, exception handlers that note
// what happened and go on at R15, a loop that gives each program fresh memory, runs it and saves registers and hashes.

import { Code, R14, R15, RAX, RBX, RCX, RDI, RDX, RSI, RSP, le } from "./code.ts";

/** Physical = virtual. Page 0 is not mapped; nothing is from MEMORY_END on. */
export const MEMORY_END = 0x100_0000;
/** QEMU only: the way from a boot loader to 64-bit mode. */
export const BOOT = 0x10_0000;
export const TABLES = 0x10_4000;
export const GDT = TABLES;
export const TSS = TABLES + 0x100;
export const IDT = TABLES + 0x1000;
export const VARIABLES = TABLES + 0x3000;
export const HARNESS = 0x11_0000;
export const HARNESS_STACK = 0x12_0000;
/** RSP0: for what interrupts CPL 3. */
const KERNEL_STACK = 0x12_4000;
/** Stack of #DF and #SS, whose own may be at fault. */
export const FAULT_STACK = 0x12_8000;
export const DATA = 0x13_0000;
export const DATA_BYTES = 4096;
export const STACK = 0x13_2000;
export const STACK_BYTES = 2048;
/** Addresses of the programs, 8 bytes each, ended by 0. */
export const PROGRAM_TABLE = 0x14_0000;
export const PAGE_TABLES = 0x1f_0000;
export const PROGRAMS = 0x30_0000;
export const RESULTS = 0x80_0000;

/** Words of a result: RAX to R15, RFLAGS, hashes of data, stack and exceptions, number of exceptions. */
export const RESULT_WORDS = 21;
export const resultNames = [
  ...["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"],
  ...["rflags", "data", "stack", "exceptions", "exceptionCount"],
] as const;

// Variables.
const NEXT_PROGRAM = VARIABLES;
const RESULT = VARIABLES + 8;
const EXCEPTION_HASH = VARIABLES + 24;
const EXCEPTION_COUNT = VARIABLES + 32;
/** Where programs jump to when they are over: a pointer, for jmp [absolute]. */
export const FINISH_POINTER = VARIABLES + 40;
const REGISTERS = VARIABLES + 64;
/** Becomes 1 when all programs have run. */
export const DONE = VARIABLES + 0x100;
const SEED = VARIABLES + 0x108;

export const CODE_SELECTOR = 0x08;
export const DATA_SELECTOR = 0x10;
export const TSS_SELECTOR = 0x18;
/** Flat segments of CPL 3, and the software interrupt by which programs leave it; INT3 may be executed there, too. */
export const USER_CODE_SELECTOR = 0x53;
export const USER_DATA_SELECTOR = 0x5b;
export const LEAVE_VECTOR = 0x81;
/** Descriptors for LAR, LSL, VERR and segment loads: conforming code, read-only data, not present data, code at DPL 3. */
export const SELECTORS = [0x08, 0x10, 0x18, 0x28, 0x30, 0x38, 0x40, 0x48] as const;

const RESULT_OFFSETS = { rflags: 16 * 8, data: 17 * 8, stack: 18 * 8, exceptions: 19 * 8, count: 20 * 8 };

/** A segment descriptor of 8 bytes. */
export function descriptor(base: number, limit: number, access: number, flags: number): number[] {
  const low = [...le(limit & 0xffff, 2), ...le(base & 0xff_ffff, 3)];
  return [...low, access, (flags << 4) | (limit >>> 16), (base >>> 24) & 0xff];
}

/** GDT, TSS and IDT as bytes from TABLES to VARIABLES. */
export function tables(handler: (vector: number) => number): Uint8Array {
  const bytes = new Uint8Array(VARIABLES - TABLES);
  const put = (address: number, values: readonly number[]): void => bytes.set(values, address - TABLES);
  put(GDT + CODE_SELECTOR, descriptor(0, 0xf_ffff, 0x9b, 0xa));
  put(GDT + DATA_SELECTOR, descriptor(0, 0xf_ffff, 0x93, 0xc));
  put(GDT + TSS_SELECTOR, [...descriptor(TSS, 103, 0x89, 0), ...le(0, 8)]);
  put(GDT + 0x28, descriptor(0, 0xf_ffff, 0x9f, 0xa)); // conforming
  put(GDT + 0x30, descriptor(0x1234_5000, 0x1_2345, 0x91, 0x4)); // read-only data
  put(GDT + 0x38, descriptor(0, 0xfff, 0x13, 0x4)); // not present
  put(GDT + 0x40, descriptor(0x8765_4000, 0xf_ffff, 0xf3, 0xc)); // data at DPL 3
  put(GDT + 0x48, descriptor(0, 0xf_ffff, 0x99, 0xa)); // code that can't be read
  put(GDT + 0x50, descriptor(0, 0xf_ffff, 0xfb, 0xa));
  put(GDT + 0x58, descriptor(0, 0xf_ffff, 0xf3, 0xc));
  put(TSS + 4, le(KERNEL_STACK, 8));
  put(TSS + 36, le(FAULT_STACK, 8)); // IST1
  put(TSS + 102, le(104, 2)); // no ports for CPL 3
  for (let vector = 0; vector < 256; vector++) {
    const target = handler(vector);
    const ist = vector === 8 || vector === 12 ? 1 : 0;
    // #BP by a trap gate
    const type = (vector === 3 ? 0x8f : 0x8e) | (vector === 3 || vector === LEAVE_VECTOR ? 0x60 : 0);
    put(IDT + 16 * vector, [
      ...le(target & 0xffff, 2),
      ...le(CODE_SELECTOR, 2),
      ist,
      type,
      ...le(target >>> 16, 2),
      ...le(0, 8),
    ]);
  }
  return bytes;
}

function hasErrorCode(vector: number): boolean {
  return [8, 10, 11, 12, 13, 14, 17].includes(vector);
}

const absolute = (address: number): { displacement: number } => ({ displacement: address });

export interface Harness {
  readonly entry: number;
  readonly code: Uint8Array;
  readonly tables: Uint8Array;
  readonly variables: Uint8Array;
}

/** @param leave what to do when all programs have run */
export function buildHarness(leave: (code: Code) => void): Harness {
  const code = new Code(HARNESS);
  code.label("entry");
  // lgdt, lidt: pseudo-descriptors stand behind the code
  code.put({ opcode: [0x0f, 0x01], reg: 2, rm: { rip: true, displacement: HARNESS + 0xe00 } });
  code.put({ opcode: [0x0f, 0x01], reg: 3, rm: { rip: true, displacement: HARNESS + 0xe10 } });
  code.movImmediate(RAX, DATA_SELECTOR);
  for (const segment of [0, 2, 3]) code.put({ opcode: [0x8e], reg: segment, rm: RAX });
  code.put({ opcode: [0x31], reg: RAX, rm: RAX });
  for (const segment of [4, 5]) code.put({ opcode: [0x8e], reg: segment, rm: RAX });
  code.movImmediate(RAX, TSS_SELECTOR).put({ opcode: [0x0f, 0x00], reg: 3, rm: RAX });
  // no local descriptor table
  code.put({ opcode: [0x31], reg: RAX, rm: RAX }).put({ opcode: [0x0f, 0x00], reg: 2, rm: RAX });
  // CR4.FSGSBASE
  code.put({ opcode: [0x0f, 0x20], reg: 4, rm: RAX }).put({ opcode: [0x0d], wide: true, immediate: le(1 << 16, 4) });
  code.put({ opcode: [0x0f, 0x22], reg: 4, rm: RAX });
  emitLoop(code);
  emitFinish(code);
  emitHandlers(code);
  if (code.here > HARNESS + 0xe00) throw new Error("the harness is too long");
  code.align(0x100);
  while (code.here < HARNESS + 0xe00) code.raw(0);
  code.raw(...le(0x5f, 2), ...le(GDT, 8)).align(16, 0);
  code.raw(...le(0xfff, 2), ...le(IDT, 8)).align(16, 0);
  emitStubs(code);
  code.label("leave").movImmediate(RAX, 1).mov(absolute(DONE), RAX);
  leave(code);
  const bytes = code.finish();
  const variables = new Uint8Array(0x200);
  const view = new DataView(variables.buffer);
  view.setBigUint64(NEXT_PROGRAM - VARIABLES, BigInt(PROGRAM_TABLE), true);
  view.setBigUint64(RESULT - VARIABLES, BigInt(RESULTS), true);
  view.setBigUint64(FINISH_POINTER - VARIABLES, BigInt(code.addressOf("finish")), true);
  view.setBigUint64(SEED - VARIABLES, 0x9e37_79b9_7f4a_7c15n, true);
  return { entry: HARNESS, code: bytes, tables: tables((vector) => code.addressOf(`vector${vector}`)), variables };
}

/** Takes the next program, fills its memory from a running generator, and jumps there. */
function emitLoop(code: Code): void {
  code.label("next");
  code.movImmediate(RSP, HARNESS_STACK);
  code.mov(RBX, absolute(NEXT_PROGRAM)).mov(RBX, { base: RBX });
  code.put({ opcode: [0x85], reg: RBX, rm: RBX, wide: true }).jumpIf(4, "leave");
  code
    .put({ opcode: [0x31], reg: RAX, rm: RAX })
    .mov(absolute(EXCEPTION_HASH), RAX)
    .mov(absolute(EXCEPTION_COUNT), RAX);
  // xorshift64: the seed runs on from program to program
  code
    .mov(RAX, absolute(SEED))
    .movImmediate(RDI, DATA)
    .movImmediate(RCX, (DATA_BYTES + STACK_BYTES) / 8);
  code.raw(0xfc).label("fill");
  for (const [direction, count] of [
    [4, 13],
    [5, 7],
    [4, 17],
  ] as const) {
    code
      .mov(RDX, RAX)
      .put({ opcode: [0xc1], reg: direction, rm: RDX, wide: true, immediate: [count] })
      .alu("xor", RAX, RDX);
  }
  code.mov({ base: RDI }, RAX).aluImmediate("add", RDI, 8);
  code
    .aluImmediate("cmp", RDI, DATA + DATA_BYTES)
    .jumpIf(5, "same")
    .movImmediate(RDI, STACK);
  code
    .label("same")
    .put({ opcode: [0xff], reg: 1, rm: RCX, wide: true })
    .jumpIf(5, "fill");
  code.mov(absolute(SEED), RAX);
  // FS and GS point into the data
  for (const [msr, value] of [
    [0xc000_0100, DATA + 0x100],
    [0xc000_0101, DATA + 0x800],
    [0xc000_0102, DATA + 0x400],
  ] as const) {
    code
      .movImmediate(RCX, msr)
      .movImmediate(RAX, value)
      .put({ opcode: [0x31], reg: RDX, rm: RDX })
      .raw(0x0f, 0x30);
  }
  code.put({ opcode: [0xff], reg: 4, rm: RBX });
}

/** Where programs end: saves everything, hashes memory, writes the result. */
function emitFinish(code: Code): void {
  code.label("finish");
  for (let register = 0; register < 16; register++) code.mov(absolute(REGISTERS + 8 * register), register);
  code
    .movImmediate(RSP, HARNESS_STACK)
    .raw(0x9c)
    .pop(RAX)
    .mov(absolute(REGISTERS + RESULT_OFFSETS.rflags), RAX);
  code.raw(0x6a, 0x02, 0x9d); // push 2; popfq
  for (const [start, bytes, at] of [
    [DATA, DATA_BYTES, RESULT_OFFSETS.data],
    [STACK, STACK_BYTES, RESULT_OFFSETS.stack],
  ] as const) {
    code
      .movImmediate(RSI, start)
      .movImmediate(RCX, bytes / 8)
      .put({ opcode: [0x31], reg: RAX, rm: RAX });
    code.label(`hash${at}`).alu("xor", RAX, { base: RSI });
    hashRound(code, RAX);
    code
      .aluImmediate("add", RSI, 8)
      .put({ opcode: [0xff], reg: 1, rm: RCX, wide: true })
      .jumpIf(5, `hash${at}`);
    code.mov(absolute(REGISTERS + at), RAX);
  }
  code.mov(RAX, absolute(EXCEPTION_HASH)).mov(absolute(REGISTERS + RESULT_OFFSETS.exceptions), RAX);
  code.mov(RAX, absolute(EXCEPTION_COUNT)).mov(absolute(REGISTERS + RESULT_OFFSETS.count), RAX);
  code.movImmediate(RSI, REGISTERS).mov(RDI, absolute(RESULT)).movImmediate(RCX, RESULT_WORDS).raw(0xf3, 0x48, 0xa5);
  code.mov(absolute(RESULT), RDI);
  code.put({ opcode: [0x83], reg: 0, rm: absolute(NEXT_PROGRAM), wide: true, immediate: [8] });
  code.jump("next");
}

function hashRound(code: Code, register: number): void {
  code.put({ opcode: [0x69], reg: register, rm: register, wide: true, immediate: le(0x3779_b97f, 4) });
  code.put({ opcode: [0xc1], reg: 0, rm: register, wide: true, immediate: [23] });
}

/** Behind vector and error code on the stack: notes the exception; the program goes on at R15, after #DB where it was. */
function emitHandlers(code: Code): void {
  code.label("common").push(RAX).push(RBX).mov(RAX, absolute(EXCEPTION_HASH));
  // RF of the frame away: QEMU sets it for no fault (SDM 3B 17.3.1.1 has it set for all)
  code.put({
    opcode: [0x81],
    reg: 4,
    rm: { base: RSP, displacement: 16 + 8 * 4 },
    wide: true,
    immediate: le(~(1 << 16), 4),
  });
  // vector, error code, RIP, CS, RFLAGS, RSP, SS
  for (let word = 0; word < 7; word++) {
    code.alu("xor", RAX, { base: RSP, displacement: 16 + 8 * word });
    hashRound(code, RAX);
  }
  code.aluImmediate("cmp", { base: RSP, displacement: 16 }, 14).jumpIf(5, "notPage");
  code.put({ opcode: [0x0f, 0x20], reg: 2, rm: RBX }).alu("xor", RAX, RBX);
  hashRound(code, RAX);
  code.label("notPage").mov(absolute(EXCEPTION_HASH), RAX);
  code.put({ opcode: [0xff], reg: 0, rm: absolute(EXCEPTION_COUNT), wide: true });
  code.aluImmediate("cmp", { base: RSP, displacement: 16 }, 1).jumpIf(4, "resume");
  code.mov({ base: RSP, displacement: 32 }, R15);
  code.label("resume").pop(RBX).pop(RAX).aluImmediate("add", RSP, 16).raw(0x48, 0xcf);
  // Back at CPL 0, behind the INT and on the same stack.
  code.label("leave user");
  for (const [word, selector] of [
    [1, CODE_SELECTOR],
    [4, DATA_SELECTOR],
  ] as const) {
    code.put({
      opcode: [0xc7],
      reg: 0,
      rm: { base: RSP, displacement: 8 * word },
      wide: true,
      immediate: le(selector, 4),
    });
  }
  code.raw(0x48, 0xcf);
}

function emitStubs(code: Code): void {
  for (let vector = 0; vector < 256; vector++) {
    code.label(`vector${vector}`);
    if (vector === LEAVE_VECTOR) {
      code.jump("leave user");
      continue;
    }
    if (!hasErrorCode(vector)) code.raw(0x6a, 0);
    code.raw(0x68, ...le(vector, 4)).jump("common");
  }
}

/** Registers that programs may not write: the stack, where to go on after an exception, the data. */
export const RESERVED = [RSP, R15, R14] as const;
