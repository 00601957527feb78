// Runs the guest programs of guests.ts on a machine and reads off what the publications' tools print.

import { AllstopError } from "../errors.ts";
import type { Image } from "../asm/index.ts";
import { Machine } from "../machine/machine.ts";
import { cyclesOf, nsOf, type TimingModel } from "../timing/index.ts";
import type { Topology } from "../topology/index.ts";
import { cellOffsets, casWork, fetchAddWork, ping, pong, ticketWork } from "./guests.ts";

/** A machine without a program yet, and the compiled core to run it on. */
export interface Bench {
  readonly module: WebAssembly.Module;
  readonly topology: Topology;
  readonly timing: TimingModel;
}

/** Round trips that are counted; those before let the two fall into step. */
const ROUND_TRIPS = 96;
const WARM_UP_ROUND_TRIPS = 16;
/** Far above any handoff. */
const LONGEST_ROUND_TRIP_NS = 20_000;
const TRACE_RECORDS = 4096;

function build({ module, topology, timing }: Bench, image: Image): Machine {
  return Machine.build(module, {
    topology,
    timing,
    image,
    traceRecords: TRACE_RECORDS,
    accelerations: { spinElision: false },
  });
}

function cellIn(machine: Machine, cpu: number, offset: number): number {
  return machine.image.perCpuStart + cpu * machine.image.perCpuStride + offset;
}

/** Half a round trip of a flag between two CPUs, ns; the flag lies in the memory of the node of the CPU `home`. */
export function measureHandoff(
  bench: Bench,
  image: Image,
  [first, second]: readonly [number, number],
  home: number,
): number {
  const machine = build(bench, image);
  const cell = BigInt(cellIn(machine, home, cellOffsets.flag));
  machine.traceKinds([]);
  machine.probe(`${ping.name}:flip`);
  machine.start(first, ping.name, { argument: cell });
  machine.start(second, pong.name, { argument: cell });
  const wanted = WARM_UP_ROUND_TRIPS + ROUND_TRIPS;
  const slice = cyclesOf(bench.timing, LONGEST_ROUND_TRIP_NS);
  for (let slices = 0; machine.trace.length <= wanted; slices++) {
    if (slices > wanted) throw new AllstopError("CORE_TRAPPED", "a flag that isn't handed on", { value: first });
    machine.run(machine.cycle + slice);
  }
  const flips = [...machine.trace].slice(WARM_UP_ROUND_TRIPS, wanted + 1);
  const cycles = (flips.at(-1)?.cycle ?? 0) - (flips[0]?.cycle ?? 0);
  return nsOf(bench.timing, cycles / (flips.length - 1) / 2);
}

export const contentions = {
  "fetch-add": fetchAddWork,
  "compare-and-swap": casWork,
  "ticket-lock": ticketWork,
} as const;

/** Simulated time of a contention measurement, ns, for each CPU that takes part. */
const CONTENTION_NS_PER_CPU = 4000;
const CONTENTION_WARM_UP = 0.25;

/** What one increment takes a CPU when all of these increment one counter, ns. */
export function measureContention(
  bench: Bench,
  image: Image,
  kind: keyof typeof contentions,
  cpus: readonly number[],
): number {
  const machine = build(bench, image);
  const cell = cellIn(machine, cpus[0] ?? 0, cellOffsets.counter);
  for (const cpu of cpus) machine.start(cpu, contentions[kind].name, { argument: BigInt(cell) });
  const cycles = cyclesOf(bench.timing, CONTENTION_NS_PER_CPU * cpus.length);
  machine.run(Math.round(cycles * CONTENTION_WARM_UP));
  const before = { count: machine.readUint64(cell), cycle: machine.cycle };
  machine.run(machine.cycle + cycles);
  const increments = Number(machine.readUint64(cell) - before.count);
  return nsOf(bench.timing, ((machine.cycle - before.cycle) * cpus.length) / increments);
}
