// What a machine is told, checked before anything is done.

import { MAX_CORES_PER_DOMAIN, MAX_CPUS, MAX_NODES, MAX_THREADS_PER_CORE } from "../abi.ts";
import type { MachineImage } from "./guest-image.ts";
import { AllstopError } from "../errors.ts";
import type { Architecture, Topology } from "../topology/index.ts";

/** What the core has room for; more would be refused without a reason. @throws CAPACITY_EXCEEDED */
export function checkCapacities({ cpus, counts }: Topology): void {
  const threadsOf = new Map<number, number>();
  const coresOf = new Map<number, Set<number>>();
  for (const { state, core, llc } of cpus) {
    if (state === "absent") continue;
    threadsOf.set(core, (threadsOf.get(core) ?? 0) + 1);
    coresOf.set(llc, (coresOf.get(llc) ?? new Set()).add(core));
  }
  checkCapacity("threads in one core", greatest(threadsOf.values()), MAX_THREADS_PER_CORE);
  checkCapacity(
    "cores in one LLC domain",
    greatest([...coresOf.values()].map(({ size }) => size)),
    MAX_CORES_PER_DOMAIN,
  );
  checkCapacity("NUMA nodes", counts.nodes, MAX_NODES);
  checkCapacity("CPU numbers", cpus.length, MAX_CPUS);
}

/** 0 for nothing; unlike Math.max, for any number of values. */
function greatest(values: Iterable<number>): number {
  let most = 0;
  for (const value of values) most = Math.max(most, value);
  return most;
}

function checkCapacity(what: string, value: number, most: number): void {
  if (value > most)
    throw new AllstopError("CAPACITY_EXCEEDED", `too many ${what}`, { value, allowed: `up to ${most}` });
}

/** @throws OPTION_INVALID */
export function checkWhole(what: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new AllstopError("OPTION_INVALID", what, { value, allowed: `a whole number from ${least} to ${most}` });
}

/** @throws OPTION_INVALID */
export function checkWord(what: string, value: bigint): void {
  if (value >= 0n && value < 1n << 64n) return;
  throw new AllstopError("OPTION_INVALID", what, { value, allowed: "0 to 2^64 - 1" });
}

/** Refuses what machines of one architecture only have. @throws OPTION_INVALID */
export function checkArchitecture(found: Architecture, needed: Architecture, what: string): void {
  if (found === needed) return;
  throw new AllstopError("OPTION_INVALID", `${what} exist on ${needed} only`, {
    value: found,
    allowed: `a machine with an ${needed} image`,
  });
}

/** What may be set while a machine runs: decoded instructions are kept. @throws OPTION_INVALID */
export function checkWritable({ segments }: MachineImage, address: number, bytes: number): void {
  const end = address + bytes;
  if (segments.some((one) => one.writable && one.address <= address && end <= one.address + one.memoryBytes)) return;
  throw new AllstopError("OPTION_INVALID", "address to set while the machine runs", {
    value: address,
    allowed: "writable segments of the image",
  });
}
