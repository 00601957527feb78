// Runs a litmus test on simulated machines, some hundred thousand times, and counts the final states.

import { loadCore } from "../core/load.ts";
import type { CoreSource } from "../core/load.ts";
import { AllstopError } from "../errors.ts";
import type { Accelerations } from "../machine/accelerations.ts";
import { checkWhole } from "../machine/checks.ts";
import { Machine } from "../machine/machine.ts";
import { SeededRandom } from "../random.ts";
import { findTimingModel } from "../timing/index.ts";
import type { TimingModel } from "../timing/index.ts";
import { buildTopology, onlineCpus } from "../topology/index.ts";
import type { Topology } from "../topology/index.ts";
import { Batch } from "./batch.ts";
import { litmusMistake } from "./failure.ts";
import { buildProgram } from "./harness.ts";
import type { LitmusProgram } from "./harness.ts";
import { Meeting, recordAddress } from "./layout.ts";
import { Outcomes } from "./outcomes.ts";
import { placeThreads } from "./placement.ts";
import type { Placement } from "./placement.ts";
import { planLitmus } from "./plan.ts";
import { resultOf } from "./result.ts";
import type { LitmusResult } from "./result.ts";
import type { LitmusTest } from "./test.ts";

/** How often a litmus test is run, where, and with which seed. */
export interface LitmusOptions {
  /** How often the test is run, 1 to 10^9; 100,000 if not given. */
  readonly runs?: number;
  /** Same seed, same outcomes; 1 if not given. */
  readonly seed?: number;
  /** Two packages with a core per thread each, if not given. */
  readonly topology?: Topology;
  /** The topology's own model, or the generic one of the architecture, if not given. */
  readonly timing?: TimingModel;
  /** The CPU of each thread, instead of a placement. */
  readonly cpus?: readonly number[];
  /** "random" if not given. */
  readonly placement?: Placement;
  /** Whether delays of stores and loads are varied; true if not given. */
  readonly perturbation?: boolean;
  readonly accelerations?: Partial<Accelerations>;
  readonly core?: CoreSource;
  /** Called with the share that is done, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

/** Runs of a test, if it isn't said how many. */
export const DEFAULT_LITMUS_RUNS = 100_000;
const MOST_RUNS = 1e9;
/** A run is divided among so many machines at the most, each with CPUs of its own for the threads … */
const MOST_MACHINES = 16;
/** … unless they would have less than this to do. */
const LEAST_RUNS_PER_MACHINE = 4096;
/** Far more than an iteration can take that ends at all, cycles. */
const CYCLES_PER_ITERATION = 200_000;
/** Nothing is traced; the probe breaks only. */
const TRACE_RECORDS = 64;

/**
 * Runs a test.
 * @throws LITMUS_INVALID for what the assembler doesn't know, what the machine doesn't model, and threads that don't end, with their
 * places; OPTION_INVALID, CAPACITY_EXCEEDED
 */
export async function runLitmus(test: LitmusTest, options: LitmusOptions = {}): Promise<LitmusResult> {
  const program = buildProgram(planLitmus(test));
  const module = await loadCore(options.core);
  return new LitmusRun(program, module, options).run();
}

class LitmusRun {
  readonly #program: LitmusProgram;
  readonly #module: WebAssembly.Module;
  readonly #options: LitmusOptions;
  readonly #topology: Topology;
  readonly #timing: TimingModel;
  readonly #runs: number;
  readonly #random: SeededRandom;
  readonly #outcomes: Outcomes;
  #done = 0;

