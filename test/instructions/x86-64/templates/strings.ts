// String instructions.

import { RCX, RSI, RDI, type Size } from "../code.ts";
import { DATA, DATA_BYTES } from "../harness.ts";
import { type Template, ALL, NONE } from "./template.ts";

export const strings: readonly Template[] = [
  {
    name: "string instructions",
    weight: 10,
    emit(code) {
      const { random } = code;
      const size = code.size();
      const down = random.chance(35);
      const count = random.pick([0, 1, 2, random.between(3, 24)]);
      const room = 26 * 8;
      code.movImmediate(RSI, DATA + random.between(room, DATA_BYTES - room));
      code.movImmediate(RDI, DATA + random.between(room, DATA_BYTES - room));
      const opcode = random.pick([0xa4, 0xa6, 0xaa, 0xac, 0xae]);
      const repeat = random.pick([[], [0xf3], [0xf2]]);
      const compares = opcode === 0xa6 || opcode === 0xae;
      if (repeat.length > 0) code.movImmediate(RCX, count);
      // A run of equal elements makes REPE go on.
      if (compares && random.chance(50)) {
        code
          .push(RCX)
          .push(RDI)
          .movImmediate(RCX, random.between(1, 8))
          .raw(0xf3, ...sizePrefix(size), code.byteOr(0xaa, size));
        code.pop(RDI).pop(RCX);
      }
      if (down) code.raw(0xfd);
      const prefixes = [...repeat, ...(random.chance(15) ? [0x67] : [])];
      if (random.chance(10) && opcode !== 0xaa && opcode !== 0xae) prefixes.push(random.pick([0x3e, 0x2e]));
      code.sized(size, { opcode: [code.byteOr(opcode, size)], prefixes });
      if (compares) code.flags(repeat.length === 0 || count > 0 ? ALL : NONE);
      if (down) code.raw(0xfc);
    },
  },
];

function sizePrefix(size: Size): number[] {
  return size === 2 ? [0x66] : size === 8 ? [0x48] : [];
}
