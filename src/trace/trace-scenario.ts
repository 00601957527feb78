// The trace of a run, in chunks while it runs: what has been written is forgotten, so that memory does not grow with the run's length.

import { AllstopError } from "../errors.ts";
import type { Machine, RunEnd } from "../machine/machine.ts";
import type { TraceRecord } from "../machine/trace-log.ts";
import { TraceKind } from "../abi.ts";
import { expandScenario, type ExpandedScenario } from "../scenario/expand.ts";
import { parseFields, type ScenarioFields } from "../scenario/input.ts";
import { prepareMachine, stepScenario, type RunOptions } from "../scenario/run.ts";
import { cyclesOf, nsOf } from "../timing/index.ts";
import { Bounded, type Bounds } from "./bounds.ts";
import type { TraceEncoder, TraceSubject } from "./encoder.ts";
import { Execution } from "./execution.ts";
import { FtraceEncoder } from "./ftrace.ts";
import { PerfettoEncoder } from "./perfetto.ts";
import { Phases } from "./phases.ts";
import { probeAll, type Passed } from "./probes.ts";

/** Perfetto's protobuf (.pftrace), or ftrace's text. */
export const traceFormats = ["perfetto", "ftrace"] as const;
/** One of `traceFormats`. */
export type TraceFormat = (typeof traceFormats)[number];

/** The run, and which part of it is traced. */
export interface TraceOptions extends Omit<RunOptions, "onProgress"> {
  /** "perfetto" if not given. */
  readonly format?: TraceFormat;
  /** Only these CPUs; all if not given. Messages from and to others have one end only. */
  readonly cpus?: readonly number[];
  /** Only what happens from so many simulated microseconds of the machine's start on, and before so many; the run ends there. */
  readonly fromUs?: number;
  readonly toUs?: number;
  /**
   * Only so many CPUs, those that stopped last in the last call, or never, and the one that called; of `cpus`, if that is given. It
   * takes a second run.
   */
  readonly stragglers?: number;
}

/** What a trace holds. */
export interface TraceSummary {
  /** How the run ended; `reached`: at its limit, or at the window's end. */
  readonly end: RunEnd;
  /** CPUs that it has. */
  readonly cpus: readonly number[];
  /** Begins and ends of slices, and instants. */
  readonly events: number;
  /** Simulated nanoseconds from the machine's start to the end of the run. */
  readonly endNs: number;
}

/**
 * Runs a scenario and gives its trace, chunk by chunk, as a function of document and options alone. Nothing is run before the first chunk is asked for.
 * @throws AllstopError as simulate(); OPTION_INVALID for CPUs, times or a number of stragglers that can't be
 */
export async function* traceScenario(
  document: ScenarioFields,
  options: TraceOptions = {},
): AsyncGenerator<Uint8Array, TraceSummary> {
  const expanded = expandScenario(parseFields(document), options.topology, options.policies);
  const window = windowOf(expanded, options);
  const cpus = await chosenCpus(expanded, options);
  const machine = await prepareMachine(expanded, options);
  const encoder = encoderOf(expanded, cpus, options.format);
  const bounds = { ...window, cpus: cpus.length === machine.topology.cpus.length ? undefined : new Set(cpus) };
  const tracer = new Tracer(machine, expanded, encoder, bounds);
  const steps = stepScenario(machine, expanded, (until) => runInSlices(machine, until, tracer.read));
  let end: RunEnd = { kind: "reached" };
  while (machine.cycle < window.to) {
    const step = steps.next();
    const chunk = encoder.take();
    if (chunk !== undefined) yield chunk;
    if (step.done !== true) continue;
    end = step.value;
    break;
  }
  tracer.end();
  const rest = encoder.take(true);
  if (rest !== undefined) yield rest;
  return { end, cpus, events: tracer.events, endNs: nsOf(machine.timing, Math.min(machine.cycle, window.to)) };
}

/** From records to events within bounds, and to an encoder. */
class Tracer {
  events = 0;
  readonly #machine: Machine;
  readonly #passed: (record: TraceRecord) => Passed[];
  readonly #bounded: Bounded;
  readonly #execution: Execution;
  readonly #phases: Phases;

  constructor(machine: Machine, expanded: ExpandedScenario, encoder: TraceEncoder, bounds: Bounds) {
    this.#machine = machine;
    this.#passed = probeAll(machine, expanded.policy);
    this.#bounded = new Bounded(bounds, (event) => {
      this.events++;
      encoder.write(event);
    });
    this.#execution = new Execution(machine, expanded, this.#bounded.emit);
    this.#phases = new Phases(expanded, machine.image, this.#bounded.emit);
  }

  readonly read = (record: TraceRecord): void => {
    const passed = record.kind === TraceKind.PROBE ? this.#passed(record) : [];
    // In this order: messages are told of when the record behind them comes.
    this.#execution.read(record, passed);
    this.#phases.read(record, passed);
  };

  end(): void {
    const { cycle } = this.#machine;
    this.#execution.end(cycle);
    this.#bounded.end(cycle);
  }
}

