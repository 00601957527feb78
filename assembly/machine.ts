// The machine record and the regions of linear memory: everything mutable lives here or in records that it points to,
// so that a copy of linear memory is a copy of the machine.

import { PAGE_BYTES, RunStatus, StopReason, Timing } from "../src/abi.ts";
import { shrinkLimits } from "./time/limits.ts";

/** One per WebAssembly instance. Cycles are machine reference cycles; ticks are parts of a cycle (`Timing.ISSUE_SHIFT`). */
@unmanaged
export class Machine {
  /** Everything with an earlier cycle has happened. */
  now: u64;
  /** Cycle that `run` may not pass: part of every bound, so that a machine can be cut anywhere. */
  stop: u64;
  /** No run passes this cycle before the host has been told why: a fatal event, or a break (see `halt`). */
  halt: u64;
  /** Host work: processed events. */
  events: u64;
  /** Host work: spin loops parked. */
  parkings: u64;
  missCount: u64;
  interruptCount: u64;

  stopCycle: u64;
  stopPc: u64;
  stopDetail: u64;
  stopReason: StopReason;
  stopCpu: u32;

  architecture: u32;
  cpus: u32;
  cores: u32;
  /** Threads of the core that has most. */
  mostThreads: u32;
  domains: u32;
  nodes: u32;
  /** Set of `Acceleration` bits. */
  accelerations: u32;
  clockMhz: u32;
  counterHz: u32;

  /** Next free byte of linear memory. */
  top: usize;
  cpuRecords: usize;
  coreRecords: usize;
  domainRecords: usize;
  hopTable: usize;
  timing: usize;
  pageTable: usize;
  codePageTable: usize;
  lineTable: usize;
  ramHost: usize;
  ramBase: u64;
  ramBytes: u64;
  /** Words of the core bit sets in directory entries. */
  maskWords: u32;

  /** Least one-way latency of any core to its last-level cache: A of docs/time.md. */
  leastLineLatency: u32;
  /** Least latency of an interrupt message between different CPUs: P of docs/time.md. */
  leastInterruptLatency: u32;

  eventFree: usize;
  eventNodesStart: usize;
  /** First node that was never used. */
  eventNodes: usize;
  eventNodesEnd: usize;
  /** Events waiting at last-level caches and homes. */
  directoryEvents: u32;

  /** Scratch: entries or homes touched in the current cycle. */
  touched: usize;
  directoryStart: usize;
  directoryNext: usize;
  directoryEnd: usize;

  codeNext: usize;
  codeStart: usize;
  codeEnd: usize;
  codeFlushes: u32;

  traceRing: usize;
  traceCapacity: u32;
  traceCount: u32;
  traceLost: u64;
  traceMask: u32;
  status: RunStatus;

  probes: usize;
  probeCount: u32;
  /** Probe and CPU of the break that the host is to be told of, and its cycle; NEVER: none. */
  breakProbe: u32;
  breakCpu: u32;
  breakCycle: u64;

