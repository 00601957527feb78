// The event queue: a hierarchical timing wheel. One slot per cycle at level 0, 4,096 cycles per slot at level 1, and so
// on; an event lies at the level of the highest 12-bit group in which its cycle differs from now, and moves down when
// time enters its slot. Insertion and removal cost a few loads at any number of CPUs.
//
// Within a cycle, classes are taken in their order; within a class the order is nobody's business, since everything in
// one class and cycle commutes, or is sorted by who takes it (docs/time.md, rules R2 to R5).

import { StopReason } from "../../src/abi.ts";
import { NEVER } from "../cpu.ts";
import { machine, reserve, stopMachine } from "../machine.ts";
import { limitByEvent } from "./limits.ts";

/** What happens within one cycle, in this order; nothing creates an event of the same or an earlier class in its cycle. */
export enum EventClass {
  /** Invalidations and downgrades reach cores. */
  INVALIDATE = 0,
  /** Lines reach the CPUs that asked for them. */
  FILL = 1,
  /** Interrupts, and answers of devices and firmware, reach CPUs. */
  MESSAGE = 2,
  /** Requests, recalls and answers reach last-level caches. */
  CACHE = 3,
  /** Requests reach homes. */
  HOME = 4,
  /** Accesses reach devices. */
  DEVICE = 5,
  /** CPUs start instructions. */
  RUN = 6,
}


@unmanaged
export class EventNode {
  next: usize;
  /** The node before it in its slot, or 0: so that an event can be taken back. */
  previous: usize;
  /** Whom it concerns: a record's address, by class. */
  subject: usize;
  argument: u64;
  /** Cycle << 3 | class. */
  when: u64;
}

export const NODE_BYTES: usize = 32;
if (offsetof<EventNode>() > NODE_BYTES) ERROR("EventNode outgrew its bytes");
/** `when` of a node that is no event. */
export const FREE: u64 = u64.MAX_VALUE;
const LEVEL_BITS: u64 = 12;
const SLOTS: usize = 4096;
const LEVELS: usize = 5;
/** Beyond this many cycles from the start of a run, time is not representable: 2^60 cycles, a decade. */
export const LAST_CYCLE: u64 = (<u64>1) << (LEVEL_BITS * LEVELS);

// Memory of the wheel: level 0: 8 heads per slot; other levels: 1 head per slot; per level 64 words of occupancy bits and
// one word that says which of these are nonzero.
const LEVEL0_HEADS: usize = 0;
const UPPER_HEADS: usize = LEVEL0_HEADS + SLOTS * 32;
const OCCUPANCY: usize = UPPER_HEADS + (LEVELS - 1) * SLOTS * 4;
const OCCUPANCY_BYTES: usize = SLOTS / 8 + 8;
const WHEEL_BYTES: usize = OCCUPANCY + LEVELS * OCCUPANCY_BYTES;

let heads: usize = 0;

/** Reserves the wheel and its nodes. @returns false when memory is exhausted. */
export function openWheel(nodes: u32): bool {
  const m = machine();
  m.wheel = reserve(WHEEL_BYTES, 64);
  m.eventNodes = m.eventNodesStart = reserve(<usize>nodes * NODE_BYTES, 64);
  if (m.wheel == 0 || m.eventNodes == 0) return false;
  m.eventNodesEnd = m.eventNodes + <usize>nodes * NODE_BYTES;
  m.eventFree = 0;
  attachWheel();
  return true;
}

export function attachWheel(): void {
  heads = machine().wheel;
}

// @ts-ignore: decorator
@inline
function occupancyOf(level: usize): usize {
  return heads + OCCUPANCY + level * OCCUPANCY_BYTES;
}

// @ts-ignore: decorator
@inline
function headOf(level: usize, slot: usize): usize {
  return heads + UPPER_HEADS + (((level - 1) * SLOTS + slot) << 2);
}

function mark(level: usize, slot: usize): void {
  const occupancy = occupancyOf(level);
  const word = occupancy + ((slot >>> 6) << 3);
  store<u64>(word, load<u64>(word) | ((<u64>1) << ((<u64>slot) & 63)));
  const summary = occupancy + SLOTS / 8;
  store<u64>(summary, load<u64>(summary) | ((<u64>1) << ((<u64>slot) >>> 6)));
}

function unmark(level: usize, slot: usize): void {
  const occupancy = occupancyOf(level);
  const word = occupancy + ((slot >>> 6) << 3);
  const left = load<u64>(word) & ~((<u64>1) << ((<u64>slot) & 63));
  store<u64>(word, left);
  if (left == 0) {
    const summary = occupancy + SLOTS / 8;
    store<u64>(summary, load<u64>(summary) & ~((<u64>1) << ((<u64>slot) >>> 6)));
  }
}

