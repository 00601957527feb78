// Measures a timing model as its machine was measured, and lays both side by side: the document behind `allstop calibrate`.

import type { Image } from "../asm/index.ts";
import { loadCore, type CoreSource } from "../core/load.ts";
import { spreadOf } from "../measure/statistics.ts";
import { findTimingModel, type TimingModel } from "../timing/index.ts";
import { buildPreset, onlineCpus, presets, topologyForCpus, type Topology } from "../topology/index.ts";
import { lineImage } from "./guests.ts";
import { interruptCosts, interruptSteps, type CostResult } from "./costs.ts";
import { measureContention, measureHandoff, type Bench } from "./measure.ts";
import { contenders, pairsOf } from "./pairs.ts";
import {
  contentionKinds,
  handoffClasses,
  publications,
  type Atomics,
  type ContentionKind,
  type HandoffClass,
  type Publication,
} from "./published.ts";
import { errorPercent, slopeOf, toHundredths } from "./statistics.ts";

export const CALIBRATION_FORMAT = "allstop.calibration/1";

/** How far a class median, and the slope of a contention, may be from the publication, percent. */
export const calibrationLimits = { handoffPercent: 10, slopePercent: 20 } as const;

export interface HandoffResult {
  readonly class: HandoffClass;
  /** Half a round trip, ns: median over a few pairs. */
  readonly modelNs: number;
  readonly publishedNs: number | null;
  readonly errorPercent: number | null;
}

export interface ContentionPoint {
  readonly cpus: number;
  /** What an increment takes each CPU, ns. */
  readonly modelNs: number;
  readonly publishedNs: number | null;
}

export interface ContentionResult {
  readonly kind: ContentionKind;
  readonly atomics: Atomics;
  readonly points: readonly ContentionPoint[];
  /** What each further CPU adds, ns: least squares over the published numbers of CPUs. No error against another core. */
  readonly slope: {
    readonly modelNs: number;
    readonly publishedNs: number | null;
    readonly errorPercent: number | null;
  };
}

/** What a timing model makes of what was published, figure by figure. */
export interface Calibration {
  readonly format: typeof CALIBRATION_FORMAT;
  readonly timing: string;
  readonly title: string;
  readonly topology: { readonly name: string; readonly cpus: number };
  readonly limits: typeof calibrationLimits;
  /** True when all that was published is met within the limits; null when nothing was published. */
  readonly isWithinLimits: boolean | null;
  readonly handoffs: readonly HandoffResult[];
  readonly contention: readonly ContentionResult[];
  readonly interrupts: readonly CostResult[];
  readonly publication: Publication;
}

/** What a calibration consists of. */
export const calibrationParts = ["handoffs", "contention", "interrupts"] as const;
export type CalibrationPart = (typeof calibrationParts)[number];

