// Figures and tables as text.

import type { Measurement } from "./measure.ts";

export function formatSeconds(value: number): string {
  if (value >= 1) return `${value.toFixed(2)} s`;
  if (value >= 1e-3) return `${(value * 1e3).toFixed(2)} ms`;
  return value >= 1e-6 ? `${(value * 1e6).toFixed(2)} us` : `${(value * 1e9).toFixed(2)} ns`;
}

export function formatBytes(value: number): string {
  return `${(value / 1024).toFixed(2)} KiB`;
}

export function formatRate(value: number): string {
  return `${(value / 1e6).toFixed(1)} M/s`;
}

export function formatRatio(value: number): string {
  return `${value.toFixed(2)}x`;
}

const formats = { rate: formatRate, time: formatSeconds, size: formatBytes };

export function formatValue({ figure, value }: Measurement): string {
  return formats[figure](value);
}

/** Columns as wide as their widest cell; the first is set left, the others right. */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, index) =>
    Math.max(...rows.map((row) => (row[index] ?? "").length)),
  );
  const pad = (cell: string, index: number): string =>
    index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0);
  return rows.map((row) => row.map(pad).join("  ").trimEnd());
}
