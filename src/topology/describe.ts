// A picture of a topology for people: what encloses what, how often, and which CPUs, in a few lines whatever its size.

import { formatCpuList } from "./cpulist.ts";
import { formatMpidr } from "./hardware-ids.ts";
import { nodeDistance, nowhere, type Cpu, type Topology } from "./topology.ts";

/** Lines of the picture of packages; an irregular machine is cut there. */
const mostTreeLines = 24;
/** Nodes up to which the distance matrix is printed. */
const mostMatrixNodes = 8;
const mostListCharacters = 48;

/** At most about 45 lines, whatever the size. Equal things next to each other are drawn once, with their number. */
export function describeTopology(topology: Topology): string[] {
  return [
    ...heading(topology),
    "",
    ...picture(topology),
    "",
    ...unusualCpus(topology),
    ...idRanges(topology),
    ...memory(topology),
  ];
}

function heading({ name, architecture, timingModel, counts, hwloc }: Topology): string[] {
  const facts = [architecture ?? "architecture unknown", timingModel && `timing ${timingModel}`];
  if (hwloc !== undefined) facts.push(`hwloc schema ${hwloc.schema}`);
  const size = [
    plural(counts.packages, "package"),
    counts.dies === counts.packages ? undefined : plural(counts.dies, "die"),
    plural(counts.llcs, "LLC domain"),
    plural(counts.cores, "core"),
    plural(counts.nodes, "NUMA node"),
  ];
  const online = counts.online === counts.complete ? "" : `, ${counts.online.toLocaleString("en-US")} online`;
  return [
    `${name} (${facts.filter((fact) => fact !== undefined).join(", ")})`,
    `${plural(counts.complete, "CPU")}${online}: ${size.filter((part) => part !== undefined).join(", ")}`,
  ];
}

function plural(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}

/** A package, die, LLC domain or core. Two look alike if their labels, which tell all that they enclose, are equal. */
interface Part {
  readonly noun: string;
  readonly label: string;
  readonly children: readonly Part[];
  readonly cpus: readonly number[];
}

/** Neighbours that look alike. */
interface Run {
  readonly parts: readonly Part[];
  readonly first: Part;
  readonly last: Part;
}

function picture(topology: Topology): string[] {
  const present = topology.cpus.filter((cpu) => cpu.state !== "absent");
  const { counts } = topology;
  const levels: Level[] = [{ group: "package", noun: "package" }];
  if (counts.dies > counts.packages) levels.push({ group: "die", noun: "die" });
  levels.push({ group: "llc", noun: "LLC domain" }, { group: "core", noun: "core" });
  const lines = draw(runsOf(partsOf(present, levels)));
  if (lines.length <= mostTreeLines) return lines;
  return [...lines.slice(0, mostTreeLines), `… ${lines.length - mostTreeLines} more lines`];
}

interface Level {
  readonly group: "package" | "die" | "llc" | "core";
  readonly noun: string;
}

/** The parts at the first of the levels that CPUs form, in order of index, each with its parts at the other levels. */
function partsOf(cpus: readonly Cpu[], [level, ...inner]: readonly Level[]): Part[] {
  if (level === undefined) return [];
  const members = new Map<number, Cpu[]>();
  for (const cpu of cpus) {
    const known = members.get(cpu[level.group]);
    if (known === undefined) members.set(cpu[level.group], [cpu]);
    else known.push(cpu);
  }
  const inOrder = [...members].sort(([a], [b]) => a - b);
  return inOrder.map(([, own]) => {
    const children = partsOf(own, inner);
    const noun = level.group === "core" ? coreNoun(own) : level.noun;
    const content = runsOf(children).map((run) => `${run.parts.length}x[${run.first.label}]`);
    return { noun, label: [noun, ...content].join(" "), children, cpus: own.map((cpu) => cpu.number) };
  });
}

function coreNoun(threads: readonly Cpu[]): string {
  const offline = threads.filter((cpu) => cpu.state === "offline").length;
  const note = offline === 0 ? "" : offline === threads.length ? ", offline" : `, ${offline} offline`;
  return `core of ${plural(threads.length, "thread")}${note}`;
}

function runsOf(parts: readonly Part[]): Run[] {
  const runs: Part[][] = [];
  for (const part of parts) {
    const current = runs.at(-1);
    if (current?.[0]?.label === part.label) current.push(part);
    else runs.push([part]);
  }
  return runs.flatMap((run) => {
    const [first, last] = [run[0], run.at(-1)];
    return first === undefined || last === undefined ? [] : [{ parts: run, first, last }];
  });
}

