// Runs a test of the corpus and judges what came out by the table.

import { parseLitmus, runLitmus } from "../../../src/litmus/index.ts";
import type { LitmusOptions, LitmusResult } from "../../../src/litmus/index.ts";
import { factsOf, textOf } from "../corpus.ts";
import type { CorpusArchitecture, CorpusFact } from "../corpus.ts";

export interface Judgement {
  readonly name: string;
  readonly runs: number;
  /** Final states that the architecture doesn't allow, each with how often it came. */
  readonly forbidden: readonly string[];
  /** Allowed final states that came, and how many there are. */
  readonly states: number;
  readonly allowedStates: number;
  /** How often the outcome came that the test asks for. */
  readonly observed: number;
  readonly observation: CorpusFact["observation"];
  readonly seconds: number;
}

/** A state as the tables have it: `1:X0=1; [x]=2;`. */
function stateText(values: Readonly<Record<string, string>>, items: readonly string[]): string {
  return items.map((item) => `${item}=${values[item] ?? "?"};`).join(" ");
}

/** What a run shows, against what is known of its test. */
export function judge({ name, states, runs, observed, wallMs }: LitmusResult, fact: CorpusFact): Judgement {
  const items = (fact.states[0] ?? "").split(" ").map((part) => part.split("=")[0] ?? "");
  const forbidden = states
    .map(({ values, count }) => ({ state: stateText(values, items), count }))
    .filter(({ state }) => !fact.states.includes(state));
  return {
    name,
    runs,
    forbidden: forbidden.map(({ state, count }) => `${state} (${count} times)`),
    states: states.length - forbidden.length,
    allowedStates: fact.states.length,
    observed,
    observation: fact.observation,
    seconds: wallMs / 1000,
  };
}

export async function runCorpusTest(
  architecture: CorpusArchitecture,
  name: string,
  options: LitmusOptions,
): Promise<Judgement> {
  const fact = factsOf(architecture)[name];
  if (fact === undefined) throw new Error(`no such test of ${architecture}: ${name}`);
  return judge(await runLitmus(parseLitmus(textOf(architecture, name)), options), fact);
}
