// Bits: tests, scans, counts, BMI.

import { RAX, RCX, RDX, RBX, R12, type Memory } from "../code.ts";
import { DATA_BYTES } from "../harness.ts";
import { type Template, C, P, A, Z, S, O, ALL, NONE, lock, rexFor } from "./template.ts";

export const bits: readonly Template[] = [
  {
    name: "bt bts btr btc",
    weight: 14,
    emit(code) {
      const size = code.size(2, 4, 8);
      const kind = code.random.between(0, 3);
      const { random } = code;
      if (random.chance(40)) {
        const rm = code.place(size, true);
        const prefixes = kind === 0 ? [] : lock(code, rm);
        code.sized(size, { opcode: [0x0f, 0xba], reg: 4 | kind, rm, immediate: [random.next() & 0xff], prefixes });
      } else if (random.chance(50)) {
        code.sized(size, { opcode: [0x0f, 0xa3 | (kind << 3)], reg: code.source(), rm: code.target() });
      } else {
        // From the middle of the data, up to its ends; upper bits of the offset register are not part of a narrow operand.
        const reach = (DATA_BYTES / 2 - 16) * 8;
        const offset = BigInt(random.between(0, 2 * reach) - reach);
        const junk = size === 8 ? 0n : BigInt(random.next()) << BigInt(size * 8);
        const reg = random.pick([RAX, RCX, RDX, RBX]);
        code.movImmediate(reg, size === 8 ? offset : BigInt.asUintN(size * 8, offset) | junk);
        const rm: Memory = { base: R12 };
        const prefixes = kind === 0 ? [] : lock(code, rm);
        code.sized(size, { opcode: [0x0f, 0xa3 | (kind << 3)], reg, rm, prefixes });
      }
      code.flags(C, O | S | A | P);
    },
  },
  {
    name: "bsf bsr",
    weight: 5,
    emit(code) {
      const size = code.size(2, 4, 8);
      const opcode = code.random.pick([0xbc, 0xbd]);
      let rm = code.place(size, false);
      if (size === 4) {
        // With a 32-bit zero, processors differ in the upper half (SDM 2A BSF, note 1).
        rm = code.target();
        code.put({ opcode: [0x0f, 0xba], reg: 5, rm, immediate: [code.random.between(0, 31)] });
      }
      code.sized(size, { opcode: [0x0f, opcode], reg: code.target(), rm });
      code.flags(Z, C | O | S | A | P);
    },
  },
  {
    name: "popcnt tzcnt lzcnt",
    weight: 6,
    emit(code) {
      const size = code.size(2, 4, 8);
      const opcode = code.random.pick([0xb8, 0xbc, 0xbd]);
      code.sized(size, { opcode: [0x0f, opcode], prefixes: [0xf3], reg: code.target(), rm: code.place(size, false) });
      if (opcode === 0xb8) code.flags(ALL);
      else code.flags(C | Z, O | S | A | P);
    },
  },
  {
    name: "crc32",
    weight: 3,
    emit(code) {
      const size = code.size();
      const rm = code.place(size, false);
      const opcode = [0x0f, 0x38, size === 1 ? 0xf0 : 0xf1];
      // F2 is a mandatory prefix, 66 says the size.
      const prefixes =
        size === 2
          ? code.random.pick([
              [0x66, 0xf2],
              [0xf2, 0x66],
            ])
          : [0xf2];
      code.put({ opcode, prefixes, reg: code.target(), rm, wide: size === 8, ...rexFor(code, size, rm) });
    },
  },
  {
    name: "bmi",
    weight: 10,
    emit(code) {
      const size = code.size(4, 8);
      const wide = size === 8;
      const rm = code.place(size, false);
      const [map, opcode, prefix, group, defined, undefinedFlags] = code.random.pick([
        [2, 0xf2, 0, undefined, C | Z | S | O, A | P], // andn
        [2, 0xf3, 0, 1, C | Z | S | O, A | P], // blsr
        [2, 0xf3, 0, 2, C | S | O, A | P], // blsmsk
        [2, 0xf3, 0, 3, Z | S | O, C | A | P], // blsi (QEMU 7.2 has its CF the other way round)
        [2, 0xf5, 0, undefined, C | Z | S | O, A | P], // bzhi
        [2, 0xf7, 0, undefined, C | Z | O, A | P | S], // bextr
        [2, 0xf5, 0xf3, undefined, NONE, NONE], // pext
        [2, 0xf5, 0xf2, undefined, NONE, NONE], // pdep
        [2, 0xf6, 0xf2, undefined, NONE, NONE], // mulx
        [2, 0xf7, 0x66, undefined, NONE, NONE], // shlx
        [2, 0xf7, 0xf3, undefined, NONE, NONE], // sarx
        [2, 0xf7, 0xf2, undefined, NONE, NONE], // shrx
        [3, 0xf0, 0xf2, undefined, NONE, NONE], // rorx
      ] as const);
      const isRotate = map === 3;
      const writesVvvv = group !== undefined || opcode === 0xf6;
      code.put({
        opcode: [map, opcode],
        prefixes: prefix === 0 ? [] : [prefix],
        wide,
        reg: group ?? code.target(),
        rm,
        vex: isRotate ? 0 : writesVvvv ? code.target() : code.source(),
        immediate: isRotate ? [code.random.next() & 0xff] : [],
      });
      code.flags(defined, undefinedFlags | (opcode === 0xf3 && group === 2 ? Z : NONE));
    },
  },
];
