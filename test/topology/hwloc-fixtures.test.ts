// The loader on small files, one for each schema and oddity; each expectation is read off the fixture by hand.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildTopology,
  cpusOfEach,
  formatCpuList,
  nodeDistance,
  parseHwlocXml,
  type Cpu,
  type Topology,
} from "../../src/topology/index.ts";
import { writeHwloc } from "./hwloc-writer.ts";

function fixture(name: string): Topology {
  return parseHwlocXml(readFileSync(new URL(`fixtures/${name}.xml`, import.meta.url), "utf8"));
}

function states({ cpus }: Topology): string[] {
  return cpus.map((cpu) => cpu.state);
}

describe("schema 1.x", () => {
  const topology = fixture("schema1-two-sockets");

  it("reads sockets, caches by depth and NUMA nodes as tree levels", () => {
    expect(cpusOfEach(topology, "package")).toEqual([
      [0, 1, 4, 5],
      [2, 3, 6, 7],
    ]);
    expect(cpusOfEach(topology, "llc")).toEqual(cpusOfEach(topology, "package"));
    expect(cpusOfEach(topology, "node")).toEqual(cpusOfEach(topology, "package"));
    expect(topology.nodes).toEqual([
      { number: 0, package: 0 },
      { number: 1, package: 1 },
    ]);
    expect(topology.hwloc).toEqual({
      schema: "1.x",
      objects: { Machine: 1, NUMANode: 2, Package: 2, L3Cache: 2, L2Cache: 1, L1Cache: 1, L1iCache: 1, Core: 4, PU: 7 },
    });
  });

  it("lets online_cpuset say what runs", () => {
    // CPU 3 is listed and off; CPU 7 runs outside of the cgroup and is not listed.
    expect(states(topology)).toEqual(["online", "online", "online", "offline", "online", "online", "online", "online"]);
    expect(cpusOfEach(topology, "core")).toEqual([
      [0, 4],
      [1, 5],
      [2, 6],
      [3, 7],
    ]);
    expect(topology.cpus.filter((cpu) => !cpu.allowed).map((cpu) => cpu.number)).toEqual([3, 7]);
    expect(topology.counts).toMatchObject({ online: 7, complete: 8, allowed: 6 });
  });

  it("reads distances as fractions, the name and the architecture", () => {
    expect(topology.distances).toEqual([
      [10, 21],
      [21, 10],
    ]);
    expect([topology.name, topology.architecture, topology.timingModel]).toEqual([
      "Old Server",
      "x86-64",
      "generic-x86",
    ]);
  });

  it("takes a shared L2 for the last level where there is no L3, and keeps nodes without CPUs", () => {
    const tiles = fixture("schema1-tiles");
    expect(cpusOfEach(tiles, "llc")).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
    expect(cpusOfEach(tiles, "node")).toEqual([[0, 1, 2, 3], [], [4, 5, 6, 7], []]);
    expect(tiles.nodes).toEqual([0, 2, 1, 3].map((number) => ({ number, package: 0 })));
    expect(tiles.distances).toBeUndefined();
    expect([nodeDistance(tiles, 0, 0), nodeDistance(tiles, 0, 1)]).toEqual([10, 12]);
    expect([tiles.name, tiles.architecture, tiles.hwloc?.objects["Group"]]).toEqual(["Tiled CPU", "x86-64", 2]);
  });
});

describe("schema 2.x", () => {
  const topology = fixture("schema2-dies");

  it("reads dies, and makes a package without any one die", () => {
    expect(cpusOfEach(topology, "die")).toEqual([[0, 1], [2], [32, 33]]);
    expect(cpusOfEach(topology, "llc")).toEqual([[0, 1], [2], [32, 33]]);
    expect(cpusOfEach(topology, "core")).toEqual([[0], [1], [2], [32, 33]]);
  });

  it("keeps holes in the numbering", () => {
    expect(topology.cpus).toHaveLength(34);
    const absent = topology.cpus.filter((cpu) => cpu.state === "absent");
    expect(formatCpuList(absent.map((cpu) => cpu.number))).toBe("3-31");
    expect(absent[0]).toMatchObject({
      package: -1,
      llc: -1,
      core: -1,
      node: -1,
      apicId: -1,
      mpidr: -1,
      allowed: false,
    });
    expect(topology.counts).toMatchObject({ online: 5, complete: 5, allowed: 4 });
  });

  it("reads NUMA nodes as memory children, the first with a CPU being its own", () => {
    expect(topology.nodes).toEqual([
      { number: 4, package: 0 },
      { number: 9, package: 0 },
      { number: 6, package: 1 },
    ]);
    expect(cpusOfEach(topology, "node")).toEqual([[0, 1, 2], [], [32, 33]]);
  });

  it("reads the first latencies, in the order of nodes whatever their order in the file, and no bandwidths", () => {
    // By gp_index: 52 is node 6, 50 is node 4, 51 is node 9.
    expect(topology.distances).toEqual([
      [10, 13, 30],
      [13, 10, 33],
      [30, 31, 10],
    ]);
  });

  it("places offline CPUs by what is known of them", () => {
    const offline = fixture("schema2-offline");
    expect(states(offline)).toEqual(["online", "online", "online", ...Array<string>(5).fill("offline")]);
    // 4 beside 0; 5 into package 1's cache on a new core; 3 into package 1, which fills that core's second thread.
    // Package 0 now has three CPUs and so has package 1: 6 goes to package 0, 7 to package 1.
    expect(cpusOfEach(offline, "package")).toEqual([
      [0, 2, 4, 6],
      [1, 3, 5, 7],
    ]);
    expect(cpusOfEach(offline, "core")).toEqual([[0, 4], [2], [1], [3, 5], [6], [7]]);
    // Nobody lists a node for package 0: the only node is theirs.
    expect(offline.counts.nodes).toBe(1);
    expect(new Set(offline.cpus.map((cpu) => cpu.node))).toEqual(new Set([0]));
    expect(offline.architecture).toBeUndefined();
    expect(offline.timingModel).toBeUndefined();
  });
});

