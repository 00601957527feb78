// The local APIC in xAPIC mode with physical destinations (arch/x86/kernel/apic/{ipi,apic_flat_64}.c; Intel SDM 3A 11.4, 11.6).

import {
  bind,
  cast,
  constant,
  nothing,
  ptr,
  routine,
  u32,
  u64,
  type Binding,
  type Builder,
  type Condition,
  type Value,
} from "../../asm/index.ts";
import { LinuxVector, X86Vector } from "../../abi.ts";
import { disableInterrupts } from "../hotplug/cpu-down.ts";
import { forEachCpu, numOnlineCpus, onlineMaskPointer } from "../lib/cpumask.ts";
import { waitUpTo } from "../lib/delay.ts";
import { CpuMask } from "../lib/mask.ts";
import { local } from "../percpu.ts";
import {
  endOfInterrupt,
  initLocalApic,
  nmiToOfflineCpu,
  readPerformanceLvt,
  sendIpi,
  sendIpiAllButSelf,
  sendIpiMask,
  sendReschedule,
  writePerformanceLvt,
} from "./controller.ts";
import { DELIVERY_NMI, ICR_ALL_BUT_SELF, icrVector } from "./icr.ts";
import { noteBooted, useShorthand } from "./shorthand.ts";

export const XAPIC_BASE = 0xfee0_0000;
export const XAPIC_ID = 0x20;
const XAPIC_EOI = 0xb0;
const XAPIC_SVR = 0xf0;
export const XAPIC_ICR_LOW = 0x300;
const XAPIC_ICR_HIGH = 0x310;
const XAPIC_LVTPC = 0x340;
const SVR_SOFTWARE_ENABLE = 0x100;
const SVR_ENABLE = SVR_SOFTWARE_ENABLE | LinuxVector.SPURIOUS_APIC;
const ICR_SEND_PENDING = 0x1000;
/** Ids stand in bits 31:24. */
const ID_SHIFT = 24;

export function xapicRegister(offset: number) {
  return cast(constant(u64, XAPIC_BASE + offset), u32).at(0);
}

const xapicInit = routine("xapic_init", { cpu: u32 }, nothing, (k) => {
  k.writeOnce(xapicRegister(XAPIC_SVR), SVR_ENABLE);
  k.writeOnce(xapicRegister(XAPIC_LVTPC), DELIVERY_NMI);
  k.set(local.here.hardware_id, k.readOnce(xapicRegister(XAPIC_ID)).shr(ID_SHIFT).to(u64));
  noteBooted(k);
});

/** apic_wait_icr_idle: the command register has sent what it was given last. */
function waitIcrIdle(k: Builder): void {
  k.while(
    () => isBusy(k),
    () => k.cpuRelax(),
  );
}

const isBusy = (k: Builder): Condition => k.readOnce(xapicRegister(XAPIC_ICR_LOW)).and(ICR_SEND_PENDING).ne(0);

/** apic_wait_icr_idle_timeout: for NMIs, whose sender may be about to crash and must not hang here. Then it is sent anyway. */
const waitIcrIdleBounded = routine("apic_wait_icr_idle_timeout", [], nothing, (k) => {
  waitUpTo(k, "icr_idle", { iterations: 1000, stepUs: 100 }, () => isBusy(k).not());
});

/** x86_cpu_to_apicid, as ICR wants it. */
function destinationOf(cpu: Value<"u32">): Value<"u32"> {
  return local.of(cpu).hardware_id.to(u32).shl(ID_SHIFT);
}

/** __default_send_IPI_dest_field: two writes, between which nothing may come. */
function sendTo(k: Builder, cpu: Value<"u32">, vector: Value<"u32">): void {
  k.if(
    vector.eq(X86Vector.NMI),
    () => k.call(waitIcrIdleBounded),
    () => waitIcrIdle(k),
  );
  k.writeOnce(xapicRegister(XAPIC_ICR_HIGH), destinationOf(cpu));
  k.writeOnce(xapicRegister(XAPIC_ICR_LOW), icrVector(k, vector));
}

