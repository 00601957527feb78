// Machines for tests of snapshots: a scenario's, watched as a run watches it, and random ones on the core alone.

import { Counter, Region, RunStatus, TRACE_RECORD_BYTES, TraceKind } from "../../src/abi.ts";
import type { Image } from "../../src/asm/index.ts";
import type { Core } from "../../src/core/core.ts";
import type { Machine, RestoreOptions } from "../../src/machine/machine.ts";
import type { MachineParts } from "../../src/machine/snapshot/snapshot.ts";
import { TraceLog, type TraceRecord } from "../../src/machine/trace-log.ts";
import { probeRendezvous, readTimelines, type RendezvousProbes, type Timeline } from "../../src/measure/timeline.ts";
import { SCENARIO_FORMAT, parseScenario } from "../../src/scenario/document.ts";
import { expandScenario, type ExpandedScenario } from "../../src/scenario/expand.ts";
import { prepareMachine, type RunOptions } from "../../src/scenario/run.ts";
import { checkedCore } from "../support/bare-machine.ts";
import type { RandomMachine } from "../support/random-machine.ts";

export const FOREVER = 100_000_000;

/** A machine that calls stop_machine() again and again, with the probes of a report and a break at the end. */
export interface Rendezvous {
  readonly expanded: ExpandedScenario;
  readonly machine: Machine;
  readonly probes: RendezvousProbes;
}

export async function rendezvous(
  architecture: "x86-64" | "arm64",
  cpus = 12,
  rounds = 2,
  accelerations: RunOptions["accelerations"] = {},
): Promise<Rendezvous> {
  const expanded = expandScenario(
    parseScenario({
      format: SCENARIO_FORMAT,
      machine: { architecture, cpus },
      load: { common: "mixed" },
      policy: { rounds },
      seed: 7,
    }),
  );
  const machine = await prepareMachine(expanded, { core: checkedCore, accelerations });
  const probes = probeRendezvous(machine, expanded.policy);
  machine.probe(expanded.policy.marks.done, { break: true });
  return { expanded, machine, probes };
}

export function timelines({ expanded, probes }: Rendezvous, machine: Machine): Timeline[] {
  return readTimelines(machine, probes, expanded.policy);
}

/** What a machine of its own would be restored with. */
export function partsOf({ topology, timing, image }: Machine): RestoreOptions {
  return { topology, timing, image, core: checkedCore };
}

/** All that a machine shows. */
export function stateOf(machine: Machine) {
  return {
    cycle: machine.cycle,
    digest: machine.digest(),
    trace: [...machine.trace],
    console: machine.console,
    stop: machine.stop,
    lost: machine.recordsLost,
    // Host work other than this may differ: looking at a machine wakes parked CPUs.
    retired: machine.work.guestInstructions,
    misses: machine.work.misses,
    interrupts: machine.work.interrupts,
  };
}

/** The machine's parts, for those that have no image: what a snapshot looks at. */
export function partsOfRandom({ architecture, topology, timing, seed }: RandomMachine): MachineParts {
  return { topology, timing, image: { architecture, hash: `random ${seed}` } as unknown as Image };
}

/** A core whose trace is drained as it runs. */
export class Watched {
  readonly core: Core;
  readonly trace: TraceLog;

  constructor(core: Core, trace = new TraceLog()) {
    this.core = core;
    this.trace = new TraceLog(trace);
  }

  fork(): Watched {
    return new Watched(this.core.fork(), this.trace);
  }

  /** State at each of the cycles, and everything recorded up to the last. */
  run(cycles: readonly number[]): { states: string[]; trace: TraceRecord[] } {
    const states = cycles.map((cycle) => {
      this.advance(cycle);
      const digest = this.core.digest().toString(16);
      const counts = [Counter.NOW, Counter.RETIRED, Counter.MISSES, Counter.INTERRUPTS, Counter.STOP_REASON];
      return [digest, ...counts.map((which) => this.core.counter(which))].join(" ");
    });
    return { states, trace: [...this.trace] };
  }

  /** Runs without looking: a look at the digest wakes whoever is parked. */
  advance(cycle: number): void {
    let status = RunStatus.TRACE_FULL;
    while (status === RunStatus.TRACE_FULL) {
      status = this.core.run(BigInt(cycle));
      this.#drain();
    }
  }

  #drain(): void {
    const start = this.core.region(Region.TRACE);
    const records = Number(this.core.counter(Counter.TRACE_RECORDS));
    this.trace.append(new Uint8Array(this.core.buffer, start, records * TRACE_RECORD_BYTES));
    this.core.clearTrace();
  }
}

export const watchedKinds = [TraceKind.INTERRUPT_SENT, TraceKind.INTERRUPT_TAKEN, TraceKind.WAIT, TraceKind.WAKE];