/** First occupied slot of a level at or behind `from`, or SLOTS. */
function nextOccupied(level: usize, from: usize): usize {
  if (from >= SLOTS) return SLOTS;
  const occupancy = occupancyOf(level);
  const group = from >>> 6;
  const word = load<u64>(occupancy + (group << 3)) & (u64.MAX_VALUE << ((<u64>from) & 63));
  if (word != 0) return (group << 6) + <usize>ctz(word);
  if (group == 63) return SLOTS;
  const behind = <u64>group + 1;
  const groups = load<u64>(occupancy + SLOTS / 8) & (u64.MAX_VALUE << behind);
  if (groups == 0) return SLOTS;
  const next = <usize>ctz(groups);
  return (next << 6) + <usize>ctz(load<u64>(occupancy + (next << 3)));
}

/** Puts an event into the list of its time, as seen from now. */
function place(node: EventNode): void {
  const cycle = node.when >>> 3;
  const different = cycle ^ machine().now;
  if (different < SLOTS) {
    const slot = (<usize>cycle) & (SLOTS - 1);
    push(heads + (slot << 5) + (((<usize>node.when) & 7) << 2), node);
    mark(0, slot);
    return;
  }
  const level = <usize>((63 - clz(different)) / LEVEL_BITS);
  const slot = (<usize>(cycle >>> (LEVEL_BITS * level))) & (SLOTS - 1);
  push(headOf(level, slot), node);
  mark(level, slot);
}

// @ts-ignore: decorator
@inline
function push(head: usize, node: EventNode): void {
  const next = <usize>load<u32>(head);
  node.next = next;
  node.previous = 0;
  if (next != 0) changetype<EventNode>(next).previous = changetype<usize>(node);
  store<u32>(head, <u32>changetype<usize>(node));
}

/** Takes an event back that has been scheduled and whose class of its cycle has not been taken. */
export function cancel(node: EventNode): void {
  const next = node.next;
  if (next != 0) changetype<EventNode>(next).previous = node.previous;
  if (node.previous != 0) changetype<EventNode>(node.previous).next = next;
  else leaveSlot(node, next);
  release(node);
}

/** The first node of a slot's list goes: `next` is the first one now. */
function leaveSlot(node: EventNode, next: usize): void {
  const cycle = node.when >>> 3;
  const different = cycle ^ machine().now;
  if (different < SLOTS) {
    const slot = (<usize>cycle) & (SLOTS - 1);
    const lists = heads + (slot << 5);
    store<u32>(lists + (((<usize>node.when) & 7) << 2), <u32>next);
    // The slot of the current cycle is closed when all its classes are done.
    if (different != 0 && (load<u64>(lists) | load<u64>(lists, 8) | load<u64>(lists, 16) | load<u64>(lists, 24)) == 0) {
      unmark(0, slot);
    }
    return;
  }
  const level = <usize>((63 - clz(different)) / LEVEL_BITS);
  const slot = (<usize>(cycle >>> (LEVEL_BITS * level))) & (SLOTS - 1);
  store<u32>(headOf(level, slot), <u32>next);
  if (next == 0) unmark(level, slot);
}

/**
 * Adds an event. `cycle` is not before now; in the current cycle only for a class later than the one being taken.
 * @returns its node, or 0 when there is none left
 */
export function schedule(cycle: u64, eventClass: EventClass, subject: usize, argument: u64): usize {
  const m = machine();
  assert(cycle >= m.now);
  let address = m.eventFree;
  if (address != 0) {
    m.eventFree = changetype<EventNode>(address).next;
  } else {
    address = m.eventNodes;
    if (address + NODE_BYTES > m.eventNodesEnd) {
      stopMachine(StopReason.EVENT_POOL_EXHAUSTED, 0, 0, m.now, 0);
      return 0;
    }
    m.eventNodes = address + NODE_BYTES;
  }
  const node = changetype<EventNode>(address);
  node.subject = subject;
  node.argument = argument;
  node.when = (min(cycle, LAST_CYCLE - 1) << 3) | (<u64>eventClass);
  place(node);
  limitByEvent(cycle);
  return address;
}

// @ts-ignore: decorator
@inline
export function release(node: EventNode): void {
  node.when = FREE;
  node.next = machine().eventFree;
  machine().eventFree = changetype<usize>(node);
}

/** Moves what lies in the upper slot that time has just entered to where it belongs now. */
function cascade(level: usize, slot: usize): void {
  const head = headOf(level, slot);
  let node = changetype<EventNode>(<usize>load<u32>(head));
  store<u32>(head, 0);
  unmark(level, slot);
  while (changetype<usize>(node) != 0) {
    const next = changetype<EventNode>(node.next);
    place(node);
    node = next;
  }
}

/**
 * Advances now to the next cycle with an event that is earlier than `stop`.
 * @returns that cycle, or NEVER when there is none; now is then unchanged or at a slot boundary before `stop`.
 */
export function advance(stop: u64): u64 {
  const m = machine();
  while (true) {
    const now = m.now;
    const slot = nextOccupied(0, (<usize>now) & (SLOTS - 1));
    if (slot < SLOTS) {
      const cycle = (now & ~(<u64>(SLOTS - 1))) | (<u64>slot);
      if (cycle >= stop) return NEVER;
      m.now = cycle;
      return cycle;
    }
    if (!enterUpperSlot(stop)) return NEVER;
  }
}

