// Mistakes in assembly text: a typed error at line and column, with the token that is wrong and what is allowed.

import { describe, expect, it } from "vitest";
import { assembleText } from "../../../src/asm/index.ts";
import type { Architecture } from "../../../src/asm/index.ts";
import { refusal } from "../support/refusal.ts";

/** Text, line:column, what is wrong, the token, what is allowed. */
type Mistake = readonly [text: string, at: string, what: string, value: unknown, allowed: string];

const IN_BOTH: readonly Mistake[] = [
  ["nop\n  mvo 1", "2:3", "no such instruction", "mvo", "mov"],
  [".align 2 3", "1:10", "something behind the end of the statement", "3", ";"],
  [".bite 1", "1:1", "no such directive", ".bite", ".byte"],
  [".byte 256", "1:7", "a number that is too large", "256", "8 bits"],
  [".byte 1, (2", "1:12", "the statement ends here", "", ")"],
  [".byte 1 /", "1:10", "the statement ends here", "", "a number"],
  [".byte 1 / 0", "1:11", "a division by zero", "0", "not 0"],
  [".byte 1 << 64", "1:12", "a shift by that many bits", "64", "0 to 63"],
  [".byte 08", "1:7", "an octal number", "08", "0 to 7"],
  [".byte 0x1g", "1:10", "a number with that behind it", "g", "0x10"],
  [".quad nowhere", "1:7", "a name that nothing defines", "nowhere", ".set"],
  [".quad 1b", "1:7", "a numeric label that is not there", "1b", "1: before it"],
  ["1: nop; .quad 1f", "1:15", "a numeric label that is not there", "1f", "1: behind it"],
  ["a: nop\na: nop", "2:1", "a name is defined twice, first in line 1", "a", "one definition"],
  ["given: nop", "1:1", "a name is defined twice, first among the given symbols", "given", "one definition"],
  [".set x, y\n.set y, x\n.quad x", "", "a symbol is defined by itself", undefined, "other symbols"],
  [".space a; a:", "1:8", "not a constant", "a", "0 to"],
  [".space -1", "1:8", "out of range", "-1", "0 to"],
  [".balign 3", "1:9", "no power of two", "3", "1, 2, 4, 8"],
  [".balign 8192", "1:9", "more than the base address is aligned to", "8192", "a multiple of it"],
  [".ascii 5", "1:8", "a string is expected here", "5", '"text"'],
  ['.ascii "abc', "1:8", "a string without end", '"', "on the same line"],
  ['.long "a"', "1:7", "a string is no number", '"a"', ".ascii"],
  ["nop /* comment\nnop", "1:5", "a comment without end", "/*", "*/"],
  ["nop\n.rept 2\nnop", "2:1", "a repetition without end", ".rept", ".endr"],
  [".macro a x\nnop", "1:1", "a macro without end", ".macro", ".endm"],
  [".macro a; .endm; .macro a; .endm", "1:25", "a macro is defined twice", "a", "one definition"],
  [".macro a x, y; nop \\z; .endm", "1:20", "no parameter of the macro", "\\z", "x, y"],
  [".macro a x; nop; .endm\na 1, 2", "2:6", "more arguments than the macro has", "2", "x"],
  [".macro a x; nop; .endm\na y=2", "2:3", "no parameter of the macro", "y", "x"],
  [".macro a; a; .endm\na", "1:11", "macros that call each other without end", "a", "other"],
  [".byte \\x", "1:7", "no expression begins so", "\\x", "a number"],
  ["nop\n §", "2:2", "a character that means nothing here", "§", "names"],
  ["1 nop", "1:1", "no statement begins so", "1", "a mnemonic"],
  ["0x1: nop", "1:1", "no name of a label", "0x1", "a name"],
  ["nop; .byte . - nowhere + 1000", "1:16", "a name that nothing defines", "nowhere", "labels"],
  ["a: nop; .byte a", "1:15", "beyond 8 bits", 0x1000, "-128 to 255"],
];

