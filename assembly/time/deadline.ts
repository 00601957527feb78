// A CPU's own deadline: the earliest cycle at which one of its timers has something to say. Timers belong to their CPU, so
// a deadline is no message; but like a message that is on its way it is known, and nobody runs past it unseen.

import { Cpu, NEVER } from "../cpu.ts";
import { Message } from "../interrupts/message.ts";
import { machine } from "../machine.ts";
import { shrinkLimits } from "./limits.ts";
import { EventClass, EventNode, cancel, isTaken, schedule } from "./wheel.ts";

/**
 * Sets or moves the deadline; NEVER takes it away. Instructions that call this must start before `observeLimit`, so that
 * a deadline that is over has been served. A cycle that isn't behind now becomes the next one.
 */
export function setDeadline(cpu: Cpu, cycle: u64): void {
  const deadline = max(cycle, machine().now + 1);
  if (deadline == cpu.deadlineCycle) return;
  // The list of this cycle's messages is being gone through: what is no longer the CPU's event says nothing.
  const isLeaving = cpu.deadlineCycle == machine().now && isTaken(EventClass.MESSAGE);
  if (cpu.deadlineEvent != 0 && !isLeaving) cancel(changetype<EventNode>(cpu.deadlineEvent));
  cpu.deadlineCycle = deadline;
  cpu.deadlineEvent = 0;
  if (deadline == NEVER) return;
  cpu.deadlineEvent = schedule(deadline, EventClass.MESSAGE, changetype<usize>(cpu), <u64>Message.DEADLINE);
  shrinkLimits(deadline);
}

/** The event of a deadline has come. @returns whether it is still the CPU's */
export function takeDeadline(cpu: Cpu, node: EventNode): bool {
  if (cpu.deadlineEvent != changetype<usize>(node)) return false;
  cpu.deadlineEvent = 0;
  cpu.deadlineCycle = NEVER;
  return true;
}
