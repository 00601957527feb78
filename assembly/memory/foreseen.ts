// Transactions that nobody disturbs. While one CPU alone asks for a line, all that will happen follows from what is known
// when it asks: its request, the recall, the invalidation, the answer, the fill. Then only what concerns cores becomes an
// event. The line's records stand as if the request had not arrived yet, until the fill comes, or until anything else
// concerns the line: then what has happened in the meantime is done, and what has not becomes events again
// (docs/time.md, "Foresight").

import { Acceleration, Timing } from "../../src/abi.ts";
import { Core, NEVER, coreInDomain, hop } from "../cpu.ts";
import { maskTest } from "../cpumask.ts";
import { machine, reserve, timing } from "../machine.ts";
import { EventClass, EventNode, cancel, isTaken } from "../time/wheel.ts";
import {
  CacheMessage,
  enqueueRequest,
  entryIsUnused,
  grantHead,
  heldElsewhere,
  openEntry,
  sendRequest,
  sendToCache,
  sendToHome,
  serveHome,
  serveRecall,
  takeAnswer,
  touch,
} from "./directory.ts";
import { sendDowngrade, sendFill, sendInvalidation, unexpectLine } from "./arrivals.ts";
import { Entry, Home, LineState, Recall, directoryMask, knownEntry } from "./lines.ts";
import { isSpunOn } from "./member.ts";
import { Request, RequestKind } from "./request.ts";
import { hasTrain } from "./train.ts";

/** How far a transaction has to go. */
enum Reach {
  /** The domain itself may do what is asked. */
  DOMAIN = 0,
  /** The home answers, from memory or because the line is shared. */
  HOME = 1,
  /** One other domain holds the line. */
  HOLDER = 2,
}


@unmanaged
export class Foreseen {
  /** Who asks. */
  request: Request;
  /** The domain that the home recalls the line from. */
  holder: Entry;
  /** The core that the line is taken from; the node of that event, or 0. */
  victim: Core;
  invalidation: usize;
  /** The node of the fill's event. */
  fill: usize;
  /** Reach */
  reach: u8;
  /** The request has arrived and stands in the queue of its entry already. */
  isQueued: u8;
  /** LineState that the answer grants; whether the core may write the line then. */
  state: u8;
  mayWrite: u8;
  /** Cycles at which the request reaches the home, the recall the holder, the answer the requester's cache, the line the core. */
  askArrival: u64;
  recallArrival: u64;
  answerArrival: u64;
  fillArrival: u64;
  /** When the victim loses the line. */
  invalidationArrival: u64;
}

const FORESEEN_BYTES: usize = 64;
if (offsetof<Foreseen>() > FORESEEN_BYTES) ERROR("Foreseen outgrew its bytes");

export function openForeseen(): bool {
  const m = machine();
  m.foreseen = reserve(<usize>m.cpus * 2 * FORESEEN_BYTES, 64);
  return m.foreseen != 0;
}

/** Of a request that can be foreseen. */
// @ts-ignore: decorator
@inline
function foreseenOf(request: Request): Foreseen {
  return changetype<Foreseen>(machine().foreseen + <usize>(2 * request.cpu.index + request.kind) * FORESEEN_BYTES);
}

/** Loads that are issued early go the long way: they are rare, and records for them would be as large as they are. */
// @ts-ignore: decorator
@inline
function mayBeForeseen(request: Request): bool {
  return request.kind < <u32>RequestKind.LOADS;
}

/** The fill of a request has come: if it was foreseen, nobody has disturbed it. */
export function concludeForeseen(request: Request): void {
  if (!mayBeForeseen(request)) return;
  const home = changetype<Entry>(request.entry).home;
  if (home.foreseen == changetype<usize>(foreseenOf(request))) takeApart(home, NEVER);
}

function isInUse(foreseen: Foreseen): bool {
  if (changetype<usize>(foreseen.request) == 0) return false;
  return changetype<Entry>(foreseen.request.entry).home.foreseen == changetype<usize>(foreseen);
}

// --- looking ahead ---------------------------------------------------------------------------------------------------

