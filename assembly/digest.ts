// The state digest: a hash of all that the machine is at a cycle, the same however the host got there. Host bookkeeping
// (lookups, run events, batches, parked or not, decoded code) is not state.

import { ARM64_SP_SLOT, Architecture, CPU_REGISTERS, CpuState, LINE_BYTES, X86_REGISTERS } from "../src/abi.ts";
import { arm64Digest } from "./arm64/digest.ts";
import { firmwareCpuDigest, firmwareDigest } from "./firmware/firmware.ts";
import { pl011Digest } from "./devices/pl011.ts";
import { Cpu, Pending, coreAt, cpuAt, threadOf } from "./cpu.ts";
import { deliveryDigest } from "./interrupts/delivery.ts";
import { heldDigest } from "./interrupts/held.ts";
import { idleDigest } from "./interrupts/idle.ts";
import { apicDigest } from "./interrupts/apic/record.ts";
import { gicDigest } from "./interrupts/gic/gic.ts";
import { distributorDigest } from "./interrupts/gic/spi.ts";
import { machine } from "./machine.ts";
import {
  Entry,
  Home,
  LineKind,
  directoryMask,
  heldMask,
  homeOf,
  lineKind,
  lineOwner,
  writerThreadOf,
} from "./memory/lines.ts";
import { storesDigest } from "./memory/stores.ts";
import { addressOfLine, ramAt } from "./memory/map.ts";
import { CacheMessage } from "./memory/directory.ts";
import { INVALIDATION_DOWNGRADE } from "./memory/arrivals.ts";
import { earlyDigest } from "./memory/early.ts";
import { takeAllApart } from "./memory/foreseen.ts";
import { Request, accessRequest } from "./memory/request.ts";
import { catchUpParked } from "./time/run.ts";
import { effectiveClock, stolenDigest } from "./time/stolen.ts";
import { EventClass, EventNode, FREE, NODE_BYTES } from "./time/wheel.ts";
import { x86Digest } from "./x86/digest.ts";

let hash: u64 = 0;

/** Mixes a word into the digest (the multiplication and rotation of a 64-bit FNV-like round). */
// @ts-ignore: decorator
@inline
export function mix(value: u64): void {
  hash = rotl<u64>((hash ^ value) * 0x9e37_79b9_7f4a_7c15, 29);
}

/** Hash of a few words on their own: for things whose order means nothing, summed up. */
function summand(a: u64, b: u64, c: u64, d: u64): u64 {
  const saved = hash;
  hash = 0x1234_5678_9abc_def1;
  mix(a);
  mix(b);
  mix(c);
  mix(d);
  mix(0);
  const result = hash;
  hash = saved;
  return result;
}

/** Digest of the state now: everything before this cycle has happened, nothing at or behind it. */
export function digestMachine(): u64 {
  const m = machine();
  takeAllApart();
  hash = 0;
  mix(m.now);
  mix(m.architecture);
  mix(m.systemControl);
  for (let index: u32 = 0; index < m.cpus; index++) {
    const cpu = cpuAt(index);
    digestCpu(cpu);
    // What is pending in a redistributor outlives its PE.
    if (m.architecture == Architecture.ARM64 && cpu.state == CpuState.OFFLINE) gicDigest(cpu);
  }
  if (m.architecture == Architecture.ARM64) distributorDigest();
  if (m.architecture == Architecture.ARM64) firmwareDigest();
  if (m.architecture == Architecture.ARM64) pl011Digest();
  digestLines();
  mix(eventsInFlight());
  return hash;
}

/** Digest of one CPU alone: registers, clock, pending interrupts. */
export function digestOfCpu(cpu: Cpu): u64 {
  hash = 0;
  digestCpu(cpu);
  return hash;
}

function digestCpu(cpu: Cpu): void {
  const m = machine();
  catchUpParked(cpu);
  mix(cpu.state);
  deliveryDigest(cpu);
  stolenDigest(cpu);
  idleDigest(cpu);
  heldDigest(cpu);
  if (m.architecture == Architecture.ARM64) firmwareCpuDigest(cpu);
  if (cpu.state == CpuState.OFFLINE) return;
  mix(cpu.waitKind);
  mix(effectiveClock(cpu));
  mix(cpu.pc);
  mix(cpu.retired);
  mix(cpu.pending & ~Pending.STOLEN);
  mix(cpu.masked);
  mix(cpu.watchedLine);
  if (cpu.claimedLine != 0 && hasOnlineSibling(cpu)) {
    mix(cpu.claimedLine);
    mix(cpu.claimCycle);
  }
  mix(max(cpu.sendFree, m.now));
  if (cpu.state == CpuState.BLOCKED) {
    const request = accessRequest(cpu);
    mix(request.line);
    mix(request.write);
    mix(request.arrival);
  }
  storesDigest(cpu);
  earlyDigest(cpu);
  const registers: u32 = m.architecture == Architecture.X86_64 ? X86_REGISTERS : ARM64_SP_SLOT + 1;
  for (let slot: u32 = 0; slot < registers; slot++) {
    mix(load<u64>(changetype<usize>(cpu) + ((<usize>slot) << 3), CPU_REGISTERS));
  }
  if (m.architecture == Architecture.X86_64) {
    x86Digest(cpu);
    apicDigest(cpu);
  } else {
    arm64Digest(cpu);
    gicDigest(cpu);
  }
}

