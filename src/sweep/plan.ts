// What a sweep runs: points (a scenario each) times seeds. All points are expanded before anything runs, so that mistakes show at once.

import { AllstopError, renamed } from "../errors.ts";
import { Sha256 } from "../asm/image/sha256.ts";
import { coreIdentity, loadCore } from "../core/load.ts";
import { parseScenario, SCENARIO_FORMAT, type Scenario } from "../scenario/document.ts";
import { expandScenario, type ExpandedScenario } from "../scenario/expand.ts";
import { checkField, withField, type FieldValue } from "../scenario/fields.ts";
import type { ScenarioFields } from "../scenario/input.ts";
import { kernelFor } from "../scenario/run.ts";
import type { Policy } from "../policies/index.ts";
import type { Topology } from "../topology/index.ts";
import type { Vary } from "./fields.ts";
import type { RowHead } from "./row.ts";

/** Limits of a sweep. */
export const sweepLimits = { points: 10_000, seeds: 1_000_000, runs: 10_000_000 } as const;

/** A sweep as a program asks for it: every combination of the varied fields' values, with every seed. */
export interface SweepInput {
  /** What is the same in all runs; by default what a document without fields says. */
  readonly scenario?: ScenarioFields;
  /** Fields and their values: every combination is a point. */
  readonly vary?: readonly Vary[];
  /** Repetitions of every point, one per seed; by default the scenario's own seed. */
  readonly seeds?: readonly number[];
  /** Topologies that documents name but that come from elsewhere, such as files, by that name. */
  readonly topologies?: Readonly<Record<string, Topology>>;
  /** Policies of one's own that documents name. Such runs are made on the calling thread, since code does not go to another one. */
  readonly policies?: readonly Policy[];
}

/** A combination of values: one scenario, run with every seed. */
export interface SweepPoint {
  /** The varied fields. */
  readonly values: Readonly<Record<string, FieldValue>>;
  /** The document, of which only the seed is left to choose. */
  readonly scenario: Scenario;
  /** Complete CPUs of its machine. */
  readonly cpus: number;
  /** Of the expanded scenario without seed and title, and of the core. */
  readonly hash: string;
}

/** A sweep whose points are all checked: what `planSweep()` makes, and `sweep()` runs. */
export interface SweepPlan {
  /** Names of the varied fields, in order. */
  readonly fields: readonly string[];
  readonly points: readonly SweepPoint[];
  readonly seeds: readonly number[];
  readonly topologies: Readonly<Record<string, Topology>>;
  readonly policies: readonly Policy[];
}

/** One run. */
export interface SweepJob {
  readonly head: RowHead;
  readonly scenario: Scenario;
  /** Of `plan.topologies`. */
  readonly topology?: string;
}

/**
 * All combinations of the values, the last field changing fastest.
 * @throws OPTION_INVALID or SCENARIO_INVALID, and what expanding a scenario throws, for the first point that can't be run
 */
export async function planSweep({ scenario, vary = [], seeds, ...given }: SweepInput): Promise<SweepPlan> {
  const base: ScenarioFields = { format: SCENARIO_FORMAT, ...scenario };
  const axes = checkedAxes(base, vary);
  let combinations: Readonly<Record<string, FieldValue>>[] = [{}];
  for (const { field, values } of axes) {
    if (combinations.length * values.length > sweepLimits.points) throw tooMany("points", sweepLimits.points);
    combinations = combinations.flatMap((one) => values.map((value) => ({ ...one, [field]: value })));
  }
  const documents = combinations.map((values) => ({
    values,
    document: Object.entries(values).reduce<object>(
      (document, [field, value]) => withField(document, field, value, `vary ${field}`),
      base,
    ),
  }));
  return planPoints(
    axes.map(({ field }) => field),
    documents,
    { ...given, seeds: seeds ?? [base.seed ?? 1] },
  );
}

/** A plan of given points. @throws as planSweep() */
export async function planPoints(
  fields: readonly string[],
  documents: readonly { readonly values: SweepPoint["values"]; readonly document: unknown }[],
  { seeds, topologies = {}, policies = [] }: Pick<SweepInput, "topologies" | "policies"> & Pick<SweepPlan, "seeds">,
): Promise<SweepPlan> {
  checkSeeds(seeds);
  if (documents.length > sweepLimits.points) throw tooMany("points", sweepLimits.points);
  if (documents.length * seeds.length > sweepLimits.runs) throw tooMany("runs", sweepLimits.runs);
  const identity = coreIdentity(await loadCore());
  const points = documents.map(({ values, document }) =>
    ofPoint(values, () => pointOf(values, document, { seed: seeds[0] as number, topologies, policies, identity })),
  );
  const seen = new Map<string, SweepPoint>();
  for (const point of points) {
    const twin = seen.get(point.hash);
    seen.set(point.hash, point);
    if (twin === undefined) continue;
    const [one, other] = [pointText(twin.values), pointText(point.values)];
    throw new AllstopError("OPTION_INVALID", "two points are the same run", {
      at: "vary",
      value: `${one} and ${other}`,
    });
  }
  return { fields, points, seeds, topologies, policies };
}

/** Runs of a plan. */
export function runsOf({ points, seeds }: SweepPlan): number {
  return points.length * seeds.length;
}

