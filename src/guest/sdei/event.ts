// What a CPU keeps about its events (include/uapi/linux/arm_sdei.h, arch/arm64/include/asm/sdei.h): struct sdei_registered_event, which
// the firmware hands back as the event's argument, and which events are being handled.

import { code, perCpu, ptr, struct, u32, u64 } from "../../asm/index.ts";
import { STACK_TOP } from "../percpu.ts";
import { Arm64Regs } from "../entry/regs.ts";

export const SdeiPriority = { Normal: 0, Critical: 1 } as const;

export const SdeiRegisteredEvent = struct("sdei_registered_event", {
  /** The interrupted context: X2 to X30 and SP are kept at entry, the others fetched. */
  interrupted_regs: Arm64Regs,
  callback: code,
  callback_arg: u64,
  event_num: u32,
  /** SdeiPriority */
  priority: u32,
});

/** Private events have one per CPU. */
export const sdeiNormalEvent = perCpu("sdei_normal_event", SdeiRegisteredEvent, { offset: 0x3c00 });

/** sdei_active_normal_event, sdei_active_critical_event: NULL while none is being handled. */
export const sdeiActiveNormal = perCpu("sdei_active_normal_event", ptr(SdeiRegisteredEvent), { offset: 0xb08 });
export const sdeiActiveCritical = perCpu("sdei_active_critical_event", ptr(SdeiRegisteredEvent), { offset: 0xb10 });

/** sdei_stack_normal_ptr, sdei_stack_critical_ptr: where x86 has its stacks of NMIs and double faults. */
export const SDEI_STACK_TOP = { normal: STACK_TOP.nmi, critical: STACK_TOP.doubleFault } as const;
