// Late loads as requests make them: a write to the file `reload` on a kernel with a vendor's driver.

import { i32, ptr, routine } from "../../asm/index.ts";
import { Request } from "../percpu.ts";
import { microcodeOps, nmiSafe } from "./data.ts";
import { reloadStore } from "./late-load.ts";

const parameters = { request: ptr(Request) };

/** Intel's on 64-bit: the rendezvous is in the NMI handler. */
export const callMicrocodeLoad = routine("request_microcode_load", parameters, i32, (k) => {
  k.set(microcodeOps.use_nmi, 1);
  k.set(microcodeOps.nmi_safe, nmiSafe);
  k.return(k.call(reloadStore));
});

/** AMD's, and Intel's on 32-bit: with interrupts off. */
export const callMicrocodeLoadIrq = routine("request_microcode_load_irq", parameters, i32, (k) => {
  k.set(microcodeOps.use_nmi, 0);
  k.set(microcodeOps.nmi_safe, nmiSafe);
  k.return(k.call(reloadStore));
});
