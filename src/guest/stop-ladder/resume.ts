// The unmerged form of the stop over SDEI (case S24): the handler notes that its CPU is to park and returns; the
// exit code completes the event into a stub, which then powers off.

import { asInteger, codeOf, nothing, perCpu, ptr, routine, u32, u64 } from "../../asm/index.ts";
import { Arm64Regs } from "../entry/regs.ts";
import { cpuParkLoop } from "./park.ts";
import { observed } from "../observe.ts";
import { arm64CrashSaveCpu } from "../panic/crash-note.ts";
import { sdeiMaskLocalCpu } from "../sdei/client.ts";
import { SdeiRegisteredEvent } from "../sdei/event.ts";
import { setCpuOffline } from "./ack.ts";
import { cpuTryDie } from "./common-stop.ts";
import { crashStop } from "./data.ts";

/** M[3:0] is 0 in user mode. */
const MODE = 0xf;

const parkPending = perCpu("sdei_park_pending", u32, { offset: 0xb18 });

/** The stub: everything is masked, and the stack is whatever the event interrupted. */
const parkStub = routine(
  "sdei_park_stub",
  [],
  nothing,
  (k) => {
    k.mark("resumed");
    k.if(k.readOnce(crashStop).ne(0), () => k.call(cpuTryDie));
    k.mark(observed("park", { which: "wfi" }));
    k.call(cpuParkLoop);
  },
  { noReturn: true },
);

/** The stub's text isn't mapped behind user mode's page tables: who was there parks with the event open. */
export const stopOnEventResuming = routine(
  "sdei_nmi_stop_resuming",
  { regs: ptr(Arm64Regs) },
  nothing,
  (k, { regs }) => {
    k.mark("enter");
    k.daifMask();
    k.if(k.readOnce(crashStop).ne(0), () => k.call(arm64CrashSaveCpu, regs));
    k.call(setCpuOffline);
    // Before the event is complete, or the next one that is queued would be dispatched into the parked CPU.
    k.call(sdeiMaskLocalCpu);
    k.if(regs.pstate.and(MODE).eq(0), () => {
      k.mark(observed("park", { which: "wfi" }));
      k.call(cpuParkLoop);
    });
    k.set(parkPending.here, 1);
  },
);

/** What the exit code of events asks. */
export const resumeInParkStub = routine("sdei_resume_in_park_stub", { event: ptr(SdeiRegisteredEvent) }, u64, (k) => {
  k.if(parkPending.here.eq(0), () => k.return(0));
  k.return(asInteger(codeOf(parkStub)));
});
