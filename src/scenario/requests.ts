// Who asks for what: the scenario's call and those that come at the same time, checked against the machine and with all choices made.

import { AllstopError, placed } from "../errors.ts";
import { relaxTurns } from "../faults/load.ts";
import { findPolicy, type Policy } from "../policies/index.ts";
import { SeededRandom } from "../random.ts";
import type { TimingModel } from "../timing/index.ts";
import { formatCpuList, parseCpuList, type Topology } from "../topology/index.ts";
import type { Scenario } from "./document.ts";

/** One task's request. */
export interface ExpandedRequest {
  readonly policy: Policy;
  readonly requester: number;
  /** In the order in which the scenario names them. */
  readonly targets: readonly number[];
  /** CPUs that run the function; undefined: NULL, the first online CPU. */
  readonly active: readonly number[] | undefined;
  /** The mask in the request block, if the call takes one. */
  readonly mask: readonly number[] | undefined;
  readonly rounds: number;
  /** Turns of the relax loop by which the first call comes later. */
  readonly startTurns: number;
}

type Call = Pick<Scenario["policy"], "name" | "active" | "targets" | "rounds" | "requester" | "delayUs">;

/**
 * The scenario's request, then the concurrent ones.
 * @param own policies beside the built-in ones
 * @throws SCENARIO_INVALID, NAME_UNKNOWN, OPTION_INVALID
 */
export function expandRequests(
  scenario: Scenario,
  topology: Topology,
  timing: TimingModel,
  online: readonly number[],
  own: readonly Policy[] = [],
): readonly [ExpandedRequest, ...ExpandedRequest[]] {
  const random = new SeededRandom(scenario.seed, "start delays");
  const { also = [], jitterUs = 0 } = scenario.policy;
  const expand = (call: Call, at: string): ExpandedRequest => {
    const delayNs = ((call.delayUs ?? 0) + jitterUs * random.fraction()) * 1000;
    const startTurns = delayNs === 0 ? 0 : relaxTurns(timing, delayNs);
    return expandRequest(call, at, { topology, online, startTurns, own, architecture: timing.architecture });
  };
  const requests = [
    expand(scenario.policy, "policy"),
    ...also.map((call, index) => expand(call, `policy.also.${index}`)),
  ] as const;
  checkTogether(requests);
  return requests;
}

interface Surroundings {
  readonly topology: Topology;
  readonly online: readonly number[];
  readonly architecture: TimingModel["architecture"];
  readonly startTurns: number;
  readonly own: readonly Policy[];
}

function expandRequest(call: Call, at: string, surroundings: Surroundings): ExpandedRequest {
  const { topology, online, startTurns, own, architecture } = surroundings;
  const policy = placed(`${at}.name`, () => findPolicy(call.name, own));
  if (!policy.architectures.includes(architecture)) {
    throw new AllstopError("SCENARIO_INVALID", `${architecture} machines don't have this stop path`, {
      at: `${at}.name`,
      value: policy.name,
      allowed: `one of ${architecture}, or a machine of ${policy.architectures.join(" or ")}`,
    });
  }
  const requester = call.requester ?? online[0];
  if (requester === undefined || !online.includes(requester)) {
    throw new AllstopError("SCENARIO_INVALID", "the requester is not online", {
      at: `${at}.requester`,
      value: requester,
      allowed: formatCpuList(online),
    });
  }
  const targets = targetsOf(call, at, policy, requester, topology, online);
  if (!policy.request.takesActive && call.active !== "first") {
    throw new AllstopError("SCENARIO_INVALID", `${policy.name} says itself who runs the function`, {
      at: `${at}.active`,
      value: call.active,
      allowed: "first, which is the default",
    });
  }
  const active = activeCpus(call.active, at, topology, online);
  const masks = { active, targets, cores: coresOf(targets, topology) };
  return {
    policy,
    requester,
    targets,
    active,
    mask: masks[policy.request.mask],
    rounds: roundsOf(call, at, policy, targets),
    startTurns,
  };
}

