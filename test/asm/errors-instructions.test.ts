// Operands that an instruction does not have: typed errors with the offending value, what is allowed, and the author's source line.

import { describe, expect, it } from "vitest";
import { arm64, Arm64Assembler, x64, X64Assembler } from "../../src/asm/index.ts";
import { refusal, SourceFile } from "./support/refusal.ts";

const own = new SourceFile(import.meta.url);

/** Name, instruction, message, value, allowed. */
const ofX64: readonly (readonly [string, (a: X64Assembler) => unknown, string, unknown, string])[] = [
  ["immediate", (a) => a.mov(x64.at(x64.rax), 0x8000_0000), "immediate does not fit", 0x8000_0000n, "sign-extended"],
  ["displacement", (a) => a.mov(x64.rax, x64.at(x64.rax, 2 ** 31)), "displacement out of range", 2 ** 31, "32 bits"],
  ["index", (a) => a.lea(x64.rax, x64.memory(64, { index: x64.rsp })), "rsp can't be an index", "rsp", "other 15"],
  ["widths", (a) => a.mov(x64.rax, x64.ecx), "operands of different widths", "64 and 32", "two of one width"],
  [
    "memory",
    (a) => a.mov(x64.at(x64.rax), x64.at(x64.rcx)),
    "two memory operands",
    undefined,
    "one of them a register",
  ],
  ["extension", (a) => a.movzx(x64.eax, x64.ecx), "an extension from that width", 32, "8 or 16"],
  ["sign extension", (a) => a.movsxd(x64.rax, x64.rcx), "movsxd between those widths", "64 and 64", "64 and 32"],
  ["stack", (a) => a.push(x64.eax), "a part of a register on the stack", "eax", "64 bits"],
  ["shift", (a) => a.shl(x64.eax, 32), "shift count out of range", 32, "0 to 31"],
  ["bit", (a) => a.bit("bt", x64.eax, 32), "bit number out of range", 32, "0 to 31"],
  ["vector", (a) => a.int(256), "vector out of range", 256, "0 to 255"],
  ["port", (a) => a.inPort(8, 0x3f8), "constant port out of range", 0x3f8, "0 to 255"],
  ["control register", (a) => a.movToCr(16, x64.rax), "register number out of range", 16, "0 to 15"],
  ["lock", (a) => a.lock().add(x64.rax, 1), "lock before an instruction", undefined, "read-modify-writes of memory"],
  ["byte order", (a) => a.bswap(x64.gpr(0, 16)), "bswap of that width", 16, "32 or 64"],
];

const ofArm64: readonly (readonly [string, (a: Arm64Assembler) => unknown, string, unknown, string])[] = [
  ["immediate", (a) => a.add(arm64.x0, arm64.x1, 0x1001), "not an add/sub immediate", 0x1001n, "12 bits"],
  ["mask", (a) => a.and(arm64.x0, arm64.x1, 5), "not a bitmask immediate", 5, "a rotated run of ones"],
  ["widths", (a) => a.add(arm64.x0, arm64.w1, arm64.x2), "registers of different widths", "x0 and w1", "one width"],
  ["shift", (a) => a.add(arm64.w0, arm64.w1, arm64.w2, "lsl", 32), "shift amount out of range", 32, "0 to 31"],
  ["rotation", (a) => a.add(arm64.x0, arm64.x1, arm64.x2, "ror", 1), "ror in an addition", "ror", "lsl, lsr, asr"],
  ["halfword", (a) => a.movz(arm64.w0, 1, 32), "shift of a halfword", 32, "0, 16"],
  ["constant", (a) => a.movk(arm64.x0, 0x1_0000), "16-bit immediate out of range", 0x1_0000, "0 to 65535"],
  ["field", (a) => a.ubfx(arm64.w0, arm64.w1, 8, 25), "number of bits out of range", 25, "1 to 24"],
  ["flags", (a) => a.ccmp(arm64.x0, 1, 16, "eq"), "flags out of range", 16, "0 to 15"],
  ["bit", (a) => a.tbz(arm64.w0, 32, "x"), "bit number out of range", 32, "0 to 31"],
  ["offset", (a) => a.ldr(arm64.x0, arm64.offset(arm64.x1, -257)), "unscaled offset out of range", -257, "-256 to 255"],
  ["pair", (a) => a.ldp(arm64.x0, arm64.x1, arm64.offset(arm64.sp, 4)), "offset of a pair", 4, "multiples of 8"],
  ["status", (a) => a.stxr(arm64.w1, arm64.w1, arm64.x2), "status register", "w1", "another register"],
  ["exception", (a) => a.svc(0x1_0000), "16-bit immediate out of range", 0x1_0000, "0 to 65535"],
];

describe.for([
  ["x86-64", ofX64.map(([name, emit, ...rest]) => [name, () => emit(new X64Assembler()), ...rest] as const)],
  ["AArch64", ofArm64.map(([name, emit, ...rest]) => [name, () => emit(new Arm64Assembler()), ...rest] as const)],
] as const)("mistakes in %s instructions", ([, mistakes]) => {
  it.for(mistakes)("%s", ([name, emit, message, value, allowed]) => {
    const error = refusal(emit);
    expect(error.code).toBe("ASSEMBLY_INVALID");
    expect(error.message).toContain(message);
    expect(error.value).toEqual(value);
    expect(error.allowed).toContain(allowed);
    own.expectLine(error, `"${name}"`);
  });
});
