// Runs that pictures are made of, each executed once per test file.

import { executeScenario, type RunResult } from "../../src/scenario/run.ts";
import { makeReport } from "../../src/report/make.ts";
import { rendezvousOf } from "../../src/report/make-rendezvous.ts";
import type { Rendezvous } from "../../src/report/rendezvous.ts";
import type { Report } from "../../src/report/report.ts";
import { SCENARIO_FORMAT, type ScenarioInput } from "../../src/scenario/document.ts";

export interface Executed {
  readonly result: RunResult;
  readonly report: Report;
  readonly rendezvous: Rendezvous;
}

export async function execute(input: Omit<ScenarioInput, "format">, lines = false): Promise<Executed> {
  const result = await executeScenario({ format: SCENARIO_FORMAT, ...input }, { lines });
  const rendezvous = rendezvousOf(result);
  if (rendezvous === undefined) throw new Error("no call");
  return { result, report: makeReport(result), rendezvous };
}

/** On machines of this many CPUs, which do all kinds of things. */
export const mixed = (cpus: number): Omit<ScenarioInput, "format"> => ({
  machine: { cpus },
  load: { common: "mixed" },
});

/** CPU 17 never arrives. */
export const hang: Omit<ScenarioInput, "format"> = {
  machine: { cpus: 64, architecture: "arm64" },
  load: { particular: [{ cpus: "17", kind: "wedged" }] },
  limitUs: 2000,
};
