// What only Node has: files and threads. Nothing of it is loaded before it is asked for, so that all else runs in a browser as well.
// A bundler for browsers puts browser.ts in the place of this file (package.json, "browser").

import type * as parquet from "hyparquet-writer";
import type * as streams from "node:fs";
import type * as files from "node:fs/promises";
import type * as modules from "node:module";
import type * as lines from "node:readline/promises";
import type { Piscina } from "piscina";
import { AllstopError } from "../errors.ts";

/** A module of Node's, or one that needs it, by what it is needed for. */
async function load<T>(what: string, module: () => Promise<T>): Promise<T> {
  try {
    return await module();
  } catch (cause) {
    throw new AllstopError("PLATFORM_LACKS", `${what} need Node`, { cause });
  }
}

/** Each is loaded when it is asked for. @throws PLATFORM_LACKS */
export interface Platform {
  readonly files: () => Promise<typeof files>;
  readonly streams: () => Promise<typeof streams>;
  readonly lines: () => Promise<typeof lines>;
  /** For source maps. */
  readonly modules: () => Promise<typeof modules>;
  /** Threads of this process. */
  readonly pool: () => Promise<typeof Piscina>;
  readonly parquet: () => Promise<typeof parquet>;
  /** The module that such a thread runs, as built. */
  readonly worker: () => Promise<URL>;
}

export const platform: Platform = {
  files: () => load("files", () => import("node:fs/promises")),
  streams: () => load("files", () => import("node:fs")),
  lines: () => load("files", () => import("node:readline/promises")),
  modules: () => load("source maps", () => import("node:module")),
  pool: () => load("threads", async () => (await import("piscina")).Piscina),
  parquet: () => load("Parquet files", () => import("hyparquet-writer")),
  worker: () => Promise.resolve(new URL("../../dist/sweep/worker.js", import.meta.url)),
};

/** Processors that threads can be for; 0 where there are no threads. */
export async function availableThreads(): Promise<number> {
  // What is there is asked for, not what it is called: other runtimes have Node's modules, too.
  if (typeof process === "undefined" || typeof process.versions?.node !== "string") return 0;
  return (await import("node:os")).availableParallelism();
}
