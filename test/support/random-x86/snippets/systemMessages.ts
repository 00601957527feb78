// Snippets that send SMIs, INITs and start-up IPIs, that ask the platform, and that shut their CPU down.

import { R8, RAX, RBX } from "../../../instructions/x86-64/code.ts";
import type { Random } from "../../random.ts";
import { MSR_ICR, type X64 } from "../../x64.ts";
import { SHORT_IDT_POINTER } from "../layout.ts";
import { bounded, loadIdt, now, relax, type Snippet } from "../snippet.ts";

const [SMI, NMI, INIT, STARTUP] = [0x200n, 0x400n, 0x500n, 0x600n];
const TO_OTHERS = 3n << 18n;
const SYSTEM_CONTROL = 0x61;

function restart(code: X64, random: Random, target: bigint): void {
  code.writeMsr(MSR_ICR, target | INIT);
  bounded(code, random, () => relax(code, random), 40);
  code.writeMsr(MSR_ICR, target | STARTUP | BigInt(random.between(0, 255)));
}

/** SMIs to one or to all others; INIT with start-up IPIs behind it; port 0x61. */
export const systemMessages: Snippet = (code, random, place) => {
  const target = BigInt(place.hardwareIds[random.between(0, place.cpus - 1)] ?? 0) << 32n;
  const kind = random.between(0, 9);
  if (kind < 4) code.writeMsr(MSR_ICR, target | SMI);
  else if (kind === 4) code.writeMsr(MSR_ICR, TO_OTHERS | SMI);
  else if (kind < 7) {
    // Each round would be too many.
    now(code, 0x70, () => restart(code, random, target));
  } else if (kind === 7) code.writeMsr(MSR_ICR, target | STARTUP);
  else {
    code.push(RBX).raw(0xe4, SYSTEM_CONTROL).op("xor", 4, R8, RAX);
    code.raw(0x34, random.pick([0x03, 0x04, 0x08, 0x0c]), 0xe6, SYSTEM_CONTROL).pop(RBX);
  }
};

/**
 * An exception that can't be delivered, nor can those that come of it (SDM 3A 6.15, interrupt 8); or what brings others out of
 * shutdown, or finds them there.
 */
export const shutdowns: Snippet = (code, random, place) => {
  const target = BigInt(place.hardwareIds[random.between(0, place.cpus - 1)] ?? 0) << 32n;
  const kind = random.between(0, 9);
  if (kind < 4) now(code, 0x60, () => loadIdt(code, SHORT_IDT_POINTER).ud2());
  else if (kind < 6) code.writeMsr(MSR_ICR, TO_OTHERS | NMI);
  else if (kind === 6) code.writeMsr(MSR_ICR, TO_OTHERS | SMI);
  else now(code, 0x10, () => restart(code, random, target));
};
