// The tables of what each architecture allows are what the reference enumerates, and the corpus is one.

import { describe, expect, it } from "vitest";
import { architectures, factsOf, MUST_OBSERVE, namesOf, textOf } from "./corpus.ts";
import { factsByReference } from "./facts.ts";
import { allowedInOrder, parseLitmus } from "./reference/index.ts";

const LEAST = { aarch64: 120, x86: 40 };

describe.each(architectures)("litmus tests for %s", (architecture) => {
  const names = namesOf(architecture);

  it("are enough, and are named as their files are, with a line that says what they show", () => {
    expect(names.length).toBeGreaterThanOrEqual(LEAST[architecture]);
    for (const name of names) {
      const test = parseLitmus(textOf(architecture, name));
      expect(test.name).toBe(name);
      expect(test.doc).toMatch(/^\S.{10,120}$/);
      expect(test.quantifier).toBe("exists");
    }
  });

  it("differ from each other", () => {
    const bodies = names.map((name) => textOf(architecture, name).replace(/^.*\n.*\n/, ""));
    expect(names.filter((_, at) => bodies.indexOf(bodies[at] ?? "") !== at)).toEqual([]);
  });

  it("have the final states of the table", () => {
    expect(factsOf(architecture)).toEqual(factsByReference(architecture));
  });

  it("must show only what a CPU that issues in order can show", () => {
    const impossible = MUST_OBSERVE[architecture].filter(
      (name) => allowedInOrder(parseLitmus(textOf(architecture, name))).satisfying.length === 0,
    );
    expect(impossible).toEqual([]);
  });
});
