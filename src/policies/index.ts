// The stop paths by name.

// First, since the order in which guest modules load is the order of routines in an image, whoever asks for it.
import "../guest/kernel.ts";
import { AllstopError } from "../errors.ts";
import { nearestNames } from "../names.ts";
import type { Policy } from "./policy.ts";
import { arm64StopPolicies } from "./arm64-stop.ts";
import { cpuOfflinePolicy, cpuOnlinePolicy, fromInactiveCpuPolicy } from "./hotplug.ts";
import { ipiBenchmarkPolicy } from "./ipi-benchmark.ts";
import { microcodePolicies } from "./microcode.ts";
import { stopMachineNmiPolicies } from "./stop-machine-nmi.ts";
import { kdumpPolicies } from "./kdump.ts";
import { panicPolicies } from "./panic.ts";
import { rebootPolicies } from "./reboot.ts";
import { stopMachineCpuslockedPolicy, stopMachinePolicy } from "./stop-machine.ts";
import { stopCorePolicy, stopOneCpuNowaitPolicy, stopOneCpuPolicy, stopTwoCpusPolicy } from "./stop-some.ts";

export type { Phase, Policy, PolicyMarks, PolicyOption, Promises, RequestKind } from "./policy.ts";

export const policies: readonly Policy[] = [
  stopMachinePolicy,
  stopMachineCpuslockedPolicy,
  stopOneCpuPolicy,
  stopOneCpuNowaitPolicy,
  stopTwoCpusPolicy,
  stopCorePolicy,
  fromInactiveCpuPolicy,
  cpuOfflinePolicy,
  cpuOnlinePolicy,
  ipiBenchmarkPolicy,
  ...microcodePolicies,
  ...stopMachineNmiPolicies,
  ...rebootPolicies,
  ...panicPolicies,
  ...kdumpPolicies,
  ...arm64StopPolicies,
];

/** @throws NAME_UNKNOWN */
export function findPolicy(name: string): Policy {
  const found = policies.find((policy) => policy.name === name);
  if (found !== undefined) return found;
  const names = policies.map((policy) => policy.name);
  const nearest = nearestNames(name, names);
  throw new AllstopError("NAME_UNKNOWN", "no such policy", {
    value: name,
    allowed: `${nearest.join(", ")} and ${names.length - nearest.length} others: see allstop list policies`,
  });
}
