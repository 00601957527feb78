// Arithmetic and logic, whose operands are registers, immediates and memory.

import { FS, RDX, le, type Memory } from "../code.ts";
import {
  type Template,
  C,
  P,
  A,
  Z,
  S,
  O,
  ALL,
  NONE,
  immediateBytes,
  lock,
  rexFor,
  aluFlags,
  needCarry,
} from "./template.ts";

export const arithmetic: readonly Template[] = [
  {
    name: "alu r/m, r and r, r/m",
    weight: 24,
    emit(code) {
      const operation = code.random.between(0, 7);
      const size = code.size();
      needCarry(code, operation);
      if (code.random.chance(50)) {
        const rm = code.place(size, true);
        const reg = code.source();
        const prefixes = operation === 7 ? [] : lock(code, rm);
        code.sized(size, {
          opcode: [code.byteOr(operation << 3, size)],
          reg,
          rm,
          prefixes,
          ...rexFor(code, size, rm, reg),
        });
      } else {
        const rm = code.place(size, false);
        const reg = code.target();
        code.sized(size, {
          opcode: [code.byteOr((operation << 3) | 2, size)],
          reg,
          rm,
          ...rexFor(code, size, reg, rm),
        });
      }
      aluFlags(code, operation);
    },
  },
  {
    name: "alu r/m, imm",
    weight: 16,
    emit(code) {
      const operation = code.random.between(0, 7);
      const size = code.size();
      needCarry(code, operation);
      const rm = code.place(size, true);
      const prefixes = operation === 7 ? [] : lock(code, rm);
      const short = size === 1 || code.random.chance(50);
      const immediate = le(code.number(short ? 1 : immediateBytes(size)), short ? 1 : immediateBytes(size));
      const opcode = size === 1 ? 0x80 : short ? 0x83 : 0x81;
      code.sized(size, { opcode: [opcode], reg: operation, rm, prefixes, immediate, ...rexFor(code, size, rm) });
      aluFlags(code, operation);
    },
  },
  {
    name: "alu rAX, imm",
    weight: 5,
    emit(code) {
      const operation = code.random.between(0, 7);
      const size = code.size();
      needCarry(code, operation);
      const immediate = le(code.number(immediateBytes(size)), immediateBytes(size));
      code.sized(size, { opcode: [code.byteOr((operation << 3) | 4, size)], immediate });
      aluFlags(code, operation);
    },
  },
  {
    name: "test",
    weight: 8,
    emit(code) {
      const size = code.size();
      const rm = code.place(size, false);
      const bytes = immediateBytes(size);
      switch (code.random.between(0, 3)) {
        case 0:
          code.sized(size, { opcode: [code.byteOr(0xa8, size)], immediate: le(code.number(bytes), bytes) });
          break;
        case 1:
          code.sized(size, {
            opcode: [code.byteOr(0xf6, size)],
            rm,
            immediate: le(code.number(bytes), bytes),
            ...rexFor(code, size, rm),
          });
          break;
        default: {
          const reg = code.source();
          code.sized(size, { opcode: [code.byteOr(0x84, size)], reg, rm, ...rexFor(code, size, rm, reg) });
          break;
        }
      }
      code.flags(ALL, A);
    },
  },
  {
    name: "not neg inc dec",
    weight: 12,
    emit(code) {
      const size = code.size();
      const rm = code.place(size, true);
      const [opcode, reg, defined] = code.random.pick([
        [0xf6, 2, NONE],
        [0xf6, 3, ALL],
        [0xfe, 0, ALL & ~C],
        [0xfe, 1, ALL & ~C],
      ] as const);
      code.sized(size, {
        opcode: [code.byteOr(opcode, size)],
        reg,
        rm,
        prefixes: lock(code, rm),
        ...rexFor(code, size, rm),
      });
      code.flags(defined);
    },
  },
  {
    name: "adcx adox",
    weight: 5,
    emit(code) {
      const flag = code.random.pick([C, O]);
      code.need(ALL);
      // QEMU 7.2 takes the carry of 32 bits from operands of 64; a test of its own has those.
      const prefixes = [flag === C ? 0x66 : 0xf3];
      code.put({ opcode: [0x0f, 0x38, 0xf6], prefixes, reg: code.target(), rm: code.place(8, false), wide: true });
      // QEMU 7.2 mixes up a chain of both: flags to memory and back end it.
      code.raw(0x9c, 0x9d);
    },
  },
  {
    name: "imul r, r/m and r, r/m, imm",
    weight: 6,
    emit(code) {
      const size = code.size(2, 4, 8);
      const rm = code.place(size, false);
      const reg = code.target();
      const short = code.random.chance(50);
      const bytes = short ? 1 : immediateBytes(size);
      if (code.random.chance(50)) code.sized(size, { opcode: [0x0f, 0xaf], reg, rm });
      else code.sized(size, { opcode: [short ? 0x6b : 0x69], reg, rm, immediate: le(code.number(bytes), bytes) });
      code.flags(C | O, S | Z | A | P);
    },
  },
  {
    name: "mul imul",
    weight: 6,
    emit(code) {
      const size = code.size();
      const rm = code.place(size, false);
      code.sized(size, {
        opcode: [code.byteOr(0xf6, size)],
        reg: code.random.between(4, 5),
        rm,
        ...rexFor(code, size, rm),
      });
      code.flags(C | O, S | Z | A | P);
    },
  },
  {
    name: "div idiv, #DE included",
    weight: 7,
    emit(code) {
      const size = code.size();
      // Small high halves make quotients fit often enough.
      if (code.random.chance(70)) {
        if (size === 1) code.put({ opcode: [0x66, 0x25], immediate: le(code.random.next() & 0x1ff, 2) });
        else code.movImmediate(RDX, code.random.pick([0n, 0n, 1n, -1n]));
        code.flags(ALL, A);
      }
      const rm = code.place(size, false);
      const reg = code.random.between(6, 7);
      code.guarded(() => code.sized(size, { opcode: [code.byteOr(0xf6, size)], reg, rm, ...rexFor(code, size, rm) }));
      code.flags(NONE, ALL);
    },
  },
  {
    name: "lea",
    weight: 6,
    emit(code) {
      const size = code.size(2, 4, 8);
      const { random } = code;
      const index = random.pick([0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
      const rm: Memory = {
        ...(random.chance(80) ? { base: random.pick([0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13]) } : {}),
        ...(random.chance(60) ? { index, scale: random.pick([1, 2, 4, 8]) } : {}),
        displacement: random.pick([0, 1, -128, 127, 0x1234_5678, -0x7654_3210]),
        ...(random.chance(20) ? { short: true } : {}),
        ...(random.chance(10) ? { segment: FS } : {}),
      };
      code.sized(size, { opcode: [0x8d], reg: code.target(), rm });
    },
  },
  {
    name: "cbw … cqo, cmc clc stc, lahf sahf",
    weight: 8,
    emit(code) {
      switch (code.random.between(0, 3)) {
        case 0:
          code.sized(code.size(2, 4, 8), { opcode: [code.random.pick([0x98, 0x99])] });
          break;
        case 1: {
          const opcode = code.random.pick([0xf5, 0xf8, 0xf9]);
          if (opcode === 0xf5) code.need(C);
          code.raw(opcode).flags(C);
          break;
        }
        case 2:
          code.need(ALL & ~O).raw(0x9f);
          break;
        default:
          code.raw(0x9e).flags(ALL & ~O);
          break;
      }
    },
  },
];

/** AH to BH as operands: no REX prefix, so the lower eight registers only. */
export const highBytes: Template = {
  name: "AH to BH",
  weight: 10,
  emit(code) {
    const { random } = code;
    const [reg, rm] = [random.between(0, 7), random.between(0, 7)];
    const operation = random.between(0, 7);
    needCarry(code, operation);
    switch (random.between(0, 7)) {
      case 0:
        code.put({ opcode: [(operation << 3) | random.pick([0, 2])], reg, rm });
        return aluFlags(code, operation);
      case 1:
        code.put({ opcode: [0x80], reg: operation, rm, immediate: [random.next() & 0xff] });
        return aluFlags(code, operation);
      case 2:
        code.put({ opcode: [random.pick([0x88, 0x8a, 0x86])], reg, rm });
        return;
      case 3:
        code.put({ opcode: [0xb0], low: rm, immediate: [random.next() & 0xff] });
        return;
      case 4:
        code.put({ opcode: [0xc6], rm, immediate: [random.next() & 0xff] });
        return;
      case 5:
        code.put({ opcode: [0xc0], reg: random.pick([4, 5, 7]), rm, immediate: [random.between(1, 7)] });
        return void code.flags(ALL, A | O);
      case 6:
        code.put({ opcode: [0x0f, random.pick([0xb6, 0xbe])], reg: code.random.pick([0, 1, 2, 3, 5, 6, 7]), rm });
        return;
      default:
        code.put({ opcode: [0x0f, random.pick([0xb0, 0xc0])], reg, rm });
        return void code.flags(ALL);
    }
  },
};