/** Computes what follows from a request that sets out. @returns false when it can't be told: the request is to be sent */
export function foreseeRequest(request: Request): bool {
  if (!mayBeForeseen(request)) return false;
  const entry = knownEntry(request.line, request.cpu.core.domain);
  if (changetype<usize>(entry) == 0 || entry.pending != 0 || entry.queueHead != 0) return false;
  if (!isQuiet(entry)) return false;
  const foreseen = foreseenOf(request);
  foreseen.isQueued = 0;
  foreseen.request = request;
  const at = max(request.arrival, entry.free);
  const write = request.write != 0;
  const isHere = entry.state == LineState.MODIFIED || (entry.state == LineState.SHARED && !write);
  if (!(isHere ? foreseeGrant(foreseen, entry, at, write) : foreseeAnswer(foreseen, entry, at, write))) return false;
  request.entry = changetype<usize>(entry);
  return begin(foreseen, entry);
}

/** The same of one that has arrived, and for which the home is to be asked at a cycle. */
export function foreseeQuestion(entry: Entry, at: u64): bool {
  if (entry.queueHead == 0 || entry.queueHead != entry.queueTail || entry.recall != Recall.NONE) return false;
  if (!isQuiet(entry)) return false;
  const request = changetype<Request>(entry.queueHead);
  if (!mayBeForeseen(request)) return false;
  const foreseen = foreseenOf(request);
  foreseen.isQueued = 1;
  foreseen.request = request;
  return foreseeAnswer(foreseen, entry, at, request.write != 0) && begin(foreseen, entry);
}

function begin(foreseen: Foreseen, entry: Entry): bool {
  foreseen.fill = sendFill(foreseen.request, foreseen.fillArrival, foreseen.mayWrite != 0);
  entry.home.foreseen = changetype<usize>(foreseen);
  return true;
}

/** Whether nothing is under way for the line beyond cores, and no spinner's future hangs on what the domain does with it. */
function isQuiet(entry: Entry): bool {
  const home = entry.home;
  return (
    (machine().accelerations & Acceleration.FORESIGHT) != 0 &&
    home.foreseen == 0 &&
    home.asking == 0 &&
    !hasTrain(entry)
  );
}

/** The domain grants the request at a cycle, and takes the line from one other core at most. */
function foreseeGrant(foreseen: Foreseen, entry: Entry, at: u64, write: bool): bool {
  const core = foreseen.request.cpu.core;
  const self = core.bit + 1;
  let bit: i32 = -1;
  if (write) bit = onlyUserBut(entry, core.bit);
  else if (entry.owner != 0 && entry.owner != self) bit = <i32>entry.owner - 1;
  foreseen.reach = <u8>Reach.DOMAIN;
  const ready = foreseeVictim(foreseen, entry, bit, at, write);
  if (ready == NEVER) return false;
  const isFirst = entry.owner == 0 && entry.state == LineState.MODIFIED && entryIsUnused(entry);
  foreseen.mayWrite = write || entry.owner == self || isFirst ? 1 : 0;
  foreseen.fillArrival = ready + core.latency;
  return true;
}

/** The domain asks the home at a cycle; no other core of it has the line. */
function foreseeAnswer(foreseen: Foreseen, entry: Entry, at: u64, write: bool): bool {
  const home = entry.home;
  const core = foreseen.request.cpu.core;
  if (onlyUserBut(entry, core.bit) != NO_USER) return false;
  foreseen.askArrival = at + hop(entry.domain.node, home.node);
  const serveAt = max(foreseen.askArrival, home.free);
  if (write ? heldElsewhere(home, entry) : changetype<usize>(home.owner) != 0 && home.owner != entry) {
    if (!foreseeRecall(foreseen, entry, serveAt, write)) return false;
  } else {
    const isCached = write ? entry.holds != 0 : heldElsewhere(home, entry);
    foreseen.reach = <u8>Reach.HOME;
    foreseen.invalidation = 0;
    foreseen.state = <u8>(write || !isCached ? LineState.MODIFIED : LineState.SHARED);
    const leaves = serveAt + (isCached ? 0 : timing(Timing.MEMORY_LATENCY));
    foreseen.answerArrival = leaves + hop(home.node, entry.domain.node);
  }
  const isFirst = foreseen.state == LineState.MODIFIED && !maskTest(directoryMask(entry), core.bit);
  foreseen.mayWrite = write || isFirst ? 1 : 0;
  foreseen.fillArrival = max(foreseen.answerArrival, entry.free) + core.latency;
  return true;
}

