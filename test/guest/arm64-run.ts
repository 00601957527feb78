// Runs arm64's stop paths and gives back what happened, by the guest's own events: for tests against the reference's rules, which need to
// know no routine. Time limits are shortened where a test isn't about them.

import { readFile } from "node:fs/promises";
import {
  arm64,
  asmRoutine,
  bind,
  code,
  codeOf,
  global,
  nothing,
  routine,
  u32,
  type Binding,
  type Builder,
  type Image,
} from "../../src/asm/index.ts";
import { perCpuOffsets } from "../../src/guest/kernel.ts";
import { panic } from "../../src/guest/panic/panic.ts";
import { requestsDone } from "../../src/guest/load/requester.ts";
import { loadCore } from "../../src/core/load.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { type RunEnd } from "../../src/machine/machine.ts";
import { observeEvents, type History } from "../../src/measure/observations.ts";
import type { OracleResult } from "../../src/measure/oracles/index.ts";
import { SCENARIO_FORMAT, parseScenario, type ScenarioInput } from "../../src/scenario/document.ts";
import { expandScenario, type ExpandedScenario } from "../../src/scenario/expand.ts";
import { judgeRun } from "../../src/scenario/judge.ts";
import { kernelFor, prepareMachine } from "../../src/scenario/run.ts";
import { cyclesOf } from "../../src/timing/index.ts";
import type { Topology } from "../../src/topology/index.ts";
import type { TimingParameter } from "../../src/timing/index.ts";
import { checkedCore } from "./stop-run.ts";

/** The released core, for runs that wait for a second. */
export const releasedCore = await loadCore(await readFile(new URL("../../dist/core.wasm", import.meta.url)));

/** What a CPU does that has IRQs off until the host releases it, and then is busy with IRQs on. */
export const released = global("test_released", u32, { align: 64 });
const irqsOffUntilReleased = routine(
  "irqs_off_until_released",
  [],
  nothing,
  (k) => {
    k.irqDisable();
    k.mark("off");
    k.while(
      () => k.readOnce(released).eq(0),
      () => k.cpuRelax(),
    );
    k.irqEnable();
    k.mark("on");
    k.loop(() => k.cpuRelax());
  },
  { noReturn: true },
);

/** A CPU that has IRQs off until the host releases it, and then panics. */
const panicWhenReleased = routine(
  "panic_when_released",
  [],
  nothing,
  (k) => {
    k.irqDisable();
    k.while(
      () => k.readOnce(released).eq(0),
      () => k.cpuRelax(),
    );
    k.call(panic);
  },
  { noReturn: true },
);

/** Holds a value in every register but those that code may always use; x30 and what lies beyond are the frame's. */
function keepRegisters(name: string, prepare: (k: Builder) => void) {
  const fill = asmRoutine(`${name}_fill`, {
    arm64: (a) => {
      for (let register = 0; register < 30; register++) a.movConstant(arm64.armGpr(register, 64), 0x1000 + register);
      a.label("turn").nop().b("turn");
    },
  });
  return routine(
    name,
    [],
    nothing,
    (k) => {
      prepare(k);
      k.call(fill);
    },
    { noReturn: true },
  );
}

const registersKept = keepRegisters("registers_kept", (k) => k.irqEnable());
const registersKeptIrqsOff = keepRegisters("registers_kept_irqs_off", (k) => k.daifMask());

/** Routines that the image holds because somebody refers to them. */
const keepTestWorks = routine("test_requests_done", [], nothing, (k) => {
  for (const work of [irqsOffUntilReleased, panicWhenReleased, registersKept, registersKeptIrqsOff]) {
    const address = k.let("work", codeOf(work), code);
    k.arch({ arm64: () => undefined }, { uses: { address } });
  }
});

export type TestLoad = "irqs-off" | "wedged" | "busy" | "wfi" | "deep" | "panic" | "registers" | "registers-irqs-off";

