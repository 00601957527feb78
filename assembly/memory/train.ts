// Trains: parked spinners of one domain that read the same word of a line. When the line is taken from them they will all
// ask for it again, one behind the other, find the word as it was, and go on spinning: every cycle of that follows from
// where each stood in its loop. So they stay parked, and what an event per message would have done is computed
// (docs/time.md, "Trains"). Here is the line's side: who asks when, and what the last-level cache grants; the side of the
// members is in member.ts.
//
// Grants are decided when requests arrive, as for all others; while nothing else happens at the last-level cache they may
// be written down later. Early in each period in which the line is shared, one event checks that the word is what it was.

import { Core, Cpu, Domain, NEVER, coreInDomain, threadOf } from "../cpu.ts";
import { machine, reserve } from "../machine.ts";
import { continueLater } from "../time/run.ts";
import { SpinLine } from "../time/spin.ts";
import { EventClass, schedule } from "../time/wheel.ts";
import { loadBytes } from "./access.ts";
import { CacheMessage, decideRead, entryIsUnused } from "./directory.ts";
import { Entry, LineState } from "./lines.ts";
import { Request } from "./request.ts";
import { MEMBER_BYTES, Member, grant, settleMembers } from "./member.ts";

/** One per domain: the line that has a train there, if any. Behind it: slots by core and thread, keys, members. */
@unmanaged
export class Train {
  /** The line's Entry; it may have no members left. */
  entry: usize;
  /** Counts what has been read here: members of an earlier word or line are not of this train. */
  generation: u32;
  /** Members listed, the first `granted` of which have been granted since the line became shared; where the list begins. */
  count: u32;
  granted: u32;
  first: u32;
  /** The word that all read: where, how long, and what they have seen there. */
  host: usize;
  size: u32;
  value: u64;
  /** Whether the word has been found unchanged since the line became shared; else the cycle at which it will be checked. */
  checked: u32;
  checkCycle: u64;
  /** Arrival for which a TRAIN event is scheduled. */
  eventCycle: u64;
  /** CPUs of the domain; threads per core, at most. */
  capacity: u32;
  threads: u32;
  keys: usize;
  members: usize;
}

const SLOTS: usize = 96;
if (offsetof<Train>() > SLOTS) ERROR("Train outgrew its bytes");
const NO_SLOT: u16 = 0xffff;
/** Key of a listed member: arrival of its request << 16 | slot. Slots are in the order of CPU numbers. */
const SLOT_BITS: u64 = 16;
/** Arrivals must fit above the slot. */
export const LAST_ARRIVAL: u64 = (<u64>1) << 47;

/** Reserves the train of a domain whose cores and threads are known. */
export function openTrain(domain: Domain): bool {
  let threads: u32 = 1;
  for (let bit: u32 = 0; bit < domain.coreCount; bit++) threads = max(threads, coreInDomain(domain, bit).threadCount);
  const slotBytes = (((<usize>domain.coreCount * threads) << 1) + 7) & ~(<usize>7);
  const keyBytes = (<usize>domain.cpuCount) << 3;
  domain.train = reserve(SLOTS + slotBytes + keyBytes + <usize>domain.cpuCount * MEMBER_BYTES, 64);
  if (domain.train == 0) return false;
  const train = changetype<Train>(domain.train);
  train.threads = threads;
  train.capacity = domain.cpuCount;
  train.keys = domain.train + SLOTS + slotBytes;
  train.members = train.keys + keyBytes;
  train.checkCycle = train.eventCycle = NEVER;
  for (let bit: u32 = 0; bit < domain.coreCount; bit++) nameSlots(domain, train, bit);
  return true;
}

function nameSlots(domain: Domain, train: Train, bit: u32): void {
  const core = coreInDomain(domain, bit);
  for (let thread: u32 = 0; thread < train.threads; thread++) {
    const slot = thread < core.threadCount ? <u16>threadOf(core, thread).slot : NO_SLOT;
    store<u16>(slotAddress(train, bit, thread), slot);
  }
}

// @ts-ignore: decorator
@inline
function slotAddress(train: Train, bit: u32, thread: u32): usize {
  return changetype<usize>(train) + SLOTS + ((<usize>(bit * train.threads + thread)) << 1);
}

