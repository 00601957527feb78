// What one CPU may hit: a small direct-mapped cache, per CPU, of the directory's truth and of the page rights. It is
// never more permissive than both; it may forget at any time, which costs host time and changes nothing else.

import { LINE_BYTES, LINE_SHIFT } from "../../src/abi.ts";
import { CPU_LOOKUP, Core, Cpu, LOOKUP_ENTRIES, threadOf } from "../cpu.ts";

// Entry, 16 bytes: guest address of the line, so that one compare tells hit from miss (an access that crosses into the
// next line has another tag than the slot it looks in); host address of the line; nonzero where stores may hit too.
const ENTRY_HOST: usize = 8;
const ENTRY_WRITABLE: usize = 12;
/** Never a line's address: tags of real lines are multiples of 64. */
const NO_TAG: u64 = 1;

// @ts-ignore: decorator
@inline
function entryOf(cpu: usize, address: u64): usize {
  return cpu + CPU_LOOKUP + (((<usize>(address >>> LINE_SHIFT)) & (LOOKUP_ENTRIES - 1)) << 4);
}

/** Host address of `size` readable bytes, or 0 when only the slow way knows. */
// @ts-ignore: decorator
@inline
export function readable(cpu: usize, address: u64, size: u64): usize {
  const entry = entryOf(cpu, address);
  const tag = ((address + (size - 1)) & ~(<u64>(LINE_BYTES - 1))) | (<u64>load<u8>(cpu, offsetof<Cpu>("loadKey")));
  if (load<u64>(entry) != tag) return 0;
  return <usize>load<u32>(entry, ENTRY_HOST) + ((<usize>address) & (LINE_BYTES - 1));
}

/** Host address of `size` writable bytes, or 0 when only the slow way knows. */
// @ts-ignore: decorator
@inline
export function writable(cpu: usize, address: u64, size: u64): usize {
  const entry = entryOf(cpu, address);
  if (load<u64>(entry) != ((address + (size - 1)) & ~(<u64>(LINE_BYTES - 1)))) return 0;
  if (load<u32>(entry, ENTRY_WRITABLE) != load<u32>(cpu, offsetof<Cpu>("storeKey"))) return 0;
  return <usize>load<u32>(entry, ENTRY_HOST) + ((<usize>address) & (LINE_BYTES - 1));
}

/** Remembers a line that the CPU may hit. */
export function remember(cpu: Cpu, address: u64, host: usize, mayWrite: bool): void {
  const line = address & ~(<u64>(LINE_BYTES - 1));
  const entry = entryOf(changetype<usize>(cpu), line);
  store<u64>(entry, line);
  store<u32>(entry, <u32>(host & ~(<usize>LINE_BYTES - 1)), ENTRY_HOST);
  store<u32>(entry, mayWrite ? 1 : 0, ENTRY_WRITABLE);
}

/** Forgets a line, or only that it may be written. */
export function forget(cpu: Cpu, line: u64, keepReadable: bool): void {
  const entry = entryOf(changetype<usize>(cpu), line);
  if (load<u64>(entry) != line) return;
  store<u32>(entry, 0, ENTRY_WRITABLE);
  if (!keepReadable) store<u64>(entry, NO_TAG);
}

/** Forgets a line in every thread of a core. */
export function forgetInCore(core: Core, line: u64, keepReadable: bool): void {
  for (let thread: u32 = 0; thread < core.threadCount; thread++) forget(threadOf(core, thread), line, keepReadable);
}

export function forgetAll(cpu: Cpu): void {
  for (let slot: usize = 0; slot < LOOKUP_ENTRIES; slot++) {
    store<u64>(changetype<usize>(cpu) + CPU_LOOKUP + (slot << 4), NO_TAG);
  }
}