/** Whether a claim of the thread (memory/siblings.ts) means anything to anybody. */
function hasOnlineSibling(cpu: Cpu): bool {
  const core = cpu.core;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    if (thread != cpu.thread && threadOf(core, thread).state != CpuState.OFFLINE) return true;
  }
  return false;
}

/** Lines that a CPU could have written, and who holds them. */
function digestLines(): void {
  const lines = <u32>(machine().ramBytes / LINE_BYTES);
  for (let line: u32 = 0; line < lines; line++) {
    const kind = lineKind(line);
    if (kind == LineKind.COLD || kind == LineKind.SHARED) continue;
    mix(line);
    const host = ramAt(addressOfLine(line));
    for (let offset: usize = 0; offset < <usize>LINE_BYTES; offset += 8) mix(load<u64>(host + offset));
    if (kind == LineKind.OWNED) {
      mix(lineOwner(line));
      mix(writerThreadOf(coreAt(lineOwner(line)), line));
    } else digestHome(homeOf(line));
  }
}

function digestHome(home: Home): void {
  const now = machine().now;
  mix(max(home.free, now));
  mix(changetype<usize>(home.owner) == 0 ? 0 : home.owner.domain.index + 1);
  mix(home.recalls);
  if (home.recalls != 0) {
    mix(home.requester.domain.index);
    mix(home.dataAt);
  }
  for (let entry = home.queueHead; changetype<usize>(entry) != 0; entry = entry.nextAtHome) mix(entry.domain.index);
  let entries: u64 = 0;
  for (let entry = home.firstEntry; changetype<usize>(entry) != 0; entry = entry.nextOfHome) {
    entries += digestEntry(entry);
  }
  mix(entries);
}

function digestEntry(entry: Entry): u64 {
  const saved = hash;
  hash = 0;
  mix(entry.domain.index);
  mix(entry.state);
  mix(entry.pending);
  mix(entry.pending != 0 ? entry.pendingWrite : 0);
  mix(entry.holds);
  mix(entry.owner);
  mix(entry.writer);
  mix(entry.writer != 0 ? entry.writerThread : 0);
  mix(max(entry.free, machine().now));
  for (let word: u32 = 0; word < machine().maskWords; word++) {
    mix(load<u64>(directoryMask(entry) + ((<usize>word) << 3)));
    mix(load<u64>(heldMask(entry) + ((<usize>word) << 3)));
  }
  for (let at = entry.queueHead; at != 0; at = changetype<Request>(at).next) {
    mix(4 * <u64>changetype<Request>(at).cpu.index + changetype<Request>(at).kind);
  }
  const result = hash;
  hash = saved;
  return result;
}

/** Sum over everything under way, batches taken apart. */
function eventsInFlight(): u64 {
  const m = machine();
  let sum: u64 = 0;
  for (let at = m.eventNodesStart; at < m.eventNodes; at += NODE_BYTES) {
    const node = changetype<EventNode>(at);
    if (node.when != FREE) sum += digestEvent(node);
  }
  return sum;
}

function digestEvent(node: EventNode): u64 {
  switch (<i32>(node.when & 7)) {
    case EventClass.RUN:
      return 0;
    case EventClass.INVALIDATE: {
      const entry = changetype<Entry>(node.subject & ~(<usize>63));
      const first = ((<u64>(node.subject >>> 1)) & 31) << 6;
      const place = ((<u64>entry.home.line) << 32) | entry.domain.index;
      let sum: u64 = 0;
      for (let cores = node.argument; cores != 0; cores &= cores - 1) {
        sum += summand(node.when, place, first + ctz(cores), <u64>(node.subject & INVALIDATION_DOWNGRADE));
      }
      return sum;
    }
    case EventClass.FILL:
      return digestRequestEvent(node, 0);
    case EventClass.MESSAGE:
    case EventClass.DEVICE:
      return summand(node.when, changetype<Cpu>(node.subject).index, node.argument, 1);
    default:
      return digestDirectoryEvent(node);
  }
}

function digestRequestEvent(node: EventNode, kind: u64): u64 {
  const request = changetype<Request>(node.subject);
  return summand(node.when, request.cpu.index, node.argument, 4 * <u64>request.kind + kind);
}

function digestDirectoryEvent(node: EventNode): u64 {
  // A hint to the last-level cache, not a message.
  if ((node.when & 7) == EventClass.CACHE && (node.argument & 0xff) == CacheMessage.TRAIN) return 0;
  const isRequest = (node.when & 7) == EventClass.CACHE && (node.argument & 0xff) == 0;
  if (isRequest) return digestRequestEvent(node, 2);
  const entry = changetype<Entry>(node.subject);
  return summand(node.when, entry.home.line, entry.domain.index, node.argument + 3);
}
