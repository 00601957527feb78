// The public names of the timing models.

import { AllstopError } from "../errors.ts";
import { genericArm64, genericX86 } from "./generic.ts";
import { machineModels } from "./machines.ts";
import type { TimingModel } from "./model.ts";

export { counterMhz, cyclesOf, hopCycles, nsOf, timingTable, type LineLatencies, type TimingModel } from "./model.ts";
export {
  timingParameters,
  type Confidence,
  type Sourced,
  type TimingParameter,
  type TimingUnit,
} from "./parameters.ts";

/** The timing models by name. */
export const timingModels: readonly TimingModel[] = [genericX86, genericArm64, ...machineModels];

/** @throws NAME_UNKNOWN */
export function findTimingModel(name: string): TimingModel {
  const found = timingModels.find((model) => model.name === name);
  if (found !== undefined) return found;
  throw new AllstopError("NAME_UNKNOWN", "no such timing model", {
    value: name,
    allowed: timingModels.map((m) => m.name).join(", "),
  });
}
