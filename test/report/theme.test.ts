// Colours of pictures: contrast, and telling them apart with any eyes.

import { describe, expect, it } from "vitest";
import { darkTheme, lightTheme, styleElement } from "../../src/report/picture/theme.ts";
import { contrast, deficiencies, labOf, leastDistance } from "./colours.ts";

const themes = [
  ["light", lightTheme, styleElement().split("@media")[0] ?? ""],
  ["dark", darkTheme, styleElement().split("@media")[1] ?? ""],
] as const;

function fillOf(rules: string, className: string): string {
  return new RegExp(`\\.${className}\\{fill:(#[0-9a-f]{6})\\}`).exec(rules)?.[1] ?? "";
}

describe.each(themes)("the %s colours", (_, { paper, ink, faint, series, states, steps, beyond }, rules) => {
  it("stand out from the paper: 4.5 to 1 for text, 3 to 1 for lines (WCAG 2.2, 1.4.3 and 1.4.11)", () => {
    for (const colour of [ink, faint]) expect(contrast(colour, paper)).toBeGreaterThanOrEqual(4.5);
    for (const colour of [...series, beyond]) expect(contrast(colour, paper)).toBeGreaterThanOrEqual(3);
  });

  it("leave text on each step of a scale readable", () => {
    for (const [step, colour] of steps.entries()) {
      expect(fillOf(rules, `step${step}`)).toBe(colour);
      expect(contrast(fillOf(rules, `on${step}`), colour)).toBeGreaterThanOrEqual(4.5);
    }
    expect(contrast(fillOf(rules, "onbeyond"), beyond)).toBeGreaterThanOrEqual(4.5);
  });

  it.each(Object.entries(deficiencies))("differ in CIELAB to eyes with %s", (_name, matrix) => {
    expect(leastDistance(series, matrix)).toBeGreaterThanOrEqual(10);
    expect(leastDistance(Object.values(states), matrix)).toBeGreaterThanOrEqual(14);
    // Neighbours of a sequence, which has a direction.
    const lightness = steps.map((colour) => labOf(colour, matrix)[0] ?? 0);
    const changes = lightness.slice(1).map((value, index) => value - (lightness[index] ?? 0));
    expect(new Set(changes.map(Math.sign)).size).toBe(1);
    for (const change of changes) expect(Math.abs(change)).toBeGreaterThanOrEqual(4);
  });

  it("have what comes late farthest from the paper", () => {
    expect(contrast(steps.at(-1) ?? "", paper)).toBeGreaterThan(contrast(steps[0] ?? "", paper));
  });
});

it("prints in light colours", () => {
  expect(styleElement()).toContain("@media screen and (prefers-color-scheme:dark)");
});
