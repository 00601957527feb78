// Snippets of whatever else a kernel does: string instructions, code that is written, exceptions, fences, private work.

import { R8, R9, R13, R15, RAX, RBX, RCX, RDI, RSI, RSP, type Memory } from "../../../instructions/x86-64/code.ts";
import { COUNTERS, STRINGS, privately } from "../layout.ts";
import { someWord, bounded, someVector, type Snippet } from "../snippet.ts";

export const others: readonly Snippet[] = [
  // string instructions, private and shared, up and down
  (code, random, place) => {
    const shared: Memory = { base: RBX, displacement: random.between(0, place.lines - 1) * 64 + 24 };
    const somewhere = (): Memory => (random.chance(50) ? privately(STRINGS + 64) : shared);
    const width = random.pick([1, 2, 4, 8] as const);
    const repeat = random.pick(["", "repe", "repne", "repe"] as const);
    code.lea(8, RSI, somewhere()).lea(8, RDI, random.chance(75) ? privately(STRINGS + 60) : shared);
    code.set(RCX, random.between(0, 9)).set(RAX, random.between(0, 2));
    if (random.chance(30)) code.std();
    code.string(random.pick([0xa4, 0xa6, 0xaa, 0xac, 0xae]), width, repeat).cld();
  },
  // code in writable pages is run, and now and then written
  (code, random, { routines }) => {
    const routine = random.pick(routines);
    if (random.chance(20)) code.storeImmediate(4, { displacement: routine + 1 }, random.between(0, 9));
    code.set(R13, routine).callRegister(R13);
    if (random.chance(50)) bounded(code, random, () => code.callRegister(R13).pause(), 9);
  },
  // exceptions, software interrupts, single steps
  (code, random) => {
    const kind = random.between(0, 5);
    if (kind < 2) code.ud2();
    else if (kind === 2) code.raw(0xcc);
    else if (kind === 3) code.interrupt(someVector(random));
    else {
      code.pushf().opImmediate("or", 8, { base: RSP }, 0x100).popf();
      code.increment(4, R8).increment(8, privately(COUNTERS), true).pause();
      code.pushf().opImmediate("and", 8, { base: RSP }, ~0x100).popf();
    }
  },
  // fences and what empties the pipeline or the caches; a device
  (code, random, place) => {
    const kind = random.between(0, 6);
    if (kind === 0) code.mfence();
    else if (kind === 1) code.lfence().sfence();
    else if (kind === 2) code.push(RBX).op("xor", 4, RAX, RAX).cpuid().pop(RBX);
    else if (kind === 3) code.clflush(someWord(random, place));
    else if (kind === 4) code.set(RAX, 0x41).outByte(0xe9);
    else bounded(code, random, () => code.mfence().pause().opTo("add", 4, privately(COUNTERS), R15), 20);
  },
  // private work
  (code, random) => {
    for (let i = random.between(2, 12); i > 0; i--) {
      code.load(8, R8, privately(8 * random.between(0, 3))).op("xor", 8, R9, R8);
      code.shift(0, 8, R9, 5).store(8, privately(32), R9);
    }
  },
];