// @ts-ignore: decorator
@inline
function memberAt(train: Train, slot: u32): Member {
  return changetype<Member>(train.members + <usize>slot * MEMBER_BYTES);
}

/** What a train knows of a thread of one of the domain's cores, or null when the core has no such thread. */
// @ts-ignore: decorator
@inline
export function memberOfThread(train: Train, bit: u32, thread: u32): Member {
  const slot = <u32>load<u16>(slotAddress(train, bit, thread));
  return slot == <u32>NO_SLOT ? changetype<Member>(0) : memberAt(train, slot);
}

// @ts-ignore: decorator
@inline
export function memberOf(cpu: Cpu): Member {
  return memberAt(changetype<Train>(cpu.core.domain.train), cpu.slot);
}

/** The train of a line in a domain, or null. */
// @ts-ignore: decorator
@inline
function trainOf(entry: Entry): Train {
  const train = changetype<Train>(entry.domain.train);
  return changetype<Train>(train.entry == changetype<usize>(entry) ? changetype<usize>(train) : 0);
}

export function hasTrain(entry: Entry): bool {
  return changetype<Train>(entry.domain.train).entry == changetype<usize>(entry);
}

// @ts-ignore: decorator
@inline
function exists(train: Train): bool {
  return changetype<usize>(train) != 0;
}

// --- the list --------------------------------------------------------------------------------------------------------

// @ts-ignore: decorator
@inline
function keyAt(train: Train, index: u32): usize {
  return train.keys + ((<usize>(train.first + index)) << 3);
}

// @ts-ignore: decorator
@inline
function headKey(train: Train): u64 {
  return load<u64>(keyAt(train, train.granted));
}

// @ts-ignore: decorator
@inline
function headArrival(train: Train): u64 {
  return headKey(train) >>> SLOT_BITS;
}

// @ts-ignore: decorator
@inline
function listedMember(train: Train, index: u32): Member {
  return memberAt(train, (<u32>load<u64>(keyAt(train, index))) & 0xffff);
}

/** Lists a member whose request arrives at a cycle. */
export function list(train: Train, arrival: u64, slot: u32): void {
  if (train.first + train.count == train.capacity) {
    memory.copy(train.keys, keyAt(train, 0), (<usize>train.count) << 3);
    train.first = 0;
  }
  const key = (arrival << SLOT_BITS) | slot;
  let index = train.count++;
  while (index > train.granted) {
    const before = load<u64>(keyAt(train, index - 1));
    if (before < key) break;
    store<u64>(keyAt(train, index), before);
    index--;
  }
  store<u64>(keyAt(train, index), key);
}

/** Takes a member off the list, if it is there. */
export function unlist(train: Train, member: Member): void {
  for (let index: u32 = 0; index < train.count; index++) {
    if (listedMember(train, index) != member) continue;
    remove(train, index);
    return;
  }
}

function remove(train: Train, index: u32): void {
  if (index < train.granted) train.granted--;
  train.count--;
  if (index == 0) train.first++;
  else memory.copy(keyAt(train, index), keyAt(train, index + 1), (<usize>(train.count - index)) << 3);
}

/** Whether this is the train of those who read a word of a line and have seen the same there. */
export function isTrainOf(train: Train, entry: Entry, line: SpinLine): bool {
  return (
    train.entry == changetype<usize>(entry) &&
    train.host == line.host &&
    train.size == line.size &&
    train.value == line.value
  );
}

/** A train without members becomes that of another word, or of the same. @returns false when there are some */
export function reopen(train: Train, entry: Entry, line: SpinLine): bool {
  if (train.count != 0) return false;
  train.entry = changetype<usize>(entry);
  train.generation++;
  train.first = train.granted = train.checked = 0;
  train.host = line.host;
  train.size = line.size;
  train.value = line.value;
  train.checkCycle = train.eventCycle = NEVER;
  return true;
}

// --- at the last-level cache -----------------------------------------------------------------------------------------

/** Whether reads are granted without asking or telling anybody else. */
// @ts-ignore: decorator
@inline
function readsAreFree(entry: Entry): bool {
  return (
    entry.owner == 0 &&
    (entry.state == LineState.SHARED || (entry.state == LineState.MODIFIED && !entryIsUnused(entry)))
  );
}

/** While a request is being decided, no other is. */
let deciding: bool = false;

