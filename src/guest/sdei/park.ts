// How a handler that stops its CPU for good ends its event without going back: where the exit code resumes. In the merged form it never
// comes to that; the event stays open.

import { ptr, routine, slot, u64 } from "../../asm/index.ts";
import { SdeiRegisteredEvent } from "./event.ts";

/** Asked when the callback has returned: where EVENT_COMPLETE_AND_RESUME goes, or 0 for what is usual. */
export const sdeiParkAddress = slot("sdei_park_address", { event: ptr(SdeiRegisteredEvent) }, u64);

export const noParkAddress = routine("sdei_no_park_address", { event: ptr(SdeiRegisteredEvent) }, u64, (k) =>
  k.return(0),
);
