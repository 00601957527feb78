// Which CPU has a hardware id: APIC ids and MPIDR affinities are sparse, so they are looked up in a sorted table.

import { Cpu, cpuAt } from "../cpu.ts";
import { machine, reserve } from "../machine.ts";

// Entry, 16 bytes: id, CPU index.
const ENTRY_BYTES: usize = 16;
const ENTRY_CPU: usize = 8;

/** Reserves the table; CPUs enter by ascending id. */
export function openHardwareIds(): bool {
  const m = machine();
  m.hardwareIds = reserve(<usize>m.cpus * ENTRY_BYTES, 64);
  m.hardwareIdCount = 0;
  return m.hardwareIds != 0;
}

/** @returns false when the id is not above the last one */
export function enterHardwareId(id: u64, cpu: u32): bool {
  const m = machine();
  const entry = m.hardwareIds + <usize>m.hardwareIdCount * ENTRY_BYTES;
  if (m.hardwareIdCount != 0 && load<u64>(entry - ENTRY_BYTES) >= id) return false;
  store<u64>(entry, id);
  store<u32>(entry, cpu, ENTRY_CPU);
  m.hardwareIdCount++;
  return true;
}

/** Position, in ascending order of ids, of the first that is not below an id. */
export function positionOfId(id: u64): u32 {
  const m = machine();
  let low: u32 = 0;
  let high = m.hardwareIdCount;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (load<u64>(m.hardwareIds + <usize>middle * ENTRY_BYTES) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** CPUs whose ids differ from one in their lowest `bits` at most. */
export function countIds(id: u64, bits: u32): u32 {
  const first = (id >>> bits) << bits;
  return positionOfId(first + ((<u64>1) << bits)) - positionOfId(first);
}

export function idAt(position: u32): u64 {
  return load<u64>(machine().hardwareIds + <usize>position * ENTRY_BYTES);
}

export function cpuAtPosition(position: u32): Cpu {
  return cpuAt(load<u32>(machine().hardwareIds + <usize>position * ENTRY_BYTES, ENTRY_CPU));
}

/** The CPU with an id, or null. */
export function cpuWithId(id: u64): Cpu {
  const position = positionOfId(id);
  if (position >= machine().hardwareIdCount || idAt(position) != id) return changetype<Cpu>(0);
  return cpuAtPosition(position);
}
