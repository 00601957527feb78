// Builds regular machines from counts: so many packages of so many dies of so many LLC domains of so many cores of so
// many threads, with CPU numbers dealt the way an operating system does and, if wanted, holes and offline CPUs.

import { AllstopError } from "../errors.ts";
import { absentCpu, assemble } from "./assemble.ts";
import { parseCpuList, type CpuList } from "./cpulist.ts";
import type { MpidrStyle, PlacedCpu } from "./hardware-ids.ts";
import {
  genericTimingModel,
  maxCpus,
  type Architecture,
  type CpuState,
  type NumaNode,
  type Topology,
} from "./topology.ts";

/**
 * How CPU numbers are dealt to threads. `thread-major`: thread 0 of all cores, then thread 1 of all cores, as x86
 * firmware lists them. `core-major`: all threads of a core, then the next core, as arm64 firmware does.
 * `package-interleaved`: like thread-major, but consecutive numbers go to different packages (some two-socket servers).
 */
export type Numbering = "thread-major" | "core-major" | "package-interleaved";

export const numberings: readonly Numbering[] = ["thread-major", "core-major", "package-interleaved"];

/** A machine in few words. It is plain data, so a document can hold it. */
export interface TopologyParameters {
  readonly name?: string;
  readonly architecture?: Architecture;
  /** Default: the generic one of the architecture. */
  readonly timingModel?: string;
  readonly packages: number;
  /** Default 1. */
  readonly diesPerPackage?: number;
  /** Default 1. */
  readonly llcsPerDie?: number;
  readonly coresPerLlc: number;
  /** Default 1. */
  readonly threadsPerCore?: number;
  /** NUMA nodes, each an equal share of the package's cores; default 1. */
  readonly nodesPerPackage?: number;
  /** The machine ends after this many threads of the shape, so that the last package is smaller. Default: all. */
  readonly cpus?: number;
  /** Default: "core-major" for arm64, otherwise "thread-major". */
  readonly numbering?: Numbering;
  /** CPU numbers that are skipped when numbers are dealt. */
  readonly absent?: CpuList;
  readonly offline?: CpuList;
  /** Default: all CPUs. */
  readonly allowed?: CpuList;
  /** SLIT of all nodes. Default: none; `nodeDistance` then derives one. */
  readonly distances?: readonly (readonly number[])[];
  /** One for each CPU in ascending order of number. Default: packed as CPUID reports them. */
  readonly apicIds?: readonly number[];
  /** A style, or one for each CPU in ascending order of number. Default "linear". */
  readonly mpidrs?: MpidrStyle | readonly number[];
  /** Cores per MPIDR cluster; default: the cores of an LLC domain. */
  readonly clusterCores?: number;
}

const parameterNames: Record<keyof TopologyParameters, true> = {
  name: true,
  architecture: true,
  timingModel: true,
  packages: true,
  diesPerPackage: true,
  llcsPerDie: true,
  coresPerLlc: true,
  threadsPerCore: true,
  nodesPerPackage: true,
  cpus: true,
  numbering: true,
  absent: true,
  offline: true,
  allowed: true,
  distances: true,
  apicIds: true,
  mpidrs: true,
  clusterCores: true,
};

/** The counts of a regular machine, all present and checked. */
interface Shape {
  readonly packages: number;
  readonly dies: number;
  readonly llcs: number;
  readonly cores: number;
  readonly threads: number;
  readonly nodes: number;
  readonly coresPerPackage: number;
  readonly cpus: number;
}

/** Throws TOPOLOGY_INVALID, or OPTION_INVALID for a malformed CPU list, naming the parameter. O(CPUs + nodes²). */
export function buildTopology(parameters: TopologyParameters): Topology {
  checkKinds(parameters);
  const shape = checkShape(parameters);
  const { architecture, apicIds, mpidrs, clusterCores } = parameters;
  const numbering = checkNumbering(parameters);
  if (clusterCores !== undefined) wholeNumber("clusterCores", clusterCores, maxCpus);
  const cpus = placeCpus(shape, numbering, parameters);
  return assemble(
    {
      name: parameters.name ?? shapeName(shape),
      architecture,
      timingModel: parameters.timingModel ?? genericTimingModel(architecture),
      cpus,
      nodes: nodesOf(cpus, shape),
      distances: parameters.distances,
      hwloc: undefined,
    },
    { apicIds, mpidrs, clusterCores },
  );
}

function refuse(at: string, what: string, value: unknown, allowed: string): never {
  throw new AllstopError("TOPOLOGY_INVALID", what, { at, value, allowed });
}

/** JSON and JavaScript can hand over anything. */
function checkKinds(parameters: TopologyParameters): void {
  for (const name of Object.keys(parameters)) {
    if (!Object.hasOwn(parameterNames, name)) {
      refuse(name, "no such parameter", name, Object.keys(parameterNames).join(", "));
    }
  }
  const { name, timingModel, architecture, distances, apicIds } = parameters;
  if (name !== undefined && typeof name !== "string") refuse("name", "not a name", name, "a text");
  if (timingModel !== undefined && typeof timingModel !== "string") {
    refuse("timingModel", "not the id of a timing model", timingModel, "a text");
  }
  if (architecture !== undefined && architecture !== "x86-64" && architecture !== "arm64") {
    refuse("architecture", "no such architecture", architecture, "x86-64, arm64");
  }
  if (distances !== undefined && !(Array.isArray(distances) && distances.every(Array.isArray))) {
    refuse("distances", "not a matrix", distances, "a list of rows");
  }
  if (apicIds !== undefined && !Array.isArray(apicIds)) refuse("apicIds", "not a list", apicIds, "a list of numbers");
}

