// The main loop: takes the events of each cycle, class by class, until a cycle is reached.

import { CpuState, RunStatus, StopReason } from "../../src/abi.ts";
import { Core, Cpu, NEVER, coreInDomain, threadOf } from "../cpu.ts";
import { deviceArrivals } from "../devices/transaction.ts";
import { answersLast, deliver } from "../interrupts/message.ts";
import { halt, machine } from "../machine.ts";
import { forgetInCore } from "../memory/copies.ts";
import { cacheArrivals, homeArrivals } from "../memory/directory.ts";
import { INVALIDATION_DOWNGRADE, dropCopy, gainCopy, landLine } from "../memory/arrivals.ts";
import { bindFilled } from "../memory/early.ts";
import { concludeForeseen, takeApart } from "../memory/foreseen.ts";
import { Entry } from "../memory/lines.ts";
import { enlistLate, isSpunOn, settleMembers } from "../memory/member.ts";
import { DRAIN, StoreWait, drainStores } from "../memory/stores.ts";
import { LATE } from "../memory/perturbation.ts";
import { Request, RequestKind, accessRequest } from "../memory/request.ts";
import { FILL_FROM_SIBLING, takeFromSibling } from "../memory/siblings.ts";
import { checkTrain } from "../memory/train.ts";
import { addressOfLine } from "../memory/map.ts";
import { traceWaited } from "../trace/lines.ts";
import { traceWantsDraining } from "../trace/ring.ts";
import { ticksOf } from "./limits.ts";
import { continueAfterDelivery, runCompleted, runCore } from "./run.ts";
import { parkedLineUse, parkedUntil, unpark } from "./spin.ts";
import { LineUse, endWatch } from "./watch.ts";
import {
  EventClass,
  EventNode,
  advance,
  closeCycle,
  leaveRest,
  release,
  settle,
  sortBySubject,
  take,
  wheelIsEmpty,
} from "./wheel.ts";

/** Runs until every event earlier than `stop` has happened, or something ends the run before. */
export function runUntil(stop: u64): RunStatus {
  const m = machine();
  if (m.halt == NEVER) m.breakCycle = NEVER;
  else if (m.now >= m.halt) return RunStatus.STOPPED;
  m.stop = min(stop, m.halt);
  while (true) {
    const cycle = advance(m.stop);
    if (cycle == NEVER) break;
    takeCycle(cycle);
    if (traceWantsDraining()) return RunStatus.TRACE_FULL;
  }
  const quiescent = wheelIsEmpty() && m.halt == NEVER;
  settle(m.stop);
  if (m.now >= m.halt) return halted();
  return quiescent ? RunStatus.QUIESCENT : RunStatus.REACHED;
}

/** A fatal event is for ever, a break is told once. */
function halted(): RunStatus {
  const m = machine();
  m.halt = NEVER;
  if (m.stopReason != StopReason.NONE) halt(m.stopCycle);
  return m.halt <= m.now ? RunStatus.STOPPED : RunStatus.BREAK;
}

function takeCycle(cycle: u64): void {
  takeInvalidations(cycle);
  takeFills(cycle);
  takeMessages(cycle);
  cacheArrivals(cycle);
  homeArrivals(cycle);
  deviceArrivals(cycle);
  takeRuns(cycle);
  closeCycle(cycle);
}

function takeInvalidations(cycle: u64): void {
  let node = take(cycle, EventClass.INVALIDATE);
  while (changetype<usize>(node) != 0) {
    const next = changetype<EventNode>(node.next);
    // The event concerns several cores: until the last of them, it isn't over.
    leaveRest(node);
    machine().events++;
    const subject = node.subject;
    let cores = node.argument;
    release(node);
    const entry = changetype<Entry>(subject & ~(<usize>63));
    const first = ((<u32>(subject >>> 1)) & 31) << 6;
    const downgrade = (subject & INVALIDATION_DOWNGRADE) != 0;
    if (cores == 0) checkTrain(entry, cycle);
    while (cores != 0) {
      const core = <u32>ctz(cores);
      cores &= cores - 1;
      if (cores == 0) leaveRest(next);
      invalidateCore(entry, first + core, downgrade, cycle);
    }
    node = next;
  }
  leaveRest(changetype<EventNode>(0));
}

/** A core loses a line, or the right to write it; whoever of its threads waited for just that goes on. */
function invalidateCore(entry: Entry, bit: u32, downgrade: bool, cycle: u64): void {
  const core = coreInDomain(entry.domain, bit);
  const line = entry.home.line;
  landLine(core);
  if (entry.home.foreseen != 0 && isSpunOn(core, line)) takeApart(entry.home, cycle);
  if (!downgrade && core.watchers != 0 && enlistLate(entry, core, cycle)) return;
  if (core.watchers != 0) disturbWatchers(core, line, downgrade, cycle);
  // Parked threads have been stepped up to this cycle while the line was still there.
  forgetInCore(core, addressOfLine(line), downgrade);
  dropCopy(entry, bit, downgrade);
  continueAfterDelivery(core, cycle);
}

