// Runs the guest's stop_machine() and gives back what each CPU passed, and when: the raw marks, interrupts and exceptions,
// before any of the library's own measuring. For tests of the guest against the kernel's rules.

import { readFile } from "node:fs/promises";
import { TraceKind } from "../../src/abi.ts";
import type { Binding, Callable } from "../../src/asm/index.ts";
import { observeEvents, type History } from "../../src/measure/observations.ts";
import type { LocalApicMode, Machine, ProbeOptions, RunEnd } from "../../src/machine/machine.ts";
import type { TraceRecord } from "../../src/machine/trace-log.ts";
import type { Accelerations } from "../../src/machine/accelerations.ts";
import { SCENARIO_FORMAT, parseScenario, type ScenarioInput } from "../../src/scenario/document.ts";
import { expandScenario, type ExpandedScenario } from "../../src/scenario/expand.ts";
import { prepareMachine } from "../../src/scenario/run.ts";
import { cyclesOf, timingParameters, type TimingModel } from "../../src/timing/index.ts";
import type { Topology } from "../../src/topology/index.ts";

/** The core with its assertions compiled in. */
export const checkedCore = await WebAssembly.compile(
  await readFile(new URL("../../build/core.checked.wasm", import.meta.url)),
);

export const architectures = ["x86-64", "arm64"] as const;
export type Arch = (typeof architectures)[number];

/** Registers of the first two arguments of a routine. */
export const argument = {
  "x86-64": ["rdi", "rsi"],
  arm64: ["x0", "x1"],
} as const;

export interface StopOptions {
  readonly topology?: Topology;
  readonly accelerations?: Partial<Accelerations>;
  readonly localApic?: LocalApicMode;
  /** Take precedence over the policy's. */
  readonly bindings?: readonly Binding[];
  /** What the requesters call instead of the policies' own routines. */
  readonly call?: Callable;
  /** Options of the guest's image, besides those of every run. */
  readonly parameters?: Readonly<Record<string, number | bigint>>;
  /** Probes besides those that every run sets, by the name under which `passed` finds them. */
  readonly probes?: Readonly<Record<string, { readonly place: string } & ProbeOptions>>;
  /** On the core without assertions: for runs of a second and more. */
  readonly quick?: boolean;
  /** Watch every event of the image (observed.ts). */
  readonly events?: boolean;
  /** Called before the first cycle. */
  readonly before?: (machine: Machine, expanded: ExpandedScenario) => void;
  /** Where the run ends; `done` unless given. */
  readonly until?: string;
  /**
   * Interrupts between CPUs take next to no time: then time stands right behind a break, which takes effect one interrupt
   * latency after the hit.
   */
  readonly exact?: boolean;
}

/** A hit of a probe. */
export interface Passing {
  readonly cycle: number;
  readonly cpu: number;
  readonly value: bigint;
  readonly value2: bigint;
}

export class StopRun {
  readonly machine: Machine;
  readonly expanded: ExpandedScenario;
  readonly end: RunEnd;
  readonly records: readonly TraceRecord[];
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #readHistory: () => History;

  constructor(
    machine: Machine,
    expanded: ExpandedScenario,
    end: RunEnd,
    numbers: ReadonlyMap<string, number>,
    readHistory: () => History,
  ) {
    this.#readHistory = readHistory;
    this.machine = machine;
    this.expanded = expanded;
    this.end = end;
    this.records = [...machine.trace];
    this.#numbers = numbers;
  }

  /** Events so far, of a run with `events`. */
  get history(): History {
    return this.#readHistory();
  }

  /** Hits of one probe in the order of time. */
  passed(name: string): Passing[] {
    const number = this.#numbers.get(name);
    if (number === undefined) throw new Error(`no probe ${name}`);
    return this.records.filter(({ kind, subject }) => kind === TraceKind.PROBE && subject === number);
  }

  /** The passings of one CPU, of one round. */
  passedBy(name: string, cpu: number): Passing[] {
    return this.passed(name).filter((passing) => passing.cpu === cpu);
  }

