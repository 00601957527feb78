// From a document to what a run needs: topology, timing model, policy, loads, who does what.

import { AllstopError, placed } from "../errors.ts";
import { expandInjections, stolenByLoads, type PlacedInjection } from "../faults/expand.ts";
import { expandDeliveries, type CpuDelivery } from "../faults/delivery.ts";
import {
  assignLoads,
  checkLoad,
  checkParameters,
  isOffline,
  relaxTurns,
  withFigures,
  type CpuLoad,
  type LoadChoice,
} from "../faults/load.ts";
import { expandMicrocode } from "../faults/microcode.ts";
import type { PlacementFields } from "../faults/placement.ts";
import type { MicrocodeUpdate } from "../machine/machine.ts";
import { checkPolicies, type Policy, type PolicyOption } from "../policies/index.ts";
import { DEFAULT_PERSONALITY, personalityOf, type Personality } from "../firmware/index.ts";
import {
  findTimingModel,
  timingParameters,
  timingTable,
  type TimingModel,
  type TimingParameter,
} from "../timing/index.ts";
import { onlineCpus, parseCpuList, topologyForCpus, topologyFromText, type Topology } from "../topology/index.ts";
import type { Scenario } from "./document.ts";
import { expandRequests, type ExpandedRequest } from "./requests.ts";
import { meant, placeName } from "./validate.ts";

/** A scenario with everything that it names, and every choice made. */
export interface ExpandedScenario {
  /** The document with every choice written out. */
  readonly scenario: Scenario;
  readonly topology: Topology;
  readonly timing: TimingModel;
  /** arm64: what EL3 is like. */
  readonly firmware: Personality | undefined;
  readonly policy: Policy;
  readonly loads: readonly CpuLoad[];
  readonly online: readonly number[];
  /** The scenario's request, then the concurrent ones. */
  readonly requests: readonly [ExpandedRequest, ...ExpandedRequest[]];
  /** Of the first of them: its CPU, and the CPUs that run the function; undefined: NULL, the first online CPU. */
  readonly requester: number;
  readonly active: readonly number[] | undefined;
  readonly functionTurns: number;
  readonly deliveries: readonly CpuDelivery[];
  /** By CPU, where they aren't as the timing model says. */
  readonly updates: ReadonlyMap<number, MicrocodeUpdate>;
  /** What goes wrong on the way. */
  readonly injections: readonly PlacedInjection[];
  /** Of the requests' policies: constants of the guest's image. */
  readonly options: Readonly<Record<string, number>>;
  /** By CPU: what the function returns there. */
  readonly results: ReadonlyMap<number, FunctionResult>;
}

/** What the function returns on a CPU. */
export interface FunctionResult {
  readonly value: number;
  /** Bit n: in call n; in all others it returns 0. */
  readonly rounds: bigint;
}

const RESULT_ROUNDS = 64;
const DEFAULT_CPUS = 64;

/**
 * Everything that a run needs, with every choice made.
 * @param given a topology that comes from elsewhere than the document, such as a file
 * @param own policies that the document may name beside the built-in ones
 * @throws SCENARIO_INVALID, NAME_UNKNOWN, TOPOLOGY_INVALID, OPTION_INVALID
 */
export function expandScenario(scenario: Scenario, given?: Topology, own: readonly Policy[] = []): ExpandedScenario {
  checkPolicies(own);
  const whole = withCount(given ?? topologyOf(scenario), scenario);
  const model = timingOf(scenario, whole);
  const timing = withParameters(model, scenario.machine.parameters ?? {});
  const loads = loadsOf(scenario, whole, timing);
  const topology = withOffline(whole, loads);
  const firmware = firmwareOf(scenario, timing);
  checkFeatNmi(scenario, timing);
  const online = onlineCpus(topology);
  checkOnline(scenario, topology, loads);
  const requests = expandRequests(scenario, topology, timing, online, own);
  const [{ policy, requester, active }] = requests;
  for (const { requester: cpu } of requests) {
    if (loads[cpu]?.kind !== "wedged") continue;
    throw new AllstopError("SCENARIO_INVALID", "the requester can't be wedged", {
      at: placeOfLoad(scenario.load, topology, cpu),
      value: cpu,
    });
  }
  // Where editors find the schema says nothing of the run.
  const document = { ...scenario };
  delete document.$schema;
  const { machine } = scenario;
  const options = optionsOf(scenario, requests);
  const faults = faultsWrittenOut(scenario.faults ?? {});
  return {
    scenario: {
      ...document,
      machine: {
        ...machine,
        architecture: timing.architecture,
        cpus: topology.counts.complete,
        timing: model.name,
        ...(firmware === undefined
          ? {}
          : { featNmi: machine.featNmi ?? policy.featNmi ?? false, firmware: firmwareWrittenOut(machine.firmware) }),
      },
      policy: writtenOut(scenario.policy, requests, options),
      load: { ...scenario.load, particular: scenario.load.particular.map((one) => withFigures(one, timing)) },
      ...(scenario.faults === undefined ? {} : { faults }),
    },
    topology,
    timing,
    firmware,
    policy,
    loads,
    online,
    requests,
    requester,
    active,
    options,
    results: resultsOf(scenario, topology),
    updates: expandMicrocode(faults.microcode ?? [], topology, timing),
    injections: [...stolenByLoads(loads, policy.marks.call), ...expandInjections(faults, topology, timing)],
    deliveries: expandDeliveries(faults.delivery ?? [], topology, timing),
    functionTurns: scenario.policy.functionUs === 0 ? 0 : relaxTurns(timing, scenario.policy.functionUs * 1000),
  };
}

