// To user mode, and back by a software interrupt; between, what programs do, and now and then what they may not.

import { RAX, RBP, RSP } from "../../../instructions/x86-64/code.ts";
import { LEAVE_VECTOR, PRIVATE_BYTES, USER_CODE_SELECTOR, USER_DATA_SELECTOR, tssOf } from "../layout.ts";
import type { Snippet } from "../snippet.ts";
import { accesses } from "./accesses.ts";
import { arithmetic } from "./arithmetic.ts";
import { spins } from "./spins.ts";
import { deadlines } from "./time.ts";

const pieces: readonly Snippet[] = [...accesses, ...spins, ...arithmetic, ...deadlines];
/** CLI, STI, HLT: #GP. */
const REFUSED = [0xfa, 0xfb, 0xf4] as const;

/** The kernel's stack is empty here, and aligned. */
export const userMode: Snippet = (code, random, place) => {
  const user = code.fresh();
  code.store(8, { displacement: tssOf(place.cpu) + 4 }, RSP);
  code.raw(0x6a, USER_DATA_SELECTOR).lea(8, RAX, { base: RBP, displacement: PRIVATE_BYTES }).push(RAX).pushf();
  code.raw(0x6a, USER_CODE_SELECTOR).raw(0x48, 0x8d, 0x05).relative(user, 4).push(RAX).mark().iret();
  code.label(user);
  for (let i = random.between(1, 4); i > 0; i--) {
    code.mark();
    if (random.chance(20)) code.raw(random.pick(REFUSED));
    random.pick(pieces)(code, random, place);
  }
  code.mark().interrupt(LEAVE_VECTOR);
};
