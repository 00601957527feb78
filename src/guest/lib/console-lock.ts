// A lock that shutdown code needs after it has stopped the other CPUs: that of pstore's buffer or of a console. A CPU that was stopped
// while it held it never gives it back (case S13).

import { addressOf, global, imageOption, nothing, routine, u32 } from "../../asm/index.ts";
import { relaxFor } from "../load/work.ts";
import { observed } from "../observe.ts";
import { counters, load } from "../percpu.ts";
import { rawSpinLock, rawSpinLockIrqsave, rawSpinTrylock, rawSpinUnlock, rawSpinUnlockIrqrestore } from "./spinlock.ts";

const consoleLock = global("console_lock", u32, { align: 64 });
const lock = addressOf(consoleLock);

/** bust_spinlocks(): 1 goes on without a lock that its holder doesn't give back, 0 waits for it, whoever has it. */
const bustSpinlocks = imageOption("bustSpinlocks", u32, 1);

/** What a shutdown path does with it when the others have been stopped: one try, then by force. */
export const useConsole = routine("console_flush_on_panic", [], nothing, (k) => {
  k.if(rawSpinTrylock(k, lock).not(), () =>
    k.if(
      bustSpinlocks.ne(0),
      () => {
        k.mark(observed("say", { which: "lock_busted" }));
        k.writeOnce(consoleLock, 1);
      },
      () => {
        k.mark("waiting");
        k.call(rawSpinLock, lock);
      },
    ),
  );
  rawSpinUnlock(k, lock);
});

/** A task that holds the lock, IRQs off, for `irqs_off_turns`, and is without it for `irqs_on_turns`, in turn. */
export const lockHolderWork = routine(
  "lock_holder_work",
  [],
  nothing,
  (k) => {
    k.loop(() => {
      const flags = rawSpinLockIrqsave(k, lock);
      k.mark("held");
      relaxFor(k, k.let("off_turns", load.here.irqs_off_turns));
      k.mark("release");
      rawSpinUnlockIrqrestore(k, lock, flags);
      k.irqEnable();
      relaxFor(k, k.let("on_turns", load.here.irqs_on_turns));
      k.set(counters.here.work, counters.here.work.add(1));
    });
  },
  { noReturn: true },
);