/** default_send_IPI_single_phys */
const xapicSendReschedule = routine("xapic_send_reschedule", { cpu: u32 }, nothing, (k, { cpu }) => {
  const flags = k.let("flags", k.irqSave());
  waitIcrIdle(k);
  k.writeOnce(xapicRegister(XAPIC_ICR_HIGH), destinationOf(cpu));
  k.mark("send");
  k.writeOnce(xapicRegister(XAPIC_ICR_LOW), LinuxVector.RESCHEDULE);
  k.irqRestore(flags);
});

const xapicSendIpi = routine(
  "default_send_IPI_single_phys",
  [{ cpu: u32 }, { vector: u32 }],
  nothing,
  (k, { cpu, vector }) => {
    const flags = k.let("flags", k.irqSave());
    sendTo(k, cpu, vector);
    k.irqRestore(flags);
  },
);

/** default_send_IPI_mask_sequence_phys: IRQs off, one CPU after the other. */
const xapicSendIpiMask = routine(
  "default_send_IPI_mask_sequence_phys",
  [{ mask: ptr(CpuMask) }, { vector: u32 }],
  nothing,
  (k, { mask, vector }) => {
    const flags = k.let("flags", k.irqSave());
    forEachCpu(k, mask, (cpu) => sendTo(k, cpu, vector));
    k.irqRestore(flags);
  },
);

/** default_send_IPI_allbutself: the shorthand is one write, so IRQs may stay on; else the online CPUs one by one. */
const xapicSendIpiAllButSelf = routine("default_send_IPI_allbutself", { vector: u32 }, nothing, (k, { vector }) => {
  k.if(k.readOnce(numOnlineCpus).lt(2), () => k.return());
  k.if(k.readOnce(useShorthand).ne(0), () => {
    k.if(
      vector.eq(X86Vector.NMI),
      () => k.call(waitIcrIdleBounded),
      () => waitIcrIdle(k),
    );
    k.writeOnce(xapicRegister(XAPIC_ICR_LOW), icrVector(k, vector).or(ICR_ALL_BUT_SELF));
    k.return();
  });
  const flags = k.let("flags", k.irqSave());
  forEachCpu(k, onlineMaskPointer, (cpu) => k.if(cpu.ne(local.here.cpu), () => sendTo(k, cpu, vector)));
  k.irqRestore(flags);
});

const xapicReadPerformanceLvt = routine("xapic_read_lvtpc", [], u32, (k) =>
  k.return(k.readOnce(xapicRegister(XAPIC_LVTPC))),
);
const xapicWritePerformanceLvt = routine("xapic_write_lvtpc", { value: u32 }, nothing, (k, { value }) => {
  k.writeOnce(xapicRegister(XAPIC_LVTPC), value);
});

/** This driver doesn't say that it can. */
const xapicNmiToOfflineCpu = routine("xapic_nmi_to_offline_cpu", [], u32, (k) => k.return(0));

const xapicEoi = routine("xapic_eoi", [], nothing, (k) => {
  k.writeOnce(xapicRegister(XAPIC_EOI), 0);
});

/** lapic_offline, apic_soft_disable: as in x2apic.ts. */
const xapicSoftDisable = routine("xapic_soft_disable", [], nothing, (k) => {
  k.writeOnce(xapicRegister(XAPIC_SVR), SVR_ENABLE & ~SVR_SOFTWARE_ENABLE);
});

/** What a kernel binds whose local APICs are in xAPIC mode. */
export const xapicBindings: readonly Binding[] = [
  bind(initLocalApic, xapicInit),
  bind(sendReschedule, xapicSendReschedule),
  bind(sendIpi, xapicSendIpi),
  bind(sendIpiMask, xapicSendIpiMask),
  bind(sendIpiAllButSelf, xapicSendIpiAllButSelf),
  bind(nmiToOfflineCpu, xapicNmiToOfflineCpu),
  bind(readPerformanceLvt, xapicReadPerformanceLvt),
  bind(writePerformanceLvt, xapicWritePerformanceLvt),
  bind(endOfInterrupt, xapicEoi),
  bind(disableInterrupts, xapicSoftDisable),
];
