// Machines as short text for a command line: "2x1x4x8x2", "packages=2,llcs=4,cores=8,threads=2", a number or a preset.

import { AllstopError } from "../errors.ts";
import { buildTopology, type TopologyParameters } from "./builder.ts";
import { formatCpuList, parseCpuList, type CpuList } from "./cpulist.ts";
import { topologyForCpus } from "./plausible.ts";
import { buildPreset, presets } from "./presets.ts";
import type { Architecture, Topology } from "./topology.ts";

const compactForm = "packages x cores x threads, or packages x dies x LLC domains x cores x threads";

/** Keys of the readable form that take a number. */
const countKeys = {
  packages: "packages",
  dies: "diesPerPackage",
  llcs: "llcsPerDie",
  cores: "coresPerLlc",
  threads: "threadsPerCore",
  nodes: "nodesPerPackage",
  cpus: "cpus",
  cluster: "clusterCores",
} as const;

/** Keys that take CPUs, written with + between ranges since the comma is taken. */
const listKeys = { absent: "absent", offline: "offline", allowed: "allowed" } as const;

/** Keys that take a word. */
const wordKeys = { arch: "architecture", timing: "timingModel", numbering: "numbering", mpidrs: "mpidrs" } as const;

const allKeys = { ...countKeys, ...listKeys, ...wordKeys };
const keyNames = Object.keys(allKeys).join(", ");

function isKeyOf<T extends object>(table: T, key: string): key is Extract<keyof T, string> {
  return Object.hasOwn(table, key);
}

/** A preset's name, a number of CPUs, or a spec. Throws NAME_UNKNOWN, OPTION_INVALID or TOPOLOGY_INVALID. */
export function topologyFromText(text: string, architecture: Architecture = "x86-64"): Topology {
  if (/^\d+$/.test(text)) return topologyForCpus(Number(text), architecture);
  if (/^\d+x|=/.test(text)) return buildTopology({ architecture, ...parseTopologySpec(text) });
  if (presets.some((preset) => preset.name === text)) return buildPreset(text);
  const names = presets.map((preset) => preset.name).join(", ");
  const allowed = `a number of CPUs, ${compactForm}, key=value pairs, or a preset: ${names}`;
  throw new AllstopError("NAME_UNKNOWN", "not a machine", { value: text, allowed });
}

/** Reads a spec. Throws OPTION_INVALID for bad text; whether such a machine can be is `buildTopology`'s to say. */
export function parseTopologySpec(text: string): TopologyParameters {
  return text.includes("=") ? readableSpec(text) : compactSpec(text);
}

function compactSpec(text: string): TopologyParameters {
  const counts = /^\d{1,5}(x\d{1,5})+$/.test(text) ? text.split("x").map(Number) : [];
  const [packages = 0, second = 0, third = 0, fourth = 0, fifth = 0] = counts;
  if (counts.length === 3) return { packages, coresPerLlc: second, threadsPerCore: third };
  if (counts.length === 5) {
    return { packages, diesPerPackage: second, llcsPerDie: third, coresPerLlc: fourth, threadsPerCore: fifth };
  }
  throw new AllstopError("OPTION_INVALID", "not a machine's counts", { value: text, allowed: compactForm });
}

function readableSpec(text: string): TopologyParameters {
  const values: Record<string, string | number> = {};
  for (const pair of text.split(",")) {
    const [, key = "", value = ""] = /^([a-z]+)=([\w+-]+)$/.exec(pair) ?? [];
    const bad = (what: string, allowed: string) => new AllstopError("OPTION_INVALID", what, { value: pair, allowed });
    if (!isKeyOf(allKeys, key)) throw bad("not a property of a machine", `key=value with the keys ${keyNames}`);
    if (allKeys[key] in values) throw bad("a property given twice", "each key once");
    if (isKeyOf(countKeys, key) && !/^\d{1,5}$/.test(value)) throw bad("not a count", "a whole number");
    if (isKeyOf(countKeys, key)) values[countKeys[key]] = Number(value);
    else if (isKeyOf(listKeys, key)) values[listKeys[key]] = canonicalList(value, key);
    else values[wordKeys[key]] = value;
  }
  // A wrong word is refused by buildTopology, which knows the lists.
  return { packages: 1, coresPerLlc: 1, ...values };
}

/** The list in its shortest form, with commas; read with + or commas. */
function canonicalList(list: CpuList, key: string): string {
  const numbers = parseCpuList(typeof list === "string" ? list.replaceAll("+", ",") : list, key);
  return formatCpuList([...numbers].sort((a, b) => a - b));
}

/** The readable form of parameters. Throws OPTION_INVALID for those it can't hold: explicit ids, distances, a name. */
export function formatTopologySpec(parameters: TopologyParameters): string {
  const pairs: string[] = [];
  const values = new Map<string, unknown>(Object.entries(parameters));
  for (const [key, name] of Object.entries(allKeys)) {
    const value = values.get(name);
    values.delete(name);
    if (value === undefined) continue;
    const list = isKeyOf(listKeys, key) ? parameters[listKeys[key]] : undefined;
    if (list !== undefined) pairs.push(`${key}=${canonicalList(list, key).replaceAll(",", "+")}`);
    else if (typeof value === "string" || typeof value === "number") pairs.push(`${key}=${value}`);
    else values.set(name, value);
  }
  const [unfit] = [...values].filter(([, value]) => value !== undefined);
  if (unfit === undefined) return pairs.join(",");
  throw new AllstopError("OPTION_INVALID", "a spec can't hold this parameter", { value: unfit[0], allowed: keyNames });
}
