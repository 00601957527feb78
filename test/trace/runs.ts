// Traces as a whole, for tests.

import type { ScenarioInput } from "../../src/scenario/document.ts";
import { traceScenario, type TraceOptions, type TraceSummary } from "../../src/trace/trace-scenario.ts";

export function scenario(fields: Omit<ScenarioInput, "format">): ScenarioInput {
  return { format: "allstop.scenario/1", ...fields };
}

export async function traced(
  document: ScenarioInput,
  options: TraceOptions = {},
): Promise<{ readonly bytes: Uint8Array; readonly chunks: number; readonly summary: TraceSummary }> {
  const chunks: Uint8Array[] = [];
  const trace = traceScenario(document, options);
  let next = await trace.next();
  for (; next.done !== true; next = await trace.next()) chunks.push(next.value);
  return { bytes: Buffer.concat(chunks), chunks: chunks.length, summary: next.value };
}
