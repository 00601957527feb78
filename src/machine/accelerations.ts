// The accelerations by name: what may be turned off. Each changes only how long the host takes, never a result.

import { ALL_ACCELERATIONS, Acceleration } from "../abi.ts";

export const accelerationFlags = {
  /** CPUs execute past global time as far as nobody can reach them. */
  runAhead: Acceleration.RUN_AHEAD,
  /** Spinning CPUs are parked until something they watch changes. */
  spinElision: Acceleration.SPIN_ELISION,
  /** Decoded instructions are kept. */
  decodeCache: Acceleration.DECODE_CACHE,
  /** Invalidations of one domain travel as one event per latency. */
  invalidationBatching: Acceleration.INVALIDATION_BATCHING,
  /** Spinners that lose a line and will find it unchanged stay parked. */
  spinTrains: Acceleration.SPIN_TRAINS,
  /** A line's way from one last-level-cache domain to another is computed when it is asked for. */
  foresight: Acceleration.FORESIGHT,
} as const;

/** One of `accelerationNames`. */
export type AccelerationName = keyof typeof accelerationFlags;

/** All of them, by which they are switched off one by one. */
export const accelerationNames = Object.keys(accelerationFlags) as AccelerationName[];

/** Which are on; one that isn't named is. */
export type Accelerations = Readonly<Record<AccelerationName, boolean>>;

/** Set of `Acceleration` bits. */
export function accelerationBits(accelerations: Partial<Accelerations>): number {
  const off = accelerationNames.filter((name) => accelerations[name] === false);
  return off.reduce((bits, name) => bits & ~accelerationFlags[name], ALL_ACCELERATIONS);
}
