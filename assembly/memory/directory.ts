// Coherence: a MESI directory with two levels. A last-level cache serialises the requests of its domain for a line, the
// line's home those of the domains; both are busy for a while with each request, which is what makes contention queue up.
//
// A request is served when it arrives: all that stands before it is decided by then, so the cycles of its invalidations
// and of its fill are known at once. Only what must wait for the home, or for recalls, queues. docs/time.md has the rules.

import { Acceleration, LINE_BYTES, LineEvent, Timing } from "../../src/abi.ts";
import { Core, NEVER, coreInDomain, hop } from "../cpu.ts";
import { maskClear, maskEmpty, maskSet, maskZero } from "../cpumask.ts";
import { machine, timing } from "../machine.ts";
import { EventClass, EventNode, release, schedule, take } from "../time/wheel.ts";
import { traceDowngrade, traceInvalidation, traceRequest, traceStep } from "../trace/lines.ts";
import { INVALIDATION_DOWNGRADE, expectLine, sendDowngrade, sendFill } from "./arrivals.ts";
import { assertAnswer, assertFill, foreseeQuestion, foreseeRequest, replaying, takeApart } from "./foreseen.ts";
import { enlist, entryOfMembers } from "./member.ts";
import {
  advanceTrain,
  continueTrain,
  endSharing,
  grantNextMember,
  leave,
  memberIsNext,
  trainArrives,
} from "./train.ts";
import {
  Entry,
  Home,
  LineState,
  Recall,
  demandEntry,
  directoryMask,
  heldMask,
  holderMask,
  setHolder,
} from "./lines.ts";
import { lineOf } from "./map.ts";
import { Request } from "./request.ts";

/** What reaches a last-level cache (argument of a CACHE event; the low byte is the kind). */
export enum CacheMessage {
  /** Subject: the Request. */
  REQUEST = 0,
  /** Subject: the Entry; second byte: Recall. */
  RECALL = 1,
  /** Subject: the Entry; second byte: LineState granted. */
  ANSWER = 2,
  /** Subject: the Entry, whose train has a request to be served. */
  TRAIN = 3,
}

/** Asks the last-level cache for the line of an address. */
export function requestLine(request: Request, address: u64, write: bool, cycle: u64): void {
  request.line = lineOf(address);
  request.write = write ? 1 : 0;
  request.arrival = cycle + request.cpu.core.latency;
  traceRequest(request, address, cycle);
  machine().missCount++;
  if (!foreseeRequest(request)) sendRequest(request);
}

/** Sends a request, or sends it again. */
export function sendRequest(request: Request): void {
  machine().directoryEvents++;
  schedule(request.arrival, EventClass.CACHE, changetype<usize>(request), <u64>CacheMessage.REQUEST);
}

// --- arrivals at last-level caches -----------------------------------------------------------------------------------

/** Entries, or homes, that the events of the current cycle concern. */
let touched: usize = 0;

export function touch(entry: Entry): void {
  if (entry.touched != 0) return;
  entry.touched = 1;
  store<u32>(machine().touched + (touched++ << 2), <u32>changetype<usize>(entry));
}

/** Takes all that reaches last-level caches in a cycle, in an order that doesn't depend on the host's. */
export function cacheArrivals(cycle: u64): void {
  const list = machine().touched;
  touched = 0;
  let node = take(cycle, EventClass.CACHE);
  while (changetype<usize>(node) != 0) {
    const next = changetype<EventNode>(node.next);
    machine().events++;
    machine().directoryEvents--;
    const entry = arriveAtCache(node, cycle);
    release(node);
    if (changetype<usize>(entry) != 0) touch(entry);
    node = next;
  }
  for (let i: usize = 0; i < touched; i++) {
    const entry = changetype<Entry>(<usize>load<u32>(list + (i << 2)));
    entry.touched = 0;
    serveEntry(entry, cycle);
  }
}