/** Run number `index` of a plan: all seeds of the first point, then those of the second … */
export function jobOf({ points, seeds, topologies }: SweepPlan, index: number): SweepJob {
  const { values, scenario, cpus, hash } = points[Math.floor(index / seeds.length)] as SweepPoint;
  const seed = seeds[index % seeds.length] as number;
  const name = scenario.machine.topology;
  return {
    head: { key: `${hash}-${seed}`, point: values, seed, cpus },
    scenario: { ...scenario, seed },
    ...(name !== undefined && Object.hasOwn(topologies, name) ? { topology: name } : {}),
  };
}

/** A point as text: field=value, … */
export function pointText(values: SweepPoint["values"]): string {
  const entries = Object.entries(values).map(([field, value]) => `${field}=${valueText(value)}`);
  return entries.length === 0 ? "the scenario" : entries.join(", ");
}

export function valueText(value: FieldValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function checkSeeds(seeds: readonly number[]): void {
  if (seeds.length > sweepLimits.seeds) throw tooMany("seeds", sweepLimits.seeds);
  const bad = seeds.find((seed) => !Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32);
  const isRepeated = new Set(seeds).size < seeds.length;
  if (seeds.length > 0 && bad === undefined && !isRepeated) return;
  throw new AllstopError("OPTION_INVALID", "not a list of seeds", {
    at: "seeds",
    value: bad ?? seeds,
    allowed: "at least one whole number below 2^32, each once",
  });
}

/** The values as the schema wants them: `64` may be a text to it. */
function checkedAxes(base: ScenarioFields, vary: readonly Vary[]): Vary[] {
  const seen = new Set<string>();
  return vary.map(({ field, values }) => {
    const at = `vary ${checkField(field, "vary")}`;
    if (field === "seed")
      throw new AllstopError("OPTION_INVALID", "seeds have their own list", { at, allowed: "seeds" });
    if (seen.has(field)) throw new AllstopError("OPTION_INVALID", "a field that is varied twice", { at });
    if (values.length === 0) throw new AllstopError("OPTION_INVALID", "a field without values", { at });
    seen.add(field);
    return { field, values: values.map((value) => fitting(base, field, value)) };
  });
}

function fitting(base: ScenarioFields, field: string, value: FieldValue): FieldValue {
  const mistake = mistakeAt(base, field, value);
  if (mistake === undefined) return value;
  const isPlain = typeof value === "number" || typeof value === "boolean";
  if (isPlain && mistakeAt(base, field, String(value)) === undefined) return String(value);
  throw mistake;
}

/** What the schema says against a value, as far as this field is concerned. */
function mistakeAt(base: ScenarioFields, field: string, value: FieldValue): AllstopError | undefined {
  const document = withField(base, field, value, `vary ${field}`);
  try {
    parseScenario(document);
    return undefined;
  } catch (error) {
    if (!(error instanceof AllstopError) || error.at === undefined) throw error;
    if (error.at !== field && !error.at.startsWith(`${field}.`) && !field.startsWith(`${error.at}.`)) return undefined;
    return renamed(error, { at: error.at === field ? `vary ${field}` : `vary ${field}: ${error.at}` });
  }
}

/** Mistakes of a point tell which point it is. */
function ofPoint<T>(values: SweepPoint["values"], work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AllstopError) || Object.keys(values).length === 0) throw error;
    const { code, what, value, allowed, at } = error;
    const field = Object.keys(values).find((name) => at === name || at?.startsWith(`${name}.`) === true);
    throw new AllstopError(code, `${what} (where ${pointText(values)})`, {
      ...(value === undefined ? {} : { value }),
      ...(allowed === undefined ? {} : { allowed }),
      ...(at === undefined ? {} : { at: field === undefined ? at : `vary ${at}` }),
      cause: error,
    });
  }
}

interface PointContext {
  readonly seed: number;
  readonly topologies: SweepPlan["topologies"];
  readonly policies: SweepPlan["policies"];
  readonly identity: string;
}

function pointOf(
  values: SweepPoint["values"],
  document: unknown,
  { seed, topologies, policies, identity }: PointContext,
): SweepPoint {
  const scenario = parseScenario({ ...(document as object), seed });
  const name = scenario.machine.topology;
  const given = name !== undefined && Object.hasOwn(topologies, name) ? topologies[name] : undefined;
  const expanded = expandScenario(scenario, given, policies);
  const what = without(without(expanded.scenario, "title"), "seed");
  const identified = JSON.stringify([
    identity,
    canonical(what),
    given === undefined ? null : canonical(given),
    ...ownCode(expanded, policies),
  ]);
  const hash = new Sha256().update(new TextEncoder().encode(identified)).hex().slice(0, 16);
  return { values, scenario, cpus: expanded.topology.counts.complete, hash };
}

/** Of a policy of one's own, its name is not enough: the code that runs. */
function ownCode(expanded: ExpandedScenario, own: readonly Policy[]): readonly string[] {
  const isOwn = expanded.requests.some(({ policy }) => own.includes(policy));
  return isOwn ? [kernelFor(expanded).hash] : [];
}

/** The other fields of an object. */
export function without<T extends object>(whole: T, field: string): Partial<T> {
  return Object.fromEntries(Object.entries(whole).filter(([name]) => name !== field)) as Partial<T>;
}

/** The same JSON with the keys of all objects in order. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, canonical(member)]));
}

function tooMany(what: keyof typeof sweepLimits, most: number): AllstopError {
  return new AllstopError("OPTION_INVALID", `too many ${what}`, { at: "sweep", allowed: `at most ${most}` });
}
