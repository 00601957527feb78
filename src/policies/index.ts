// The stop paths by name.

import { AllstopError } from "../errors.ts";
import type { Policy } from "./policy.ts";
import { stopMachinePolicy } from "./stop-machine.ts";

export type { Phase, Policy, PolicyMarks } from "./policy.ts";

export const policies: readonly Policy[] = [stopMachinePolicy];

/** @throws NAME_UNKNOWN */
export function findPolicy(name: string): Policy {
  const found = policies.find((policy) => policy.name === name);
  if (found !== undefined) return found;
  throw new AllstopError("NAME_UNKNOWN", "policy", {
    value: name,
    allowed: policies.map((policy) => policy.name).join(", "),
  });
}
