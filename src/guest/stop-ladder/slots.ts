// What differs between the versions of the arm64 stop paths; what generic code asks for is in panic/slots.ts.

import { nothing, ptr, slot, u32 } from "../../asm/index.ts";
import { Arm64Regs } from "../entry/regs.ts";

const interrupted = { regs: ptr(Arm64Regs) };

/** What IPI_CPU_STOP does. */
export const stopOnIpi = slot("ipi_cpu_stop", interrupted, nothing, { noReturn: true });

/** What IPI 3 does: IPI_CPU_CRASH_STOP before 6.12, IPI_CPU_STOP_NMI since. */
export const stopOnSecondIpi = slot("ipi_cpu_stop_3", interrupted, nothing, { noReturn: true });

/** What SDEI's event does on a CPU that is to stop. One form returns to the exit code of the event. */
export const stopOnEvent = slot("sdei_nmi_stop", interrupted, nothing);

/** CPUs that the crash path still counts: smp_crash_stop_failed() is whether there are any. */
export const crashStopLeft = slot("smp_crash_stop_left", {}, u32);
