// Mutexes (kernel/locking/mutex.c), without optimistic spinning: whoever finds one taken sleeps. Free and taken without contention, they
// cost one atomic each, as in the kernel.

import { addressOf, nothing, opaque, cast, ptr, routine, struct, type Builder, type Pointer } from "../../asm/index.ts";
import { local } from "../percpu.ts";
import { WaitQueue, hasWaiters, waitEvent, wakeUp } from "./wait.ts";

/** Owner, then what the kernel keeps of waiters: 32 bytes, as there. */
export const Mutex = struct("mutex", { owner: ptr(opaque), waiters: WaitQueue }, { size: 32 });

/** mutex_trylock: a condition, for callers that can't sleep too. */
export function mutexTrylock(k: Builder, mutex: Pointer<typeof Mutex>) {
  const free = k.let("free", null, ptr(opaque));
  return k.tryCmpxchg(mutex.owner, free, cast(local.here.current, opaque), "acquire");
}

/** mutex_lock(): sleeps while another task has it. */
export const mutexLock = routine("mutex_lock", { mutex: ptr(Mutex) }, nothing, (k, { mutex }) => {
  k.if(mutexTrylock(k, mutex), () => k.return());
  k.mark("contended");
  waitEvent(k, addressOf(mutex.waiters), () => mutexTrylock(k, mutex));
});

/** mutex_unlock() */
export const mutexUnlock = routine("mutex_unlock", { mutex: ptr(Mutex) }, nothing, (k, { mutex }) => {
  k.xchg(mutex.owner, null);
  k.if(hasWaiters(k, addressOf(mutex.waiters)), () => k.call(wakeUp, addressOf(mutex.waiters), 1));
});