function arriveAtCache(node: EventNode, cycle: u64): Entry {
  const kind = <CacheMessage>((<i32>node.argument) & 0xff);
  if (kind == CacheMessage.REQUEST) {
    const request = changetype<Request>(node.subject);
    const entry = demandEntry(request.line, request.cpu.core.domain);
    if (changetype<usize>(entry) == 0) return entry;
    openEntry(entry, cycle);
    enqueueRequest(entry, request);
    return entry;
  }
  const entry = changetype<Entry>(node.subject);
  openEntry(entry, cycle);
  if (kind == CacheMessage.TRAIN) trainArrives(entry, cycle);
  else if (kind == CacheMessage.RECALL) entry.recall = <u8>(node.argument >>> 8);
  else entry.answer = <u8>(node.argument >>> 8);
  return entry;
}

/** An arrival of a cycle: before the first, everything from earlier cycles is settled. */
export function openEntry(entry: Entry, cycle: u64): void {
  if (entry.home.foreseen != 0) takeApart(entry.home, cycle);
  if (entry.touched != 0) return;
  advanceTrain(entry, cycle);
  entry.queueBefore = entry.queueTail;
}

/** Puts a request into the queue that has arrived some time ago. */
export function enqueueLate(entry: Entry, request: Request): void {
  enqueueBehind(entry, 0, request);
}

/** Puts a request that arrives now behind everything from earlier cycles. */
export function enqueueRequest(entry: Entry, request: Request): void {
  request.entry = changetype<usize>(entry);
  enqueueBehind(entry, entry.queueBefore, request);
}

/** The queue is in the order of (arrival, CPU number, kind). @param before a request that comes before, or 0 */
function enqueueBehind(entry: Entry, before: usize, request: Request): void {
  let after = before == 0 ? entry.queueHead : changetype<Request>(before).next;
  while (after != 0 && arrivedBefore(changetype<Request>(after), request)) {
    before = after;
    after = changetype<Request>(after).next;
  }
  request.next = after;
  if (before == 0) entry.queueHead = changetype<usize>(request);
  else changetype<Request>(before).next = changetype<usize>(request);
  if (after == 0) entry.queueTail = changetype<usize>(request);
}

function arrivedBefore(one: Request, other: Request): bool {
  if (one.arrival != other.arrival) return one.arrival < other.arrival;
  return one.cpu == other.cpu ? one.kind < other.kind : one.cpu.index < other.cpu.index;
}

/** The answer of the home first, then requests, then a recall of the same cycle. */
function serveEntry(entry: Entry, cycle: u64): void {
  if (entry.home.foreseen != 0) takeApart(entry.home, cycle);
  if (entry.answer != LineState.INVALID) {
    const state = <LineState>entry.answer;
    entry.answer = <u8>LineState.INVALID;
    takeAnswer(entry, state);
    grantNext(entry, cycle);
  }
  while (entry.pending == 0) {
    const member = memberIsNext(entry, cycle);
    if (!member && entry.queueHead == 0) break;
    const write = member ? 0 : changetype<Request>(entry.queueHead).write;
    if (entry.state == LineState.MODIFIED || (entry.state == LineState.SHARED && write == 0)) grantNext(entry, cycle);
    else askHome(entry, write, max(cycle, entry.free));
  }
  if (entry.recall != Recall.NONE) {
    const recall = <Recall>entry.recall;
    entry.recall = <u8>Recall.NONE;
    serveRecall(entry, recall, max(cycle, entry.free));
  }
  continueTrain(entry);
}

export function takeAnswer(entry: Entry, state: LineState): void {
  entry.state = <u8>state;
  entry.pending = 0;
  entry.home.asking--;
}

function grantNext(entry: Entry, cycle: u64): void {
  const at = max(cycle, entry.free);
  if (memberIsNext(entry, cycle)) grantNextMember(entry, at);
  else grantHead(entry, at);
}

