// The ids that hardware gives to CPUs: x2APIC ids packed as CPUID reports them, MPIDR affinities in the usual styles.
//
// x86: Intel SDM vol. 3A section 9.9 "Hierarchical mapping of shared resources": an id is a string of bit fields
// (thread, core, …, package from low to high), each as wide as its largest index needs, so ids are sparse where a
// count is no power of two. CPUID leaves 0xB and 0x1F report the widths; AMD packs the CCX as one more field.
//
// arm64: Arm ARM D23.2 MPIDR_EL1. What the fields mean is the implementer's choice; the styles below are in use.

import { AllstopError } from "../errors.ts";
import { nowhere, type Cpu } from "./topology.ts";

/** A CPU whose place is known and whose ids are not yet. */
export type PlacedCpu = Omit<Cpu, "apicId" | "mpidr">;

/**
 * `linear`: Aff0 = n % 16, Aff1 = n / 16 and so on, n being the CPU number, as QEMU's `virt` machine does with a GICv3
 * (hw/arm/virt.c, virt_cpu_mp_affinity). `cluster`: Aff0 = thread and core in its cluster, Aff1 = cluster in its
 * package, Aff2 and Aff3 = package (Cortex-A53 to A73). `multithreaded`: Aff0 = thread, Aff1 = core in its cluster,
 * Aff2 = cluster in its package, Aff3 = package (Neoverse, and all cores that set MPIDR_EL1.MT).
 */
export type MpidrStyle = "linear" | "cluster" | "multithreaded";

export const mpidrStyles: readonly MpidrStyle[] = ["linear", "cluster", "multithreaded"];

/** All ones addresses every APIC: Intel SDM vol. 3A section 11.12.9. */
export const apicIdBroadcast = 0xffff_ffff;

/** The register value with these affinities. */
export function mpidrOf(aff3: number, aff2: number, aff1: number, aff0: number): number {
  return aff3 * 2 ** 32 + aff2 * 2 ** 16 + aff1 * 2 ** 8 + aff0;
}

/** "Aff3.Aff2.Aff1.Aff0", each decimal. */
export function formatMpidr(mpidr: number): string {
  return [2 ** 32, 2 ** 16, 2 ** 8, 1].map((unit) => Math.floor(mpidr / unit) % 256).join(".");
}

/** Where a core sits, counted within what encloses it. */
interface CorePosition {
  readonly package: number;
  readonly dieInPackage: number;
  readonly llcInDie: number;
  readonly coreInLlc: number;
}

/** Counts the children of each parent, in the order in which they are first seen. */
class Ranks {
  #rankOf = new Map<number, number>();
  #countIn = new Map<number, number>();

  of(parent: number, child: number): number {
    const known = this.#rankOf.get(child);
    if (known !== undefined) return known;
    const rank = this.#countIn.get(parent) ?? 0;
    this.#countIn.set(parent, rank + 1);
    this.#rankOf.set(child, rank);
    return rank;
  }
}

/** One CPU of each core, by core index. */
function oneCpuOfEachCore(cpus: readonly PlacedCpu[]): PlacedCpu[] {
  const cores: PlacedCpu[] = [];
  for (const cpu of cpus) if (cpu.state !== "absent") cores[cpu.core] = cpu;
  return cores;
}

function corePositions(cpus: readonly PlacedCpu[]): CorePosition[] {
  const dies = new Ranks();
  const llcs = new Ranks();
  const cores = new Ranks();
  return oneCpuOfEachCore(cpus).map((cpu) => {
    // A cache may span dies; its share of each then counts as a domain of that die.
    const llcOfDie = cpu.die * 2 ** 20 + cpu.llc;
    return {
      package: cpu.package,
      dieInPackage: dies.of(cpu.package, cpu.die),
      llcInDie: llcs.of(cpu.die, llcOfDie),
      coreInLlc: cores.of(llcOfDie, cpu.core),
    };
  });
}

/** Bits that hold every index up to `largest`. */
function bitsFor(largest: number): number {
  return largest === 0 ? 0 : 32 - Math.clz32(largest);
}

/**
 * APIC ids by CPU number, packed as CPUID leaves 0xB and 0x1F describe. A machine so irregular that the fields need
 * more than 31 bits (none exists) gets its CPU numbers as ids.
 */
