// A snippet that sends SMIs, INITs and start-up IPIs, and one that asks the platform.

import { R8, RAX, RBX } from "../../../instructions/x86-64/code.ts";
import { MSR_ICR } from "../../x64.ts";
import { NOT_EQUAL, bounded, relax, type Snippet } from "../snippet.ts";

const [SMI, INIT, STARTUP] = [0x200n, 0x500n, 0x600n];
const TO_OTHERS = 3n << 18n;
const SYSTEM_CONTROL = 0x61;

/** SMIs to one or to all others; INIT with start-up IPIs behind it; port 0x61. */
export const systemMessages: Snippet = (code, random, place) => {
  const target = BigInt(place.hardwareIds[random.between(0, place.cpus - 1)] ?? 0) << 32n;
  const kind = random.between(0, 9);
  if (kind < 4) code.writeMsr(MSR_ICR, target | SMI);
  else if (kind === 4) code.writeMsr(MSR_ICR, TO_OTHERS | SMI);
  else if (kind < 7) {
    // Each round would be too many.
    const skip = code.fresh();
    code.rdtsc().raw(0xa8, 0x70).jumpIf(NOT_EQUAL, skip);
    code.writeMsr(MSR_ICR, target | INIT);
    bounded(code, random, () => relax(code, random), 40);
    code.writeMsr(MSR_ICR, target | STARTUP | BigInt(random.between(0, 255)));
    code.label(skip);
  } else if (kind === 7) code.writeMsr(MSR_ICR, target | STARTUP);
  else {
    code.push(RBX).raw(0xe4, SYSTEM_CONTROL).op("xor", 4, R8, RAX);
    code.raw(0x34, random.pick([0x03, 0x04, 0x08, 0x0c]), 0xe6, SYSTEM_CONTROL).pop(RBX);
  }
};