export interface Arm64Options {
  readonly cpus?: number;
  readonly topology?: Topology;
  readonly firmware?: NonNullable<ScenarioInput["machine"]>["firmware"];
  /** By CPU; the others are idle. `irqs-off`: until released, by PMR where that masks IRQs. */
  readonly loads?: Readonly<Record<number, TestLoad>>;
  readonly policy?: Omit<NonNullable<ScenarioInput["policy"]>, "name">;
  /** Image options. */
  readonly parameters?: Readonly<Record<string, number>>;
  readonly bindings?: readonly Binding[];
  /** Timing parameters, in cycles. */
  readonly timing?: Partial<Record<TimingParameter, number>>;
  readonly faults?: ScenarioInput["faults"];
  /** Time limits as they are, on the released core. */
  readonly wholeLimits?: boolean;
  readonly perturbation?: number;
  readonly limitUs?: number;
  /** Before the first cycle. */
  readonly before?: (machine: Machine, block: (cpu: number) => number) => void;
  /** In place of one run to the end. */
  readonly drive?: (machine: Machine, run: (cycle?: number) => RunEnd, expanded: ExpandedScenario) => void;
  /** Further places whose passing ends a run, so that `drive` may act there. */
  readonly breaks?: readonly string[];
}

/** Lets CPUs go that wait for it: from the host, at a cycle at which the machine stands. */
export function release(machine: Machine): void {
  machine.writeUint32("test_released", 1);
}

/** Iterations of the rungs in most tests. */
export const shortLimits = { stopIpiIterations: 200, stopNmiIterations: 50, stopSdeiIterations: 100 } as const;

export interface Event {
  readonly what: string;
  readonly cpu: number;
  readonly cycle: number;
  readonly value: bigint;
}

export class Arm64Run {
  readonly machine: Machine;
  readonly expanded: ExpandedScenario;
  readonly end: RunEnd;
  readonly history: History;
  readonly events: readonly Event[];

  constructor(machine: Machine, expanded: ExpandedScenario, end: RunEnd, history: History) {
    this.machine = machine;
    this.expanded = expanded;
    this.end = end;
    this.history = history;
    this.events = history.observations.map(({ event, which, cpu, cycle, values }) => ({
      what: which === undefined ? event : `${event}.${which}`,
      cpu,
      cycle,
      value: values[0] ?? 0n,
    }));
  }

  /** Events by name, of all CPUs or one. */
  of(what: string, cpu?: number): Event[] {
    return this.events.filter((one) => one.what === what && (cpu === undefined || one.cpu === cpu));
  }

  /** Names of the events of one CPU, in their order. */
  stepsOf(cpu: number, ...whats: readonly string[]): string[] {
    return this.events
      .filter((one) => one.cpu === cpu && (whats.length === 0 || whats.includes(one.what)))
      .map(({ what }) => what);
  }

  /** CPUs that came by an event, in the order of time. */
  cpusOf(what: string): number[] {
    return this.of(what).map(({ cpu }) => cpu);
  }

  /** CPUs that a message names. */
  named(what: string): number[] {
    return this.of(what).map(({ value }) => Number(value));
  }

  /** Iterations of a wait that were used, or undefined if it wasn't entered. */
  iterations(wait: string): number | undefined {
    const [before] = this.of(`wait.${wait}`);
    const [after] = this.of(`waited.${wait}`);
    return before === undefined || after === undefined ? undefined : Number(before.value - after.value);
  }

  block(cpu: number): number {
    const { perCpuStart, perCpuStride } = this.machine.image;
    return perCpuStart + cpu * perCpuStride;
  }

  routineAt(address: bigint): string {
    return (this.machine.describe(Number(address)) ?? "").split("+")[0] ?? "";
  }

  state(cpu: number): string {
    const { state, waitsIn } = this.machine.cpu(cpu);
    return state === "WAITING" ? waitsIn : state;
  }

  get isDone(): boolean {
    return this.end.kind === "probe" && this.end.probe === this.expanded.policy.marks.done;
  }

  get oracles(): OracleResult[] {
    const { machine, expanded, end, history } = this;
    return judgeRun({ expanded, machine, end, history, raised: [] }, []);
  }

  /** Oracles that did not hold. */
  get broken(): string[] {
    return this.oracles.filter(({ held }) => !held).map(({ name }) => name);
  }
}