/** How a timing model is calibrated. */
export interface CalibrationOptions {
  /** What is measured; everything if not given. */
  readonly parts?: readonly CalibrationPart[];
  readonly core?: CoreSource;
  /** Contentions are measured up to so many CPUs; 64 if not given. */
  readonly mostContenders?: number;
  /** Called with the share that is done, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

const MOST_CONTENDERS = 64;
/** Numbers of CPUs in a contention, as far as the machine has cores. */
const CONTENTION_STEPS = [1, 2, 4, 8, 12, 16, 32, 64, 128];
const GENERIC_CPUS = 64;

/**
 * Calibrates one timing model on the first preset machine that has it, or on a plausible machine of 64 CPUs.
 * @throws NAME_UNKNOWN
 */
export async function calibrate(name: string, options: CalibrationOptions = {}): Promise<Calibration> {
  const timing = findTimingModel(name);
  const topology = topologyOf(timing);
  const bench: Bench = { module: await loadCore(options.core), topology, timing };
  const publication = publications[name] ?? {};
  const plan = planOf(topology, timing, options);
  const image = lineImage(timing.architecture, topology.cpus.length);
  const handoffs = plan.handoffs ? measureHandoffs(bench, image, publication, plan.step) : [];
  const contention = measureContentions(bench, image, publication, plan);
  const interrupts = plan.interrupts ? interruptCosts(bench, plan.step) : [];
  return {
    format: CALIBRATION_FORMAT,
    timing: name,
    title: timing.title,
    topology: { name: topology.name, cpus: onlineCpus(topology).length },
    limits: calibrationLimits,
    isWithinLimits: withinLimits(handoffs, contention),
    handoffs,
    contention,
    interrupts,
    publication,
  };
}

function topologyOf(timing: TimingModel): Topology {
  const isNeutral = timing.name.startsWith("generic-");
  const preset = isNeutral ? undefined : presets.find(({ timingModel }) => timingModel === timing.name);
  return preset === undefined ? topologyForCpus(GENERIC_CPUS, timing.architecture) : buildPreset(preset.name);
}

function contentionCounts(topology: Topology, most: number): number[] {
  const cores = contenders(topology).length;
  return CONTENTION_STEPS.filter((count) => count <= Math.min(cores, most));
}

/** Contentions that are measured: on arm64 once more with exclusive accesses instead of single instructions. */
function contentionsOf(timing: TimingModel): { kind: ContentionKind; atomics: Atomics }[] {
  const kinds = Object.keys(contentionKinds) as ContentionKind[];
  const single = kinds.map((kind) => ({ kind, atomics: "instruction" as const }));
  if (timing.architecture === "x86-64") return single;
  return [
    ...single,
    ...(["fetch-add", "compare-and-swap"] as const).map((kind) => ({ kind, atomics: "llsc" as const })),
  ];
}

interface Plan {
  readonly handoffs: boolean;
  /** Numbers of CPUs; none: contention isn't measured. */
  readonly counts: readonly number[];
  readonly interrupts: boolean;
  /** Reports that one more measurement is done. */
  readonly step: () => void;
}

function planOf(topology: Topology, timing: TimingModel, options: CalibrationOptions): Plan {
  const { parts = calibrationParts, mostContenders = MOST_CONTENDERS, onProgress } = options;
  const counts = parts.includes("contention") ? contentionCounts(topology, mostContenders) : [];
  const plan = { handoffs: parts.includes("handoffs"), counts, interrupts: parts.includes("interrupts") };
  const total =
    (plan.handoffs ? Object.keys(handoffClasses).length : 0) +
    counts.length * contentionsOf(timing).length +
    (plan.interrupts ? interruptSteps(topology, timing) : 0);
  let done = 0;
  return { ...plan, step: () => onProgress?.(++done / total) };
}

function measureHandoffs(bench: Bench, image: Image, { handoffs }: Publication, step: () => void): HandoffResult[] {
  return (Object.keys(handoffClasses) as HandoffClass[]).flatMap((handoff) => {
    const samples = pairsOf(bench.topology, handoff).map(({ cpus, home }) => measureHandoff(bench, image, cpus, home));
    step();
    const median = spreadOf(samples)?.p50;
    if (median === undefined) return [];
    const modelNs = toHundredths(median);
    const publishedNs = handoffs?.ns[handoff] ?? null;
    return [{ class: handoff, modelNs, publishedNs, errorPercent: errorPercent(modelNs, publishedNs) }];
  });
}

function measureContentions(
  bench: Bench,
  image: Image,
  { contention }: Publication,
  { counts, step }: Plan,
): ContentionResult[] {
  const { topology, timing } = bench;
  if (counts.length === 0) return [];
  const cpus = contenders(topology);
  const exclusive = timing.architecture === "arm64" ? lineImage("arm64", topology.cpus.length, "llsc") : image;
  return contentionsOf(timing).map(({ kind, atomics }) => {
    const published = contention?.find((one) => one.atomics === atomics && one.ns[kind] !== undefined);
    const points = counts.map((count) => {
      const measured = measureContention(bench, atomics === "llsc" ? exclusive : image, kind, cpus.slice(0, count));
      step();
      const publishedNs = published?.ns[kind]?.[published.cpus.indexOf(count)] ?? null;
      return { cpus: count, modelNs: toHundredths(measured), publishedNs };
    });
    return { kind, atomics, points, slope: slopesOf(points, published?.isOtherCore !== true) };
  });
}

function slopesOf(points: readonly ContentionPoint[], isTarget: boolean): ContentionResult["slope"] {
  const published = points.filter(({ publishedNs }) => publishedNs !== null);
  const compared = published.length >= 2 ? published : points;
  const modelNs = toHundredths(slopeOf(compared.map(({ cpus, modelNs: ns }) => [cpus, ns])));
  const publishedNs =
    published.length >= 2
      ? toHundredths(slopeOf(published.map(({ cpus, publishedNs: ns }) => [cpus, ns ?? NaN])))
      : null;
  return { modelNs, publishedNs, errorPercent: isTarget ? errorPercent(modelNs, publishedNs) : null };
}

function withinLimits(handoffs: readonly HandoffResult[], contention: readonly ContentionResult[]): boolean | null {
  const checks = [
    ...handoffs.map(({ errorPercent: error }) => [error, calibrationLimits.handoffPercent] as const),
    ...contention.map(({ slope }) => [slope.errorPercent, calibrationLimits.slopePercent] as const),
  ].filter(([error]) => error !== null);
  return checks.length === 0 ? null : checks.every(([error, limit]) => Math.abs(error ?? NaN) <= limit);
}
