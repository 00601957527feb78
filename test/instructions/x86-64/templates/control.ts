// Branches, and what does nothing.

import { RCX, RDI, le } from "../code.ts";
import { type Template, C, ALL, NONE } from "./template.ts";

export const control: readonly Template[] = [
  {
    name: "jcc",
    weight: 12,
    emit(code) {
      code.need(ALL);
      const condition = code.random.between(0, 15);
      const skipped = [0x48, 0x81, 0xc0 | code.random.pick([0, 1, 2, 3]), ...le(code.random.next(), 4)];
      if (code.random.chance(50)) code.raw(0x70 | condition, skipped.length);
      else code.raw(0x0f, 0x80 | condition, ...le(skipped.length, 4));
      code.raw(...skipped).flags(ALL);
    },
  },
  {
    name: "jmp, direct and indirect",
    weight: 3,
    emit(code) {
      const junk = Array.from({ length: code.random.between(0, 9) }, () => code.random.next() & 0xff);
      switch (code.random.between(0, 2)) {
        case 0:
          code.raw(0xeb, junk.length, ...junk);
          break;
        case 1:
          code.raw(0xe9, ...le(junk.length, 4), ...junk);
          break;
        default:
          code.put({
            opcode: [0x8d],
            reg: RDI,
            rm: { rip: true, displacement: code.here + 7 + 2 + junk.length },
            wide: true,
          });
          code.raw(0xff, 0xe7, ...junk);
          break;
      }
    },
  },
  {
    name: "loop jrcxz",
    weight: 4,
    emit(code) {
      const { random } = code;
      const short = random.chance(25) ? [0x67] : [];
      if (random.chance(30)) {
        if (random.chance(50)) code.movImmediate(RCX, random.pick([0n, 0x1_0000_0000n]));
        code.raw(...short, 0xe3, 3, 0x48, 0xff, 0xc0).flags(NONE, ALL & ~C); // over an inc or not
        return;
      }
      const kind = random.pick([0xe0, 0xe1, 0xe2]);
      code.movImmediate(RCX, random.between(1, 12));
      // cmp of AL with a number; add; loop back
      const start = code.here;
      code.raw(0x48, 0x01, 0xc8, 0x3c, random.next() & 0xff);
      code.raw(...short, kind);
      code.raw(...le(start - (code.here + 1), 1));
      code.flags(ALL);
    },
  },
  {
    name: "nop, pause, fences, endbr64, prefetch",
    weight: 4,
    emit(code) {
      code.raw(
        ...code.random.pick([
          [0x90],
          [0x66, 0x90],
          [0xf3, 0x90],
          [0x0f, 0x1f, 0x00],
          [0x66, 0x0f, 0x1f, 0x84, 0x00, 1, 2, 3, 4],
          [0xf3, 0x0f, 0x1e, 0xfa],
          [0x0f, 0xae, 0xf0],
          [0x0f, 0xae, 0xe8],
          [0x0f, 0xae, 0xf8],
          [0x41, 0x0f, 0x18, 0x0e],
          [0x41, 0x0f, 0x0d, 0x0e],
          [0x41, 0x0f, 0xae, 0x3e],
          [0x66, 0x41, 0x0f, 0xae, 0x3e],
        ]),
      );
    },
  },
];
