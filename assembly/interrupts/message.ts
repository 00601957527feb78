// Messages to CPUs: interrupts, answers of devices, events, starts. Each takes time, known when it is sent, so that its
// target never has to go back.

import { Architecture, ArrivalFlag, CpuState, DeliveryMode, Timing, TraceKind, WaitKind } from "../../src/abi.ts";
import { timersFire } from "../architecture.ts";
import { Cpu, NEVER, Pending, WaitEnd, cpuAt, hop } from "../cpu.ts";
import { machine, timing } from "../machine.ts";
import { raiseSystemNmi } from "../devices/port.ts";
import { answerDevice } from "../devices/transaction.ts";
import { acceptEvent } from "../firmware/dispatch.ts";
import { startCpu } from "../firmware/start.ts";
import { startCycle } from "../time/bounds.ts";
import { shrinkLimits, ticksOf } from "../time/limits.ts";
import { takeDeadline } from "../time/deadline.ts";
import { runCompleted, runCore } from "../time/run.ts";
import { unpark } from "../time/spin.ts";
import { suspend } from "../time/stolen.ts";
import { signalEvent } from "../time/watch.ts";
import { EventClass, EventNode, schedule } from "../time/wheel.ts";
import { trace } from "../trace/ring.ts";
import { microcodeUpdated } from "../x86/microcode.ts";
import { smiArrives } from "../x86/systemEvents.ts";
import { isDiverted } from "./delivery.ts";
import { heldArrives } from "./held.ts";
import { MESSAGE_MODE, apicAccept } from "./apic/accept.ts";
import { signalLocally } from "./apic/lvt.ts";
import { gicAccept, gicSetDistributor } from "./gic/interface.ts";
import { SGI_OF_GROUP0 } from "./gic/sgi.ts";
import { gicForward } from "./gic/stream.ts";
import { endEventWait, keepEvent, pendingEndsWait, wakeFromWait } from "./wake.ts";

/** Bits 6:0 of a MESSAGE event's argument; the subject is the target's Cpu record. Bit 7: held up (delivery.ts). */
export enum Message {
  /** Second byte: vector (x86) or INTID (arm64); third and fourth byte: x86 delivery mode (apic/accept.ts), or SGI_OF_*. */
  INTERRUPT = 0,
  /** A device has answered the CPU's access. */
  ANSWER = 1,
  /** The SPI that the distributor has for this CPU: INTID in bits 23:8, 0 for none; attributes from bit 24. */
  FORWARD = 2,
  /** SEV of another PE. */
  EVENT = 3,
  /** The distributor's enables have changed: bits 63:32 are GICD_CTLR. */
  DISTRIBUTOR = 4,
  /** Power-on; the start block is in the target's record. */
  START = 5,
  /** No message: a timer of the CPU's own fires (time/deadline.ts). */
  DEADLINE = 6,
  /** x86: the host makes a source of the CPU's own signal; second byte: `LocalInterrupt`. */
  LOCAL = 7,
  /** x86: an SMI of the platform; bits 63:32: cycles in system-management mode, or 0. */
  SMI = 8,
  /** x86: the platform's NMI line; second byte: source, a bit of port 0x61. */
  SYSTEM_NMI = 9,
  /** arm64: second byte: index of the SDEI event whose interrupt EL3 is to take. */
  EL3 = 10,
  /** The CPU is suspended; bits 63:8: for how many cycles. */
  SUSPEND = 11,
  /** x86: a thread of the CPU's core has updated their microcode; bits 63:32: its revision. */
  MICROCODE = 12,
  /** A message for an instruction of the CPU; second byte: its slot (held.ts). */
  HELD = 13,
}

export const MESSAGE_KIND: i32 = 0x7f;

/** In records: a message that EL3 takes, where others have their delivery mode. */
export const EL3_SUBJECT: u32 = (<u32>Pending.EL3) << 8;

/** Sends a message that arrives at a cycle after now. */
export function send(target: Cpu, argument: u64, arrival: u64): void {
  announce(target, arrival);
  schedule(arrival, EventClass.MESSAGE, changetype<usize>(target), argument);
}

/** Something is on its way to a CPU, which may not run past its arrival unseen. */
export function announce(target: Cpu, arrival: u64): void {
  const others = target.interruptArrivals++;
  if (others == 0 || arrival < target.interruptArrivalMin) target.interruptArrivalMin = arrival;
  if (others == 0 || arrival > target.interruptArrivalMax) target.interruptArrivalMax = arrival;
}

