// The reference against verdicts that others published: only what agrees with them may judge the emulator.

import { describe, expect, it } from "vitest";
import { corpusText } from "./corpus.ts";
import { litmusOf } from "./cycles/text.ts";
import { PUBLISHED } from "./published/verdicts.ts";
import type { Published } from "./published/verdicts.ts";
import { allowed, parseLitmus } from "./reference/index.ts";

type Verdict = "allowed" | "forbidden";

function namesOf(published: Published, verdict: Verdict): string[] {
  const { prefix = "" } = published;
  return published[verdict]
    .split(/\s+/)
    .filter((name) => name !== "")
    .map((name) => prefix + name);
}

/** The corpus' test of a name, or one that does what the name says. */
function verdictOf({ dialect }: Published, name: string): Verdict {
  const { satisfying } = allowed(parseLitmus(corpusText(dialect, name) ?? litmusOf(dialect, name, "")));
  return satisfying.length > 0 ? "allowed" : "forbidden";
}

describe.each(PUBLISHED)("$source", (published) => {
  it.each(["allowed", "forbidden"] as const)("the reference agrees with what is %s", (verdict) => {
    expect(namesOf(published, verdict).filter((name) => verdictOf(published, name) !== verdict)).toEqual([]);
  });
});

it.each([
  { dialect: "AArch64", verdict: "allowed", least: 150 },
  { dialect: "AArch64", verdict: "forbidden", least: 180 },
  { dialect: "X86_64", verdict: "allowed", least: 15 },
  { dialect: "X86_64", verdict: "forbidden", least: 18 },
] as const)("at least $least verdicts for $dialect are $verdict", ({ dialect, verdict, least }) => {
  const names = PUBLISHED.filter((published) => published.dialect === dialect).flatMap((one) => namesOf(one, verdict));
  expect(new Set(names).size).toBeGreaterThanOrEqual(least);
});
