// What the kernel asks of an interrupt controller. Which one answers is the image's choice.

import { nothing, slot, u32 } from "../../asm/index.ts";

/** smp_send_reschedule() for another CPU. */
export const sendReschedule = slot("smp_send_reschedule", { cpu: u32 }, nothing);

/** x86-64: prepares the calling CPU's local APIC for IPIs. */
export const initLocalApic = slot("init_local_apic", { cpu: u32 }, nothing);

/** x86-64: apic_eoi(). AArch64 kernels name the interrupt that ends, so theirs is in gicv3.ts. */
export const endOfInterrupt = slot("apic_eoi", {}, nothing);
