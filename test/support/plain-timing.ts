// A timing model whose figures a test chooses, in cycles: 1,000 MHz and one instruction at a time, so that a nanosecond, a
// cycle, a tick of the core and a tick of the counter are the same; what the test doesn't choose is 1; the APIC timer ticks every cycle.

import { genericArm64, genericX86 } from "../../src/timing/generic.ts";
import {
  timingParameters,
  type LineLatencies,
  type Sourced,
  type TimingModel,
  type TimingParameter,
} from "../../src/timing/index.ts";

export type Figures = Partial<Record<TimingParameter | keyof LineLatencies, number>>;

function chosen(value: number): Sourced {
  return { value, source: "a test", confidence: "estimate" };
}

export function plainTiming(architecture: "x86-64" | "arm64", figures: Figures = {}): TimingModel {
  const parameters = Object.fromEntries(
    (Object.keys(timingParameters) as TimingParameter[]).map((name) => [
      name,
      chosen(figures[name] ?? (name === "apicTimerClock" ? 1_000_000 : 1)),
    ]),
  ) as Record<TimingParameter, Sourced>;
  const { cache = 1, node = 1, package: inPackage = node, machine = inPackage } = figures;
  return {
    ...(architecture === "x86-64" ? genericX86 : genericArm64),
    name: "chosen by a test",
    clockMhz: chosen(1000),
    issueWidth: chosen(1),
    counterHz: chosen(1_000_000_000),
    lines: { cache: chosen(cache), node: chosen(node), package: chosen(inPackage), machine: chosen(machine) },
    parameters,
  };
}
