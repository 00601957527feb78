// Trains: parked spinners of one domain that read the same word of a line. When the line is taken from them they will all
// ask for it again, one behind the other, find the word as it was, and go on spinning: every cycle of that follows from
// where each stood in its loop. So they stay parked, and what an event per message would have done is computed
// (docs/time.md, "Trains"). As soon as anything else concerns a member, it is put where its messages would have it.
//
// A member is WAITING from the moment its invalidation is decided until its request is granted, then GRANTED until its
// fill is behind it. Grants are decided when requests arrive, as for all others; while nothing else happens at the
// last-level cache they may be written down later. Early in each period in which the line is shared, one event checks
// that the word is what it was.

import { Acceleration, CpuState, Timing } from "../../src/abi.ts";
import { Core, Cpu, Domain, NEVER, cpuAt, threadOf } from "../cpu.ts";
import { machine, reserve, timing } from "../machine.ts";
import { cycleOf, ticksOf } from "../time/bounds.ts";
import { catchUpParked, continueAfterDelivery } from "../time/run.ts";
import { Spin, SpinLine, SpinTrain, advanceTurns, spinLineOf, spinOf, unparkTo, unparkToTicks } from "../time/spin.ts";
import { EventClass, isTaken, schedule } from "../time/wheel.ts";
import { loadBytes, storeBytes } from "./access.ts";
import { forgetInCore } from "./copies.ts";
import { CacheMessage, decideRead, dropCopy, enqueueLate, entryIsUnused, expectLine } from "./directory.ts";
import { Entry, LineState } from "./lines.ts";
import { addressOfLine } from "./map.ts";

/** One per domain: the line that has a train there, if any. Behind the fields: arrival << 16 | CPU, ascending. */
@unmanaged
export class Train {
  /** 0: there is no train. */
  entry: usize;
  /** Members listed, of which the first `granted` have been granted since the line became shared. */
  count: u32;
  granted: u32;
  /** The word that all read: where, how long, and what they have seen there. */
  host: usize;
  size: u32;
  value: u64;
  /** Whether the word has been found unchanged since the line became shared; else the cycle at which it will be checked. */
  checked: u32;
  checkCycle: u64;
  /** Arrival for which a TRAIN event is scheduled. */
  eventCycle: u64;
}

const TRAIN_KEYS: usize = 64;
if (offsetof<Train>() > TRAIN_KEYS) ERROR("Train outgrew its bytes");
const INDEX_BITS: u64 = 16;
/** Arrivals must fit above the CPU number. */
const LAST_ARRIVAL: u64 = (<u64>1) << 47;

export function openTrain(domain: Domain): bool {
  domain.train = reserve(TRAIN_KEYS + ((<usize>domain.coreCount) << 3), 64);
  return domain.train != 0;
}

/** The train of a line in a domain, or null. */
// @ts-ignore: decorator
@inline
export function trainOf(entry: Entry): Train {
  const train = changetype<Train>(entry.domain.train);
  return changetype<Train>(train.entry == changetype<usize>(entry) ? changetype<usize>(train) : 0);
}

// @ts-ignore: decorator
@inline
function hasTrain(train: Train): bool {
  return changetype<usize>(train) != 0;
}

// @ts-ignore: decorator
@inline
function keyAt(train: Train, index: u32): usize {
  return changetype<usize>(train) + TRAIN_KEYS + ((<usize>index) << 3);
}

// @ts-ignore: decorator
@inline
function headArrival(train: Train): u64 {
  return load<u64>(keyAt(train, train.granted)) >>> INDEX_BITS;
}

// @ts-ignore: decorator
@inline
function memberAt(train: Train, index: u32): Cpu {
  return cpuAt((<u32>load<u64>(keyAt(train, index))) & 0xffff);
}

// --- joining ---------------------------------------------------------------------------------------------------------

/**
 * A core's copy is taken away by an invalidation sent at `at`.
 * @returns whether the core's CPU joins the train: then there is no event
 */
export function enlist(entry: Entry, core: Core, at: u64): bool {
  const cpu = threadOf(core, 0);
  if (!mayJoin(entry, core, cpu) || entry.writer == core.bit + 1) return false;
  const spin = spinOf(cpu);
  if (join(entry, core, cpu, spin, at + core.latency)) return true;
  // The word that its fill brings has not been looked at, and nobody will look at it for one that is not listed.
  if (isGranted(spin, entry) && !isBehind(spin.fill, machine().now, EventClass.FILL)) takeOut(cpu);
  return false;
}

