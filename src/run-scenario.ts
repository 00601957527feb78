// The library's main call: a scenario document in, a report out.

import { makeReport } from "./report/make.ts";
import type { Report } from "./report/report.ts";
import type { ScenarioInput } from "./scenario/document.ts";
import { executeScenario, type RunOptions } from "./scenario/run.ts";

/**
 * Runs a scenario and reports. The report, its `host` part aside, is a function of the document alone.
 * @throws AllstopError: SCENARIO_INVALID, NAME_UNKNOWN, TOPOLOGY_INVALID, OPTION_INVALID, CAPACITY_EXCEEDED
 */
export async function runScenario(document: ScenarioInput, options: RunOptions = {}): Promise<Report> {
  return makeReport(await executeScenario(document, options));
}