describe("schema 3.x", () => {
  it("reads cores of several kinds", () => {
    const hybrid = fixture("schema3-hybrid");
    expect(cpusOfEach(hybrid, "core")).toEqual([[0, 1], [2], [3], [4], [5]]);
    expect(cpusOfEach(hybrid, "llc")).toEqual([
      [0, 1, 2, 3],
      [4, 5],
    ]);
    expect([hybrid.name, hybrid.architecture]).toEqual(["Hybrid CPU", "x86-64"]);
  });

  it("makes the package's part in a node the LLC domain where no shared cache is listed", () => {
    const bare = fixture("schema3-private-caches");
    expect(cpusOfEach(bare, "llc")).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    expect(cpusOfEach(bare, "core")).toEqual([[0], [1], [2], [3], [4], [5]]);
    expect([bare.architecture, bare.timingModel]).toEqual([undefined, undefined]);
  });
});

/** An object with its CPUs, given as a mask, around others. */
function object(type: string, mask: number, ...inner: string[]): string {
  const set = `cpuset="0x${mask.toString(16)}"`;
  return `<object type="${type}" os_index="0" ${set} complete_cpuset="0x${mask.toString(16)}">${inner.join("")}</object>`;
}

/** Cores of one thread each. */
function cores(...numbers: number[]): string {
  return numbers.map((number) => object("Core", 1 << number, pu(number))).join("");
}

function pu(number: number): string {
  return `<object type="PU" os_index="${number}"/>`;
}

function load(machine: string): Topology {
  return parseHwlocXml(`<topology version="2.0">${machine}</topology>`);
}

describe("odd machines", () => {
  it("caches around packages are no LLC domain", () => {
    const machine = object(
      "Machine",
      3,
      object("L4Cache", 3, object("Package", 1, cores(0)), object("Package", 2, cores(1))),
    );
    expect(cpusOfEach(load(machine), "llc")).toEqual([[0], [1]]);
  });

  it("instruction caches are no LLC domain", () => {
    const machine = object(
      "Machine",
      15,
      object("Package", 15, object("L2iCache", 3, cores(0, 1)), object("L2iCache", 12, cores(2, 3))),
    );
    expect(cpusOfEach(load(machine), "llc")).toEqual([[0, 1, 2, 3]]);
  });

  it("without packages, all is one", () => {
    const topology = load(object("Machine", 3, cores(0), pu(1)));
    expect(topology.counts).toMatchObject({ packages: 1, dies: 1, llcs: 1, cores: 2, nodes: 1 });
  });

  it("a cache around dies is one LLC domain, and each die still has a field of the APIC id", () => {
    const machine = object(
      "Machine",
      15,
      object("L3Cache", 15, object("Die", 3, cores(0, 1)), object("Die", 12, cores(2, 3))),
    );
    const topology = load(machine);
    expect([topology.counts.llcs, topology.counts.dies]).toEqual([1, 2]);
    expect(topology.cpus.map((cpu) => cpu.apicId)).toEqual([0, 1, 2, 3]);
  });

  it("nodes outside of any package are far from each other", () => {
    const memory = [7, 8].map((number) => `<object type="NUMANode" os_index="${number}" cpuset="0x0"/>`);
    const topology = load(object("Machine", 1, ...memory, object("Package", 1, cores(0))));
    expect(topology.nodes.map((node) => node.package)).toEqual([0, -1]);
    expect(nodeDistance(load(object("Machine", 1, ...memory, ...memory, cores(0))), 1, 2)).toBe(20);
  });

  it("tells arm64 by its implementer", () => {
    const implementer = '<info name="CPUImplementer" value="0x41"/>';
    expect(load(object("Machine", 1, implementer, cores(0))).architecture).toBe("arm64");
  });

  it("an APIC id of more than 31 bits is the CPU number instead", () => {
    // 2^10 threads, 2^12 cores and 2^13 packages at most: 35 bits.
    const numbers = (from: number, count: number) => Array.from({ length: count }, (_, n) => from + n);
    const threads = `<object type="Core">${numbers(0, 1024).map(pu).join("")}</object>`;
    const many = `<object type="Package">${numbers(1024, 4096).map(pu).join("")}</object>`;
    const packages = numbers(5120, 8192).map((number) => `<object type="Package">${pu(number)}</object>`);
    const topology = load(`<object type="Machine">${threads}${many}${packages.join("")}</object>`);
    expect(topology.cpus.every((cpu) => cpu.apicId === cpu.number)).toBe(true);
  });
});

