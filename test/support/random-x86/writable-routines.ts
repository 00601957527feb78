// Routines in writable pages, which the programs of a random x86-64 machine call and write.

import { R10, R12, RAX, RBX } from "../../instructions/x86-64/code.ts";
import type { Random } from "../random.ts";
import { X64 } from "../x64.ts";
import { WRITABLE_CODE, COUNTERS, privately } from "./layout.ts";
import { NOT_EQUAL } from "./snippet.ts";

/** Routines that end in RET; each begins with MOV EAX, imm32, which some CPUs overwrite. One may cross a line. */
export function writableRoutines(random: Random): { bytes: Uint8Array; routines: number[] } {
  const code = new X64(WRITABLE_CODE);
  const routines: number[] = [];
  for (let i = 0; i < 4; i++) {
    code.align(64, 0x90);
    const skip = random.pick([0, 0, 20, 57, 60, 62]);
    for (let nop = 0; nop < skip; nop++) code.raw(0x90);
    routines.push(code.here);
    code.set(RAX, i);
    const kind = random.between(0, 2);
    if (kind === 1) {
      const head = code.fresh();
      code.set(R12, random.between(2, 20)).label(head).pause().decrement(4, R12).jumpIf(NOT_EQUAL, head);
    } else if (kind === 2) {
      // spins on a shared word
      const head = code.fresh();
      const out = code.fresh();
      code.load(8, R10, { base: RBX }).set(R12, random.between(2, 40)).label(head).pause();
      code.op("cmp", 8, R10, { base: RBX }).jumpIf(NOT_EQUAL, out);
      code.decrement(4, R12).jumpIf(NOT_EQUAL, head).label(out);
    }
    code.opTo("add", 8, privately(COUNTERS + 8), RAX).ret();
  }
  return { bytes: code.finish(), routines };
}
