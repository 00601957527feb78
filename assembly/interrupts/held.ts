// Messages of the host that a CPU is to get at an instruction of its own choosing: when it stands at an address, or so many
// instructions behind that. From the cycle at which the message arrives the CPU is stepped one instruction at a time until then. So
// the boundary is exact where several instructions start in one cycle.

import { Cpu } from "../cpu.ts";
import { mix } from "../digest.ts";
import { machine, reserve } from "../machine.ts";
import { unpark } from "../time/spin.ts";

enum HeldState {
  FREE = 0,
  /** On its way. */
  SENT = 1,
  /** The CPU has not come to the address yet. */
  SEEKING = 2,
  /** Instructions are counted. */
  COUNTING = 3,
}


@unmanaged
class Held {
  /** The message itself. */
  argument: u64;
  /** Where the CPU is to stand; 0: anywhere. Then: what Cpu.retired is to be. */
  place: u64;
  instructions: u32;
  state: HeldState;
}

const HELD_BYTES: usize = 24;
if (offsetof<Held>() > HELD_BYTES) ERROR("Held outgrew its bytes");
/** Messages that one CPU can have so at a time. */
export const MOST_HELD: u32 = 4;

/** Reserves the slots, of which none is touched before the first is used. @returns false when memory is exhausted */
export function openHeld(): bool {
  const m = machine();
  m.held = reserve(<usize>m.cpus * MOST_HELD * HELD_BYTES, 64);
  m.heldSet = 0;
  return m.held != 0;
}

function heldOf(cpu: Cpu, slot: u32): Held {
  return changetype<Held>(machine().held + <usize>(cpu.index * MOST_HELD + slot) * HELD_BYTES);
}

/** @returns the slot that keeps the message, or -1 when all are in use */
export function hold(cpu: Cpu, argument: u64, address: u64, instructions: u32): i32 {
  for (let slot: u32 = 0; slot < MOST_HELD; slot++) {
    const held = heldOf(cpu, slot);
    if (held.state != HeldState.FREE) continue;
    held.argument = argument;
    held.place = address;
    held.instructions = instructions;
    held.state = HeldState.SENT;
    machine().heldSet = 1;
    return <i32>slot;
  }
  return -1;
}

/** It has arrived: from now on the CPU is stepped. */
export function heldArrives(cpu: Cpu, slot: u32, cycle: u64): void {
  const held = heldOf(cpu, slot);
  if (cpu.parked != 0) unpark(cpu, cycle);
  if (held.place == 0) count(cpu, held);
  else held.state = HeldState.SEEKING;
}

function count(cpu: Cpu, held: Held): void {
  held.state = HeldState.COUNTING;
  held.place = cpu.retired + held.instructions;
}

/** Whether the CPU must be stepped by instructions. */
export function isHeld(cpu: Cpu): bool {
  if (machine().heldSet == 0) return false;
  for (let slot: u32 = 0; slot < MOST_HELD; slot++) if (heldOf(cpu, slot).state > HeldState.SENT) return true;
  return false;
}

/** Looks at where the CPU stands. @returns the slot of a message that is due, or -1 */
export function dueHeld(cpu: Cpu): i32 {
  for (let slot: u32 = 0; slot < MOST_HELD; slot++) {
    const held = heldOf(cpu, slot);
    if (held.state == HeldState.SEEKING && cpu.pc == held.place) count(cpu, held);
    if (held.state == HeldState.COUNTING && cpu.retired >= held.place) return <i32>slot;
  }
  return -1;
}

/** @returns the message of a slot, which is free afterwards */
export function releaseHeld(cpu: Cpu, slot: u32): u64 {
  const held = heldOf(cpu, slot);
  held.state = HeldState.FREE;
  return held.argument;
}

export function heldDigest(cpu: Cpu): void {
  if (machine().heldSet == 0) return;
  for (let slot: u32 = 0; slot < MOST_HELD; slot++) {
    const held = heldOf(cpu, slot);
    if (held.state == HeldState.FREE) continue;
    mix(<u64>held.state);
    mix(held.argument);
    mix(held.place);
    mix(<u64>held.instructions);
  }
}