/** Something is about to happen to a line in a cycle: what has arrived before that has been granted. */
export function advanceTrain(entry: Entry, cycle: u64): void {
  const train = trainOf(entry);
  if (!exists(train) || deciding || entry.pending != 0 || !readsAreFree(entry)) return;
  while (train.granted < train.count) {
    const arrival = headArrival(train);
    if (arrival >= cycle) return;
    grantHead(entry, train, max(arrival, entry.free));
  }
}

/** Whether the next request to serve is a member's: it has arrived by `cycle`, and before the first of the queue. */
export function memberIsNext(entry: Entry, cycle: u64): bool {
  const train = trainOf(entry);
  if (!exists(train) || train.granted == train.count || headArrival(train) > cycle) return false;
  if (entry.queueHead == 0) return true;
  const first = changetype<Request>(entry.queueHead);
  return headKey(train) < ((first.arrival << SLOT_BITS) | first.cpu.slot);
}

/** Grants the next member's request at a cycle. A member whose core would get more than it asks for leaves the train. */
export function grantNextMember(entry: Entry, at: u64): void {
  const train = trainOf(entry);
  const core = listedMember(train, train.granted).cpu.core;
  const isAlone = entry.owner == 0 && entry.state == LineState.MODIFIED && entryIsUnused(entry);
  // Its sibling has just got the line to write.
  const isOwner = entry.owner == core.bit + 1;
  if (isAlone || isOwner) leave(core);
  else grantHead(entry, train, at);
}

function grantHead(entry: Entry, train: Train, at: u64): void {
  const member = listedMember(train, train.granted);
  const ready = decideRead(entry, member.cpu.core, at);
  machine().missCount++;
  if (train.checked != 0) {
    remove(train, train.granted);
  } else {
    train.granted++;
    if (train.checkCycle == NEVER) {
      // Whoever could write the line has lost it by `ready`, and no fill is earlier than the cycle behind.
      train.checkCycle = ready + 1;
      schedule(ready + 1, EventClass.INVALIDATE, changetype<usize>(entry), 0);
    }
  }
  grant(train, member, ready + member.latency);
}

/** A line has been served: sees to it that the train's next request is not missed. */
export function continueTrain(entry: Entry): void {
  const train = trainOf(entry);
  if (!exists(train) || train.granted == train.count || entry.pending != 0) return;
  if ((train.checked != 0 || train.checkCycle != NEVER) && readsAreFree(entry)) return;
  const arrival = headArrival(train);
  if (arrival >= train.eventCycle) return;
  train.eventCycle = arrival;
  machine().directoryEvents++;
  schedule(arrival, EventClass.CACHE, changetype<usize>(entry), <u64>CacheMessage.TRAIN);
}

/** The TRAIN event has come. */
export function trainArrives(entry: Entry, cycle: u64): void {
  const train = trainOf(entry);
  if (exists(train) && train.eventCycle == cycle) train.eventCycle = NEVER;
}

/**
 * The domain's copies are about to be taken. Granted members that have not been checked are enlisted again or leave; the
 * word that their fills bring will be looked at nevertheless.
 */
export function endSharing(entry: Entry): void {
  const train = trainOf(entry);
  if (!exists(train)) return;
  train.first += train.granted;
  train.count -= train.granted;
  train.granted = train.checked = 0;
  train.checkCycle = NEVER;
}

/** A word has been shared for long enough to see whether it is what it was: now, or before it was taken away again. */
export function checkTrain(entry: Entry, cycle: u64): void {
  const train = trainOf(entry);
  if (!exists(train)) return;
  if (loadBytes(train.host, train.size) != train.value) {
    advanceTrain(entry, cycle);
    dismantle(train);
    return;
  }
  if (train.checkCycle != cycle) return;
  train.checkCycle = NEVER;
  train.checked = 1;
  train.first += train.granted;
  train.count -= train.granted;
  train.granted = 0;
}

/** Puts every member where its messages have it; requests that have arrived and were not granted stay ungranted. */
function dismantle(train: Train): void {
  while (train.count != 0) leave(listedMember(train, train.count - 1).cpu.core);
}

/**
 * A core leaves its train while something is being decided. Its CPUs go on later: what the decision sends to them is not
 * under way yet.
 */
export function leave(core: Core): void {
  deciding = true;
  settleMembers(core, machine().now);
  deciding = false;
  continueLater(core, machine().now);
}
