// A table in text: columns as wide as their widest cell, numbers to the right.

import type { Palette } from "./text.ts";

export interface Column {
  readonly title: string;
  /** Text goes to the left, anything else to the right. */
  readonly text?: true;
}

/** Header and rows. The last column is not filled up. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { faint }: Palette,
): string[] {
  const titles = columns.map(({ title }) => title);
  const widths = columns.map((_, index) => Math.max(...[titles, ...rows].map((row) => (row[index] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) =>
        columns[index]?.text ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [faint(line(titles)), ...rows.map(line)];
}
