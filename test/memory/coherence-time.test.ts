// What an access takes, to the cycle, counted by hand from the rules of coherence (docs/time.md, "Coherence"): each message,
// each wait for a cache or a home, is a summand. Every figure of the machine is different, so that none stands for another.

import { describe, expect, it } from "vitest";
import { PAGE_OWNER_SHIFT, Warmth } from "../../src/abi.ts";
import { buildTopology, type TopologyParameters } from "../../src/topology/index.ts";
import { A64 } from "../support/a64.ts";
import { BareMachine, PAGE_RW, PAGE_RX } from "../support/bare-machine.ts";
import { plainTiming, type Figures } from "../support/plain-timing.ts";

const CODE = 0x4000_0000;
const CODE_BYTES = 0x400;
const LINE = 0x4010_0000;
const PAGE = 0x1000;

/** Hops within a node and between packages, memory, occupancies of a last-level cache and of a home. */
const n = 7;
const m = 101;
const M = 211;
const L = 13;
const H = 29;
const figures: Figures = { node: n, machine: m, memory: M, llcOccupancy: L, homeOccupancy: H };
/** One way from a core to its last-level cache. */
const a = (core: number): number => 3 + 2 * core;

interface Access {
  readonly cpu: number;
  /** Cycle at which it starts; of a CPU's later accesses, a cycle that it waits for. */
  readonly at: number;
  readonly write?: true;
}

interface Situation {
  readonly shape: Partial<TopologyParameters>;
  readonly figures?: Figures;
  readonly latencies?: (core: number) => number;
  /** Node in whose memory the line lies. */
  readonly home?: number;
  /** Who holds the line before the first instruction. */
  readonly warm?: readonly [warmth: Warmth, core: number];
}

const FIRST_RESULT = 8;

/** Reads the counter before and behind each access; the difference, without the two instructions, is what it waited. */
function program(accesses: readonly Access[]): Uint8Array {
  const code = new A64();
  accesses.forEach(({ at, write }, index) => {
    if (index > 0)
      code.mov(4, at).label(`wait${index}`).mrs(5, "cntvct_el0").cmp(5, 4).bCondition("cc", `wait${index}`);
    code.mrs(5, "cntvct_el0");
    // SWP X5, XZR, [X0]: a store alone would wait in the store buffer, and the CPU not at all.
    if (write === true) code.word(0xf825_801f);
    else code.load(7, 0);
    code
      .mrs(6, "cntvct_el0")
      .sub(FIRST_RESULT + index, 6, 5)
      .subImmediate(FIRST_RESULT + index, FIRST_RESULT + index, 2);
  });
  return code.label("park").b("park").finish();
}

/** Cycles that each access waited: 0 for a hit. */
function waits(situation: Situation, accesses: readonly Access[]): number[] {
  const { shape, latencies = a, home = 0, warm } = situation;
  const topology = buildTopology({ architecture: "arm64", packages: 1, coresPerLlc: 1, ...shape });
  const timing = plainTiming("arm64", { ...figures, ...situation.figures });
  const machine = new BareMachine({ architecture: "arm64", topology, timing, coreLatencies: latencies });
  machine.map(CODE, topology.cpus.length * CODE_BYTES + PAGE - ((topology.cpus.length * CODE_BYTES) % PAGE), PAGE_RX);
  machine.map(LINE, PAGE, PAGE_RW | (home << PAGE_OWNER_SHIFT));
  if (warm !== undefined) machine.core.warm(BigInt(LINE), 64n, ...warm);
  for (const { number } of topology.cpus) {
    const own = accesses.filter(({ cpu }) => cpu === number);
    const at = CODE + number * CODE_BYTES;
    machine.write(at, program(own));
    // The access is the second instruction.
    const cycle = BigInt((own[0]?.at ?? 2) - 1);
    if (own.length > 0) machine.start(number, at, { argument: BigInt(LINE), cycle });
  }
  machine.run(100_000);
  const done = new Map<number, number>();
  return accesses.map(({ cpu }) => {
    const index = done.get(cpu) ?? 0;
    done.set(cpu, index + 1);
    return Number(machine.register(cpu, FIRST_RESULT + index));
  });
}

