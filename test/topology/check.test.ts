// checkTopology on topologies that no machine can have, made from a good one by a single change.

import { describe, expect, it } from "vitest";
import { buildTopology, checkTopology, type Cpu, type Topology } from "../../src/topology/index.ts";
import { thrownBy } from "./errors.ts";

const good = buildTopology({ packages: 2, diesPerPackage: 2, coresPerLlc: 2, threadsPerCore: 2, absent: "3" });

function changed(change: Partial<Topology>): Topology {
  return { ...good, ...change };
}

function changedCpu(number: number, change: Partial<Cpu>): Topology {
  return changed({ cpus: good.cpus.map((cpu) => (cpu.number === number ? { ...cpu, ...change } : cpu)) });
}

// CPUs 0 to 2 and 4 to 8 are threads 0 of cores 0 to 7, the rest threads 1. Cores 0 and 1 are die 0, 2 and 3 die 1 and
// so on.
const refused: readonly [what: string, topology: Topology, message: RegExp][] = [
  ["no CPU", changed({ cpus: [] }), /number of CPU numbers/],
  ["a CPU out of place", changed({ cpus: [...good.cpus].reverse() }), /a CPU out of its place/],
  [
    "none online",
    changed({ cpus: good.cpus.map((cpu) => ({ ...cpu, state: "offline" as const })) }),
    /no CPU is online/,
  ],
  ["one CPU fewer", changedCpu(16, { state: "absent" }), /number of CPUs/],
  ["a package too many", changed({ counts: { ...good.counts, packages: 3 } }), /only 2 of 3 have a CPU/],
  ["millions of packages", changed({ counts: { ...good.counts, packages: 1e9 } }), /number of "package"/],
  ["an unknown package", changedCpu(0, { package: 2 }), /no such index; found 2; allowed: 0 to 1/],
  ["a negative die", changedCpu(0, { die: -1 }), /no such index; found -1/],
  ["half a core", changedCpu(0, { core: 0.5 }), /no such index; found 0.5/],
  ["a die in two packages", changedCpu(0, { package: 1 }), /die 0 in two of "package"/],
  ["an LLC domain in two packages", changedCpu(0, { package: 1, die: 2 }), /llc 0 in two of "package"/],
  ["a core in two LLC domains", changedCpu(0, { llc: 1 }), /core 0 in two of "llc"/],
  ["a core in two dies", changedCpu(0, { die: 1 }), /core 0 in two of "die"/],
  ["a thread twice", changedCpu(9, { thread: 0 }), /a thread out of order; found 0; allowed: 1/],
  ["an unknown node", changedCpu(0, { node: 9 }), /no such NUMA node; found 9/],
  ["more nodes than counted", changed({ nodes: [...good.nodes, { number: 9, package: 0 }] }), /number of nodes/],
  ["a node in no package", changed({ nodes: [{ number: 0, package: 7 }, ...good.nodes.slice(1)] }), /no such package/],
  ["an APIC id twice", changedCpu(1, { apicId: 0 }), /the apicId of CPU 0 once more/],
  ["an MPIDR twice", changedCpu(1, { mpidr: 0 }), /the mpidr of CPU 0 once more/],
  ["the broadcast APIC id", changedCpu(1, { apicId: 0xffff_ffff }), /not an APIC id/],
  ["an MPIDR with its MT bit", changedCpu(1, { mpidr: 1 << 24 }), /not affinities/],
  ["a ragged matrix", changed({ distances: [[10, 20], [20]] }), /not a square/],
];

describe("checkTopology", () => {
  it("accepts the unchanged one", () => checkTopology(good));

  it.for(refused)("refuses %s", ([, topology, message]) => {
    const thrown = thrownBy(() => checkTopology(topology));
    expect(thrown.code).toBe("TOPOLOGY_INVALID");
    expect(thrown.message).toMatch(message);
  });
});