/**
 * An invalidation has reached a core that was not parked when it was sent.
 * @returns whether the core's CPU joins the train: then that is all
 */
export function enlistLate(entry: Entry, core: Core, cycle: u64): bool {
  const cpu = threadOf(core, 0);
  if (!mayJoin(entry, core, cpu) || !join(entry, core, cpu, spinOf(cpu), cycle)) return false;
  dropCopy(entry, core.bit, true);
  forgetInCore(core, addressOfLine(entry.home.line), true);
  continueTrain(entry);
  return true;
}

function mayJoin(entry: Entry, core: Core, cpu: Cpu): bool {
  if (core.threadCount != 1 || cpu.parked == 0) return false;
  if ((machine().accelerations & Acceleration.SPIN_TRAINS) == 0) return false;
  // A monitor or an exclusive reservation must see the line go.
  return cpu.watchedLine != entry.home.line + 1;
}

function join(entry: Entry, core: Core, cpu: Cpu, spin: Spin, invalidation: u64): bool {
  const granted = isGranted(spin, entry);
  if (invalidation > LAST_ARRIVAL || (spin.train != SpinTrain.NONE && !granted)) return false;
  const line = spinLineOf(spin, entry.home.line);
  if (changetype<usize>(line) == 0 || line.size == 0) return false;
  const first = ticksOf(invalidation);
  const load = granted ? ticksOf(spin.fill) : cpu.clock + line.phase;
  const turns = load >= first ? 0 : turnsUntil(first - load, spin.period);
  if (turns + 1 + (granted ? spin.loadTurns : 0) >= spin.turns) return false;
  const train = changetype<Train>(entry.domain.train);
  if (!suits(train, entry, line)) return false;
  if (granted) goOnSpinning(cpu, spin);
  else spin.aheadTicks = 0;
  spin.train = SpinTrain.WAITING;
  spin.trainEntry = changetype<usize>(entry);
  spin.invalidation = invalidation;
  spin.phase = line.phase;
  spin.loadTurns = turns;
  spin.loadTicks = load + turns * spin.period;
  insert(train, ((cycleOf(spin.loadTicks) + core.latency) << INDEX_BITS) | cpu.index);
  return true;
}

// @ts-ignore: decorator
@inline
function isGranted(spin: Spin, entry: Entry): bool {
  return spin.train == SpinTrain.GRANTED && spin.trainEntry == changetype<usize>(entry);
}

function suits(train: Train, entry: Entry, line: SpinLine): bool {
  if (train.count == 0) {
    train.entry = changetype<usize>(entry);
    train.count = train.granted = train.checked = 0;
    train.host = line.host;
    train.size = line.size;
    train.value = line.value;
    train.checkCycle = train.eventCycle = NEVER;
    return true;
  }
  return (
    train.entry == changetype<usize>(entry) &&
    train.host == line.host &&
    train.size == line.size &&
    train.value == line.value
  );
}

/** Divides, rounding up; mostly of numbers that fit 32 bits, which is faster. */
function turnsUntil(ticks: u64, period: u64): u64 {
  const sum = ticks + period - 1;
  return (sum | period) >>> 32 == 0 ? <u64>(<u32>sum / <u32>period) : sum / period;
}

function insert(train: Train, key: u64): void {
  let index = train.count++;
  while (index > train.granted) {
    const before = load<u64>(keyAt(train, index - 1));
    if (before < key) break;
    store<u64>(keyAt(train, index), before);
    index--;
  }
  store<u64>(keyAt(train, index), key);
}

/** A granted member goes on from its fill, as if the turn had begun just early enough for the load. */
function goOnSpinning(cpu: Cpu, spin: Spin): void {
  spin.aheadTurns = spin.loadTurns;
  spin.aheadTicks = isBehind(spin.fill, machine().now, EventClass.FILL) ? 0 : spin.loadTicks;
  cpu.clock = ticksOf(spin.fill) - spin.phase;
  spin.turnsBehind += spin.loadTurns;
  if (spin.turns != NEVER) spin.turns -= spin.loadTurns;
}

