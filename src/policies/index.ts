// The stop paths by name.

// First, since the order in which guest modules load is the order of routines in an image, whoever asks for it.
import "../guest/kernel.ts";
import { Callable } from "../asm/index.ts";
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

/** The stop paths that come with the package. */
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

/**
 * What a program gives as policies of its own may be anything. What of a policy only the image can tell, such as whether a mark is there, shows
 * when that is built. @throws OPTION_INVALID
 */
export function checkPolicies(own: readonly Policy[]): void {
  const refuse = (what: string, place: string, value: unknown, allowed: string): never => {
    throw new AllstopError("OPTION_INVALID", what, { at: `policies${place}`, value, allowed });
  };
  const given: unknown = own;
  if (!Array.isArray(given)) return refuse("not a list of policies", "", given, "a list");
  const names = new Set(policies.map(({ name }) => name));
  given.forEach((policy: Policy, index) => {
    if (policies.includes(policy)) return;
    const place = `.${index}`;
    if (!isPolicy(policy)) refuse("not a policy", place, (policy as Policy | undefined)?.name ?? policy, POLICY_FIELDS);
    const { name, stoppedState, phases, measures } = policy;
    if (names.has(name)) refuse("two policies of one name", `${place}.name`, name, "a name that no other policy has");
    names.add(name);
    const isState = Number.isInteger(stoppedState) && stoppedState >= 1 && stoppedState <= phases.length;
    if (isState || measures !== undefined) return;
    refuse("no such state", `${place}.stoppedState`, stoppedState, `1 to ${phases.length}, the number of phases`);
  });
}

const POLICY_FIELDS =
  "an object with name, title, architectures, source, bindings, request, marks, phases and stoppedState";

function isPolicy(value: unknown): value is Policy {
  const given = value as Partial<Policy> | null | undefined;
  return (
    typeof given?.name === "string" &&
    Array.isArray(given.architectures) &&
    Array.isArray(given.bindings) &&
    Array.isArray(given.phases) &&
    given.request?.call instanceof Callable &&
    typeof given.marks?.call === "string"
  );
}

/**
 * A stop path by its name.
 * @param own policies beside the built-in ones
 * @throws NAME_UNKNOWN
 */
export function findPolicy(name: string, own: readonly Policy[] = []): Policy {
  const all = own.length === 0 ? policies : [...own, ...policies];
  const found = all.find((policy) => policy.name === name);
  if (found !== undefined) return found;
  const names = all.map((policy) => policy.name);
  const nearest = nearestNames(name, names);
  throw new AllstopError("NAME_UNKNOWN", "no such policy", {
    value: name,
    allowed: `${nearest.join(", ")} and ${names.length - nearest.length} others: see allstop list policies`,
  });
}
