// Results as litmus7 prints them: the shape of a log in its manual (section "A simple run"), with the numbers given.

import { describe, expect, it } from "vitest";
import { isRefuted, litmusLines, type LitmusResult } from "../../src/litmus/index.ts";

const SB: LitmusResult = {
  name: "SB",
  dialect: "X86",
  quantifier: "exists",
  condition: "exists (0:EAX=0 /\\ 1:EAX=0)",
  info: [["Cycle", "Fre PodWR Fre PodWR"]],
  states: [
    { count: 40, isWitness: true, values: { "0:EAX": "0", "1:EAX": "0" } },
    { count: 499_923, isWitness: false, values: { "0:EAX": "1", "1:EAX": "0" } },
    { count: 500_009, isWitness: false, values: { "0:EAX": "0", "1:EAX": "1" } },
    { count: 28, isWitness: false, values: { "0:EAX": "1", "1:EAX": "1" } },
  ],
  isValidated: true,
  positive: 40,
  negative: 999_960,
  observation: "Sometimes",
  observed: 40,
  notObserved: 999_960,
  runs: 1_000_000,
  seed: 1,
  topology: "",
  timing: "",
  wallMs: 441,
};

describe("litmus7's log", () => {
  it("has states, verdict, witnesses and the observation", () => {
    expect(litmusLines(SB)).toEqual([
      "Test SB Allowed",
      "Histogram (4 states)",
      "40    *>0:EAX=0; 1:EAX=0;",
      "499923:>0:EAX=1; 1:EAX=0;",
      "500009:>0:EAX=0; 1:EAX=1;",
      "28    :>0:EAX=1; 1:EAX=1;",
      "Ok",
      "",
      "Witnesses",
      "Positive: 40, Negative: 999960",
      "Condition exists (0:EAX=0 /\\ 1:EAX=0) is validated",
      "Cycle=Fre PodWR Fre PodWR",
      "Observation SB Sometimes 40 999960",
      "Time SB 0.44",
      "",
    ]);
  });

  it.each([
    ["exists", "Allowed", false],
    ["~exists", "Forbidden", true],
    ["forall", "Required", true],
  ] as const)("of %s that is not validated says No, and that is a refutation or not", (quantifier, kind, refuted) => {
    const result: LitmusResult = { ...SB, quantifier, condition: `${quantifier} (false)`, isValidated: false };
    const lines = litmusLines(result);
    expect(lines[0]).toBe(`Test SB ${kind}`);
    expect(lines).toContain("No");
    expect(lines).toContain(`Condition ${quantifier} (false) is NOT validated`);
    expect(isRefuted(result)).toBe(refuted);
  });
});
