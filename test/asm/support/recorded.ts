// Recorded bytes of GNU as for the encoder tests: a digest of the case texts, then the bytes of each case in hexadecimal.

import { createHash } from "node:crypto";

export const RECORDED_CASES = 2000;
export const RECORDED_SEED = 20_261;

export function recordedFile(architecture: string): URL {
  return new URL(`../recorded/encoder-${architecture}.txt`, import.meta.url);
}

export interface Recorded {
  /** Digest of the texts that were assembled. */
  readonly texts: string;
  readonly bytes: readonly string[];
  digestOf(texts: readonly string[]): string;
}

export function digestOf(texts: readonly string[]): string {
  return createHash("sha256").update(texts.join("\n")).digest("hex").slice(0, 16);
}

/** A missing file throws: it must not turn into a pass. */
export function readRecorded(architecture: string, read: (file: URL, encoding: "utf8") => string): Recorded {
  const [texts = "", ...lines] = read(recordedFile(architecture), "utf8").trim().split("\n");
  return { texts, bytes: lines.flatMap((line) => line.split(" ")), digestOf };
}

/** Many cases per line, to keep the file short. */
export function formatRecorded(texts: readonly string[], bytes: readonly string[]): string {
  const lines: string[] = [];
  let line = "";
  for (const one of bytes) {
    if (line !== "" && line.length + one.length > 130) {
      lines.push(line);
      line = "";
    }
    line += (line === "" ? "" : " ") + one;
  }
  return [digestOf(texts), ...lines, line, ""].join("\n");
}
