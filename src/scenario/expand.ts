// From a document to what a run needs: topology, timing model, policy, loads, who does what.

import { AllstopError } from "../errors.ts";
import { assignLoads, relaxTurns, type CpuLoad, type LoadKind } from "../faults/load.ts";
import { findPolicy, type Policy } from "../policies/index.ts";
import { findTimingModel, type TimingModel } from "../timing/index.ts";
import {
  formatCpuList,
  onlineCpus,
  parseCpuList,
  topologyForCpus,
  topologyFromText,
  type Topology,
} from "../topology/index.ts";
import type { Scenario } from "./document.ts";

export interface ExpandedScenario {
  /** The document with every choice written out. */
  readonly scenario: Scenario;
  readonly topology: Topology;
  readonly timing: TimingModel;
  readonly policy: Policy;
  readonly loads: readonly CpuLoad[];
  readonly online: readonly number[];
  readonly requester: number;
  /** CPUs that run the function; undefined: NULL, the first online CPU. */
  readonly active: readonly number[] | undefined;
  readonly functionTurns: number;
}

const DEFAULT_CPUS = 64;

/** @param given a topology that comes from elsewhere than the document, such as a file */
export function expandScenario(scenario: Scenario, given?: Topology): ExpandedScenario {
  const topology = given ?? topologyOf(scenario);
  const timing = timingOf(scenario, topology);
  const policy = findPolicy(scenario.policy.name);
  const online = onlineCpus(topology);
  const requester = scenario.policy.requester ?? online[0];
  if (requester === undefined || !online.includes(requester)) {
    throw new AllstopError("SCENARIO_INVALID", "the requester is not online", {
      at: "policy.requester",
      value: requester,
      allowed: formatCpuList(online),
    });
  }
  const loads = loadsOf(scenario, topology, timing);
  if (loads[requester]?.kind === "wedged") {
    throw new AllstopError("SCENARIO_INVALID", "the requester can't be wedged", { at: "load", value: requester });
  }
  const active = activeCpus(scenario.policy.active, online);
  const { machine } = scenario;
  return {
    scenario: {
      ...scenario,
      machine: {
        ...machine,
        architecture: timing.architecture,
        topology: machine.topology ?? topology.name,
        cpus: topology.counts.complete,
        timing: timing.name,
      },
      policy: { ...scenario.policy, requester },
    },
    topology,
    timing,
    policy,
    loads,
    online,
    requester,
    active,
    functionTurns: scenario.policy.functionUs === 0 ? 0 : relaxTurns(timing, scenario.policy.functionUs * 1000),
  };
}

function topologyOf({ machine }: Scenario): Topology {
  const architecture = machine.architecture ?? architectureOfTiming(machine.timing) ?? "x86-64";
  if (machine.topology === undefined) return topologyForCpus(machine.cpus ?? DEFAULT_CPUS, architecture);
  const topology = topologyFromText(machine.topology, architecture);
  if (machine.cpus !== undefined && machine.cpus !== topology.counts.complete) {
    throw new AllstopError("SCENARIO_INVALID", `topology ${machine.topology} has ${topology.counts.complete} CPUs`, {
      at: "machine.cpus",
      value: machine.cpus,
    });
  }
  return topology;
}

function architectureOfTiming(name: string | undefined): TimingModel["architecture"] | undefined {
  return name === undefined ? undefined : findTimingModel(name).architecture;
}

function timingOf({ machine }: Scenario, topology: Topology): TimingModel {
  const architecture =
    machine.architecture ?? topology.architecture ?? architectureOfTiming(machine.timing) ?? "x86-64";
  const generic = architecture === "x86-64" ? "generic-x86" : "generic-arm64";
  const fitting = topology.architecture === architecture ? topology.timingModel : undefined;
  const model = findTimingModel(machine.timing ?? fitting ?? generic);
  if (model.architecture === architecture) return model;
  throw new AllstopError("SCENARIO_INVALID", `timing model ${model.name} is of ${model.architecture}`, {
    at: "machine.timing",
    value: machine.timing,
    allowed: architecture,
  });
}

function loadsOf({ load, seed }: Scenario, topology: Topology, timing: TimingModel): CpuLoad[] {
  const particular = new Map<number, LoadKind>();
  load.particular.forEach(({ cpus, kind }, index) => {
    for (const cpu of parseCpuList(cpus, `load.particular.${index}.cpus`)) {
      if (topology.cpus[cpu] === undefined) {
        throw new AllstopError("SCENARIO_INVALID", "no such CPU", {
          at: `load.particular.${index}.cpus`,
          value: cpu,
          allowed: `0-${topology.cpus.length - 1}`,
        });
      }
      particular.set(cpu, kind);
    }
  });
  return assignLoads(topology.cpus.length, load.common, particular, timing, seed);
}

function activeCpus(active: string, online: readonly number[]): readonly number[] | undefined {
  if (active === "first") return undefined;
  if (active === "all") return online;
  const listed = [...parseCpuList(active, "policy.active")].sort((a, b) => a - b);
  const known = new Set(online);
  const stray = listed.find((cpu) => !known.has(cpu));
  if (stray === undefined && listed.length > 0) return listed;
  throw new AllstopError("SCENARIO_INVALID", "CPUs that run the function", {
    at: "policy.active",
    value: stray ?? active,
    allowed: `first, all, or online CPUs: ${formatCpuList(online)}`,
  });
}