const IN_X64: readonly Mistake[] = [
  ["hlt cli", "1:5", "an instruction with 1 operands", "cli", "no operands"],
  ["mov $1, %eaxx", "1:9", "no such register", "%eaxx", "eax"],
  ["mov $1, (%rdi)", "1:1", "nothing says how many bits", "mov", "a suffix"],
  ["movl $1, %rdi", "1:10", "a register of another width", "%rdi", "32 bits"],
  ["mov %eax, %rbx", "1:5", "a register of another width", "%eax", "64 bits"],
  ["movq $0x80000000, (%rax)", "1:6", "immediate does not fit", 0x8000_0000n, "sign-extended"],
  ["mov %eax", "1:1", "an instruction with 1 operands", "mov", "register"],
  ["mov (%rax), (%rbx)", "1:1", "nothing says how many bits", "mov", "a suffix"],
  ["movl (%rax), (%rbx)", "1:1", "two memory operands", undefined, "one of them a register"],
  ["mov 8(%eax), %ecx", "1:5", "an address in a part of a register", "8(%eax)", "64 bits"],
  ["mov (%rax,%rbx,3), %ecx", "1:16", "no scale of an index", "3", "1, 2, 4, 8"],
  ["lea (%rax,%rsp), %rcx", "1:5", "rsp can't be an index", "rsp", "the other 15"],
  ["mov %ah, %al", "1:5", "the second byte of a register", "%ah", "%al"],
  ["lock mov %eax, (%rdi)", "1:1", "lock before an instruction that can't be locked", "lock", "cmpxchg"],
  ["lock add %eax, %ebx", "1:1", "lock before an instruction that can't be locked", "lock", "cmpxchg"],
  ["nop; lock", "1:6", "a prefix without an instruction", "lock", "an instruction"],
  ["rep add %eax, %ebx", "1:1", "a repeat prefix before another instruction", "rep", "movs"],
  ["cmpxchgx %eax, (%rdi)", "1:1", "no such instruction", "cmpxchgx", "cmpxchg"],
  ["xaddx", "1:1", "no such instruction", "xaddx", "xadd"],
  ["leab (%rax), %cl", "1:1", "a suffix that the instruction doesn't have", "leab", "w, l, q"],
  ["add *%rax, %rbx", "1:5", "an indirect operand", "*%rax", "register"],
  ["jmp %rax", "1:5", "no place to go to", "%rax", "* before a register"],
  ["jne 0x100000000000", "1:5", "too far away", "0x100000000000", "2 GiB"],
  ["jmp nowhere", "1:5", "a name that nothing defines", "nowhere", "labels"],
  ["loop 1f; .space 200; 1:", "1:1", "8-bit displacement out of range", 200, "-128 to 127"],
  ["int $256", "1:6", "out of range", "256", "0 to 255"],
  ["shl $64, %rax", "1:6", "out of range", "64", "0 to 63"],
  ["shl $32, %eax", "1:5", "shift count out of range", 32, "0 to 31"],
  ["shl %dl, %eax", "1:5", "a count in another register", "%dl", "%cl"],
  ["push %eax", "1:6", "a register of another width", "%eax", "64 bits"],
  ["push %ds", "1:6", "a segment register that 64-bit code can't push", "%ds", "%fs, %gs"],
  ["in %cx, %al", "1:4", "no port", "%cx", "%dx"],
  ["in %dx, %rax", "1:1", "a port of 64 bits", "in", "b, w, l"],
  ["mov %es:(%rax), %ecx", "1:5", "a segment without effect", "%es:(%rax)", "%fs:, %gs:"],
  ["mov %rax:(%rax), %ecx", "1:5", "no segment register", "%rax", "%gs"],
  ["a: nop; movb $a, %al", "1:15", "beyond 8 bits", 0x1000, "-128 to 255"],
  ["jmp x; .set x, 5", "1:5", "a name that gets its value only behind its use", "x", ".set before it"],
  ["monitor %rbx, %ecx, %edx", "1:9", "another register than the instruction has", "%rbx", "%rax"],
  ["stos %bl, (%rdi)", "1:6", "another operand than the instruction has", "%bl", "(%rdi)"],
];

