// The built-in cases: one document each in the folder scenarios/ of the package.

import { AllstopError } from "../errors.ts";
import { platform } from "../platform/node.ts";
import { parseCaseText, type Case } from "./case.ts";

/** Cases that were told in several parts. */
const furtherParts: Readonly<Record<string, readonly string[]>> = { S15: ["S15a"], S8: ["S8a"] };

function numbered(letter: string, count: number): string[] {
  const ids = Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);
  return ids.flatMap((id) => [id, ...(furtherParts[id] ?? [])]);
}

/**
 * Names of all built-in cases, in their order: `S1` to `S34`, the defects and debates of stop paths, and `H1` to `H9`, hazards of late loads of
 * microcode.
 */
export const caseIds: readonly string[] = [...numbered("S", 34), ...numbered("H", 9)];

/**
 * A built-in case by its name: its document is read from the package, in a browser fetched from beside the module. A bundle that has
 * not taken the folder `scenarios/` along gives the JSON to parseCase() instead.
 * @throws NAME_UNKNOWN, SCENARIO_INVALID; PLATFORM_LACKS where it can't be fetched
 */
export async function findCase(id: string): Promise<Case> {
  if (!caseIds.includes(id)) {
    throw new AllstopError("NAME_UNKNOWN", "no such scenario", { value: id, allowed: caseIds.join(", ") });
  }
  return parseCaseText(await textAt(fileOf(id)));
}

/** All of them, or those that are named. @throws as findCase() */
export async function findCases(ids: readonly string[] = []): Promise<Case[]> {
  return Promise.all((ids.length === 0 ? caseIds : ids).map(findCase));
}

function fileOf(id: string): URL {
  try {
    return new URL(`../../scenarios/${id}.json`, import.meta.url);
  } catch (cause) {
    // A bundle that is no module has no address.
    const allowed = "the case's JSON, given to parseCase()";
    throw new AllstopError("PLATFORM_LACKS", "this bundle doesn't know where its files are", { allowed, cause });
  }
}

async function textAt(url: URL): Promise<string> {
  if (url.protocol === "file:") {
    const { readFile } = await platform.files();
    return readFile(url, "utf8");
  }
  const lacks = (cause: unknown): AllstopError =>
    new AllstopError("PLATFORM_LACKS", "the built-in scenarios can't be fetched", { value: url.href, cause });
  const response = await fetch(url).catch((cause: unknown) => {
    throw lacks(cause);
  });
  if (!response.ok) throw lacks(new Error(`HTTP status ${response.status}`));
  return response.text();
}
