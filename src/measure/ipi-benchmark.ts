// What the benchmark of interrupts measures, from the marks that its CPUs pass: marks cost nothing, so the times are exact
// however coarse the guest's own clock is.

import { TraceKind } from "../abi.ts";
import { BENCHMARK_WARM_UP, benchmarkCases, type BenchmarkCase } from "../guest/smp/ipi-benchmark.ts";
import type { Machine } from "../machine/machine.ts";
import { nsOf } from "../timing/index.ts";
import { spreadOf } from "./statistics.ts";

/** Averages over the rounds that count, ns. */
export interface InterruptCase {
  readonly case: BenchmarkCase;
  /** Rounds that are through, without those that warm up. */
  readonly rounds: number;
  /** From before the send until the function runs; null where that isn't measured of one CPU. */
  readonly runNs: number | null;
  /** Of the whole round: until the sender goes on. */
  readonly returnNs: number;
  /** Of cases that interrupt all others, from before the first write. */
  readonly fanOut: FanOut | null;
}

export interface FanOut {
  /** Until the last write is done. */
  readonly sendNs: number;
  /** Until the function runs on the first CPU, on half of them, on the last. */
  readonly firstNs: number;
  readonly medianNs: number;
  readonly lastNs: number;
}

export interface InterruptMeasurement {
  readonly cases: readonly InterruptCase[];
  /** The round that is under way: CPUs on which its function hasn't run. */
  readonly unfinished: { readonly case: BenchmarkCase; readonly missing: readonly number[] } | null;
}

type Place =
  | { readonly kind: "round" | "end" | "send-one"; readonly case: BenchmarkCase }
  | { readonly kind: "send" | "sent" | "run" | "nmi" };

/** What each probe's number stands for. */
export type BenchmarkProbes = ReadonlyMap<number, Place>;

const one: readonly BenchmarkCase[] = ["self", "one", "nmi"];
/** Cases that interrupt all other CPUs. */
export const fanOutCases = ["all", "lock", "broadcast", "lists", "each"] as const satisfies readonly BenchmarkCase[];

/** Sets the probes; traces exceptions, for the case that one ends the run. */
export function probeBenchmark(machine: Machine): BenchmarkProbes {
  machine.traceKinds([TraceKind.EXCEPTION]);
  const places = new Map<number, Place>();
  const probe = (mark: string, place: Place): void => void places.set(machine.probe(mark).number, place);
  for (const name of benchmarkCases) {
    probe(`ipi_benchmark:${name}`, { kind: "round", case: name });
    probe(`ipi_benchmark:${name}_end`, { kind: "end", case: name });
    if (one.includes(name)) probe(`ipi_benchmark:send_${name}`, { kind: "send-one", case: name });
  }
  probe("smp_call_function_many:send", { kind: "send" });
  probe("smp_call_function_many:sent", { kind: "sent" });
  probe("handle_ipi:start", { kind: "run" });
  probe("handle_ipi_spinlock:start", { kind: "run" });
  if (machine.timing.architecture === "x86-64") probe("common_interrupt:nmi", { kind: "nmi" });
  return places;
}

interface Round {
  readonly case: BenchmarkCase;
  readonly begin: number;
  end: number;
  send: number;
  sent: number;
  readonly runs: Map<number, number>;
}

/** @param who the CPU that sends, the one that single interrupts go to, and all that are online */
export function readBenchmark(
  machine: Machine,
  probes: BenchmarkProbes,
  who: { readonly sender: number; readonly target: number; readonly online: readonly number[] },
): InterruptMeasurement {
  const rounds: Round[] = [];
  let current: Round | undefined;
  for (const { kind, subject, cpu, cycle } of machine.trace) {
    const place = kind === TraceKind.PROBE ? probes.get(subject) : undefined;
    if (place === undefined) continue;
    if (place.kind === "round" || place.kind === "end") {
      if (current !== undefined) current.end = cycle;
      current = undefined;
      if (place.kind === "end") continue;
      current = { case: place.case, begin: cycle, end: NaN, send: NaN, sent: NaN, runs: new Map() };
      rounds.push(current);
    } else if (current !== undefined) note(current, place, cpu, cycle);
  }
  return {
    cases: benchmarkCases.flatMap((name) => caseOf(machine, name, rounds)),
    unfinished: unfinishedOf(current, who),
  };
}

function note(round: Round, { kind }: Place, cpu: number, cycle: number): void {
  if (kind === "send" || kind === "send-one") round.send = cycle;
  else if (kind === "sent") round.sent = cycle;
  else if (kind === "nmi" || round.case !== "nmi") round.runs.set(cpu, cycle);
}

function caseOf(machine: Machine, name: BenchmarkCase, all: readonly Round[]): InterruptCase[] {
  if (name === "nmi" && machine.timing.architecture !== "x86-64") return [];
  const rounds = all
    .filter((round) => round.case === name)
    .slice(BENCHMARK_WARM_UP)
    .filter(({ end }) => !Number.isNaN(end));
  if (rounds.length === 0) return [];
  const average = (cycles: (round: Round) => number): number =>
    nsOf(machine.timing, rounds.reduce((sum, round) => sum + cycles(round), 0) / rounds.length);
  const spread = ({ runs, send }: Round) => spreadOf([...runs.values()].map((cycle) => cycle - send));
  const isFanOut = (fanOutCases as readonly BenchmarkCase[]).includes(name);
  return [
    {
      case: name,
      rounds: rounds.length,
      runNs: one.includes(name) ? average((round) => spread(round)?.max ?? NaN) : null,
      returnNs: average(({ begin, end }) => end - begin),
      fanOut: isFanOut
        ? {
            sendNs: average(({ send, sent }) => sent - send),
            firstNs: average((round) => spread(round)?.min ?? NaN),
            medianNs: average((round) => spread(round)?.p50 ?? NaN),
            lastNs: average((round) => spread(round)?.max ?? NaN),
          }
        : null,
    },
  ];
}

function unfinishedOf(
  round: Round | undefined,
  { sender, target, online }: { readonly sender: number; readonly target: number; readonly online: readonly number[] },
): InterruptMeasurement["unfinished"] {
  if (round === undefined) return null;
  const isFanOut = (fanOutCases as readonly BenchmarkCase[]).includes(round.case);
  const expected = isFanOut ? online.filter((cpu) => cpu !== sender) : round.case === "self" ? [sender] : [target];
  return { case: round.case, missing: expected.filter((cpu) => !round.runs.has(cpu)) };
}
