// The builder: shapes, numbering, holes and offline CPUs; properties over random parameters; what it refuses.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildTopology,
  checkTopology,
  cpusOfEach,
  nodeDistance,
  onlineCpus,
  sharedLevel,
  type TopologyParameters,
} from "../../src/topology/index.ts";
import { thrownBy } from "./errors.ts";

const twoByTwoByTwo: TopologyParameters = { packages: 2, coresPerLlc: 2, threadsPerCore: 2 };

describe("numbering", () => {
  const coresOf = (parameters: TopologyParameters) => cpusOfEach(buildTopology(parameters), "core");

  it("deals threads last on x86-64 and by default", () => {
    const expected = [
      [0, 4],
      [1, 5],
      [2, 6],
      [3, 7],
    ];
    expect(coresOf(twoByTwoByTwo)).toEqual(expected);
    expect(coresOf({ ...twoByTwoByTwo, architecture: "x86-64" })).toEqual(expected);
  });

  it("deals core by core on arm64 or when asked", () => {
    const expected = [
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
    ];
    expect(coresOf({ ...twoByTwoByTwo, architecture: "arm64" })).toEqual(expected);
    expect(coresOf({ ...twoByTwoByTwo, numbering: "core-major" })).toEqual(expected);
  });

  it("alternates between packages when asked", () => {
    const topology = buildTopology({ ...twoByTwoByTwo, numbering: "package-interleaved" });
    expect(cpusOfEach(topology, "package")).toEqual([
      [0, 2, 4, 6],
      [1, 3, 5, 7],
    ]);
    expect(cpusOfEach(topology, "core")).toEqual([
      [0, 4],
      [2, 6],
      [1, 5],
      [3, 7],
    ]);
  });

  it("skips absent numbers", () => {
    const topology = buildTopology({ ...twoByTwoByTwo, absent: "0,3-4", offline: [1, 10], allowed: "1-2" });
    expect(topology.cpus.map((cpu) => cpu.state[1])).toEqual([..."bfnbbnnnnnf"]);
    expect(cpusOfEach(topology, "core")).toEqual([
      [1, 7],
      [2, 8],
      [5, 9],
      [6, 10],
    ]);
    expect(onlineCpus(topology)).toEqual([2, 5, 6, 7, 8, 9]);
    expect(topology.counts).toEqual({
      packages: 2,
      dies: 2,
      llcs: 2,
      cores: 4,
      nodes: 2,
      online: 6,
      complete: 8,
      allowed: 2,
    });
  });
});

