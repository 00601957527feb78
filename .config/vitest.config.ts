// How the tests are run: which files they are, in threads, and for how long at the most.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["test/**/*.test.ts", "examples/**/*.test.mjs"],
    testTimeout: 60_000,
    pool: "threads",
    // By default a processor is left to whoever watches.
    maxWorkers: "100%",
  },
});
