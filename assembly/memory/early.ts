// Loads that are bound early: while a load waits for its line, one behind it may find its own line at hand and read it then
// (docs/ordering.md). The CPU still executes both in order: the second takes the value that was bound, even if its line has
// been lost since. If the line is still there, memory holds that very value, since nobody else can have written it.

import { PAGE_RAM, PAGE_READ } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { mix } from "../digest.ts";
import { machine, reserve } from "../machine.ts";
import { loadBytes } from "./access.ts";
import { Permission, permissionOf } from "./lines.ts";
import { bytesToLineEnd, lineOf, pageAt, ramAt } from "./map.ts";
import { storesTo } from "./stores.ts";

/** One per CPU: the last load that was bound early. */
@unmanaged
class EarlyLoad {
  /** Count of instructions at which it is executed, and its address there; any other instruction makes it void. */
  retired: u64;
  pc: u64;
  address: u64;
  value: u64;
}

const EARLY_BYTES: usize = 32;
if (offsetof<EarlyLoad>() > EARLY_BYTES) ERROR("EarlyLoad outgrew its bytes");

export function openEarlyLoads(): bool {
  const m = machine();
  m.earlyLoads = reserve(<usize>m.cpus * EARLY_BYTES, 64);
  return m.earlyLoads != 0;
}

// @ts-ignore: decorator
@inline
function earlyLoadOf(cpu: Cpu): EarlyLoad {
  return changetype<EarlyLoad>(machine().earlyLoads + <usize>cpu.index * EARLY_BYTES);
}

/**
 * The load at cpu.pc waits for a line; the instruction some places behind it loads 1 to 8 bytes from an address that doesn't hang
 * on it.
 */
export function bindEarly(cpu: Cpu, line: u32, distance: u32, address: u64, size: u32): void {
  if (line == lineOf(address) || storesTo(cpu, lineOf(address)) || !mayBeBound(cpu, address, size)) return;
  const early = earlyLoadOf(cpu);
  cpu.boundEarly = 1;
  early.retired = cpu.retired + distance;
  early.pc = cpu.pc + ((<u64>distance) << 2);
  early.address = address;
  early.value = loadBytes(ramAt(address), size);
}

/** Whether bytes can be read now. Until the CPU asks for the line itself, they can't later if they can't now. */
export function mayBeBound(cpu: Cpu, address: u64, size: u32): bool {
  if (size > bytesToLineEnd(address)) return false;
  if ((pageAt(address) & (PAGE_READ | PAGE_RAM)) != (PAGE_READ | PAGE_RAM)) return false;
  return permissionOf(cpu.core, lineOf(address)) >= Permission.READ;
}

/** Whether the load that the CPU is executing has been bound already, to `boundEarly`. */
// @ts-ignore: decorator
@inline
export function isBoundEarly(cpu: Cpu, address: u64): bool {
  return cpu.boundEarly != 0 && findEarly(cpu, address);
}

function findEarly(cpu: Cpu, address: u64): bool {
  if (changetype<usize>(cpu) == machine().shadow) return false;
  const early = earlyLoadOf(cpu);
  // Void behind that instruction.
  if (cpu.retired > early.retired) cpu.boundEarly = 0;
  if (early.retired != cpu.retired || early.pc != cpu.pc || early.address != address) return false;
  boundEarly = early.value;
  return true;
}

export let boundEarly: u64 = 0;

/** As long as the line is there, what was bound is what memory holds, and adds nothing. */
export function earlyDigest(cpu: Cpu): void {
  const early = earlyLoadOf(cpu);
  if (cpu.boundEarly == 0 || cpu.retired > early.retired) return;
  if (permissionOf(cpu.core, lineOf(early.address)) >= Permission.READ) return;
  mix(early.retired);
  mix(early.pc);
  mix(early.address);
  mix(early.value);
}
