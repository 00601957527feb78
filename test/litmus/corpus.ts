// The litmus tests of the project, and what is known of each.

import { readdirSync, readFileSync } from "node:fs";
import type { Dialect } from "./reference/litmus.ts";

export const architectures = ["aarch64", "x86"] as const;
export type CorpusArchitecture = (typeof architectures)[number];

/** What is known of a test. */
export interface CorpusFact {
  /** Whether the architecture allows the outcome that the test asks for. */
  readonly verdict: "allowed" | "forbidden";
  /**
   * Whether a CPU shows that outcome that issues in order, with loads that return out of order, those behind a branch too, and stores
   * that drain out of order: without stores seen before older loads have their values. `must`: it does here.
   */
  readonly observation: "must" | "expected" | "unexpected";
  /** Final states of what the condition names that the architecture allows. */
  readonly states: readonly string[];
}

export type CorpusFacts = Readonly<Record<string, CorpusFact>>;

/**
 * Relaxed outcomes that a run has to show: those of plain accesses, and of message passing with only one side in order, or with a
 * branch between the loads.
 */
export const MUST_OBSERVE: Readonly<Record<CorpusArchitecture, readonly string[]>> = {
  aarch64: [
    "SB",
    "MP",
    "S",
    "R",
    "2+2W",
    "MP+dmb.sy+po",
    "MP+po+dmb.sy",
    "MP+dmb.st+po",
    "MP+po+dmb.ld",
    "MP+dmb.sy+ctrl",
    "MP+dmb.sy+taken-ctrl",
    "MP+dmb.sy+ctrl-work",
  ],
  x86: ["SB"],
};

function architectureOf(dialect: Dialect): CorpusArchitecture {
  return dialect === "AArch64" ? "aarch64" : "x86";
}

function path(name: string): URL {
  return new URL(name, import.meta.url);
}

export function namesOf(architecture: CorpusArchitecture): string[] {
  return readdirSync(path(`${architecture}/`)).map((file) => file.replace(/\.litmus$/, ""));
}

export function textOf(architecture: CorpusArchitecture, name: string): string {
  return readFileSync(path(`${architecture}/${encodeURIComponent(name)}.litmus`), "utf8");
}

export function factsFile(architecture: CorpusArchitecture): URL {
  return path(`allowed.${architecture}.json`);
}

const facts = new Map<CorpusArchitecture, CorpusFacts>();

export function factsOf(architecture: CorpusArchitecture): CorpusFacts {
  const known = facts.get(architecture) ?? (JSON.parse(readFileSync(factsFile(architecture), "utf8")) as CorpusFacts);
  facts.set(architecture, known);
  return known;
}

/** The corpus' test of a name, if it has one. */
export function corpusText(dialect: Dialect, name: string): string | undefined {
  const architecture = architectureOf(dialect);
  return namesOf(architecture).includes(name) ? textOf(architecture, name) : undefined;
}