/** Takes goOnSpinning() back: the member waits for its fill again. */
function waitForFill(cpu: Cpu, spin: Spin): void {
  spin.loadTurns = spin.aheadTurns;
  spin.loadTicks = spin.aheadTicks;
  spin.turnsBehind -= spin.loadTurns;
  if (spin.turns != NEVER) spin.turns += spin.loadTurns;
  cpu.clock = spin.loadTicks - spin.phase - spin.loadTurns * spin.period;
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

/** Something is about to happen to a line in a cycle: what has arrived before that has been granted. */
export function advanceTrain(entry: Entry, cycle: u64): void {
  const train = trainOf(entry);
  if (!hasTrain(train) || deciding || entry.pending != 0 || !readsAreFree(entry)) return;
  while (train.granted < train.count) {
    const arrival = headArrival(train);
    if (arrival >= cycle) return;
    grantMember(entry, train, max(arrival, entry.free));
  }
}

/** Whether the next request to serve is a member's: it has arrived by `cycle`, and before the first of the queue. */
export function memberIsNext(entry: Entry, cycle: u64): bool {
  const train = trainOf(entry);
  if (!hasTrain(train) || train.granted == train.count || headArrival(train) > cycle) return false;
  if (entry.queueHead == 0) return true;
  const first = changetype<Cpu>(entry.queueHead);
  return load<u64>(keyAt(train, train.granted)) < ((first.requestArrival << INDEX_BITS) | first.index);
}

/** Grants the next member's request at a cycle. A member that would get the line for itself alone leaves the train. */
export function grantNextMember(entry: Entry, at: u64): void {
  const train = trainOf(entry);
  if (entry.owner == 0 && entry.state == LineState.MODIFIED && entryIsUnused(entry)) {
    const cpu = memberAt(train, train.granted);
    catchUpParked(cpu);
    return;
  }
  grantMember(entry, train, at);
}

function grantMember(entry: Entry, train: Train, at: u64): void {
  const cpu = memberAt(train, train.granted);
  const spin = spinOf(cpu);
  const ready = decideRead(entry, cpu.core, at);
  spin.train = SpinTrain.GRANTED;
  spin.fill = ready + cpu.core.latency;
  machine().missCount++;
  if (train.checked != 0) {
    remove(train, train.granted);
    return;
  }
  train.granted++;
  if (train.checkCycle == NEVER) {
    // Whoever could write the line has lost it by `ready`, and no fill is earlier than the cycle behind.
    train.checkCycle = ready + 1;
    schedule(ready + 1, EventClass.INVALIDATE, changetype<usize>(entry), 0);
  }
}

/** A line has been served: sees to it that the train's next request is not missed. */
export function continueTrain(entry: Entry): void {
  const train = trainOf(entry);
  if (!hasTrain(train) || train.granted == train.count || entry.pending != 0) return;
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
  if (hasTrain(train) && train.eventCycle == cycle) train.eventCycle = NEVER;
}

/**
 * The domain's copies are about to be taken. Granted members that have not been checked are enlisted again or leave; the
 * word that their fills bring will be looked at nevertheless.
 */
export function endSharing(entry: Entry): void {
  const train = trainOf(entry);
  if (!hasTrain(train)) return;
  for (; train.granted != 0; train.granted--) removeKey(train, 0);
  train.checked = 0;
  train.checkCycle = NEVER;
}

/** A word has been shared for long enough to see whether it is what it was: now, or before it was taken away again. */
export function checkTrain(entry: Entry, cycle: u64): void {
  const train = trainOf(entry);
  if (!hasTrain(train)) return;
  if (loadBytes(train.host, train.size) != train.value) {
    advanceTrain(entry, cycle);
    dismantle(train);
    return;
  }
  if (train.checkCycle != cycle) return;
  train.checkCycle = NEVER;
  train.checked = 1;
  while (train.granted != 0) remove(train, 0);
}

// --- leaving ---------------------------------------------------------------------------------------------------------

function remove(train: Train, index: u32): void {
  if (index < train.granted) train.granted--;
  removeKey(train, index);
  if (train.count == 0) train.entry = 0;
}

function removeKey(train: Train, index: u32): void {
  train.count--;
  for (let i = index; i < train.count; i++) store<u64>(keyAt(train, i), load<u64>(keyAt(train, i + 1)));
}

function unlist(entry: Entry, cpu: Cpu): void {
  const train = trainOf(entry);
  if (!hasTrain(train)) return;
  for (let index: u32 = 0; index < train.count; index++) {
    if (memberAt(train, index) == cpu) {
      remove(train, index);
      return;
    }
  }
}

/** While a request is being decided, no other is. */
let deciding: bool = false;

/** Puts every member where its messages have it; requests that have arrived and were not granted stay ungranted. */
function dismantle(train: Train): void {
  while (train.count != 0) takeOut(memberAt(train, train.count - 1));
}

function takeOut(cpu: Cpu): void {
  deciding = true;
  catchUpParked(cpu);
  continueAfterDelivery(cpu.core, machine().now);
  deciding = false;
}

/**
 * Something concerns a member at a cycle: leaves the train.
 * @returns whether it has been brought up to the cycle; else it is parked, as any other, at its clock
 */
export function leaveTrain(cpu: Cpu, cycle: u64): bool {
  const spin = spinOf(cpu);
  const entry = changetype<Entry>(spin.trainEntry);
  if (spin.train == SpinTrain.WAITING) advanceTrain(entry, cycle);
  unlist(entry, cpu);
  const granted = spin.train == SpinTrain.GRANTED;
  const fillIsKnown = granted || spin.aheadTicks != 0;
  const filled = fillIsKnown && isBehind(spin.fill, cycle, EventClass.FILL);
  spin.train = SpinTrain.NONE;
  if (granted && filled) goOnSpinning(cpu, spin);
  else if (!granted && fillIsKnown && !filled) waitForFill(cpu, spin);

  const core = cpu.core;
  const keepsLine = granted ? filled : !isBehind(spin.invalidation, cycle, EventClass.INVALIDATE);
  if (!granted && keepsLine) {
    expectLine(core, spin.invalidation);
    const subject = changetype<usize>(entry) | ((<usize>(core.bit >>> 6)) << 1);
    schedule(spin.invalidation, EventClass.INVALIDATE, subject, (<u64>1) << ((<u64>core.bit) & 63));
  }
  if (filled && spin.fill == cycle) {
    // The fill has come in this very cycle, and the load with it.
    advanceTurns(cpu, spin, 0);
    unparkToTicks(cpu, ticksOf(cycle) + 1);
    return true;
  }
  if (keepsLine && (filled || !fillIsKnown)) return false;
  const line = entry.home.line;
  const isBlocked = cycleOf(spin.loadTicks) < cycle;
  if (isBlocked) block(cpu, spin, entry, line);
  else unparkAsItWas(cpu, spin, line, cycle);
  dropCopy(entry, core.bit, false);
  forgetInCore(core, addressOfLine(line), false);
  if (!isBlocked) return true;
  if (fillIsKnown && !filled) {
    expectLine(core, spin.fill);
    schedule(spin.fill, EventClass.FILL, changetype<usize>(cpu), 0);
  } else {
    machine().missCount++;
    request(cpu, entry, cycle);
  }
  return true;
}

/** Whether something that happens in a class of a cycle has happened, seen from within `cycle`. */
function isBehind(when: u64, cycle: u64, eventClass: EventClass): bool {
  return when < cycle || (when == cycle && isTaken(eventClass));
}

/** Steps a CPU that executed its last load before the line was lost: it found the word there that has changed since. */
function unparkAsItWas(cpu: Cpu, spin: Spin, line: u32, cycle: u64): void {
  const read = spinLineOf(spin, line);
  const now = loadBytes(read.host, read.size);
  storeBytes(read.host, read.size, read.value);
  unparkTo(cpu, spin, cycle);
  storeBytes(read.host, read.size, now);
}

/** Steps the CPU to its load, where it waits for the line. */
function block(cpu: Cpu, spin: Spin, entry: Entry, line: u32): void {
  advanceTurns(cpu, spin, spin.loadTurns);
  unparkToTicks(cpu, spin.loadTicks);
  assert(cpu.clock == spin.loadTicks, "a member of a train is not at its load");

  cpu.state = CpuState.BLOCKED;
  cpu.resumed = 1;
  cpu.loopVisits = 0;
  cpu.requestLine = line;
  cpu.requestWrite = 0;
  cpu.requestEntry = changetype<usize>(entry);
  cpu.requestArrival = cycleOf(spin.loadTicks) + cpu.core.latency;
}

function request(cpu: Cpu, entry: Entry, cycle: u64): void {
  if (isBehind(cpu.requestArrival, cycle, EventClass.CACHE)) {
    enqueueLate(entry, cpu);
    return;
  }
  machine().directoryEvents++;
  schedule(cpu.requestArrival, EventClass.CACHE, changetype<usize>(cpu), <u64>CacheMessage.REQUEST);
}
