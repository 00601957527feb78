// The stack, and calls.

import { RAX, RBX, RSP, RSI, le, type Memory, type Size } from "../code.ts";
import { type Template, C, ALL } from "./template.ts";

export const stack: readonly Template[] = [
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
    name: "push and pop of and by the stack pointer",
    weight: 4,
    emit(code) {
      const rm: Memory = { base: RSP, displacement: code.random.between(0, 15) * 8 };
      // PUSH stores RSP as it was; addresses of POP use it as it will be; POP RSP loads it (SDM 2B PUSH, POP).
      code.push(RSP).pop(code.target());
      code.put({ opcode: [0xff], reg: 6, rm }).put({ opcode: [0x8f], rm });
      code.push(RSP).pop(RSP);
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
      const level = code.random.pick([0, 0, 1, 2, 5, 31, 32]);
      const narrow = code.random.chance(20) ? [0x66] : [];
      code.mov(RBX, 5);
      // Nested frames read below RBP: point it into the stack.
      code.put({ opcode: [0x8d], reg: 5, rm: { base: RSP, displacement: -64 }, wide: true });
      code.raw(...narrow, 0xc8, ...le(code.random.between(0, 64), 2), level);
      if (code.random.chance(50)) code.put({ opcode: [0x89], reg: RSP, rm: RAX, wide: true });
      code.raw(...narrow, 0xc9).mov(5, RBX);
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
