// Files that commands write beside what they print: whether they can be, before anything runs, and their text.

import { stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { AllstopError } from "../errors.ts";

/** @param at the option that names the file @param kinds endings of names that there may be @throws OPTION_INVALID */
export async function checkOutput(file: string, at: string, kinds: readonly string[]): Promise<void> {
  if (!kinds.some((kind) => file.endsWith(kind))) {
    const allowed = `a name that ends in ${kinds.join(" or ")}`;
    throw new AllstopError("OPTION_INVALID", "not a kind of file that can be written here", {
      at,
      value: file,
      allowed,
    });
  }
  const folder = dirname(file);
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new AllstopError("OPTION_INVALID", "a file in a folder that is not there", { at, value: file });
}

/** @throws OPTION_INVALID where it can't be written */
export async function writeText(file: string, text: string): Promise<void> {
  await writeFile(file, `${text}\n`).catch((cause: unknown) => {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new AllstopError("OPTION_INVALID", `a file that can't be written (${reason})`, { value: file, cause });
  });
}

/** Words that a shell takes as they are. */
const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/** The command line that this process was started with, as one would type it. */
export function typedCommand(): string {
  const words = process.argv
    .slice(2)
    .map((word) => (PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return ["allstop", ...words].join(" ");
}
