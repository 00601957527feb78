// The library's main call: a scenario in, what came of it out.

// First, since the order in which guest modules load is the order of routines in an image.
import "./guest/kernel.ts";
import { makeReport } from "./report/make.ts";
import type { Report, Verdict } from "./report/report.ts";
import { measureDistributions, type CallDistributions } from "./measure/distributions.ts";
import type { Lateness } from "./measure/lateness.ts";
import { resolveScenario, type CaseChoice, type ScenarioFields } from "./scenario/input.ts";
import { latenessOf } from "./scenario/lateness.ts";
import { executeScenario, type RunOptions, type RunResult } from "./scenario/run.ts";

/** Beside the scenario: how it is run and what is measured. All of it may be left out. */
export interface SimulateOptions extends RunOptions, CaseChoice {}

/**
 * A run that is over. `report` is a function of scenario and options alone, but for `report.host`: the same on every computer and in every browser. The rest is
 * computed when it is asked for, from the machine, which lives as long as this object.
 */
export class Simulation {
  /** All that was found: the JSON document that `allstop run --json` prints. */
  readonly report: Report;
  /** The machine in its last state, and everything that was recorded: for the functions of `allstop/machine`. */
  readonly run: RunResult;
  #distributions: CallDistributions | undefined;
  #lateness: readonly Lateness[] | undefined;

  /** @param run of executeScenario() */
  constructor(run: RunResult) {
    this.run = run;
    this.report = makeReport(run);
  }

  /** How it ended: `report.outcome.verdict`. */
  get verdict(): Verdict {
    return this.report.outcome.verdict;
  }

  /** Whether the call completed and every oracle held: what `allstop run` exits with 0 for. */
  get passed(): boolean {
    return this.verdict === "completed" && this.report.oracles.every(({ held }) => held);
  }

  /** Of the state of the whole machine at the end, 16 hexadecimal digits: equal states, equal digests. */
  get digest(): string {
    return this.report.digest;
  }

  /** Times of all CPUs in all calls, as histograms that can be added up over runs and written as `.hgrm`. */
  get distributions(): CallDistributions {
    const { timelines, expanded } = this.run;
    return (this.#distributions ??= measureDistributions(timelines, expanded.policy, expanded.timing));
  }

  /** Why each CPU stopped as late as it did, in the reported call: every cycle of its way has a cause. By CPU number; empty where no call was made. */
  get lateness(): readonly Lateness[] {
    return (this.#lateness ??= latenessOf(this.run));
  }
}

/**
 * Simulates a stop: builds the machine and the kernel that the scenario describes, lets the call run to its end, and measures.
 *
 * ```js
 * const { verdict, report } = await simulate({ machine: { topology: "epyc-9654" }, load: { common: "mixed" } });
 * ```
 *
 * @param scenario the fields of a document, its JSON text, or the name of a built-in case such as `S24`, of which `variant` and `cpus` choose a run
 * @throws AllstopError. SCENARIO_INVALID: a mistake in the document, with its place; NAME_UNKNOWN: a policy, topology, timing model, firmware, case or variant
 * that isn't there; TOPOLOGY_INVALID; OPTION_INVALID: an option out of its range; ASSEMBLY_INVALID, IMAGE_INVALID: an own policy that can't be built or whose
 * marks are not in its routines; CAPACITY_EXCEEDED; CORE_MISMATCH: no core
 */
export async function simulate(scenario: ScenarioFields | string, options: SimulateOptions = {}): Promise<Simulation> {
  const { variant, cpus, ...run } = options;
  const choice = { ...(variant === undefined ? {} : { variant }), ...(cpus === undefined ? {} : { cpus }) };
  return new Simulation(await executeScenario(await resolveScenario(scenario, choice), run));
}
