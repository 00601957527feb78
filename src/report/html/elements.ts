// HTML as text: elements with escaped contents.

import { escaped } from "../picture/svg.ts";

/** HTML that needs no more escaping. */
export type Html = string;

/** @param children HTML, as this and text() return it */
export function tag(name: string, attributes: Readonly<Record<string, string>>, ...children: readonly Html[]): Html {
  const list = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(value)}"`);
  return `<${name}${list.join("")}>${children.join("")}</${name}>`;
}

export function text(content: string): Html {
  return escaped(content);
}

export function section(title: string, ...children: readonly Html[]): Html {
  return children.every((child) => child === "") ? "" : tag("section", {}, tag("h2", {}, text(title)), ...children);
}

export function paragraph(content: string, className = ""): Html {
  return tag("p", className === "" ? {} : { class: className }, text(content));
}

export interface TableColumn {
  readonly title: string;
  /** Right-aligned. */
  readonly isFigure?: true;
  /** Broken into lines where it is long. */
  readonly isText?: true;
}

/** Nothing for no rows. */
export function table(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): Html {
  if (rows.length === 0) return "";
  const classOf = (index: number): Record<string, string> =>
    columns[index]?.isFigure ? { class: "figure" } : columns[index]?.isText ? { class: "text" } : {};
  const head = columns.map(({ title }, index) => tag("th", { scope: "col", ...classOf(index) }, text(title)));
  const body = rows.map((cells) => tag("tr", {}, ...cells.map((cell, index) => tag("td", classOf(index), text(cell)))));
  return tag("table", {}, tag("thead", {}, tag("tr", {}, ...head)), tag("tbody", {}, ...body));
}

/** @param svg an SVG document */
export function figure(svg: string, caption: string): Html {
  return tag("figure", {}, svg, tag("figcaption", {}, text(caption)));
}

export function preformatted(content: string): Html {
  return tag("pre", {}, text(content));
}
