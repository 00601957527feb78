// What an arm64 CPU does with loads behind one that waits for its line: those that may be made before it ask for their lines meanwhile,
// and are bound when these come (Arm ARM DDI 0487 B2.3.5: loads of different locations have no order of their own, and a control
// dependency gives them none).

import { describe, expect, it } from "vitest";
import { buildTopology } from "../../src/topology/index.ts";
import { sgi } from "../instructions/arm64/gic.ts";
import { DATA, Guest, openInterrupts, park, setVectors, vectors } from "../instructions/arm64/guest.ts";
import { plainTiming } from "../support/plain-timing.ts";
import { FAR_AWAY, READY, SOON, elapsed, ran, stop, until } from "./far-lines.ts";

/** Cycles of a text that loads from far lines; X0 is 64, and X9 where X20 points to. */
function cyclesOf(text: string): number {
  return elapsed(ran(`${text}\n ${stop}`, { prepare: "mov x0, #64\n mov x9, x20\n" }));
}

describe("loads from far lines", () => {
  it.each([
    ["two", "ldr x10, [x20]\n ldr x11, [x20, #64]"],
    ["two of parts of words", "ldrb w10, [x20, #3]\n ldrsw x11, [x20, #68]"],
    ["two with work between them", "ldr x10, [x20]\n add x12, x10, #1\n eor x12, x12, x10\n ldr x11, [x20, #64]"],
    ["two with another one of the first line", "ldr x10, [x20]\n ldr x12, [x20, #8]\n ldr x11, [x20, #64]"],
    ["two with one between them that is at hand", "ldr x10, [x20]\n ldr x12, [x21]\n ldr x11, [x20, #64]"],
    ["two of one base, which the second moves", "ldr x10, [x9]\n ldr x11, [x9, #64]!"],
    ["two, the second with an offset in a register", "ldr x10, [x20]\n ldr x11, [x20, x0]"],
    ["three", "ldr x10, [x20]\n ldr x11, [x20, #64]\n ldr x12, [x20, #128]"],
    ["two behind a barrier", "ldr x10, [x21]\n dmb sy\n ldr x10, [x20]\n ldr x11, [x20, #64]"],
    [
      "two with a branch over work between them",
      "ldr x10, [x20]\n cbnz x10, b\n add x12, x0, #1\n b: ldr x11, [x20, #64]",
    ],
    [
      "two with a branch to the next instruction, which is taken",
      "ldr x10, [x20]\n cbz x10, b\n b: ldr x11, [x20, #64]",
    ],
    ["two with a branch between them over the second", "ldr x10, [x20]\n cbnz w10, b\n ldr x11, [x20, #64]\n b:"],
    [
      "two with comparisons and branches",
      "ldr x10, [x20]\n cmp x10, #5\n b.hi b\n cmp x10, #0\n b.ne b\n ldr x11, [x20, #64]\n b:",
    ],
  ])("wait together: %s", (_, text) => {
    expect(cyclesOf(text)).toBeGreaterThanOrEqual(FAR_AWAY);
    expect(cyclesOf(text)).toBeLessThan(FAR_AWAY + SOON);
  });

  const twoWith = (between: string): string => `ldr x10, [x20]\n ${between}\n ldr x11, [x20, #64]`;
  it.each([
    [
      "an address that hangs on the first",
      "ldr x10, [x20]\n and x12, x10, #64\n add x12, x12, x0\n ldr x11, [x20, x12]",
    ],
    ["two behind one whose address does", "ldr x10, [x20]\n ldr x12, [x20, x10]\n ldr x11, [x20, #64]"],
    ["a base that the first moves", "ldr x10, [x9], #64\n ldr x11, [x9]"],
    ["DMB LD between them", twoWith("dmb ld")],
    ["DMB ISHLD between them", twoWith("dmb ishld")],
    ["DMB SY between them", twoWith("dmb sy")],
    ["DSB LD between them", twoWith("dsb ld")],
    ["ISB between them", twoWith("isb")],
    ["a conditional branch back between them", twoWith("b over\n back: b behind\n over: cbnz x10, back\n behind:")],
    ["a branch without a condition between them", twoWith("b behind\n behind:")],
    ["a call between them", "ldr x10, [x20]\n bl called\n called: ldr x11, [x20, #64]"],
    ["a branch and ISB between them", twoWith("cbz x10, behind\n behind: isb")],
    ["a branch and a store between them", twoWith("cbz x10, behind\n behind: str x1, [x21]")],
    [
      "a branch, and an address that hangs on the first",
      twoWith("and x12, x10, #64\n cbz x10, behind\n behind: add x20, x20, x12"),
    ],
    ["a store between them", twoWith("str x1, [x21]")],
    ["a system register's read between them", twoWith("mrs x12, icc_pmr_el1")],
    ["a load-acquire as the first", "ldar x10, [x20]\n ldr x11, [x20, #64]"],
    ["LDAPR as the first", "ldapr x10, [x20]\n ldr x11, [x20, #64]"],
    ["a load-acquire as the second", "add x12, x20, #64\n ldr x10, [x20]\n ldar x11, [x12]"],
    ["an exclusive load as the first", "ldxr x10, [x20]\n ldr x11, [x20, #64]"],
  ])("wait one behind the other: %s", (_, text) => {
    expect(cyclesOf(text)).toBeGreaterThanOrEqual(2 * FAR_AWAY);
    expect(cyclesOf(text)).toBeLessThan(2 * FAR_AWAY + SOON);
  });

  it("have asked for their lines when a branch before them is taken", () => {
    const cycles = cyclesOf("ldr x10, [x20]\n cbz x10, behind\n ldr x11, [x20, #64]\n behind:");
    expect(cycles).toBeLessThan(FAR_AWAY + SOON);
    const another = cyclesOf("ldr x10, [x20]\n cbz x10, behind\n nop\n behind: ldr x11, [x20, #64]");
    expect(another).toBeGreaterThan(cycles);
    expect(another).toBeLessThan(2 * FAR_AWAY);
  });

  it("wait for both lines of one that lies in two", () => {
    expect(cyclesOf("mov x12, #60\n ldr x10, [x20, x12]\n ldr x11, [x20, #128]")).toBeGreaterThanOrEqual(3 * FAR_AWAY);
  });

  it("wait three at a time when there are more: two are issued early", () => {
    const loads = [0, 1, 2, 3, 4, 5].map((line) => `ldr x10, [x20, #${64 * line}]\n`).join("");
    const cycles = cyclesOf(loads);
    expect(cycles).toBeGreaterThanOrEqual(2 * FAR_AWAY);
    expect(cycles).toBeLessThan(2 * FAR_AWAY + SOON);
  });
});

