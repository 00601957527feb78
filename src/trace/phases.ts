// The rendezvous on each CPU, as slices without a gap: from the call until the CPU leaves, whatever it was that it did or waited for.

import { TraceKind } from "../abi.ts";
import type { TraceRecord } from "../machine/trace-log.ts";
import type { ExpandedScenario } from "../scenario/expand.ts";
import { callerOf } from "../scenario/requests.ts";
import type { Emit } from "./event.ts";
import type { Passed, RendezvousStep } from "./probes.ts";

/** How far a CPU is on its way in. */
enum Stage {
  Outside,
  Requested,
  Signalled,
  Woken,
  Interrupted,
  Inside,
  /** It has left; what comes still is a phase of the target alone. */
  Left,
}

const STAGE_NAMES: Partial<Record<Stage, string>> = {
  [Stage.Requested]: "requested",
  [Stage.Signalled]: "signalled",
  [Stage.Woken]: "woken",
  [Stage.Interrupted]: "interrupted",
  [Stage.Inside]: "entered",
};

/** Follows the scenario's own calls. Those that come at the same time have their own CPUs' `calls` tracks only. */
export class Phases {
  readonly #emit: Emit;
  readonly #expanded: ExpandedScenario;
  /** CPUs that the call is to stop. */
  readonly captured: readonly number[];
  /** The block of the CPU that calls, where request blocks and what the captured CPUs share lie. */
  readonly #block: readonly [start: number, end: number];
  readonly #stage: Stage[];
  /** Names of the slices that are open on each CPU's track: the whole way, and its part. */
  readonly #open: string[][];
  readonly #passed: Set<number>[];
  #isUnderWay = false;
  #isReturned = false;
  #round = 0;
  /** When CPUs stopped, in the last call. */
  readonly stopped: Float64Array;

  constructor(expanded: ExpandedScenario, block: { perCpuStart: number; perCpuStride: number }, emit: Emit) {
    const { topology, online, requests } = expanded;
    const [{ policy, requester, targets }] = requests;
    this.#emit = emit;
    this.#expanded = expanded;
    const captured = policy.request.captured(online, targets, topology);
    // Who stops the others for good doesn't stop.
    this.captured = policy.promises?.end === "stopped" ? captured.filter((cpu) => cpu !== requester) : captured;
    const start = block.perCpuStart + callerOf(requests[0]) * block.perCpuStride;
    this.#block = [start, start + block.perCpuStride];
    const cpus = topology.cpus.length;
    this.#stage = new Array<Stage>(cpus).fill(Stage.Outside);
    this.#open = Array.from({ length: cpus }, () => []);
    this.#passed = Array.from({ length: cpus }, () => new Set());
    this.stopped = new Float64Array(cpus).fill(NaN);
  }

  read(record: TraceRecord, passed: readonly Passed[]): void {
    const { kind, cycle, cpu, peer } = record;
    if (kind === TraceKind.INTERRUPT_SENT) this.#advance(peer, Stage.Signalled, cycle);
    else if (kind === TraceKind.WAKE) this.#advance(cpu, Stage.Woken, cycle);
    else if (kind === TraceKind.INTERRUPT_TAKEN && this.#stage[cpu] !== Stage.Requested) {
      this.#advance(cpu, Stage.Interrupted, cycle);
    }
    for (const { meaning, values } of passed) {
      if (meaning.kind === "rendezvous") this.#step(meaning.step, record, values[0], meaning.state);
    }
  }

  #step(step: RendezvousStep, { cycle, cpu }: TraceRecord, value: bigint | undefined, state: number | undefined): void {
    switch (step) {
      case "call":
        if (this.#isOurs(value)) this.#call(cycle);
        break;
      case "return":
        if (this.#isOurs(value)) this.#isReturned = true;
        break;
      case "enter":
        if (this.#isUnderWay && (value === undefined || this.#isOurs(value))) this.#enter(cpu, cycle);
        break;
      case "acknowledge":
        this.#acknowledge(cpu, cycle, state ?? Number((value ?? 0n) & 0xffff_ffffn));
        break;
      case "leave":
        if (this.#stage[cpu] !== Stage.Inside) break;
        this.#close(cpu, cycle, 0);
        this.#stage[cpu] = Stage.Left;
        break;
    }
  }

  #isOurs(address = -1n): boolean {
    const [start, end] = this.#block;
    return address >= start && address < end;
  }

  #call(cycle: number): void {
    this.#isUnderWay = true;
    this.#isReturned = false;
    this.#round++;
    this.stopped.fill(NaN);
    for (const cpu of this.captured) {
      this.#close(cpu, cycle, 0);
      this.#passed[cpu]?.clear();
      this.#stage[cpu] = Stage.Outside;
      this.#begin(cpu, cycle, this.#expanded.policy.name, { round: this.#round });
      this.#advance(cpu, Stage.Requested, cycle);
    }
  }

  /** Only who is on its way in; interrupts that come inside belong to something else. */
  #advance(cpu: number, stage: Stage, cycle: number): void {
    const isOnWay = stage === Stage.Requested || this.#stage[cpu] !== Stage.Outside;
    if (!isOnWay || (this.#stage[cpu] ?? Stage.Left) >= stage) return;
    this.#stage[cpu] = stage;
    this.#next(cpu, cycle, STAGE_NAMES[stage] ?? "");
  }

  #enter(cpu: number, cycle: number): void {
    if (this.#stage[cpu] === Stage.Inside || this.#stage[cpu] === Stage.Left) return;
    // Who comes by though nobody has asked for it: there may be such in a broken path, and it shows.
    if (this.#stage[cpu] === Stage.Outside) this.#begin(cpu, cycle, this.#expanded.policy.name, { round: this.#round });
    this.#stage[cpu] = Stage.Inside;
    this.#next(cpu, cycle, "entered");
  }

  #acknowledge(cpu: number, cycle: number, state: number): void {
    const { policy, requests } = this.#expanded;
    const phase = policy.phases[state - 1];
    const isInside = this.#stage[cpu] === Stage.Inside;
    const isTargets = phase?.by === "target" && requests[0].targets.includes(cpu) && !this.#isReturned;
    if (phase === undefined || !(isInside || (this.#isUnderWay && isTargets)) || this.#passed[cpu]?.has(state)) return;
    this.#passed[cpu]?.add(state);
    if (state === policy.stoppedState) this.stopped[cpu] = cycle;
    // A target that has left the rendezvous comes to its end by itself.
    if (this.#open[cpu]?.length === 0) this.#begin(cpu, cycle, policy.name, { round: this.#round });
    this.#next(cpu, cycle, phase.name);
  }

  /** The part of the way that was under way ends where the next begins. */
  #next(cpu: number, cycle: number, name: string): void {
    this.#close(cpu, cycle, 1);
    this.#begin(cpu, cycle, name);
  }

  #begin(cpu: number, cycle: number, name: string, values?: Record<string, number>): void {
    this.#open[cpu]?.push(name);
    const what = { type: "begin", cycle, cpu, track: "phases", name, category: "phase" } as const;
    this.#emit(values === undefined ? what : { ...what, values });
  }

  /** Ends slices until so many are left. */
  #close(cpu: number, cycle: number, left: number): void {
    const open = this.#open[cpu] ?? [];
    while (open.length > left) this.#emit({ type: "end", cycle, cpu, track: "phases", name: open.pop() ?? "" });
  }
}
