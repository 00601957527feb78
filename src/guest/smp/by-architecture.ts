// What the benchmark of interrupts does differently by architecture: how the kernel interrupts all others, and NMIs.

import { addressOf, global, i32, nothing, perCpu, ptr, routine, u32 } from "../../asm/index.ts";
import { X86Vector } from "../../abi.ts";
import { X64Regs } from "../entry/regs.ts";
import { SendingWay, sendIpi } from "../irqchip/controller.ts";
import { NmiAction, NmiHandled, NmiType } from "../nmi/data.ts";
import { registerNmiHandler } from "../nmi/handlers.ts";
import { counters } from "../percpu.ts";

/** native_send_call_func_ipi: the shorthand, as soon as all CPUs that are present have been booted. */
export const x64KernelsWay = routine("x64_call_function_way", [], u32, (k) => k.return(SendingWay.Broadcast));

/** gic_ipi_send_mask knows target lists only. */
export const arm64KernelsWay = routine("arm64_call_function_way", [], u32, (k) => k.return(SendingWay.Lists));

/** Set for a CPU that an NMI is sent to, so that its handler knows. */
const poked = perCpu("ipi_benchmark_poked", u32, { offset: 0x8f8 });

const pokeHandler = routine("ipi_benchmark_nmi_handler", [{ type: u32 }, { regs: ptr(X64Regs) }], i32, (k) => {
  k.if(poked.here.eq(0), () => k.return(NmiHandled.Done));
  k.set(poked.here, 0);
  k.return(NmiHandled.Handled);
});
const pokeAction = global("ipi_benchmark_nmi_action", NmiAction, { initial: { handler: pokeHandler }, align: 64 });

export const x64PreparePokes = routine("x64_prepare_pokes", [], nothing, (k) => {
  k.call(registerNmiHandler, NmiType.Local, addressOf(pokeAction));
});

export const x64PokeNmi = routine("x64_poke_nmi", { cpu: u32 }, nothing, (k, { cpu }) => {
  const handled = k.let("handled", k.readOnce(counters.of(cpu).nmis));
  k.writeOnce(poked.of(cpu), 1);
  k.call(sendIpi, cpu, X86Vector.NMI);
  k.while(
    () => k.readOnce(counters.of(cpu).nmis).eq(handled),
    () => k.cpuRelax(),
  );
});

export const noPreparation = routine("no_preparation", [], nothing, () => {
  // Nothing has to know of NMIs.
});

export const noNmi = routine("no_nmi", { cpu: u32 }, nothing, () => {
  // Interrupts that IRQs off don't mask are a matter of priorities here, and none has one.
});
