// A line's way between the threads of a core. They share its copies, but what a thread writes reaches its siblings late: a
// store waits in the store buffer, and a load by a sibling that finds the line being written is made again. So a line that a
// core may write remembers which thread has claimed it for its stores; a sibling's access takes the claim away, no earlier
// than SIBLING_LATENCY behind it. docs/time.md, "Siblings", has the rules.

import { Timing } from "../../src/abi.ts";
import { Cpu, threadOf } from "../cpu.ts";
import { timing } from "../machine.ts";
import { startCycle } from "../time/bounds.ts";
import { wakeSiblings, hideFromSiblings } from "../time/watch.ts";
import { EventClass, schedule } from "../time/wheel.ts";
import { expectLine } from "./arrivals.ts";
import { accessRequest } from "./request.ts";
import { Permission, permissionOf, setWriterThread, writerThreadOf } from "./lines.ts";

/** Argument of the FILL event by which a line comes from a sibling. */
export const FILL_FROM_SIBLING: u64 = 2;

/** Whether the thread has claimed the line, so that its further stores concern nobody. */
export function hasClaimed(cpu: Cpu, line: u32): bool {
  return writerThreadOf(cpu.core, line) == cpu.thread + 1;
}

/** Whether no sibling has claimed the line. */
export function isUnclaimed(cpu: Cpu, line: u32): bool {
  const writer = writerThreadOf(cpu.core, line);
  return writer == 0 || writer == cpu.thread + 1;
}

/**
 * A thread accesses a line that its core holds well enough, in `cycle`.
 * @returns false when it must wait for a sibling's stores: it is for the caller to block it then
 */
export function takeClaim(cpu: Cpu, line: u32, write: bool, cycle: u64): bool {
  if (!isUnclaimed(cpu, line)) {
    if (claimEnd(cpu, line) > cycle) return false;
    endClaim(cpu, line);
  }
  if (write && !hasClaimed(cpu, line)) {
    setWriterThread(cpu.core, line, cpu.thread + 1);
    hideFromSiblings(cpu, line, false);
    cpu.claimedLine = line + 1;
    cpu.claimCycle = cycle;
  }
  return true;
}

/** Cycle from which siblings may take a thread's claim. One that has claimed another line since has done with this one. */
export function claimEnd(cpu: Cpu, line: u32): u64 {
  const claimant = threadOf(cpu.core, writerThreadOf(cpu.core, line) - 1);
  return claimant.claimedLine == line + 1 ? claimant.claimCycle + timing(Timing.SIBLING_LATENCY) : 0;
}

function endClaim(cpu: Cpu, line: u32): void {
  setWriterThread(cpu.core, line, 0);
  hideFromSiblings(cpu, line, true);
}

/** Lets a blocked thread wait for a line that a sibling has claimed. */
export function awaitSibling(cpu: Cpu, line: u32, write: bool): void {
  const arrival = claimEnd(cpu, line);
  const request = accessRequest(cpu);
  request.line = line;
  request.write = write ? 1 : 0;
  request.arrival = startCycle(cpu);
  expectLine(cpu.core, arrival);
  schedule(arrival, EventClass.FILL, changetype<usize>(request), FILL_FROM_SIBLING);
}

/** The wait is over. @returns false when the core has lost the line in the meantime */
export function takeFromSibling(cpu: Cpu): bool {
  const line = accessRequest(cpu).line;
  const write = accessRequest(cpu).write != 0;
  if (permissionOf(cpu.core, line) < (write ? Permission.WRITE : Permission.READ)) return false;
  // A parked sibling may be writing the line in its loop.
  while (wakeSiblings(cpu, line, write, startCycle(cpu))) continue;
  if (!isUnclaimed(cpu, line)) endClaim(cpu, line);
  return true;
}
