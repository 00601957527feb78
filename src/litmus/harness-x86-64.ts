// The code around a thread's own on x86-64: touch lines, meet the others, wait a little, set registers; then save what is asked.

import type { HarnessPart } from "./harness.ts";
import { Meeting, Record } from "./layout.ts";

const WHOLE_REGISTERS = [
  "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
]; // prettier-ignore

/** RCX says how long: a division, which costs one step of the host, for every sixteen turns; single turns for the rest. */
const DELAY = [
  "mov %ecx, %esi",
  "shr $4, %esi",
  "mov $1, %eax",
  "mov %rax, %rbx",
  "xor %edx, %edx",
  "1: test %esi, %esi",
  "je 1f",
  "div %rbx",
  "dec %esi",
  "jmp 1b",
  "1: and $15, %ecx",
  "je 2f",
  "1: dec %ecx",
  "jne 1b",
  "2:",
];

export const x64Harness: HarnessPart = {
  before({ layout, displacements, starts }) {
    const { dataBase } = layout;
    const values = new Map(starts.map(({ register, value }) => [register, value]));
    return [
      `mov ${Record.TOUCH}(%rsp), %rax`,
      ...[...displacements.values()].flatMap((displacement, index) => touch(displacement, 2 * index)),
      `mov ${Record.TARGET}(%rsp), %rbx`,
      "mov $1, %eax",
      `lock xadd %rax, ${dataBase + Meeting.ARRIVED}`,
      "inc %rax",
      "cmp %rbx, %rax",
      "jne 1f",
      `mov %rbx, ${dataBase + Meeting.RELEASE}`,
      "mfence",
      `mov ${Record.LAST_DELAY}(%rsp), %rcx`,
      "jmp 2f",
      `1: mov ${dataBase + Meeting.RELEASE}, %rax`,
      "cmp %rbx, %rax",
      "jb 1b",
      `mov ${Record.DELAY}(%rsp), %rcx`,
      "2: mfence",
      ...DELAY,
      ...WHOLE_REGISTERS.map((register) => {
        const value = values.get(register) ?? 0n;
        if (typeof value === "string") return `lea ${displacements.get(value)}(%rsp), %${register}`;
        return value === 0n ? `xor %${register}, %${register}` : `movabs $${value}, %${register}`;
      }),
    ];
  },

  behind({ layout, threads, first, saved }) {
    const { dataBase } = layout;
    return [
      ...saved.map((register, i) => `mov %${register}, ${Record.SAVED + 8 * i}(%rsp)`),
      `add $${layout.blockBytes}, %rsp`,
      `cmpq $0, ${Record.TARGET}(%rsp)`,
      "jne again",
      "mfence",
      `mov ${Record.DELAY}(%rsp), %rbx`,
      `mov $${first}, %rsp`,
      "mov $1, %eax",
      `lock xadd %rax, ${dataBase + Meeting.FINISHED}`,
      `cmp $${threads - 1}, %rax`,
      "jne 1f",
      "finished: nop",
      `1: mov ${dataBase + Meeting.BATCH}, %rax`,
      "cmp %rbx, %rax",
      "je 1b",
      "jmp again",
    ];
  },
};

/** Bit `bit` of RAX reads a location, the next one writes back what it holds. */
function touch(displacement: number, bit: number): string[] {
  return [
    `bt $${bit}, %rax`,
    "jnc 1f",
    `mov ${displacement}(%rsp), %rcx`,
    `1: bt $${bit + 1}, %rax`,
    "jnc 1f",
    `mov ${displacement}(%rsp), %rcx`,
    `mov %rcx, ${displacement}(%rsp)`,
    "1:",
  ];
}
