// What the random programs are drawn from: one template per group of instructions, written from the encoding tables of the
// manual (Intel SDM volume 2), with the flags that each leaves undefined.

import { FS, type Memory, R12, R14, RAX, RBX, RCX, RDI, RDX, RSI, RSP, type Size, le } from "./code.ts";
import { DATA, DATA_BYTES, SELECTORS } from "./harness.ts";
import { type Draw, Flag } from "./draw.ts";

export interface Template {
  readonly name: string;
  readonly weight: number;
  emit(code: Draw): void;
}

const { C, P, A, Z, S, O, ALL, NONE } = Flag;

function immediateBytes(size: Size): Size {
  return size === 8 ? 4 : size;
}

function isMemory(place: number | Memory): place is Memory {
  return typeof place === "object";
}

function lock(code: Draw, place: number | Memory): number[] {
  return isMemory(place) && code.random.chance(30) ? [0xf0] : [];
}

/** REX by chance, so that byte registers 4 to 7 mean either of their names. SPL must not be written. */
function rexFor(code: Draw, size: Size, written: number | Memory, other?: number | Memory): { rex?: boolean } {
  if (size !== 1) return {};
  // With any extended register or index there is a REX prefix anyway.
  const needsRex = [written, other].some(
    (operand) =>
      (typeof operand === "number" && operand >= 8) || (isMemory(operand ?? 0) && usesExtended(operand as Memory)),
  );
  if (needsRex) return {};
  return code.random.chance(40) ? { rex: true } : {};
}

function usesExtended({ base = 0, index = 0 }: Memory): boolean {
  return base >= 8 || index >= 8;
}

/** Logical operations leave AF undefined. */
function aluFlags(code: Draw, operation: number): void {
  code.flags(ALL, [1, 4, 6].includes(operation) ? A : NONE);
}

function needCarry(code: Draw, operation: number): void {
  if (operation === 2 || operation === 3) code.need(C);
}

