// A member of a train: a parked CPU that has lost the line it reads in its loop, or is about to. It is WAITING from the
// moment its invalidation is decided until its request is granted, then GRANTED until its fill is behind it; and what it
// does in the meantime follows from where it stood in its loop (docs/time.md, "Trains"). The threads of a core share its
// copies: they join together, and leave together as soon as anything else concerns one of them.

import { Acceleration, CpuState } from "../../src/abi.ts";
import { Core, Cpu, NEVER, coreInDomain, threadOf } from "../cpu.ts";
import { bindsLoadsEarly, loadWaits } from "../architecture.ts";
import { machine } from "../machine.ts";
import { cycleOf, ticksOf } from "../time/limits.ts";
import {
  Spin,
  SpinLine,
  advanceTurns,
  spinLineOf,
  spinOf,
  stepToTicks,
  unparkTo,
  unparkToTicks,
} from "../time/spin.ts";
import { EventClass, isTaken } from "../time/wheel.ts";
import { loadBytes, storeBytes } from "./access.ts";
import { forgetInCore } from "./copies.ts";
import { enqueueLate, sendRequest } from "./directory.ts";
import { dropCopy, sendFill, sendInvalidation } from "./arrivals.ts";
import { Entry } from "./lines.ts";
import { addressOfLine } from "./map.ts";
import { accessRequest } from "./request.ts";
import {
  LAST_ARRIVAL,
  Train,
  advanceTrain,
  continueTrain,
  isTrainOf,
  leave,
  list,
  memberOf,
  memberOfThread,
  reopen,
  unlist,
} from "./train.ts";

export enum MemberPlace {
  /** The line will be lost, and asked for again by the load at `loadTicks`. */
  WAITING = 0,
  /** The load has missed, and gets the line at cycle `fill`. */
  GRANTED = 1,
  /** A sibling's fill brings the line back before the load: it doesn't miss. */
  SPARED = 2,
}


@unmanaged
export class Member {
  /** The Entry whose line it reads, or 0: it is no member. */
  entry: usize;
  generation: u32;
  /** MemberPlace */
  place: u32;
  cpu: Cpu;
  /** Its core's way to the last-level cache. */
  latency: u32;
  /** Ticks of a turn, and from its beginning to the load. */
  period: u32;
  phase: u32;
  /** Whole turns until the load that would miss next: see lasts(). */
  nextTurns: u32;
  /** Start of the turn from which others are counted, turns before that which the CPU's record doesn't know, and after. */
  head: u64;
  turnsBehind: u64;
  turnsLeft: u64;
  /**
   * Cycle at which the line is lost; start of the load that misses it, and whole turns until then; cycle of the last fill,
   * NEVER if a sibling's has spared the member that.
   */
  invalidation: u64;
  loadTicks: u64;
  fill: u64;
  loadTurns: u32;
  /** The same of an earlier load whose fill has yet to come, though the line is to be lost again; ticks 0 for none. */
  aheadTurns: u32;
  aheadTicks: u64;
}

export const MEMBER_BYTES: usize = 96;
if (offsetof<Member>() > MEMBER_BYTES) ERROR("Member outgrew its bytes");

/** Whether something that happens in a class of a cycle has happened, seen from within `cycle`. */
function isBehind(when: u64, cycle: u64, eventClass: EventClass): bool {
  return when < cycle || (when == cycle && isTaken(eventClass));
}

// --- joining ---------------------------------------------------------------------------------------------------------

/**
 * A core's copy is taken away by an invalidation sent at `at`.
 * @returns the core's latency if its CPUs join the train, so that there is no event; else 0
 */
export function enlist(entry: Entry, bit: u32, at: u64): u32 {
  const train = changetype<Train>(entry.domain.train);
  const latency = enlistAgain(train, entry, bit, at);
  return latency != 0 ? latency : enlistCore(train, entry, coreInDomain(entry.domain, bit), at);
}

