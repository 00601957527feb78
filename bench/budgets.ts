// What the emulator has promised to take, beside what it took in this run.

import type { Measurement, Result } from "./measure.ts";
import { peerRatios } from "./peers.ts";
import { formatBytes, formatRate, formatRatio, formatSeconds } from "./text.ts";

interface Budget {
  readonly what: string;
  readonly must: number;
  readonly aim: number;
  /** More is better: a rate. */
  readonly atLeast?: true;
  readonly format: (value: number) => string;
  /** What was measured, by what it was measured on. */
  readonly find: (run: Run) => Readonly<Record<string, number | undefined>>;
}

/** A row of the table that ends a run. */
export interface BudgetLine {
  readonly what: string;
  readonly on: string;
  readonly must: string;
  readonly aim: string;
  readonly measured: string;
  readonly verdict: "aim met" | "kept" | "MISSED" | "not run";
}

const architectures = ["arm64", "x86-64"] as const;

/** Values by the names of their cases. */
class Run {
  readonly #results: readonly Result[];

  constructor(results: readonly Result[]) {
    this.#results = results;
  }

  value(name: string): number | undefined {
    return this.#results.find((one): one is Measurement => one.name === name && "value" in one)?.value;
  }

  /** The least of those that were run. */
  least(names: readonly string[]): number | undefined {
    const values = names.map((name) => this.value(name)).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : Math.min(...values);
  }

  /** On the wall: so the budgets are meant. */
  ratio(work: string, peer: string): number | undefined {
    return peerRatios(this.#results).find((one) => one.work === work && one.peer === peer)?.ratio;
  }

  /** By how much a CPU of the larger machine costs more. */
  perCpu(prefix: string, large: number, small: number): number | undefined {
    const [more, less] = [this.value(`${prefix}/${large}`), this.value(`${prefix}/${small}`)];
    return more === undefined || less === undefined ? undefined : more / large / (less / small);
  }
}

function onBoth(find: (architecture: string) => number | undefined): Record<string, number | undefined> {
  return Object.fromEntries(architectures.map((architecture) => [architecture, find(architecture)]));
}

function qemuRatios(protocol: string): Budget["find"] {
  return (run) => ({
    "arm64, 512": run.ratio(`qemu/${protocol}/arm64/512`, "qemu"),
    "x86-64, 255": run.ratio(`qemu/${protocol}/x86-64/255`, "qemu"),
  });
}

const budgets: readonly Budget[] = [
  {
    what: "guest instructions per second, all CPUs busy on private data (slowest of 64 to 4,096 CPUs)",
    must: 60e6,
    aim: 150e6,
    atLeast: true,
    format: formatRate,
    find: (run) => onBoth((one) => run.least([64, 512, 4096].map((cpus) => `instructions/private/${one}/${cpus}`))),
  },
  {
    what: "one stop_machine rendezvous of idle CPUs, against QEMU single-threaded",
    must: 1,
    aim: 0.25,
    format: formatRatio,
    find: qemuRatios("idle"),
  },
  {
    what: "a four-state rendezvous of CPUs that already spin, against QEMU likewise",
    must: 3,
    aim: 1,
    format: formatRatio,
    find: qemuRatios("spinning"),
  },
  {
    what: "one stop_machine rendezvous of 4,096 idle CPUs",
    must: 30e-3,
    aim: 8e-3,
    format: formatSeconds,
    find: (run) => onBoth((one) => run.value(`rendezvous/idle/${one}/4096`)),
  },
  {
    what: "time per CPU per rendezvous, 65,536 CPUs ÷ 512 CPUs",
    must: 3,
    aim: 1.5,
    format: formatRatio,
    find: (run) => ({
      ...perLoad(run, "idle"),
      ...perLoad(run, "busy"),
    }),
  },
  {
    what: "building a 4,096-CPU machine, from JSON to the first instruction",
    must: 0.3,
    aim: 0.1,
    format: formatSeconds,
    find: (run) => onBoth((one) => run.value(`construction/${one}/4096`)),
  },
  {
    what: "host memory per CPU, beyond guest memory touched",
    must: 8192,
    aim: 4096,
    format: formatBytes,
    find: (run) =>
      Object.fromEntries(
        architectures.flatMap((one) =>
          [512, 4096, 65_536].map((cpus) => [
            `${one}, ${cpus.toLocaleString("en")}`,
            run.value(`memory/${one}/${cpus}`),
          ]),
        ),
      ),
  },
];

function perLoad(run: Run, load: string): Record<string, number | undefined> {
  return Object.fromEntries(
    architectures.map((one) => [`${one}, ${load}`, run.perCpu(`rendezvous/${load}/${one}`, 65_536, 512)]),
  );
}

function verdictOn(value: number | undefined, { must, aim, atLeast }: Budget): BudgetLine["verdict"] {
  if (value === undefined) return "not run";
  const keeps = (limit: number): boolean => (atLeast === true ? value >= limit : value <= limit);
  if (keeps(aim)) return "aim met";
  return keeps(must) ? "kept" : "MISSED";
}

/** The whole table, cases that did not run included. */
export function budgetLines(results: readonly Result[]): BudgetLine[] {
  const run = new Run(results);
  return budgets.flatMap((budget) => {
    const { what, must, aim, atLeast, format } = budget;
    const sign = atLeast === true ? "≥" : "≤";
    return Object.entries(budget.find(run)).map(([on, value]) => ({
      what,
      on,
      must: `${sign} ${format(must)}`,
      aim: `${sign} ${format(aim)}`,
      measured: value === undefined ? "" : format(value),
      verdict: verdictOn(value, budget),
    }));
  });
}
