// Records of CPUs, cores and last-level-cache domains, and the way from one to the other.

import {
  CPU_BYTES,
  CPU_CLOCK,
  CPU_PC,
  CPU_REGISTERS,
  CPU_RETIRED,
  CPU_STATE,
  CPU_WAIT_KIND,
  CpuState,
  WaitKind,
} from "../src/abi.ts";
import { machine } from "./machine.ts";

/** "No such cycle": later than every event. */
export const NEVER: u64 = u64.MAX_VALUE;

/**
 * One hardware thread. The first line holds what an event touches; registers follow (X86Cpu, Arm64Cpu), then the journal
 * of a half-done instruction, then the lookup of held lines.
 */
@unmanaged
export class Cpu {
  /** Ticks: start of the next instruction (of a parked spin: of the loop head at which it was parked). */
  clock: u64;
  /** Virtual address of the next instruction. */
  pc: u64;
  /** Instructions completed. */
  retired: u64;
  state: CpuState;
  waitKind: WaitKind;
  core: Core;
  index: u32;
  /** Rank among the CPUs of its domain, by number; among the threads of its core. */
  slot: u32;
  thread: u32;

  /** Spin loop that this CPU is parked in, or null: then it is being stepped. */
  parked: usize;
  /** Interrupt messages under way to this CPU; the least cycle of their arrivals (stale when the first of more than two
   * has landed: then <= now), and the last. */
  interruptArrivals: u32;
  interruptArrivalMin: u64;
  interruptArrivalMax: u64;
  /** Cycle at which the earliest of its timers fires, or NEVER; and that event's node, or 0 (time/deadline.ts). */
  deadlineCycle: u64;
  deadlineEvent: usize;
  /** `Pending` bits of what waits to be taken, and of what is masked at present. */
  pending: u32;
  masked: u32;
  /** Nonzero while an exception or interrupt is being delivered and waits for memory. */
  delivery: u32;

  /** Target of the last taken backward branch, how often it came in a row, and when elision is tried again. */
  loopHead: u64;
  loopVisits: u16;
  loopPatience: u16;
  /** Of the last one that went back beyond the one before it, so that its loop is around that one's: the target's low half. */
  outerHead: u32;

  /** Room for the Request of the access that blocks this CPU (memory/request.ts). */
  request0: u64;
  request1: u64;
  request2: u64;
  request3: u64;
  /** What marks lines in the lookup as writable; while stores must take the slow way, what marks none (memory/stores.ts). */
  storeKey: u32;
  /** The instruction at pc was abandoned half-way and starts again. */
  resumed: u8;
  /** A device or the firmware has answered the access that the instruction at pc makes. */
  deviceAnswered: u8;
  /** What waits for stores to leave the buffer: StoreWait (memory/stores.ts). */
  awaitsStores: u8;
  /** Stores wait in the buffer, or may be made to (memory/stores.ts). */
  storing: u8;
  /** Part of every line's tag in the lookup; while loads must take the slow way, what no tag has (memory/stores.ts). */
  loadKey: u8;
  /** Of the loads that were issued early (memory/early.ts), a bit each: to be executed; its request for a line is under way. */
  issuedEarly: u8;
  asksEarly: u8;
  /** The one of them that the CPU has come to and waits for, plus one; 0 for none. */
  awaitsEarly: u8;
  /** Firmware's view: powered on; a start message is under way. */
  on: u8;
  starting: u8;
  /** How often outerHead came in a row. */
  outerVisits: u16;
  deviceValue: u64;
  deviceAddress: u64;
  deviceSize: u32;
  deviceWrite: u32;
  /** When its access reaches the device, or the firmware is next to deal with it, or NEVER: no answer comes before. */
  deviceArrival: u64;
  /** Line watched by MONITOR or by an exclusive load, plus one; 0 for none. */
  watchedLine: u32;
  /** SMT: the line that this thread has last claimed to write, plus one, and when (memory/siblings.ts). */
  claimedLine: u32;
  claimCycle: u64;
  /** Interrupt messages leave one after the other: cycle at which the sender is free. */
  sendFree: u64;
  /** Where and with what a start message lets this CPU begin. */
  startPc: u64;
  startStack: u64;
  startArgument: u64;
  /** When the last WFE ended, and by what (interrupts/wake.ts). Only for the rest of that cycle, so no part of the digest. */
  waitEndCycle: u64;
  waitEndedBy: WaitEnd;
}

/** What ended a WFE. */
export enum WaitEnd {
  EVENT = 0,
  INTERRUPT = 1,
  TIMEOUT = 2,
}

/**
 * What can wait to be taken at an instruction boundary; the same bits say what is masked. Each bit of Cpu.pending has one
 * source, which sets and clears it and leaves the others alone.
 */