describe("shape", () => {
  it("nests dies, LLC domains and nodes in packages", () => {
    const topology = buildTopology({
      packages: 2,
      diesPerPackage: 2,
      llcsPerDie: 2,
      coresPerLlc: 2,
      nodesPerPackage: 4,
    });
    expect(
      topology.cpus.map((cpu) => [cpu.package, cpu.die, cpu.llc, cpu.node]).filter((_, core) => core % 2 === 0),
    ).toEqual([
      [0, 0, 0, 0],
      [0, 0, 1, 1],
      [0, 1, 2, 2],
      [0, 1, 3, 3],
      [1, 2, 4, 4],
      [1, 2, 5, 5],
      [1, 3, 6, 6],
      [1, 3, 7, 7],
    ]);
    expect(topology.nodes.map((node) => node.package)).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect([0, 1, 4].map((node) => nodeDistance(topology, 0, node))).toEqual([10, 12, 20]);
    const [first] = topology.cpus;
    const levels = [0, 1, 2, 4, 8].map((number) => first && sharedLevel(first, topology.cpus[number] ?? first));
    expect(levels).toEqual(["core", "llc", "die", "package", "machine"]);
  });

  it("splits an LLC domain between nodes, as sub-NUMA clusters do", () => {
    const topology = buildTopology({ packages: 1, coresPerLlc: 6, nodesPerPackage: 3 });
    expect(cpusOfEach(topology, "node")).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    expect(topology.counts.llcs).toBe(1);
  });

  it("ends with a smaller package where fewer CPUs are wanted", () => {
    const topology = buildTopology({
      packages: 2,
      llcsPerDie: 2,
      coresPerLlc: 2,
      threadsPerCore: 2,
      nodesPerPackage: 2,
      cpus: 11,
    });
    expect(topology.counts).toMatchObject({ complete: 11, packages: 2, llcs: 3, cores: 6, nodes: 3 });
    // Thread 0 of the six cores, then thread 1 of all but the last.
    expect(cpusOfEach(topology, "core")).toEqual([[0, 6], [1, 7], [2, 8], [3, 9], [4, 10], [5]]);
  });

  it("reaches 65,536 CPUs in any direction", () => {
    expect(buildTopology({ packages: 65_536, coresPerLlc: 1 }).counts).toMatchObject({
      packages: 65_536,
      nodes: 65_536,
    });
    expect(buildTopology({ packages: 1, coresPerLlc: 1, threadsPerCore: 65_536 }).counts).toMatchObject({ cores: 1 });
    expect(buildTopology({ packages: 512, llcsPerDie: 8, coresPerLlc: 8, threadsPerCore: 2 }).counts.online).toBe(
      65_536,
    );
  });

  it("is immutable, and survives JSON", () => {
    const distances = [
      [10, 21],
      [21, 10],
    ];
    const topology = buildTopology({ ...twoByTwoByTwo, architecture: "arm64", distances });
    distances[0]?.reverse();
    expect(topology.distances?.[0]).toEqual([10, 21]);
    for (const part of [
      topology,
      topology.cpus,
      topology.cpus[0],
      topology.nodes,
      topology.distances,
      topology.distances?.[0],
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    const copy = JSON.parse(JSON.stringify(topology)) as typeof topology;
    expect(copy).toEqual(topology);
    checkTopology(copy);
  });
});

const randomParameters = fc
  .record({
    packages: fc.integer({ min: 1, max: 5 }),
    diesPerPackage: fc.integer({ min: 1, max: 3 }),
    llcsPerDie: fc.integer({ min: 1, max: 4 }),
    coresPerLlc: fc.integer({ min: 1, max: 9 }),
    threadsPerCore: fc.integer({ min: 1, max: 4 }),
    numbering: fc.constantFrom("thread-major" as const, "core-major" as const, "package-interleaved" as const),
    mpidrs: fc.constantFrom("linear" as const, "cluster" as const, "multithreaded" as const),
    holes: fc.uniqueArray(fc.nat(2000), { maxLength: 20 }),
    offline: fc.uniqueArray(fc.nat(2000), { maxLength: 20 }),
  })
  .map(({ holes, offline, ...parameters }) => {
    const { packages, diesPerPackage, llcsPerDie, coresPerLlc, threadsPerCore } = parameters;
    const complete = packages * diesPerPackage * llcsPerDie * coresPerLlc * threadsPerCore;
    const absent = holes.filter((number) => number < complete);
    const present = Array.from({ length: complete + absent.length }, (_, number) => number).filter(
      (n) => !absent.includes(n),
    );
    const off = offline.filter((number) => present.slice(1).includes(number));
    return { parameters: { ...parameters, absent, offline: off }, complete, present };
  });

describe("properties", () => {
  it("every CPU is in exactly one of each group, and groups are equal", () => {
    fc.assert(
      fc.property(randomParameters, ({ parameters, complete, present }) => {
        const topology = buildTopology(parameters);
        checkTopology(topology);
        const {
          packages,
          diesPerPackage: dies,
          llcsPerDie: llcs,
          coresPerLlc: cores,
          threadsPerCore: threads,
        } = parameters;
        const sizes = {
          package: [packages, dies * llcs * cores * threads],
          die: [packages * dies, llcs * cores * threads],
          llc: [packages * dies * llcs, cores * threads],
          core: [packages * dies * llcs * cores, threads],
          node: [packages, dies * llcs * cores * threads],
        } as const;
        for (const level of ["package", "die", "llc", "core", "node"] as const) {
          const groups = cpusOfEach(topology, level);
          expect(groups.map((group) => group.length)).toEqual(Array<number>(sizes[level][0]).fill(sizes[level][1]));
          expect(groups.flat().sort((a, b) => a - b)).toEqual(present);
        }
        expect(topology.counts.online).toBe(complete - parameters.offline.length);
        expect(new Set(topology.cpus.filter((c) => c.state !== "absent").map((cpu) => cpu.mpidr)).size).toBe(complete);
      }),
      { numRuns: 200 },
    );
  });

  it("packed APIC ids tell the place: shifting one right yields the same number for a group and no other", () => {
    fc.assert(
      fc.property(randomParameters, ({ parameters, complete }) => {
        const { cpus } = buildTopology(parameters);
        const present = cpus.filter((cpu) => cpu.state !== "absent");
        expect(new Set(present.map((cpu) => cpu.apicId)).size).toBe(complete);
        const bits = (count: number) => Math.ceil(Math.log2(count));
        let shift = bits(parameters.threadsPerCore);
        for (const [level, width] of [
          ["core", bits(parameters.coresPerLlc)],
          ["llc", bits(parameters.llcsPerDie)],
          ["die", bits(parameters.diesPerPackage)],
          ["package", 0],
        ] as const) {
          const idOfGroup = new Map<number, number>();
          for (const cpu of present) {
            const id = cpu.apicId >> shift;
            expect(idOfGroup.get(cpu[level]) ?? id).toBe(id);
            idOfGroup.set(cpu[level], id);
          }
          expect(new Set(idOfGroup.values()).size).toBe(idOfGroup.size);
          shift += width;
        }
        expect(present.every((cpu) => cpu.apicId >> shift === cpu.package)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});

const anything = (parameters: object) => ({ packages: 1, coresPerLlc: 4, ...parameters }) as TopologyParameters;

const refused: readonly [parameters: object, at: string, message: RegExp][] = [
  [{ packages: 0 }, "packages", /not a count; found 0; allowed: 1 to 65536/],
  [{ packages: 1.5 }, "packages", /not a count; found 1.5/],
  [{ packages: "2" }, "packages", /not a count; found "2"/],
  [{ packages: undefined }, "packages", /not a count/],
  [{ coresPerLlc: NaN }, "coresPerLlc", /not a count/],
  [{ threadsPerCore: -1 }, "threadsPerCore", /not a count; found -1/],
  [{ packages: 65_536, coresPerLlc: 2 }, "packages", /too many CPUs; found 131072; allowed: at most 65536/],
  [{ packages: 65_536, coresPerLlc: 65_536, threadsPerCore: 65_536 }, "packages", /too many CPUs/],
  [{ packages: 65_536, coresPerLlc: 65_536, cpus: 5 }, "packages", /too many CPUs/],
  [{ cpus: 5 }, "cpus", /not a count; found 5; allowed: 1 to 4/],
  [{ packages: 2, cpus: 4 }, "cpus", /not a count; found 4; allowed: 5 to 8/],
  [{ packages: 3, coresPerLlc: 40_000, cpus: 65_536 }, "cpus", /allowed: 80001 to 65536/],
  [{ nodesPerPackage: 3 }, "nodesPerPackage", /nodes of unequal size; found 3; allowed: a divisor of the 4 cores/],
  [{ nodesPerPackage: 5 }, "nodesPerPackage", /not a count/],
  [{ clusterCores: 0 }, "clusterCores", /not a count/],
  [{ cores: 4 }, "cores", /no such parameter; found "cores"; allowed: name,/],
  [{ name: 5 }, "name", /not a name/],
  [{ timingModel: {} }, "timingModel", /not the id of a timing model/],
  [{ architecture: "ia64" }, "architecture", /no such architecture; found "ia64"; allowed: x86-64, arm64/],
  [{ numbering: "random" }, "numbering", /no such numbering; found "random"; allowed: thread-major/],
  [{ mpidrs: "odd" }, "mpidrs", /no such MPIDR style; found "odd"; allowed: linear, cluster/],
  [{ offline: "4" }, "offline", /no such CPU; found 4/],
  [{ offline: "0-3" }, "cpus", /no CPU is online/],
  [{ absent: [1], offline: [1] }, "offline", /no such CPU; found 1/],
  [{ allowed: "3-5" }, "allowed", /no such CPU; found 4/],
  [{ absent: "9" }, "absent", /a hole beyond the last CPU; found 9; allowed: below 4/],
  [{ packages: 65_536, coresPerLlc: 1, absent: "0" }, "absent", /CPU numbers run out/],
  [{ apicIds: [0, 1, 2] }, "apicIds", /not one id for each CPU; found 3; allowed: 4/],
  [{ apicIds: "0-3" }, "apicIds", /not a list/],
  [{ apicIds: [0, 1, 2, 1] }, "cpus[3].apicId", /the apicId of CPU 1 once more; found 1/],
  [{ apicIds: [0, 1, 2, 0xffff_ffff] }, "cpus[3].apicId", /not an APIC id; found 4294967295; allowed: 0 to 4294967294/],
  [{ apicIds: [0, 1, 2, -1] }, "cpus[3].apicId", /not an APIC id/],
  [{ apicIds: [0, 1, 2, 2.5] }, "cpus[3].apicId", /not an APIC id/],
  [{ mpidrs: [0, 1, 2, 2] }, "cpus[3].mpidr", /the mpidr of CPU 2 once more/],
  [{ mpidrs: [0, 1, 2, 2 ** 24] }, "cpus[3].mpidr", /not affinities of MPIDR_EL1; found 16777216; allowed: bits 39:32/],
  [{ mpidrs: [0, 1, 2, 2 ** 40] }, "cpus[3].mpidr", /not affinities/],
  [{ mpidrs: "cluster", coresPerLlc: 257 }, "mpidrs", /CPU 256 needs an Aff0 of more than eight bits/],
  [{ mpidrs: "multithreaded", coresPerLlc: 257 }, "mpidrs", /CPU 256 needs an Aff1 of more than eight bits/],
  [{ mpidrs: "multithreaded", packages: 257 }, "mpidrs", /CPU 1024 needs an Aff3 of more than eight bits/],
  [{ distances: 10 }, "distances", /not a matrix/],
  [{ distances: [10] }, "distances", /not a matrix/],
  [{ distances: [] }, "distances", /not a square of all nodes; found 0; allowed: 1 by 1/],
  [{ distances: [[11]] }, "distances[0][0]", /not a distance; found 11; allowed: 10/],
  [
    {
      nodesPerPackage: 2,
      distances: [
        [10, 9],
        [9, 10],
      ],
    },
    "distances[0][1]",
    /not a distance; found 9; allowed: 10 to 255/,
  ],
  [
    {
      nodesPerPackage: 2,
      distances: [
        [10, 20],
        [256, 10],
      ],
    },
    "distances[1][0]",
    /not a distance; found 256/,
  ],
];

describe("buildTopology refuses", () => {
  it.for(refused)("%j", ([parameters, at, message]) => {
    const thrown = thrownBy(() => buildTopology(anything(parameters)));
    expect(thrown).toMatchObject({ code: "TOPOLOGY_INVALID", at });
    expect(thrown.message).toMatch(message);
  });

  it.for(["1-", "a", "3-1", "0x1", "-1", "al", "65536", "1 - 2", "0-3:2/1"])("the CPU list %j", (offline) => {
    expect(thrownBy(() => buildTopology(anything({ offline })))).toMatchObject({
      code: "OPTION_INVALID",
      at: "offline",
    });
  });

  it.for([[[1.5]], [["1"]], [7], [{}]])("the CPU list %j", ([offline]) => {
    expect(thrownBy(() => buildTopology(anything({ offline })))).toMatchObject({
      code: "OPTION_INVALID",
      at: "offline",
    });
  });
});
