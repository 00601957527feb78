// APIC ids and MPIDRs against machines whose ids are published, derived by hand from the cited pages.

import { describe, expect, it } from "vitest";
import { packedApicIds, type PlacedCpu } from "../../src/topology/hardware-ids.ts";
import { buildPreset, buildTopology, formatMpidr, mpidrOf } from "../../src/topology/index.ts";

const apicIds = (parameters: Parameters<typeof buildTopology>[0]) =>
  buildTopology(parameters).cpus.map((cpu) => cpu.apicId);
const mpidrs = (parameters: Parameters<typeof buildTopology>[0]) =>
  buildTopology(parameters).cpus.map((cpu) => cpu.mpidr);

describe("packed APIC ids", () => {
  it("are those of the SDM's example: two packages of four cores of two threads", () => {
    // Intel SDM vol. 3A table "Example of possible x2APIC ID assignment": id = package << 3 | core << 1 | thread.
    const counts = { packages: 2, coresPerLlc: 4, threadsPerCore: 2, numbering: "core-major" } as const;
    expect(apicIds(counts)).toEqual(Array.from({ length: 16 }, (_, id) => id));
  });

  it("leave gaps where a count is no power of two", () => {
    // Six cores need three bits, two threads one: the second package starts at 16, and 12 to 15 are unused.
    const ids = apicIds({ packages: 2, coresPerLlc: 6, threadsPerCore: 2, numbering: "core-major" });
    expect(ids).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27]);
  });

  it("give the CCX and the die their own fields", () => {
    // EPYC with three cores per CCX: thread 1 bit, core 2, CCX 1, die 2: the CCXs of a die are 8 apart, dies 16,
    // sockets 64.
    const ids = apicIds({ packages: 2, diesPerPackage: 4, llcsPerDie: 2, coresPerLlc: 3, numbering: "core-major" });
    const ccxStarts = ids.filter((_, core) => core % 3 === 0);
    expect(ccxStarts).toEqual([0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60]);
    expect(ids.slice(0, 6)).toEqual([0, 1, 2, 4, 5, 6]);
  });

  it("reach 255 on two EPYC 7742, which is why these need x2APIC", () => {
    const { cpus } = buildPreset("epyc-7742");
    expect(Math.max(...cpus.map((cpu) => cpu.apicId))).toBe(255);
    // CPU 64 is the first of socket 1; CPU 128 is the sibling of CPU 0.
    expect([0, 1, 4, 8, 64, 128, 255].map((number) => cpus[number]?.apicId)).toEqual([0, 2, 8, 16, 128, 1, 255]);
  });

  it("don't depend on how CPU numbers are dealt", () => {
    const byPlace = (numbering: "core-major" | "thread-major" | "package-interleaved") => {
      const { cpus } = buildTopology({ packages: 3, llcsPerDie: 2, coresPerLlc: 3, threadsPerCore: 2, numbering });
      return new Map(cpus.map((cpu) => [`${cpu.core}.${cpu.thread}`, cpu.apicId]));
    };
    expect(byPlace("thread-major")).toEqual(byPlace("core-major"));
    expect(byPlace("package-interleaved")).toEqual(byPlace("core-major"));
  });
});

describe("presets with ids of their own", () => {
  it("Xeon 8160 spreads 24 cores over four groups of eight ids", () => {
    const { cpus } = buildPreset("skylake-8160");
    // CPUs 0 to 23 are socket 0, 24 to 47 socket 1, then the siblings. Core 6 has id 8, so APIC id 16.
    expect([0, 5, 6, 12, 18, 23, 24, 47, 48, 95].map((number) => cpus[number]?.apicId)).toEqual([
      0, 10, 16, 32, 48, 58, 64, 122, 1, 123,
    ]);
    const clusters = new Map<number, number>();
    for (const { apicId } of cpus) clusters.set(apicId >> 4, (clusters.get(apicId >> 4) ?? 0) + 1);
    expect([...clusters.values()]).toEqual(Array<number>(8).fill(12));
  });

  it("EPYC 9654 visits its CCXs in the order of its own dump", () => {
    const { cpus } = buildPreset("epyc-9654");
    expect([0, 7, 8, 16, 24, 96, 192, 383].map((number) => cpus[number]?.apicId)).toEqual([
      0,
      14,
      64,
      128,
      32,
      256,
      1,
      256 + 9 * 16 + 15,
    ]);
  });

  it("Kunpeng 920 has the MPIDRs of its SRAT", () => {
    // Boot log of a two-socket machine: PXM 0 has 0x80000 … 0xf0300, PXM 1 0x180000 …, PXM 2 0x280000 …, PXM 3 0x380000
    // …; another log: "GICv3: CPU101: found redistributor 390100".
    const { cpus } = buildPreset("kunpeng-920");
    expect([0, 1, 3, 4, 31, 32, 64, 96, 101].map((number) => cpus[number]?.mpidr)).toEqual([
      0x80000, 0x80100, 0x80300, 0x90000, 0xf0300, 0x180000, 0x280000, 0x380000, 0x390100,
    ]);
    expect(cpus.map((cpu) => cpu.node)).toEqual(cpus.map((cpu) => cpu.number >> 5));
  });

  it("Altra counts pairs of cores in Aff2", () => {
    const { cpus } = buildPreset("altra-2x80");
    expect([0, 1, 2, 79, 80].map((number) => formatMpidr(cpus[number]?.mpidr ?? 0))).toEqual([
      "0.0.0.0",
      "0.0.1.0",
      "0.1.0.0",
      "0.39.1.0",
      "1.0.0.0",
    ]);
  });
});

