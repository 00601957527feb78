// What the reference says of a test of the corpus. Run as a program it writes the tables:
// node --import ./test/fuzz/typescript.mjs test/litmus/facts.ts

import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { architectures, factsFile, MUST_OBSERVE, namesOf, textOf } from "./corpus.ts";
import type { CorpusArchitecture, CorpusFact } from "./corpus.ts";
import { allowed, allowedInOrder, parseLitmus } from "./reference/index.ts";

export function factOf(architecture: CorpusArchitecture, name: string): CorpusFact {
  const test = parseLitmus(textOf(architecture, name));
  const { states, satisfying } = allowed(test);
  const isExpected = allowedInOrder(test).satisfying.length > 0;
  const isRequired = MUST_OBSERVE[architecture].includes(name);
  return {
    verdict: satisfying.length > 0 ? "allowed" : "forbidden",
    observation: isRequired ? "must" : isExpected ? "expected" : "unexpected",
    states,
  };
}

export function factsByReference(architecture: CorpusArchitecture): Record<string, CorpusFact> {
  return Object.fromEntries(
    namesOf(architecture)
      .sort()
      .map((name) => [name, factOf(architecture, name)]),
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const architecture of architectures)
    writeFileSync(factsFile(architecture), `${JSON.stringify(factsByReference(architecture), undefined, 2)}\n`);
}
