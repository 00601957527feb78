// What an arm64 CPU does while a store waits for its line: what goes on, what waits until the store has drained (Arm ARM DDI 0487
// B2.3.6, B2.3.7). CPU 1 has the line, and it takes a thousand cycles to come; everything else takes a few.

import { describe, expect, it } from "vitest";
import { CpuState } from "../../src/abi.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { call, ids } from "../firmware/calls.ts";
import { wait } from "../instructions/arm64/gic.ts";
import { DATA, Guest, park } from "../instructions/arm64/guest.ts";
import { plainTiming } from "../support/plain-timing.ts";
import { FAR_AWAY, NEAR, OTHER, READY, SOON, elapsed, ran, stop, until, type Options } from "./far-lines.ts";

/** Cycles from the store to the end of what stands behind it. */
function cyclesOf(text: string, options: Options = {}): number {
  const guest = ran(`str x1, [x20]\n ${text}\n ${stop}`, options);
  expect(guest.machine.read64(DATA)).toBe(1n);
  return elapsed(guest);
}

describe("a store that waits for its line", () => {
  it.each([
    ["another store that misses", "str x2, [x20, #64]"],
    ["a store that hits", "str x2, [x21]"],
    ["a load that hits", "ldr x9, [x21]"],
    ["a load-acquire that hits", "ldar x9, [x21]"],
    ["a load of what has been stored", "ldr x9, [x20]"],
    ["a load-acquire of what has been stored", "ldar x9, [x20]"],
    ["a store-release of another line", "stlr x2, [x21]"],
    ["LDAPR behind a store-release of another line", "stlr x2, [x21]\n ldapr x9, [x20, #0]"],
    ["an exclusive pair on another line", "ldxr x9, [x21]\n stxr w10, x9, [x21]"],
    ["an acquiring exclusive pair on another line", "ldaxr x9, [x21]\n stxr w10, x9, [x21]"],
    ["LDADD on another line", "ldadd x1, x9, [x21]"],
    ["LDADDA on another line", "ldadda x1, x9, [x21]"],
    ["CAS on another line", "cas x1, x2, [x21]"],
    ["CASA on another line", "casa x1, x2, [x21]"],
    ["ISB", "isb"],
    ["NOP", "nop"],
    ["DMB ISHLD", "dmb ishld\n ldr x9, [x21]"],
    ["DMB LD", "dmb ld\n str x2, [x21]"],
    ["DSB LD", "dsb ld\n ldr x9, [x21]"],
    ["DSB NSHLD", "dsb nshld"],
    ["a store behind DMB ISHST", "dmb ishst\n str x2, [x21]"],
    ["a load behind DMB ST", "dmb st\n ldr x9, [x21]"],
    ["DMB SY itself: it accesses no memory", "dmb sy"],
    ["a store behind DMB ISH: it waits in the buffer as well", "dmb ish\n str x2, [x21]"],
    ["MRS", "mrs x9, icc_pmr_el1"],
    ["MSR ICC_SGI1R_EL1", "msr icc_sgi1r_el1, x3"],
    ["MSR ICC_SGI1R_EL1 behind DMB SY", "dmb sy\n msr icc_sgi1r_el1, x3"],
    ["MSR ICC_PMR_EL1", "mov x9, #0xf0\n msr icc_pmr_el1, x9"],
    ["MSR DAIFSet", "msr daifset, #3"],
    ["SMC", call("PSCI_VERSION")],
    ["HVC", `li x0, #${ids.PSCI_VERSION}\n hvc #0`],
  ])("doesn't keep %s waiting", (_, text) => {
    expect(cyclesOf(text)).toBeLessThan(SOON);
  });

  it.each([
    ["DSB SY", "dsb sy"],
    ["DSB ISH", "dsb ish"],
    ["DSB OSH", "dsb osh"],
    ["DSB NSH", "dsb nsh"],
    ["DSB ISHST", "dsb ishst"],
    ["DSB OSHST", "dsb oshst"],
    ["DSB NSHST", "dsb nshst"],
    ["a load behind DMB SY", "dmb sy\n ldr x9, [x21]"],
    ["a load behind DMB ISH", "dmb ish\n ldr x9, [x21]"],
    ["a load behind DMB ISH of what has been stored since", "dmb ish\n str x2, [x21]\n ldr x9, [x21]"],
    ["LDP behind DMB OSH", "dmb osh\n ldp x9, x10, [x21]"],
    ["LDAR behind DMB NSH", "dmb nsh\n ldar x9, [x21]"],
    ["LDAPR behind DMB SY", "dmb sy\n ldapr x9, [x21]"],
    ["LDXR behind DMB SY", "dmb sy\n ldxr x9, [x21]"],
    ["LDADD behind DMB ST", "dmb st\n ldadd x1, x9, [x21]"],
    ["STXR behind DMB ST", "ldxr x9, [x21]\n dmb st\n stxr w10, x9, [x21]"],
    ["LDAR behind a store-release (RCsc)", "stlr x2, [x21]\n ldar x9, [x21, #0]"],
    ["LDAXR behind a store-release", "stlr x2, [x21]\n ldaxr x9, [x21]"],
    ["LDADDA behind a store-release", "stlr x1, [x20]\n ldadda x1, x9, [x21]"],
    ["LDADDL", "ldaddl x1, x9, [x21]"],
    ["SWPAL", "swpal x1, x9, [x21]"],
    ["CASL", "casl x1, x2, [x21]"],
    ["STLXR", "ldxr x9, [x21]\n stlxr w10, x9, [x21]"],
    ["LDXR of its line", "ldxr x9, [x20]"],
    ["LDADD of its line", "ldadd x1, x9, [x20, #0]\n sub x9, x9, #1\n str x1, [x20]\n dsb st"],
    ["CAS of its line", "cas x1, x1, [x20]"],
  ])("keeps %s waiting", (_, text) => {
    expect(cyclesOf(text)).toBeGreaterThanOrEqual(FAR_AWAY);
  });

  it("may still be waiting when an interrupt is taken (B2.3.7: an exception is no barrier)", () => {
    const guest = ran(`msr daifclr, #2\n str x1, [x20]\n msr icc_sgi1r_el1, x3\n ${wait(100)}`);
    expect(elapsed(guest)).toBeLessThan(SOON);
    expect(guest.machine.read64(DATA)).toBe(1n);
  });

  it.each([
    ["WFI", "msr daifset, #3\n wfi"],
    ["WFE", "msr daifset, #3\n wfe\n wfe"],
    ["CPU_OFF", call("CPU_OFF")],
  ])("drains while the CPU stands in %s", (_, text) => {
    const guest = ran(`str x1, [x20]\n str x2, [x20, #64]\n ${text}`);
    expect([guest.machine.read64(DATA), guest.machine.read64(DATA + 64)]).toEqual([1n, 2n]);
    if (text.includes("smc")) expect(guest.machine.state(0)).toBe(CpuState.OFFLINE);
  });
});

