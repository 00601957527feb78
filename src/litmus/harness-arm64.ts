// The code around a thread's own on arm64: touch lines, meet the others, wait a little, set registers; then save what is asked.

import type { HarnessPart } from "./harness.ts";
import { Meeting, Record } from "./layout.ts";

const REGISTERS = Array.from({ length: 31 }, (_, number) => `x${number}`);

/** X5 says how long: a division, which costs one step of the host, for every sixteen turns; single turns for the rest. */
const DELAY = [
  "lsr x6, x5, #4",
  "1: cbz x6, 1f",
  "udiv x7, x7, x7",
  "sub x6, x6, #1",
  "b 1b",
  "1: ands x5, x5, #15",
  "b.eq 2f",
  "1: subs x5, x5, #1",
  "b.ne 1b",
  "2:",
];

export const arm64Harness: HarnessPart = {
  before({ layout, displacements, starts }) {
    const { dataBase } = layout;
    const values = new Map(starts.map(({ register, value }) => [register, value]));
    return [
      `ldr x0, [sp, #${Record.TOUCH}]`,
      ...[...displacements.values()].flatMap((displacement, index) => touch(displacement, 2 * index)),
      "dmb sy",
      `ldr x1, [sp, #${Record.TARGET}]`,
      `mov x2, #${dataBase}`,
      "mov x3, #1",
      "ldaddal x3, x4, [x2]",
      `add x2, x2, #${Meeting.RELEASE}`,
      "add x4, x4, #1",
      "cmp x4, x1",
      "b.ne 1f",
      "str x1, [x2]",
      `ldr x5, [sp, #${Record.LAST_DELAY}]`,
      "b 2f",
      "1: ldr x4, [x2]",
      "cmp x4, x1",
      "b.lo 1b",
      `ldr x5, [sp, #${Record.DELAY}]`,
      "2: dsb sy",
      ...DELAY,
      "isb",
      ...REGISTERS.map((register) => {
        const value = values.get(register) ?? 0n;
        if (typeof value === "string") return `add ${register}, sp, #${displacements.get(value)}`;
        return `mov ${register}, #${value}`;
      }),
    ];
  },

  behind({ layout, threads, first, saved }) {
    const { dataBase } = layout;
    return [
      ...saved.map((register, i) => `str ${register}, [sp, #${Record.SAVED + 8 * i}]`),
      `mov x2, #${layout.blockBytes}`,
      "add sp, sp, x2",
      `ldr x1, [sp, #${Record.TARGET}]`,
      "cbnz x1, again",
      "dsb sy",
      `ldr x1, [sp, #${Record.DELAY}]`,
      `mov x2, #${first}`,
      "mov sp, x2",
      `mov x2, #${dataBase + Meeting.FINISHED}`,
      "mov x3, #1",
      "ldaddal x3, x4, [x2]",
      `add x2, x2, #${Meeting.BATCH - Meeting.FINISHED}`,
      `cmp x4, #${threads - 1}`,
      "b.ne 1f",
      "finished: nop",
      "1: ldr x4, [x2]",
      "cmp x4, x1",
      "b.eq 1b",
      "b again",
    ];
  },
};

/** Bit `bit` of X0 reads a location, the next one writes back what it holds. */
function touch(displacement: number, bit: number): string[] {
  return [
    `tbz x0, #${bit}, 1f`,
    `ldr x1, [sp, #${displacement}]`,
    `1: tbz x0, #${bit + 1}, 1f`,
    `ldr x1, [sp, #${displacement}]`,
    `str x1, [sp, #${displacement}]`,
    "1:",
  ];
}