  events(kind: TraceKind, cpu?: number): TraceRecord[] {
    return this.records.filter((record) => record.kind === kind && (cpu === undefined || record.cpu === cpu));
  }

  /** Address of a CPU's per-CPU block. */
  block(cpu: number): number {
    const { perCpuStart, perCpuStride } = this.machine.image;
    return perCpuStart + cpu * perCpuStride;
  }

  get online(): readonly number[] {
    return this.expanded.online;
  }

  /** What the last call returned, as the requester noted it. */
  get returned(): number {
    return this.machine.readUint32(this.machine.address("request_outcome") + 4) | 0;
  }

  get roundsDone(): number {
    return this.machine.readUint32("request_outcome");
  }
}

const marks: Readonly<Record<string, { readonly place: string } & ProbeOptions>> = {
  call: { place: "stop_machine:call" },
  return: { place: "stop_machine:return" },
  enter: { place: "multi_cpu_stop:enter", values: ["msdata"] },
  ack: { place: "multi_cpu_stop:ack", values: ["curstate", "msdata"] },
  leave: { place: "multi_cpu_stop:leave" },
  function: { place: "stopped_function" },
  fatal: { place: "bad_exception:fatal", break: true },
};

function withFastInterrupts(timing: TimingModel): TimingModel {
  const interrupt = { ...timing.parameters.interrupt, value: timingParameters.interrupt.least };
  return { ...timing, parameters: { ...timing.parameters, interrupt } };
}

type Requests = ExpandedScenario["requests"];

function calling([first, ...also]: Requests, call: Callable): Requests {
  const replace = (request: Requests[0]): Requests[0] => ({
    ...request,
    policy: { ...request.policy, request: { ...request.policy.request, call } },
  });
  return [replace(first), ...also.map(replace)];
}

/** Runs the scenario's calls to their end on the checked core. */
export async function runStop(document: Omit<ScenarioInput, "format">, options: StopOptions = {}): Promise<StopRun> {
  const {
    topology,
    accelerations,
    localApic,
    bindings = [],
    call,
    parameters,
    probes = {},
    events = false,
    quick = false,
    before,
    until = "requester:done",
    exact = false,
  } = options;
  const scenario = parseScenario({ format: SCENARIO_FORMAT, limitUs: 10_000, ...document });
  const plain = expandScenario(scenario, topology);
  const expanded = exact ? { ...plain, timing: withFastInterrupts(plain.timing) } : plain;
  const own = new Set(bindings.map(({ slot }) => slot.name));
  const policy = {
    ...expanded.policy,
    bindings: [...bindings, ...expanded.policy.bindings.filter(({ slot }) => !own.has(slot.name))],
  };
  const machine = await prepareMachine(
    { ...expanded, policy, requests: call === undefined ? expanded.requests : calling(expanded.requests, call) },
    {
      ...(quick ? {} : { core: checkedCore }),
      ...(parameters === undefined ? {} : { parameters }),
      ...(accelerations === undefined ? {} : { accelerations }),
      ...(localApic === undefined ? {} : { localApic }),
    },
  );
  machine.traceKinds([
    TraceKind.INTERRUPT_SENT,
    TraceKind.INTERRUPT_ARRIVED,
    TraceKind.INTERRUPT_TAKEN,
    TraceKind.EXCEPTION,
    TraceKind.WAKE,
  ]);
  const numbers = new Map<string, number>();
  for (const [name, { place, ...rest }] of Object.entries({ ...marks, ...probes })) {
    numbers.set(name, machine.probe(place, rest).number);
  }
  const readHistory = events ? observeEvents(machine) : () => ({ observations: [], records: [] });
  machine.probe(until, { break: true, ...(events ? {} : { record: false }) });
  before?.(machine, expanded);
  const end = machine.run(cyclesOf(expanded.timing, scenario.limitUs * 1000));
  if (machine.recordsLost > 0) throw new Error(`${machine.recordsLost} trace records lost`);
  return new StopRun(machine, expanded, end, numbers, readHistory);
}