/** And has landed. */
// @ts-ignore: decorator
@inline
export function land(cpu: Cpu): void {
  const left = --cpu.interruptArrivals;
  if (left == 0) cpu.interruptArrivalMin = NEVER;
  else if (left == 1) cpu.interruptArrivalMin = cpu.interruptArrivalMax;
}

/** Cycles that an interrupt message takes from one CPU to another, if it is for that one alone. */
export function interruptLatency(from: Cpu, to: Cpu): u64 {
  if (from == to) return timing(Timing.SELF_INTERRUPT_LATENCY);
  if (from.core == to.core) return timing(Timing.SIBLING_INTERRUPT_LATENCY);
  const base = <u64>timing(Timing.INTERRUPT_LATENCY);
  const fromDomain = from.core.domain;
  const toDomain = to.core.domain;
  return fromDomain == toDomain ? base : base + hop(fromDomain.node, toDomain.node);
}

/**
 * Cycle at which the message of the sender's current instruction leaves it. Messages of one sender keep a gap; an
 * instruction whose message can't leave yet takes that much longer, so that no CPU sends faster than its interface.
 */
export function departure(sender: Cpu): u64 {
  const departs = max(startCycle(sender), sender.sendFree);
  if (departs > startCycle(sender)) sender.clock = ticksOf(departs);
  sender.sendFree = departs + timing(Timing.INTERRUPT_MESSAGE_GAP);
  return departs;
}

/** One way between a PE and the redistributor of a PE. */
export function redistributorLatency(from: Cpu, to: Cpu): u64 {
  return from == to ? <u64>timing(Timing.DEVICE_LATENCY) : interruptLatency(from, to);
}

/** Sends one interrupt message that left at `departs`; `skew`: so many cycles more, as one of several targets. */
export function sendInterrupt(sender: Cpu, target: Cpu, departs: u64, vector: u32, mode: u32, skew: u64 = 0): void {
  const arrival = departs + interruptLatency(sender, target) + skew;
  machine().interruptCount++;
  trace(TraceKind.INTERRUPT_SENT, sender, departs, vector | ((mode & MESSAGE_MODE) << 8), target.index, arrival, 0);
  send(target, (<u64>Message.INTERRUPT) | ((<u64>vector) << 8) | ((<u64>mode) << 16), arrival);
  if (target.core == sender.core) shrinkLimits(arrival);
}

/** SEV: sets the event register of every other PE. */
export function broadcastEvent(sender: Cpu): void {
  const departs = startCycle(sender);
  for (let index: u32 = 0; index < machine().cpus; index++) {
    const target = cpuAt(index);
    // Whether the target is on is found when the event arrives: the sender may have run ahead of that.
    if (target == sender || changetype<usize>(target.core) == 0) continue;
    const arrival = departs + interruptLatency(sender, target);
    send(target, <u64>Message.EVENT, arrival);
    if (target.core == sender.core) shrinkLimits(arrival);
  }
}

// @ts-ignore: decorator
@inline
function isAnswer(argument: u64): bool {
  return ((<i32>argument) & MESSAGE_KIND) == Message.ANSWER;
}

/**
 * The messages of a cycle, answers behind all others (R4): the instruction that an answer completes may look at what is pending,
 * as a CPU_SUSPEND does.
 */
export function answersLast(list: EventNode): EventNode {
  let first = changetype<usize>(list);
  let last: usize = 0;
  let answers: usize = 0;
  for (let at = first; at != 0;) {
    const next = changetype<EventNode>(at).next;
    if (isAnswer(changetype<EventNode>(at).argument)) {
      if (last == 0) first = next;
      else changetype<EventNode>(last).next = next;
      changetype<EventNode>(at).next = answers;
      answers = at;
    } else {
      last = at;
    }
    at = next;
  }
  if (last == 0) return changetype<EventNode>(answers);
  changetype<EventNode>(last).next = answers;
  return changetype<EventNode>(first);
}

/** A message has arrived. */
export function deliver(node: EventNode, cycle: u64): void {
  const cpu = changetype<Cpu>(node.subject);
  const argument = node.argument;
  if (argument == <u64>Message.DEADLINE) {
    if (takeDeadline(cpu, node)) {
      timersFire(cpu, cycle);
      settlePending(cpu, cycle);
      runCore(cpu.core, cycle, true);
    }
    return;
  }
  land(cpu);
  if (isDiverted(cpu, argument, cycle)) return;
  if (isAnswer(argument)) {
    answerDevice(cpu, cycle);
    runCompleted(cpu, cycle);
    return;
  }
  accept(cpu, argument, cycle);
  runCore(cpu.core, cycle, true);
}