  constructor(program: LitmusProgram, module: WebAssembly.Module, options: LitmusOptions) {
    const { runs = DEFAULT_LITMUS_RUNS, seed = 1 } = options;
    checkWhole("number of runs", runs, 1, MOST_RUNS);
    checkWhole("seed", seed, 0, 2 ** 32 - 1);
    this.#program = program;
    this.#module = module;
    this.#options = options;
    const threads = program.threads.length;
    this.#topology = options.topology ?? defaultTopology(threads);
    this.#timing = options.timing ?? findTimingModel(ownModel(this.#topology, program));
    this.#runs = runs;
    this.#random = new SeededRandom(seed, `litmus ${program.plan.test.name}`);
    this.#outcomes = new Outcomes(program);
    checkCpus(options.cpus, threads, this.#topology);
  }

  run(): LitmusResult {
    const started = performance.now();
    const perMachine = Math.max(LEAST_RUNS_PER_MACHINE, Math.ceil(this.#runs / MOST_MACHINES));
    while (this.#done < this.#runs) this.#runMachine(Math.min(perMachine, this.#runs - this.#done));
    return resultOf(this.#program.plan, this.#outcomes.states(), {
      runs: this.#runs,
      seed: this.#options.seed ?? 1,
      topology: this.#topology.name,
      timing: this.#timing.name,
      wallMs: performance.now() - started,
    });
  }

  /** Some of the runs, with the threads on the same CPUs. */
  #runMachine(runs: number): void {
    const { layout, threads, image } = this.#program;
    const cpus = this.#place();
    const { accelerations = {} } = this.#options;
    const machine = Machine.build(this.#module, {
      topology: this.#topology,
      timing: this.#timing,
      image,
      traceRecords: TRACE_RECORDS,
      accelerations,
    });
    machine.traceKinds([]);
    threads.forEach(({ entry, finished }, thread) => {
      machine.probe(finished, { record: false, break: true });
      machine.start(cpus[thread] ?? 0, entry, { stack: recordAddress(layout, 0, thread) });
    });
    const batch = new Batch(this.#program);
    for (let number = 0, left = runs; left > 0; number++) {
      const iterations = Math.min(layout.iterations, left);
      this.#runBatch(machine, cpus, batch, number, iterations);
      left -= iterations;
      this.#done += iterations;
      this.#options.onProgress?.(this.#done / this.#runs);
    }
  }

  #place(): readonly number[] {
    const { cpus, placement = "random" } = this.#options;
    return cpus ?? placeThreads(this.#topology, this.#program.threads.length, placement, this.#random);
  }

  #runBatch(machine: Machine, cpus: readonly number[], batch: Batch, number: number, iterations: number): void {
    const { dataBase, blockBytes } = this.#program.layout;
    batch.prepare(number, iterations, this.#random);
    machine.writeMemory(dataBase + Meeting.END, batch.bytes);
    for (const word of [Meeting.ARRIVED, Meeting.RELEASE, Meeting.FINISHED]) machine.writeUint64(dataBase + word, 0n);
    if (this.#options.perturbation !== false) machine.setPerturbation((this.#random.next() | 1) >>> 0);
    machine.writeUint64(dataBase + Meeting.BATCH, BigInt(number));
    const end = machine.run(machine.cycle + iterations * CYCLES_PER_ITERATION);
    if (end.kind !== "probe") throw this.#failed(machine, cpus);
    this.#outcomes.add(machine.readMemory(dataBase + Meeting.END, iterations * blockBytes), iterations);
  }

  // --- what goes wrong ----------------------------------------------------------------------------------------------------------

  #failed(machine: Machine, cpus: readonly number[]): AllstopError {
    const { stop } = machine;
    if (stop === undefined) return this.#hangs(machine, cpus);
    const thread = this.#program.threads.findIndex(
      ({ entry, bytes }) => entry <= stop.pc && stop.pc < entry + bytes.length,
    );
    const cell = this.#program.threads[thread]?.cellAt(stop.pc);
    if (stop.reason.endsWith("EXHAUSTED") || thread < 0)
      return new AllstopError("LITMUS_INVALID", `the machine stopped (${stop.reason}) outside the threads`, {
        value: `CPU ${stop.cpu} at 0x${stop.pc.toString(16)}`,
      });
    return litmusMistake(
      stop.reason === "UNSUPPORTED"
        ? "an instruction that is not modelled"
        : `an instruction that ends in an exception (${stop.reason})`,
      cell?.place ?? { line: 1, column: 1 },
      cell?.text ?? `P${thread}`,
      "instructions that the machine has, on the test's own memory",
    );
  }

  /** Of those that have not come to the end, one that is in its own code. */
  #hangs(machine: Machine, cpus: readonly number[]): AllstopError {
    const { threads, plan } = this.#program;
    const stuck = threads.findIndex(({ start, end }, thread) => {
      const { pc } = machine.cpu(cpus[thread] ?? 0);
      return start <= pc && pc < end;
    });
    const cell = threads[stuck]?.cellAt(machine.cpu(cpus[stuck] ?? 0).pc);
    return litmusMistake(
      stuck < 0 ? "threads that do not come to their end" : `a thread that does not come to its end: P${stuck}`,
      cell?.place ?? plan.test.threads[Math.max(0, stuck)]?.[0]?.place ?? { line: 1, column: 1 },
      cell?.text ?? "",
      `at most ${CYCLES_PER_ITERATION} cycles for each run`,
    );
  }
}

function checkCpus(cpus: readonly number[] | undefined, threads: number, topology: Topology): void {
  if (cpus === undefined) return;
  if (cpus.length < threads || new Set(cpus).size !== cpus.length)
    throw new AllstopError("OPTION_INVALID", "CPUs for the threads", {
      value: cpus.join(","),
      allowed: `${threads} different CPUs`,
    });
  const online = new Set(onlineCpus(topology));
  const missing = cpus.find((cpu) => !online.has(cpu));
  if (missing !== undefined)
    throw new AllstopError("OPTION_INVALID", "no such CPU for a thread", { value: missing, allowed: "online CPUs" });
}

/** Two packages, so that threads are near each other or far, as they are placed. */
function defaultTopology(threads: number): Topology {
  const coresPerLlc = Math.max(2, threads);
  return buildTopology({ packages: 2, diesPerPackage: 1, llcsPerDie: 1, coresPerLlc, threadsPerCore: 1 });
}

function ownModel({ architecture, timingModel }: Topology, { plan }: LitmusProgram): string {
  if (architecture === plan.dialect.architecture && timingModel !== undefined) return timingModel;
  return plan.dialect.architecture === "arm64" ? "generic-arm64" : "generic-x86";
}