/** The home takes the line, or the right to write it, from the only domain that holds it. */
function foreseeRecall(foreseen: Foreseen, entry: Entry, serveAt: u64, write: bool): bool {
  const home = entry.home;
  const holder = write ? onlyOtherHolder(home, entry) : home.owner;
  if (changetype<usize>(holder) == 0 || holder.touched != 0 || holder.queueHead != 0 || hasTrain(holder)) return false;
  foreseen.reach = <u8>Reach.HOLDER;
  foreseen.holder = holder;
  foreseen.recallArrival = serveAt + hop(home.node, holder.domain.node);
  const bit = write ? onlyUserBut(holder, NOBODY) : <i32>holder.owner - 1;
  const ready = foreseeVictim(foreseen, holder, bit, max(foreseen.recallArrival, holder.free), write);
  if (ready == NEVER) return false;
  foreseen.state = <u8>(write ? LineState.MODIFIED : LineState.SHARED);
  foreseen.answerArrival = ready + hop(holder.domain.node, entry.domain.node);
  return true;
}

/** Takes the line from a core, or from none. @returns when it is done, or NEVER when that can't be told */
function foreseeVictim(foreseen: Foreseen, entry: Entry, bit: i32, at: u64, write: bool): u64 {
  foreseen.invalidation = 0;
  if (bit == NO_USER) return at;
  if (bit == SEVERAL_USERS) return NEVER;
  const core = coreInDomain(entry.domain, bit);
  if (write && isSpunOn(core, entry.home.line)) return NEVER;
  const arrival = at + core.latency;
  foreseen.victim = core;
  foreseen.invalidationArrival = arrival;
  foreseen.invalidation = write ? sendInvalidation(entry, core, arrival) : sendDowngrade(entry, core, arrival);
  return arrival + core.latency;
}

/** The only domain beside the requester's that holds a line; null when there are more, or it would have to be searched for. */
function onlyOtherHolder(home: Home, entry: Entry): Entry {
  if (home.holders - <u32>entry.holds != 1) return changetype<Entry>(0);
  if (changetype<usize>(home.owner) != 0 && home.owner != entry) return home.owner;
  if (home.table != 0) return changetype<Entry>(0);
  let holder = home.firstEntry;
  while (holder == entry || holder.holds == 0) holder = holder.nextOfHome;
  return holder;
}

const NO_USER: i32 = -1;
const SEVERAL_USERS: i32 = -2;
/** No core's bit. */
const NOBODY: u32 = u32.MAX_VALUE;

/** Bit of the one core in the directory mask beside another, or NO_USER, or SEVERAL_USERS. */
function onlyUserBut(entry: Entry, other: u32): i32 {
  let user = NO_USER;
  for (let word: u32 = 0; word < machine().maskWords; word++) {
    let users = load<u64>(directoryMask(entry) + ((<usize>word) << 3));
    if (other >>> 6 == word) users &= ~((<u64>1) << ((<u64>other) & 63));
    if (users == 0) continue;
    if (user != NO_USER || (users & (users - 1)) != 0) return SEVERAL_USERS;
    user = <i32>((word << 6) + <u32>ctz(users));
  }
  return user;
}

// --- taking apart ----------------------------------------------------------------------------------------------------

/** The directory takes steps whose messages have been sent, or are not to be sent yet. */
export let replaying: bool = false;
let replayed: Foreseen = changetype<Foreseen>(0);

export function assertAnswer(arrival: u64, state: LineState): void {
  assert(arrival == replayed.answerArrival && state == replayed.state, "an answer was not foreseen");
}

export function assertFill(arrival: u64, mayWrite: bool): void {
  assert(arrival == replayed.fillArrival && (mayWrite ? 1 : 0) == replayed.mayWrite, "a fill was not foreseen");
}

/** Between cycles: as if there were no foresight. */
export function takeAllApart(): void {
  const m = machine();
  for (let index: u32 = 0; index < 2 * m.cpus; index++) {
    const foreseen = changetype<Foreseen>(m.foreseen + <usize>index * FORESEEN_BYTES);
    if (isInUse(foreseen)) takeApart(changetype<Entry>(foreseen.request.entry).home, m.now);
  }
}

/**
 * Something else concerns the line in a cycle whose arrivals at caches, if they have begun, have not been served: what has
 * happened before is done now, and what has not becomes events.
 */
