// Loads that are bound early: while a load waits for its line, the load behind it may find its own line at hand and read it then
// (docs/ordering.md). The CPU still executes both in order: the second takes the value that was bound, even if its line has
// been lost since. If the line is still there, memory holds that very value, since nobody else can have written it.

import { Cpu } from "../cpu.ts";
import { mix } from "../digest.ts";
import { machine, reserve } from "../machine.ts";
import { accessRequest } from "./request.ts";
import { Permission, permissionOf } from "./lines.ts";
import { bytesToLineEnd, lineOf, pageAt, ramAt } from "./map.ts";
import { PAGE_RAM, PAGE_READ } from "../../src/abi.ts";
import { loadBytes } from "./access.ts";
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

/** The load at cpu.pc waits for a line; the next instruction loads 1 to 8 bytes from an address that doesn't hang on it. */
export function bindEarly(cpu: Cpu, pc: u64, address: u64, size: u32): void {
  const line = lineOf(address);
  if (line == accessRequest(cpu).line || size > bytesToLineEnd(address) || storesTo(cpu, line)) return;
  if ((pageAt(address) & (PAGE_READ | PAGE_RAM)) != (PAGE_READ | PAGE_RAM)) return;
  if (permissionOf(cpu.core, line) < Permission.READ) return;
  const early = earlyLoadOf(cpu);
  cpu.boundEarly = 1;
  early.retired = cpu.retired + 1;
  early.pc = pc;
  early.address = address;
  early.value = loadBytes(ramAt(address), size);
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
  if (cpu.boundEarly == 0 || (early.retired != cpu.retired && early.retired != cpu.retired + 1)) return;
  if (permissionOf(cpu.core, lineOf(early.address)) >= Permission.READ) return;
  mix(early.retired);
  mix(early.pc);
  mix(early.address);
  mix(early.value);
}
