// nmi_shootdown_cpus() (arch/x86/kernel/reboot.c): straight to the NMI, for nothing can be said of a machine that
// crashes.

import { addressOf, code, codeOf, global, i32, nothing, routine, slot, u32 } from "../../asm/index.ts";
import { X86Vector } from "../../abi.ts";
import { sendIpiAllButSelf } from "../irqchip/controller.ts";
import { numOnlineCpus } from "../lib/cpumask.ts";
import { waitUpTo } from "../lib/delay.ts";
import { NMI_FLAG_FIRST, NmiAction, NmiType } from "../nmi/data.ts";
import { registerNmiHandler, setEmergencyNmiHandler } from "../nmi/handlers.ts";
import { observed } from "../observe.ts";
import { counters, local } from "../percpu.ts";
import { shootdown } from "./data.ts";
import { crashNmiCallback } from "./target.ts";

/** mdelay(1), a thousand times. */
const STEPS = 1000;
const STEP_US = 1000;

/** How the callback gets to be called for NMIs: 1 if it will be. */
export const installCrashHandler = slot("install_crash_nmi_handler", {}, u32);

/** Since 2025: the emergency handler, one store, whatever locks the interrupted context holds. */
export const installEmergencyHandler = routine("install_crash_emergency_handler", [], u32, (k) => {
  k.call(setEmergencyNmiHandler, NmiType.Local, codeOf(crashNmiCallback));
  k.return(1);
});

const crashAction = global("crash_nmi_action", NmiAction, {
  initial: { handler: crashNmiCallback, flags: NMI_FLAG_FIRST },
  align: 64,
});

/** Before: the head of the list, under the list's lock, which an NMI may have interrupted (S18). */
export const registerCrashHandler = routine("register_crash_nmi_handler", [], u32, (k) => {
  const registered = k.let(
    "registered",
    k.bool(k.call(registerNmiHandler, NmiType.Local, addressOf(crashAction)).eq(0)),
  );
  k.if(registered.ne(0), () => k.wmb("crash_handler"));
  k.return(registered);
});

/** Once per boot: the others are in the handler, and take no second NMI. */
export const nmiShootdownCpus = routine("nmi_shootdown_cpus", { callback: code }, nothing, (k, { callback }) => {
  k.irqDisable();
  k.if(k.readOnce(shootdown.crash_ipi_issued).ne(0), () => {
    k.set(counters.here.warnings, counters.here.warnings.add(1));
    k.return();
  });
  k.set(shootdown.crashing_cpu, local.here.cpu);
  k.set(shootdown.callback, callback);
  k.set(shootdown.waiting_for_crash_ipi, k.readOnce(numOnlineCpus).sub(1).to(i32));
  // A failure is passed over in silence: the others keep running, and nobody waits.
  k.if(k.call(installCrashHandler).eq(0), () => k.return());
  k.mark(observed("phase", { which: "crash_nmi" }));
  k.wmb("crash_nmi");
  k.mark(observed("broadcast", { which: "crash" }));
  k.call(sendIpiAllButSelf, X86Vector.NMI);
  // Behind the send: CPUs that take the NMI report by it, those that can't report because of this.
  k.writeOnce(shootdown.crash_ipi_issued, 1);
  waitUpTo(k, "crash_nmi", { iterations: STEPS, stepUs: STEP_US }, () =>
    k.readOnce(shootdown.waiting_for_crash_ipi).le(0),
  );
});