describe("MPIDR styles", () => {
  it("linear: sixteen to an Aff1 by CPU number, as QEMU's virt", () => {
    const linear = mpidrs({ packages: 1, coresPerLlc: 4097, absent: "1" });
    expect([0, 2, 15, 16, 255, 256, 4095, 4096].map((number) => linear[number])).toEqual([
      0, 2, 0xf, 0x100, 0xf0f, 0x1000, 0xff0f, 0x10000,
    ]);
    expect(linear[1]).toBe(-1);
  });

  it("cluster: core in Aff0, cluster in Aff1, package in Aff2", () => {
    const counts = { packages: 2, llcsPerDie: 2, coresPerLlc: 2, architecture: "arm64" } as const;
    expect(mpidrs({ ...counts, mpidrs: "cluster" })).toEqual([0, 1, 0x100, 0x101, 0x10000, 0x10001, 0x10100, 0x10101]);
    expect(mpidrs({ ...counts, mpidrs: "cluster", clusterCores: 1 }).slice(0, 4)).toEqual([0, 0x100, 0x200, 0x300]);
    expect(
      mpidrs({ packages: 1, coresPerLlc: 2, threadsPerCore: 2, architecture: "arm64", mpidrs: "cluster" }),
    ).toEqual([0, 1, 2, 3]);
    expect(mpidrs({ packages: 257, coresPerLlc: 1, mpidrs: "cluster" }).at(-1)).toBe(2 ** 32);
  });

  it("multithreaded: thread in Aff0, core in Aff1, cluster in Aff2, package in Aff3", () => {
    const counts = { packages: 2, coresPerLlc: 4, threadsPerCore: 2, architecture: "arm64" } as const;
    const ids = mpidrs({ ...counts, mpidrs: "multithreaded", clusterCores: 2 });
    expect(ids.map(formatMpidr)).toEqual(
      ["0.0.0", "0.0.1", "0.1.0", "0.1.1"]
        .flatMap((socket) => [`${socket}.0`, `${socket}.1`])
        .concat(["1.0.0", "1.0.1", "1.1.0", "1.1.1"].flatMap((socket) => [`${socket}.0`, `${socket}.1`])),
    );
  });

  it("mpidrOf puts the fields where the register has them", () => {
    expect(mpidrOf(1, 2, 3, 4)).toBe(0x1_0002_0304);
    expect(formatMpidr(0xff_00ff_ffff)).toBe("255.255.255.255");
  });
});

describe("a machine whose parts are of very different size", () => {
  /** One CPU per part, but one part of each kind that has so many of what it holds. */
  function uneven(threads: number): PlacedCpu[] {
    const many = 256;
    const cpus: PlacedCpu[] = [];
    let cores = 0;
    const add = (place: Partial<PlacedCpu>): void => {
      const number = cpus.length;
      cpus.push({ number, state: "online", package: 0, node: 0, thread: 0, llc: 0, die: 0, ...place } as PlacedCpu);
    };
    for (let thread = 0; thread < threads; thread++) add({ core: 0, thread });
    for (let core = 1; core < many; core++) add({ core: ++cores });
    for (let llc = 1; llc < many; llc++) add({ core: ++cores, llc });
    for (let die = 1; die < many; die++) add({ core: ++cores, llc: many + die, die });
    return cpus;
  }

  it("has packed ids of up to 31 bits, beyond that its CPU numbers", () => {
    const packed = packedApicIds(uneven(128));
    expect(new Set(packed).size).toBe(packed.length);
    expect(Math.max(...packed)).toBeGreaterThan(2 ** 30);
    expect(packedApicIds(uneven(256))).toEqual(uneven(256).map(({ number }) => number));
  });
});
