// The local APIC in x2APIC mode, by cluster (arch/x86/kernel/apic/x2apic_cluster.c; Intel SDM 3A 11.12).

import {
  array,
  global,
  nothing,
  ptr,
  routine,
  u32,
  u64,
  x64,
  type Builder,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { LinuxVector } from "../../abi.ts";
import { forEachCpu } from "../lib/cpumask.ts";
import { CpuMask, NR_CPUS } from "../lib/mask.ts";
import { local } from "../percpu.ts";
import { SendingWay } from "./controller.ts";

/** x86_cpu_to_logical_apicid: filled by each CPU as it comes up. */
const logicalApicIds = global("x86_cpu_to_logical_apicid", array(u32, NR_CPUS), { section: "arena", align: 64 });

const MSR_APIC_BASE = 0x1b;
const APIC_BASE_X2APIC = 0xc00;
const MSR_X2APIC_ID = 0x802;
const MSR_X2APIC_EOI = 0x80b;
const MSR_X2APIC_SVR = 0x80f;
const MSR_X2APIC_ICR = 0x830;
const SVR_SOFTWARE_ENABLE = 0x100;
const SVR_ENABLE = SVR_SOFTWARE_ENABLE | LinuxVector.SPURIOUS_APIC;
/** ICR bit 11: logical destination. */
const ICR_LOGICAL = 0x800;
const ICR_ALL_BUT_SELF = 0xc_0000;
const ICR_NMI = 0x400;

/** x2apic_enable and setup_local_APIC, as far as IPIs need them. */
export const x2apicInit = routine("x2apic_init", { cpu: u32 }, nothing, (k, { cpu }) => {
  const id = k.arch(
    {
      x64: (a) => {
        a.mov(x64.ecx, MSR_APIC_BASE).rdmsr().or(x64.eax, APIC_BASE_X2APIC).wrmsr();
        a.mov(x64.ecx, MSR_X2APIC_SVR).mov(x64.eax, SVR_ENABLE).xor(x64.edx, x64.edx).wrmsr();
        a.mov(x64.ecx, MSR_X2APIC_ID).rdmsr();
      },
    },
    { uses: {}, result: u32, resultIn: { x64: "rax" }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
  k.set(local.here.hardware_id, id.to(u64));
  // Cluster in the upper half, one of sixteen bits below (SDM 3A 11.12.10.2).
  const bit = k.let("bit", 1, u32);
  k.set(bit, bit.shl(id.and(15)));
  k.set(logicalApicIds.at(cpu), id.shr(4).shl(16).or(bit));
});

/**
 * lapic_offline, apic_soft_disable: fixed interrupts that come from now on are lost; IPIs can still be sent (SDM 3A 11.4.7.2).
 */
export const x2apicSoftDisable = routine("apic_soft_disable", [], nothing, (k) => {
  k.arch(
    {
      x64: (a) => {
        a.mov(x64.ecx, MSR_X2APIC_SVR)
          .mov(x64.eax, SVR_ENABLE & ~SVR_SOFTWARE_ENABLE)
          .xor(x64.edx, x64.edx)
          .wrmsr();
      },
    },
    { clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
});

function writeIcr(k: Builder, destination: Value<"u32">, low: number): void {
  k.arch(
    {
      x64: (a, { destination: value }) => {
        a.mov(x64.edx, value);
        a.mov(x64.eax, low);
        a.mov(x64.ecx, MSR_X2APIC_ICR);
        a.wrmsr();
      },
    },
    { uses: { destination }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
}

/** x2apic_send_IPI: fence, then one MSR write with a logical destination. The write itself orders nothing. */
function sendIpi(k: Builder, cpu: Value<"u32">, vector: number): void {
  const destination = k.let("destination", logicalApicIds.at(cpu));
  k.interprocessorFence("x2apic");
  k.mark("send");
  writeIcr(k, destination, ICR_LOGICAL | vector);
}

export const x2apicSendReschedule = routine("x2apic_send_reschedule", { cpu: u32 }, nothing, (k, { cpu }) => {
  sendIpi(k, cpu, LinuxVector.RESCHEDULE);
});

export const x2apicSendCallFunction = routine("x2apic_send_call_function", { cpu: u32 }, nothing, (k, { cpu }) => {
  sendIpi(k, cpu, LinuxVector.CALL_FUNCTION_SINGLE);
});

/** An NMI: the vector field stays zero (reference, section 1.2). */
export const x2apicSendNmi = routine("x2apic_send_nmi", { cpu: u32 }, nothing, (k, { cpu }) => {
  sendIpi(k, cpu, ICR_NMI);
});

/** By cluster: members of the mask that are still to be interrupted, one of sixteen bits each. */
const clusterMembers = global("x2apic_cluster_members", array(u32, NR_CPUS), { section: "arena", align: 64 });

/**
 * __x2apic_send_IPI_mask: one write per cluster, in the order of each one's lowest CPU. The kernel keeps masks of clusters and a
 * scratch mask; here a table of clusters takes their place.
 */
function sendToClusters(k: Builder, mask: Pointer<typeof CpuMask>): void {
  forEachCpu(k, mask, (cpu) => {
    const id = k.let("id", logicalApicIds.at(cpu));
    const cell = clusterMembers.at(id.shr(16));
    k.set(cell, cell.or(id.and(0xffff)));
  });
  forEachCpu(k, mask, (cpu) => {
    const cluster = k.let("cluster", logicalApicIds.at(cpu).shr(16));
    const members = k.let("members", clusterMembers.at(cluster));
    k.if(members.ne(0), () => {
      k.set(clusterMembers.at(cluster), 0);
      const destination = k.let("destination", cluster.shl(16).or(members));
      writeIcr(k, destination, ICR_LOGICAL | LinuxVector.CALL_FUNCTION);
    });
  });
}

/** x2apic_send_IPI_mask and its like: one fence, then IRQs off for all writes. */
export const x2apicSendCallFunctionMask = routine(
  "x2apic_send_call_function_mask",
  [{ mask: ptr(CpuMask) }, { way: u32 }],
  nothing,
  (k, { mask, way }) => {
    k.interprocessorFence("x2apic_mask");
    const flags = k.irqSave();
    k.switch(
      way,
      [
        [SendingWay.Lists, () => sendToClusters(k, mask)],
        [
          SendingWay.Each,
          () =>
            forEachCpu(k, mask, (cpu) => {
              const destination = k.let("destination", logicalApicIds.at(cpu));
              writeIcr(k, destination, ICR_LOGICAL | LinuxVector.CALL_FUNCTION);
            }),
        ],
      ],
      () => {
        const nobody = k.let("nobody", 0, u32);
        writeIcr(k, nobody, ICR_ALL_BUT_SELF | LinuxVector.CALL_FUNCTION);
      },
    );
    k.irqRestore(flags);
  },
);

export const x2apicEoi = routine("x2apic_eoi", [], nothing, (k) => {
  k.arch(
    { x64: (a) => void a.xor(x64.eax, x64.eax).xor(x64.edx, x64.edx).mov(x64.ecx, MSR_X2APIC_EOI).wrmsr() },
    { clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
});