describe("unlisted CPUs", () => {
  /** An object whose complete set is larger than its set. */
  const partly = (type: string, mask: number, complete: number, ...inner: string[]) =>
    `<object type="${type}" os_index="0" cpuset="0x${mask.toString(16)}" complete_cpuset="0x${complete.toString(16)}">${inner.join("")}</object>`;

  it("go beside their listed sibling even if no node has them", () => {
    const core = partly("Core", 1, 3, pu(0));
    const topology = load(partly("Machine", 1, 3, object("NUMANode", 1), partly("Package", 1, 3, core)));
    expect(cpusOfEach(topology, "core")).toEqual([[0, 1]]);
    expect(topology.counts).toMatchObject({ llcs: 1, online: 1, complete: 2 });
  });

  it("go to the emptier package, and to each in turn once they are even", () => {
    const packages = [object("Package", 1, cores(0)), object("Package", 6, cores(1, 2))];
    const topology = load(partly("Machine", 7, 0x7f, ...packages));
    expect(cpusOfEach(topology, "package")).toEqual([
      [0, 3, 5],
      [1, 2, 4, 6],
    ]);
  });

  it("share the node of their LLC domain, else of their package", () => {
    const node = (number: number, mask: number) =>
      object("NUMANode", mask).replace('os_index="0"', `os_index="${number}"`);
    const caches = [
      object("L3Cache", 2, cores(1)),
      partly("L3Cache", 4, 12, cores(2)),
      object("L3Cache", 16, cores(4)),
    ];
    const second = object("Package", 22, node(1, 2), node(2, 4), ...caches);
    const topology = load(partly("Machine", 23, 31, object("Package", 1, node(0, 1), cores(0)), second));
    // CPU 3 is in the cache of CPU 2 and node 2. CPU 4 has a cache for itself and no node: the package's first.
    expect(topology.cpus.map((cpu) => [cpu.llc, cpu.node])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
      [2, 2],
      [3, 1],
    ]);
  });

  it("make a package of their own if it is listed without CPUs", () => {
    const topology = load(partly("Machine", 1, 7, object("Package", 1, cores(0)), partly("Package", 0, 6)));
    expect(cpusOfEach(topology, "package")).toEqual([[0], [1, 2]]);
    expect(cpusOfEach(topology, "llc")).toEqual([[0], [1, 2]]);
  });
});

describe("any schema", () => {
  it("takes ids and a name from the caller", () => {
    const xml = readFileSync(new URL("fixtures/schema3-hybrid.xml", import.meta.url), "utf8");
    const given = parseHwlocXml(xml, { name: "mine", apicIds: [0, 1, 8, 10, 64, 66], mpidrs: "multithreaded" });
    expect(given.name).toBe("mine");
    expect(given.cpus.map((cpu) => cpu.apicId)).toEqual([0, 1, 8, 10, 64, 66]);
    expect(given.cpus.map((cpu) => cpu.mpidr)).toEqual([0, 1, 0x100, 0x200, 0x10000, 0x10100]);
  });

  it("reads back what a machine was written as", () => {
    const places = (cpus: readonly Cpu[]) => cpus.map((cpu) => ({ ...cpu, apicId: 0, mpidr: 0 }));
    const size = fc.integer({ min: 1, max: 3 });
    const shape = fc.record({
      packages: size,
      diesPerPackage: size,
      llcsPerDie: size,
      coresPerLlc: size,
      threadsPerCore: size,
    });
    const numbering = fc.constantFrom("core-major" as const, "thread-major" as const, "package-interleaved" as const);
    fc.assert(
      fc.property(
        shape,
        numbering,
        fc.array(fc.nat(60), { maxLength: 3 }),
        fc.nat(),
        (counts, numbering, holes, seed) => {
          const all = buildTopology({ ...counts, numbering });
          const absent = holes.filter((number) => number < all.cpus.length);
          const whole = buildTopology({ ...counts, numbering, absent });
          // Second threads go off, so that each core stays listed.
          const offline = whole.cpus.filter((cpu) => cpu.thread === 1 && (seed >> (cpu.number % 30)) & 1);
          const machine = buildTopology({ ...counts, numbering, absent, offline: offline.map((cpu) => cpu.number) });
          for (const schema of ["1.x", "2.0"] as const) {
            const loaded = parseHwlocXml(writeHwloc(machine, schema));
            expect(places(loaded.cpus)).toEqual(places(machine.cpus));
            expect(loaded.counts).toEqual(machine.counts);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
