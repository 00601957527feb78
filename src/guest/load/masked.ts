// A task that lets nothing in for a while: a CPU that is in an NMI handler, or on arm64 has everything masked.

import { addressOf, global, i32, nothing, perCpu, ptr, routine, struct, u32, type Builder } from "../../asm/index.ts";
import { X86Vector } from "../../abi.ts";
import { X64Regs } from "../entry/regs.ts";
import { sendIpi } from "../irqchip/controller.ts";
import { once, onceGuard } from "../lib/once.ts";
import { NmiAction, NmiHandled, NmiType } from "../nmi/data.ts";
import { registerNmiHandler } from "../nmi/handlers.ts";
import { counters, load, local } from "../percpu.ts";
import { relaxFor } from "./work.ts";

/** Whether this CPU has sent itself an NMI in which it is to stay. */
const blocking = perCpu("load_nmi", struct("load_nmi", { wanted: u32, reserved: u32 }), { offset: 0xd00 });

/** In the list of NMI_LOCAL: takes as long as the load says. */
const blockingHandler = routine("load_nmi_handler", [{ type: u32 }, { regs: ptr(X64Regs) }], i32, (k) => {
  k.if(blocking.here.wanted.eq(0), () => k.return(NmiHandled.Done));
  k.set(blocking.here.wanted, 0);
  k.mark("blocked");
  relaxFor(k, k.let("off_turns", load.here.irqs_off_turns));
  k.mark("free");
  k.return(NmiHandled.Handled);
});

const action = global("load_nmi_action", NmiAction, { initial: { handler: blockingHandler }, align: 64 });
const registered = onceGuard("load_nmi_registered");

/** x86-64: in an NMI handler for `irqs_off_turns`, out of it for `irqs_on_turns`, in turn. */
export const x64MaskedWork = routine(
  "nmi_blocked_work",
  [],
  nothing,
  (k) => {
    once(k, registered, () => k.call(registerNmiHandler, NmiType.Local, addressOf(action)));
    k.irqEnable();
    k.loop(() => {
      k.set(blocking.here.wanted, 1);
      k.call(sendIpi, local.here.cpu, X86Vector.NMI);
      k.while(
        () => k.readOnce(blocking.here.wanted).ne(0),
        () => k.cpuRelax(),
      );
      rest(k);
    });
  },
  { noReturn: true },
);

/** arm64: PSTATE.DAIF all set for as long, which holds off pseudo-NMIs too. */
export const arm64MaskedWork = routine(
  "daif_masked_work",
  [],
  nothing,
  (k) => {
    k.loop(() => {
      k.daifMask();
      k.mark("blocked");
      relaxFor(k, k.let("off_turns", load.here.irqs_off_turns));
      k.mark("free");
      k.arch({ x64: () => undefined, arm64: (a) => void a.daifClr(15) }, {});
      k.irqEnable();
      rest(k);
    });
  },
  { noReturn: true },
);

function rest(k: Builder): void {
  relaxFor(k, k.let("on_turns", load.here.irqs_on_turns));
  k.set(counters.here.work, counters.here.work.add(1));
}
