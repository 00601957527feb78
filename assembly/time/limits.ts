// How far the CPU that is being run may go, and the clock that this is told in: ticks, a power-of-two part of a cycle. What
// the limits follow from is in bounds.ts.

import { Timing } from "../../src/abi.ts";
import { machine, timing } from "../machine.ts";

/** Ticks before which an instruction may start; valid for the CPU that is being run. */
export let hitLimit: u64 = 0;
export let otherLimit: u64 = 0;
/** For instructions that read what messages change (acknowledge registers, waits), masked or not. */
export let observeLimit: u64 = 0;

// Immutable after the machine is built.
let issueShift: u64 = 0;

export function attachLimits(): void {
  issueShift = <u64>timing(Timing.ISSUE_SHIFT);
}

// @ts-ignore: decorator
@inline
export function cycleOf(ticks: u64): u64 {
  return ticks >>> issueShift;
}

// @ts-ignore: decorator
@inline
export function ticksOf(cycle: u64): u64 {
  return cycle << issueShift;
}

/** Sets the limits, given in cycles. */
export function setLimits(hit: u64, other: u64, observe: u64): void {
  hitLimit = ticksOf(hit);
  otherLimit = ticksOf(other);
  observeLimit = ticksOf(observe);
}

/** Limits for stepping up to a cycle within time that has passed already. */
export function limitTo(cycle: u64): void {
  hitLimit = otherLimit = observeLimit = ticksOf(cycle);
}

/** Limits in ticks, for the shadow. */
export function limitToTicks(ticks: u64): void {
  hitLimit = otherLimit = observeLimit = ticks;
}

/** A line message to the running CPU's core has been sent that its limits don't know of. */
export function limitHits(arrival: u64): void {
  const ticks = ticksOf(arrival);
  if (ticks < hitLimit) hitLimit = ticks;
}

let savedHit: u64 = 0;
let savedOther: u64 = 0;
let savedObserve: u64 = 0;

/** Puts the running CPU's limits aside while the shadow runs. */
export function saveLimits(): void {
  savedHit = hitLimit;
  savedOther = otherLimit;
  savedObserve = observeLimit;
}

export function restoreLimits(): void {
  hitLimit = savedHit;
  otherLimit = savedOther;
  observeLimit = savedObserve;
}

/**
 * A message to the running CPU, or to a thread of its core, has been sent: it may not pass the arrival. A sibling that the message
 * sets going shares the core's copies, so no latency of a line is in between.
 */
export function shrinkLimits(arrival: u64): void {
  shrinkToTicks(ticksOf(arrival));
}

export function shrinkToTicks(ticks: u64): void {
  if (ticks < hitLimit) hitLimit = ticks;
  if (ticks < otherLimit) otherLimit = ticks;
  if (ticks < observeLimit) observeLimit = ticks;
}

/** An event has been added: what follows from it may reach the running CPU one latency behind it. */
// @ts-ignore: decorator
@inline
export function limitByEvent(cycle: u64): void {
  const m = machine();
  const hit = ticksOf(cycle + m.leastLineLatency);
  const other = ticksOf(cycle + m.leastInterruptLatency);
  if (hit < hitLimit) hitLimit = hit;
  if (other < otherLimit) otherLimit = other;
  if (other < observeLimit) observeLimit = other;
}