/**
 * What CPU 1 reads of the far word behind having seen the near one stored to, which CPU 0 has written behind it. CPU 1 has the far line
 * from the start, so has a CPU of another package, and it takes long to take that one's copy away; the near one is CPU 0's own.
 */
function farSeenBehindNear(text: string): bigint {
  const guest = new Guest(
    `
    writer: li x20, #${DATA}
    add x21, x20, #${NEAR}
    mov x1, #1
    ldadd xzr, x9, [x21]
    writer_ready: ldr x9, [x20, #${READY}]
    cbz x9, writer_ready
    ${until(40_000)} ${text}
    b park
    reader: li x20, #${DATA}
    add x22, x20, #${NEAR}
    reader_ready: ldr x9, [x20, #${READY}]
    cbz x9, reader_ready
    ldr x9, [x20]
    ${until(40_100)}
    look: ldar x9, [x22]
    cbz x9, look
    ldr x13, [x20]
    b park
    third: li x20, #${DATA}
    ldadd xzr, x9, [x20]
    mov x9, #1
    str x9, [x20, #${READY}]
    b park
    ${park}`,
    {
      topology: buildTopology({ architecture: "arm64", packages: 2, coresPerLlc: 2 }),
      timing: plainTiming("arm64", { storeBuffer: 8, cache: 20, machine: 1000 }),
    },
  );
  guest.start("writer", "reader", "third").run(200_000);
  expect([guest.machine.read64(DATA), guest.machine.read64(DATA + NEAR)]).not.toContain(0n);
  return guest.x(1, 13);
}

