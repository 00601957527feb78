// Kernels are kept between runs: two that differ in anything are never taken for one another.

import { describe, expect, it } from "vitest";
import { bind, nothing, routine, slot } from "../../src/asm/index.ts";
import { parseScenario } from "../../src/scenario/document.ts";
import { expandScenario } from "../../src/scenario/expand.ts";
import { kernelFor } from "../../src/scenario/run.ts";

const expanded = expandScenario(parseScenario({ format: "allstop.scenario/1", machine: { cpus: 2 } }));

describe("the kernel of a scenario", () => {
  it("takes numbers of 64 bits", () => {
    const wide = kernelFor(expanded, { settleTurns: 5n });
    expect(wide.options["settleTurns"]).toBe(5n);
    expect(kernelFor(expanded, { settleTurns: 6n }).options["settleTurns"]).toBe(6n);
  });

  it("is not that of another routine of the same name", () => {
    const place = slot("test_place", {}, nothing);
    const policy = (turns: number) => ({
      ...expanded,
      policy: {
        ...expanded.policy,
        bindings: [
          ...expanded.policy.bindings,
          bind(
            place,
            routine("same_name", [], nothing, (k) => {
              for (let turn = 0; turn < turns; turn++) k.mark(`turn_${turn}`);
            }),
          ),
        ],
      },
    });
    const one = kernelFor(policy(1));
    expect(kernelFor(policy(1))).not.toBe(one);
    expect(kernelFor(expanded)).toBe(kernelFor(expanded));
  });
});
