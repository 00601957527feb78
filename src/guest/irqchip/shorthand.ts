// When all others may be interrupted by one write with the shorthand "all but self", and what sends NMIs to CPUs that are offline
// (arch/x86/kernel/apic/ipi.c). The shorthand reaches every APIC, also one whose CPU has never been booted.

import {
  addressOf,
  cpuCount,
  global,
  imageOption,
  nothing,
  routine,
  testBit,
  u32,
  type Builder,
} from "../../asm/index.ts";
import { X86Vector } from "../../abi.ts";
import { numOnlineCpus } from "../lib/cpumask.ts";
import { CpuMask } from "../lib/mask.ts";
import { observed } from "../observe.ts";
import { counters, local } from "../percpu.ts";
import { nmiToOfflineCpu, sendIpi } from "./controller.ts";

/** no_ipi_broadcast= */
export const noIpiBroadcast = imageOption("noIpiBroadcast", u32, 0);

/** __cpu_present_mask: what firmware's tables list; written by whoever builds the machine. */
export const presentMask = global("__cpu_present_mask", CpuMask, { section: "arena", align: 64 });
/** cpus_booted_once_mask */
export const bootedOnceMask = global("cpus_booted_once_mask", CpuMask, { section: "arena", align: 64 });

/** The static branch apic_use_ipi_shorthand. */
export const useShorthand = global("apic_use_ipi_shorthand", u32, { align: 64 });

/** apic_smt_update(): the shorthand is allowed when every CPU that is present has booted at least once. */
export const apicSmtUpdate = routine("apic_smt_update", [], nothing, (k) => {
  const allowed = k.let("allowed", k.bool(noIpiBroadcast.eq(0).and(numOnlineCpus.gt(1))));
  k.for("i", 0, cpuCount.add(63).shr(6), (i) =>
    k.if(presentMask.bits.at(i).ne(bootedOnceMask.bits.at(i)), () => k.set(allowed, 0)),
  );
  k.writeOnce(useShorthand, allowed);
});

/** On a CPU that comes up. */
export function noteBooted(k: Builder): void {
  k.setBit(addressOf(bootedOnceMask), local.here.cpu);
}

/** apic_send_nmi_to_offline_cpu(): warns, and sends nothing, where the driver can't or the CPU has never booted. */
export const apicSendNmiToOfflineCpu = routine("apic_send_nmi_to_offline_cpu", { cpu: u32 }, nothing, (k, { cpu }) => {
  const isBooted = k.let("is_booted", k.bool(testBit(addressOf(bootedOnceMask), cpu)));
  k.if(k.call(nmiToOfflineCpu).eq(0).or(isBooted.eq(0)), () => {
    k.mark(observed("say", { which: "cannot_nmi_offline_cpu", locals: ["cpu"] }));
    k.set(counters.here.warnings, counters.here.warnings.add(1));
    k.return();
  });
  k.call(sendIpi, cpu, X86Vector.NMI);
});
