// A worker for the tests of the harness: its third input takes for ever, or its life.

import { parentPort, workerData } from "node:worker_threads";

parentPort.on("message", ({ target, first }) => {
  Atomics.store(workerData.at, 0, first + 2);
  if (target === "deadly") throw new Error("the worker dies");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