const oneDomain: Situation = { shape: { coresPerLlc: 5 } };

describe("within a domain", () => {
  it("a line that no cache holds comes from memory, near or far", () => {
    expect(waits(oneDomain, [{ cpu: 1, at: 100 }])).toEqual([a(1) + n + M + n + a(1)]);
    const far = { shape: { packages: 2 }, home: 1 };
    expect(waits(far, [{ cpu: 0, at: 100 }])).toEqual([a(0) + m + M + m + a(0)]);
  });

  it("the only reader may write without asking again", () => {
    const [, write] = waits(oneDomain, [
      { cpu: 0, at: 100 },
      { cpu: 0, at: 5000, write: true },
    ]);
    expect(write).toBe(0);
  });

  it("a line that one core may write is recalled from it; a line that is only read isn't", () => {
    expect(
      waits(oneDomain, [
        { cpu: 0, at: 100, write: true },
        { cpu: 1, at: 5000 },
        { cpu: 2, at: 10_000 },
        { cpu: 0, at: 15_000 },
      ]).slice(1),
    ).toEqual([a(1) + 2 * a(0) + a(1), 2 * a(2), 0]);
  });

  it("a store waits for the farthest of those who lose the line, not for a copy of its own", () => {
    const readers = [0, 1, 4].map((cpu) => ({ cpu, at: 1000 * (cpu + 1) }));
    const by = (cpu: number) =>
      waits(oneDomain, [...readers, { cpu, at: 20_000, write: true }, { cpu: 3, at: 30_000 }]).slice(3);
    expect(by(2)).toEqual([2 * a(2) + 2 * a(4), 2 * a(3) + 2 * a(2)]);
    expect(by(4)).toEqual([2 * a(4) + 2 * a(1), 2 * a(3) + 2 * a(4)]);
  });

  it("who was offline when the machine was built holds nothing of what all share", () => {
    const warm: Situation = { shape: { coresPerLlc: 4, offline: "2" }, warm: [Warmth.SHARED, 0] };
    expect(
      waits(warm, [
        { cpu: 1, at: 100 },
        { cpu: 2, at: 2000 },
      ]),
    ).toEqual([0, 2 * a(2)]);
    // In a domain of its own, it has to go to the home.
    const alone: Situation = { shape: { llcsPerDie: 2, coresPerLlc: 2, offline: "2-3" }, warm: [Warmth.SHARED, 0] };
    expect(waits(alone, [{ cpu: 2, at: 2000 }])).toEqual([a(2) + n + n + a(2)]);
  });

  it("requests of one cycle are served by CPU number, each an occupancy behind the other", () => {
    const even: Situation = { ...oneDomain, latencies: () => 9 };
    const held = [
      { cpu: 3, at: 100 },
      { cpu: 4, at: 2000 },
    ];
    expect(waits(even, [...held, ...[2, 0, 1].map((cpu) => ({ cpu, at: 5000 }))]).slice(2)).toEqual([
      18 + 2 * L,
      18,
      18 + L,
    ]);
    // Who is nearer is first, whatever its number.
    const uneven: Situation = { ...oneDomain, latencies: (core) => (core === 2 ? 4 : 9) };
    expect(waits(uneven, [...held, ...[0, 2].map((cpu) => ({ cpu, at: 5000 }))]).slice(2)).toEqual([4 + L + 9, 8]);
  });
});

/** Domains 0 and 2 in node 0, 1 and 3 in node 1; two cores each. */
const fourDomains: Situation = {
  shape: { packages: 2, llcsPerDie: 2, coresPerLlc: 2 },
};

