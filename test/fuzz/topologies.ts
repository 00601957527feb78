// Fuzz target: descriptions of machines, as parameters and as text.

import { Config } from "../../src/abi.ts";
import {
  buildTopology,
  checkTopology,
  describeTopology,
  formatTopologySpec,
  mpidrStyles,
  numberings,
  parseTopologySpec,
  presets,
  topologyFromText,
  type Topology,
  type TopologyParameters,
} from "../../src/topology/index.ts";
import { BareMachine } from "../support/bare-machine.ts";
import type { Random } from "../support/random.ts";
import { ACCEPTED, expectSame, expectThat, type Subject, type Target } from "./target.ts";
import { muchChangedText, someNumber } from "./text.ts";

/** Parameters, which may be anything, or a text. */
type TopologyInput = { readonly parameters: Readonly<Record<string, unknown>> } | { readonly text: string };

/** One accepted topology in so many becomes a machine. */
const BUILT = 256;
/** One input in so many may be a large machine, which takes as long as ten thousand small ones. */
const LARGE = 16_384;
/** Larger machines cost more than they tell. */
const MOST_BUILT = 300;

export const topologyTarget: Target<TopologyInput> = {
  name: "topologies",
  what: "parameters of the builder, topologies as text",
  share: 1_000_000,
  refusals: ["TOPOLOGY_INVALID", "OPTION_INVALID", "NAME_UNKNOWN"],
  open: (core) => Promise.resolve(openTopologies(core)),
};

function openTopologies(core: WebAssembly.Module): Subject<TopologyInput> {
  return {
    draw: (random) => (random.chance(50) ? { parameters: someParameters(random) } : { text: someText(random) }),
    attempt(input, number) {
      const topology =
        "text" in input ? fromText(input.text) : buildTopology(input.parameters as unknown as TopologyParameters);
      checkAccepted(topology);
      if (number % BUILT === 0) buildMachine(topology, core);
      return ACCEPTED;
    },
    show: (input) => JSON.stringify(input, (_, value: unknown) => (Number.isNaN(value) ? "NaN" : value)),
  };
}

/** A spec that is taken and written again means the same machine. */
function fromText(text: string): Topology {
  const topology = topologyFromText(text);
  if (!/^\d+x|=/.test(text)) return topology;
  const parameters = parseTopologySpec(text);
  const written = formatTopologySpec(parameters);
  const again = parseTopologySpec(written);
  expectSame("a spec that is written and read again", formatTopologySpec(again), written);
  expectSame(
    "its topology",
    JSON.stringify(buildTopology({ architecture: "x86-64", ...again })),
    JSON.stringify(topology),
  );
  return topology;
}

/** What the rest of the product takes for granted. */
export function checkAccepted(topology: Topology): void {
  checkTopology(topology);
  const present = topology.cpus.filter(({ state }) => state !== "absent");
  for (const id of ["apicId", "mpidr"] as const) {
    expectThat(`each CPU has an ${id} of its own`, new Set(present.map((cpu) => cpu[id])).size === present.length);
  }
  const lines = describeTopology(topology);
  expectThat("a picture is short", lines.length > 0 && lines.length < 64);
}

/** A machine can be built of it, unless the core says that it has no room. */
export function buildMachine(topology: Topology, core: WebAssembly.Module): void {
  if (topology.cpus.length > MOST_BUILT || isBeyondCore(topology)) return;
  const architecture = topology.architecture ?? "x86-64";
  const words = [
    [Config.EVENT_NODES, 4096],
    [Config.DIRECTORY_BYTES, 65_536],
    [Config.CODE_BYTES, 65_536],
  ] as const;
  new BareMachine({ architecture, topology, core, ramBytes: 65_536, traceRecords: 16, words }).run(10);
}

/** Documented capacities, which Machine.build() names. */
function isBeyondCore({ cpus }: Topology): boolean {
  const threads = new Map<number, number>();
  for (const { core, state } of cpus) if (state !== "absent") threads.set(core, (threads.get(core) ?? 0) + 1);
  return [...threads.values()].some((count) => count > 8);
}

// --- parameters --------------------------------------------------------------------------------------------------------------

function someCount(random: Random): unknown {
  if (random.chance(90)) return random.between(1, random.chance(95) ? 3 : 12);
  return random.pick<unknown>([0, -1, 1.5, NaN, Infinity, 2 ** 31, 2 ** 53, "2", null, true, [], {}, 65_537, 1e300]);
}

function someList(random: Random): unknown {
  const kind = random.between(0, 9);
  if (kind < 5) return muchChangedText(random, random.pick(["0-3,8", "1", "0-5:1/2", "2-3", "7", ""]), 2);
  if (kind < 8) return Array.from({ length: random.between(0, 4) }, () => random.between(0, 16));
  return random.pick<unknown>([
    "all",
    "0-N:1/2",
    [-1],
    [1.5],
    ["1"],
    [null],
    [NaN],
    3,
    {},
    null,
    [[0]],
    [2 ** 32],
    { length: 2 },
  ]);
}