/** What a message does to its target; not of answers. */
export function accept(cpu: Cpu, argument: u64, cycle: u64): void {
  switch ((<i32>argument) & MESSAGE_KIND) {
    case Message.INTERRUPT:
      acceptInterrupt(cpu, (<u32>(argument >>> 8)) & 0xff, (<u32>(argument >>> 16)) & 0xffff, cycle);
      break;
    case Message.FORWARD:
      acceptForwarded(cpu, (<u32>(argument >>> 8)) & 0xffff, <u32>(argument >>> 24), cycle);
      break;
    case Message.EVENT:
      if (cpu.state != CpuState.OFFLINE) signalEvent(cpu, cycle);
      break;
    case Message.DISTRIBUTOR:
      gicSetDistributor(cpu, <u32>(argument >>> 32));
      settlePending(cpu, cycle);
      break;
    case Message.LOCAL:
      signalLocally(cpu, (<i32>(argument >>> 8)) & 0xff, cycle);
      settlePending(cpu, cycle);
      break;
    case Message.SMI:
      smiArrives(cpu, cycle, argument >>> 32);
      settlePending(cpu, cycle);
      break;
    case Message.SYSTEM_NMI:
      raiseSystemNmi(cpu, (<u32>(argument >>> 8)) & 0xff);
      settlePending(cpu, cycle);
      break;
    case Message.EL3:
      acceptEvent(cpu, (<u32>(argument >>> 8)) & 0xff, cycle);
      trace(TraceKind.INTERRUPT_ARRIVED, cpu, cycle, EL3_SUBJECT, cpu.index, arrivalFlags(cpu, Pending.EL3), 0);
      settlePending(cpu, cycle);
      break;
    case Message.SUSPEND:
      suspend(cpu, cycle, argument >>> 8);
      break;
    case Message.MICROCODE:
      microcodeUpdated(cpu, <u32>(argument >>> 32));
      break;
    case Message.HELD:
      heldArrives(cpu, (<u32>(argument >>> 8)) & 0xff, cycle);
      break;
    default:
      startCpu(cpu, cycle);
      break;
  }
}

function acceptInterrupt(cpu: Cpu, vector: u32, mode: u32, cycle: u64): void {
  if (machine().architecture == Architecture.X86_64) apicAccept(cpu, vector, mode, cycle);
  else gicAccept(cpu, vector, mode == SGI_OF_GROUP0);
  const subject = vector | ((mode & MESSAGE_MODE) << 8);
  trace(TraceKind.INTERRUPT_ARRIVED, cpu, cycle, subject, cpu.index, arrivalFlags(cpu, kindOf(mode)), 0);
  settlePending(cpu, cycle);
}

/** The distributor's most urgent SPI, or that there is none. */
function acceptForwarded(cpu: Cpu, id: u32, attributes: u32, cycle: u64): void {
  gicForward(cpu, id, attributes, cycle);
  if (id != 0) trace(TraceKind.INTERRUPT_ARRIVED, cpu, cycle, id, cpu.index, arrivalFlags(cpu, SIGNALS), 0);
  settlePending(cpu, cycle);
}

/** What a GIC signals. */
const SIGNALS: u32 = Pending.IRQ | Pending.FIQ | Pending.NMI;

/** What a message of a mode makes pending. */
function kindOf(mode: u32): u32 {
  if (machine().architecture != Architecture.X86_64) return SIGNALS;
  return (mode & MESSAGE_MODE) == DeliveryMode.NMI ? Pending.NMI : Pending.IRQ;
}

/** What a record says of how a message finds its CPU: ArrivalFlag. Of others that come in the same cycle it says nothing. */
function arrivalFlags(cpu: Cpu, kind: u32): u64 {
  let flags: u64 = 0;
  if ((cpu.pending & ~cpu.masked & kind) != 0) flags |= <u64>ArrivalFlag.TAKEABLE;
  if ((cpu.masked & (Pending.IRQ | Pending.FIQ)) != 0) flags |= <u64>ArrivalFlag.MASKS_IRQ;
  if ((cpu.masked & Pending.NMI) != 0) flags |= <u64>ArrivalFlag.MASKS_NMI;
  return flags;
}

/** What is pending may have changed: ends waits and parked spins that can't go on. */
export function settlePending(cpu: Cpu, cycle: u64): void {
  if (cpu.state == CpuState.WAITING) {
    if (!pendingEndsWait(cpu)) return;
    if (cpu.waitKind == WaitKind.WFE) endEventWait(cpu, cycle, WaitEnd.INTERRUPT);
    else wakeFromWait(cpu, cycle);
    return;
  }
  keepEvent(cpu, cycle);
  if (cpu.parked != 0 && (cpu.pending & ~cpu.masked) != 0) {
    unpark(cpu, cycle);
  }
}
