// Pictures and CPU lists.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildPreset,
  buildTopology,
  describeTopology,
  formatCpuList,
  parseCpuList,
  parseHwlocXml,
  topologyForCpus,
} from "../../src/topology/index.ts";
import { writeHwloc } from "./hwloc-writer.ts";

describe("describeTopology", () => {
  it("draws equal parts once", () => {
    expect(describeTopology(buildPreset("epyc-7742"))).toEqual([
      "2x EPYC 7742 (x86-64, timing zen2)",
      "256 CPUs: 2 packages, 16 dies, 32 LLC domains, 128 cores, 2 NUMA nodes",
      "",
      "2 × package: CPUs 0-63,128-191 … 64-127,192-255",
      "└ 8 × die: CPUs 0-7,128-135 … 56-63,184-191",
      "  └ 2 × LLC domain: CPUs 0-3,128-131 … 4-7,132-135",
      "    └ 4 × core of 2 threads: CPUs 0,128 … 3,131",
      "",
      "CPU numbers 0 to 255",
      "APIC ids 0x0 to 0xff",
      "MPIDR Aff3.2.1.0 0.0.0.0 to 0.0.15.15",
      "NUMA distances, as listed:",
      " node    0    1",
      "    0   10   32   package 0",
      "    1   32   10   package 1",
    ]);
  });

  it("shows what is off, missing or forbidden", () => {
    const topology = buildTopology({
      name: "mended",
      packages: 2,
      coresPerLlc: 2,
      threadsPerCore: 2,
      absent: "2",
      offline: "5,6,8",
      allowed: "0-1",
    });
    expect(describeTopology(topology)).toEqual([
      "mended (architecture unknown)",
      "8 CPUs, 5 online: 2 packages, 2 LLC domains, 4 cores, 2 NUMA nodes",
      "",
      "1 × package: CPUs 0-1,5-6",
      "└ 1 × LLC domain: CPUs 0-1,5-6",
      "  └ 2 × core of 2 threads, 1 offline: CPUs 0,5 … 1,6",
      "1 × package: CPUs 3-4,7-8",
      "└ 1 × LLC domain: CPUs 3-4,7-8",
      "  ├ 1 × core of 2 threads: CPUs 3,7",
      "  └ 1 × core of 2 threads, 1 offline: CPUs 4,8",
      "",
      "offline: CPUs 5-6,8",
      "absent: numbers 2",
      "allowed: CPUs 0-1",
      "CPU numbers 0 to 8",
      "APIC ids 0x0 to 0x7",
      "MPIDR Aff3.2.1.0 0.0.0.0 to 0.0.0.8",
      "NUMA distances, derived, the source lists none:",
      " node    0    1",
      "    0   10   20   package 0",
      "    1   20   10   package 1",
    ]);
  });

  it("continues the line of an outer part beside inner ones", () => {
    const topology = buildTopology({ packages: 1, llcsPerDie: 2, coresPerLlc: 1, threadsPerCore: 2, cpus: 3 });
    expect(describeTopology(topology).slice(3, 8)).toEqual([
      "1 × package: CPUs 0-2",
      "├ 1 × LLC domain: CPUs 0,2",
      "│ └ 1 × core of 2 threads: CPUs 0,2",
      "└ 1 × LLC domain: CPUs 1",
      "  └ 1 × core of 1 thread: CPUs 1",
    ]);
  });

  it("names the schema of a file", () => {
    const [heading] = describeTopology(parseHwlocXml(writeHwloc(topologyForCpus(4, "arm64"), "2.0")));
    expect(heading).toBe("hwloc topology (architecture unknown, hwloc schema 2.0)");
  });

  it("stays short however large or irregular the machine", () => {
    const offline = Array.from({ length: 500 }, (_, n) => (n * n) % 4093).filter((n) => n > 0);
    const machines = [
      topologyForCpus(65_536, "x86-64"),
      buildPreset("sgi-uv-4096"),
      buildTopology({ packages: 64, coresPerLlc: 32, threadsPerCore: 2, offline }),
    ];
    for (const machine of machines) {
      const lines = describeTopology(machine);
      expect(lines.length).toBeLessThanOrEqual(45);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(140);
    }
    expect(describeTopology(buildPreset("sgi-uv-4096")).at(-1)).toBe(
      "10 (256), 16 (256), 21 (254), 22 (508), …, 253 (46), 254 (506): ordered pairs of 256 nodes",
    );
    expect(describeTopology(machines[2] ?? topologyForCpus(1, "arm64")).join("\n")).toMatch(/… \d+ more lines/);
  });
});

describe("CPU lists", () => {
  it.for([
    ["", []],
    ["0", [0]],
    ["0-3,8,10-11", [0, 1, 2, 3, 8, 10, 11]],
    ["2,1-3", [1, 2, 3]],
    [" 1,,3\n", [1, 3]],
    ["0-15:2/8", [0, 1, 8, 9]],
    ["65535", [65_535]],
  ] as const)("reads %j", ([text, numbers]) => expect([...parseCpuList(text, "list")]).toEqual(numbers));

  it("write what they read", () => {
    const numbers = fc.uniqueArray(fc.nat(65_535)).map((list) => list.sort((a, b) => a - b));
    fc.assert(
      fc.property(numbers, (list) => {
        expect([...parseCpuList(formatCpuList(list), "list")]).toEqual(list);
      }),
    );
    expect(formatCpuList([0, 1, 3, 5, 6, 7])).toBe("0-1,3,5-7");
  });
});
