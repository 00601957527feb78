// The kernel as a client of SDEI (drivers/firmware/arm_sdei.c): each CPU registers event 0 as it comes up, and masks events whenever it
// is not to be disturbed: when it stops, on its way out, in deep idle.

import {
  addressOf,
  asInteger,
  codeOf,
  nothing,
  routine,
  type Builder,
  type Callable,
  type Local,
} from "../../asm/index.ts";
import { SOFTWARE_EVENT, eventEnable, eventRegister, eventUnregister, peMask, peUnmask } from "./calls.ts";
import { sdeiAsmHandler } from "./entry.ts";
import { SdeiPriority, sdeiNormalEvent } from "./event.ts";

/**
 * sdei_event_register(), sdei_event_enable() and sdei_cpuhp_up(): each CPU does it for itself, since event 0 is private. A CPU whose
 * firmware refuses stays masked, as all start.
 * @returns 0, or the firmware's error
 */
export function sdeiCpuUp(k: Builder, callback: Callable): Local<"u64"> {
  const event = k.let("event", addressOf(sdeiNormalEvent.here));
  k.set(event.callback, codeOf(callback));
  k.set(event.event_num, SOFTWARE_EVENT);
  k.set(event.priority, SdeiPriority.Normal);
  const entry = k.let("entry", asInteger(codeOf(sdeiAsmHandler)));
  const failed = k.let("failed", eventRegister(k, SOFTWARE_EVENT, entry, asInteger(event)));
  k.if(failed.eq(0), () => {
    k.set(failed, eventEnable(k, SOFTWARE_EVENT));
    peUnmask(k);
  });
  return failed;
}

/** sdei_mask_local_cpu() */
export const sdeiMaskLocalCpu = routine("sdei_mask_local_cpu", [], nothing, (k) => {
  peMask(k);
});

/** sdei_unmask_local_cpu() */
export const sdeiUnmaskLocalCpu = routine("sdei_unmask_local_cpu", [], nothing, (k) => {
  peUnmask(k);
});

/** sdei_cpuhp_down() */
export const sdeiCpuDown = routine("sdei_cpuhp_down", [], nothing, (k) => {
  eventUnregister(k, SOFTWARE_EVENT);
  peMask(k);
});