/** Records of a slice that are neither too many to hold nor too few to be worth it. */
const MOST_RECORDS = 65_536;
const LEAST_RECORDS = 8_192;
const FIRST_SLICE_CYCLES = 16_384;

/** Runs on to a cycle, and reads what has been traced, all of it and once, after every slice. */
function* runInSlices(machine: Machine, until: number, read: (record: TraceRecord) => void): Generator<void, RunEnd> {
  let slice = FIRST_SLICE_CYCLES;
  while (true) {
    const end = machine.run(Math.min(until, machine.cycle + slice));
    const isOver = end.kind === "quiescent";
    if (isOver) machine.run(until);
    const records = machine.trace.takeBefore(machine.cycle);
    for (const record of records) read(record);
    yield;
    if (end.kind !== "reached" || machine.cycle >= until) return end;
    if (records.length > MOST_RECORDS) slice = Math.max(1, Math.floor(slice / 2));
    else if (records.length < LEAST_RECORDS) slice *= 2;
  }
}

function encoderOf(
  { topology, timing, scenario }: ExpandedScenario,
  cpus: readonly number[],
  format: TraceFormat = "perfetto",
): TraceEncoder {
  const subject: TraceSubject = {
    title: `${scenario.title ?? scenario.policy.name} on ${topology.name}`,
    topology,
    cpus,
    nsOf: (cycle) => Math.round(nsOf(timing, cycle)),
  };
  return format === "perfetto" ? new PerfettoEncoder(subject) : new FtraceEncoder(subject);
}

function windowOf({ timing }: ExpandedScenario, { fromUs = 0, toUs = Infinity }: TraceOptions): Omit<Bounds, "cpus"> {
  if (!(fromUs >= 0 && Number.isFinite(fromUs))) {
    throw new AllstopError("OPTION_INVALID", "a window that begins nowhere", {
      at: "fromUs",
      value: fromUs,
      allowed: "0 or more",
    });
  }
  if (!(toUs > fromUs)) {
    throw new AllstopError("OPTION_INVALID", "a window that ends before it begins", {
      at: "toUs",
      value: toUs,
      allowed: `more than ${fromUs}`,
    });
  }
  const cycleOf = (us: number): number => (us === Infinity ? Infinity : cyclesOf(timing, us * 1000, 0));
  return { from: cycleOf(fromUs), to: cycleOf(toUs) };
}

async function chosenCpus(expanded: ExpandedScenario, options: TraceOptions): Promise<readonly number[]> {
  const all = expanded.topology.cpus.map(({ number }) => number);
  const { cpus = all, stragglers } = options;
  const wrong = cpus.find((cpu) => expanded.topology.cpus[cpu] === undefined);
  if (wrong !== undefined || cpus.length === 0) {
    throw new AllstopError("OPTION_INVALID", "CPUs that the machine doesn't have", {
      at: "cpus",
      value: wrong ?? "none",
      allowed: `0 to ${all.length - 1}`,
    });
  }
  const ascending = [...new Set(cpus)].sort((a, b) => a - b);
  if (stragglers === undefined) return ascending;
  if (!Number.isInteger(stragglers) || stragglers < 1) {
    throw new AllstopError("OPTION_INVALID", "a number of stragglers that can't be", {
      at: "stragglers",
      value: stragglers,
      allowed: "a whole number from 1 on",
    });
  }
  return lastOf(await findStopped(expanded, options), expanded.requester, new Set(ascending), stragglers);
}

/** Runs once to see who was last. */
async function findStopped(
  expanded: ExpandedScenario,
  options: TraceOptions,
): Promise<readonly { readonly cpu: number; readonly cycle: number }[]> {
  const machine = await prepareMachine(expanded, options);
  const passed = probeAll(machine, expanded.policy);
  const phases = new Phases(expanded, machine.image, () => undefined);
  const steps = stepScenario(machine, expanded, (until) =>
    runInSlices(machine, until, (record) => {
      phases.read(record, record.kind === TraceKind.PROBE ? passed(record) : []);
    }),
  );
  while (steps.next().done !== true);
  return phases.captured.map((cpu) => ({ cpu, cycle: phases.stopped[cpu] ?? NaN }));
}

/** Who never stopped is later than anyone. */
function lastOf(
  stopped: readonly { readonly cpu: number; readonly cycle: number }[],
  requester: number,
  allowed: ReadonlySet<number>,
  count: number,
): number[] {
  const lateness = (cycle: number): number => (Number.isNaN(cycle) ? Infinity : cycle);
  const order = stopped
    .filter(({ cpu }) => allowed.has(cpu))
    .sort((a, b) => (lateness(a.cycle) === lateness(b.cycle) ? a.cpu - b.cpu : lateness(b.cycle) - lateness(a.cycle)));
  const last = order.slice(0, count).map(({ cpu }) => cpu);
  return [...new Set([requester, ...last])].sort((a, b) => a - b);
}