/** As enlist(), of a core all of whose threads are in the train already: it is their records alone that are looked at. */
function enlistAgain(train: Train, entry: Entry, bit: u32, at: u64): u32 {
  let latency: u32 = 0;
  for (let thread: u32 = 0; thread < train.threads; thread++) {
    const member = memberOfThread(train, bit, thread);
    if (changetype<usize>(member) == 0) break;
    latency = member.latency;
    if (!mayAskAgain(train, entry, member) || !lasts(member, at + latency)) return 0;
  }
  for (let thread: u32 = 0; thread < train.threads; thread++) {
    const member = memberOfThread(train, bit, thread);
    if (changetype<usize>(member) != 0) askAgain(train, member, at + latency);
  }
  return latency;
}

function enlistCore(train: Train, entry: Entry, core: Core, at: u64): u32 {
  if (entry.writer == core.bit + 1) return 0;
  if (mayJoin(entry, core) && join(train, entry, core, at + core.latency)) return core.latency;
  // Nobody will look at the word that a fill brings for one that is not listed.
  if (core.members != 0 && entryOfMembers(core) == changetype<usize>(entry)) leave(core);
  return 0;
}

/**
 * An invalidation has reached a core whose CPUs were not parked when it was sent.
 * @returns whether they join the train: then that is all
 */
export function enlistLate(entry: Entry, core: Core, cycle: u64): bool {
  const train = changetype<Train>(entry.domain.train);
  if (!mayJoin(entry, core) || !join(train, entry, core, cycle)) return false;
  dropCopy(entry, core.bit, true);
  forgetInCore(core, addressOfLine(entry.home.line), true);
  continueTrain(entry);
  return true;
}

/** Whether a thread of a core spins on a line: then an invalidation is more than a message that ends a copy. */
export function isSpunOn(core: Core, line: u32): bool {
  if (core.watchers == 0) return false;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const cpu = threadOf(core, thread);
    if (cpu.parked != 0 && changetype<usize>(spinLineOf(spinOf(cpu), line)) != 0) return true;
  }
  return false;
}

/** Whether no thread of a core is doing anything but spinning or waiting, or must see the line go. */
function mayJoin(entry: Entry, core: Core): bool {
  if ((machine().accelerations & Acceleration.SPIN_TRAINS) == 0) return false;
  let parked = false;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const cpu = threadOf(core, thread);
    const line = memberOf(cpu).entry;
    if (cpu.watchedLine == entry.home.line + 1 || (line != 0 && line != changetype<usize>(entry))) return false;
    if (cpu.parked != 0) parked = true;
    else if (cpu.state == CpuState.RUNNING) return false;
  }
  return parked;
}

function join(train: Train, entry: Entry, core: Core, invalidation: u64): bool {
  let joining = false;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const cpu = threadOf(core, thread);
    if (cpu.parked == 0) continue;
    const line = spinLineOf(spinOf(cpu), entry.home.line);
    if (changetype<usize>(line) == 0) continue;
    if (!isTrainOf(train, entry, line) && (joining || !reopen(train, entry, line))) return false;
    if (!fits(train, entry, cpu, line, invalidation)) return false;
    joining = true;
  }
  if (!joining) return false;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const cpu = threadOf(core, thread);
    const line = spinLineOf(spinOf(cpu), entry.home.line);
    if (cpu.parked != 0 && changetype<usize>(line) != 0) joinThread(train, entry, cpu, line, invalidation);
  }
  return true;
}

/** Whether a parked CPU that reads the line can join the train, or is in it. */
function fits(train: Train, entry: Entry, cpu: Cpu, line: SpinLine, invalidation: u64): bool {
  const spin = spinOf(cpu);
  if (line.size == 0 || invalidation > LAST_ARRIVAL || spin.period >>> 31 != 0) return false;
  const member = memberOf(cpu);
  if (member.entry != 0) return mayAskAgain(train, entry, member) && lasts(member, invalidation);
  const turns = turnsUntil(cpu.clock + line.phase, invalidation, spin.period);
  return turns >>> 31 == 0 && turns + 1 < spin.turns;
}

