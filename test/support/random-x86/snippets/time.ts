// Snippets that wait for the time stamp counter.

import { RAX, RDI, RDX } from "../../../instructions/x86-64/code.ts";
import { BELOW, SIGN, bounded, relax, type Snippet } from "../snippet.ts";

export const deadlines: readonly Snippet[] = [
  // deadline by the whole counter
  (code, random) => {
    const head = code.fresh();
    const now = (): void => void code.rdtsc().shift(4, 8, RDX, 32).op("or", 8, RAX, RDX);
    now();
    code
      .lea(8, RDI, { base: RAX, displacement: random.between(10, 900) })
      .label(head)
      .mark();
    relax(code, random);
    if (random.chance(20)) code.rdtscp().shift(4, 8, RDX, 32).op("or", 8, RAX, RDX);
    else now();
    if (random.chance(50)) code.op("sub", 8, RAX, RDI).jumpIf(SIGN, head);
    else code.op("cmp", 8, RAX, RDI).jumpIf(BELOW, head);
  },
  // deadline by the lower half of the counter, by difference or, with a bound, by order
  (code, random) => {
    const head = code.fresh();
    code.rdtsc().lea(4, RDI, { base: RAX, displacement: random.between(10, 900) });
    if (random.chance(50)) {
      code.label(head).pause().rdtsc().op("sub", 4, RAX, RDI).jumpIf(SIGN, head);
    } else {
      const condition = random.pick([BELOW, 6, 12, 14]);
      bounded(code, random, (out) => {
        code
          .pause()
          .rdtsc()
          .op("cmp", 4, RAX, RDI)
          .jumpIf(condition ^ 1, out);
      });
    }
  },
];
