// Raw spinlocks: an uncontended lock is one compare-and-swap, as with the kernel's queued ones; waiters poll.

import {
  nothing,
  ptr,
  routine,
  u32,
  type Builder,
  type Condition,
  type Pointer,
  type ScalarType,
  type Value,
} from "../../asm/index.ts";

type LockPointer = Pointer<ScalarType<"u32">>;

/** raw_spin_lock(), with interrupts as they are. */
export const rawSpinLock = routine("_raw_spin_lock", { lock: ptr(u32) }, nothing, (k, { lock }) => {
  const cell = lock.at(0);
  k.loop(() => {
    const free = k.let("free", 0, u32);
    k.if(k.tryCmpxchg(cell, free, 1, "acquire"), () => k.return());
    k.while(
      () => k.readOnce(cell).ne(0),
      () => k.cpuRelax(),
    );
  });
});

/** raw_spin_trylock() */
export function rawSpinTrylock(k: Builder, lock: LockPointer): Condition {
  const free = k.let("free", 0, u32);
  return k.tryCmpxchg(lock.at(0), free, 1, "acquire");
}

/** raw_spin_unlock() */
export function rawSpinUnlock(k: Builder, lock: LockPointer): void {
  k.storeRelease(lock.at(0), 0);
}

/** raw_spin_lock_irqsave; the returned flags go to rawSpinUnlockIrqrestore. */
export function rawSpinLockIrqsave(k: Builder, lock: LockPointer): Value<"u64"> {
  const flags = k.irqSave();
  k.call(rawSpinLock, lock);
  return flags;
}

/** raw_spin_unlock_irqrestore(). @param flags of rawSpinLockIrqsave() */
export function rawSpinUnlockIrqrestore(k: Builder, lock: LockPointer, flags: Value<"u64">): void {
  rawSpinUnlock(k, lock);
  k.irqRestore(flags);
}