function wholeNumber(at: string, value: number, most: number, least = 1): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  return refuse(at, "not a count", value, `${least} to ${most}`);
}

function checkShape(parameters: TopologyParameters): Shape {
  const { diesPerPackage = 1, llcsPerDie = 1, threadsPerCore = 1, nodesPerPackage = 1 } = parameters;
  const packages = wholeNumber("packages", parameters.packages, maxCpus);
  const dies = wholeNumber("diesPerPackage", diesPerPackage, maxCpus);
  const llcs = wholeNumber("llcsPerDie", llcsPerDie, maxCpus);
  const cores = wholeNumber("coresPerLlc", parameters.coresPerLlc, maxCpus);
  const threads = wholeNumber("threadsPerCore", threadsPerCore, maxCpus);
  const coresPerPackage = dies * llcs * cores;
  const cpusPerPackage = coresPerPackage * threads;
  const all = packages * cpusPerPackage;
  // With "cpus" the shape may be larger than the machine, but by less than a package.
  const most = parameters.cpus === undefined ? maxCpus : 2 * maxCpus;
  if (all > most) refuse("packages", "too many CPUs", all, `at most ${maxCpus}`);
  const cpus = wholeNumber("cpus", parameters.cpus ?? all, Math.min(all, maxCpus), all - cpusPerPackage + 1);
  const nodes = wholeNumber("nodesPerPackage", nodesPerPackage, coresPerPackage);
  if (coresPerPackage % nodes !== 0) {
    refuse("nodesPerPackage", "nodes of unequal size", nodes, `a divisor of the ${coresPerPackage} cores of a package`);
  }
  return { packages, dies, llcs, cores, threads, nodes, coresPerPackage, cpus };
}

function checkNumbering({ numbering, architecture }: TopologyParameters): Numbering {
  if (numbering === undefined) return architecture === "arm64" ? "core-major" : "thread-major";
  if (numberings.includes(numbering)) return numbering;
  return refuse("numbering", "no such numbering", numbering, numberings.join(", "));
}

function shapeName({ packages, dies, llcs, cores, threads, cpus }: Shape): string {
  const all = packages * dies * llcs * cores * threads;
  return `${packages}x${dies}x${llcs}x${cores}x${threads}${all === cpus ? "" : `, ${cpus} CPUs`}`;
}

/** CPUs by number, holes included. */
function placeCpus(shape: Shape, numbering: Numbering, parameters: TopologyParameters): PlacedCpu[] {
  const absent = parseCpuList(parameters.absent ?? "", "absent");
  const offline = parseCpuList(parameters.offline ?? "", "offline");
  const allowed = parameters.allowed === undefined ? undefined : parseCpuList(parameters.allowed, "allowed");
  const cpus: PlacedCpu[] = [];
  for (const thread of threadsInOrder(shape, numbering)) {
    while (absent.has(cpus.length)) cpus.push(absentCpu(cpus.length));
    const number = cpus.length;
    if (number >= maxCpus) refuse("absent", "CPU numbers run out", number, `numbers below ${maxCpus}`);
    const state = offline.has(number) ? "offline" : "online";
    cpus.push(placedCpu(shape, thread, number, state, allowed?.has(number) ?? true));
  }
  checkPresent("offline", offline, cpus);
  if (allowed !== undefined) checkPresent("allowed", allowed, cpus);
  const beyond = [...absent].find((number) => number >= cpus.length);
  if (beyond !== undefined) refuse("absent", "a hole beyond the last CPU", beyond, `below ${cpus.length}`);
  return cpus;
}

function checkPresent(at: string, listed: ReadonlySet<number>, cpus: readonly PlacedCpu[]): void {
  for (const number of listed) {
    const state = cpus[number]?.state ?? "absent";
    if (state === "absent") refuse(at, "no such CPU", number, `CPUs that are present, up to ${cpus.length - 1}`);
  }
}

/** Threads of the machine, counted package by package, in the order in which they get CPU numbers. */
function* threadsInOrder(shape: Shape, numbering: Numbering): Generator<number> {
  const { packages, threads, coresPerPackage, cpus } = shape;
  if (numbering === "core-major") {
    for (let thread = 0; thread < cpus; thread++) yield thread;
    return;
  }
  const cores = packages * coresPerPackage;
  for (let sibling = 0; sibling < threads; sibling++) {
    for (let turn = 0; turn < cores; turn++) {
      const interleaved = (turn % packages) * coresPerPackage + Math.floor(turn / packages);
      const thread = (numbering === "thread-major" ? turn : interleaved) * threads + sibling;
      if (thread < cpus) yield thread;
    }
  }
}

function placedCpu(shape: Shape, at: number, number: number, state: CpuState, allowed: boolean): PlacedCpu {
  const core = Math.floor(at / shape.threads);
  const llc = Math.floor(core / shape.cores);
  const die = Math.floor(llc / shape.llcs);
  const home = Math.floor(die / shape.dies);
  const share = Math.floor(((core % shape.coresPerPackage) * shape.nodes) / shape.coresPerPackage);
  const node = home * shape.nodes + share;
  return { number, state, allowed, package: home, die, llc, core, thread: at % shape.threads, node };
}

function nodesOf(cpus: readonly PlacedCpu[], { nodes }: Shape): NumaNode[] {
  const count = cpus.reduce((most, cpu) => Math.max(most, cpu.node + 1), 0);
  return Array.from({ length: count }, (_, number) => ({ number, package: Math.floor(number / nodes) }));
}