const IN_ARM64: readonly Mistake[] = [
  ["nop nop", "1:5", "an instruction with 1 operands", "nop", "no operands"],
  ["ldr x0, [w1]", "1:10", "no base register", "w1", "x0 to x30, sp"],
  ["ldr x0, [xzr]", "1:10", "no base register", "xzr", "x0 to x30, sp"],
  ["ldr x0, x1", "1:9", "no place to go to", "x1", "a label"],
  ["str x0, =5", "1:9", "no address", "=5", "[base"],
  ["add x0, x1, #4097", "1:13", "not an add/sub immediate", 4097n, "12 bits"],
  ["add x0, x1, w2", "1:13", "a register of another width", "w2", "x0 to x30"],
  ["orr x0, sp, x1", "1:9", "another meaning of register 31", "sp", "zr"],
  ["add xzr, x0, #1", "1:5", "another meaning of register 31", "xzr", "sp"],
  ["and x0, x1, #5", "1:13", "not a bitmask immediate", 5n, "a rotated run of ones"],
  ["mov w0, #0x100000000", "1:9", "a number that is too large", "#0x100000000", "32 bits"],
  ["movz w0, #1, lsl #32", "1:14", "shift of a halfword", 32, "0, 16"],
  ["csel x0, x1, x2, xx", "1:18", "no such condition", "xx", "eq"],
  ["mrs x0, icc_iar2_el1", "1:9", "no such system register", "icc_iar2_el1", "icc_iar1_el1"],
  ["mrs w0, midr_el1", "1:5", "a register of another width", "w0", "x0"],
  ["msr daifsett, #1", "1:5", "no field of PSTATE", "daifsett", "daifset"],
  ["msr daifset, #16", "1:15", "out of range", "16", "0 to 15"],
  ["dmb ishs", "1:5", "no such option of a barrier", "ishs", "ishst"],
  ["tlbi vmalle2, x0", "1:6", "no such operation", "vmalle2", "vmalle1"],
  ["tlbi vmalle1, x0", "1:15", "an instruction with 2 operands", "x0", "register"],
  ["stxr w0, x0, [x1]", "1:6", "status register of a store-exclusive", "w0", "another register"],
  ["stxr x0, x1, [x2]", "1:6", "a register of another width", "x0", "w0 to w30"],
  ["ldxr x0, [x1, #8]", "1:10", "an address that this instruction doesn't have", "[x1, #8]", "[base]"],
  ["casp x1, x2, x4, x5, [x6]", "1:6", "the first register of a pair is odd", "x1", "even"],
  ["casp x0, x2, x4, x5, [x6]", "1:10", "registers that are no pair", "x2", "x1"],
  ["ldr x0, [x0], #8", "1:9", "a base that is written twice", "[x0]", "another base"],
  ["ldp x0, x0, [x1]", "1:9", "the same register twice", "x0", "two registers"],
  ["ldp x0, x1, [x2, #4]", "1:13", "offset of a pair", 4, "multiples of 8"],
  ["ldr x0, [x1, #-300]", "1:9", "unscaled offset out of range", -300, "-256 to 255"],
  ["ldr x0, [x1, w2]", "1:9", "no such extension of an index", "[x1, w2]", "uxtw, sxtw"],
  ["ldr x0, [x1, x2, lsl #2]", "1:9", "index shift must be 0 or the access size", 2, "0 or 3"],
  ["tbz w0, #32, .", "1:9", "bit number out of range", 32, "0 to 31"],
  ["cbz x0, 1f; .space 0x100000; 1:", "1:1", "branch distance of 19 bits out of range", 262145, "-262144 to 262143"],
  [".byte 1; nop", "1:10", "an instruction at an address that is no multiple of 4", "nop", ".align 2"],
  ["b 1f; .byte 0; 1:", "1:1", "a distance that is no number of instructions", 5, "multiples of 4"],
  ["add x0, x1, x2, lsl", "1:20", "the statement ends here", "", "a number"],
  ["bti x", "1:5", "no such kind of branch", "x", "c, j, jc"],
  ["ldr x0, :hi:a", "1:10", "no such part of an address", "hi", "lo12"],
];

function check(architecture: Architecture, [text, at, what, value, allowed]: Mistake): void {
  const error = refusal(() => assembleText(text, { architecture, base: 0x1000, symbols: { given: 1 } }));
  expect(error.code).toBe("ASSEMBLY_INVALID");
  expect(error.message).toContain(what);
  if (at !== "") expect(error.at).toBe(at);
  if (value !== undefined) expect(error.value).toEqual(value);
  expect(error.allowed ?? "").toContain(allowed);
}

describe.for(["x86-64", "arm64"] as const)("mistakes in %s text", (architecture) => {
  it.for(IN_BOTH.map((mistake) => [mistake[0], mistake] as const))("%j", ([, mistake]) => check(architecture, mistake));
});

describe("mistakes in AT&T syntax", () => {
  it.for(IN_X64.map((mistake) => [mistake[0], mistake] as const))("%j", ([, mistake]) => check("x86-64", mistake));
});

describe("mistakes in Arm's syntax", () => {
  it.for(IN_ARM64.map((mistake) => [mistake[0], mistake] as const))("%j", ([, mistake]) => check("arm64", mistake));
});
