// The rate and the time left, with a clock that the test turns.

import { describe, expect, it } from "vitest";
import { Pace } from "../../src/cli/terminal.ts";

function paced(steps: readonly (readonly [ms: number, done: number])[], total: number): string {
  let now = 0;
  const pace = new Pace(() => now);
  let text = "";
  for (const [ms, done] of steps) {
    now = ms;
    text = pace.text(done, total, "runs");
  }
  return text;
}

describe("a pace", () => {
  it("has no rate before there are two moments", () => {
    expect(paced([[0, 0]], 1000)).toBe("0 of 1,000 runs");
  });

  it("tells the rate and what is left", () => {
    const steps = [
      [0, 0],
      [1000, 20],
    ] as const;
    expect(paced(steps, 1000)).toBe("20 of 1,000 runs, 20.0/s, 0:49 left");
    expect(paced(steps, 400_000)).toBe("20 of 400,000 runs, 20.0/s, 5:33:19 left");
  });

  it("counts from what was there at the start, so that a resumed sweep doesn't seem fast", () => {
    expect(
      paced(
        [
          [0, 900],
          [10_000, 910],
        ],
        1000,
      ),
    ).toBe("910 of 1,000 runs, 1.00/s, 1:30 left");
  });

  it("forgets what was long ago", () => {
    const steps = Array.from(
      { length: 61 },
      (_, second) => [second * 1000, Math.min(second, 30) * 100 + Math.max(0, second - 30)] as const,
    );
    expect(paced(steps, 3130)).toBe("3,030 of 3,130 runs, 1.00/s, 1:40 left");
  });
});
