// Moves, exchanges, conditional moves.

import { RBX, le, type Size } from "../code.ts";
import { DATA, DATA_BYTES } from "../harness.ts";
import { type Template, ALL, immediateBytes, lock, rexFor } from "./template.ts";

export const moves: readonly Template[] = [
  {
    name: "mov",
    weight: 16,
    emit(code) {
      const size = code.size();
      const rm = code.place(size, true);
      const bytes = immediateBytes(size);
      switch (code.random.between(0, 4)) {
        case 0: {
          const reg = code.source();
          code.sized(size, { opcode: [code.byteOr(0x88, size)], reg, rm, ...rexFor(code, size, rm, reg) });
          break;
        }
        case 1: {
          const reg = code.target();
          const from = code.place(size, false);
          code.sized(size, { opcode: [code.byteOr(0x8a, size)], reg, rm: from, ...rexFor(code, size, reg, from) });
          break;
        }
        case 2: {
          const immediate = le(code.number(bytes), bytes);
          code.sized(size, { opcode: [code.byteOr(0xc6, size)], rm, immediate, ...rexFor(code, size, rm) });
          break;
        }
        case 3: {
          const low = code.target();
          const opcode = size === 1 ? 0xb0 : 0xb8;
          code.sized(size, {
            opcode: [opcode],
            low,
            immediate: le(code.number(size), size),
            ...rexFor(code, size, low),
          });
          break;
        }
        default: {
          // rAX and an absolute address
          const at = DATA + code.random.between(0, DATA_BYTES - 8);
          const short = code.random.chance(30);
          const opcode = code.byteOr(code.random.pick([0xa0, 0xa2]), size);
          code.sized(size, { opcode: [opcode], prefixes: short ? [0x67] : [], immediate: le(at, short ? 4 : 8) });
          break;
        }
      }
    },
  },
  {
    name: "movzx movsx movsxd",
    weight: 10,
    emit(code) {
      const size = code.size(2, 4, 8);
      const from: Size = code.random.pick([1, 2]);
      const rm = code.place(from, false);
      if (code.random.chance(20)) {
        code.sized(size, { opcode: [0x63], reg: code.target(), rm: code.place(4, false) });
      } else {
        const opcode = code.random.pick([0xb6, 0xbe]) | (from === 1 ? 0 : 1);
        code.sized(size, { opcode: [0x0f, opcode], reg: code.target(), rm, ...rexFor(code, from, rm) });
      }
    },
  },
  {
    name: "xchg",
    weight: 6,
    emit(code) {
      const size = code.size();
      if (code.random.chance(25)) {
        code.sized(code.size(2, 4, 8), { opcode: [0x90], low: code.target() });
        return;
      }
      const rm = code.place(size, true);
      const reg = code.target();
      code.sized(size, {
        opcode: [code.byteOr(0x86, size)],
        reg,
        rm,
        prefixes: lock(code, rm),
        ...rexFor(code, size, rm, reg),
      });
    },
  },
  {
    name: "movbe bswap",
    weight: 5,
    emit(code) {
      const size = code.size(2, 4, 8);
      if (code.random.chance(40)) code.sized(code.size(4, 8), { opcode: [0x0f, 0xc8], low: code.target() });
      else if (code.random.chance(50))
        code.sized(size, { opcode: [0x0f, 0x38, 0xf0], reg: code.target(), rm: code.memory(size) });
      else code.sized(size, { opcode: [0x0f, 0x38, 0xf1], reg: code.source(), rm: code.memory(size) });
    },
  },
  {
    name: "cmovcc setcc",
    weight: 12,
    emit(code) {
      code.need(ALL);
      const condition = code.random.between(0, 15);
      if (code.random.chance(50)) {
        const size = code.size(2, 4, 8);
        code.sized(size, { opcode: [0x0f, 0x40 | condition], reg: code.target(), rm: code.place(size, false) });
      } else {
        const rm = code.place(1, true);
        code.sized(1, { opcode: [0x0f, 0x90 | condition], reg: code.random.between(0, 7), rm, ...rexFor(code, 1, rm) });
      }
    },
  },
  {
    name: "xlat, movnti",
    weight: 2,
    emit(code) {
      if (code.random.chance(50)) {
        code.movImmediate(RBX, DATA + code.random.between(0, DATA_BYTES - 256));
        code.raw(...(code.random.chance(20) ? [0x67] : []), 0xd7);
      } else {
        const size = code.size(4, 8);
        code.put({ opcode: [0x0f, 0xc3], reg: code.source(), rm: code.memory(size), wide: size === 8 });
      }
    },
  },
];
