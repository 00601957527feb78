// Calls of EL3 in random arm64 programs: PSCI and SDEI with arguments that mostly make sense, and a handler of events.

import type { FirmwareSwitches } from "../../src/firmware/index.ts";
import { firmwareSwitches, personalities, type FirmwareChoice } from "../../src/firmware/index.ts";
import { A64 } from "./a64.ts";
import type { Layout } from "./random-machine.ts";
import type { Random } from "./random.ts";

/** Where the handler stands behind the vectors, and where completing handlers resume. */
export const EVENT_HANDLER_OFFSET = 0x800;
export const RESUME_OFFSET = 0xc00;

/** Any personality, sometimes with a switch set otherwise; both conduits work. */
export function randomFirmware(random: Random): FirmwareChoice {
  const name = random.chance(60) ? "compliant" : random.pick(personalities).name;
  const own: Partial<Record<string, string>> = { conduit: "both", sdei: random.chance(20) ? "1.0" : "1.1" };
  if (random.chance(40)) {
    const changed = random.pick(["signalCheck", "maskedSignal", "unreadySignal", "openCpuOff", "completion"] as const);
    own[changed] = random.pick(Object.keys(firmwareSwitches[changed]));
  }
  return { personality: name, ...(own as Partial<FirmwareSwitches>) };
}

const PSCI = 0x8400_0000;
const SDEI = 0xc400_0020;

function call(a: A64, random: Random, id: number, ...parameters: (number | bigint)[]): void {
  parameters.forEach((value, index) => a.mov(index + 1, value));
  a.mov(0, id);
  if (random.chance(50)) a.smc();
  else a.hvc();
}

function anyId(random: Random, { hardwareIds }: Layout): number {
  return random.pick(hardwareIds);
}

const events = [0, 0, 0, 1000, 1001, 3000, 2000, 2000, 4000, 4000, 77];

/** Registers and enables an event, and unmasks: so that something happens. */
export function openEvents(a: A64, random: Random, layout: Layout, vectors: number): void {
  const relative = random.chance(20);
  const entry = relative ? EVENT_HANDLER_OFFSET : vectors + EVENT_HANDLER_OFFSET;
  const event = random.pick(events);
  if (event >= 1000) call(a, random, SDEI + 0xd, random.pick([17, 20, 27, 30, 40, 41]));
  call(a, random, SDEI + 1, event, entry, 5, (relative ? 2 : 0) + random.between(0, 1), anyId(random, layout));
  call(a, random, SDEI + 2, event);
  call(a, random, SDEI + 0xc);
}

export function signalEvent(a: A64, random: Random, layout: Layout): void {
  call(a, random, SDEI + 0xf, 0, anyId(random, layout));
}

const anyTime = [0x0, 0x2, 0x2, 0x3, 0x4, 0x5, 0x7, 0x8, 0x9, 0xa, 0xb, 0xc, 0xc, 0xd, 0xe, 0x10, 0x13];

export function anySdeiCall(a: A64, random: Random): void {
  // After a reset of some firmware nobody goes on.
  const number = random.chance(3) ? random.pick([0x11, 0x12]) : random.pick(anyTime);
  call(a, random, SDEI + number, random.pick([...events, 20, 40]), random.between(0, 4));
}

/** Brings up whoever is off, at the first program; sometimes a PE powers itself off. */
export function power(a: A64, random: Random, layout: Layout, entry: number): void {
  const kind = random.between(0, 9);
  const target = anyId(random, layout);
  if (kind === 0) call(a, random, PSCI + 2);
  else if (kind < 7) call(a, random, 0xc400_0003, target, entry, 3);
  else call(a, random, 0xc400_0004, target, random.between(0, 4));
}

export function standBy(a: A64, random: Random): void {
  call(a, random, 0xc400_0001, random.chance(80) ? 7 : 1 << 16);
}

/** Counts events in memory and completes, or resumes elsewhere; sometimes looks around or unmasks before. */
export function eventHandler(random: Random, vectors: number, privateBase: number): Uint8Array {
  const a = new A64();
  a.load(4, privateBase, 72).addImmediate(4, 4, 1).store(4, privateBase, 72);
  if (random.chance(30)) call(a, random, SDEI + 4, random.between(0, 18));
  if (random.chance(30)) call(a, random, SDEI + random.pick([2, 3, 7, 8, 0xb]), 0);
  if (random.chance(30))
    a.mov(5, random.between(1, 30)).label("linger").subsImmediate(5, 5, 1).bCondition("ne", "linger");
  if (random.chance(10)) call(a, random, PSCI + 2);
  if (random.chance(60)) call(a, random, SDEI + 5, 0);
  else call(a, random, SDEI + 6, vectors + RESUME_OFFSET);
  // There was nothing to complete, or the firmware has no SDEI: back to where the event or the call came from.
  a.label("spin").b("spin");
  while (a.words.length * 4 < RESUME_OFFSET - EVENT_HANDLER_OFFSET) a.nop();
  a.eret();
  return a.finish();
}