function someNumbers(random: Random, most: number): unknown {
  const kind = random.between(0, 9);
  const length = random.between(0, 12);
  if (kind < 7) return Array.from({ length }, (_, index) => index * random.between(1, 2));
  if (kind < 9) return Array.from({ length }, () => random.next() % most);
  return random.pick<unknown>([[NaN], ["1"], {}, "x", null, [2 ** 32], [-1], [0xffff_ffff], [2 ** 40]]);
}

const drawers: Readonly<Record<string, (random: Random) => unknown>> = {
  name: (random) => random.pick<unknown>(["a", "", "\x1b[2J", 5, null, {}]),
  architecture: (random) => random.pick<unknown>(["x86-64", "arm64", "arm64", "x86-64", "riscv", 1, null]),
  timingModel: (random) => random.pick<unknown>(["generic-x86", "nobody", 1, ""]),
  diesPerPackage: someCount,
  llcsPerDie: someCount,
  threadsPerCore: someCount,
  nodesPerPackage: someCount,
  cpus: (random) => (random.chance(70) ? random.between(1, 64) : someCount(random)),
  numbering: (random) =>
    random.chance(90) ? random.pick(numberings) : random.pick<unknown>(["", "core", 1, null, {}]),
  absent: someList,
  offline: someList,
  allowed: someList,
  distances: (random) => someDistances(random),
  apicIds: (random) => someNumbers(random, 2 ** 32),
  mpidrs: (random) => (random.chance(70) ? random.pick(mpidrStyles) : someNumbers(random, 2 ** 40)),
  clusterCores: someCount,
  __proto__x: someCount,
};
const drawerNames = Object.keys(drawers);

function someDistances(random: Random): unknown {
  const size = random.between(0, 4);
  const valid = random.chance(80);
  const rows = Array.from({ length: size }, (_, from) =>
    Array.from({ length: size }, (_, to) => (from === to && valid ? 10 : random.between(valid ? 10 : 0, 300))),
  );
  return random.chance(90) ? rows : random.pick<unknown>([null, 1, [[10, 20]], [null], [["10"]], "10"]);
}

function someParameters(random: Random): Record<string, unknown> {
  const parameters: Record<string, unknown> = { packages: someCount(random), coresPerLlc: someCount(random) };
  if (random.chance(2)) delete parameters[random.pick(["packages", "coresPerLlc"])];
  if (random.next() % LARGE === 0) parameters["coresPerLlc"] = random.pick([4096, 65_535, 65_536]);
  for (let left = random.between(0, 5); left > 0; left--) {
    const name = random.pick(drawerNames);
    parameters[name] = drawers[name]?.(random);
  }
  return parameters;
}

// --- texts -------------------------------------------------------------------------------------------------------------------

const smallPresets = presets.map(({ name }) => name).filter((name) => topologyFromText(name).cpus.length < 300);
const keys = ["packages", "dies", "llcs", "cores", "threads", "nodes", "cpus", "cluster"];
const wordsOf: Readonly<Record<string, readonly string[]>> = {
  absent: ["1", "0", "1+3", "2-3"],
  offline: ["1", "0-1", "3+5"],
  allowed: ["0", "0-3", "1+2"],
  arch: ["arm64", "x86-64"],
  timing: ["zen3", "generic-arm64"],
  numbering: numberings,
  mpidrs: mpidrStyles,
};

function someText(random: Random): string {
  const text = anyText(random);
  return random.next() % LARGE === 0 ? text : text.replaceAll(/\d{4,}/g, "9");
}

function anyText(random: Random): string {
  const kind = random.between(0, 99);
  if (kind < 40) return muchChangedText(random, compactText(random), random.chance(60) ? 0 : 3);
  if (kind < 90) return muchChangedText(random, readableText(random), random.chance(60) ? 0 : 3);
  if (kind < 93) return muchChangedText(random, random.pick(smallPresets), 2);
  return random.chance(97) ? String(random.between(0, 70)) : someNumber(random);
}

function compactText(random: Random): string {
  const counts = Array.from({ length: random.pick([3, 5, 3, 5, 1, 2, 4, 6]) }, () =>
    random.between(0, random.chance(95) ? 3 : 12),
  );
  return counts.join("x");
}

function readableText(random: Random): string {
  const pairs = Array.from({ length: random.between(1, 5) }, () => {
    if (random.chance(70)) return `${random.pick(keys)}=${random.between(0, random.chance(90) ? 4 : 16)}`;
    const [key, words] = random.pick(Object.entries(wordsOf));
    return `${key}=${random.pick(words)}`;
  });
  return pairs.join(",");
}