const works: Readonly<Record<TestLoad, string | undefined>> = {
  "irqs-off": "irqs_off_until_released",
  wedged: "wedged_work",
  busy: "busy_work",
  wfi: undefined,
  deep: undefined,
  panic: "panic_when_released",
  registers: "registers_kept",
  "registers-irqs-off": "registers_kept_irqs_off",
};
/** IdleKind.Deep */
const DEEP = 3;

function writeLoads(machine: Machine, loads: Readonly<Record<number, TestLoad>>): void {
  const { perCpuStart, perCpuStride } = machine.image;
  for (const [cpu, load] of Object.entries(loads)) {
    const block = perCpuStart + Number(cpu) * perCpuStride;
    const work = works[load];
    machine.writeUint64(block + perCpuOffsets.work, work === undefined ? 0n : BigInt(machine.address(work)));
    if (load === "deep") machine.writeUint32(block + perCpuOffsets.idle, DEEP);
  }
}

const images = new Map<string, Image>();

/** Runs that differ in nothing that the image holds share it. */
function imageFor(expanded: ExpandedScenario, parameters: Readonly<Record<string, number>>): Image {
  const { policy, requests, online, topology, options } = expanded;
  const bound = policy.bindings.map(({ slot, routine: { name } }) => `${slot.name}=${name}`);
  const asked = requests.map((request) => `${request.policy.name} ${request.rounds}`);
  const key = JSON.stringify([policy.name, bound, asked, online.length, topology.cpus.length, options, parameters]);
  const image = images.get(key) ?? kernelFor(expanded, parameters);
  images.set(key, image);
  return image;
}

/** Builds the machine with its kernel, sets probes on all events, and runs it. */
export async function runArm64(policy: string, options: Arm64Options = {}): Promise<Arm64Run> {
  const { cpus = 4, topology, firmware, loads = {}, parameters = {}, bindings = [], timing = {}, faults } = options;
  const { wholeLimits = false, limitUs = wholeLimits ? 3_000_000 : 20_000, breaks = [], perturbation = 0 } = options;
  const scenario = parseScenario({
    format: SCENARIO_FORMAT,
    limitUs,
    machine: {
      architecture: "arm64",
      ...(topology === undefined ? { cpus } : {}),
      ...(firmware === undefined ? {} : { firmware }),
    },
    policy: { name: policy, ...options.policy },
    ...(faults === undefined ? {} : { faults }),
  });
  const plain = expandScenario(scenario, topology);
  const changed = Object.entries(timing).map(
    ([name, value]) => [name, { ...plain.timing.parameters[name as TimingParameter], value }] as const,
  );
  const expanded = {
    ...plain,
    timing: { ...plain.timing, parameters: { ...plain.timing.parameters, ...Object.fromEntries(changed) } },
    policy: {
      ...plain.policy,
      bindings: [
        ...plain.policy.bindings.filter(({ slot }) => !bindings.some((own) => own.slot.name === slot.name)),
        ...bindings,
        bind(requestsDone, keepTestWorks),
      ],
    },
  };
  const machine = await prepareMachine(expanded, {
    core: wholeLimits ? releasedCore : checkedCore,
    image: imageFor(expanded, { ...(wholeLimits ? {} : shortLimits), ...parameters }),
  });
  writeLoads(machine, loads);
  options.before?.(machine, (cpu) => machine.image.perCpuStart + cpu * machine.image.perCpuStride);
  machine.setPerturbation(perturbation);
  const read = observeEvents(machine);
  for (const place of [expanded.policy.marks.done, expanded.policy.marks.fatal, ...breaks])
    machine.probe(place, { break: true, join: true });
  const limit = cyclesOf(expanded.timing, limitUs * 1000);
  let end: RunEnd | undefined;
  const run = (cycle = limit): RunEnd => (end = machine.run(Math.min(limit, cycle)));
  if (options.drive === undefined) run();
  else options.drive(machine, run, expanded);
  if (end === undefined) throw new Error("the machine has not run");
  return new Arm64Run(machine, expanded, end, read());
}
