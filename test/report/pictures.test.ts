// What holds of every picture of a call, whatever the machine: well-formed, bounded, no text over another or outside, the same each
// time; and what the pictures of fixed seeds show, in short.

import { describe, expect, it } from "vitest";
import { pictureKinds, renderPicture } from "../../src/report/picture/kinds.ts";
import { execute, hang, mixed, type Executed } from "./runs.ts";
import { areasOf, outsideOf, overlapsOf, boxesOf, readSvg, textsOf, type SvgElement } from "./svg.ts";

const cases: readonly (readonly [string, Parameters<typeof execute>[0]])[] = [
  ["16 CPUs", mixed(16)],
  ["384 CPUs", mixed(384)],
  ["4,096 CPUs", mixed(4096)],
  ["48 packages", { machine: { topology: "sgi-uv-768" } }],
  ["several NUMA nodes in a package", { machine: { topology: "kunpeng-920" }, load: { common: "mixed" } }],
  ["CPUs that are not concerned", { machine: { cpus: 64 }, policy: { name: "stop_core" } }],
  ["nobody is released", { machine: { cpus: 32 }, policy: { name: "panic_nmi" } }],
  [
    "one that is far later",
    { machine: { cpus: 128 }, load: { particular: [{ cpus: "60", kind: "descheduled", us: 900 }] } },
  ],
  ["all have stopped early", { machine: { cpus: 8 }, policy: { active: "all", functionUs: 300 } }],
  ["a hang", hang],
  ["one CPU", { machine: { cpus: 1 } }],
];

const MEGABYTE = 1e6;

describe.each(cases)("%s", (name, input) => {
  let executed: Promise<Executed> | undefined;
  const run = (): Promise<Executed> => (executed ??= execute(input));

  it.each(pictureKinds)("%s: is well-formed and bounded, texts apart and inside", async (kind) => {
    const { result } = await run();
    const svg = renderPicture(kind, result);
    expect(svg.length).toBeLessThan(MEGABYTE);
    const elements = readSvg(svg);
    expect(elements[0]).toMatchObject({ name: "svg", attributes: { xmlns: "http://www.w3.org/2000/svg" } });
    expect(overlapsOf(boxesOf(elements))).toEqual([]);
    expect(outsideOf(elements)).toEqual([]);
    expect(struckOf(elements)).toEqual([]);
    expect(svg).not.toMatch(/NaN|undefined|Infinity|\d{3}\.\d{3}/);
    expect(renderPicture(kind, result)).toBe(svg);
  });

  it.each(pictureKinds)("%s: shows what it showed", async (kind) => {
    const { result } = await run();
    const elements = readSvg(renderPicture(kind, result));
    const areas = new Map<string, number>();
    for (const { className, left, right, top, bottom } of areasOf(elements, "st")) {
      areas.set(className, (areas.get(className) ?? 0) + (right - left) * (bottom - top));
    }
    const { width, height } = elements[0]?.attributes ?? {};
    const shown = [
      `size ${width} ${height}`,
      ...[...countOf(elements, "rect")].map(([className, count]) => `boxes ${className} ${count}`),
      `signs ${elements.filter(({ attributes }) => attributes["transform"]?.startsWith("translate") === true).length}`,
      // In hundreds of square pixels: what the eye gets.
      ...[...areas].map(([className, area]) => `area ${className} ${Math.round(area / 100)}`),
      ...textsOf(elements).map(({ text }) => `text ${text}`),
    ];
    await expect(`${shown.join("\n")}\n`).toMatchFileSnapshot(`golden/${kind}/${name.replaceAll(/\W+/g, "-")}.txt`);
  });
});

/** Names of moments that a moment's line goes through. */
function struckOf(elements: readonly SvgElement[]): string[] {
  const lines = elements.filter(({ name, attributes }) => name === "line" && attributes["class"] === "rule");
  return boxesOf(elements)
    .filter(({ text }) => /^(call|all stopped .*|returned .*)$/.test(text))
    .filter(({ left, right, top, bottom }) =>
      lines.some(({ attributes: { x1, y1, y2 } }) => {
        const [x, from, until] = [Number(x1), Number(y1), Number(y2)];
        return x > left && x < right && from < bottom && until > top;
      }),
    )
    .map(({ text }) => text);
}

function countOf(elements: readonly SvgElement[], name: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { attributes } of elements.filter((one) => one.name === name)) {
    const className = attributes["class"] ?? "";
    counts.set(className, (counts.get(className) ?? 0) + 1);
  }
  return counts;
}

it("is the same for another run of the same scenario", async () => {
  const [one, other] = [await execute(mixed(16)), await execute(mixed(16))];
  for (const kind of pictureKinds) expect(renderPicture(kind, other.result)).toBe(renderPicture(kind, one.result));
});
