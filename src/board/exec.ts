// Runs a bare-metal image on QEMU's virt board: an ELF file, CPU 0 at its entry, the others by PSCI, until the guest switches the
// board off or nothing more can be expected of it.

import { parseElf, type ElfFile } from "../asm/index.ts";
import type { CoreSource } from "../core/load.ts";
import type { Accelerations } from "../machine/accelerations.ts";
import { checkWhole } from "../machine/checks.ts";
import { Machine } from "../machine/machine.ts";
import { findTimingModel, type TimingModel } from "../timing/index.ts";
import { topologyForCpus, type Topology } from "../topology/index.ts";
import { imageOfElf } from "./elf-image.ts";
import { verdictOf, type ExecVerdict } from "./verdict.ts";
import { VIRT_MOST_RAM_BYTES, VIRT_RAM_BASE, VIRT_RAM_BYTES, withBoardMpidrs } from "./virt.ts";

/** The board on which an image is run, and for how long. */
export interface ExecOptions {
  /** CPUs of a plausible arm64 machine; 1 if neither this nor a topology is given. */
  readonly cpus?: number;
  readonly topology?: Topology;
  /** MPIDRs as the board numbers CPUs ("board", if not given), or as the topology says. */
  readonly mpidrs?: "board" | "topology";
  /** The topology's own model, or generic-arm64, if not given. */
  readonly timing?: TimingModel;
  /** As MachineOptions.featNmi. */
  readonly featNmi?: boolean;
  /** RAM from 0x40000000 on, in bytes, whole pages: 128 MiB if not given, 3 GiB at the most. */
  readonly ramBytes?: number;
  /** Cycle at which the run is given up; 10^10 if not given. */
  readonly limitCycles?: number;
  readonly accelerations?: Partial<Accelerations>;
  readonly core?: CoreSource;
  /** Gets what the guest writes to its UART, soon after it has; one character per byte. */
  readonly onOutput?: (text: string) => void;
}

/** How a run ended, and the machine as it stands then. */
export interface ExecResult {
  readonly verdict: ExecVerdict;
  /** All that the guest wrote to its UART; one character per byte. */
  readonly output: string;
  readonly machine: Machine;
}

/** Simulated cycles after which `execImage()` gives up, if it isn't told. */
export const DEFAULT_LIMIT_CYCLES = 1e10;
const PAGE_BYTES = 4096;
/** Cycles between two looks at the output. Fixed: where a machine comes to rest is told in these. */
const SLICE_CYCLES = 250_000;

/**
 * Loads a static AArch64 ELF file and runs it as QEMU's `-M virt,gic-version=3` does.
 * @throws IMAGE_INVALID for a file that can't be loaded, OPTION_INVALID, TOPOLOGY_INVALID, CAPACITY_EXCEEDED
 */
export async function execImage(file: Uint8Array | ElfFile, options: ExecOptions = {}): Promise<ExecResult> {
  const machine = await boardMachine(file, options);
  const limit = options.limitCycles ?? DEFAULT_LIMIT_CYCLES;
  checkWhole("cycle at which the run is given up", limit, 1, Number.MAX_SAFE_INTEGER);
  let told = 0;
  while (true) {
    const end = machine.run(Math.min(machine.cycle + SLICE_CYCLES, limit));
    if (machine.console.length > told) options.onOutput?.(machine.console.slice(told));
    told = machine.console.length;
    if (end.kind !== "reached" || machine.cycle >= limit) {
      return { verdict: verdictOf(machine, end), output: machine.console, machine };
    }
  }
}

/** The machine that execImage() runs: the image in memory, CPU 0 about to start. @throws as execImage() */
export async function boardMachine(file: Uint8Array | ElfFile, options: ExecOptions = {}): Promise<Machine> {
  const ramBytes = options.ramBytes ?? VIRT_RAM_BYTES;
  checkWhole("pages of RAM", ramBytes / PAGE_BYTES, 1, VIRT_MOST_RAM_BYTES / PAGE_BYTES);
  const elf = file instanceof Uint8Array ? parseElf(file) : file;
  const image = imageOfElf(elf, { base: VIRT_RAM_BASE, bytes: ramBytes });
  const topology = topologyOf(options);
  const timing = options.timing ?? findTimingModel(ownModel(topology) ?? "generic-arm64");
  const { accelerations, core, featNmi = false } = options;
  const machine = await Machine.create({
    image,
    topology,
    timing,
    bareMetal: true,
    featNmi,
    ...(accelerations === undefined ? {} : { accelerations }),
    ...(core === undefined ? {} : { core }),
  });
  machine.start(0, image.entry ?? 0);
  return machine;
}

function topologyOf({ cpus = 1, topology, mpidrs = "board" }: ExecOptions): Topology {
  const machine = topology ?? topologyForCpus(cpus, "arm64");
  return mpidrs === "board" ? withBoardMpidrs(machine) : machine;
}

function ownModel({ architecture, timingModel }: Topology): string | undefined {
  return architecture === "arm64" ? timingModel : undefined;
}
