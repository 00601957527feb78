// Where a stopped CPU stays (arch/arm64/kernel/smp.c: cpu_park_loop). An interrupt that is pending and masked ends every WFI, and the stop
// IPI stays pending on a CPU that an NMI has stopped: such a CPU sleeps in the WFE.

import { asmRoutine, nothing, signature } from "../../asm/index.ts";

export const cpuParkLoop = asmRoutine(
  "cpu_park_loop_wfe",
  { arm64: (a) => void a.label("park").wfe().wfi().b("park") },
  { signature: signature([], nothing), noReturn: true },
);
