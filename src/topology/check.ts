// What must hold for any topology, whatever it was made from; `checkTopology` refuses one that no machine can have.

import { AllstopError } from "../errors.ts";
import { apicIdBroadcast } from "./hardware-ids.ts";
import { maxCpus, nowhere, type Cpu, type Topology } from "./topology.ts";

function refuse(what: string, at: string, value?: unknown, allowed?: string): never {
  throw new AllstopError("TOPOLOGY_INVALID", what, { at, value, ...(allowed === undefined ? {} : { allowed }) });
}

/**
 * Throws TOPOLOGY_INVALID unless the CPU numbers match their places in the list, at least one CPU is online, all
 * indices are dense and nest (thread in core in LLC domain in package, die in package), ids are unique and in range,
 * and the distances are a SLIT of the nodes. O(CPUs + nodes²).
 */
export function checkTopology(topology: Topology): void {
  const { cpus } = topology;
  if (cpus.length < 1 || cpus.length > maxCpus) refuse("number of CPU numbers", "cpus", cpus.length, `1 to ${maxCpus}`);
  const present = cpus.filter((cpu, index) => checkNumber(cpu, index));
  if (!present.some((cpu) => cpu.state === "online")) refuse("no CPU is online", "cpus");
  checkGroups(topology, present);
  checkIds(present);
  checkDistances(topology);
}

/** Whether the CPU is present. */
function checkNumber(cpu: Cpu, index: number): boolean {
  if (cpu.number !== index) refuse("a CPU out of its place", `cpus[${index}].number`, cpu.number, `${index}`);
  return cpu.state !== "absent";
}

function checkGroups(topology: Topology, present: readonly Cpu[]): void {
  const { counts, nodes } = topology;
  if (counts.complete !== present.length) {
    refuse("number of CPUs", "counts.complete", counts.complete, `${present.length}`);
  }
  checkDense(present, "package", counts.packages);
  checkDense(present, "die", counts.dies);
  checkDense(present, "llc", counts.llcs);
  checkDense(present, "core", counts.cores);
  checkNesting(present, "die", counts.dies, "package");
  checkNesting(present, "llc", counts.llcs, "package");
  checkNesting(present, "core", counts.cores, "llc");
  checkNesting(present, "core", counts.cores, "die");
  checkThreads(present, counts.cores);
  if (nodes.length !== counts.nodes) refuse("number of nodes", "counts.nodes", counts.nodes, `${nodes.length}`);
  for (const cpu of present) {
    if (nodes[cpu.node] === undefined) refuse("no such NUMA node", `cpus[${cpu.number}].node`, cpu.node);
  }
}

type Group = "package" | "die" | "llc" | "core";

function checkDense(present: readonly Cpu[], group: Group, count: number): void {
  const valid = Number.isInteger(count) && count >= 1 && count <= present.length;
  if (!valid) refuse(`number of "${group}"`, "counts", count, `1 to ${present.length}`);
  const seen = new Uint8Array(count);
  let distinct = 0;
  for (const cpu of present) {
    const index = cpu[group];
    // A typed array has an element at whole numbers in its range only.
    const before = seen[index];
    if (before === undefined) refuse("no such index", `cpus[${cpu.number}].${group}`, index, `0 to ${count - 1}`);
    if (before === 0) distinct++;
    seen[index] = 1;
  }
  if (distinct < count) refuse(`only ${distinct} of ${count} have a CPU`, group);
}

/** Indices are known to be dense. */
function checkNesting(present: readonly Cpu[], inner: Group, innerCount: number, outer: Group): void {
  const outerOf = new Int32Array(innerCount).fill(nowhere);
  for (const cpu of present) {
    const known = outerOf[cpu[inner]];
    if (known === nowhere) outerOf[cpu[inner]] = cpu[outer];
    else if (known !== cpu[outer]) {
      refuse(`${inner} ${cpu[inner]} in two of "${outer}"`, `cpus[${cpu.number}].${outer}`, cpu[outer], `${known}`);
    }
  }
}

/** The threads of a core are numbered 0, 1, 2 … in order of CPU number. */
function checkThreads(present: readonly Cpu[], cores: number): void {
  const next = new Int32Array(cores);
  for (const { number, core, thread } of present) {
    const expected = next[core] ?? 0;
    if (thread !== expected) refuse("a thread out of order", `cpus[${number}].thread`, thread, `${expected}`);
    next[core] = expected + 1;
  }
}

function checkIds(present: readonly Cpu[]): void {
  for (const { number, apicId, mpidr } of present) {
    if (!Number.isInteger(apicId) || apicId < 0 || apicId >= apicIdBroadcast) {
      refuse(
        "not an APIC id",
        `cpus[${number}].apicId`,
        apicId,
        `0 to ${apicIdBroadcast - 1}, all ones being broadcast`,
      );
    }
    if (!Number.isInteger(mpidr) || mpidr < 0 || mpidr >= 2 ** 40 || Math.floor(mpidr / 2 ** 24) % 256 !== 0) {
      refuse("not affinities of MPIDR_EL1", `cpus[${number}].mpidr`, mpidr, "bits 39:32 and 23:0");
    }
  }
  checkUnique(present, "apicId");
  checkUnique(present, "mpidr");
}

function checkUnique(present: readonly Cpu[], id: "apicId" | "mpidr"): void {
  if (new Set(present.map((cpu) => cpu[id])).size === present.length) return;
  const owners = new Map<number, number>();
  for (const cpu of present) {
    const twin = owners.get(cpu[id]);
    if (twin !== undefined) refuse(`the ${id} of CPU ${twin} once more`, `cpus[${cpu.number}].${id}`, cpu[id]);
    owners.set(cpu[id], cpu.number);
  }
}

/** ACPI 6.5 section 5.2.17: 10 is local, lower values are reserved, 255 is unreachable; asymmetry is allowed. */
function checkDistances({ distances, nodes, counts }: Topology): void {
  for (const [index, node] of nodes.entries()) {
    const known = node.package === nowhere || (node.package >= 0 && node.package < counts.packages);
    if (!known) refuse("no such package", `nodes[${index}].package`, node.package);
  }
  if (distances === undefined) return;
  const square = distances.length === nodes.length && distances.every((row) => row.length === nodes.length);
  if (!square) refuse("not a square of all nodes", "distances", distances.length, `${nodes.length} by ${nodes.length}`);
  for (const [from, row] of distances.entries()) {
    for (const [to, distance] of row.entries()) {
      const valid = from === to ? distance === 10 : Number.isInteger(distance) && distance >= 10 && distance <= 255;
      if (!valid) refuse("not a distance", `distances[${from}][${to}]`, distance, from === to ? "10" : "10 to 255");
    }
  }
}