export function takeApart(home: Home, cycle: u64): void {
  const foreseen = changetype<Foreseen>(home.foreseen);
  const entry = changetype<Entry>(foreseen.request.entry);
  home.foreseen = 0;
  if (foreseen.isQueued == 0 && foreseen.request.arrival >= cycle) {
    takeBackInvalidation(foreseen);
    takeBackFill(foreseen);
    requestAgain(foreseen.request, entry, cycle);
    return;
  }
  if (foreseen.reach != Reach.DOMAIN && foreseen.answerArrival >= cycle) {
    if (foreseen.reach == Reach.HOLDER && foreseen.recallArrival >= cycle) takeBackInvalidation(foreseen);
    takeBackFill(foreseen);
  }
  replaying = true;
  replayed = foreseen;
  if (foreseen.isQueued == 0) arrive(foreseen, entry);
  if (foreseen.reach == Reach.DOMAIN) {
    grantHead(entry, max(foreseen.request.arrival, entry.free));
    replaying = false;
  } else {
    takeApartBeyond(foreseen, entry, cycle);
  }
}

/** The part beyond the domain. */
function takeApartBeyond(foreseen: Foreseen, entry: Entry, cycle: u64): void {
  const home = entry.home;
  if (foreseen.askArrival >= cycle) {
    replaying = false;
    sendToHome(entry, foreseen.askArrival);
    return;
  }
  home.queueHead = home.queueTail = entry;
  entry.nextAtHome = changetype<Entry>(0);
  serveHome(home, foreseen.askArrival);
  const recall = entry.pendingWrite != 0 ? Recall.INVALIDATE : Recall.DOWNGRADE;
  const holder = foreseen.holder;
  const isRecalled = foreseen.reach == Reach.HOLDER;
  const recallIsAhead = isRecalled && foreseen.recallArrival >= cycle;
  if (isRecalled && !recallIsAhead) serveRecall(holder, recall, max(foreseen.recallArrival, holder.free));
  const answerIsAhead = foreseen.answerArrival >= cycle;
  if (!answerIsAhead) {
    takeAnswer(entry, <LineState>foreseen.state);
    grantHead(entry, max(foreseen.answerArrival, entry.free));
  }
  replaying = false;
  if (recallIsAhead) reach(holder, CacheMessage.RECALL, recall, foreseen.recallArrival, cycle);
  else if (answerIsAhead) reach(entry, CacheMessage.ANSWER, foreseen.state, foreseen.answerArrival, cycle);
}

/** The request has arrived in the empty queue of its entry, and has been sent on if need be. */
function arrive(foreseen: Foreseen, entry: Entry): void {
  const request = foreseen.request;
  request.next = 0;
  entry.queueHead = entry.queueTail = changetype<usize>(request);
  if (foreseen.reach == Reach.DOMAIN) return;
  entry.pending = 1;
  entry.pendingWrite = <u8>request.write;
  entry.home.asking++;
}

function takeBackInvalidation(foreseen: Foreseen): void {
  if (foreseen.invalidation == 0) return;
  cancel(changetype<EventNode>(foreseen.invalidation));
  unexpectLine(foreseen.victim, foreseen.invalidationArrival);
}

function takeBackFill(foreseen: Foreseen): void {
  cancel(changetype<EventNode>(foreseen.fill));
  unexpectLine(foreseen.request.cpu.core, foreseen.fillArrival);
}

/** A request that is on its way, or that arrives right now among others. */
function requestAgain(request: Request, entry: Entry, cycle: u64): void {
  if (request.arrival != cycle || !isTaken(EventClass.CACHE)) {
    sendRequest(request);
    return;
  }
  openEntry(entry, cycle);
  enqueueRequest(entry, request);
  touch(entry);
}

/** The same of another message to a last-level cache. */
function reach(entry: Entry, message: CacheMessage, detail: u32, arrival: u64, cycle: u64): void {
  if (arrival != cycle || !isTaken(EventClass.CACHE)) {
    sendToCache(entry, message, detail, arrival);
    return;
  }
  openEntry(entry, cycle);
  if (message == CacheMessage.RECALL) entry.recall = <u8>detail;
  else entry.answer = <u8>detail;
  touch(entry);
}
