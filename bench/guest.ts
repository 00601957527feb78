// Guest programs of the instruction benchmarks: endless loops on private, shared and contended data.

import { Machine } from "allstop/machine";
import { findTimingModel } from "allstop";
import { topologyForCpus, type Architecture } from "allstop/topology";
import { array, buildImage, global, nothing, ptr, routine, struct, u32, u64, type Value } from "allstop/asm";

export const MOST_CPUS = 4096;
export const WORDS = 64;
export const MULTIPLIER = 0x9e37_79b9;

/** What one CPU works on: 64 words, then the number of turns done. */
const Area = struct("bench_area", { words: array(u32, WORDS), turns: u64, reserved: array(u64, 31) });
export const AREA_BYTES = 512;
export const TURNS_OFFSET = 4 * WORDS;

export const areas = global("bench_areas", array(Area, MOST_CPUS), { align: 4096 });
export const shared = global("bench_shared", array(u32, WORDS), { align: 4096 });
export const counter = global("bench_counter", u64, { align: 64 });

/** Value after a turn: what memory holds is drawn in, so that no turn can be skipped. */
function mixed(value: Value<"u32">, word: Value<"u32">): Value<"u32"> {
  return value.mul(MULTIPLIER).add(word).xor(value.shr(7));
}

/** Loads, multiplies, shifts and stores, on private data. */
export const privateWork = routine("private_work", { area: ptr(Area) }, nothing, (k, { area }) => {
  const value = k.let("value", 1, u32);
  const index = k.let("index", 0, u32);
  k.loop(() => {
    k.set(value, mixed(value, area.words.at(index)));
    k.set(area.words.at(index), value);
    k.set(index, index.add(1).and(WORDS - 1));
    k.set(area.turns, area.turns.add(1));
  });
});

/** The same, but what it loads all CPUs load. */
export const sharedReadWork = routine("shared_read_work", { area: ptr(Area) }, nothing, (k, { area }) => {
  const value = k.let("value", 1, u32);
  const index = k.let("index", 0, u32);
  k.loop(() => {
    k.set(value, mixed(value, shared.at(index)));
    k.set(index, index.add(1).and(WORDS - 1));
    k.set(area.words.at(0), value);
    k.set(area.turns, area.turns.add(1));
  });
});

/** Everybody adds to one counter, and counts for itself. */
export const contendedWork = routine("contended_work", { area: ptr(Area) }, nothing, (k, { area }) => {
  k.loop(() => {
    k.atomicAdd(counter, 1);
    k.set(area.turns, area.turns.add(1));
  });
});

/** A machine whose CPUs all run one of the above. */
export async function machineRunning(
  work: { readonly name: string },
  architecture: Architecture,
  cpus: number,
): Promise<Machine> {
  const image = buildImage({
    architecture,
    roots: [privateWork, sharedReadWork, contendedWork, areas, shared, counter],
  });
  const topology = topologyForCpus(cpus, architecture);
  const machine = await Machine.create({
    topology,
    timing: findTimingModel(topology.timingModel ?? `generic-${architecture === "arm64" ? "arm64" : "x86"}`),
    image,
  });
  for (let cpu = 0; cpu < cpus; cpu++) {
    machine.start(cpu, work.name, { argument: BigInt(machine.address("bench_areas") + cpu * AREA_BYTES) });
  }
  return machine;
}