describe("stores to different lines", () => {
  it("may be seen in another order (B2.3.5)", () => {
    expect(farSeenBehindNear("str x1, [x20]\n str x1, [x21]")).toBe(0n);
  });

  it.each([
    ["DMB ST", "dmb st\n str x1, [x21]"],
    ["DMB ISHST", "dmb ishst\n str x1, [x21]"],
    ["DMB ISH", "dmb ish\n str x1, [x21]"],
    ["DMB OSHST", "dmb oshst\n str x1, [x21]"],
    ["DMB NSHST, all CPUs sharing a domain", "dmb nshst\n str x1, [x21]"],
    ["DSB ST", "dsb st\n str x1, [x21]"],
    ["a store-release", "stlr x1, [x21]"],
    ["an exclusive store-release", "ldxr x9, [x21]\n stlxr w10, x1, [x21]"],
    ["LDADDL", "ldaddl x1, x9, [x21]"],
    ["SWPL", "swpl x1, x9, [x21]"],
  ])("are seen in order behind %s", (_, text) => {
    expect(farSeenBehindNear(`str x1, [x20]\n ${text}`)).toBe(1n);
  });

  it.each([
    ["DMB LD", "dmb ld\n str x1, [x21]"],
    ["ISB", "isb\n str x1, [x21]"],
    ["LDADDA", "ldadda x1, x9, [x21]"],
    ["an exclusive store", "ldxr x9, [x21]\n stxr w10, x1, [x21]"],
  ])("may be seen in another order behind %s", (_, text) => {
    expect(farSeenBehindNear(`str x1, [x20]\n ${text}`)).toBe(0n);
  });

  it("may pass a store-release that stands before them", () => {
    expect(farSeenBehindNear("stlr x1, [x20]\n str x1, [x21]")).toBe(0n);
  });
});

describe("a load", () => {
  it.each([
    ["the whole store", "li x9, #0x1122334455667788\n str x9, [x20]\n ldr x10, [x20]", 0x1122334455667788n],
    ["a part of it", "li x9, #0x1122334455667788\n str x9, [x20]\n ldrh w10, [x20, #2]", 0x5566n],
    ["the youngest", "str x1, [x20]\n str x2, [x20]\n ldr x10, [x20]", 2n],
    ["each half of a pair", "stp x1, x2, [x20]\n ldp x9, x10, [x20]", 2n],
    ["a store-release", "stlr x2, [x20]\n ldapr x10, [x20]", 2n],
  ])("gets %s out of the store buffer", (_, text, expected) => {
    const guest = ran(`${text}\n ${stop}`);
    expect(guest.x(0, 10)).toBe(expected);
    expect(elapsed(guest)).toBeLessThan(SOON);
  });

  it("of bytes of two stores waits until they have drained", () => {
    const guest = ran(`str w1, [x20]\n str w2, [x20, #4]\n ldr x10, [x20]\n ${stop}`);
    expect(guest.x(0, 10)).toBe(0x2_0000_0001n);
    expect(elapsed(guest)).toBeGreaterThanOrEqual(FAR_AWAY);
  });
});

describe("an exclusive store (B2.12)", () => {
  it("behind a plain store to its line, which waits, succeeds when the pair began behind it", () => {
    const guest = ran("str x2, [x20]\n ldxr x9, [x20]\n add x11, x9, #5\n stxr w10, x11, [x20]");
    expect(guest.registers(0, 9, 10)).toEqual([2n, 0n]);
    expect(guest.machine.read64(DATA)).toBe(7n);
  });

  it("between whose halves a store to its line waits comes behind that store", () => {
    // The line is shared, so that the load is done at once; the store and the exclusive store have to wait.
    const share = "ldr x9, [x20]\n ldr x9, [x20, #64]\n";
    const guest = ran(
      `${share} ${wait(3000)} ldxr x9, [x20]\n str x2, [x20, #8]\n stxr w10, x1, [x20]\n ldr x11, [x20, #8]`,
      { other: `ldr x9, [x20]\n ldr x9, [x20, #${OTHER}]` },
    );
    expect(guest.machine.read64(DATA + 8)).toBe(2n);
    expect(guest.x(0, 11)).toBe(2n);
    expect(guest.machine.read64(DATA)).toBe(guest.x(0, 10) === 0n ? 1n : 0n);
  });
});

describe("the store buffer", () => {
  const stores = (count: number): string =>
    Array.from({ length: count }, (_, index) => `str x1, [x20, #${64 * index}]\n`).join("");

  it.each([1, 4, 8])("holds as many stores as the timing model says (%i), and the next one waits", (storeBuffer) => {
    const cycles = (count: number): number => elapsed(ran(stores(count) + stop, { figures: { storeBuffer } }));
    expect(cycles(storeBuffer)).toBeLessThan(SOON);
    expect(cycles(storeBuffer + 1)).toBeGreaterThanOrEqual(FAR_AWAY);
    expect(cycles(storeBuffer + 1)).toBeLessThan(FAR_AWAY + SOON);
  });

  it("takes any number of barriers of stores, one behind the other", () => {
    const text =
      "mov x11, #600\n again: str x11, [x20]\n dmb ishst\n sub x11, x11, #1\n cbnz x11, again\n str x1, [x21]";
    expect(farSeenBehindNear(text)).toBe(1n);
  });
});
