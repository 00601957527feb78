// The table of lines: one 32-bit word per line of RAM says who holds it. Lines that never met two users since the machine
// was built need no more than that word; the others have a home record and one entry per last-level-cache domain.

import { StopReason, Warmth } from "../../src/abi.ts";
import { Core, Domain, coreAt, domainAt } from "../cpu.ts";
import { maskClear, maskCopy, maskEmpty, maskSet, maskTest } from "../cpumask.ts";
import { machine, reserve, stopMachine } from "../machine.ts";
import { nodeOfLine } from "./map.ts";

/** State of a line in a domain, as its last-level cache decides. */
export enum LineState {
  INVALID = 0,
  SHARED = 1,
  /** The domain may write: one core may hold the line writable. */
  MODIFIED = 2,
}

/**
 * Directory entry: a line in one domain. The directory mask and owner change when the last-level cache decides; the held
 * mask and writer change when messages reach the cores. One host cache line for domains of up to 64 cores.
 */
@unmanaged
export class Entry {
  home: Home;
  domain: Domain;
  nextOfHome: Entry;
  /** Core that may write, as the directory believes: bit + 1, or 0. */
  owner: u16;
  /** Core that holds a writable copy: bit + 1, or 0. */
  writer: u16;
  /** LineState */
  state: u8;
  /** A request of this domain is on its way to the home or waits there. */
  pending: u8;
  pendingWrite: u8;
  /** Whether the home counts this domain among the holders: see setHolder(). */
  holds: u8;
  /** What arrived in the current cycle besides requests: Recall, LineState. */
  recall: u8;
  answer: u8;
  touched: u8;
  /** Thread of the writing core that has claimed the line for its stores, plus one, or 0 (siblings.ts). */
  writerThread: u8;
  /** Waiting Requests, in the order of their arrival. */
  queueHead: usize;
  queueTail: usize;
  /** Tail of the queue before the arrivals of the current cycle. */
  queueBefore: usize;
  /** Queue of requests at the home. */
  nextAtHome: Entry;
  /** The last-level cache is done with earlier requests for this line at this cycle. */
  free: u64;
}

export enum Recall {
  NONE = 0,
  DOWNGRADE = 1,
  INVALIDATE = 2,
}

const ENTRY_FIELDS: usize = 48;
if (offsetof<Entry>() > ENTRY_FIELDS) ERROR("Entry outgrew ENTRY_FIELDS");

/** The point that serialises the domains' requests for a line. */
@unmanaged
export class Home {
  line: u32;
  node: u16;
  /** Domains that have asked and not been answered. */
  asking: u16;
  firstEntry: Entry;
  /** Entries whose domain holds the line. */
  holders: u32;
  /** Entries by domain index once there are more than a few, or 0; behind them, a bit set of the domains that hold the line. */
  table: usize;
  /** Domain that may write, or null. */
  owner: Entry;
  queueHead: Entry;
  queueTail: Entry;
  queueBefore: Entry;
  touched: u16;
  /** The transaction under way: how many recalls are undecided, who asked, when the data will be there. */
  recalls: u16;
  requester: Entry;
  /** The one that has been computed ahead (memory/foreseen.ts), or 0: then all of the above stands as it is. */
  foreseen: usize;
  dataAt: u64;
  /** Idle: when the next request can be served. During a transaction: when the last acknowledgement so far is in. */
  free: u64;
}

const HOME_BYTES: usize = 64;
if (offsetof<Home>() > HOME_BYTES) ERROR("Home outgrew HOME_BYTES");

const LISTED_ENTRIES: u32 = 4;

/** Kinds of line words, in the two low bits; the rest is a Home's address (HOME), or a core index and a thread (OWNED). */
export enum LineKind {
  /** In memory only. */
  COLD = 0,
  /** Held writable by one core ever since the machine was built. */
  OWNED = 1,
  HOME = 2,
  /** Held readable by every core that was online when the machine was built. */
  SHARED = 3,
}

// An OWNED word: core index << 2; thread that has claimed the line, plus one, or 0: as Entry.writerThread.
const OWNER_MASK: u32 = 0x3f_ffff;
const THREAD_SHIFT: u32 = 24;

let entryBytes: usize = 0;
let maskBytes: usize = 0;

/** Reserves the pool of homes and entries, and room for all entries that events of one cycle can touch. */
export function openLines(poolBytes: u32, eventNodes: u32): bool {
  const m = machine();
  m.directoryNext = m.directoryStart = reserve(poolBytes, 64);
  m.touched = reserve((<usize>eventNodes) << 2, 64);
  if (m.directoryNext == 0 || m.touched == 0) return false;
  m.directoryEnd = m.directoryNext + poolBytes;
  attachLines();
  return true;
}