describe("between the threads of a core", () => {
  const S = 37;
  const stores = 1000;
  /** Waits of a thread's store, then of its sibling's access, to a line that their core may write. */
  const afterStore = (access: Omit<Access, "cpu">): number[] =>
    waits({ shape: { threadsPerCore: 2 }, figures: { sibling: S }, warm: [Warmth.OWNED, 0] }, [
      { cpu: 0, at: stores, write: true },
      { cpu: 1, ...access },
    ]);

  it("what one has written reaches the other the sibling latency behind its claim, and no later", () => {
    expect(afterStore({ at: stores + 10 })).toEqual([0, S - 10]);
    expect(afterStore({ at: stores + S - 1 })).toEqual([0, 1]);
    expect(afterStore({ at: stores + S })).toEqual([0, 0]);
    expect(afterStore({ at: stores + 500 })).toEqual([0, 0]);
  });

  it("a store waits for the other's claim as a load does", () => {
    expect(afterStore({ at: stores + 10, write: true })).toEqual([0, S - 10]);
  });

  it("who keeps a line to itself, or only reads, waits for nothing", () => {
    const alone = { shape: { threadsPerCore: 2 }, figures: { sibling: S }, warm: [Warmth.OWNED, 0] } as const;
    expect(
      waits(alone, [
        { cpu: 0, at: 1000, write: true },
        { cpu: 0, at: 1010, write: true },
        { cpu: 0, at: 1020 },
      ]),
    ).toEqual([0, 0, 0]);
    expect(
      waits(alone, [
        { cpu: 0, at: 1000 },
        { cpu: 1, at: 1005 },
      ]),
    ).toEqual([0, 0]);
  });

  it("a claim that has been taken away is waited for no more", () => {
    const accesses: Access[] = [
      { cpu: 0, at: 1000, write: true },
      { cpu: 1, at: 1010 },
      { cpu: 1, at: 1200 },
    ];
    expect(waits({ shape: { threadsPerCore: 2 }, figures: { sibling: S }, warm: [Warmth.OWNED, 0] }, accesses)).toEqual(
      [0, S - 10, 0],
    );
  });
});

