// Reads pictures back: what an XML parser sees of them, where texts lie, and what the axes say.

import { SaxesParser } from "saxes";

export interface SvgElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Its own text. */
  text: string;
}

/** Everything that a document has, in order. @throws where it is not well-formed */
export function readSvg(svg: string): SvgElement[] {
  const parser = new SaxesParser();
  const elements: SvgElement[] = [];
  const open: SvgElement[] = [];
  parser.on("opentag", ({ name, attributes }) => {
    const element = { name, attributes, text: "" };
    elements.push(element);
    open.push(element);
  });
  parser.on("closetag", () => open.pop());
  parser.on("text", (text) => {
    const element = open.at(-1);
    if (element !== undefined) element.text += text;
  });
  parser.on("error", (error) => {
    throw error;
  });
  parser.write(svg).close();
  return elements;
}

export function textsOf(elements: readonly SvgElement[]): SvgElement[] {
  return elements.filter(({ name }) => name === "text");
}

export interface TextBox {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** DejaVu Sans is the widest of the usual sans-serif fonts: 0.6 of its size for a character on average, in the texts that are used here. */
export function boxOf({ text, attributes }: SvgElement): TextBox | undefined {
  if (attributes["transform"] !== undefined) return undefined;
  const size = Number(attributes["font-size"]);
  const width = text.length * size * 0.6;
  const [x, y] = [Number(attributes["x"]), Number(attributes["y"])];
  const anchor = attributes["text-anchor"];
  const left = anchor === "end" ? x - width : anchor === "middle" ? x - width / 2 : x;
  return { text, left, right: left + width, top: y - size * 0.8, bottom: y + size * 0.2 };
}

export function boxesOf(elements: readonly SvgElement[]): TextBox[] {
  return textsOf(elements).flatMap((text) => boxOf(text) ?? []);
}

/** Pairs of texts that lie on one another. */
export function overlapsOf(boxes: readonly TextBox[]): string[] {
  const sorted = [...boxes].sort((a, b) => a.top - b.top);
  return sorted.flatMap((a, index) => {
    const found: string[] = [];
    for (const b of sorted.slice(index + 1)) {
      if (b.top >= a.bottom) break;
      if (a.left < b.right && b.left < a.right) found.push(`${a.text} over ${b.text}`);
    }
    return found;
  });
}

/** Texts that reach beyond the picture. */
export function outsideOf(elements: readonly SvgElement[]): string[] {
  const root = elements[0]?.attributes ?? {};
  const [width, height] = [Number(root["width"]), Number(root["height"])];
  return boxesOf(elements)
    .filter(({ left, right, top, bottom }) => left < 0 || right > width || top < 0 || bottom > height)
    .map(({ text }) => text);
}

export interface Area {
  readonly className: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** The rectangles that the paths of a class consist of. */
export function areasOf(elements: readonly SvgElement[], prefix: string): Area[] {
  return elements.flatMap(({ name, attributes: { class: className = "", d = "" } }) => {
    if (name !== "path" || !className.startsWith(prefix)) return [];
    return [...d.matchAll(/M(-?[\d.]+) (-?[\d.]+)h([\d.]+)v([\d.]+)h-\3z/g)].map(([, x, y, width, height]) => {
      const [left, top] = [Number(x), Number(y)];
      return { className, left, top, right: left + Number(width), bottom: top + Number(height) };
    });
  });
}

const units = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 } as const;

/** Nanoseconds of a text such as "2.5 us". */
export function nsOfText(text: string): number | undefined {
  if (text === "0") return 0;
  const [, value, unit] = /^([\d.]+) (ns|us|ms|s)$/.exec(text) ?? [];
  return value === undefined ? undefined : Number(value) * units[unit as keyof typeof units];
}

/** What the axis at the bottom says: pixels to nanoseconds, by its marks, which are in the last line of times. */
export function timeOfPixels(elements: readonly SvgElement[]): (x: number) => number {
  const times = textsOf(elements).flatMap(({ text, attributes }) => {
    const ns = nsOfText(text);
    return ns === undefined || attributes["text-anchor"] !== "middle"
      ? []
      : [{ ns, x: Number(attributes["x"]), y: Number(attributes["y"]) }];
  });
  const bottom = Math.max(...times.map(({ y }) => y));
  const marks = times.filter(({ y }) => y === bottom).sort((a, b) => a.x - b.x);
  const [first, last] = [marks[0], marks.at(-1)];
  if (first === undefined || last === undefined || first === last) throw new Error("an axis without marks");
  return (x) => first.ns + ((x - first.x) / (last.x - first.x)) * (last.ns - first.ns);
}
