// A CPU and lines that are far away from it: CPU 1 has them, and each takes a thousand cycles to come; everything else takes a few.

import { expect } from "vitest";
import { buildTopology } from "../../src/topology/index.ts";
import { wait } from "../instructions/arm64/gic.ts";
import { DATA, Guest, openInterrupts, park, setVectors, vectors } from "../instructions/arm64/guest.ts";
import { plainTiming, type Figures } from "../support/plain-timing.ts";

/** Lines of CPU 1 from the start of the data; offsets of a line of CPU 0, and of words that say who is ready. */
const FAR_LINES = 12;
export const NEAR = 0x400;
export const READY = 0x440;
export const OTHER = 0x480;
/** Least cycles until a line of CPU 1 has come: four messages (src/timing/model.ts). */
export const FAR_AWAY = 4 * 250;
/** What is done at once takes less. */
export const SOON = FAR_AWAY / 2;

/** Two cores of one cache. */
const topology = buildTopology({ architecture: "arm64", packages: 1, coresPerLlc: 2 });

export interface Options {
  readonly figures?: Figures;
  /** Before the clock starts. */
  readonly prepare?: string;
  /** What CPU 1 does in the end. */
  readonly other?: string;
}

const start = "mrs x14, cntvct_el0\n";
export const stop = "mrs x15, cntvct_el0\n";

/**
 * Has run a text on CPU 0 when the far lines are away; it begins with the clock's start. X20 points to the far lines, X21 to the
 * near one, X1 is 1, X2 is 2, X3 a value for ICC_SGI1R_EL1 that names CPU 0.
 */
export function ran(text: string, { figures = {}, prepare = "", other = "" }: Options = {}): Guest {
  const take = Array.from({ length: FAR_LINES }, (_, line) => `add x9, x20, #${64 * line}\n ldadd xzr, x9, [x9]\n`);
  const guest = new Guest(
    `
    first: ${setVectors} ${openInterrupts(0)}
    li x20, #${DATA}
    add x21, x20, #${NEAR}
    mov x1, #1
    mov x2, #2
    li x3, #0x1000001
    ldadd xzr, x9, [x21]
    ready: ldr x9, [x20, #${READY}]
    cbz x9, ready
    ${wait(2000)} ${prepare} ${start} ${text}
    b park
    second: li x20, #${DATA}
    ${take.join("")}
    mov x9, #1
    str x9, [x20, #${READY}]
    ${other}
    b park
    irq: ${stop}
    b park
    ${park}
    ${vectors({ irq: "irq" })}`,
    { topology, timing: plainTiming("arm64", { storeBuffer: 8, cache: 250, ...figures }) },
  );
  guest.start("first", "second").run(100_000);
  return guest;
}

export function elapsed(guest: Guest): number {
  const [from = 0n, to = 0n] = guest.registers(0, 14, 15);
  expect(to).toBeGreaterThan(from);
  return Number(to - from);
}

/** Waits until the counter says that; changes X9 and X10. */
export function until(cycle: number): string {
  return `li x9, #${cycle}\n until_${cycle}: mrs x10, cntvct_el0\n cmp x10, x9\n b.lt until_${cycle}\n`;
}
