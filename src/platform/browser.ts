// Takes the place of node.ts in a bundle for browsers: no files, no threads of a process.

import { AllstopError } from "../errors.ts";
import type { availableThreads as threadsOfNode, Platform } from "./node.ts";

function lacks(what: string): () => Promise<never> {
  return () => Promise.reject(new AllstopError("PLATFORM_LACKS", `${what} need Node`));
}

export const platform: Platform = {
  files: lacks("files"),
  streams: lacks("files"),
  lines: lacks("files"),
  modules: lacks("source maps"),
  pool: lacks("threads"),
  parquet: lacks("Parquet files"),
  worker: lacks("threads"),
};

export const availableThreads: typeof threadsOfNode = () => Promise.resolve(0);
