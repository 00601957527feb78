// Exclusive monitors (Arm ARM DDI 0487, B2.12) and atomic operations on contended memory, rule by rule.

import { describe, expect, it } from "vitest";
import { buildTopology } from "../../../src/topology/index.ts";
import { DATA, Guest, awaitFlag, park, setVectors, vectors } from "./guest.ts";

/** One CPU marks [X3], goes through `between`, stores: the status. */
function status(between: string): bigint {
  const guest = new Guest(`
    start: ${setVectors}
      li x3, #${DATA}
      mov w10, #9
      ldxr x4, [x3]
      ${between}
      stxr w10, x5, [x3]
      b park
    ${vectors({ sync: "caught" })}
    caught: eret
    ${park}`);
  guest.start("start").run();
  return guest.x(0, 10);
}

describe("a store-exclusive succeeds (DDI 0487 B2.12)", () => {
  it.each([
    ["after its load", ""],
    ["after a store of the same CPU to the very bytes", "str x4, [x3]"],
    ["after a store of the same CPU to the line", "str x4, [x3, #32]"],
    [
      "after loads, stores and atomics elsewhere",
      "ldr x6, [x3, #128]\n str x6, [x3, #256]\n add x7, x3, #512\n ldadd x6, x8, [x7]",
    ],
    ["after barriers", "dmb ish\n dsb sy\n isb"],
    ["after an atomic of the same CPU to the very bytes", "ldadd x6, x8, [x3]"],
  ])("%s", (_, between) => {
    expect(status(between)).toBe(0n);
  });
});

describe("a store-exclusive fails (DDI 0487 B2.12)", () => {
  it.each([
    ["after CLREX", "clrex"],
    ["after an exception has returned", "svc #0"],
    ["after another store-exclusive", "stxr w11, x5, [x3]"],
    ["after a store-exclusive elsewhere", "add x7, x3, #64\n stxr w11, x5, [x7]"],
    ["after a load-exclusive elsewhere", "add x7, x3, #64\n ldxr x6, [x7]"],
    ["after a load-exclusive of another size", "ldxr w6, [x3]"],
    ["after a load-exclusive of a pair that begins there", "ldxp x6, x7, [x3]"],
  ])("%s", (_, between) => {
    expect(status(between)).toBe(1n);
  });

  it("without a load", () => {
    const guest = new Guest(`start: li x3, #${DATA}\n mov x5, #7\n stxr w10, x5, [x3]\n ${park}`);
    guest.start("start").run();
    expect([guest.x(0, 10), guest.machine.read64(DATA)]).toEqual([1n, 0n]);
  });

  it("without an access where none would be allowed", () => {
    const guest = new Guest(
      `start: ${setVectors} li x3, #0x1230\n mov w10, #9\n stxr w10, x5, [x3]\n b park\n ${vectors({})}\n ${park}`,
    );
    guest.start("start").run();
    expect(guest.x(0, 10)).toBe(1n);
  });
});

/** CPU 1 marks [X3]; CPU 0 goes through `other`; CPU 1 stores: status and what it found. */
function contended(other: string, topology?: Parameters<typeof buildTopology>[0]): bigint {
  const guest = new Guest(
    `
    one:
      li x20, #${DATA}
      add x3, x20, #64
      ldxr x4, [x3]
      mov x9, #1
      str x9, [x20]
      ${awaitFlag(8, "done")}
      stxr w10, x5, [x3]
      b park
    zero:
      li x20, #${DATA}
      ${awaitFlag(0, "marked")}
      add x3, x20, #64
      ${other}
      mov x9, #1
      str x9, [x20, #8]
    ${park}`,
    topology === undefined ? { cpus: 2 } : { topology: buildTopology(topology) },
  );
  guest.start("zero", "one").run();
  return guest.x(1, 10);
}

const siblings = { packages: 1, coresPerLlc: 1, threadsPerCore: 2 };

describe.each([
  ["of another core", undefined],
  ["of a sibling thread", siblings],
])("the monitor is cleared by an access %s", (_, topology) => {
  it.each([
    ["a store to the bytes", "str x5, [x3]", 1n],
    ["a store of the same value", "str xzr, [x3]", 1n],
    ["a store to the same line", "strb w5, [x3, #63]", 1n],
    ["an atomic", "ldadd x5, x6, [x3]", 1n],
    ["a compare-and-swap that stores", "mov x6, #0\n cas x6, x5, [x3]", 1n],
    ["a successful store-exclusive", "ldxr x6, [x3]\n stxr w7, x5, [x3]", 1n],
    ["DC ZVA", "sys #3, #7, #4, #1, x3", 1n],
    ["but not a load", "ldr x6, [x3]", 0n],
    ["but not a load-exclusive", "ldxr x6, [x3]", 0n],
    ["but not a store-exclusive that fails", "stxr w7, x5, [x3]", 0n],
    ["but not a store to another line", "str x5, [x3, #64]", 0n],
  ])("%s", (_name, other, expected) => {
    expect(contended(other, topology)).toBe(expected);
  });
});

describe("contended increments all count", () => {
  const cpus = 8;
  const turns = 40;
  const increments: readonly (readonly [string, string])[] = [
    ["LDXR and STXR", "retry: ldxr x4, [x3]\n add x4, x4, #1\n stxr w5, x4, [x3]\n cbnz w5, retry"],
    ["LDADD", "ldadd x6, x4, [x3]"],
    ["CAS", "ldr x4, [x3]\n retry: mov x5, x4\n add x7, x4, #1\n casal x4, x7, [x3]\n cmp x4, x5\n b.ne retry"],
    ["LDXP and STXP", "retry: ldaxp x4, x7, [x3]\n add x4, x4, #1\n stlxp w5, x4, x7, [x3]\n cbnz w5, retry"],
  ];
  const topologies = {
    "of cores": { packages: 2, coresPerLlc: 4 },
    "of sibling threads": { packages: 1, llcsPerDie: 2, coresPerLlc: 1, threadsPerCore: 4 },
  };
  for (const [name, increment] of increments) {
    it.each(Object.entries(topologies))(`by ${name}, %s`, (_, topology) => {
      const guest = new Guest(
        `start:
          li x3, #${DATA + 128}
          mov x6, #1
          mov x8, #${turns}
        again:
          ${increment}
          subs x8, x8, #1
          b.ne again
        ${park}`,
        { topology: buildTopology(topology) },
      );
      guest.start(...Array.from({ length: cpus }, () => "start")).run(2_000_000);
      expect(guest.machine.read64(DATA + 128)).toBe(BigInt(cpus * turns));
    });
  }
});