function targetsOf(
  { targets: text }: Call,
  at: string,
  { name, request, measures }: Policy,
  requester: number,
  topology: Topology,
  online: readonly number[],
): readonly number[] {
  const [least, most] = request.targets;
  const listed =
    text === undefined ? (request.defaultTargets?.(online, requester) ?? []) : inOrder(text, `${at}.targets`, topology);
  const count = least === most ? String(least) : `${least} or more`;
  const place = { at: `${at}.targets`, value: text ?? "none", allowed: `${count} CPUs` };
  if (listed.length < least || listed.length > most) {
    throw new AllstopError("SCENARIO_INVALID", `CPUs that ${name} is about`, place);
  }
  const absent = listed.find((cpu) => topology.cpus[cpu]?.state === "absent");
  if (absent !== undefined) {
    const present = topology.cpus.filter(({ state }) => state !== "absent").map(({ number }) => number);
    throw new AllstopError("SCENARIO_INVALID", "no such CPU", {
      at: place.at,
      value: absent,
      allowed: formatCpuList(present),
    });
  }
  if (measures !== undefined && listed.some((cpu) => cpu === requester || !online.includes(cpu))) {
    throw new AllstopError("SCENARIO_INVALID", "the CPU to interrupt", {
      ...place,
      allowed: "an online CPU that is not the requester",
    });
  }
  if (request.startsTarget && listed.some((cpu) => cpu === requester || !online.includes(cpu))) {
    throw new AllstopError("SCENARIO_INVALID", "the CPU that comes up", {
      ...place,
      allowed: "an online CPU that is no requester",
    });
  }
  return listed;
}

/** CPUs of a list in the order in which it names them. */
function inOrder(text: string, at: string, topology: Topology): readonly number[] {
  return [...new Set(text.split(",").flatMap((part) => [...parseCpuList(part, at, topology.cpus.length)]))];
}

function activeCpus(
  active: string,
  at: string,
  topology: Topology,
  online: readonly number[],
): readonly number[] | undefined {
  if (active === "first") return undefined;
  if (active === "all") return online;
  const listed = [...parseCpuList(active, `${at}.active`, topology.cpus.length)].sort((a, b) => a - b);
  const known = new Set(online);
  const stray = listed.find((cpu) => !known.has(cpu));
  if (stray === undefined && listed.length > 0) return listed;
  throw new AllstopError("SCENARIO_INVALID", "CPUs that run the function", {
    at: `${at}.active`,
    value: stray ?? active,
    allowed: `first, all, or online CPUs: ${formatCpuList(online)}`,
  });
}

/** All threads of the targets' cores. */
function coresOf(targets: readonly number[], topology: Topology): readonly number[] {
  const cores = new Set(targets.map((cpu) => topology.cpus[cpu]?.core));
  return topology.cpus.filter(({ core, state }) => state !== "absent" && cores.has(core)).map(({ number }) => number);
}

function roundsOf({ rounds }: Call, at: string, { name, request }: Policy, targets: readonly number[]): number {
  if (request.rounds === "any" || request.rounds === "inside") return rounds ?? request.defaultRounds ?? 1;
  const only = request.rounds === "one" ? 1 : targets.length;
  if (rounds === undefined || rounds === 1 || rounds === only) return only;
  throw new AllstopError("SCENARIO_INVALID", `${name} is called once per target`, {
    at: `${at}.rounds`,
    value: rounds,
    allowed: String(only),
  });
}

/** A task makes one request, and a CPU that is still coming up makes none. */
function checkTogether(requests: readonly ExpandedRequest[]): void {
  const taken = new Set<number>();
  const starting = new Set(requests.filter(startsTarget).flatMap(({ targets }) => targets));
  const expectedStarts = requests.filter(startsTarget).length;
  requests.forEach(({ requester, policy, targets }, index) => {
    const at = index === 0 ? "policy" : `policy.also.${index - 1}`;
    if (taken.has(requester) || starting.has(requester)) {
      throw new AllstopError("SCENARIO_INVALID", "a CPU that can't make this request: it makes another, or comes up", {
        at: `${at}.requester`,
        value: requester,
      });
    }
    taken.add(requester);
    if (policy.measures !== undefined && index > 0) {
      throw new AllstopError("SCENARIO_INVALID", `${policy.name} measures, and goes with no other call before it`, {
        at: `${at}.name`,
        value: policy.name,
        allowed: "policy.name",
      });
    }
    if (policy.request.startsTarget && starting.size < expectedStarts) {
      throw new AllstopError("SCENARIO_INVALID", "a CPU comes up once", { at: `${at}.targets`, value: targets[0] });
    }
  });
}

export function startsTarget({ policy }: ExpandedRequest): boolean {
  return policy.request.startsTarget !== undefined;
}

/** Whose request block a call is made from: that of a CPU that calls on its way up, else the requester's. */
export function callerOf({ policy, requester, targets: [target] }: ExpandedRequest): number {
  return policy.request.startsTarget === "calling" ? (target ?? requester) : requester;
}
