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

/** x86-64, apic->send_IPI: interrupts one CPU. The vector of NMIs makes it an NMI; to the CPU itself it is an ordinary send, too. */
export const sendIpi = slot("send_IPI", [{ cpu: u32 }, { vector: u32 }], nothing);

/** x86-64, apic->send_IPI_mask */
export const sendIpiMask = slot("send_IPI_mask", [{ mask: ptr(CpuMask) }, { vector: u32 }], nothing);

/** x86-64, apic->send_IPI_allbutself: by shorthand if that is allowed, else to those that are online (shorthand.ts). */
export const sendIpiAllButSelf = slot("send_IPI_allbutself", { vector: u32 }, nothing);

/** x86-64, apic->nmi_to_offline_cpu: 1 if the driver can send NMIs to CPUs that are offline. */
export const nmiToOfflineCpu = slot("nmi_to_offline_cpu", {}, u32);

/** x86-64: the local vector table's entry for performance counters. */
export const readPerformanceLvt = slot("apic_read_lvtpc", {}, u32);
export const writePerformanceLvt = slot("apic_write_lvtpc", { value: u32 }, nothing);

/** arch_smt_update(): the CPUs that are there have changed. Called at the end of boot and of each hotplug operation. */
export const archSmtUpdate = slot("arch_smt_update", {}, nothing);

/** x86-64: prepares the calling CPU's local APIC for IPIs. */
export const initLocalApic = slot("init_local_apic", { cpu: u32 }, nothing);

/** x86-64: apic_eoi(). AArch64 kernels name the interrupt that ends, so theirs is in gicv3.ts. */
export const endOfInterrupt = slot("apic_eoi", {}, nothing);
