// The local APIC in xAPIC mode with physical destinations (arch/x86/kernel/apic/{ipi,apic_flat_64}.c; Intel SDM 3A 11.4, 11.6).

import { bind, cast, constant, nothing, routine, u32, u64, type Binding } from "../../asm/index.ts";
import { LinuxVector } from "../../abi.ts";
import { disableInterrupts } from "../hotplug/cpu-down.ts";
import { local } from "../percpu.ts";
import { endOfInterrupt, initLocalApic, sendReschedule } from "./controller.ts";

export const XAPIC_BASE = 0xfee0_0000;
export const XAPIC_ID = 0x20;
const XAPIC_EOI = 0xb0;
const XAPIC_SVR = 0xf0;
export const XAPIC_ICR_LOW = 0x300;
const XAPIC_ICR_HIGH = 0x310;
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
  k.set(local.here.hardware_id, k.readOnce(xapicRegister(XAPIC_ID)).shr(ID_SHIFT).to(u64));
});

/** default_send_IPI_single_phys: nothing may come between the two halves of the command. APIC ids are CPU numbers here. */
const xapicSendReschedule = routine("xapic_send_reschedule", { cpu: u32 }, nothing, (k, { cpu }) => {
  const flags = k.let("flags", k.irqSave());
  k.while(
    () => k.readOnce(xapicRegister(XAPIC_ICR_LOW)).and(ICR_SEND_PENDING).ne(0),
    () => k.cpuRelax(),
  );
  k.writeOnce(xapicRegister(XAPIC_ICR_HIGH), cpu.shl(ID_SHIFT));
  k.mark("send");
  k.writeOnce(xapicRegister(XAPIC_ICR_LOW), LinuxVector.RESCHEDULE);
  k.irqRestore(flags);
});

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
  bind(endOfInterrupt, xapicEoi),
  bind(disableInterrupts, xapicSoftDisable),
];
