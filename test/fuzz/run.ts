// Runs a range of a target's inputs and counts what became of them; what must not happen is a finding, with all that it
// takes to see it again.

import { AllstopError } from "../../src/errors.ts";
import { SeededRandom } from "../../src/random.ts";
import { Random } from "../support/random.ts";
import type { Subject, Target } from "./target.ts";

export interface Range {
  readonly seed: number;
  /** Number of the first input. */
  readonly first: number;
  readonly count: number;
}

export interface Finding {
  readonly target: string;
  readonly seed: number;
  readonly number: number;
  /** What happened. */
  readonly problem: string;
  /** The input itself. */
  readonly input: string;
}

export interface Results {
  inputs: number;
  /** Of all inputs; 0 for targets that don't count any. */
  operations: number;
  /** By outcome: ACCEPTED, another word of the target's, or the code of a refusal. */
  readonly outcomes: Map<string, number>;
  readonly findings: Finding[];
}

/** After so many findings of one range nobody learns more from the next. */
const MOST_FINDINGS = 5;

/** The generator of one input: it depends on no other input. */
export function randomOf(target: string, seed: number, number: number): Random {
  return new Random(new SeededRandom(seed, `${target} ${number}`).next());
}

/** @param starting is told the number of each input before it is tried */
export async function runInputs<Input>(
  target: Target<Input>,
  core: WebAssembly.Module,
  { seed, first, count }: Range,
  starting: (number: number) => void = () => undefined,
): Promise<Results> {
  const results: Results = { inputs: 0, operations: 0, outcomes: new Map(), findings: [] };
  let subject = await target.open(core);
  for (let number = first; number < first + count; number++) {
    starting(number);
    results.inputs++;
    const outcome = tryOne(target, subject, seed, number);
    results.operations += subject.operations?.() ?? 0;
    if (typeof outcome === "string") {
      results.outcomes.set(outcome, (results.outcomes.get(outcome) ?? 0) + 1);
      continue;
    }
    results.findings.push(outcome);
    if (results.findings.length === MOST_FINDINGS) break;
    // What was found may have left it in any state.
    subject = await target.open(core);
  }
  return results;
}

function tryOne<Input>(target: Target<Input>, subject: Subject<Input>, seed: number, number: number): string | Finding {
  const input = subject.draw(randomOf(target.name, seed, number), number);
  try {
    return subject.attempt(input, number);
  } catch (error) {
    if (error instanceof AllstopError && target.refusals.includes(error.code)) return error.code;
    return { target: target.name, seed, number, problem: problemOf(error), input: subject.show(input) };
  }
}

function problemOf(error: unknown): string {
  if (!(error instanceof Error)) return `something else than an error was thrown: ${String(error)}`;
  const code = error instanceof AllstopError ? ` (${error.code})` : "";
  const cause = error.cause === undefined ? "" : `\ncaused by ${problemOf(error.cause)}`;
  return `${error.stack ?? `${error.name}: ${error.message}`}${code}${cause}`;
}

/** The command that shows a finding again. */
export function commandFor({ target, seed, number }: Finding): string {
  return `npm run fuzz -- --target ${target} --seed ${seed} --first ${number} --count 1`;
}

export function describeFinding(finding: Finding): string {
  const { target, seed, number, problem, input } = finding;
  return `${target}, seed ${seed}, input ${number}: ${problem}\ninput: ${input}\nagain: ${commandFor(finding)}`;
}
