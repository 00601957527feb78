// Declaration order over all routines and data of a process: the order in which an image places them.

let declared = 0;

/** Only the order of two numbers means something; the numbers themselves never enter an image. */
export function nextOrdinal(): number {
  return declared++;
}
