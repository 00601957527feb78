// The same kernel here. On arm64 it is the very image that boots on QEMU. On x86-64, where that image begins in 32-bit mode and uses
// the xAPIC, the host starts the CPUs and the interrupt controller is an x2APIC; all the rest is the same.

import { Machine } from "allstop/machine";
import { buildReportingKernel, buildSelfBootingKernel, kernelSymbols, perCpuOffsets } from "allstop/guest";
import { findTimingModel } from "allstop";
import type { Image } from "allstop/asm";
import { topologyForCpus } from "allstop/topology";
import { expectEqual } from "../case.ts";
import { now, type Instant } from "../clock.ts";
import { batchMark, kernelOptions, type Work } from "./guest.ts";

export interface HereRun {
  readonly console: string;
  /** When each dot was reached. */
  readonly dots: readonly Instant[];
}

const LIMIT_CYCLES = 1e13;

async function machineOf({ architecture, cpus }: Work, image: Image): Promise<Machine> {
  const topology = topologyForCpus(cpus, architecture);
  const timing = findTimingModel(architecture === "arm64" ? "generic-arm64" : "generic-x86");
  return Machine.create({ topology, timing, image });
}

async function started(work: Work): Promise<Machine> {
  const options = kernelOptions(work);
  if (work.architecture === "arm64") {
    const { image } = buildSelfBootingKernel(options);
    const machine = await machineOf(work, image);
    machine.start(0, image.entry ?? NaN);
    return machine;
  }
  const machine = await machineOf(work, buildReportingKernel(options));
  machine.writeUint64(machine.image.perCpuStart + perCpuOffsets.work, BigInt(machine.address(kernelSymbols.requester)));
  for (let cpu = 0; cpu < work.cpus; cpu++) machine.start(cpu, kernelSymbols.entry, { argument: BigInt(cpu) });
  return machine;
}

/** Runs to the end. @throws Error when it ends otherwise than by the guest's wish */
export async function runHere(work: Work): Promise<HereRun> {
  const machine = await started(work);
  machine.probe(batchMark[work.protocol], { break: true, record: false });
  const dots: Instant[] = [];
  while (true) {
    const end = machine.run(machine.cycle + LIMIT_CYCLES);
    if (end.kind === "probe") dots.push(now());
    else {
      expectEqual(end.kind === "stopped" ? end.stop.reason : end.kind, "SYSTEM_OFF", "the end of a run");
      return { console: machine.console.trim(), dots };
    }
  }
}
