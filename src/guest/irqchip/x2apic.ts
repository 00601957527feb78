// The local APIC in x2APIC mode, by cluster (arch/x86/kernel/apic/x2apic_cluster.c; Intel SDM 3A 11.12).

import {
  addressOf,
  array,
  cast,
  cpuCount,
  global,
  isNull,
  nothing,
  perCpu,
  ptr,
  routine,
  struct,
  testBit,
  u32,
  u64,
  x64,
  type Builder,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { LinuxVector } from "../../abi.ts";
import { forEachCpu, numOnlineCpus, onlineMaskPointer } from "../lib/cpumask.ts";
import { CpuMask, NR_CPUS } from "../lib/mask.ts";
import { local } from "../percpu.ts";
import { SendingWay } from "./controller.ts";
import { DELIVERY_NMI, ICR_ALL_BUT_SELF, ICR_LOGICAL, icrVector } from "./icr.ts";
import { noteBooted, useShorthand } from "./shorthand.ts";

/** x86_cpu_to_logical_apicid: filled by each CPU as it comes up. */
const logicalApicIds = global("x86_cpu_to_logical_apicid", array(u32, NR_CPUS), { section: "arena", align: 64 });

const MSR_APIC_BASE = 0x1b;
const APIC_BASE_X2APIC = 0xc00;
const MSR_X2APIC_ID = 0x802;
const MSR_X2APIC_EOI = 0x80b;
const MSR_X2APIC_SVR = 0x80f;
const MSR_X2APIC_ICR = 0x830;
const MSR_X2APIC_LVTPC = 0x834;
const SVR_SOFTWARE_ENABLE = 0x100;
const SVR_ENABLE = SVR_SOFTWARE_ENABLE | LinuxVector.SPURIOUS_APIC;

/** What a CPU needs for sending: its scratch mask, and its place among the CPUs of its cluster. */
const Sending = struct("x2apic_sending", {
  /** ipi_mask: what is still to be sent. One per CPU, so whoever sends in an NMI that has interrupted a send overwrites it. */
  ipi_mask: ptr(CpuMask),
  /** The next CPU of the cluster, plus 1. */
  next: u32,
});
const sending = perCpu("x2apic_sending", Sending, { offset: 0x7c0 });

/** cluster_masks: the CPU of each cluster that came up last, plus 1. */
const clusterMembers = global("x2apic_cluster_members", array(u32, NR_CPUS), { section: "arena", align: 64 });

/** Memory of scratch masks, which are as large as the machine asks for, and how many words of it are taken. */
const SCRATCH_WORDS = 65_536;
const scratchMemory = global("x2apic_scratch_masks", array(u64, SCRATCH_WORDS), { section: "arena", align: 64 });
const scratchTaken = global("x2apic_scratch_taken", u32, { align: 64 });

/** init_x2apic_ldr: the logical id, of a cluster in the upper half and one of sixteen bits below (SDM 3A 11.12.10.2). */
function joinCluster(k: Builder, cpu: Value<"u32">, id: Value<"u32">): void {
  const bit = k.let("bit", 1, u32);
  k.set(bit, bit.shl(id.and(15)));
  const cluster = k.let("cluster", id.shr(4));
  k.set(logicalApicIds.at(cpu), cluster.shl(16).or(bit));
  const first = k.let("first", k.readOnce(clusterMembers.at(cluster)));
  k.loop(() => {
    k.set(sending.here.next, first);
    k.if(k.tryCmpxchg(clusterMembers.at(cluster), first, cpu.add(1)), () => k.break());
  });
}

/** x2apic_enable and setup_local_APIC, as far as IPIs need them; overflows of performance counters come as NMIs. */
export const x2apicInit = routine("x2apic_init", { cpu: u32 }, nothing, (k, { cpu }) => {
  const id = k.arch(
    {
      x64: (a) => {
        a.mov(x64.ecx, MSR_APIC_BASE).rdmsr().or(x64.eax, APIC_BASE_X2APIC).wrmsr();
        a.mov(x64.ecx, MSR_X2APIC_SVR).mov(x64.eax, SVR_ENABLE).xor(x64.edx, x64.edx).wrmsr();
        a.mov(x64.ecx, MSR_X2APIC_LVTPC).mov(x64.eax, DELIVERY_NMI).wrmsr();
        a.mov(x64.ecx, MSR_X2APIC_ID).rdmsr();
      },
    },
    { uses: {}, result: u32, resultIn: { x64: "rax" }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
  k.set(local.here.hardware_id, id.to(u64));
  joinCluster(k, cpu, id);
  noteBooted(k);
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

function writeIcr(k: Builder, destination: Value<"u32">, low: Value<"u32"> | number): void {
  if (typeof low === "number") {
    k.arch(
      {
        x64: (a, { destination: value }) => {
          a.mov(x64.edx, value).mov(x64.eax, low).mov(x64.ecx, MSR_X2APIC_ICR).wrmsr();
        },
      },
      { uses: { destination }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
    );
    return;
  }
  k.arch(
    {
      x64: (a, { destination: value, low: word }) => {
        a.mov(x64.edx, value).mov(x64.eax, word).mov(x64.ecx, MSR_X2APIC_ICR).wrmsr();
      },
    },
    { uses: { destination, low }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
}

/** x2apic_send_IPI: fence, then one MSR write with a logical destination. The write itself orders nothing. */
function sendToOne(k: Builder, cpu: Value<"u32">, low: Value<"u32"> | number): void {
  const destination = k.let("destination", logicalApicIds.at(cpu));
  k.interprocessorFence("x2apic");
  k.mark("send");
  writeIcr(k, destination, low);
}

export const x2apicSendReschedule = routine("x2apic_send_reschedule", { cpu: u32 }, nothing, (k, { cpu }) => {
  sendToOne(k, cpu, ICR_LOGICAL | LinuxVector.RESCHEDULE);
});

export const x2apicSendCallFunction = routine("x2apic_send_call_function", { cpu: u32 }, nothing, (k, { cpu }) => {
  sendToOne(k, cpu, ICR_LOGICAL | LinuxVector.CALL_FUNCTION_SINGLE);
});

export const x2apicSendIpi = routine(
  "x2apic_send_IPI",
  [{ cpu: u32 }, { vector: u32 }],
  nothing,
  (k, { cpu, vector }) => {
    sendToOne(k, cpu, k.let("icr", icrVector(k, vector).or(ICR_LOGICAL)));
  },
);

const maskWords = cpuCount.add(63).shr(6);

/** This CPU's scratch mask. The kernel allocates it when the CPU is prepared; here that is at its first use, as few CPUs send to masks. */
function scratchMask(k: Builder): Pointer<typeof CpuMask> {
  const mask = k.let("ipi_mask", sending.here.ipi_mask, ptr(CpuMask));
  k.if(isNull(mask), () => {
    const at = k.let("at", k.fetchAdd(scratchTaken, maskWords));
    k.if(at.add(maskWords).gt(SCRATCH_WORDS), () => k.bug());
    k.set(mask, cast(addressOf(scratchMemory.at(at)), CpuMask));
    k.set(sending.here.ipi_mask, mask);
  });
  return mask;
}

/** __x2apic_send_IPI_mask: one write per cluster, in the order of each one's lowest CPU. */
function sendToClusters(k: Builder, mask: Pointer<typeof CpuMask>, low: Value<"u32"> | number, apart?: "self"): void {
  const left = scratchMask(k);
  k.for("word", 0, maskWords, (word) => k.set(left.bits.at(word), mask.bits.at(word)));
  if (apart === "self") clearPlainly(k, left, local.here.cpu);
  forEachCpu(k, left, (cpu) => {
    const cluster = k.let("cluster", logicalApicIds.at(cpu).shr(16));
    const destination = k.let("destination", 0, u32);
    const member = k.let("member", clusterMembers.at(cluster));
    k.while(member.ne(0), () => {
      const one = k.let("one", member.sub(1));
      k.if(testBit(left, one), () => {
        clearPlainly(k, left, one);
        k.set(destination, destination.or(logicalApicIds.at(one)));
      });
      k.set(member, sending.of(one).next);
    });
    writeIcr(k, destination, low);
  });
}

/** __cpumask_clear_cpu */
function clearPlainly(k: Builder, mask: Pointer<typeof CpuMask>, cpu: Value<"u32">): void {
  const bit = k.let("bit", 1, u64);
  const word = mask.bits.at(cpu.shr(6));
  k.set(word, word.and(bit.shl(cpu.and(63).to(u64)).not()));
}

/** x2apic_send_IPI_mask: one fence, then IRQs off for all writes. */
export const x2apicSendIpiMask = routine(
  "x2apic_send_IPI_mask",
  [{ mask: ptr(CpuMask) }, { vector: u32 }],
  nothing,
  (k, { mask, vector }) => {
    const low = k.let("icr", icrVector(k, vector).or(ICR_LOGICAL));
    k.interprocessorFence("x2apic_mask");
    const flags = k.irqSave();
    sendToClusters(k, mask, low);
    k.irqRestore(flags);
  },
);

/** x2apic_send_IPI_allbutself. Online CPUs only, unless the shorthand is allowed: then also those that are offline. */
export const x2apicSendIpiAllButSelf = routine(
  "x2apic_send_IPI_allbutself",
  { vector: u32 },
  nothing,
  (k, { vector }) => {
    k.if(k.readOnce(numOnlineCpus).lt(2), () => k.return());
    const low = icrVector(k, vector);
    k.interprocessorFence("x2apic_allbutself");
    k.if(k.readOnce(useShorthand).ne(0), () => {
      writeIcr(k, k.let("nobody", 0, u32), k.let("icr_all", low.or(ICR_ALL_BUT_SELF)));
      k.return();
    });
    const icr = k.let("icr", low.or(ICR_LOGICAL));
    const flags = k.irqSave();
    sendToClusters(k, onlineMaskPointer, icr, "self");
    k.irqRestore(flags);
  },
);

/** x2apic_send_IPI_mask and its like for functions to call, with the way chosen: see SendingWay. */
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
        [SendingWay.Lists, () => sendToClusters(k, mask, ICR_LOGICAL | LinuxVector.CALL_FUNCTION)],
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

export const x2apicReadPerformanceLvt = routine("x2apic_read_lvtpc", [], u32, (k) => {
  k.return(
    k.arch(
      { x64: (a) => void a.mov(x64.ecx, MSR_X2APIC_LVTPC).rdmsr() },
      { uses: {}, result: u32, resultIn: { x64: "rax" }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
    ),
  );
});

export const x2apicWritePerformanceLvt = routine("x2apic_write_lvtpc", { value: u32 }, nothing, (k, { value }) => {
  k.arch(
    {
      x64: (a, { value: entry }) => {
        a.mov(x64.eax, entry).xor(x64.edx, x64.edx).mov(x64.ecx, MSR_X2APIC_LVTPC).wrmsr();
      },
    },
    { uses: { value }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
});

/** Both drivers of x2APICs can send NMIs to CPUs that are offline. */
export const x2apicNmiToOfflineCpu = routine("x2apic_nmi_to_offline_cpu", [], u32, (k) => k.return(1));

export const x2apicEoi = routine("x2apic_eoi", [], nothing, (k) => {
  k.arch(
    { x64: (a) => void a.xor(x64.eax, x64.eax).xor(x64.edx, x64.edx).mov(x64.ecx, MSR_X2APIC_EOI).wrmsr() },
    { clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
});
