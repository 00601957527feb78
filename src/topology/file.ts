// Reads a topology from a file. Needs Node; kept apart from the index so that browser users never bundle it.

import { createReadStream } from "node:fs";
import { AllstopError } from "../errors.ts";
import { hwlocLimits, limitError } from "./hwloc/limits.ts";
import { parseHwlocXml, type HwlocOptions } from "./hwloc/parse.ts";
import type { Topology } from "./topology.ts";

/**
 * Throws OPTION_INVALID for a file that can't be read, else what {@link parseHwlocXml} throws. Reads no further than
 * the limit.
 */
export async function readHwlocFile(path: string, options: HwlocOptions = {}): Promise<Topology> {
  return parseHwlocXml(await readLimited(path), options);
}

/** "ENOENT", "EISDIR" and the like. */
function reasonOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause);
}

async function readLimited(path: string): Promise<string> {
  const chunks: string[] = [];
  let characters = 0;
  try {
    for await (const chunk of createReadStream(path, { encoding: "utf8" })) {
      characters += String(chunk).length;
      if (characters > hwlocLimits.characters) throw limitError("characters", characters, path);
      chunks.push(String(chunk));
    }
  } catch (cause) {
    if (cause instanceof AllstopError) throw cause;
    throw new AllstopError("OPTION_INVALID", `a topology file that can't be read (${reasonOf(cause)})`, {
      value: path,
      cause,
    });
  }
  return chunks.join("");
}