/** Whether a member's loop goes on until the load that misses, and behind it. Counts the turns until then. */
// @ts-ignore: decorator
@inline
function lasts(member: Member, invalidation: u64): bool {
  const before = member.place == MemberPlace.GRANTED ? member.loadTurns : 0;
  const turns = turnsUntil(nextLoad(member), invalidation, member.period);
  member.nextTurns = <u32>turns;
  return invalidation <= LAST_ARRIVAL && turns >>> 31 == 0 && turns + before + 1 < member.turnsLeft;
}

/** Start of a load of a member's that finds the line there. */
// @ts-ignore: decorator
@inline
function nextLoad(member: Member): u64 {
  return member.place == MemberPlace.GRANTED ? ticksOf(member.fill) : member.head + member.phase;
}

/** Whole turns from a load to the first that starts in a cycle or behind it. */
function turnsUntil(load: u64, cycle: u64, period: u64): u64 {
  const first = ticksOf(cycle);
  if (load >= first) return 0;
  const sum = first - load + period - 1;
  // Mostly of numbers that fit 32 bits, which is faster.
  return (sum | period) >>> 32 == 0 ? <u64>(<u32>sum / <u32>period) : sum / period;
}

function joinThread(train: Train, entry: Entry, cpu: Cpu, line: SpinLine, invalidation: u64): void {
  const member = memberOf(cpu);
  if (member.entry == 0) {
    const spin = spinOf(cpu);
    member.entry = changetype<usize>(entry);
    member.generation = train.generation;
    member.place = MemberPlace.SPARED;
    member.fill = NEVER;
    member.cpu = cpu;
    member.latency = cpu.core.latency;
    member.period = <u32>spin.period;
    member.phase = line.phase;
    member.head = cpu.clock;
    member.turnsBehind = 0;
    member.turnsLeft = spin.turns;
    cpu.core.members++;
    lasts(member, invalidation);
  }
  askAgain(train, member, invalidation);
}

/**
 * Whether a member of this train has been granted the line and may lose it again. For one that has asked while a sibling has
 * been granted, what happens to the core's copy is beyond its record.
 */
// @ts-ignore: decorator
@inline
function mayAskAgain(train: Train, entry: Entry, member: Member): bool {
  return (
    member.entry == changetype<usize>(entry) &&
    train.entry == changetype<usize>(entry) &&
    member.generation == train.generation &&
    member.place != MemberPlace.WAITING
  );
}

/** A member whose loop lasts loses the line at a cycle, and asks for it again. */
function askAgain(train: Train, member: Member, invalidation: u64): void {
  const load = nextLoad(member);
  if (member.place == MemberPlace.GRANTED) goOnFromFill(member);
  else member.aheadTicks = 0;
  member.place = MemberPlace.WAITING;
  member.invalidation = invalidation;
  member.loadTurns = member.nextTurns;
  member.loadTicks = load + <u64>member.nextTurns * member.period;
  list(train, cycleOf(member.loadTicks) + member.latency, member.cpu.slot);
}

/** Goes on from the fill, as if the turn had begun just early enough for the load. */
function goOnFromFill(member: Member): void {
  member.aheadTurns = member.loadTurns;
  member.aheadTicks = isBehind(member.fill, machine().now, EventClass.FILL) ? 0 : member.loadTicks;
  member.head = ticksOf(member.fill) - member.phase;
  member.turnsBehind += member.loadTurns;
  if (member.turnsLeft != NEVER) member.turnsLeft -= member.loadTurns;
}

/** Takes goOnFromFill() back. */
function waitForFill(member: Member): void {
  member.loadTurns = member.aheadTurns;
  member.loadTicks = member.aheadTicks;
  member.turnsBehind -= member.loadTurns;
  if (member.turnsLeft != NEVER) member.turnsLeft += member.loadTurns;
  member.head = member.loadTicks - member.phase - <u64>member.loadTurns * member.period;
}