export function attachLines(): void {
  maskBytes = (<usize>machine().maskWords) << 3;
  entryBytes = (ENTRY_FIELDS + 2 * maskBytes + 63) & ~(<usize>63);
}

/** Cores with a copy, as the directory believes. */
// @ts-ignore: decorator
@inline
export function directoryMask(entry: Entry): usize {
  return changetype<usize>(entry) + ENTRY_FIELDS;
}

/** Cores with a copy. */
// @ts-ignore: decorator
@inline
export function heldMask(entry: Entry): usize {
  return changetype<usize>(entry) + ENTRY_FIELDS + maskBytes;
}

// @ts-ignore: decorator
@inline
function wordOf(line: u32): usize {
  return machine().lineTable + ((<usize>line) << 2);
}

/** What a core may do with a line without asking anybody. */
export enum Permission {
  NONE = 0,
  READ = 1,
  WRITE = 2,
}

export function permissionOf(core: Core, line: u32): Permission {
  const word = load<u32>(wordOf(line));
  const kind = word & 3;
  if (kind == LineKind.OWNED) return ownerIn(word) == core.index ? Permission.WRITE : Permission.NONE;
  if (kind == LineKind.SHARED) return maskTest(core.domain.onlineMask, core.bit) ? Permission.READ : Permission.NONE;
  if (kind == LineKind.COLD) return Permission.NONE;
  const entry = findEntry(changetype<Home>(<usize>(word & ~3)), core.domain);
  if (changetype<usize>(entry) == 0 || !maskTest(heldMask(entry), core.bit)) return Permission.NONE;
  return entry.writer == core.bit + 1 ? Permission.WRITE : Permission.READ;
}

// @ts-ignore: decorator
@inline
function ownerIn(word: u32): u32 {
  return (word >>> 2) & OWNER_MASK;
}

/** Thread of a core that has claimed a line for its stores, plus one; 0 for none, or when the core may not write it. */
export function writerThreadOf(core: Core, line: u32): u32 {
  const word = load<u32>(wordOf(line));
  if ((word & 3) == LineKind.OWNED) return word >>> THREAD_SHIFT;
  if ((word & 3) != LineKind.HOME) return 0;
  const entry = findEntry(changetype<Home>(<usize>(word & ~3)), core.domain);
  return entry.writer == core.bit + 1 ? entry.writerThread : 0;
}

/** Notes the thread that claims a line, plus one, or 0 for none; the core may write it. */
export function setWriterThread(core: Core, line: u32, thread: u32): void {
  const word = load<u32>(wordOf(line));
  if ((word & 3) == LineKind.OWNED) {
    store<u32>(wordOf(line), (word & ~(u32.MAX_VALUE << THREAD_SHIFT)) | (thread << THREAD_SHIFT));
  } else {
    findEntry(changetype<Home>(<usize>(word & ~3)), core.domain).writerThread = <u8>thread;
  }
}

export function findEntry(home: Home, domain: Domain): Entry {
  if (home.table != 0) return changetype<Entry>(<usize>load<u32>(home.table + ((<usize>domain.index) << 2)));
  let entry = home.firstEntry;
  while (changetype<usize>(entry) != 0 && entry.domain != domain) entry = entry.nextOfHome;
  return entry;
}

/** Sets what caches hold of a line before the first instruction; the line must not have been used. */
export function warmLine(line: u32, warmth: Warmth, core: u32): void {
  const word = wordOf(line);
  if (warmth == Warmth.OWNED) store<u32>(word, (core << 2) | LineKind.OWNED);
  else if (warmth == Warmth.SHARED) store<u32>(word, LineKind.SHARED);
  else store<u32>(word, LineKind.COLD);
}

export function lineKind(line: u32): LineKind {
  return load<u32>(wordOf(line)) & 3;
}

/** Core index in the word of an OWNED line. */
export function lineOwner(line: u32): u32 {
  return ownerIn(load<u32>(wordOf(line)));
}

/** The home of a line, or null while one word says it all. */
export function homeOf(line: u32): Home {
  const word = load<u32>(wordOf(line));
  return changetype<Home>((word & 3) == LineKind.HOME ? <usize>(word & ~3) : 0);
}

/** The entry of a line in a domain, made on demand; null when the pool is exhausted (the machine then stops). */
export function demandEntry(line: u32, domain: Domain): Entry {
  const word = load<u32>(wordOf(line));
  let home = changetype<Home>(<usize>(word & ~3));
  if ((word & 3) != LineKind.HOME) {
    home = openHome(line, word);
    if (changetype<usize>(home) == 0) return changetype<Entry>(0);
  }
  const entry = findEntry(home, domain);
  return changetype<usize>(entry) != 0 ? entry : addEntry(home, domain);
}

