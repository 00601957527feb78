// What the kernel asks of an interrupt controller. Which one answers is the image's choice.

import { nothing, ptr, slot, u32 } from "../../asm/index.ts";
import { CpuMask } from "../lib/mask.ts";

/** smp_send_reschedule() for another CPU. */
export const sendReschedule = slot("smp_send_reschedule", { cpu: u32 }, nothing);

/** arch_send_call_function_single_ipi() */
export const sendCallFunction = slot("arch_send_call_function_single_ipi", { cpu: u32 }, nothing);

/** How all others are interrupted: by one broadcast, by one write per cluster or target list, or by one per CPU. */
export const SendingWay = { Broadcast: 0, Lists: 1, Each: 2 } as const;

/** arch_send_call_function_ipi_mask(), with the way chosen by the caller. A broadcast asks for no mask. */
export const sendCallFunctionMask = slot(
  "arch_send_call_function_ipi_mask",
  [{ mask: ptr(CpuMask) }, { way: u32 }],
  nothing,
);

/** x86-64: prepares the calling CPU's local APIC for IPIs. */
export const initLocalApic = slot("init_local_apic", { cpu: u32 }, nothing);

/** x86-64: apic_eoi(). AArch64 kernels name the interrupt that ends, so theirs is in gicv3.ts. */
export const endOfInterrupt = slot("apic_eoi", {}, nothing);
