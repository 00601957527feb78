// SVG as text: elements with escaped contents, and how wide a text is at the most.

export type Attributes = Readonly<Record<string, string | number>>;

/** @param children elements, as this returns them, or escaped text */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const list = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(valueOf(value))}"`);
  const opening = `<${name}${list.join("")}`;
  return children.length === 0 ? `${opening}/>` : `${opening}>${children.join("")}</${name}>`;
}

export function textElement(text: string, attributes: Attributes): string {
  return element("text", attributes, escaped(text));
}

export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** Hundredths of a pixel are enough. */
export function rounded(pixels: number): number {
  return Math.round(pixels * 100) / 100;
}

function valueOf(value: string | number): string {
  return typeof value === "number" ? String(rounded(value)) : value;
}

/** Of the widest characters that are common in sans-serif fonts, in shares of the font's size. There is no font to ask. */
const CHARACTER_EMS = 0.6;

/** Width that a text takes at the most, pixels. */
export function textWidth(text: string, fontSize: number): number {
  return text.length * fontSize * CHARACTER_EMS;
}

/** The beginning of a text that is not wider than `width` pixels; "…" in the place of the rest. */
export function fitted(text: string, width: number, fontSize: number): string {
  const most = Math.max(1, Math.floor(width / textWidth("x", fontSize)));
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** A space that is not one between a figure and its unit. */
const BREAK = / (?!(?:ns|us|ms|s|%)\b)/;

/** Lines of at most `width` pixels, broken between words. */
export function wrapped(text: string, width: number, fontSize: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(BREAK)) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && textWidth(longer, fontSize) <= width) lines[lines.length - 1] = longer;
    else lines.push(fitted(word, width, fontSize));
  }
  return lines;
}
