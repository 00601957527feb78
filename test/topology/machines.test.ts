// Machines by name, by size and by spec.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildPreset,
  buildTopology,
  findPreset,
  formatTopologySpec,
  parametersForCpus,
  parseTopologySpec,
  presets,
  topologyForCpus,
  topologyFromText,
  type Architecture,
} from "../../src/topology/index.ts";
import { thrownBy } from "./errors.ts";

/** Packages, dies, LLC domains, cores, CPUs, nodes: from the makers' data sheets. */
const shapes: readonly [name: string, timingModel: string, counts: readonly number[]][] = [
  ["skylake-8160", "skylake-sp", [2, 2, 2, 48, 96, 2]],
  ["cascadelake-8280", "cascadelake-sp", [2, 2, 2, 56, 112, 2]],
  ["icelake-8375c", "icelake-sp", [2, 2, 2, 64, 128, 2]],
  ["sapphirerapids-8480", "sapphirerapids", [2, 2, 2, 112, 224, 2]],
  ["epyc-7742", "zen2", [2, 16, 32, 128, 256, 2]],
  ["epyc-7r13", "zen3", [2, 12, 12, 96, 192, 2]],
  ["epyc-7763", "zen3", [2, 16, 16, 128, 256, 2]],
  ["epyc-9654", "zen4", [2, 24, 24, 192, 384, 2]],
  ["graviton2", "neoverse-n1", [1, 1, 1, 64, 64, 1]],
  ["graviton3", "neoverse-v1", [1, 1, 1, 64, 64, 1]],
  ["kunpeng-920", "kunpeng920", [2, 4, 4, 128, 128, 4]],
  ["altra-2x80", "neoverse-n1", [2, 2, 2, 160, 160, 2]],
  ["sgi-uv-768", "generic-x86", [48, 48, 48, 384, 768, 48]],
  ["sgi-uv-4096", "generic-x86", [256, 256, 256, 2048, 4096, 256]],
];

describe("presets", () => {
  it("are all in the table", () => expect(presets.map((preset) => preset.name)).toEqual(shapes.map(([name]) => name)));

  it.for(shapes)("%s", ([name, timingModel, expected]) => {
    const topology = buildPreset(name);
    const { packages, dies, llcs, cores, online, nodes } = topology.counts;
    expect([packages, dies, llcs, cores, online, nodes]).toEqual(expected);
    expect([topology.name, topology.timingModel]).toEqual([findPreset(name).title, timingModel]);
    expect(findPreset(name).source).not.toBe("");
  });

  it("put the UV's nodes as far apart as its gallery says", () => {
    const { distances } = buildPreset("sgi-uv-768");
    // 10 to itself, 16 within a blade (2k and 2k+1), otherwise 20 + |i - j|.
    expect(distances?.[0]?.slice(0, 5)).toEqual([10, 16, 22, 23, 24]);
    expect(distances?.[1]?.slice(0, 5)).toEqual([16, 10, 21, 22, 23]);
    expect(distances?.[5]?.slice(3, 7)).toEqual([22, 16, 10, 21]);
    expect(distances?.[0]?.[47]).toBe(67);
    expect(buildPreset("sgi-uv-4096").distances?.[0]?.[255]).toBe(254);
  });

  it("refuse another name with the list of names", () => {
    const thrown = thrownBy(() => buildPreset("cray-1"));
    expect(thrown.code).toBe("NAME_UNKNOWN");
    expect(thrown.message).toContain("epyc-7742, epyc-7r13");
  });
});

describe("topologyForCpus", () => {
  const architecture = fc.constantFrom<Architecture>("x86-64", "arm64");

  it.for<[number, Architecture, number[]]>([
    // packages, LLC domains, cores, threads of a core
    [1, "x86-64", [1, 1, 1]],
    [2, "x86-64", [1, 1, 1]],
    [96, "x86-64", [1, 6, 48]],
    [256, "x86-64", [2, 16, 128]],
    [1000, "x86-64", [10, 50, 500]],
    [4096, "x86-64", [32, 256, 2048]],
    [65_536, "x86-64", [512, 4096, 32_768]],
    [1, "arm64", [1, 1, 1]],
    [64, "arm64", [1, 2, 64]],
    [512, "arm64", [4, 16, 512]],
    [4096, "arm64", [32, 128, 4096]],
    [65_536, "arm64", [512, 2048, 65_536]],
  ])("%i CPUs of %s", ([count, architecture, expected]) => {
    const { counts } = topologyForCpus(count, architecture);
    expect([counts.packages, counts.llcs, counts.cores]).toEqual(expected);
    expect(counts.online).toBe(count);
  });

  it("has exactly the CPUs asked for, in a shape that people build", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 65_536 }), architecture, (count, architecture) => {
        const {
          packages,
          llcsPerDie = 1,
          coresPerLlc,
          threadsPerCore = 1,
          cpus,
        } = parametersForCpus(count, architecture);
        const package_ = llcsPerDie * coresPerLlc * threadsPerCore;
        expect(cpus ?? packages * package_).toBe(count);
        // The shape exceeds the machine by less than a package.
        expect(packages * package_ - count).toBeGreaterThanOrEqual(0);
        expect((packages - 1) * package_).toBeLessThan(count);
        const x86 = architecture === "x86-64";
        expect(threadsPerCore).toBe(x86 && count > 1 ? 2 : 1);
        expect(coresPerLlc).toBeLessThanOrEqual(x86 ? 16 : 32);
        expect(llcsPerDie * coresPerLlc).toBeLessThanOrEqual(x86 ? 72 : 128);
        // Not in crumbs: a machine with many cores has LLC domains of several.
        if (count > 64) expect(coresPerLlc).toBeGreaterThanOrEqual(x86 ? 5 : 16);
      }),
      { numRuns: 3000 },
    );
  });

  it("builds what it proposes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), architecture, (count, architecture) => {
        expect(topologyForCpus(count, architecture).counts.online).toBe(count);
      }),
      { numRuns: 60 },
    );
  });

  it.for([0, -1, 1.5, 65_537, NaN])("refuses %d", (count) => {
    expect(thrownBy(() => topologyForCpus(count, "arm64")).code).toBe("OPTION_INVALID");
  });
});