/** The last-level cache has granted a member's request. */
export function grant(train: Train, member: Member, fill: u64): void {
  member.place = MemberPlace.GRANTED;
  member.fill = fill;
  if (train.threads != 1) spareSiblings(train, member);
}

function spareSiblings(train: Train, granted: Member): void {
  const core = granted.cpu.core;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const member = memberOf(threadOf(core, thread));
    if (member.entry != granted.entry || member.place != MemberPlace.WAITING) continue;
    if (cycleOf(member.loadTicks) < granted.fill) continue;
    unlist(train, member);
    member.place = MemberPlace.SPARED;
    member.fill = NEVER;
  }
}

// --- leaving ---------------------------------------------------------------------------------------------------------

/** Turns that a member has behind it at a cycle, beside those that the CPU's record knows. */
export function memberTurnsBy(member: Member, cycle: u64): u64 {
  const until = ticksOf(cycle);
  let head = member.head;
  let turns = member.turnsBehind;
  let most: u64 = NEVER;
  if (member.place == MemberPlace.WAITING) most = member.loadTurns;
  else if (member.place == MemberPlace.GRANTED) {
    turns += member.loadTurns;
    head = ticksOf(member.fill) - member.phase;
  }
  return turns + (until <= head ? 0 : min((until - head) / member.period, most));
}

/** Brings the members among a core's threads up to a cycle: they are parked no longer. */
export function settleMembers(core: Core, cycle: u64): void {
  const train = changetype<Train>(core.domain.train);
  const entry = changetype<Entry>(entryOfMembers(core));
  // Behind the arrivals of this cycle, those are granted too.
  advanceTrain(entry, isTaken(EventClass.CACHE) ? cycle + 1 : cycle);
  const invalidation = pendingInvalidation(core, cycle);
  const holds = holdsLine(core, cycle, invalidation);
  // While they are stepped up to here, the copy that they have lost meanwhile is still there.
  let blocked: u32 = 0;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const cpu = threadOf(core, thread);
    const member = memberOf(cpu);
    if (member.entry == 0) continue;
    unlist(train, member);
    if (stepMember(entry, member, cycle)) blocked |= (<u32>1) << thread;
    member.entry = 0;
  }
  core.members = 0;
  if (!holds) {
    dropCopy(entry, core.bit, false);
    forgetInCore(core, addressOfLine(entry.home.line), false);
  }
  if (invalidation != NEVER) sendInvalidation(entry, core, invalidation);
  for (; blocked != 0; blocked &= blocked - 1) awaitLine(entry, threadOf(core, ctz(blocked)), cycle);
}

/** The Entry whose train a core's threads are in, or 0. */
export function entryOfMembers(core: Core): usize {
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const member = memberOf(threadOf(core, thread));
    if (member.entry != 0) return member.entry;
  }
  return 0;
}

/** The invalidation of the core's copy that has been sent and has not arrived, or NEVER. */
function pendingInvalidation(core: Core, cycle: u64): u64 {
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const member = memberOf(threadOf(core, thread));
    if (member.entry == 0 || member.place != MemberPlace.WAITING) continue;
    if (!isBehind(member.invalidation, cycle, EventClass.INVALIDATE)) return member.invalidation;
  }
  return NEVER;
}

/**
 * Whether the core holds the line: it has not lost it yet, or a member's fill has brought it back. Before it is lost again, a
 * fill may still be on its way, behind that of a sibling.
 */
function holdsLine(core: Core, cycle: u64, pendingInvalidation: u64): bool {
  let lost = pendingInvalidation == NEVER;
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const member = memberOf(threadOf(core, thread));
    if (member.entry == 0) continue;
    if (pendingInvalidation == NEVER) {
      if (member.place != MemberPlace.GRANTED) continue;
    } else if (member.place != MemberPlace.WAITING || member.invalidation != pendingInvalidation) {
      continue;
    }
    if (isBehind(member.fill, cycle, EventClass.FILL)) return true;
    if (member.place == MemberPlace.GRANTED || member.aheadTicks != 0) lost = true;
  }
  return !lost;
}