  /** Transactions computed ahead, by CPU: memory/foreseen.ts. */
  foreseen: usize;
  /** StoreBuffers of the CPUs (memory/stores.ts). */
  storeBuffers: usize;
  /** Loads that were bound early (memory/early.ts). */
  earlyLoads: usize;
  /** Seed of delays that are drawn, 0 for none (memory/perturbation.ts). */
  perturbation: u32;
  spinRecords: usize;
  loopHeads: usize;
  shadow: usize;
  apics: usize;
  /** x86: `ApicMode` that local APICs are reset to. */
  apicMode: u32;
  gics: usize;
  /** x86: TSC of each CPU at cycle 0, arm64: CNTVOFF_EL2, 8 bytes each; or 0: all 0. */
  counterTable: usize;
  /** x86: nonzero: shutdown is a state of the CPU, and doesn't stop the machine. */
  shutdownState: u32;
  /** x86: fields of an APIC id, as the least significant bits that tell apart what is below. */
  apicCoreShift: u32;
  apicCacheShift: u32;
  apicDieShift: u32;
  apicPackageShift: u32;
  /** x86: I/O port 0x61 (devices/port.ts). */
  systemControl: u32;
  firmware: usize;
  firmwareCpus: usize;
  /** The GIC's distributor, and what it knows of each CPU (interrupts/gic/spi.ts). */
  distributor: usize;
  distributorTargets: usize;
  /** FEAT_NMI is there. */
  featNmi: u32;
  pl011: usize;
  /** arm64, nonzero: there is no MMU, and what is not modelled stops the machine (Config.BARE_METAL). */
  bareMetal: u32;
  hardwareIds: usize;
  hardwareIdCount: u32;
  wheel: usize;
  /** CPUs that there are, and those that the interrupt being sent is for: cpumasks. */
  presentMask: usize;
  targetMask: usize;
  /** Faults of delivery by target and kind, and whether any was ever set (interrupts/delivery.ts). */
  deliveryFaults: usize;
  deliveryFaultsSet: u32;
  /** By CPU: until when it is suspended; and whether any ever was (time/stolen.ts). */
  stolen: usize;
  stolenSet: u32;
  /** By CPU: exit latencies of deep idle states, and whether any was ever set (interrupts/idle.ts). */
  idleExits: usize;
  idleExitsSet: u32;
  /** Messages held until a CPU comes to an instruction, and whether there ever were any (interrupts/held.ts). */
  held: usize;
  heldSet: u32;
  /** The next message of the host is to be held: until the CPU is so many instructions behind an address. */
  holdsNext: u32;
  holdInstructions: u32;
  holdAddress: u64;
}

// @ts-ignore: AssemblyScript reserves the bytes at compile time
const MACHINE: usize = memory.data(512, 64);

if (offsetof<Machine>() > 512) ERROR("Machine outgrew its bytes");

// @ts-ignore: decorator
@inline
export function machine(): Machine {
  return changetype<Machine>(MACHINE);
}

/** Value of one timing parameter. */
// @ts-ignore: decorator
@inline
export function timing(parameter: Timing): u32 {
  return load<u32>(machine().timing + ((<usize>parameter) << 2));
}

/** TSC of a CPU at cycle 0; of a PE, CNTVOFF_EL2. */
export function counterOffset(index: u32): u64 {
  const table = machine().counterTable;
  return table == 0 ? 0 : load<u64>(table + ((<usize>index) << 3));
}

/**
 * Reserves zeroed bytes at the end of linear memory, for ever. Only while a machine is built: stepping never allocates.
 * Untouched pages of the reservation cost the host nothing.
 * @returns the address, or 0 when linear memory can't grow that far.
 */
export function reserve(bytes: usize, align: usize): usize {
  const start = (machine().top + align - 1) & ~(align - 1);
  const end = start + bytes;
  if (end < start) return 0;
  const have = (<usize>memory.size()) << 16;
  if (end > have) {
    const pages = (end - have + 0xffff) >>> 16;
    if (memory.grow(<i32>pages) < 0) return 0;
  }
  machine().top = end;
  return start;
}

/** Starts reserving behind the static data. */
export function openMemory(): void {
  machine().top = (__heap_base + PAGE_BYTES - 1) & ~(<usize>PAGE_BYTES - 1);
}

/**
 * Something has happened at `cycle` that the host must know before more does: the machine runs on to the nearest cycle
 * that no CPU can have passed, whatever the accelerations, and however the run is cut.
 */
export function halt(cycle: u64): void {
  const m = machine();
  // Others may have run ahead by the interrupt latency, and no further (see time/bounds.ts).
  const end = cycle + m.leastInterruptLatency;
  if (end < m.halt) m.halt = end;
  if (end < m.stop) m.stop = end;
  shrinkLimits(end);
}

/** The first fatal event wins. */
export function stopMachine(reason: StopReason, cpu: u32, pc: u64, cycle: u64, detail: u64): void {
  const m = machine();
  if (m.stopReason != StopReason.NONE && (cycle > m.stopCycle || (cycle == m.stopCycle && cpu >= m.stopCpu))) return;
  m.stopReason = reason;
  m.stopCpu = cpu;
  m.stopPc = pc;
  m.stopCycle = cycle;
  m.stopDetail = detail;
  halt(cycle);
}
