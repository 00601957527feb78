// Watching calls of the stop family: who captured whom, who ran what and when, from the marks that CPUs pass.

import { TraceKind } from "../../src/abi.ts";
import type { Image } from "../../src/asm/index.ts";
import { kernelSymbols, perCpuOffsets, requestOffsets } from "../../src/guest/kernel.ts";
import { HotplugStep, hotplug } from "../../src/guest/percpu.ts";
import type { Machine, RunEnd } from "../../src/machine/machine.ts";
import { parseScenario, type ScenarioInput } from "../../src/scenario/document.ts";
import { expandScenario, type ExpandedScenario } from "../../src/scenario/expand.ts";
import { policies } from "../../src/policies/index.ts";
import { kernelFor, prepareMachine } from "../../src/scenario/run.ts";
import { cyclesOf } from "../../src/timing/index.ts";
import { checkedCore } from "../support/bare-machine.ts";

export type Architecture = "x86-64" | "arm64";
export const architectures: readonly Architecture[] = ["x86-64", "arm64"];

/** stop_machine() and its kin as in mainline: what these tests are about. */
export const familyPolicies = policies.filter(
  ({ source, measures }) => measures === undefined && source.includes("kernel/stop_machine.c, mainline"),
);

export type PolicyInput = NonNullable<ScenarioInput["policy"]>;

/** Something that a CPU did. `owner` is the CPU in whose memory the call's data lies: who asked for it. */
export interface Event {
  readonly kind:
    | ("call" | "return")
    | ("enter" | "ack" | "run" | "ran" | "leave")
    | ("work" | "worked" | "function")
    | ("parked" | "dead")
    | ("retry" | "busy");
  readonly cycle: number;
  readonly cpu: number;
  readonly owner: number;
  /** The state of an "ack", the result of a "return". */
  readonly value: number;
}

const marks: readonly (readonly [Event["kind"], mark: string, pointer?: string, value?: string])[] = [
  ["call", "requester:$request+mine", "mine"],
  ["return", "requester:$answer+mine+ret", "mine", "ret"],
  ["enter", "multi_cpu_stop:enter", "msdata"],
  ["ack", "multi_cpu_stop:ack", "msdata", "curstate"],
  ["leave", "multi_cpu_stop:leave"],
  ["run", "stop_run_fn_direct:start", "msdata"],
  ["ran", "stop_run_fn_direct:end"],
  ["work", "cpu_stopper_run_work:run", "arg"],
  ["worked", "cpu_stopper_run_work:ran"],
  ["function", "stopped_function:$function_start+data", "data"],
  ["parked", "cpu_stopper_thread:parked"],
  ["dead", "cpuhp_report_idle_dead:dead"],
  ["retry", "cpu_stop_queue_two_works:retry"],
  ["busy", "stop_machine_from_inactive_cpu:busy"],
];

export interface FamilyRun {
  readonly expanded: ExpandedScenario;
  readonly machine: Machine;
  readonly end: RunEnd;
  readonly events: readonly Event[];
}

export interface FamilyInput {
  readonly architecture: Architecture;
  readonly policy: PolicyInput;
  readonly topology?: string;
  readonly load?: ScenarioInput["load"];
  readonly seed?: number;
  readonly limitUs?: number;
  readonly parameters?: Record<string, number>;
}

const images = new Map<string, Image>();

/** Kernels that differ in nothing are built once. */
function imageOf(expanded: ExpandedScenario, parameters: Record<string, number>): Image {
  const { timing, topology, online, requests, functionTurns } = expanded;
  const names = requests.map(({ policy }) => policy.name).sort();
  const key = JSON.stringify([timing.name, topology.name, online.length, names, functionTurns, parameters]);
  const found = images.get(key) ?? kernelFor(expanded, parameters);
  images.set(key, found);
  return found;
}

export async function runFamily(input: FamilyInput): Promise<FamilyRun> {
  const { architecture, policy, topology = "1x4x2", load = {}, seed = 1, limitUs = 2_000, parameters = {} } = input;
  const document = { format: "allstop.scenario/1", machine: { architecture, topology }, policy, load, seed, limitUs };
  const expanded = expandScenario(parseScenario(document));
  const machine = await prepareMachine(expanded, { image: imageOf(expanded, parameters), core: checkedCore });
  const probed = marks.flatMap(([kind, mark, pointer, value]) => {
    if (!machine.image.marks.some((one) => one.name === mark)) return [];
    const values = [pointer, value].filter((name) => name !== undefined);
    return [[machine.probe(mark, { values }).number, kind] as const];
  });
  machine.traceKinds([]);
  machine.probe("requester:done", { break: true });
  machine.probe("bad_exception:fatal", { break: true });
  const end = machine.run(cyclesOf(expanded.timing, limitUs * 1000));
  // What CPUs have begun they finish: a last few microseconds, in which nobody calls any more.
  if (end.kind === "probe") machine.run(machine.cycle + cyclesOf(expanded.timing, 5_000));
  return { expanded, machine, end, events: eventsOf(machine, new Map(probed)) };
}

function eventsOf(machine: Machine, kinds: ReadonlyMap<number, Event["kind"]>): Event[] {
  const { perCpuStart, perCpuStride } = machine.image;
  return [...machine.trace].flatMap(({ kind, subject, cycle, cpu, value, value2 }) => {
    const what = kind === TraceKind.PROBE ? kinds.get(subject) : undefined;
    if (what === undefined) return [];
    const owner = Math.floor((Number(value) - perCpuStart) / perCpuStride);
    return [{ kind: what, cycle, cpu, owner, value: Number(BigInt.asIntN(32, value2)) }];
  });
}

function blockOf({ image }: Machine, cpu: number): number {
  return image.perCpuStart + cpu * image.perCpuStride;
}

/** What is in a requester's block at the end. */
export function resultOf(machine: Machine, requester: number) {
  const block = blockOf(machine, requester);
  return {
    returned: machine.readUint32(block + requestOffsets.returned) | 0,
    rounds: machine.readUint32(block + requestOffsets.roundsDone),
    calls: Number(machine.readUint64(block + requestOffsets.calls)),
  };
}

/** How the function was called on a CPU the last time. */
export function calledWith(machine: Machine, cpu: number): { irqsOff: boolean; preemptCount: number } {
  const word = machine.readUint32(blockOf(machine, cpu) + perCpuOffsets.calledWith);
  return { irqsOff: (word & 1) === 1, preemptCount: word >>> 1 };
}

export function stateOf(machine: Machine, cpu: number): string {
  const number = machine.readUint32(blockOf(machine, cpu) + hotplug.symbol.offset);
  return Object.entries(HotplugStep).find(([, step]) => step === number)?.[0] ?? String(number);
}

/** cpu_stopper.enabled */
export function stopperEnabled(machine: Machine, cpu: number): boolean {
  return machine.readMemory(blockOf(machine, cpu) + 0x80 + 12, 1)[0] === 1;
}

export const onlineOf = (machine: Machine): number[] => machine.readMask(kernelSymbols.onlineMask);
export const activeOf = (machine: Machine): number[] => machine.readMask(kernelSymbols.activeMask);
