// Reads a topology from a file. Needs Node.

import { AllstopError } from "../errors.ts";
import { platform } from "../platform/node.ts";
import { hwlocLimits, limitError } from "./hwloc/limits.ts";
import { parseHwlocXml, type HwlocOptions } from "./hwloc/parse.ts";
import type { Topology } from "./topology.ts";

/**
 * The topology of an hwloc XML file, as `lstopo machine.xml` writes one. Needs Node; where there are no files, parseHwlocXml() takes the
 * text. Reads no further than the limit.
 * @throws OPTION_INVALID for a file that can't be read; XML_INVALID, XML_LIMIT, TOPOLOGY_INVALID; PLATFORM_LACKS
 */
export async function readHwlocFile(path: string, options: HwlocOptions = {}): Promise<Topology> {
  return parseHwlocXml(await readLimited(path), options);
}

/** "ENOENT", "EISDIR" and the like. */
function reasonOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause);
}

async function readLimited(path: string): Promise<string> {
  const { createReadStream } = await platform.streams();
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
