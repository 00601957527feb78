// How long the host takes for such a run, beside one's own benchmarks.
//
//   npx vitest bench examples/vitest-benchmark --run

import { simulate } from "allstop";
import { bench, describe } from "vitest";

describe("stop_machine() of 64 CPUs", () => {
  for (const topology of ["graviton2", "2x16x2"]) {
    bench(topology, async () => {
      const { verdict } = await simulate({ machine: { topology } });
      if (verdict !== "completed") throw new Error(verdict);
    });
  }
});