/** Serves the first request of the queue at a cycle at which the domain may do what it asks. */
export function grantHead(entry: Entry, at: u64): void {
  const request = changetype<Request>(entry.queueHead);
  entry.queueHead = request.next;
  if (entry.queueHead == 0) entry.queueTail = 0;
  const core = request.cpu.core;
  const self = <u16>(core.bit + 1);
  const ready = request.write != 0 ? decideWrite(entry, core, at) : decideRead(entry, core, at);
  const arrival = ready + core.latency;
  const mayWrite = entry.owner == self;
  traceStep(LineEvent.GRANTED, request, at, arrival);
  if (replaying) assertFill(arrival, mayWrite);
  else sendFill(request, arrival, mayWrite);
}

function decideWrite(entry: Entry, core: Core, at: u64): u64 {
  // Its siblings keep their copy, and will find something else there.
  if (core.members != 0 && entryOfMembers(core) == changetype<usize>(entry)) leave(core);
  maskClear(directoryMask(entry), core.bit);
  const ready = invalidateAll(entry, at);
  entry.owner = <u16>(core.bit + 1);
  return concludeDecision(entry, core, ready);
}

/** A core gets the line to read. @returns when the data leave the last-level cache */
export function decideRead(entry: Entry, core: Core, at: u64): u64 {
  const self = <u16>(core.bit + 1);
  let ready = at;
  if (entry.owner != 0) {
    if (entry.owner != self) {
      ready = downgradeOwner(entry, at);
      entry.owner = 0;
    }
  } else if (entry.state == LineState.MODIFIED && entryIsUnused(entry)) {
    // E of MESI: the only reader of a line may write it without asking again.
    entry.owner = self;
  }
  return concludeDecision(entry, core, ready);
}

function concludeDecision(entry: Entry, core: Core, ready: u64): u64 {
  maskSet(directoryMask(entry), core.bit);
  entry.free = ready + timing(Timing.LLC_OCCUPANCY);
  return ready;
}

export function entryIsUnused(entry: Entry): bool {
  return maskEmpty(directoryMask(entry), machine().maskWords << 6);
}

/** Takes the line from every core in the directory mask. @returns when the last acknowledgement is in. */
function invalidateAll(entry: Entry, at: u64): u64 {
  const directory = directoryMask(entry);
  let ready = at;
  endSharing(entry);
  for (let word: u32 = 0; word < machine().maskWords; word++) {
    const victims = load<u64>(directory + ((<usize>word) << 3));
    if (victims != 0) ready = max(ready, invalidateWord(entry, word, victims, at));
  }
  maskZero(directory, machine().maskWords << 6);
  return ready;
}

/** One event per distinct latency among the victims, or one per victim with batching off. */
function invalidateWord(entry: Entry, word: u32, victims: u64, at: u64): u64 {
  const subject = changetype<usize>(entry) | ((<usize>word) << 1);
  traceInvalidation(entry, word, victims, at);
  const batching = (machine().accelerations & Acceleration.INVALIDATION_BATCHING) != 0;
  let ready = at;
  for (let rest = victims; rest != 0; rest &= rest - 1) {
    const latency = replaying ? 0 : enlist(entry, (word << 6) + <u32>ctz(rest), at);
    if (latency == 0) continue;
    victims &= ~(rest & (0 - rest));
    ready = max(ready, at + 2 * latency);
  }
  while (victims != 0) {
    const latency = coreInDomain(entry.domain, (word << 6) + <u32>ctz(victims)).latency;
    let batch: u64 = 0;
    let rest = victims;
    while (rest != 0) {
      const bit = rest & (0 - rest);
      rest ^= bit;
      const core = coreInDomain(entry.domain, (word << 6) + <u32>ctz(bit));
      if (core.latency != latency) continue;
      if (!replaying) expectLine(core, at + latency);
      batch |= bit;
      if (!batching) break;
    }
    if (!replaying) schedule(at + latency, EventClass.INVALIDATE, subject, batch);
    ready = max(ready, at + 2 * latency);
    victims ^= batch;
  }
  return ready;
}