export function packedApicIds(cpus: readonly PlacedCpu[]): number[] {
  const positions = corePositions(cpus);
  const largest = { thread: 0, core: 0, llc: 0, die: 0, package: 0 };
  for (const cpu of cpus) largest.thread = Math.max(largest.thread, cpu.thread);
  for (const position of positions) {
    largest.core = Math.max(largest.core, position.coreInLlc);
    largest.llc = Math.max(largest.llc, position.llcInDie);
    largest.die = Math.max(largest.die, position.dieInPackage);
    largest.package = Math.max(largest.package, position.package);
  }
  const coreShift = bitsFor(largest.thread);
  const llcShift = coreShift + bitsFor(largest.core);
  const dieShift = llcShift + bitsFor(largest.llc);
  const packageShift = dieShift + bitsFor(largest.die);
  const fits = packageShift + bitsFor(largest.package) <= 31;
  return cpus.map((cpu) => {
    const at = positions[cpu.core];
    if (at === undefined) return nowhere;
    if (!fits) return cpu.number;
    const core = (at.coreInLlc << coreShift) | (at.llcInDie << llcShift);
    return cpu.thread | core | (at.dieInPackage << dieShift) | (at.package << packageShift);
  });
}

/** Least bits of an APIC id that may differ within a core, a last-level cache's domain, a die, a package. */
export interface ApicIdShifts {
  readonly core: number;
  readonly llc: number;
  readonly die: number;
  readonly package: number;
}

/** The field boundaries of a machine's APIC ids, whoever chose them. A cache that spans dies counts in its widest share. */
export function apicIdShifts(cpus: readonly Cpu[]): ApicIdShifts {
  const within = (level: "core" | "llc" | "die" | "package"): number => {
    const firstIds = new Map<number, number>();
    let different = 0;
    for (const cpu of cpus) {
      if (cpu.state === "absent") continue;
      const first = firstIds.get(cpu[level]) ?? cpu.apicId;
      firstIds.set(cpu[level], first);
      different |= first ^ cpu.apicId;
    }
    return 32 - Math.clz32(different);
  };
  return { core: within("core"), llc: within("llc"), die: within("die"), package: within("package") };
}

/** MPIDR affinities by CPU number. `clusterCores` is the size of a cluster; undefined makes each LLC domain one. */
export function styledMpidrs(cpus: readonly PlacedCpu[], style: MpidrStyle, clusterCores?: number): number[] {
  if (style === "linear") return cpus.map((cpu) => (cpu.state === "absent" ? nowhere : linearMpidr(cpu.number)));
  const size = clusterCores ?? Infinity;
  const coresInLlc = new Ranks();
  const clustersInPackage = new Ranks();
  const positions = oneCpuOfEachCore(cpus).map((cpu) => {
    const coreInLlc = coresInLlc.of(cpu.llc, cpu.core);
    const clusterInLlc = size === Infinity ? 0 : Math.floor(coreInLlc / size);
    const cluster = clustersInPackage.of(cpu.package, cpu.llc * 2 ** 20 + clusterInLlc);
    return { cluster, coreInCluster: size === Infinity ? coreInLlc : coreInLlc % size };
  });
  const threads = cpus.reduce((most, cpu) => Math.max(most, cpu.thread + 1), 1);
  return cpus.map((cpu) => {
    const at = positions[cpu.core];
    if (at === undefined) return nowhere;
    if (style === "multithreaded")
      return checkedMpidr(cpu, style, cpu.package, at.cluster, at.coreInCluster, cpu.thread);
    const aff0 = at.coreInCluster * threads + cpu.thread;
    return checkedMpidr(cpu, style, cpu.package >> 8, cpu.package & 0xff, at.cluster, aff0);
  });
}

/** Aff0 stops at 15 because that is what one write of a GICv3's SGI register can address. */
function linearMpidr(number: number): number {
  return mpidrOf(0, number >> 12, (number >> 4) & 0xff, number & 0xf);
}

function checkedMpidr(cpu: PlacedCpu, style: MpidrStyle, ...fields: [number, number, number, number]): number {
  const level = fields.findIndex((field) => field > 0xff);
  if (level < 0) return mpidrOf(...fields);
  const what = `CPU ${cpu.number} needs an Aff${3 - level} of more than eight bits in MPIDR style "${style}"`;
  throw new AllstopError("TOPOLOGY_INVALID", what, { at: "mpidrs", value: fields[level], allowed: "0 to 255" });
}
