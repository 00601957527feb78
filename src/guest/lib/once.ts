// Doing something once on behalf of all CPUs.

import { addressOf, global, struct, u32, u64, type Builder } from "../../asm/index.ts";

const Guard = struct("once", { started: u64, done: u32 });

export function onceGuard(name: string) {
  return global(name, Guard, { align: 64 });
}

/** Runs the body on the first CPU that comes here; the others wait until it is through. */
export function once(k: Builder, guard: ReturnType<typeof onceGuard>, body: () => void): void {
  k.if(
    k.testAndSetBit(addressOf(guard.started), 0),
    () =>
      k.while(
        () => k.loadAcquire(guard.done).eq(0),
        () => k.cpuRelax(),
      ),
    () => {
      body();
      k.storeRelease(guard.done, 1);
    },
  );
}