function downgradeOwner(entry: Entry, at: u64): u64 {
  const bit = entry.owner - 1;
  const core = coreInDomain(entry.domain, bit);
  const arrival = at + core.latency;
  traceDowngrade(entry, core, at);
  if (!replaying) sendDowngrade(entry, core, arrival);
  return arrival + core.latency;
}

function askHome(entry: Entry, write: u32, at: u64): void {
  entry.pending = 1;
  entry.pendingWrite = <u8>write;
  const arrival = at + hop(entry.domain.node, entry.home.node);
  const foreseen = foreseeQuestion(entry, at);
  entry.home.asking++;
  // A train's member may be the one who asks.
  if (entry.queueHead != 0) traceStep(LineEvent.ASKED, changetype<Request>(entry.queueHead), at, arrival);
  if (!foreseen) sendToHome(entry, arrival);
}

export function sendToHome(entry: Entry, arrival: u64): void {
  machine().directoryEvents++;
  schedule(arrival, EventClass.HOME, changetype<usize>(entry), 0);
}

/** The home takes the line, or the right to write it, from this domain. A pending request of the domain doesn't delay it. */
export function serveRecall(entry: Entry, recall: Recall, at: u64): void {
  let ready = at;
  if (recall == Recall.INVALIDATE) {
    ready = invalidateAll(entry, at);
    entry.state = <u8>LineState.INVALID;
  } else {
    if (entry.owner != 0) ready = downgradeOwner(entry, at);
    entry.state = <u8>LineState.SHARED;
  }
  entry.owner = 0;
  entry.free = ready + timing(Timing.LLC_OCCUPANCY);
  finishRecall(entry, ready);
}

// --- homes -----------------------------------------------------------------------------------------------------------

/** Takes all requests that reach homes in a cycle; those for one home in order of domain number. */
export function homeArrivals(cycle: u64): void {
  const list = machine().touched;
  touched = 0;
  let node = take(cycle, EventClass.HOME);
  while (changetype<usize>(node) != 0) {
    const next = changetype<EventNode>(node.next);
    machine().events++;
    machine().directoryEvents--;
    const entry = changetype<Entry>(node.subject);
    release(node);
    const home = entry.home;
    if (home.touched == 0) {
      home.touched = 1;
      home.queueBefore = home.queueTail;
      store<u32>(list + (touched++ << 2), <u32>changetype<usize>(home));
    }
    enqueueAtHome(home, entry);
    node = next;
  }
  for (let i: usize = 0; i < touched; i++) {
    const home = changetype<Home>(<usize>load<u32>(list + (i << 2)));
    home.touched = 0;
    serveHome(home, cycle);
  }
}

function enqueueAtHome(home: Home, entry: Entry): void {
  let before = home.queueBefore;
  let after = changetype<usize>(before) == 0 ? home.queueHead : before.nextAtHome;
  while (changetype<usize>(after) != 0 && after.domain.index < entry.domain.index) {
    before = after;
    after = after.nextAtHome;
  }
  entry.nextAtHome = after;
  if (changetype<usize>(before) == 0) home.queueHead = entry;
  else before.nextAtHome = entry;
  if (changetype<usize>(after) == 0) home.queueTail = entry;
}

export function serveHome(home: Home, cycle: u64): void {
  while (home.recalls == 0 && changetype<usize>(home.queueHead) != 0) {
    const entry = home.queueHead;
    home.queueHead = entry.nextAtHome;
    if (changetype<usize>(home.queueHead) == 0) home.queueTail = changetype<Entry>(0);
    home.requester = entry;
    const at = max(cycle, home.free);
    home.dataAt = home.free = 0;
    if (entry.queueHead != 0) traceStep(LineEvent.SERVED, changetype<Request>(entry.queueHead), at, 0);
    if (entry.pendingWrite != 0) serveHomeWrite(home, entry, at);
    else serveHomeRead(home, entry, at);
  }
}