/** The entry of a line in a domain, or null while there is none. */
export function knownEntry(line: u32, domain: Domain): Entry {
  const word = load<u32>(wordOf(line));
  if ((word & 3) != LineKind.HOME) return changetype<Entry>(0);
  return findEntry(changetype<Home>(<usize>(word & ~3)), domain);
}

function take(bytes: usize): usize {
  const m = machine();
  const start = m.directoryNext;
  if (bytes > m.directoryEnd - start) {
    stopMachine(StopReason.DIRECTORY_POOL_EXHAUSTED, 0, 0, m.now, 0);
    return 0;
  }
  m.directoryNext = start + bytes;
  return start;
}

/** Unfolds a line word into records that say the same. */
function openHome(line: u32, word: u32): Home {
  const m = machine();
  const kind = word & 3;
  // All or nothing: a line shared by all needs an entry per domain.
  const domains: usize = kind == LineKind.SHARED ? <usize>m.domains : 1;
  const bytes = HOME_BYTES + domains * entryBytes + tableBytes() + holderBytes();
  if (bytes > m.directoryEnd - m.directoryNext) return changetype<Home>(take(bytes));

  const home = changetype<Home>(take(HOME_BYTES));
  home.line = line;
  home.node = <u16>nodeOfLine(line);
  if (kind == LineKind.OWNED) {
    const core = coreAt(ownerIn(word));
    const entry = addEntry(home, core.domain);
    entry.state = <u8>LineState.MODIFIED;
    setHolder(entry, true);
    entry.owner = entry.writer = <u16>(core.bit + 1);
    entry.writerThread = <u8>(word >>> THREAD_SHIFT);
    maskSet(directoryMask(entry), core.bit);
    maskSet(heldMask(entry), core.bit);
    home.owner = entry;
  } else if (kind == LineKind.SHARED) {
    for (let index: u32 = 0; index < m.domains; index++) addSharer(home, domainAt(index));
  }
  store<u32>(wordOf(line), (<u32>changetype<usize>(home)) | LineKind.HOME);
  return home;
}

function addSharer(home: Home, domain: Domain): void {
  const bits = machine().maskWords << 6;
  if (maskEmpty(domain.onlineMask, bits)) return;
  const entry = addEntry(home, domain);
  entry.state = <u8>LineState.SHARED;
  setHolder(entry, true);
  maskCopy(directoryMask(entry), domain.onlineMask, bits);
  maskCopy(heldMask(entry), domain.onlineMask, bits);
}

function addEntry(home: Home, domain: Domain): Entry {
  const entry = changetype<Entry>(take(entryBytes));
  if (changetype<usize>(entry) == 0) return entry;
  entry.home = home;
  entry.domain = domain;
  entry.nextOfHome = home.firstEntry;
  home.firstEntry = entry;
  if (home.table != 0) {
    store<u32>(home.table + ((<usize>domain.index) << 2), <u32>changetype<usize>(entry));
  } else if (hasMoreThanListed(entry)) {
    openTable(home);
  }
  return entry;
}

function hasMoreThanListed(first: Entry): bool {
  let count: u32 = 0;
  for (let entry = first; changetype<usize>(entry) != 0; entry = entry.nextOfHome) count++;
  return count > LISTED_ENTRIES;
}

function tableBytes(): usize {
  return (((<usize>machine().domains) << 2) + 63) & ~(<usize>63);
}

/** Of the bit set of holders: whole vectors. */
function holderBytes(): usize {
  return (((<usize>machine().domains + 7) >>> 3) + 63) & ~(<usize>63);
}

/** Domains that hold the line; for a home with a table. */
// @ts-ignore: decorator
@inline
export function holderMask(home: Home): usize {
  return home.table + tableBytes();
}

/** A domain gets the line, or has lost it, as its home sees it. */
export function setHolder(entry: Entry, holds: bool): void {
  if ((entry.holds != 0) == holds) return;
  const home = entry.home;
  entry.holds = holds ? 1 : 0;
  if (holds) home.holders++;
  else home.holders--;
  if (home.table == 0) return;
  if (holds) maskSet(holderMask(home), entry.domain.index);
  else maskClear(holderMask(home), entry.domain.index);
}

function openTable(home: Home): void {
  const table = take(tableBytes() + holderBytes());
  if (table == 0) return;
  home.table = table;
  let entry = home.firstEntry;
  while (changetype<usize>(entry) != 0) {
    store<u32>(table + ((<usize>entry.domain.index) << 2), <u32>changetype<usize>(entry));
    if (entry.holds != 0) maskSet(holderMask(home), entry.domain.index);
    entry = entry.nextOfHome;
  }
}