/** What a run did against the rules of reference/linux-stop-paths.md, section 3; empty for a good run. */
export function violations(run: StopRun): string[] {
  const found: string[] = [];
  const { online, machine, expanded } = run;
  const [{ rounds }] = expanded.requests;
  const must = (good: boolean, what: string): void => {
    if (!good) found.push(what);
  };
  must(run.end.kind === "probe" && run.end.probe === "requester:done", `the run ended with ${JSON.stringify(run.end)}`);
  must(run.roundsDone === rounds, `${run.roundsDone} rounds instead of ${rounds}`);
  must(run.passed("call").length === rounds && run.passed("return").length === rounds, "calls and returns");

  const acks = run.passed("ack");
  for (let round = 0; round < rounds; round++) {
    const call = run.passed("call")[round]?.cycle ?? NaN;
    const back = run.passed("return")[round]?.cycle ?? NaN;
    const inRound = acks.filter(({ cycle }) => cycle > call && cycle < back);
    // Each CPU acknowledges each state exactly once, in order.
    for (const cpu of online) {
      const states = inRound.filter((ack) => ack.cpu === cpu).map(({ value }) => Number(value & 0xffff_ffffn));
      must(states.join() === "1,2,3,4", `round ${round}: CPU ${cpu} passed the states ${states.join()}`);
    }
    // Nobody sees state n + 1 before all have acknowledged n.
    const cyclesIn = (state: number): number[] =>
      inRound.filter(({ value }) => Number(value & 0xffff_ffffn) === state).map(({ cycle }) => cycle);
    for (const state of [1, 2, 3]) {
      const last = Math.max(...cyclesIn(state));
      const next = Math.min(...cyclesIn(state + 1));
      must(last < next, `round ${round}: state ${state + 1} at ${next}, before the last of state ${state} at ${last}`);
    }
    // The function runs on the active CPUs, once each, while every CPU has acknowledged DISABLE_IRQ and none EXIT.
    const ran = run.passed("function").filter(({ cycle }) => cycle > call && cycle < back);
    const active = expanded.active ?? online.slice(0, 1);
    const where = ran.map(({ cpu }) => cpu).sort((a, b) => a - b);
    must(
      where.join() === active.join(),
      `round ${round}: the function ran on ${where.join()}, not on ${active.join()}`,
    );
    for (const { cpu, cycle } of ran) {
      const frozen = cycle > Math.max(...cyclesIn(2)) && cycle < Math.min(...cyclesIn(4));
      must(frozen, `round ${round}: the function ran on CPU ${cpu} outside RUN`);
    }
    must(
      run.passed("leave").filter(({ cycle }) => cycle > call && cycle < back).length === online.length,
      `round ${round}: not everybody had left at the return`,
    );
  }
  // Interrupts are off from DISABLE_IRQ to EXIT.
  for (const cpu of online) {
    const taken = run.events(TraceKind.INTERRUPT_TAKEN, cpu).map(({ cycle }) => cycle);
    const own = acks.filter((ack) => ack.cpu === cpu);
    const offFrom = own.filter(({ value }) => (value & 0xffff_ffffn) === 2n).map(({ cycle }) => cycle);
    const offTo = own.filter(({ value }) => (value & 0xffff_ffffn) === 4n).map(({ cycle }) => cycle);
    offFrom.forEach((from, index) => {
      const inside = taken.filter((cycle) => cycle >= from && cycle <= (offTo[index] ?? Infinity));
      must(inside.length === 0, `CPU ${cpu} took an interrupt at ${inside.join()} with interrupts off`);
    });
  }
  // Nobody else was touched.
  for (const cpu of expanded.topology.cpus) {
    if (cpu.state === "offline") must(machine.cpu(cpu.number).state === "OFFLINE", `CPU ${cpu.number} was started`);
  }
  const active = expanded.active ?? online.slice(0, 1);
  for (const cpu of online) {
    const calls = machine.readUint64(run.block(cpu) + 0x510);
    must(calls === BigInt(active.includes(cpu) ? rounds : 0), `CPU ${cpu} counts ${calls} calls`);
  }
  must(machine.readUint64("request_calls") === BigInt(active.length * rounds), "the common count of calls");
  return found;
}