const arithmetic: Template[] = [
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
const highBytes: Template = {
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

const moves: Template[] = [
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
        code.sized(code.size(4, 8), { opcode: [0x63], reg: code.target(), rm: code.place(4, false) });
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

const bits: Template[] = [
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
      // With a 32-bit zero, processors differ in the upper half.
      const size = code.size(2, 8);
      code.sized(size, {
        opcode: [0x0f, code.random.pick([0xbc, 0xbd])],
        reg: code.target(),
        rm: code.place(size, false),
      });
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

const atomics: Template[] = [
  {
    name: "xadd",
    weight: 6,
    emit(code) {
      const size = code.size();
      const rm = code.place(size, true);
      const reg = code.target();
      code.sized(size, {
        opcode: [0x0f, code.byteOr(0xc0, size)],
        reg,
        rm,
        prefixes: lock(code, rm),
        ...rexFor(code, size, rm, reg),
      });
      code.flags(ALL);
    },
  },
  {
    name: "cmpxchg",
    weight: 7,
    emit(code) {
      const size = code.size();
      const rm = code.place(size, true);
      const reg = code.source();
      // Equal every other time.
      if (isMemory(rm) && code.random.chance(50)) code.sized(size, { opcode: [code.byteOr(0x8a, size)], reg: RAX, rm });
      code.sized(size, {
        opcode: [0x0f, code.byteOr(0xb0, size)],
        reg,
        rm,
        prefixes: lock(code, rm),
        ...rexFor(code, size, rm, reg),
      });
      code.flags(ALL);
    },
  },
  {
    name: "cmpxchg8b cmpxchg16b",
    weight: 5,
    emit(code) {
      const wide = code.random.chance(50);
      const size: Size = wide ? 8 : 4;
      const at = code.random.between(0, DATA_BYTES / 16 - 1) * 16;
      const offset = wide ? 0 : code.random.between(0, 8);
      const rm: Memory = { base: R14, displacement: at + offset };
      if (code.random.chance(50)) {
        code.sized(size, { opcode: [0x8b], reg: RAX, rm });
        code.sized(size, { opcode: [0x8b], reg: RDX, rm: { base: R14, displacement: at + offset + size } });
      }
      code.put({ opcode: [0x0f, 0xc7], reg: 1, rm, wide, prefixes: lock(code, rm) });
      // QEMU takes the other flags from an earlier instruction.
      code.flags(Z, ALL & ~Z);
    },
  },
];

const stack: Template[] = [
  {
    name: "push and pop",
    weight: 10,
    emit(code) {
      const narrow = code.random.chance(20);
      const prefixes = narrow ? [0x66] : [];
      const bytes: Size = narrow ? 2 : 8;
      const { random } = code;
      switch (random.between(0, 3)) {
        case 0:
          code.put({ opcode: [0x50], low: code.source(), prefixes });
          break;
        case 1:
          code.put({ opcode: [0xff], reg: 6, rm: random.chance(50) ? code.memory(bytes) : code.source(), prefixes });
          break;
        case 2:
          code.put({ opcode: [0x6a], prefixes, immediate: [random.next() & 0xff] });
          break;
        default:
          code.put({ opcode: [0x68], prefixes, immediate: le(random.next(), narrow ? 2 : 4) });
          break;
      }
      if (random.chance(50)) code.put({ opcode: [0x58], low: code.target(), prefixes });
      else code.put({ opcode: [0x8f], rm: random.chance(70) ? code.memory(bytes) : code.target(), prefixes });
    },
  },
  {
    name: "pushf popf",
    weight: 5,
    emit(code) {
      const narrow = code.random.chance(25);
      const prefixes = narrow ? [0x66] : [];
      const { random } = code;
      if (random.chance(50)) {
        code
          .need(ALL)
          .put({ opcode: [0x9c], prefixes })
          .put({ opcode: [0x58], low: code.target(), prefixes });
      } else {
        // everything but TF, NT, VM, VIF and VIP; AC and ID with 64 bits only
        const flags = random.next() & 0x24_3ed5;
        code.put({ opcode: [0x68], prefixes, immediate: le(flags, narrow ? 2 : 4) }).put({ opcode: [0x9d], prefixes });
        code.flags(ALL);
        if ((flags & 0x400) !== 0) code.raw(0xfc); // direction up again
      }
    },
  },
  {
    name: "enter leave",
    weight: 3,
    emit(code) {
      const level = code.random.pick([0, 0, 1, 2, 5]);
      code.mov(RBX, 5);
      // Nested frames read below RBP: point it into the stack.
      code.put({ opcode: [0x8d], reg: 5, rm: { base: RSP, displacement: -64 }, wide: true });
      code.raw(0xc8, ...le(code.random.between(0, 64), 2), level);
      if (code.random.chance(50)) code.put({ opcode: [0x89], reg: RSP, rm: RAX, wide: true });
      code.raw(0xc9).mov(5, RBX);
    },
  },
  {
    name: "call and ret",
    weight: 5,
    emit(code) {
      const { random } = code;
      const releases = random.chance(40) ? random.between(0, 3) * 8 : undefined;
      for (let i = 0; i < (releases ?? 0) / 8; i++) code.push(code.source());
      const back = releases === undefined ? [0xc3] : [0xc2, ...le(releases, 2)];
      const body = [0x48, 0xff, 0xc0 | random.pick([0, 1, 2, 3])]; // inc
      code.flags(ALL & ~C);
      const skip = body.length + back.length;
      switch (random.between(0, 2)) {
        case 0:
          // call f; jmp over; f: inc, ret
          code.raw(0xe8, ...le(2, 4), 0xeb, skip);
          break;
        case 1:
          code.put({ opcode: [0x8d], reg: RSI, rm: { rip: true, displacement: code.here + 7 + 4 }, wide: true });
          code.raw(0xff, 0xd6, 0xeb, skip);
          break;
        default: {
          const at = random.between(0, 64) * 8;
          code.put({
            opcode: [0x8d],
            reg: RSI,
            rm: { rip: true, displacement: code.here + 7 + 8 + 7 + 2 },
            wide: true,
          });
          code.raw(0x49, 0x89, 0xb6, ...le(at + 256, 4), 0x90); // mov [r14 + …], rsi; nop
          code.raw(0x41, 0xff, 0x96, ...le(at + 256, 4), 0xeb, skip);
          break;
        }
      }
      code.raw(...body, ...back);
    },
  },
];

const control: Template[] = [
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

const strings: Template[] = [
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

const system: Template[] = [
  {
    name: "cli sti, swapgs, FS and GS bases",
    weight: 5,
    emit(code) {
      const { random } = code;
      switch (random.between(0, 4)) {
        case 0:
          code.raw(random.pick([0xfa, 0xfb]));
          break;
        case 1:
          code.raw(0x0f, 0x01, 0xf8, 0x0f, 0x01, 0xf8);
          break;
        case 2: // rdfsbase, rdgsbase
          code.put({
            opcode: [0x0f, 0xae],
            prefixes: [0xf3],
            reg: random.between(0, 1),
            rm: code.target(),
            wide: random.chance(50),
          });
          break;
        case 3: // wrgsbase, then back
          code
            .movImmediate(RSI, code.number(4))
            .put({ opcode: [0x0f, 0xae], prefixes: [0xf3], reg: 3, rm: RSI, wide: true });
          code.put({ opcode: [0x0f, 0xae], prefixes: [0xf3], reg: 1, rm: RDI, wide: true });
          code
            .movImmediate(RSI, DATA + 0x800)
            .put({ opcode: [0x0f, 0xae], prefixes: [0xf3], reg: 3, rm: RSI, wide: true });
          break;
        default: // wrmsr and rdmsr of KERNEL_GS_BASE, LSTAR or FS_BASE
          code.movImmediate(RCX, random.pick([0xc000_0102, 0xc000_0082])).movImmediate(RAX, code.number(4));
          code
            .put({ opcode: [0x31], reg: RDX, rm: RDX })
            .flags(ALL, A)
            .raw(0x0f, 0x30, 0x0f, 0x32);
          break;
      }
    },
  },
  {
    name: "control registers",
    weight: 3,
    emit(code) {
      const { random } = code;
      switch (random.between(0, 3)) {
        case 0:
          code
            .put({ opcode: [0x0f, 0x22], reg: 2, rm: code.source() })
            .put({ opcode: [0x0f, 0x20], reg: 2, rm: code.target() });
          break;
        case 1: // cr8
          code.put({ opcode: [0xb8], low: RSI, immediate: le(random.between(0, 15), 4) });
          code.put({ opcode: [0x0f, 0x22], reg: 8, rm: RSI }).put({ opcode: [0x0f, 0x20], reg: 8, rm: code.target() });
          break;
        case 2: // dr0 to dr3
          code.put({ opcode: [0x0f, 0x23], reg: random.between(0, 3), rm: code.source() });
          code.put({ opcode: [0x0f, 0x21], reg: random.between(0, 3), rm: code.target() });
          code.put({ opcode: [0x31], reg: RSI, rm: RSI }).flags(ALL, A);
          for (let register = 0; register < 4; register++) code.put({ opcode: [0x0f, 0x23], reg: register, rm: RSI });
          break;
        default: // TS set and cleared, seen in CR0 by SMSW
          code
            .put({ opcode: [0x0f, 0x20], reg: 0, rm: RDI })
            .raw(0x83, 0xcf, 8)
            .flags(ALL, A); // or edi, TS
          code.put({ opcode: [0x0f, 0x01], reg: 6, rm: RDI }); // lmsw
          code.sized(code.size(2, 4, 8), { opcode: [0x0f, 0x01], reg: 4, rm: code.target() }); // smsw
          code.raw(0x0f, 0x06); // clts
          break;
      }
    },
  },
  {
    name: "selectors",
    weight: 4,
    emit(code) {
      const { random } = code;
      const selector = random.pick([0, 3, ...SELECTORS, 0x50, 0x1_0008, 0xc]);
      code.movImmediate(RSI, selector);
      switch (random.between(0, 3)) {
        case 0: {
          // lar, lsl
          code.need(ALL & ~Z);
          code.sized(code.size(2, 4, 8), { opcode: [0x0f, random.pick([2, 3])], reg: code.target(), rm: RSI });
          code.flags(Z);
          break;
        }
        case 1: // verr, verw
          code
            .need(ALL & ~Z)
            .put({ opcode: [0x0f, 0x00], reg: random.between(4, 5), rm: RSI })
            .flags(Z);
          break;
        case 2: {
          // mov to DS or ES, faults included, and back
          const reg = random.pick([0, 3]);
          code.guarded(() => code.put({ opcode: [0x8e], reg, rm: RSI }));
          code.sized(code.size(2, 4, 8), { opcode: [0x8c], reg, rm: code.target() });
          code.put({ opcode: [0xb8], low: RSI, immediate: le(0x10, 4) }).put({ opcode: [0x8e], reg, rm: RSI });
          break;
        }
        default: {
          // push and pop of FS, whose base comes from the descriptor
          code.guarded(() => code.push(RSI).raw(0x0f, 0xa1).push(RSI));
          code.raw(0x5e);
          code.put({ opcode: [0x0f, 0xae], prefixes: [0xf3], reg: 0, rm: code.target(), wide: true });
          code.put({ opcode: [0x8c], reg: 4, rm: { base: R14, displacement: random.between(0, DATA_BYTES - 2) } });
          code.movImmediate(RSI, 0).put({ opcode: [0x8e], reg: 4, rm: RSI });
          code
            .movImmediate(RSI, DATA + 0x100)
            .put({ opcode: [0x0f, 0xae], prefixes: [0xf3], reg: 2, rm: RSI, wide: true });
          break;
        }
      }
    },
  },
  {
    name: "iretq, lretq, far jmp",
    weight: 3,
    emit(code) {
      const { random } = code;
      switch (random.between(0, 2)) {
        case 0: {
          // ss, rsp, rflags, cs, rip
          code.raw(0x6a, 0x10).push(RSP).aluImmediate("add", { base: RSP }, 8);
          code.raw(0x68, ...le((random.next() & 0x24_3ad5) | 2, 4), 0x6a, 0x08);
          code.put({ opcode: [0x8d], reg: RSI, rm: { rip: true, displacement: code.here + 7 + 1 + 2 }, wide: true });
          code.push(RSI).raw(0x48, 0xcf).flags(ALL);
          break;
        }
        case 1:
          code.raw(0x6a, 0x08);
          code.put({ opcode: [0x8d], reg: RSI, rm: { rip: true, displacement: code.here + 7 + 1 + 2 }, wide: true });
          code.push(RSI).raw(0x48, 0xcb);
          break;
        default: {
          const at = random.between(0, 64) * 16 + 6;
          code.put({
            opcode: [0x66, 0xc7],
            rm: { displacement: DATA + DATA_BYTES / 2 + at + 4 },
            immediate: le(0x08, 2),
          });
          code.put({ opcode: [0x8d], reg: RSI, rm: { rip: true, displacement: code.here + 7 + 8 + 8 }, wide: true });
          code.raw(0x41, 0x89, 0xb4, 0x24, ...le(at, 4)); // mov [r12 + at], esi
          code.raw(0x41, 0xff, 0xac, 0x24, ...le(at, 4)); // jmp far m16:32
          break;
        }
      }
    },
  },
  {
    name: "descriptor table registers",
    weight: 1,
    emit(code) {
      const rm = code.memory(10);
      code.put({ opcode: [0x0f, 0x01], reg: code.random.between(0, 1), rm });
      code.put({ opcode: [0x0f, 0x00], reg: code.random.between(0, 1), rm: code.target() });
    },
  },
];

/**
 * Instructions that fault, or trap. Left out, because QEMU does them otherwise than the manual or processors: LOCK in front
 * of instructions that have no use for it, INT1, page faults of read-modify-write (W is set; measured), #SS for non-canonical
 * addresses, branches to and MSRs
 * with non-canonical addresses, unknown MSRs, reserved bits of control and debug registers. Small programs test these.
 */
const faulting: readonly (readonly number[])[] = [
  [0x0f, 0x0b], // ud2
  [0x0f, 0xb9, 0xc0], // ud1
  [0x06],
  [0x27],
  [0x60],
  [0x82, 0xc0, 0x01],
  [0xce],
  [0xd6],
  [0x0f, 0x04],
  [0x0f, 0x24, 0xc0],
  [0x0f, 0x22, 0xc8], // mov cr1
  [0xf0, 0x01, 0xc0], // lock add of a register
  [0xf0, 0x90],
  [0x8d, 0xc0], // lea of a register
  [0xff, 0xf8],
  [0xfe, 0xd0],
  [0x8e, 0xc8], // mov cs
  [0x8c, 0xf0],
  [0x0f, 0xc7, 0xc8], // cmpxchg8b of a register
  [0x0f, 0x38, 0xf0, 0xc0], // movbe of a register
  [0xc4, 0xe2, 0xfc, 0xf2, 0xc0], // andn with VEX.L
  [0x66, 0xc4, 0xe2, 0xf8, 0xf2, 0xc0], // 66 in front of VEX
  [0x0f, 0x01, 0xd0], // xgetbv without OSXSAVE
  [...Array.from({ length: 14 }, () => 0x2e), 0x90], // 15 bytes: fine
  [...Array.from({ length: 15 }, () => 0x2e), 0x90], // too long
  [0xcc],
  [0xcd, 0x03],
  [0xcd, 0x20],
  [0xcd, 0x80],
  [0xcd, 0xff],
  [0xf7, 0x34, 0x25, 0, 0, 0, 0], // div by memory at 0: a page fault
  [0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0],
  [0x48, 0x89, 0x04, 0x25, 0x10, 0, 0, 0],
  [0x48, 0x0f, 0xa3, 0x04, 0x25, 0, 0, 0, 0x40],
  [0xff, 0x34, 0x25, 0, 1, 0, 0],
  [0xff, 0x14, 0x25, 0, 1, 0, 0], // call through page 0
  [0xff, 0x24, 0x25, 0, 1, 0, 0],
  [0x8b, 0x04, 0x25, 0xfe, 0xff, 0xff, 0x00], // begins in the last page of memory
  [0x89, 0x04, 0x25, 0xfe, 0xff, 0xff, 0x00],
];

/** Instructions that fault because of what is in RSI, which is set before. */
const faultingWithOperand: readonly { value: bigint; bytes: readonly number[] }[] = [
  { value: 0x8000_0000_0000n, bytes: [0x48, 0x8b, 0x06] }, // not canonical: #GP
  { value: 0x8000_0000_0000n, bytes: [0x48, 0x89, 0x06] },
  { value: 0x1234_5678_9abc_def0n, bytes: [0xf0, 0xff, 0x06] },
  { value: 0xffff_8000_0000_0000n, bytes: [0x48, 0x8b, 0x06] }, // canonical: #PF
  { value: BigInt(DATA + 8), bytes: [0x48, 0x0f, 0xc7, 0x0e] }, // cmpxchg16b, misaligned
  { value: BigInt(DATA + 24), bytes: [0xf0, 0x48, 0x0f, 0xc7, 0x0e] },
  { value: 0x8n, bytes: [0x8e, 0xd6] }, // mov ss, code
  { value: 0x38n, bytes: [0x8e, 0xde] }, // mov ds, not present
  { value: 0x100n, bytes: [0x0f, 0x00, 0xde] }, // ltr beyond the table
  { value: 0x10n, bytes: [0x0f, 0x00, 0xd6] }, // lldt of data
  { value: 0n, bytes: [0xff, 0xe6] }, // jump to page 0
  { value: 0x100_0000n, bytes: [0xff, 0xe6] }, // beyond memory
];

const exceptions: Template[] = [
  {
    name: "exceptions",
    weight: 12,
    emit(code) {
      const bytes = code.random.pick(faulting);
      code.guarded(() => code.raw(...bytes));
    },
  },
  {
    name: "exceptions by operand",
    weight: 5,
    emit(code) {
      const { value, bytes } = code.random.pick(faultingWithOperand);
      code.movImmediate(RSI, value);
      // A call to nowhere leaves its return address on the stack.
      code.mov(RDI, RSP);
      code.guarded(() => code.raw(...bytes));
      code.mov(RSP, RDI);
    },
  },
  {
    name: "single step",
    weight: 1,
    emit(code) {
      code.need(ALL);
      // pushfq; or [rsp], TF; popfq; two or three instructions; pushfq; and [rsp], ~TF; popfq
      code.raw(0x9c).aluImmediate("or", { base: RSP }, 0x100).raw(0x9d);
      code.raw(0x90).put({ opcode: [0xff], reg: 0, rm: code.target(), wide: true });
      if (code.random.chance(50)) code.raw(0xeb, 0);
      code
        .raw(0x9c)
        .put({ opcode: [0x81], reg: 4, rm: { base: RSP }, wide: true, immediate: le(~0x100, 4) })
        .raw(0x9d);
      code.flags(ALL);
    },
  },
];

export const templates: readonly Template[] = [
  ...arithmetic,
  highBytes,
  ...moves,
  ...bits,
  ...atomics,
  ...stack,
  ...control,
  ...strings,
  ...system,
  ...exceptions,
];
