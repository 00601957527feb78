// Reboot as a request: machine_restart() (arch/x86/kernel/reboot.c), up to where the machine would be reset. That the kernel first moves to
// the boot CPU is left out: the requester is where it is.

import { i32, nothing, ptr, routine, u32 } from "../../asm/index.ts";
import { useConsole } from "../lib/console-lock.ts";
import { observed } from "../observe.ts";
import { Request } from "../percpu.ts";
import { haltForEver } from "./stop-this-cpu.ts";
import { rebootWait, stopOtherCpus } from "./data.ts";

/** machine_emergency_restart(): what is still running now, runs into the reset. */
const emergencyRestart = routine(
  "machine_emergency_restart",
  [],
  nothing,
  (k) => {
    k.mark("done");
    k.call(haltForEver);
  },
  { noReturn: true },
);

export const callReboot = routine("request_reboot", { mine: ptr(Request) }, i32, (k, { mine }) => {
  k.mark(observed("call"));
  k.call(stopOtherCpus, rebootWait);
  const ret = k.let("ret", 0, i32);
  k.mark(observed("return"));
  k.set(mine.rounds_done, mine.rounds_done.add(1));
  k.mark(observed("answer", { locals: ["mine", "ret"] }));
  k.set(mine.returned, ret.to(u32));
  k.mark(observed("phase", { which: "restart" }));
  k.call(useConsole);
  k.call(emergencyRestart);
});