/** The policy part with the choices that were left open. */
function writtenOut(
  policy: Scenario["policy"],
  requests: readonly ExpandedRequest[],
  options: Readonly<Record<string, number>>,
): Scenario["policy"] {
  const choices = requests.map(({ requester, rounds, targets }) => ({
    requester,
    rounds,
    ...(targets.length === 0 ? {} : { targets: targets.join(",") }),
  }));
  const also = policy.also?.map((call, index) => ({ delayUs: 0, ...call, ...choices[index + 1] }));
  return {
    delayUs: 0,
    jitterUs: 0,
    ...policy,
    ...choices[0],
    ...(also === undefined ? {} : { also }),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
}

function firmwareWrittenOut(choice: Scenario["machine"]["firmware"] = DEFAULT_PERSONALITY): typeof choice {
  return typeof choice === "string" ? choice : { personality: DEFAULT_PERSONALITY, ...choice };
}

type Faults = NonNullable<Scenario["faults"]>;

function faultsWrittenOut({ microcode, delivery, inject }: Faults): Faults {
  return {
    ...(microcode && { microcode: microcode.map((one) => ({ refused: false, ...one })) }),
    ...(delivery && { delivery: delivery.map((one) => (one.at ? { ...one, at: placeWrittenOut(one.at) } : one)) }),
    ...(inject && { inject: inject.map((one) => ({ ...one, at: placeWrittenOut(one.at) })) }),
  };
}

function placeWrittenOut(place: PlacementFields): PlacementFields {
  if (place.mark === undefined) return place;
  return { hit: 1, ...(place.delayNs === undefined ? { instructions: 0 } : {}), ...place };
}

/** Options of all policies that take part, with their defaults. @throws SCENARIO_INVALID */
function optionsOf({ policy }: Scenario, requests: readonly ExpandedRequest[]): Record<string, number> {
  const entries = requests.flatMap((one) => Object.entries<PolicyOption>(one.policy.options ?? {}));
  const known: Readonly<Record<string, PolicyOption>> = Object.fromEntries(entries);
  for (const [name, value] of Object.entries(policy.options ?? {})) {
    const at = placeName("policy.options", name);
    const option = Object.hasOwn(known, name) ? known[name] : undefined;
    if (option === undefined) {
      const names = Object.keys(known);
      const what = `${policy.name} has no such option${meant(name, names)}`;
      throw new AllstopError("SCENARIO_INVALID", what, { at, value, allowed: names.join(", ") || "none" });
    }
    const { least, most } = option;
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    const allowed = `a whole number from ${least} to ${most}`;
    throw new AllstopError("SCENARIO_INVALID", "not what belongs here", { at, value, allowed });
  }
  const defaults = entries.map(([name, option]) => [name, option.default] as const);
  return { ...Object.fromEntries<number>(defaults), ...policy.options };
}

/** Later entries replace earlier ones of the same CPU. */
function resultsOf({ policy }: Scenario, topology: Topology): Map<number, FunctionResult> {
  const results = new Map<number, FunctionResult>();
  policy.results?.forEach(({ cpus, value, rounds }, index) => {
    const at = `policy.results.${index}`;
    const numbers = rounds === undefined ? undefined : parseCpuList(rounds, `${at}.rounds`, RESULT_ROUNDS);
    const bits = [...(numbers ?? [])].reduce((sum, round) => sum | (1n << BigInt(round)), 0n);
    const result = { value, rounds: numbers === undefined ? 2n ** 64n - 1n : bits };
    for (const cpu of parseCpuList(cpus, `${at}.cpus`, topology.cpus.length)) results.set(cpu, result);
  });
  return results;
}

function topologyOf({ machine }: Scenario): Topology {
  const architecture = machine.architecture ?? architectureOfTiming(machine.timing) ?? "x86-64";
  const { topology: text, cpus = DEFAULT_CPUS } = machine;
  if (text === undefined) return placed("machine.cpus", () => topologyForCpus(cpus, architecture));
  return placed("machine.topology", () => topologyFromText(text, architecture));
}

function withCount(topology: Topology, { machine }: Scenario): Topology {
  const { complete } = topology.counts;
  if (machine.cpus === undefined || machine.cpus === complete) return topology;
  throw new AllstopError("SCENARIO_INVALID", "the topology has another number of CPUs", {
    at: "machine.cpus",
    value: machine.cpus,
    allowed: `${complete}, as ${machine.topology ?? topology.name} has, or no number`,
  });
}

function architectureOfTiming(name: string | undefined): TimingModel["architecture"] | undefined {
  return name === undefined ? undefined : timingNamed(name).architecture;
}

function timingNamed(name: string): TimingModel {
  return placed("machine.timing", () => findTimingModel(name));
}

function timingOf({ machine }: Scenario, topology: Topology): TimingModel {
  const architecture =
    machine.architecture ?? topology.architecture ?? architectureOfTiming(machine.timing) ?? "x86-64";
  const generic = architecture === "x86-64" ? "generic-x86" : "generic-arm64";
  const fitting = topology.architecture === architecture ? topology.timingModel : undefined;
  const model = timingNamed(machine.timing ?? fitting ?? generic);
  if (model.architecture === architecture) return model;
  throw new AllstopError("SCENARIO_INVALID", `timing model ${model.name} is of ${model.architecture}`, {
    at: "machine.timing",
    value: machine.timing,
    allowed: architecture,
  });
}

/** A model with some values changed. @throws SCENARIO_INVALID, naming the parameter */
function withParameters(model: TimingModel, changes: Readonly<Record<string, number>>): TimingModel {
  const parameters = { ...model.parameters };
  for (const [name, value] of Object.entries(changes)) {
    const at = placeName("machine.parameters", name);
    if (!isTimingParameter(name)) {
      const names = Object.keys(timingParameters);
      const what = `no such timing parameter${meant(name, names)}`;
      throw new AllstopError("SCENARIO_INVALID", what, { at, value, allowed: names.join(", ") });
    }
    parameters[name] = { ...parameters[name], value, source: "the scenario document", confidence: "estimate" };
    placed(at, () => timingTable({ ...model, parameters }));
  }
  return Object.keys(changes).length === 0 ? model : { ...model, name: `${model.name}, changed`, parameters };
}

function isTimingParameter(name: string): name is TimingParameter {
  return Object.hasOwn(timingParameters, name);
}

function firmwareOf({ machine }: Scenario, timing: TimingModel): Personality | undefined {
  const { firmware } = machine;
  if (timing.architecture === "arm64") return placed("machine.firmware", () => personalityOf(firmware));
  if (firmware === undefined) return undefined;
  throw new AllstopError("SCENARIO_INVALID", "only arm64 machines have firmware in EL3", {
    at: "machine.firmware",
    value: firmware,
    allowed: "no firmware, or an arm64 machine",
  });
}

function checkFeatNmi({ machine: { featNmi } }: Scenario, timing: TimingModel): void {
  if (featNmi !== true || timing.architecture === "arm64") return;
  throw new AllstopError("SCENARIO_INVALID", "only arm64 machines have FEAT_NMI", {
    at: "machine.featNmi",
    value: featNmi,
    allowed: "false, or an arm64 machine",
  });
}

function loadsOf({ load, seed }: Scenario, topology: Topology, timing: TimingModel): CpuLoad[] {
  placed("load.common", () => checkLoad(load.common, timing));
  const particular = new Map<number, LoadChoice>();
  load.particular.forEach(({ cpus, ...choice }, index) => {
    placed(`load.particular.${index}.kind`, () => checkLoad(choice.kind, timing));
    checkParameters(choice, `load.particular.${index}`);
    for (const cpu of particularCpus(cpus, index, topology)) particular.set(cpu, choice);
  });
  return assignLoads(topology.cpus.length, load.common, particular, timing, seed);
}

/** To the kernel, CPUs whose loads put them offline are so as those that the topology has offline. */
function withOffline(topology: Topology, loads: readonly CpuLoad[]): Topology {
  if (!loads.some(isOffline)) return topology;
  const cpus = topology.cpus.map((cpu) => {
    const load = loads[cpu.number];
    return load !== undefined && isOffline(load) && cpu.state === "online"
      ? { ...cpu, state: "offline" as const }
      : cpu;
  });
  return { ...topology, cpus };
}

function checkOnline({ load }: Scenario, topology: Topology, loads: readonly CpuLoad[]): void {
  if (loads[0]?.kind === "wait-for-sipi") {
    throw new AllstopError("SCENARIO_INVALID", "CPU 0, the bootstrap processor, never waits for a start-up IPI", {
      at: placeOfLoad(load, topology, 0),
      value: 0,
    });
  }
  const first = loads.findIndex(isOffline);
  if (first < 0 || onlineCpus(topology).length > 0) return;
  throw new AllstopError("SCENARIO_INVALID", "no CPU is left online", {
    at: placeOfLoad(load, topology, first),
    value: loads[first]?.kind,
  });
}

function particularCpus(cpus: string, index: number, topology: Topology): Set<number> {
  return parseCpuList(cpus, `load.particular.${index}.cpus`, topology.cpus.length);
}

/** Which part of a document says what a CPU is doing: the last that names it. */
function placeOfLoad({ particular }: Scenario["load"], topology: Topology, cpu: number): string {
  const index = particular.findLastIndex(({ cpus }, place) => particularCpus(cpus, place, topology).has(cpu));
  return index < 0 ? "load.common" : `load.particular.${index}`;
}