function disturbWatchers(core: Core, line: u32, downgrade: bool, cycle: u64): void {
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const cpu = threadOf(core, thread);
    if (cpu.parked != 0) {
      const use = parkedLineUse(cpu, line);
      if (use == LineUse.WRITTEN || (use == LineUse.READ && !downgrade)) unpark(cpu, cycle);
    }
    if (cpu.watchedLine == line + 1 && !downgrade) endWatch(cpu, cycle);
  }
}

/**
 * Fills of different cores commute. Those of one core don't: which of two threads goes first decides whose claim is left
 * (memory/siblings.ts), and an access that misses comes before the stores that drain. So they go by number, accesses before store
 * buffers, and those before loads that were issued early (R4).
 */
function takeFills(cycle: u64): void {
  let node = sortBySubject(take(cycle, EventClass.FILL));
  while (changetype<usize>(node) != 0) {
    const next = changetype<EventNode>(node.next);
    leaveRest(next);
    machine().events++;
    const request = changetype<Request>(node.subject);
    const cpu = request.cpu;
    const argument = node.argument;
    release(node);
    landLine(cpu.core);
    // Its siblings may go on with this very copy.
    if (cpu.core.members != 0) settleMembers(cpu.core, cycle);
    if (request.kind == RequestKind.STORES) fillStores(request, argument, cycle);
    else if (request.kind >= <u32>RequestKind.LOADS) fillEarly(request, argument != 0, cycle);
    else if (argument == FILL_FROM_SIBLING) fillFromSibling(cpu, cycle);
    else if (argument == LATE) complete(cpu, cycle);
    else fill(request, argument != 0, cycle);
    node = next;
  }
}

/** A line comes to a core. */
function takeLine(request: Request, mayWrite: bool): void {
  concludeForeseen(request);
  gainCopy(changetype<Entry>(request.entry), request.cpu.core.bit, mayWrite);
}

/** A line that the store buffer has asked for, or the time to drain; the CPU may be doing anything, or wait for just that. */
function fillStores(request: Request, argument: u64, cycle: u64): void {
  const cpu = request.cpu;
  const line = request.line;
  if (argument != DRAIN) takeLine(request, argument != 0);
  drainStores(cpu, cycle);
  const waits = <StoreWait>cpu.awaitsStores;
  if (waits != StoreWait.NONE) {
    traceWaited(cpu, line, cycle);
    cpu.awaitsStores = <u8>StoreWait.NONE;
    cpu.state = CpuState.RUNNING;
    cpu.clock = ticksOf(cycle);
  }
  if (waits == StoreWait.INSTRUCTION) runCompleted(cpu, cycle);
  else runCore(cpu.core, cycle, true);
}

function fill(request: Request, mayWrite: bool, cycle: u64): void {
  const cpu = request.cpu;
  takeLine(request, mayWrite);
  complete(cpu, cycle);
}

/** A line that a load has asked for early; the CPU may be doing anything, or wait for just that. */
function fillEarly(request: Request, mayWrite: bool, cycle: u64): void {
  const cpu = request.cpu;
  takeLine(request, mayWrite);
  if (bindFilled(request)) complete(cpu, cycle);
  else continueAfterDelivery(cpu.core, cycle);
}

function complete(cpu: Cpu, cycle: u64): void {
  traceWaited(cpu, accessRequest(cpu).line, cycle);
  cpu.state = CpuState.RUNNING;
  cpu.clock = ticksOf(cycle);
  runCompleted(cpu, cycle);
}

function fillFromSibling(cpu: Cpu, cycle: u64): void {
  traceWaited(cpu, accessRequest(cpu).line, cycle);
  cpu.clock = ticksOf(cycle);
  const taken = takeFromSibling(cpu);
  cpu.state = CpuState.RUNNING;
  if (taken) runCompleted(cpu, cycle);
  else runCore(cpu.core, cycle, true);
}

function takeMessages(cycle: u64): void {
  let node = answersLast(take(cycle, EventClass.MESSAGE));
  while (changetype<usize>(node) != 0) {
    const next = changetype<EventNode>(node.next);
    leaveRest(next);
    machine().events++;
    deliver(node, cycle);
    release(node);
    node = next;
  }
}

function takeRuns(cycle: u64): void {
  let node = take(cycle, EventClass.RUN);
  while (changetype<usize>(node) != 0) {
    const next = changetype<EventNode>(node.next);
    leaveRest(next);
    machine().events++;
    const core = changetype<Core>(node.subject);
    release(node);
    assert(core.runCycle == cycle);
    core.runCycle = NEVER;
    core.runEvent = 0;
    endParking(core, cycle);
    runCore(core, cycle, false);
    node = next;
  }
}

/** A parked spin has a last turn: its branch goes the other way then. */
function endParking(core: Core, cycle: u64): void {
  for (let thread: u32 = 0; thread < core.threadCount; thread++) {
    const cpu = threadOf(core, thread);
    if (cpu.parked != 0 && parkedUntil(cpu) <= cycle) unpark(cpu, cycle);
  }
}
