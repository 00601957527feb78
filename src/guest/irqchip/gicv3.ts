// GICv3 (drivers/irqchip/irq-gic-v3.c; Arm IHI 0069H): a CPU's redistributor and CPU interface, SGIs, acknowledge and end of interrupt.

import { GICD_BASE, GICR_BASE, GICR_FIRST_WINDOW_CPUS, GICR_SECOND_BASE, GICR_STRIDE } from "../../abi.ts";
import {
  arm64,
  array,
  cast,
  constant,
  cpuCount,
  global,
  nothing,
  ptr,
  routine,
  u32,
  u64,
  type Builder,
  type Local,
  type Operand,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { cpumaskFirst, findNextBit, forEachCpu } from "../lib/cpumask.ts";
import { CpuMask, NR_CPUS } from "../lib/mask.ts";
import { once, onceGuard } from "../lib/once.ts";
import { local } from "../percpu.ts";
import { SendingWay } from "./controller.ts";

/** cpu_logical_map: MPIDR affinity by CPU number. */
export const cpuLogicalMap = global("__cpu_logical_map", array(u64, NR_CPUS), { section: "arena", align: 64 });

const distributorEnabled = onceGuard("distributor_enabled");

/** IPI numbers are SGI numbers (arch/arm64/kernel/smp.c, enum ipi_msg_type). */
export const IPI_RESCHEDULE = 0;
export const IPI_CALL_FUNC = 1;
export const IPI_CPU_STOP = 2;
/** Before 6.12 this number was that of IPI_CPU_CRASH_STOP. */
export const IPI_CPU_STOP_NMI = 3;
export const IPI_CPU_CRASH_STOP = 3;
export const IPI_CPU_BACKTRACE = 6;
export const IPI_KGDB_ROUNDUP = 7;
/** ICC_SGI1R_EL1.IRM: to all but self. */
const SGI1R_IRM = 2 ** 40;
/** INTIDs from here on are special: nothing was acknowledged. */
export const FIRST_SPECIAL_INTID = 1020;

const GICD_CTLR_ENABLE = (1 << 4) | (1 << 1); // ARE_NS, EnableGrp1
const GICR_WAKER = 0x14;
const WAKER_PROCESSOR_SLEEP = 2;
const WAKER_CHILDREN_ASLEEP = 4;
const SGI_BASE = 0x1_0000;
const GICR_IGROUPR0 = SGI_BASE + 0x80;
const GICR_ISENABLER0 = SGI_BASE + 0x100;
const GICR_ICENABLER0 = SGI_BASE + 0x180;
const GICR_IPRIORITYR0 = SGI_BASE + 0x400;
/** GICv3.3: which SGIs and PPIs have superpriority. */
const GICR_INMIR0 = SGI_BASE + 0xf80;
const ALL_SGIS = 0xffff;
/** Priorities of ordinary interrupts and of pseudo-NMIs, and the mask that lets everything pass. */
const PRIORITY_IRQ = 0xc0;
export const PRIORITY_PSEUDO_NMI = 0x80;
const PRIORITY_MASK_OPEN = 0xf0;
/** Masks of the pseudo-NMI scheme: IRQs on, and off. */
export const PMR_IRQS_ON = 0xe0;
export const PMR_IRQS_OFF = 0xc0;

function register(base: Value<"u64">, offset: number) {
  return cast(base.add(offset), u32).at(0);
}

/** Redistributor frames stand in the order of CPU numbers, the first 123 in one window, the rest in another. */
function redistributorOf(k: Builder, cpu: Value<"u32">): Value<"u64"> {
  const base = k.let("gicr", constant(u64, GICR_BASE).add(cpu.to(u64).mul(GICR_STRIDE)));
  k.if(cpu.ge(GICR_FIRST_WINDOW_CPUS), () => {
    k.set(base, constant(u64, GICR_SECOND_BASE).add(cpu.sub(GICR_FIRST_WINDOW_CPUS).to(u64).mul(GICR_STRIDE)));
  });
  return base;
}

/** What makes an interrupt one that IRQs off don't mask: its priority, or GICv3.3's superpriority. SGIs are bits of a mask. */
export interface NmiScheme {
  readonly kind: "none" | "pseudo-nmi" | "feat-nmi";
  readonly sgis: number;
}

function priorityWord(word: number, { kind, sgis }: NmiScheme): number {
  const bytes = [0, 1, 2, 3].map((byte) =>
    kind === "pseudo-nmi" && ((sgis >> (4 * word + byte)) & 1) !== 0 ? PRIORITY_PSEUDO_NMI : PRIORITY_IRQ,
  );
  return bytes.reduce((value, priority, byte) => value + priority * 2 ** (8 * byte), 0);
}

/** gic_enable_redist, gic_redist_init: wakes the redistributor; SGIs in group 1, at their priority, enabled. */
function initRedistributor(k: Builder, base: Value<"u64">, nmi: NmiScheme): void {
  const waker = register(base, GICR_WAKER);
  k.writeOnce(waker, k.readOnce(waker).and(~WAKER_PROCESSOR_SLEEP >>> 0));
  k.while(
    () => k.readOnce(waker).and(WAKER_CHILDREN_ASLEEP).ne(0),
    () => k.cpuRelax(),
  );
  k.writeOnce(register(base, GICR_IGROUPR0), 0xffff_ffff);
  for (let word = 0; word < 4; word++) {
    k.writeOnce(register(base, GICR_IPRIORITYR0 + 4 * word), priorityWord(word, nmi));
  }
  if (nmi.kind === "feat-nmi") k.writeOnce(register(base, GICR_INMIR0), nmi.sgis);
  k.writeOnce(register(base, GICR_ISENABLER0), ALL_SGIS);
}

/** A CPU's redistributor, CPU interface, and place in the map. */
export function initGic(k: Builder, cpu: Value<"u32">, nmi: NmiScheme): void {
  once(k, distributorEnabled, () => k.writeOnce(cast(constant(u64, GICD_BASE), u32).at(0), GICD_CTLR_ENABLE));
  initRedistributor(k, redistributorOf(k, cpu), nmi);
  const open = k.let("open", nmi.kind === "pseudo-nmi" ? PMR_IRQS_OFF : PRIORITY_MASK_OPEN, u64);
  const enable = k.let("enable", 1, u64);
  const zero = k.let("zero", 0, u64);
  const mpidr = k.arch(
    {
      arm64: (a, { open: mask, enable: on, zero: none, result }) => {
        a.msr("icc_sre_el1", on).isb();
        a.msr("icc_pmr_el1", mask).msr("icc_bpr1_el1", none).msr("icc_ctlr_el1", none).msr("icc_igrpen1_el1", on).isb();
        a.mrs(result, "mpidr_el1");
      },
    },
    { uses: { open, enable, zero }, result: u64 },
  );
  // Aff3 39:32 and Aff2 to Aff0 23:0; bits 31:24 are flags.
  const affinity = k.let("affinity", mpidr.and(0xff_00ff_ffffn));
  k.set(local.here.hardware_id, affinity);
  k.set(cpuLogicalMap.at(cpu), affinity);
}

export const gicInit = routine("gic_cpu_init", { cpu: u32 }, nothing, (k, { cpu }) => {
  initGic(k, cpu, { kind: "none", sgis: 0 });
});

/** Aff3 55:48, Aff2 39:32, RS 47:44, Aff1 23:16 of ICC_SGI1R_EL1. */
function sgiAffinity(k: Builder, mpidr: Value<"u64">): Local<"u64"> {
  const affinity = k.let("affinity", mpidr.shr(32).and(0xff).shl(48));
  k.set(affinity, affinity.or(mpidr.shr(16).and(0xff).shl(32)).or(mpidr.shr(8).and(0xff).shl(16)));
  k.set(affinity, affinity.or(mpidr.shr(4).and(0xf).shl(44)));
  return affinity;
}

/** The bit of a target list, 15:0. */
function sgiTarget(k: Builder, mpidr: Value<"u64">): Local<"u64"> {
  const list = k.let("list", 1, u64);
  k.set(list, list.shl(mpidr.and(0xf)));
  return list;
}

/** Bits 27:24 of ICC_SGI1R_EL1. */
function sgiNumber(ipi: Operand<"u32">): Operand<"u64"> {
  return typeof ipi === "object" ? ipi.to(u64).shl(24) : BigInt(ipi) << 24n;
}

function writeSgi(k: Builder, sgi: Value<"u64">): void {
  k.arch({ arm64: (a, { sgi: value }) => a.msr("icc_sgi1r_el1", value) }, { uses: { sgi } });
}

/** gic_ipi_send_mask for one CPU: DSB ISHST, ICC_SGI1R_EL1, ISB. */
function sendSgi(k: Builder, cpu: Value<"u32">, ipi: Operand<"u32">): void {
  const mpidr = k.let("mpidr", cpuLogicalMap.at(cpu));
  const affinity = sgiAffinity(k, mpidr);
  const list = sgiTarget(k, mpidr);
  const sgi = k.let("sgi", affinity.or(list).or(sgiNumber(ipi)));
  k.interprocessorFence("gic");
  k.mark("send");
  writeSgi(k, sgi);
  k.instructionFence();
}

export const gicSendReschedule = routine("gic_send_reschedule", { cpu: u32 }, nothing, (k, { cpu }) => {
  sendSgi(k, cpu, IPI_RESCHEDULE);
});

export const gicSendCallFunction = routine("gic_send_call_function", { cpu: u32 }, nothing, (k, { cpu }) => {
  sendSgi(k, cpu, IPI_CALL_FUNC);
});

/** Any IPI to one CPU. */
export const gicSendIpi = routine("gic_send_ipi", [{ cpu: u32 }, { ipi: u32 }], nothing, (k, { cpu, ipi }) => {
  sendSgi(k, cpu, ipi);
});

/** gic_compute_target_list: one write for each run of consecutive members that share all but the lowest four bits of Aff0. */
function sendToRuns(k: Builder, mask: Pointer<typeof CpuMask>, ipi: Operand<"u32">): void {
  const cpu = k.let("cpu", cpumaskFirst(k, mask));
  k.while(cpu.lt(cpuCount), () => {
    const first = k.let("first", cpuLogicalMap.at(cpu));
    const cluster = k.let("cluster", first.shr(4));
    const targets = k.let("targets", 0, u64);
    k.loop(() => {
      const mpidr = k.let("mpidr", cpuLogicalMap.at(cpu));
      k.if(mpidr.shr(4).ne(cluster), () => k.break());
      k.set(targets, targets.or(sgiTarget(k, mpidr)));
      k.set(cpu, k.call(findNextBit, mask, cpuCount, cpu.add(1)));
      k.if(cpu.ge(cpuCount), () => k.break());
    });
    const sgi = k.let("sgi", sgiAffinity(k, first).or(targets).or(sgiNumber(ipi)));
    k.mark("write");
    writeSgi(k, sgi);
  });
}

/** gic_ipi_send_mask, of any IPI to any CPUs, in ascending order: one fence, the writes, one ISB. */
export const gicSendIpiMask = routine(
  "gic_ipi_send_mask",
  [{ mask: ptr(CpuMask) }, { ipi: u32 }],
  nothing,
  (k, { mask, ipi }) => {
    k.interprocessorFence("gic_ipi_send_mask");
    sendToRuns(k, mask, ipi);
    k.instructionFence();
  },
);

/** The same of IPI_CALL_FUNC, in any of the ways that the benchmark of interrupts compares. */
export const gicSendCallFunctionMask = routine(
  "gic_send_call_function_mask",
  [{ mask: ptr(CpuMask) }, { way: u32 }],
  nothing,
  (k, { mask, way }) => {
    k.interprocessorFence("gic_mask");
    k.switch(
      way,
      [
        [
          SendingWay.Broadcast,
          () => {
            const all = k.let("all", SGI1R_IRM + IPI_CALL_FUNC * 2 ** 24, u64);
            writeSgi(k, all);
          },
        ],
        [
          SendingWay.Each,
          () =>
            forEachCpu(k, mask, (cpu) => {
              const mpidr = k.let("mpidr", cpuLogicalMap.at(cpu));
              const sgi = k.let(
                "sgi",
                sgiAffinity(k, mpidr)
                  .or(sgiTarget(k, mpidr))
                  .or(IPI_CALL_FUNC * 2 ** 24),
              );
              writeSgi(k, sgi);
            }),
        ],
      ],
      () => sendToRuns(k, mask, IPI_CALL_FUNC),
    );
    k.instructionFence();
  },
);

/** ipi_teardown: no SGI reaches this CPU from now on. */
export const gicDisableIpis = routine("ipi_teardown", [], nothing, (k) => {
  const base = redistributorOf(k, local.here.cpu);
  k.writeOnce(register(base, GICR_ICENABLER0), ALL_SGIS);
});

/**
 * Acknowledges the highest pending interrupt; ICC_NMIAR1_EL1 knows those with superpriority only.
 * @returns its INTID, or a special one if there is none
 */
export function gicAcknowledge(k: Builder, register: "icc_iar1_el1" | "icc_nmiar1_el1" = "icc_iar1_el1"): Value<"u32"> {
  const acknowledged = k.arch(
    { arm64: (a, { result }) => void a.mrs(arm64.armWithWidth(result, 64), register).dsb("sy") },
    { uses: {}, result: u32 },
  );
  return k.let("id", acknowledged);
}

export function gicEndOfInterrupt(k: Builder, id: Value<"u32">): void {
  k.arch(
    { arm64: (a, { id: number }) => void a.msr("icc_eoir1_el1", arm64.armWithWidth(number, 64)).isb() },
    { uses: { id } },
  );
}
