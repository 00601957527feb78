// Shifts and rotates.

import { type Template, C, A, O, ALL, NONE, isMemory, rexFor } from "./template.ts";

export const shifts: readonly Template[] = [
  {
    name: "shift and rotate",
    weight: 20,
    emit(code) {
      const size = code.size();
      const rm = code.place(size, true);
      const kind = code.random.pick([0, 1, 2, 3, 4, 5, 7]);
      if (kind === 2 || kind === 3) code.need(C);
      const form = code.random.between(0, 2);
      const count = code.random.pick([0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, code.random.between(0, 255)]);
      const rex = rexFor(code, size, rm);
      if (form === 0) code.sized(size, { opcode: [code.byteOr(0xd0, size)], reg: kind, rm, ...rex });
      else if (form === 1)
        code.sized(size, { opcode: [code.byteOr(0xc0, size)], reg: kind, rm, immediate: [count], ...rex });
      else code.sized(size, { opcode: [code.byteOr(0xd2, size)], reg: kind, rm, ...rex });
      const masked = form === 0 ? 1 : form === 1 ? count & (size === 8 ? 63 : 31) : undefined;
      if (masked === 0) return;
      const overflow = masked === 1 ? NONE : O;
      if (kind < 4) {
        code.flags(masked === 1 ? C | O : C, overflow);
        return;
      }
      // The count in CL may be 0, and then leave what was undefined.
      const isWide = (masked ?? 31) >= size * 8 && kind !== 7;
      if (masked === undefined) code.flags(NONE, A | O | (size < 4 && kind !== 7 ? C : NONE));
      else code.flags(ALL, A | overflow | (isWide ? C : NONE));
    },
  },
  {
    name: "shld shrd",
    weight: 6,
    emit(code) {
      const size = code.size(2, 4, 8);
      let rm = code.place(size, true);
      // QEMU forgets the immediate when the address is relative to RIP.
      if (isMemory(rm) && rm.rip === true) rm = { displacement: rm.displacement ?? 0 };
      const right = code.random.between(0, 1) << 3;
      // By more than 16, 16-bit operands are undefined.
      const count = code.random.between(0, size === 2 ? 16 : 70);
      const byCl = code.random.chance(40);
      if (byCl) code.put({ opcode: [0xb1], immediate: [count] });
      if (byCl) code.sized(size, { opcode: [0x0f, 0xa5 | right], reg: code.source(), rm });
      else code.sized(size, { opcode: [0x0f, 0xa4 | right], reg: code.source(), rm, immediate: [count] });
      const masked = count & (size === 8 ? 63 : 31);
      if (masked !== 0) code.flags(ALL, A | (masked === 1 ? NONE : O));
    },
  },
];
