// Parallel assignment: brings values to their places as if all moves happened at once, as arguments and parameters need it.

import type { Location } from "./instructions.ts";

export interface Move {
  readonly from: Location;
  readonly to: Location;
}

/**
 * Orders the moves so that no source is overwritten before it is read; a cycle is broken through `scratch`. Slots are never both source
 * and destination here: arguments are read from slots, parameters are written to them.
 */
export function parallelMoves(
  moves: readonly Move[],
  scratch: Location,
  emit: (to: Location, from: Location) => void,
): void {
  let pending = moves.filter(({ from, to }) => from !== to);
  while (pending.length > 0) {
    const ready = pending.filter(({ to }) => !pending.some(({ from }) => from === to));
    for (const { from, to } of ready) emit(to, from);
    if (ready.length > 0) {
      pending = pending.filter((move) => !ready.includes(move));
      continue;
    }
    // Every destination is still a source: a cycle. Its first source moves aside.
    const source = pending[0]?.from ?? scratch;
    emit(scratch, source);
    pending = pending.map((move) => (move.from === source ? { from: scratch, to: move.to } : move));
  }
}
