// A run as it is stored, and what changed since.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { coreIdentity, loadCore } from "allstop/machine";
import type { BudgetLine } from "./budgets.ts";
import type { Measurement, Result } from "./measure.ts";
import type { PeerRatio } from "./peers.ts";
import { qemuVersions } from "./qemu/board.ts";

export const FORMAT = "allstop.bench/2";

export interface StoredRun {
  readonly format: typeof FORMAT;
  readonly host: string;
  readonly node: string;
  /** SHA-256 of the core that was measured. */
  readonly core: string;
  /** Git revision of the working folder; undefined outside a repository. */
  readonly revision: string | undefined;
  /** Versions of the emulators that cases compare with, as far as they are installed. */
  readonly qemu: Readonly<Record<string, string>>;
  /** Time for each case. */
  readonly seconds: number;
  readonly results: readonly Result[];
  readonly peers: readonly PeerRatio[];
  readonly budgets: readonly BudgetLine[];
}

function revision(): string | undefined {
  try {
    const command = ["describe", "--always", "--dirty", "--exclude", "*"];
    return execFileSync("git", command, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}

export async function storedRun(
  seconds: number,
  parts: Pick<StoredRun, "results" | "peers" | "budgets">,
): Promise<StoredRun> {
  return {
    format: FORMAT,
    host: cpus()[0]?.model ?? "unknown",
    node: process.version,
    core: coreIdentity(await loadCore()),
    revision: revision(),
    qemu: qemuVersions(),
    seconds,
    ...parts,
  };
}

/** @throws Error for a file that isn't a stored run of this format */
export function readStoredRun(file: string): StoredRun {
  const run = JSON.parse(readFileSync(file, "utf8")) as Partial<StoredRun> | null;
  if (run?.format === FORMAT && Array.isArray(run.results)) return run as StoredRun;
  throw new Error(`${file} is not a stored run: its format is ${String(run?.format)}, not ${FORMAT}`);
}

/** How a case does against a stored run: more than 1 is faster, or smaller. Undefined where that run doesn't have it. */
export function ratioTo(stored: StoredRun | undefined, now: Measurement): number | undefined {
  const before = stored?.results.find(({ name }) => name === now.name);
  if (before === undefined || "skipped" in before) return undefined;
  return now.figure === "rate" ? now.value / before.value : before.value / now.value;
}

/** Whether a case takes at least so many percent longer, or more, than it did. */
export function isWorse(ratio: number, tolerancePercent: number): boolean {
  return 1 / ratio > 1 + tolerancePercent / 100;
}