/** Steps a member up to a cycle, or to the load that waits for the line. @returns whether it waits: for its fill if GRANTED */
function stepMember(entry: Entry, member: Member, cycle: u64): bool {
  const granted = member.place == MemberPlace.GRANTED;
  const isAhead = member.place == MemberPlace.WAITING && member.aheadTicks != 0;
  const filled = isBehind(member.fill, cycle, EventClass.FILL);
  if (granted && filled) goOnFromFill(member);
  if (isAhead && !filled) {
    waitForFill(member);
    member.place = MemberPlace.GRANTED;
  }
  const cpu = member.cpu;
  const spin = spinOf(cpu);
  cpu.clock = member.head;
  spin.turns = member.turnsLeft;
  spin.turnsBehind = member.turnsBehind;
  if (waits(member, filled, cycle)) {
    block(cpu, spin, entry, member);
    return true;
  }
  const within: u64 = bindsLoadsEarly() ? BOUND_WITHIN_CYCLES : 0;
  if (filled && cycle - member.fill <= within) stepFromFill(cpu, spin, entry.home.line, member.fill, cycle);
  else unparkAsItWas(cpu, spin, entry.home.line, cycle);
  return false;
}

/** So long after its load has been made, a CPU may have one before it that was bound while the first waited (arm64/early.ts). */
const BOUND_WITHIN_CYCLES: u64 = 256;

/** Steps a CPU whose load has been made at `fill`; if that is this very cycle, with the fill. */
function stepFromFill(cpu: Cpu, spin: Spin, line: u32, fill: u64, cycle: u64): void {
  const read = spinLineOf(spin, line);
  const now = loadBytes(read.host, read.size);
  advanceTurns(cpu, spin, 0);
  if (fill != cycle) storeBytes(read.host, read.size, read.value);
  unparkToTicks(cpu, ticksOf(fill));
  loadWaits(cpu, line);
  stepToTicks(cpu, fill == cycle ? ticksOf(cycle) + 1 : ticksOf(cycle));
  storeBytes(read.host, read.size, now);
}

function waits(member: Member, filled: bool, cycle: u64): bool {
  if (member.place == MemberPlace.GRANTED) return !filled;
  if (member.place == MemberPlace.SPARED || cycleOf(member.loadTicks) >= cycle) return false;
  return isBehind(member.invalidation, cycle, EventClass.INVALIDATE);
}

/** Steps a CPU whose last load may have found the word there that has changed since. */
function unparkAsItWas(cpu: Cpu, spin: Spin, line: u32, cycle: u64): void {
  const read = spinLineOf(spin, line);
  const now = loadBytes(read.host, read.size);
  storeBytes(read.host, read.size, read.value);
  unparkTo(cpu, spin, cycle);
  storeBytes(read.host, read.size, now);
}

/** Steps the CPU to its load, where it waits for the line. */
function block(cpu: Cpu, spin: Spin, entry: Entry, member: Member): void {
  advanceTurns(cpu, spin, member.loadTurns);
  unparkToTicks(cpu, member.loadTicks);
  assert(cpu.clock == member.loadTicks, "a member of a train is not at its load");

  cpu.state = CpuState.BLOCKED;
  cpu.resumed = 1;
  cpu.loopVisits = 0;
  const request = accessRequest(cpu);
  request.line = entry.home.line;
  request.write = 0;
  request.entry = changetype<usize>(entry);
  request.arrival = cycleOf(member.loadTicks) + member.latency;
  loadWaits(cpu, request.line);
}

/** A blocked CPU's fill is on its way, or its request is: or it waits at the last-level cache. */
function awaitLine(entry: Entry, cpu: Cpu, cycle: u64): void {
  const member = memberOf(cpu);
  const request = accessRequest(cpu);
  if (member.place == MemberPlace.GRANTED) {
    sendFill(request, member.fill, false);
    return;
  }
  machine().missCount++;
  if (isBehind(request.arrival, cycle, EventClass.CACHE)) enqueueLate(entry, request);
  else sendRequest(request);
}
