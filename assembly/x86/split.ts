// Locked accesses that cross into a second line (SDM 3A 9.1.2.2): atomic like any other, which takes both lines writable
// at the same time.
//
// Progress. An attempt asks for one missing line after the other; if the first is gone when the second arrives, the CPU
// pauses, with interrupts open, and tries again. The pause is drawn, by CPU number and count of failures, from a window
// that doubles with each failure, as in Ethernet. So among any number of CPUs that fight over the same two lines, sooner
// or later one has the time of two misses for itself, and completes. Plain accesses of others to a line that it waits
// for don't hurt: what counts is that the other line stays until this one arrives.

import { PAGE_RAM } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { Access, checkRights, fail, loadBytes, locate, outcome, refuse, storeBytes } from "../memory/access.ts";
import { isUnclaimed } from "../memory/siblings.ts";
import { Permission, permissionOf } from "../memory/lines.ts";
import { bytesToLineEnd, lineOf, pageAt } from "../memory/map.ts";
import { ticksOf } from "../time/limits.ts";
import { X86State, x86 } from "./cpu.ts";

let lowHost: usize = 0;
let highHost: usize = 0;
let lowSize: u32 = 0;
let highSize: u32 = 0;

/** An attempt is two requests; then comes a pause. */
const REQUESTS: u32 = 2;
/** Unit of pauses, cycles: about what two misses take. */
const PAUSE_CYCLES: u64 = 512;
const LARGEST_WINDOW: u32 = 17;

/**
 * Makes both lines writable.
 * @returns false with the outcome of an access, or with outcome DONE after a pause: the clock has moved, nothing else
 */
export function openSplit(cpu: Cpu, address: u64, size: u32): bool {
  if (changetype<usize>(cpu) == machine().shadow) {
    refuse();
    return false;
  }
  lowSize = bytesToLineEnd(address);
  highSize = size - lowSize;
  // Devices take no locked accesses.
  if (!checkRights(address, size, true)) return false;
  if ((pageAt(address) & pageAt(address + lowSize) & PAGE_RAM) == 0) {
    fail(address, true, pageAt(address));
    return false;
  }
  const state = x86(cpu);
  const held = holds(cpu, address) && holds(cpu, address + lowSize);
  const failures = state.splitFailures;
  if (!held && failures % (REQUESTS + 1) == REQUESTS) {
    state.splitFailures++;
    pause(cpu, failures / (REQUESTS + 1));
    return false;
  }
  lowHost = locate(cpu, address, true);
  if (lowHost == 0) return failed(state);
  highHost = locate(cpu, address + lowSize, true);
  if (highHost == 0) return failed(state);
  state.splitFailures = 0;
  return true;
}

/** A request counts. An attempt that has ended a sibling's spin hasn't been made yet. */
function failed(state: X86State): bool {
  if (outcome() == Access.BLOCKED) state.splitFailures++;
  return false;
}

function holds(cpu: Cpu, address: u64): bool {
  const line = lineOf(address);
  return permissionOf(cpu.core, line) == Permission.WRITE && (cpu.core.threadCount == 1 || isUnclaimed(cpu, line));
}

function pause(cpu: Cpu, round: u32): void {
  const window: u32 = 1 << min(round + 1, LARGEST_WINDOW);
  // A multiplicative hash; its upper bits are the good ones.
  const drawn = (((cpu.index + 1) * 0x9e37_79b1) ^ (round * 0x85eb_ca6b)) * 0xc2b2_ae35;
  cpu.clock += ticksOf(PAUSE_CYCLES * (1 + <u64>((drawn >>> 12) & (window - 1))));
  cpu.loopVisits = 0;
}

export function loadSplit(): u64 {
  return loadBytes(lowHost, lowSize) | (loadBytes(highHost, highSize) << ((<u64>lowSize) << 3));
}

export function storeSplit(value: u64): void {
  storeBytes(lowHost, lowSize, value);
  storeBytes(highHost, highSize, value >>> ((<u64>lowSize) << 3));
}
