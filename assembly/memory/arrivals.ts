// Line messages on their way to cores: fills, invalidations, downgrades. A core doesn't run past the arrival of one that is
// known to come; when it comes, the core's copy changes.

import { LINE_BYTES } from "../../src/abi.ts";
import { Core, NEVER } from "../cpu.ts";
import { maskClear, maskSet } from "../cpumask.ts";
import { limitHits } from "../time/limits.ts";
import { EventClass, schedule } from "../time/wheel.ts";
import { Entry, heldMask } from "./lines.ts";
import { Request, RequestKind } from "./request.ts";

/** INVALIDATE events: subject = Entry | word << 1 | 1 for a downgrade; argument = cores of that word. */
export const INVALIDATION_DOWNGRADE: usize = 1;

// --- on their way ----------------------------------------------------------------------------------------------------

/** A line message is under way to a core: it may not run past its arrival. */
// @ts-ignore: decorator
@inline
export function expectLine(core: Core, arrival: u64): void {
  const others = core.lineArrivals++;
  if (others == 0 || arrival < core.lineArrivalMin) core.lineArrivalMin = arrival;
  if (others == 0 || arrival > core.lineArrivalMax) core.lineArrivalMax = arrival;
}

/** Takes expectLine() back. A bound that isn't known any more becomes one that has passed, which says nothing. */
export function unexpectLine(core: Core, arrival: u64): void {
  const left = --core.lineArrivals;
  const wasMin = arrival == core.lineArrivalMin;
  if (left == 0) {
    core.lineArrivalMin = NEVER;
  } else if (left == 1) {
    core.lineArrivalMin = core.lineArrivalMax = wasMin ? core.lineArrivalMax : core.lineArrivalMin;
  } else {
    if (wasMin) core.lineArrivalMin = 0;
    if (arrival == core.lineArrivalMax) core.lineArrivalMax = 0;
  }
}

/** @returns the event's node */
export function sendInvalidation(entry: Entry, core: Core, arrival: u64): usize {
  expectLine(core, arrival);
  const subject = changetype<usize>(entry) | ((<usize>(core.bit >>> 6)) << 1);
  return schedule(arrival, EventClass.INVALIDATE, subject, (<u64>1) << ((<u64>core.bit) & 63));
}

export function sendDowngrade(entry: Entry, core: Core, arrival: u64): usize {
  expectLine(core, arrival);
  const subject = changetype<usize>(entry) | ((<usize>(core.bit >>> 6)) << 1) | INVALIDATION_DOWNGRADE;
  return schedule(arrival, EventClass.INVALIDATE, subject, (<u64>1) << ((<u64>core.bit) & 63));
}

/** @returns the event's node */
export function sendFill(request: Request, arrival: u64, mayWrite: bool): usize {
  expectLine(request.cpu.core, arrival);
  // The CPU may go on meanwhile.
  if (request.kind != RequestKind.ACCESS) limitHits(arrival);
  return schedule(arrival, EventClass.FILL, changetype<usize>(request), mayWrite ? 1 : 0);
}

// --- arrivals --------------------------------------------------------------------------------------------------------

/** A message about a line has reached a core. */
// @ts-ignore: decorator
@inline
export function landLine(core: Core): void {
  const left = --core.lineArrivals;
  if (left == 0) core.lineArrivalMin = NEVER;
  else if (left == 1) core.lineArrivalMin = core.lineArrivalMax;
}

/** The copy of one core changes; what its threads remember of the line is forgotten by the caller. */
export function dropCopy(entry: Entry, bit: u32, downgrade: bool): void {
  if (!downgrade) maskClear(heldMask(entry), bit);
  if (entry.writer == bit + 1) entry.writer = 0;
}

export function gainCopy(entry: Entry, bit: u32, mayWrite: bool): void {
  maskSet(heldMask(entry), bit);
  if (!mayWrite || entry.writer == bit + 1) return;
  entry.writer = <u16>(bit + 1);
  entry.writerThread = 0;
}

if (LINE_BYTES != 64) ERROR("INVALIDATE subjects keep five bits in the address of an entry");
