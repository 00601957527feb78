// Runs a late load of microcode and tells what came of it, by the guest's events and memory; and checks the invariant of reference section
// 5.8: while a core's microcode is updated, no other thread of the core executes anything outside the rendezvous.

import { ucodeCtrl } from "../../src/guest/microcode/data.ts";
import type { Binding } from "../../src/asm/index.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { cyclesOf } from "../../src/timing/index.ts";
import { happenings, type Happening } from "./observed.ts";
import { runStop, type StopRun } from "./stop-run.ts";

export interface LoadOptions {
  readonly topology?: string;
  /** CPUs that are offline by software, and how they wait. */
  readonly offline?: { readonly cpus: string; readonly kind?: "offline-mwait" | "offline-hlt" };
  /** By CPU: NMIs come so much later, microseconds; Infinity: they are lost. */
  readonly nmiDelayUs?: Readonly<Record<number, number>>;
  /** By CPU: how long its update takes, microseconds; Infinity: it hangs. */
  readonly updateUs?: Readonly<Record<number, number>>;
  /** CPUs that refuse the update. */
  readonly refused?: readonly number[];
  readonly parameters?: Readonly<Record<string, number>>;
  readonly bindings?: readonly Binding[];
  readonly rounds?: number;
  readonly limitUs?: number;
  /** Where the run ends, if not when the request is through. */
  readonly until?: string;
  readonly before?: (machine: Machine, cyclesOfUs: (us: number) => number) => void;
}

/** What updates take where a test doesn't say, microseconds. */
export const UPDATE_US = 20;
export const TIMEOUT = 6;
export const FAILED = -1;

export class Load {
  readonly run: StopRun;
  readonly events: readonly Happening[];

  constructor(run: StopRun) {
    this.run = run;
    this.events = happenings(run);
  }

  get returned(): number {
    return this.run.returned;
  }

  /** `result` of each CPU's control block. */
  result(cpu: number): number {
    return this.run.machine.readUint32(this.run.block(cpu) + ucodeCtrl.symbol.offset + 4) | 0;
  }

  results(): number[] {
    return this.run.expanded.topology.cpus.map(({ number }) => this.result(number));
  }

  of(what: string, cpu?: number): Happening[] {
    return this.events.filter((event) => event.what === what && (cpu === undefined || event.cpu === cpu));
  }

  /** What was said, with the first value of each message that has one. */
  get said(): string[] {
    return this.events
      .filter(({ what }) => what.startsWith("say."))
      .map(({ what, value }) => [what.slice(4), value ?? []].flat().join(" "));
  }

  /** Microseconds between two cycles. */
  us(from: number, to: number): number {
    return (to - from) / cyclesOf(this.run.expanded.timing, 1000);
  }

  /** Violations of the invariant: "CPU n outside at m", where m is a cycle within its core's update. */
  outside(): string[] {
    const { topology, online } = this.run.expanded;
    return topology.cpus.flatMap(({ number: cpu, core }) => {
      const others = topology.cpus.filter((other) => other.core === core && other.number !== cpu);
      const updates = others.flatMap(({ number }) => this.of("update_start", number).map(({ cycle }) => cycle));
      if (updates.length === 0) return [];
      const ends = others.flatMap(({ number }) => this.of("update_end", number).map(({ cycle }) => cycle));
      const from = Math.min(...updates);
      const to = ends.length < updates.length ? Infinity : Math.max(...ends);
      return this.#inside(cpu, from, to, online.includes(cpu)).map((cycle) => `CPU ${cpu} outside at ${cycle}`);
    });
  }

  /** Cycles of a window at which a CPU leaves the rendezvous, or at whose start it isn't there. */
  #inside(cpu: number, from: number, to: number, isOnline: boolean): number[] {
    let inside = 0;
    let atStart: number | undefined;
    const found: number[] = [];
    for (const { what, cycle } of this.events.filter((event) => event.cpu === cpu)) {
      if (cycle > from && atStart === undefined) atStart = inside;
      if (what === "hold_start" || what === "update_start") inside++;
      if (what === "hold_end" || what === "update_end") inside--;
      const left = (what === "hold_end" || what === "drop" || what === "update_end") && inside === 0;
      if (left && cycle > from && cycle < to) found.push(cycle);
    }
    // One that is offline and was never called executes nothing.
    return isOnline && (atStart ?? inside) === 0 ? [from, ...found] : found;
  }
}

/** Of "packages x cores x threads". */
function cpusOf(topology: string): number {
  return topology.split("x").reduce((product, count) => product * Number(count), 1);
}

/** Runs one load. */
export async function loadMicrocode(name: string, options: LoadOptions = {}): Promise<Load> {
  const { topology = "1x4x2", offline, nmiDelayUs = {}, updateUs = {}, refused = [], rounds, before } = options;
  const delivery = Object.entries(nmiDelayUs).map(([cpus, us]) =>
    us === Infinity
      ? { cpus, kind: "nmi" as const, lost: "all" as const }
      : { cpus, kind: "nmi" as const, delayNs: us * 1000 },
  );
  const microcode = [
    { cpus: `0-${cpusOf(topology) - 1}`, us: UPDATE_US },
    ...Object.entries(updateUs).map(([cpus, us]) => ({ cpus, us: us === Infinity ? ("forever" as const) : us })),
    ...refused.map((cpu) => ({ cpus: `${cpu}`, us: UPDATE_US, refused: true })),
  ];
  const run = await runStop(
    {
      machine: { architecture: "x86-64", topology },
      policy: { name, ...(rounds === undefined ? {} : { rounds }) },
      ...(offline === undefined
        ? {}
        : { load: { particular: [{ cpus: offline.cpus, kind: offline.kind ?? "offline-mwait" }] } }),
      faults: { microcode, delivery },
      limitUs: options.limitUs ?? 30_000,
    },
    {
      events: true,
      ...(options.until === undefined ? {} : { until: options.until }),
      ...(options.parameters === undefined ? {} : { parameters: options.parameters }),
      ...(options.bindings === undefined ? {} : { bindings: options.bindings }),
      before: (machine, { timing }) => {
        const cycles = (us: number): number => cyclesOf(timing, us * 1000);
        before?.(machine, cycles);
      },
    },
  );
  return new Load(run);
}
