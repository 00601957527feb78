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
function valueOf(value: string | number): string {
  return typeof value === "number" ? String(Math.round(value * 100) / 100) : value;
}

/** Of the widest characters that are common in sans-serif fonts, in shares of the font's size. There is no font to ask. */
const CHARACTER_EMS = 0.6;

/** Width that a text takes at the most, pixels. */
export function textWidth(text: string, fontSize: number): number {
  return text.length * fontSize * CHARACTER_EMS;
}