export enum Pending {
  /** x86: an NMI, latched here. arm64: the interrupt controller signals IRQ with superpriority (FEAT_NMI). */
  NMI = 1,
  /** x86: the local APIC asks for service. arm64: the interrupt controller signals IRQ. */
  IRQ = 2,
  /** arm64: the interrupt controller signals FIQ. */
  FIQ = 4,
  /** x86: a system-management interrupt, latched here. */
  SMI = 8,
  /** x86: an INIT, latched here. */
  INIT = 16,
  /** arm64: an interrupt that firmware in EL3 takes, whatever EL1 masks. */
  EL3 = 32,
  /** The CPU is to lose time (time/stolen.ts). */
  STOLEN = 64,
}

export const CPU_JOURNAL: usize = 896;
/** Cache of the directory's truth: which lines this CPU may hit, direct-mapped; see memory/copies.ts. */
export const CPU_LOOKUP: usize = 1088;
export const LOOKUP_ENTRIES: usize = 64;

if (offsetof<Cpu>("clock") != CPU_CLOCK) ERROR("Cpu.clock moved: update src/abi.ts");
if (offsetof<Cpu>("pc") != CPU_PC) ERROR("Cpu.pc moved: update src/abi.ts");
if (offsetof<Cpu>("retired") != CPU_RETIRED) ERROR("Cpu.retired moved: update src/abi.ts");
if (offsetof<Cpu>("state") != CPU_STATE) ERROR("Cpu.state moved: update src/abi.ts");
if (offsetof<Cpu>("waitKind") != CPU_WAIT_KIND) ERROR("Cpu.waitKind moved: update src/abi.ts");
if (offsetof<Cpu>() > <usize>CPU_REGISTERS) ERROR("Cpu outgrew the bytes before its registers");
if (CPU_LOOKUP + LOOKUP_ENTRIES * 16 > <usize>CPU_BYTES) ERROR("the lookup outgrew CPU_BYTES");

/**
 * The unit of coherence: SMT siblings share the innermost caches, so a copy of a line belongs to their core. Siblings
 * reach each other without latency; the core is therefore run as one schedule (time/run.ts).
 */
@unmanaged
export class Core {
  domain: Domain;
  /** Position in the directory's bit sets of its domain. */
  bit: u32;
  /** One-way latency to the last-level cache, cycles: a(c). */
  latency: u32;
  /** Its threads lie side by side in `threads`. */
  threadCount: u32;
  /** Threads that watch a line: parked spins, monitors, exclusive reservations. */
  watchers: u32;
  /** Invalidations, downgrades and fills under way to this core; the least cycle of their arrivals (stale when the first
   * of more than two has landed), and the last. */
  lineArrivals: u32;
  lineArrivalMin: u64;
  lineArrivalMax: u64;
  /** Cycle of the run event, or NEVER; and its node, or 0. */
  runCycle: u64;
  runEvent: usize;
  /** Table of Cpu pointers. */
  threads: usize;
  index: u32;
  /** Threads that are members of a train (memory/member.ts). */
  members: u32;
}

export const CORE_BYTES: usize = 64;
if (offsetof<Core>() > CORE_BYTES) ERROR("Core outgrew CORE_BYTES");

/** The cores that share a last-level cache. */
@unmanaged
export class Domain {
  index: u32;
  node: u32;
  /** Among the domains of its node, by number. */
  rank: u32;
  coreCount: u32;
  cpuCount: u32;
  /** Table of Core pointers in bit order. */
  cores: usize;
  /** Cores with an online CPU: who holds a line that is shared since before the first instruction. */
  onlineMask: usize;
  /** Spinners that will ask for a line again: memory/train.ts. */
  train: usize;
}

export const DOMAIN_BYTES: usize = 32;
if (offsetof<Domain>() > DOMAIN_BYTES) ERROR("Domain outgrew DOMAIN_BYTES");

// @ts-ignore: decorator
@inline
export function cpuAt(index: u32): Cpu {
  return changetype<Cpu>(machine().cpuRecords + <usize>index * CPU_BYTES);
}

// @ts-ignore: decorator
@inline
export function coreAt(index: u32): Core {
  return changetype<Core>(machine().coreRecords + <usize>index * CORE_BYTES);
}

// @ts-ignore: decorator
@inline
export function domainAt(index: u32): Domain {
  return changetype<Domain>(machine().domainRecords + <usize>index * DOMAIN_BYTES);
}

// @ts-ignore: decorator
@inline
export function threadOf(core: Core, thread: u32): Cpu {
  return changetype<Cpu>(load<u32>(core.threads + ((<usize>thread) << 2)));
}

// @ts-ignore: decorator
@inline
export function coreInDomain(domain: Domain, bit: u32): Core {
  return changetype<Core>(load<u32>(domain.cores + ((<usize>bit) << 2)));
}

/** One-way latency between domains of two nodes, or between a domain and a home, cycles. */
// @ts-ignore: decorator
@inline
export function hop(from: u32, to: u32): u32 {
  return load<u32>(machine().hopTable + <usize>((from * machine().nodes + to) << 2));
}
