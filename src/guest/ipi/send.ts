// Sending IPIs: one slot per kind of message; which interrupt controller carries it is the image's choice.

import { array, global, nothing, routine, slot, u32, u64, x64 } from "../../asm/index.ts";
import { LinuxVector } from "../../abi.ts";
import { NR_CPUS } from "../lib/mask.ts";

/** smp_send_reschedule() for another CPU. */
export const sendReschedule = slot("smp_send_reschedule", { cpu: u32 }, nothing);

/** arm64 IPI numbers are SGI numbers (reference, section 9.1). */
export const IPI_RESCHEDULE = 0;

/** x86_cpu_to_logical_apicid (arch/x86/kernel/apic/x2apic_cluster.c): filled by each CPU as it comes up. */
export const logicalApicIds = global("x86_cpu_to_logical_apicid", array(u32, NR_CPUS), { section: "arena", align: 64 });

/** cpu_logical_map: MPIDR affinity by CPU number. */
export const cpuLogicalMap = global("__cpu_logical_map", array(u64, NR_CPUS), { section: "arena", align: 64 });

const MSR_X2APIC_ICR = 0x830;
/** ICR bit 11: logical destination. */
const ICR_LOGICAL = 0x800;

/** x2apic_send_IPI: fence, then one MSR write with a logical destination. The write itself orders nothing. */
export const x2apicSendReschedule = routine("x2apic_send_reschedule", { cpu: u32 }, nothing, (k, { cpu }) => {
  const destination = k.let("destination", logicalApicIds.at(cpu));
  k.interprocessorFence("x2apic");
  k.mark("send");
  k.arch(
    {
      x64: (a, { destination: value }) => {
        a.mov(x64.edx, value);
        a.mov(x64.eax, ICR_LOGICAL | LinuxVector.RESCHEDULE);
        a.mov(x64.ecx, MSR_X2APIC_ICR);
        a.wrmsr();
      },
    },
    { uses: { destination }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
});

/** gic_ipi_send_mask for one CPU: DSB ISHST, ICC_SGI1R_EL1, ISB (drivers/irqchip/irq-gic-v3.c). */
export const gicSendReschedule = routine("gic_send_reschedule", { cpu: u32 }, nothing, (k, { cpu }) => {
  const mpidr = k.let("mpidr", cpuLogicalMap.at(cpu));
  // Aff3 55:48, Aff2 39:32, RS 47:44, Aff1 23:16, target list 15:0.
  const affinity = k.let("affinity", mpidr.shr(32).and(0xff).shl(48));
  k.set(affinity, affinity.or(mpidr.shr(16).and(0xff).shl(32)).or(mpidr.shr(8).and(0xff).shl(16)));
  k.set(affinity, affinity.or(mpidr.shr(4).and(0xf).shl(44)));
  const list = k.let("list", 1, u64);
  k.set(list, list.shl(mpidr.and(0xf)));
  const sgi = k.let("sgi", affinity.or(list).or(IPI_RESCHEDULE * 2 ** 24));
  k.interprocessorFence("gic");
  k.mark("send");
  k.arch({ arm64: (a, { sgi: value }) => a.msr("icc_sgi1r_el1", value) }, { uses: { sgi } });
  k.instructionFence();
});