const SLOW = 0;
const FAST = 0x40;

/**
 * What CPU 2 reads of two lines, the slow one first, to which CPU 4 stores in the other order. The slow line is CPU 4's own; the fast one
 * that of CPU 3, which shares CPU 2's cache. Their home is far from both. So CPU 4's store to the fast line is on its way when CPU 2 gets
 * that line; and it goes on to the slow one before CPU 2's request has come there.
 */
function readBySlowAndFast(text: string): bigint[] {
  const guest = new Guest(
    `
    reader: ${setVectors} ${openInterrupts(2)}
    li x20, #${DATA}
    li x3, #${sgi(0, 4)}
    reader_ready: ldr x9, [x20, #${READY}]
    cbz x9, reader_ready
    ${until(41_500)} ${text}
    b park
    neighbour: li x20, #${DATA}
    add x21, x20, #${FAST}
    ldadd xzr, x9, [x21]
    b park
    writer: li x20, #${DATA}
    ldadd xzr, x9, [x20]
    mov x1, #1
    str x1, [x20, #${READY}]
    ${until(40_000)}
    str x1, [x20, #${FAST}]
    dmb ishst
    str x1, [x20, #${SLOW}]
    b park
    irq: mrs x10, icc_iar1_el1
    msr icc_eoir1_el1, x10
    eret
    ${park}
    ${vectors({ irq: "irq" })}`,
    {
      topology: buildTopology({ architecture: "arm64", packages: 3, coresPerLlc: 2 }),
      timing: plainTiming("arm64", { storeBuffer: 8, cache: 20, machine: 1000, selfInterrupt: 300 }),
    },
  );
  guest.start(undefined, undefined, "reader", "neighbour", "writer").run(200_000);
  expect([guest.machine.read64(DATA + FAST), guest.machine.read64(DATA + SLOW)]).toEqual([1n, 1n]);
  return guest.registers(2, 11, 12);
}

describe("two loads, the second of a line that comes sooner", () => {
  it.each([
    ["nothing", ""],
    ["a branch that is not taken", "cbz x11, over\n mov x9, #1\n over:"],
  ])("are bound in the order in which the lines come with %s between them", (_, between) => {
    expect(readBySlowAndFast(`ldr x11, [x20]\n ${between}\n ldr x12, [x20, #${FAST}]`)).toEqual([1n, 0n]);
  });

  it.each([
    ["DMB LD", `ldr x11, [x20]\n dmb ld\n ldr x12, [x20, #${FAST}]`],
    ["a load-acquire", `ldar x11, [x20]\n ldr x12, [x20, #${FAST}]`],
    ["a branch and ISB", `ldr x11, [x20]\n cbz x11, behind\n behind: isb\n ldr x12, [x20, #${FAST}]`],
    ["a branch that is taken", `ldr x11, [x20]\n cbnz x11, behind\n nop\n behind: ldr x12, [x20, #${FAST}]`],
    [
      "another way of the same length",
      `ldr x11, [x20]\n cbnz x11, away\n nop\n back: ldr x12, [x20, #${FAST}]\n b end\n away: b back\n end:`,
    ],
    ["a dependency", `ldr x11, [x20]\n and x9, x11, #2\n add x9, x9, x20\n ldr x12, [x9, #${FAST}]`],
  ])("are bound in program order with %s", (_, text) => {
    expect(readBySlowAndFast(text)).toEqual([1n, 1n]);
  });

  it("are bound in program order if an interrupt is taken between them", () => {
    const text = `msr daifclr, #2\n msr icc_sgi1r_el1, x3\n ldr x11, [x20]\n ldr x12, [x20, #${FAST}]`;
    expect(readBySlowAndFast(text)).toEqual([1n, 1n]);
  });

  it("leave one behind them of the second line to its turn (CoRR)", () => {
    const text = `ldr x11, [x20]\n ldr x10, [x20, #${FAST}]\n ldr x12, [x20, #${FAST}]`;
    expect(readBySlowAndFast(text)).toEqual([1n, 1n]);
  });
});