function serveHomeRead(home: Home, entry: Entry, at: u64): void {
  const owner = home.owner;
  if (changetype<usize>(owner) != 0 && owner != entry) {
    sendRecall(home, owner, Recall.DOWNGRADE, at);
    return;
  }
  const alone = !heldElsewhere(home, entry);
  answer(home, at + (alone ? timing(Timing.MEMORY_LATENCY) : 0), alone ? LineState.MODIFIED : LineState.SHARED);
}

function serveHomeWrite(home: Home, entry: Entry, at: u64): void {
  if (heldElsewhere(home, entry)) recallHolders(home, entry, at);
  else answer(home, at + (entry.holds != 0 ? 0 : timing(Timing.MEMORY_LATENCY)), LineState.MODIFIED);
}

export function heldElsewhere(home: Home, entry: Entry): bool {
  return home.holders > <u32>entry.holds;
}

/** Takes the line from every domain that holds it, but one. */
function recallHolders(home: Home, requester: Entry, at: u64): void {
  if (home.table == 0) {
    for (let holder = home.firstEntry; changetype<usize>(holder) != 0; holder = holder.nextOfHome) {
      if (holder != requester && holder.holds != 0) sendRecall(home, holder, Recall.INVALIDATE, at);
    }
    return;
  }
  const holders = holderMask(home);
  for (let first: u32 = 0; first < machine().domains; first += 64) {
    for (let word = load<u64>(holders + (first >>> 3)); word != 0; word &= word - 1) {
      const holder = changetype<Entry>(<usize>load<u32>(home.table + ((<usize>first + <usize>ctz(word)) << 2)));
      if (holder != requester) sendRecall(home, holder, Recall.INVALIDATE, at);
    }
  }
}

function sendRecall(home: Home, holder: Entry, recall: Recall, at: u64): void {
  home.recalls++;
  const arrival = at + hop(home.node, holder.domain.node);
  if (!replaying) sendToCache(holder, CacheMessage.RECALL, recall, arrival);
}

export function sendToCache(entry: Entry, message: CacheMessage, detail: u32, arrival: u64): void {
  machine().directoryEvents++;
  schedule(arrival, EventClass.CACHE, changetype<usize>(entry), (<u64>message) | ((<u64>detail) << 8));
}

/** A recalled domain is done at `ready`: it sends the data to whoever asked and an acknowledgement to the home. */
function finishRecall(entry: Entry, ready: u64): void {
  const home = entry.home;
  const requester = home.requester;
  const write = requester.pendingWrite != 0;
  if (write) setHolder(entry, false);
  home.dataAt = max(home.dataAt, ready + hop(entry.domain.node, requester.domain.node));
  home.free = max(home.free, ready + hop(entry.domain.node, home.node));
  if (--home.recalls != 0) return;
  if (!write) home.owner = changetype<Entry>(0);
  conclude(home, home.dataAt, write ? LineState.MODIFIED : LineState.SHARED);
  serveHome(home, 0);
}

/** The home itself answers; data leave it at `at`. */
function answer(home: Home, at: u64, state: LineState): void {
  home.free = at;
  conclude(home, at + hop(home.node, home.requester.domain.node), state);
}

/**
 * Ends a transaction: the answer reaches the requester at `arrival`. The home stays busy until it has been told so (CHI's
 * CompAck, AMD's SrcDone), so that no later recall can overtake the answer.
 */
function conclude(home: Home, arrival: u64, state: LineState): void {
  const entry = home.requester;
  setHolder(entry, true);
  if (state == LineState.MODIFIED) home.owner = entry;
  const completion = arrival + hop(entry.domain.node, home.node);
  home.free = max(home.free, completion) + timing(Timing.HOME_OCCUPANCY);
  if (replaying) assertAnswer(arrival, state);
  else sendToCache(entry, CacheMessage.ANSWER, state, arrival);
}
