// Small tests in the format, and what a run of one shows.

import { parseLitmus, runLitmus, type LitmusOptions, type LitmusResult } from "../../src/litmus/index.ts";
import { checkedCore } from "../machine/images.ts";

/** Runs a text on the core with its assertions. */
export function runText(text: string, options: LitmusOptions = {}): Promise<LitmusResult> {
  return runLitmus(parseLitmus(text), { runs: 2000, core: checkedCore, ...options });
}

/** States as they are printed, without counts: "1:X0=0; [x]=1;". */
export function statesOf({ states }: LitmusResult): string[] {
  return states.map(({ values }) =>
    Object.entries(values)
      .map(([location, value]) => `${location}=${value};`)
      .join(" "),
  );
}

/** A test of one dialect: initial state, rows of cells, and the condition. */
export function litmusText(dialect: string, initial: string, rows: readonly string[], end: string): string {
  const threads = rows[0]?.split("|").map((_, number) => `P${number}`) ?? [];
  return [`${dialect} T`, `{${initial}}`, `${threads.join(" | ")} ;`, ...rows.map((row) => `${row} ;`), end].join("\n");
}
