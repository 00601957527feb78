// Locks of the firmware. A call that needs one takes it in the order of arrival, holds it for a time, and others queue: that
// is what makes n CPU_OFFs at once cost n times one. A lock is the cycle at which it is free; whoever comes takes the next
// slot, and what the call does, it does at the slot's start.

import { mix } from "../digest.ts";
import { machine } from "../machine.ts";

/** Takes the next slot of a lock. @returns its first cycle */
export function acquire(lock: usize, cycle: u64, occupancy: u32): u64 {
  const start = max(cycle, load<u64>(lock));
  store<u64>(lock, start + <u64>occupancy);
  return start;
}

/** A lock that is free is a lock that is free, since when doesn't matter. */
export function lockDigest(free: u64): void {
  mix(free > machine().now ? free : 0);
}
