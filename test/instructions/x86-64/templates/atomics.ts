// Instructions that read and write memory as one.

import { RAX, RDX, R14, type Memory, type Size } from "../code.ts";
import { DATA_BYTES } from "../harness.ts";
import { type Template, ALL, isMemory, lock, rexFor } from "./template.ts";

export const atomics: readonly Template[] = [
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
      // QEMU 7.2 forgets to bring its flags up to date; POPFQ does it.
      code.need(ALL).raw(0x9c, 0x9d);
      code.put({ opcode: [0x0f, 0xc7], reg: 1, rm, wide, prefixes: lock(code, rm) });
    },
  },
];
