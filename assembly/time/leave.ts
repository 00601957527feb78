// Why an executor stops stepping a CPU.

export enum Leave {
  /** The next instruction may not start yet. */
  LIMIT = 0,
  /** The instruction waits for a line or for a device. */
  BLOCKED = 1,
  /** The CPU waits for an interrupt or an event, or is off. */
  WAITING = 2,
  /** Masks or pending interrupts may have changed: they are looked at, and limits computed, again. */
  RECHECK = 3,
  /** A sibling must run first, up to this thread's next access. */
  SIBLING = 4,
  /** Parked in a spin loop. */
  PARKED = 5,
  /** Shadow only: came round to the loop head, or met something that can't be elided. */
  CAME_ROUND = 6,
  REFUSED = 7,
  /** Not a reason: go on. */
  NONE = 8,
}
