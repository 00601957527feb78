// How the tests are run: which files they are, in threads, and for how long at the most.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["test/**/*.test.ts", "examples/**/*.test.mjs"],
    testTimeout: 60_000,
    pool: "threads",
    // Modules are loaded once for all files of a thread, and kernels built once: no file changes what another one sees.
    isolate: false,
    // The order in which guest modules load is the order of routines in an image: here, too, it is that of programs.
    setupFiles: ["src/policies/index.ts"],
    // By default a processor is left to whoever watches.
    maxWorkers: "100%",
  },
});