/** The lines of parts that are enclosed by the same thing; `indent` is undefined at the top. */
function draw(runs: readonly Run[], indent?: string): string[] {
  return runs.flatMap(({ parts, first, last }, index) => {
    const isLast = index === runs.length - 1;
    const branch = indent === undefined ? "" : `${indent}${isLast ? "└ " : "├ "}`;
    const sample = parts.length === 1 ? listOf(first.cpus) : `${listOf(first.cpus)} … ${listOf(last.cpus)}`;
    const line = `${branch}${parts.length} × ${first.noun}: CPUs ${sample}`;
    const inner = indent === undefined ? "" : `${indent}${isLast ? "  " : "│ "}`;
    return [line, ...draw(runsOf(first.children), inner)];
  });
}

function listOf(numbers: readonly number[]): string {
  const list = formatCpuList(numbers);
  if (list.length <= mostListCharacters) return list;
  return `${list.slice(0, list.lastIndexOf(",", mostListCharacters))},… (${numbers.length})`;
}

function unusualCpus({ cpus, counts }: Topology): string[] {
  const numbersOf = (wanted: (cpu: Cpu) => boolean) => listOf(cpus.filter(wanted).map((cpu) => cpu.number));
  const lines = [];
  if (counts.online < counts.complete) lines.push(`offline: CPUs ${numbersOf((cpu) => cpu.state === "offline")}`);
  if (counts.complete < cpus.length) lines.push(`absent: numbers ${numbersOf((cpu) => cpu.state === "absent")}`);
  if (counts.allowed < counts.complete) lines.push(`allowed: CPUs ${numbersOf((cpu) => cpu.allowed)}`);
  return lines;
}

function idRanges({ cpus, counts }: Topology): string[] {
  const present = cpus.filter((cpu) => cpu.state !== "absent");
  const apic = rangeOf(present.map((cpu) => cpu.apicId));
  const mpidr = rangeOf(present.map((cpu) => cpu.mpidr));
  const gaps = apic.high - apic.low + 1 === counts.complete ? "" : ", with gaps";
  return [
    `CPU numbers 0 to ${cpus.length - 1}`,
    `APIC ids 0x${apic.low.toString(16)} to 0x${apic.high.toString(16)}${gaps}`,
    `MPIDR Aff3.2.1.0 ${formatMpidr(mpidr.low)} to ${formatMpidr(mpidr.high)}`,
  ];
}

/** Not by spreading into Math.min: 65,536 arguments are too many for some engines. */
function rangeOf(ids: readonly number[]): { low: number; high: number } {
  return {
    low: ids.reduce((low, id) => Math.min(low, id), Infinity),
    high: ids.reduce((high, id) => Math.max(high, id), 0),
  };
}

function memory(topology: Topology): string[] {
  const { nodes, distances } = topology;
  if (nodes.length === 1) return [];
  const origin = distances === undefined ? "derived, the source lists none" : "as listed";
  return [`NUMA distances, ${origin}:`, ...(nodes.length <= mostMatrixNodes ? matrix(topology) : histogram(topology))];
}

function matrix(topology: Topology): string[] {
  const cell = (value: number | string) => String(value).padStart(5);
  const rows = topology.nodes.map(({ number, package: home }, from) => {
    const row = topology.nodes.map((_, to) => cell(nodeDistance(topology, from, to))).join("");
    return `${cell(number)}${row}${home === nowhere ? "" : `   package ${home}`}`;
  });
  return [`${cell("node")}${topology.nodes.map((node) => cell(node.number)).join("")}`, ...rows];
}

/** How often each distance occurs; the widest few only. */
function histogram(topology: Topology): string[] {
  const { nodes, distances } = topology;
  if (distances === undefined) return ["10 to itself, 12 within a package, 20 otherwise"];
  const pairs = new Map<number, number>();
  for (const row of distances) for (const distance of row) pairs.set(distance, (pairs.get(distance) ?? 0) + 1);
  const inOrder = [...pairs].sort(([a], [b]) => a - b);
  const shown = inOrder.length <= 8 ? inOrder : [...inOrder.slice(0, 4), ...inOrder.slice(-2)];
  const parts = shown.map(([distance, count]) => `${distance} (${count.toLocaleString("en-US")})`);
  if (shown.length < inOrder.length) parts.splice(4, 0, "…");
  return [`${parts.join(", ")}: ordered pairs of ${nodes.length} nodes`];
}
