// How an operation outside the interpreter's loop has ended.

export enum Step {
  /** Done; on to the next instruction. */
  NEXT = 0,
  /** Done; masks, pending interrupts or the shadow may have changed. */
  RECHECK = 1,
  /** Done; cpu.pc is set, and masks may have changed. */
  JUMP = 2,
  /** Done; a near branch to cpu.pc. */
  BRANCH = 3,
  /** Not done: an exception has been raised. */
  EXCEPTION = 4,
  /** Done; the CPU now waits. */
  WAIT = 5,
  /** Not started: it may not start yet. */
  LIMIT = 6,
  /** Some iterations of a string instruction are done; cpu.clock is the start of the next one. */
  REPEAT = 7,
  /** Shadow only: not decidable. */
  REFUSED = 8,
  /** Not done: the outcome of its memory access says why. */
  ACCESS = 9,
  /** The CPU has left the machine, or the machine stops. */
  DEAD = 10,
}
