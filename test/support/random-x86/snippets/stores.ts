// Snippets that fill the store buffer: stores to shared lines, overlapping and of all widths, with what orders them between, and
// loads of what has been stored, whole or in part.

import { R9, R10, RAX, RBX } from "../../../instructions/x86-64/code.ts";
import type { Random } from "../../random.ts";
import { MSR_SELF_IPI, type Width, type X64 } from "../../x64.ts";
import { someVector, someWord, type Place, type Snippet } from "../snippet.ts";
import { COUNTERS, privately } from "../layout.ts";

const widths = [1, 2, 4, 8] as const satisfies readonly Width[];
const IA32_TSC_AUX = 0xc000_0103;

export const stores: Snippet = (code, random, place) => {
  for (let i = random.between(3, 14); i > 0; i--) {
    const word = someWord(random, place);
    // Now and then the end of the line, and beyond.
    const offset = random.chance(10) ? random.between(56, 63) : random.between(0, 7);
    const bytes = { ...word, displacement: (word.displacement ?? 0) + offset };
    const width = random.pick(widths);
    const kind = random.between(0, 9);
    if (kind < 5) code.set(R10, random.between(1, 0x7fff_ffff)).store(width, bytes, R10);
    else if (kind < 7) code.op("xor", width, R9, bytes);
    else if (kind === 7) code.opTo("add", width, bytes, R9);
    else order(code, random, place);
  }
};

/** Some drain the buffer, some don't. */
function order(code: X64, random: Random, place: Place): void {
  const kind = random.between(0, 9);
  if (kind === 0) code.mfence();
  else if (kind === 1) code.sfence();
  else if (kind === 2) code.lfence();
  else if (kind === 3) code.push(RBX).op("xor", 4, RAX, RAX).cpuid().pop(RBX);
  else if (kind === 4) code.clflush(someWord(random, place));
  else if (kind === 5) code.writeMsr(IA32_TSC_AUX, BigInt(random.between(0, 99)));
  else if (kind === 6) code.writeApic(MSR_SELF_IPI, someVector(random));
  else if (kind === 7) code.xchg(8, someWord(random, place), R9);
  else if (kind === 8) code.increment(8, privately(COUNTERS), true);
  else code.interrupt(someVector(random));
}
