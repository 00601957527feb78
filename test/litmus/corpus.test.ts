// Every litmus test on the machine: never a final state that the architecture doesn't allow, and the classic relaxed outcomes do
// come. `npm run litmus` does the same with as many runs as are asked for.

import { describe, expect, it } from "vitest";
import { parseLitmus, runLitmus } from "../../src/litmus/index.ts";
import { judge, runCorpusTest } from "./campaign/run.ts";
import { architectures, factsOf, MUST_OBSERVE, namesOf, textOf } from "./corpus.ts";

const runs = Number(process.env["ALLSTOP_LITMUS_RUNS"] ?? 300);
/** Relaxed outcomes may be rare. */
const RUNS_TO_OBSERVE = 10_000;

describe.each(architectures)("litmus tests of %s", (architecture) => {
  it.each(namesOf(architecture))("%s: only what the architecture allows", async (name) => {
    const { forbidden } = await runCorpusTest(architecture, name, { runs });
    expect(forbidden).toEqual([]);
  });

  it.each(MUST_OBSERVE[architecture])("%s: the relaxed outcome comes", async (name) => {
    const { observed, forbidden } = await runCorpusTest(architecture, name, {
      runs: RUNS_TO_OBSERVE,
    });
    expect(forbidden).toEqual([]);
    expect(observed).toBeGreaterThan(0);
  });
});

it("a state that isn't in the table is told of, with how often it came", async () => {
  const result = await runLitmus(parseLitmus(textOf("aarch64", "MP+dmb.sys")), { runs });
  const fact = factsOf("aarch64")["MP+dmb.sys"];
  if (fact === undefined) throw new Error("the table lacks the test");
  const states = fact.states.filter((state) => state !== "1:X0=1; 1:X2=1;");
  expect(states).toHaveLength(fact.states.length - 1);
  expect(judge(result, { ...fact, states }).forbidden).toEqual([
    expect.stringMatching(/^1:X0=1; 1:X2=1; \(\d+ times\)$/),
  ]);
});