describe("specs", () => {
  it("read counts", () => {
    expect(parseTopologySpec("2x24x2")).toEqual({ packages: 2, coresPerLlc: 24, threadsPerCore: 2 });
    expect(parseTopologySpec("2x1x4x8x2")).toEqual({
      packages: 2,
      diesPerPackage: 1,
      llcsPerDie: 4,
      coresPerLlc: 8,
      threadsPerCore: 2,
    });
  });

  it("read properties", () => {
    const spec = "packages=2,llcs=4,cores=8,threads=2,offline=4-7+12,numbering=core-major,mpidrs=cluster,arch=arm64";
    expect(parseTopologySpec(spec)).toEqual({
      packages: 2,
      llcsPerDie: 4,
      coresPerLlc: 8,
      threadsPerCore: 2,
      offline: "4-7,12",
      numbering: "core-major",
      mpidrs: "cluster",
      architecture: "arm64",
    });
  });

  it("survive formatting and parsing", () => {
    const count = fc.integer({ min: 1, max: 99_999 });
    const list = fc.constantFrom("0", "1-3,9", "65535");
    const parameters = fc.record(
      {
        packages: count,
        coresPerLlc: count,
        diesPerPackage: count,
        llcsPerDie: count,
        threadsPerCore: count,
        nodesPerPackage: count,
        cpus: count,
        clusterCores: count,
        absent: list,
        offline: list,
        allowed: list,
        architecture: fc.constantFrom("x86-64" as const, "arm64" as const),
        timingModel: fc.constantFrom("zen4", "skylake-sp"),
        numbering: fc.constantFrom("core-major" as const, "thread-major" as const),
        mpidrs: fc.constantFrom("linear" as const, "multithreaded" as const),
      },
      { requiredKeys: ["packages", "coresPerLlc"] },
    );
    fc.assert(
      fc.property(parameters, (parameters) => {
        expect(parseTopologySpec(formatTopologySpec(parameters))).toEqual(parameters);
      }),
    );
  });

  it("can't hold ids, distances or a name", () => {
    for (const more of [{ apicIds: [0] }, { mpidrs: [0] }, { distances: [[10]] }, { name: "x" }]) {
      const thrown = thrownBy(() => formatTopologySpec({ packages: 1, coresPerLlc: 1, ...more }));
      expect(thrown.message).toContain(`found "${Object.keys(more)[0]}"`);
    }
  });

  it.for([
    ["2x2", /not a machine's counts; found "2x2"; allowed: packages x cores x threads/],
    ["2x2x2x2", /not a machine's counts/],
    ["2x2x2x", /not a machine's counts/],
    ["", /not a machine's counts/],
    ["1x100000x1", /not a machine's counts/],
    ["packages=2,sockets=2", /not a property of a machine; found "sockets=2"/],
    ["packages=2,packages=2", /a property given twice/],
    ["packages=two", /not a count; found "packages=two"/],
    ["packages=2,", /not a property of a machine; found ""/],
    ["offline=1-x", /not a list of CPUs: not a number \(EINVAL\); found "1-x"/],
    ["__proto__=1", /not a property/],
  ] as const)("%j is refused", ([text, message]) => {
    const thrown = thrownBy(() => parseTopologySpec(text));
    expect(thrown.code).toBe("OPTION_INVALID");
    expect(thrown.message).toMatch(message);
  });
});

describe("topologyFromText", () => {
  it("takes a preset, a size or a spec", () => {
    expect(topologyFromText("epyc-7742").counts.online).toBe(256);
    expect(topologyFromText("300", "arm64")).toMatchObject({ architecture: "arm64", counts: { online: 300 } });
    expect(topologyFromText("2x3x1")).toEqual(buildTopology({ architecture: "x86-64", ...parseTopologySpec("2x3x1") }));
    expect(topologyFromText("cores=3,arch=arm64").architecture).toBe("arm64");
  });

  it("refuses anything else", () => {
    expect(thrownBy(() => topologyFromText("epyc")).code).toBe("NAME_UNKNOWN");
    expect(thrownBy(() => topologyFromText("99999999999999999999")).code).toBe("OPTION_INVALID");
    expect(thrownBy(() => topologyFromText("cores=3,arch=sparc"))).toMatchObject({
      code: "TOPOLOGY_INVALID",
      at: "architecture",
    });
  });
});
