// The loader against real machines: every file of the shared hwloc data must load with the counts that its README
// states. The data is not part of the repository; where it is missing, the fixtures of hwloc-fixtures.test.ts cover
// each schema and oddity.

import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readHwlocFile } from "../../src/topology/file.ts";
import {
  buildPreset,
  buildTopology,
  checkTopology,
  cpusOfEach,
  onlineCpus,
  type Cpu,
} from "../../src/topology/index.ts";

const folder = new URL("../../../shared/data/hwloc/", import.meta.url);
const readme = new URL("README.md", folder);

interface Row {
  readonly file: string;
  readonly arch: string;
  readonly counts: readonly number[];
  readonly highestNumber: number;
  readonly complete: number;
  readonly allowed: number;
  readonly schema: string;
}

function rows(): Row[] {
  const lines = existsSync(readme) ? readFileSync(readme, "utf8").split("\n") : [];
  const table = lines.filter((line) => /^\| \S+\.xml \| \S+ \| \d/.test(line));
  return table.map((line) => {
    const cells = line.split("|").map((cell) => cell.replaceAll("*", "").trim());
    const [, file = "", arch = "", packages, dies, groups, nodes, cores, cpus, highest, sets = "", schema = ""] = cells;
    const [complete, allowed] = sets.split("/").map(Number);
    return {
      file,
      arch,
      counts: [packages, dies, groups, nodes, cores, cpus].map(Number),
      highestNumber: Number(highest),
      complete: complete ?? NaN,
      allowed: allowed ?? NaN,
      schema,
    };
  });
}

const load = (file: string) => readHwlocFile(new URL(file, folder).pathname);

describe.skipIf(!existsSync(readme))("files of the shared hwloc data", () => {
  it("lists all sixteen", () => expect(rows()).toHaveLength(16));

  it.for(rows())("$file", async ({ file, arch, counts, highestNumber, complete, allowed, schema }) => {
    const topology = await load(file);
    checkTopology(topology);
    const objects = topology.hwloc?.objects ?? {};
    const types = ["Package", "Die", "Group", "NUMANode", "Core", "PU"];
    expect(types.map((type) => objects[type] ?? 0)).toEqual(counts);
    expect(topology.hwloc?.schema).toBe(schema);

    const online = onlineCpus(topology);
    const [packages = 0, dies = 0, , nodes, cores, cpus] = counts;
    expect(topology.counts).toMatchObject({ packages, dies: dies || packages, nodes, online: cpus, complete, allowed });
    expect(online.at(-1)).toBe(highestNumber);
    expect(new Set(online.map((number) => topology.cpus[number]?.core)).size).toBe(cores);

    const simulated = { x86: "x86-64", arm64: "arm64" }[arch];
    // One file has no fact that would tell its architecture.
    expect(topology.architecture).toBe(file.includes("16pu") ? undefined : simulated);
  });

  const places = (cpus: readonly Cpu[]) => cpus.map((cpu) => [cpu.package, cpu.die, cpu.llc, cpu.core, cpu.thread]);

  it("places the CPUs of EPYC 9654 as the preset does", async () => {
    const loaded = await load("x86-384pu-2pkg-zen4-epyc9654.xml");
    expect(places(loaded.cpus)).toEqual(places(buildPreset("epyc-9654").cpus));
  });

  it("places the CPUs of Kunpeng 920 as the preset does, nodes and distances too", async () => {
    const loaded = await load("arm64-128pu-2pkg-4numa-kunpeng920.xml");
    const preset = buildPreset("kunpeng-920");
    expect(loaded.cpus.map((cpu) => [cpu.package, cpu.llc, cpu.core, cpu.node])).toEqual(
      preset.cpus.map((cpu) => [cpu.package, cpu.llc, cpu.core, cpu.node]),
    );
    expect(loaded.distances).toEqual(preset.distances);
  });

  it("places the CPUs of twelve sockets as the builder does", async () => {
    const loaded = await load("x86-192pu-12pkg-ivybridge.xml");
    expect(places(loaded.cpus)).toEqual(
      places(buildTopology({ packages: 12, coresPerLlc: 8, threadsPerCore: 2 }).cpus),
    );
  });

  it("takes the core ids in the APIC ids of the EPYC 9654 preset from its file", () => {
    const lines = readFileSync(new URL("x86-384pu-2pkg-zen4-epyc9654.xml", folder), "utf8").split("\n");
    const { cpus } = buildPreset("epyc-9654");
    let coreId = -1;
    let checked = 0;
    for (const line of lines) {
      const [, type, index] = /type="(Core|PU)" os_index="(\d+)"/.exec(line) ?? [];
      if (type === "Core") coreId = Number(index);
      if (type !== "PU") continue;
      const cpu = cpus[Number(index)];
      expect([(cpu?.apicId ?? 0) & 0xff, cpu?.package]).toEqual([coreId * 2 + (cpu?.thread ?? 0), cpu?.package]);
      checked++;
    }
    expect(checked).toBe(384);
  });

  it("makes each L2 tile of the Xeon Phi an LLC domain", async () => {
    const topology = await load("x86-272pu-1pkg-smt4-knl-snc4-hwloc1.xml");
    expect(topology.counts.llcs).toBe(34);
    expect(cpusOfEach(topology, "llc")[0]).toEqual([0, 1, 68, 69, 136, 137, 204, 205]);
    // Four of its eight nodes are high-bandwidth memory without CPUs.
    expect(cpusOfEach(topology, "node").map((cpus) => cpus.length)).toEqual([72, 0, 72, 0, 64, 0, 64, 0]);
  });

  it("reads distances of every form", async () => {
    const [old, wide, sparse] = await Promise.all([
      load("x86-192pu-4pkg-cascadelake-ap-hwloc1.xml"),
      load("ia64-256pu-128pkg-64numa.xml"),
      load("x86-48pu-4pkg-8numa-sparse-ids.xml"),
    ]);
    expect(old.distances?.[0]).toEqual([10, 21, 21, 21]);
    expect(wide.distances?.[0]?.slice(0, 6)).toEqual([10, 22, 22, 22, 26, 26]);
    expect(sparse.nodes.map((node) => node.number)).toEqual([0, 1, 2, 33, 34, 45, 72, 73]);
    expect(sparse.distances?.[0]).toEqual([10, 16, 16, 22, 16, 22, 16, 22]);
  });

  it("puts offline CPUs where the file says, else where there is room", async () => {
    const known = await load("x86-16pu-4pkg-offline-pus.xml");
    expect(cpusOfEach(known, "package")).toEqual([
      [0, 4, 8, 12],
      [1, 5, 9, 13],
      [2, 6, 10, 14],
      [3, 7, 11, 15],
    ]);
    expect(cpusOfEach(known, "core")).toEqual(
      expect.arrayContaining([
        [0, 8],
        [1, 9],
        [2, 10],
        [5, 13],
        [6, 14],
      ]),
    );
    const unknown = await load("x86-17pu-offline-cpu0-node0.xml");
    expect(unknown.cpus.filter((cpu) => cpu.state === "offline").map((cpu) => cpu.number)).toEqual([
      0, 1, 2, 3, 21, 22, 23,
    ]);
    expect(cpusOfEach(unknown, "package").map((cpus) => cpus.length)).toEqual([12, 12]);
  });
});