function enterUpperSlot(stop: u64): bool {
  const m = machine();
  for (let level: usize = 1; level < LEVELS; level++) {
    const shift = LEVEL_BITS * level;
    const slot = nextOccupied(level, ((<usize>(m.now >>> shift)) & (SLOTS - 1)) + 1);
    if (slot >= SLOTS) continue;
    const block = m.now >>> (shift + LEVEL_BITS);
    const start = ((block << LEVEL_BITS) | (<u64>slot)) << shift;
    if (start >= stop) return false;
    m.now = start;
    cascade(level, slot);
    return true;
  }
  return false;
}

/** Moves time forward to `cycle`, before which no event is left, and sorts what lies in the slots it is now in. */
export function settle(cycle: u64): void {
  const m = machine();
  if (cycle <= m.now) return;
  m.now = cycle;
  for (let level: usize = LEVELS - 1; level > 0; level--) {
    const slot = (<usize>(cycle >>> (LEVEL_BITS * level))) & (SLOTS - 1);
    if (load<u32>(headOf(level, slot)) != 0) cascade(level, slot);
  }
}

/** Whether any event is left at all. */
export function wheelIsEmpty(): bool {
  for (let level: usize = 0; level < LEVELS; level++) {
    if (load<u64>(occupancyOf(level) + SLOTS / 8) != 0) return false;
  }
  return true;
}

/** The class of the current cycle that has been taken last, plus one; 0 between cycles. */
let taken: i32 = 0;

/** Whether the events of a class of the current cycle have been taken. */
export function isTaken(eventClass: EventClass): bool {
  return eventClass < taken;
}

/** Takes the whole list of one class of the current cycle; the order is that of insertion, backwards. */
// @ts-ignore: decorator
@inline
export function take(cycle: u64, eventClass: EventClass): EventNode {
  const head = heads + (((<usize>cycle) & (SLOTS - 1)) << 5) + ((<usize>eventClass) << 2);
  const first = <usize>load<u32>(head);
  store<u32>(head, 0);
  taken = eventClass + 1;
  return changetype<EventNode>(first);
}

/** What is left of the list that has been taken, once its present event is over: for quietUntil(). */
let rest: usize = 0;

// @ts-ignore: decorator
@inline
export function leaveRest(next: EventNode): void {
  rest = changetype<usize>(next);
}

/** While an event of `cycle` is served: a cycle before which no other event is left. */
export function quietUntil(cycle: u64): u64 {
  const slot = (<usize>cycle) & (SLOTS - 1);
  const lists = heads + (slot << 5);
  if (rest != 0) return cycle;
  if ((load<u64>(lists) | load<u64>(lists, 8) | load<u64>(lists, 16) | load<u64>(lists, 24)) != 0) return cycle;
  return (cycle & ~(<u64>(SLOTS - 1))) + <u64>nextOccupied(0, slot + 1);
}

// Sorted lists of 2^i nodes, or 0.
// @ts-ignore: AssemblyScript reserves the bytes at compile time
const SORTED: usize = memory.data(32 * 4, 4);

/** A list that was taken, in ascending order of subjects (of CPUs or cores, that is by number), then of arguments. */
export function sortBySubject(list: EventNode): EventNode {
  let left = changetype<usize>(list);
  if (left == 0 || changetype<EventNode>(left).next == 0) return list;
  let bins: usize = 0;
  while (left != 0) {
    let carry = left;
    left = changetype<EventNode>(left).next;
    changetype<EventNode>(carry).next = 0;
    let bin: usize = 0;
    while (bin < bins && load<u32>(SORTED + (bin << 2)) != 0) {
      carry = mergeBySubject(<usize>load<u32>(SORTED + (bin << 2)), carry);
      store<u32>(SORTED + (bin << 2), 0);
      bin++;
    }
    store<u32>(SORTED + (bin << 2), <u32>carry);
    bins = max(bins, bin + 1);
  }
  let sorted: usize = 0;
  for (let bin: usize = 0; bin < bins; bin++) sorted = mergeBySubject(sorted, <usize>load<u32>(SORTED + (bin << 2)));
  return changetype<EventNode>(sorted);
}

// @ts-ignore: decorator
@inline
function precedes(one: EventNode, other: EventNode): bool {
  return one.subject < other.subject || (one.subject == other.subject && one.argument < other.argument);
}

function mergeBySubject(one: usize, other: usize): usize {
  let first: usize = 0;
  let last: usize = 0;
  while (one != 0 && other != 0) {
    const isOne = precedes(changetype<EventNode>(one), changetype<EventNode>(other));
    const node = isOne ? one : other;
    if (isOne) one = changetype<EventNode>(one).next;
    else other = changetype<EventNode>(other).next;
    if (last == 0) first = node;
    else changetype<EventNode>(last).next = node;
    last = node;
  }
  const behind = one != 0 ? one : other;
  if (last == 0) return behind;
  changetype<EventNode>(last).next = behind;
  return first;
}

/** Called when every class of a cycle is done. */
// @ts-ignore: decorator
@inline
export function closeCycle(cycle: u64): void {
  taken = 0;
  unmark(0, (<usize>cycle) & (SLOTS - 1));
}
