// "N CPUs": a machine of that size and of a shape that people build, for when only the size matters.
//
// x86-64 follows the EPYC line: sockets of up to 64 cores, LLC domains of 8 to 16 cores, two threads per core. arm64
// follows Kunpeng 920 and AmpereOne: sockets of up to 128 cores without SMT, LLC domains of up to 32 cores.

import { AllstopError } from "../errors.ts";
import { buildTopology, type TopologyParameters } from "./builder.ts";
import { maxCpus, type Architecture, type Topology } from "./topology.ts";

interface Habits {
  readonly threads: number;
  readonly coresPerPackage: number;
  /**
   * An LLC domain is as close to this as an equal division of the package permits, and never above `mostCoresPerLlc`.
   */
  readonly coresPerLlc: number;
  readonly mostCoresPerLlc: number;
}

const habitsOf: Record<Architecture, Habits> = {
  "x86-64": { threads: 2, coresPerPackage: 64, coresPerLlc: 8, mostCoresPerLlc: 16 },
  arm64: { threads: 1, coresPerPackage: 128, coresPerLlc: 32, mostCoresPerLlc: 32 },
};

/** A machine with exactly `count` CPUs, 1 to 65,536. Throws OPTION_INVALID for any other count. */
export function topologyForCpus(count: number, architecture: Architecture): Topology {
  return buildTopology(parametersForCpus(count, architecture));
}

/**
 * The parameters of {@link topologyForCpus}. Packages are equal if the cores divide into at most a quarter more
 * packages than necessary; otherwise the last package is smaller. An odd CPU of a machine with SMT is a core's only
 * thread.
 */
export function parametersForCpus(count: number, architecture: Architecture): TopologyParameters {
  if (!Number.isInteger(count) || count < 1 || count > maxCpus) {
    throw new AllstopError("OPTION_INVALID", "number of CPUs", { value: count, allowed: `1 to ${maxCpus}` });
  }
  const habits = habitsOf[architecture];
  const threads = count === 1 ? 1 : habits.threads;
  const cores = Math.ceil(count / threads);
  const { packages, llcs, coresPerLlc } = equalShape(cores, habits) ?? unequalShape(cores, habits);
  const whole = packages * llcs * coresPerLlc * threads;
  return {
    name: `${count} CPUs`,
    architecture,
    packages,
    llcsPerDie: llcs,
    coresPerLlc,
    threadsPerCore: threads,
    ...(whole === count ? {} : { cpus: count }),
  };
}

interface PlausibleShape {
  readonly packages: number;
  readonly llcs: number;
  readonly coresPerLlc: number;
}

function equalShape(cores: number, habits: Habits): PlausibleShape | undefined {
  const least = Math.ceil(cores / habits.coresPerPackage);
  for (let packages = least; packages <= least * 1.25; packages++) {
    const llcs = llcsOf(cores / packages, habits);
    if (llcs !== undefined) return { packages, llcs, coresPerLlc: cores / packages / llcs };
  }
  return undefined;
}

/** How many LLC domains divide a package equally with the best size for each, or undefined. */
function llcsOf(cores: number, { coresPerLlc, mostCoresPerLlc }: Habits): number | undefined {
  if (!Number.isInteger(cores)) return undefined;
  for (let llcs = Math.ceil(cores / coresPerLlc); llcs * mostCoresPerLlc >= cores; llcs--) {
    if (llcs >= 1 && cores % llcs === 0) return llcs;
  }
  return undefined;
}

/** Packages that together hold at least the cores, the excess being less than a package. */
function unequalShape(cores: number, { coresPerPackage, coresPerLlc: best }: Habits): PlausibleShape {
  const balanced = Math.ceil(cores / Math.ceil(cores / coresPerPackage));
  const llcs = Math.ceil(balanced / best);
  const coresPerLlc = Math.ceil(balanced / llcs);
  return { packages: Math.ceil(cores / (llcs * coresPerLlc)), llcs, coresPerLlc };
}
