// The built-in cases: one document each in the folder scenarios/ of the package.

import { readdir, readFile } from "node:fs/promises";
import { AllstopError } from "../errors.ts";
import { parseCaseText, type Case } from "./case.ts";

const FOLDER = new URL("../../scenarios/", import.meta.url);
const FILE = /^([A-Z])(\d+)([a-z]?)\.json$/;

/** Names of all built-in cases, in their order. */
export async function caseIds(): Promise<string[]> {
  const files = await readdir(FOLDER);
  const found = files.flatMap((file) => {
    const [, letter = "", number = "", part = ""] = FILE.exec(file) ?? [];
    return letter === "" ? [] : [{ id: letter + number + part, letter, number: Number(number), part }];
  });
  // S before H, as they are told.
  found.sort((a, b) => b.letter.localeCompare(a.letter) || a.number - b.number || a.part.localeCompare(b.part));
  return found.map(({ id }) => id);
}

/** @throws NAME_UNKNOWN, SCENARIO_INVALID */
export async function findCase(id: string): Promise<Case> {
  const ids = await caseIds();
  if (!ids.includes(id))
    throw new AllstopError("NAME_UNKNOWN", "no such scenario", { value: id, allowed: ids.join(", ") });
  return parseCaseText(await readFile(new URL(`${id}.json`, FOLDER), "utf8"));
}

/** All of them, or those that are named. @throws NAME_UNKNOWN, SCENARIO_INVALID */
export async function findCases(ids: readonly string[]): Promise<Case[]> {
  return Promise.all((ids.length === 0 ? await caseIds() : ids).map(findCase));
}
