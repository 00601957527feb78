// What nobody handles: the CPU notes it and stays where it is. A probe on the mark makes it a named machine stop.

import { asmRoutine, nothing, routine, signature } from "../../asm/index.ts";

/** Masks everything and waits for ever. */
export const halt = asmRoutine(
  "cpu_park_loop",
  {
    x64: (a) => {
      a.label("park");
      a.cli().hlt().jmp("park");
    },
    arm64: (a) => {
      a.daifSet(15).label("park");
      a.wfi().b("park");
    },
  },
  { signature: signature([], nothing), noReturn: true },
);

export const badException = routine(
  "bad_exception",
  [],
  nothing,
  (k) => {
    k.mark("fatal");
    k.call(halt);
  },
  { noReturn: true },
);
