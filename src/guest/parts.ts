// Parts of the kernel that a user's own routines take the place of (KernelOptions.bindings) or build on.

import { print, printField } from "./lib/console.ts";
import { MultiStopData } from "./stop/data.ts";
import { ackState, runDirectly, runFunction, setState } from "./stop/multi-stop.ts";

export const kernelParts = {
  /** Slot: how an active CPU runs the function in RUN. Bound to runDirectly in mainline. */
  runFunction,
  runDirectly,
  /** The rendezvous' shared state, and the two routines that move it. */
  MultiStopData,
  setState,
  ackState,
  /** On the platform's console, in the body of a routine. */
  print,
  printField,
} as const;
