// Snippets with calls and with the stack.

import { R8, R9, R10, R12, R13, R15, RSP } from "../../../instructions/x86-64/code.ts";
import { NOT_EQUAL, someWord, bounded, relax, type Snippet } from "../snippet.ts";

export const calls: readonly Snippet[] = [
  // a call in the turn
  (code, random, place) => {
    const word = someWord(random, place);
    const routine = code.fresh();
    const over = code.fresh();
    const frame = random.between(0, 2);
    code.jump(over).label(routine).mark();
    if (frame > 0) code.push(R10).push(R15);
    relax(code, random);
    code.load(8, R9, word);
    if (frame === 2) code.increment(8, { base: RSP });
    if (frame > 0) code.pop(frame === 2 ? R12 : R15).pop(R10);
    code.ret().label(over).load(8, R8, word);
    const indirect = random.chance(40);
    if (indirect) code.lea(8, R13, { rip: true, displacement: code.addressOf(routine) });
    bounded(code, random, (out) => {
      if (indirect) code.callRegister(R13);
      else code.call(routine);
      code.op("cmp", 8, R9, R8).jumpIf(NOT_EQUAL, out);
    });
  },
  // pushes and pops
  (code, random) => {
    bounded(code, random, () => {
      code.push(R8).pushf().mark().push(R15).pop(R9).pop(R10).pop(R8);
      if (random.chance(50)) code.pushf().popf();
      relax(code, random);
    });
  },
];
