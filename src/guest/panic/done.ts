// Where a panic ends: in the crash kernel, or in panic()'s last loop. Nothing of this kernel's goes on from there.

import { nothing, routine } from "../../asm/index.ts";
import { halt } from "../entry/fatal.ts";

export const panicDone = routine(
  "panic_done",
  [],
  nothing,
  (k) => {
    k.mark("done");
    k.call(halt);
  },
  { noReturn: true },
);
