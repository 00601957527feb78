// Updates of microcode as a scenario document has them: how long they take on which CPUs, and who refuses them.

import { AllstopError } from "../errors.ts";
import type { MicrocodeUpdate } from "../machine/machine.ts";
import { cyclesOf, type TimingModel } from "../timing/index.ts";
import { parseCpuList, type Topology } from "../topology/index.ts";

/** One entry of `faults.microcode`. */
export interface MicrocodeFault {
  readonly cpus: string;
  /** How long the update takes, microseconds; "forever": the CPU hangs in it. By default as long as the timing model says. */
  readonly us?: number | "forever" | undefined;
  /** The CPU takes its time, and has the old revision afterwards. */
  readonly refused?: boolean | undefined;
}

/** Longer than any run: Machine.setMicrocodeUpdate() takes no more. */
const FOREVER_CYCLES = 2 ** 48;

/** By CPU; later entries replace earlier ones. @throws SCENARIO_INVALID, naming the entry */
export function expandMicrocode(
  faults: readonly MicrocodeFault[],
  topology: Topology,
  timing: TimingModel,
): ReadonlyMap<number, MicrocodeUpdate> {
  const updates = new Map<number, MicrocodeUpdate>();
  for (const [index, { cpus, us, refused = false }] of faults.entries()) {
    const at = `faults.microcode.${index}`;
    if (timing.architecture !== "x86-64") {
      throw new AllstopError("SCENARIO_INVALID", "CPUs of arm64 have no microcode to update", { at });
    }
    const durationCycles =
      us === "forever" ? FOREVER_CYCLES : us === undefined ? undefined : cyclesOf(timing, us * 1000);
    for (const cpu of parseCpuList(cpus, `${at}.cpus`, topology.cpus.length)) {
      updates.set(cpu, { refused, ...(durationCycles === undefined ? {} : { durationCycles }) });
    }
  }
  return updates;
}
