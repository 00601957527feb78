// Runs calls of stop_machine() in NMI context on the checked core, with NMIs put wherever a test wants, judged by the library's oracles.

import type { Binding } from "../../src/asm/index.ts";
import type { Accelerations } from "../../src/machine/accelerations.ts";
import type { LocalApicMode, Machine, RunEnd } from "../../src/machine/machine.ts";
import { observeEvents, type History, type Observation } from "../../src/measure/observations.ts";
import type { OracleResult, RaisedSource } from "../../src/measure/oracles/index.ts";
import { readWaits, type WaitReport } from "../../src/measure/waits.ts";
import { SCENARIO_FORMAT, parseScenario, type ScenarioInput } from "../../src/scenario/document.ts";
import { expandScenario, type ExpandedScenario } from "../../src/scenario/expand.ts";
import { judgeRun } from "../../src/scenario/judge.ts";
import { prepareMachine } from "../../src/scenario/run.ts";
import { cyclesOf, type TimingModel } from "../../src/timing/index.ts";
import { checkedCore } from "./stop-run.ts";

export const requesterDone = "requester:done";

export interface NmiOptions {
  /** Take precedence over the policy's. */
  readonly bindings?: readonly Binding[];
  /** Options of the image. */
  readonly parameters?: Readonly<Record<string, number | bigint>>;
  /** Called before the first cycle. */
  readonly before?: (machine: Machine) => void;
  /** Runs the machine, or lets it be run to the end; tells which sources it has raised. */
  readonly drive?: (machine: Machine) => readonly RaisedSource[];
  /** How long the machine goes on after the call is back. */
  readonly afterUs?: number;
  readonly accelerations?: Partial<Accelerations>;
  readonly localApic?: LocalApicMode;
  /** Simple instructions per cycle; that of the timing model if not given. With 1, every instruction has a cycle of its own. */
  readonly issueWidth?: number;
}

export class NmiRun {
  readonly machine: Machine;
  readonly expanded: ExpandedScenario;
  readonly end: RunEnd;
  readonly history: History;
  readonly oracles: readonly OracleResult[];

  constructor(parts: Pick<NmiRun, "machine" | "expanded" | "end" | "history" | "oracles">) {
    this.machine = parts.machine;
    this.expanded = parts.expanded;
    this.end = parts.end;
    this.history = parts.history;
    this.oracles = parts.oracles;
  }

  /** Names of the oracles that did not hold. */
  get violated(): string[] {
    return this.oracles.filter(({ held }) => !held).map(({ name }) => name);
  }

  detail(oracle: string): string {
    return this.oracles.find(({ name }) => name === oracle)?.detail ?? "";
  }

  /** Events by kind, or "kind.which". */
  events(name: string, cpu?: number): Observation[] {
    const [event, which] = name.split(".");
    return this.history.observations.filter(
      (one) =>
        one.event === event && (which === undefined || one.which === which) && (cpu === undefined || one.cpu === cpu),
    );
  }

  /** CPUs that came by an event, in the order of time. */
  cpus(name: string): number[] {
    return this.events(name).map(({ cpu }) => cpu);
  }

  /** What each call returned. */
  get returned(): number[] {
    return this.events("answer").map(({ values }) => Number(BigInt.asIntN(32, values[1] ?? 0n)));
  }

  waits(name: string): WaitReport[] {
    return readWaits(this.history.observations, this.expanded.timing).filter((wait) => wait.name === name);
  }

  block(cpu: number): number {
    const { perCpuStart, perCpuStride } = this.machine.image;
    return perCpuStart + cpu * perCpuStride;
  }
}

/** A machine before its first cycle, with its events observed. */
export interface PreparedNmi {
  readonly machine: Machine;
  readonly expanded: ExpandedScenario;
  /** Cycle at which the run is given up. */
  readonly limit: number;
  readonly readHistory: () => History;
}

function withIssueWidth(timing: TimingModel, issueWidth: number | undefined): TimingModel {
  return issueWidth === undefined ? timing : { ...timing, issueWidth: { ...timing.issueWidth, value: issueWidth } };
}

export async function prepareNmi(
  document: Omit<ScenarioInput, "format">,
  options: NmiOptions = {},
): Promise<PreparedNmi> {
  const { bindings = [], parameters = {}, accelerations, localApic, issueWidth, before } = options;
  const scenario = parseScenario({ format: SCENARIO_FORMAT, limitUs: 100_000, ...document });
  const plain = expandScenario(scenario);
  const own = new Set(bindings.map(({ slot }) => slot.name));
  const kept = plain.policy.bindings.filter(({ slot }) => !own.has(slot.name));
  const expanded = {
    ...plain,
    timing: withIssueWidth(plain.timing, issueWidth),
    policy: { ...plain.policy, bindings: [...bindings, ...kept] },
  };
  const machine = await prepareMachine(expanded, {
    core: checkedCore,
    parameters,
    ...(accelerations === undefined ? {} : { accelerations }),
    ...(localApic === undefined ? {} : { localApic }),
  });
  const readHistory = observeEvents(machine);
  machine.probe(requesterDone, { break: true, record: false });
  machine.probe("bad_exception:fatal", { break: true, record: false });
  before?.(machine);
  const limit = cyclesOf(expanded.timing, scenario.limitUs * 1000);
  return { machine, expanded, limit, readHistory };
}

/** Runs a prepared machine to its end. */
function finish({ machine, expanded, limit, readHistory }: PreparedNmi, { drive, afterUs }: NmiOptions): NmiRun {
  const raised = drive?.(machine) ?? [];
  const end = machine.run(limit);
  if (end.kind === "probe" && end.probe === requesterDone && afterUs !== undefined) {
    machine.run(machine.cycle + cyclesOf(expanded.timing, afterUs * 1000));
  }
  if (machine.recordsLost > 0) throw new Error(`${machine.recordsLost} trace records lost`);
  const history = readHistory();
  const oracles = judgeRun({ expanded, machine, end, history, raised }, []);
  return new NmiRun({ machine, expanded, end, history, oracles });
}

export async function runNmi(document: Omit<ScenarioInput, "format">, options: NmiOptions = {}): Promise<NmiRun> {
  return finish(await prepareNmi(document, options), options);
}

/** Runs a copy of a machine to its end. */
export function forked(prepared: PreparedNmi, options: NmiOptions): NmiRun {
  const machine = prepared.machine.fork();
  return finish({ ...prepared, machine, readHistory: observeEvents(machine) }, options);
}
