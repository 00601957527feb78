// Writes a topology as hwloc XML, the way lstopo would have: a second opinion on the format for tests of the loader.

import type { Cpu, Topology } from "../../src/topology/index.ts";

type Schema = "1.x" | "2.0";

/** `0x…` words of a set, highest first. */
export function cpusetText(cpus: readonly number[]): string {
  const words: number[] = [0];
  for (const cpu of cpus) {
    const index = Math.floor(cpu / 32);
    for (let missing = words.length; missing <= index; missing++) words.push(0);
    words[index] = ((words[index] ?? 0) | (1 << (cpu % 32))) >>> 0;
  }
  const text = words.map((word, index) => (word === 0 && index > 0 && index < words.length - 1 ? "" : hex(word)));
  return text.reverse().join(",");
}

function hex(word: number): string {
  return `0x${word.toString(16).padStart(8, "0")}`;
}

function groupBy(cpus: readonly Cpu[], level: "package" | "die" | "llc" | "core" | "node"): Cpu[][] {
  const groups = new Map<number, Cpu[]>();
  for (const cpu of cpus) groups.set(cpu[level], [...(groups.get(cpu[level]) ?? []), cpu]);
  return [...groups].sort(([a], [b]) => a - b).map(([, members]) => members);
}

/**
 * Schema 2: offline CPUs aren't listed and are in complete sets only; NUMA nodes are children of the machine. Schema 1:
 * offline CPUs are listed and not in online_cpuset; NUMA nodes enclose packages, so none may be smaller.
 */
export function writeHwloc(topology: Topology, schema: Schema): string {
  const present = topology.cpus.filter((cpu) => cpu.state !== "absent");
  const old = schema === "1.x";
  const sets = (cpus: readonly Cpu[]) => {
    const numbers = (wanted: readonly Cpu[]) => cpusetText(wanted.map((cpu) => cpu.number));
    const online = cpus.filter((cpu) => cpu.state === "online");
    const usual = `cpuset="${numbers(old ? cpus : online)}" complete_cpuset="${numbers(cpus)}"`;
    return old ? `${usual} online_cpuset="${numbers(online)}"` : usual;
  };
  const open = (type: string, cpus: readonly Cpu[], more = "") => `<object type="${type}" ${sets(cpus)} ${more}>`;
  const core = (threads: readonly Cpu[]) => [
    open("Core", threads),
    ...threads
      .filter((cpu) => old || cpu.state === "online")
      .map((cpu) => `<object type="PU" os_index="${cpu.number}" ${sets([cpu])}/>`),
    "</object>",
  ];
  const llc = (cpus: readonly Cpu[]) => [
    old ? open("Cache", cpus, 'depth="3" cache_type="0"') : open("L3Cache", cpus, 'depth="3" cache_type="0"'),
    ...groupBy(cpus, "core").flatMap(core),
    "</object>",
  ];
  const die = (cpus: readonly Cpu[]) => [open("Die", cpus), ...groupBy(cpus, "llc").flatMap(llc), "</object>"];
  const pack = (cpus: readonly Cpu[]) => [
    open(old ? "Socket" : "Package", cpus),
    ...groupBy(cpus, "die").flatMap(die),
    "</object>",
  ];
  const node = (cpus: readonly Cpu[]) => open("NUMANode", cpus, `os_index="${cpus[0]?.node ?? 0}"`);
  const inner = old
    ? groupBy(present, "node").flatMap((cpus) => [node(cpus), ...groupBy(cpus, "package").flatMap(pack), "</object>"])
    : [
        ...groupBy(present, "node").map((cpus) => `${node(cpus)}</object>`),
        ...groupBy(present, "package").flatMap(pack),
      ];
  const allowed = `allowed_cpuset="${cpusetText(present.filter((cpu) => cpu.allowed).map((cpu) => cpu.number))}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    old ? "<topology>" : '<topology version="2.0">',
    open("Machine", present, allowed),
    ...inner,
    "</object>",
    "</topology>",
  ].join("\n");
}
