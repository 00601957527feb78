// What the benchmark of interrupts does differently by architecture: how the kernel interrupts all others, and NMIs.

import { nothing, routine, u32 } from "../../asm/index.ts";
import { SendingWay } from "../irqchip/controller.ts";
import { x2apicSendNmi } from "../irqchip/x2apic.ts";
import { counters } from "../percpu.ts";

/** native_send_call_func_ipi: the shorthand, as soon as all CPUs that are present have been booted. */
export const x64KernelsWay = routine("x64_call_function_way", [], u32, (k) => k.return(SendingWay.Broadcast));

/** gic_ipi_send_mask knows target lists only. */
export const arm64KernelsWay = routine("arm64_call_function_way", [], u32, (k) => k.return(SendingWay.Lists));

export const x64PokeNmi = routine("x64_poke_nmi", { cpu: u32 }, nothing, (k, { cpu }) => {
  const handled = k.let("handled", k.readOnce(counters.of(cpu).nmis));
  k.call(x2apicSendNmi, cpu);
  k.while(
    () => k.readOnce(counters.of(cpu).nmis).eq(handled),
    () => k.cpuRelax(),
  );
});

export const noNmi = routine("no_nmi", { cpu: u32 }, nothing, () => {
  // Interrupts that IRQs off don't mask are a matter of priorities here, and none has one.
});
