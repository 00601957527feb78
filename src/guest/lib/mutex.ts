// A mutex that is taken by compare-and-swap; waiters stay preemptible, so that their own CPU can be stopped meanwhile.

import { nothing, ptr, routine, u32, type Builder, type Pointer, type ScalarType } from "../../asm/index.ts";

export const mutexLock = routine("mutex_lock", { owner: ptr(u32) }, nothing, (k, { owner }) => {
  const cell = owner.at(0);
  k.loop(() => {
    const free = k.let("free", 0, u32);
    k.if(k.tryCmpxchg(cell, free, 1, "acquire"), () => k.return());
    k.while(
      () => k.readOnce(cell).ne(0),
      () => k.cpuRelax(),
    );
  });
});

export function mutexUnlock(k: Builder, owner: Pointer<ScalarType<"u32">>): void {
  k.storeRelease(owner.at(0), 0);
}
