// The first field of every document: what kind of document it is, and in which version.

import { AllstopError } from "../errors.ts";

/** Kinds of documents that are easily taken for one another, and what they are to someone who wanted another. */
const kinds: Readonly<Record<string, string>> = {
  "allstop.scenario": "a scenario",
  "allstop.case": "a case",
  "allstop.report": "a report",
};

/**
 * Whether a document is of the kind and version that is read; before anything else of it, since all else depends on it.
 * @throws SCENARIO_INVALID
 */
export function checkFormat(document: unknown, wanted: string): void {
  if (typeof document !== "object" || document === null || Array.isArray(document)) return;
  const found = (document as { readonly format?: unknown }).format;
  if (found === wanted) return;
  const place = { at: "format", allowed: `"${wanted}"` };
  if (found === undefined) throw new AllstopError("SCENARIO_INVALID", "the field is missing", place);
  throw new AllstopError("SCENARIO_INVALID", differently(found, wanted), { ...place, value: found });
}

function differently(found: unknown, wanted: string): string {
  const [kind = "", version] = typeof found === "string" ? found.split("/") : [];
  const [wantedKind = ""] = wanted.split("/");
  if (kind === wantedKind && version !== undefined) return "a version that this build does not read";
  const what = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  return what === undefined ? "not the name of this format" : `${what}: not ${kinds[wantedKind] ?? "this"}`;
}