describe("between domains", () => {
  it("a modified line goes from its domain straight to the one that asks", () => {
    // Home at the requester, at the owner.
    const accesses: Access[] = [
      { cpu: 5, at: 100, write: true },
      { cpu: 0, at: 5000 },
    ];
    expect(waits(fourDomains, accesses)[1]).toBe(a(0) + n + m + 2 * a(5) + m + a(0));
    expect(waits({ ...fourDomains, home: 1 }, accesses)[1]).toBe(a(0) + m + n + 2 * a(5) + m + a(0));
    const third: Situation = { shape: { packages: 3 }, home: 2 };
    const among: Access[] = [
      { cpu: 1, at: 100, write: true },
      { cpu: 0, at: 5000 },
    ];
    expect(waits(third, among)[1]).toBe(a(0) + m + m + 2 * a(1) + m + a(0));
  });

  it("so does one that was its core's since the machine was built", () => {
    const warm: Situation = { ...fourDomains, warm: [Warmth.OWNED, 5] };
    expect(
      waits(warm, [
        { cpu: 5, at: 100, write: true },
        { cpu: 0, at: 5000, write: true },
      ]),
    ).toEqual([0, a(0) + n + m + 2 * a(5) + m + a(0)]);
  });

  it("a line that others only read comes from the home, without a recall and without memory", () => {
    const accesses: Access[] = [
      { cpu: 5, at: 100, write: true },
      { cpu: 0, at: 5000 },
      { cpu: 2, at: 10_000 },
    ];
    expect(waits(fourDomains, accesses)[2]).toBe(a(2) + n + n + a(2));
  });

  it.each([
    [2, 4],
    [4, 2],
  ])("a store waits for the last of the domains that lose the line: CPU %d far from its cache", (slow, fast) => {
    const latencies = (core: number): number => (core === slow ? 301 : 5);
    const accesses: Access[] = [
      { cpu: fast, at: 100 },
      { cpu: slow, at: 3000 },
      { cpu: 0, at: 10_000, write: true },
    ];
    const hop = slow === 4 ? m : n;
    expect(waits({ ...fourDomains, latencies }, accesses)[2]).toBe(5 + n + hop + 2 * 301 + hop + 5);
  });

  it("a domain that has lost the line to a store is not asked again", () => {
    const accesses: Access[] = [
      { cpu: 4, at: 100, write: true },
      { cpu: 2, at: 5000, write: true },
      { cpu: 0, at: 10_000, write: true },
    ];
    expect(waits(fourDomains, accesses)[2]).toBe(a(0) + n + n + 2 * a(2) + n + a(0));
  });

  it("a domain that may read and is alone needs no memory to write", () => {
    const warm: Situation = { ...oneDomain, warm: [Warmth.SHARED, 0] };
    expect(
      waits(warm, [
        { cpu: 1, at: 100 },
        { cpu: 1, at: 2000, write: true },
      ]),
    ).toEqual([0, a(1) + n + n + 2 * a(4) + a(1)]);
  });

  it("requests that reach a home in one cycle are served by domain number; the home is busy until the first is told", () => {
    const latencies = (): number => 9;
    const accesses: Access[] = [
      { cpu: 2, at: 1000, write: true },
      { cpu: 0, at: 1000, write: true },
    ];
    const atHome = 1000 + 9 + n;
    const answered = atHome + M + n;
    const free = answered + n + H;
    // The recall meets the first domain's cache behind its occupancy, and its owner; the data go straight to the second.
    const recalled = Math.max(free + n, answered + L) + 2 * 9;
    expect(waits({ ...fourDomains, latencies }, accesses)).toEqual([recalled + n + 9 - 1000, answered + 9 - 1000]);
  });

  it("a home is busy until the recalled domain, too, has told it, however far that is", () => {
    const around = 20;
    const distances = [
      [10, 21, 10 + 11 * around],
      [21, 10, 21],
      [10 + 11 * around, 21, 10],
    ];
    const accesses: Access[] = [
      { cpu: 2, at: 100, write: true },
      { cpu: 1, at: 10_000, write: true },
      { cpu: 0, at: 13_000 },
    ];
    const recalled = 10_000 + a(1) + m + around * m + 2 * a(2);
    const free = recalled + around * m + H;
    expect(waits({ shape: { packages: 3, distances } }, accesses).slice(1)).toEqual([
      recalled + m + a(1) - 10_000,
      free + m + 2 * a(1) + m + a(0) - 13_000,
    ]);
  });

  it("a request to a home leaves its cache behind the occupancy of the request before", () => {
    const latencies = (): number => 9;
    const busy = 500;
    const situation: Situation = { shape: { packages: 2, coresPerLlc: 3 }, latencies, figures: { llcOccupancy: busy } };
    // Domain 0 and domain 1 share; CPU 1 reads and CPU 2 writes in one cycle.
    const accesses: Access[] = [
      { cpu: 3, at: 100, write: true },
      { cpu: 0, at: 5000 },
      { cpu: 1, at: 10_000 },
      { cpu: 2, at: 10_000, write: true },
    ];
    expect(waits(situation, accesses).slice(2)).toEqual([18, 9 + busy + n + m + 2 * 9 + m + 2 * 9 + 9]);
  });

  it("a recall is served behind the occupancy of the request before", () => {
    const latencies = (): number => 9;
    const busy = 3000;
    const situation: Situation = { shape: { packages: 2, coresPerLlc: 2 }, latencies, figures: { llcOccupancy: busy } };
    const accesses: Access[] = [
      { cpu: 2, at: 100, write: true },
      { cpu: 3, at: 10_000 },
      { cpu: 0, at: 10_100, write: true },
    ];
    // CPU 3's read is granted when CPU 2 has acknowledged; from then on the cache is busy.
    const free = 10_000 + 9 + 2 * 9 + busy;
    expect(waits(situation, accesses)[2]).toBe(free + 2 * 9 + m + 9 - 10_100);
  });

  it("more domains than a home lists by hand", () => {
    const many: Situation = { shape: { llcsPerDie: 8 }, latencies: () => 9 };
    const readers = Array.from({ length: 8 }, (_, cpu) => ({ cpu, at: 1000 * (cpu + 1) }));
    const again = Array.from({ length: 8 }, (_, cpu) => ({ cpu, at: 20_000 + 1000 * cpu, write: true as const }));
    const [write, ...handovers] = waits(many, [...readers, ...again]).slice(8);
    expect(write).toBe(9 + n + n + 2 * 9 + n + 9);
    expect(handovers).toEqual(Array<number>(7).fill(9 + n + n + 2 * 9 + n + 9));
  });
});
