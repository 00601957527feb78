// How an operation outside the interpreter's loop has ended.

export enum Step {
  /** Done; on to the next instruction. */
  NEXT = 0,
  /** Done; masks or pending interrupts may have changed. */
  RECHECK = 1,
  /** Done; cpu.pc is set, and masks may have changed. */
  JUMP = 2,
  /** Not done: an exception has been taken, with its cost. */
  EXCEPTION = 3,
  /** Done; the CPU now waits. */
  WAIT = 4,
  /** Not started: it may not start yet. */
  LIMIT = 5,
  /** Shadow only: not decidable. */
  REFUSED = 6,
  /** Not done: the outcome of its memory access says why. */
  ACCESS = 7,
}
