// The set of CPUs that one instruction sends an interrupt to: a cpumask that the interrupt controllers fill from their
// destination formats, and that is empty between instructions. However many they are, one message leaves the sender; the
// interconnect makes copies of it on the way.
//
// - A target list (a cluster of x2APIC logical ids, ICC_SGI1R_EL1.TargetList) is one message to where its members are, which
//   serves them one after another, in the order of their numbers.
// - A broadcast (shorthand, broadcast id, ICC_SGI1R_EL1.IRM) is copied for each node, the sender's own first and the others
//   by number; there for each last-level-cache domain; and a copy serves the CPUs of its domain one after another. Whether
//   a CPU is online makes no difference: the interconnect doesn't know.

import { Timing } from "../../src/abi.ts";
import { Cpu, cpuAt } from "../cpu.ts";
import { maskClear, maskCopy, maskNext, maskSet, maskWords, maskZero } from "../cpumask.ts";
import { machine, reserve, timing } from "../machine.ts";
import { cpuWithId } from "./hardwareIds.ts";
import { departure, sendInterrupt } from "./message.ts";

/** Reserves the set, and that of the CPUs there are. @returns false when memory is exhausted */
export function openTargets(): bool {
  const m = machine();
  const bytes = (<usize>maskWords(m.cpus)) << 3;
  m.presentMask = reserve(bytes, 64);
  m.targetMask = reserve(bytes, 64);
  return m.presentMask != 0 && m.targetMask != 0;
}

/** Where members of the set can lie: few destinations must not cost a search through all CPUs. */
let first: u32 = u32.MAX_VALUE;
let end: u32 = 0;
let isBroadcast: bool = false;

export function targetPresent(cpu: Cpu): void {
  maskSet(machine().presentMask, cpu.index);
}

/** Adds the CPU with a hardware id; a destination that nobody has is lost without a trace. */
export function targetId(id: u64): void {
  const cpu = cpuWithId(id);
  if (changetype<usize>(cpu) != 0) targetCpu(cpu);
}

export function targetCpu(cpu: Cpu): void {
  maskSet(machine().targetMask, cpu.index);
  first = min(first, cpu.index);
  end = max(end, cpu.index + 1);
}

/** Adds the CPUs with ids `base` + the bits of a list. */
export function targetList(base: u64, list: u32): void {
  for (let rest = list; rest != 0; rest &= rest - 1) targetId(base + <u64>ctz(rest));
}

/** All CPUs that there are, with or without the sender. */
export function targetAll(sender: Cpu, includingSelf: bool): void {
  const m = machine();
  maskCopy(m.targetMask, m.presentMask, m.cpus);
  if (!includingSelf) maskClear(m.targetMask, sender.index);
  first = 0;
  end = m.cpus;
  isBroadcast = true;
}

/** By how much a CPU gets a broadcast later than it would get a message of its own. */
function broadcastSkew(sender: Cpu, target: Cpu, member: u64, copy: u64): u64 {
  if (target == sender) return 0;
  const own = sender.core.domain.node;
  const domain = target.core.domain;
  const node = domain.node == own ? 0 : domain.node < own ? domain.node + 1 : domain.node;
  return <u64>(node + domain.rank) * copy + <u64>target.slot * member;
}

/** Keeps one member: the `choice`th in order of CPU number, modulo how many there are. */
export function keepOneTarget(choice: u32): void {
  const mask = machine().targetMask;
  let count: u32 = 0;
  for (let index = maskNext(mask, end, first); index < end; index = maskNext(mask, end, index + 1)) count++;
  if (count == 0) return;
  let chosen = maskNext(mask, end, first);
  for (let left = choice % count; left > 0; left--) chosen = maskNext(mask, end, chosen + 1);
  maskZero(mask, machine().cpus);
  first = u32.MAX_VALUE;
  end = 0;
  isBroadcast = false;
  targetCpu(cpuAt(chosen));
}

/** Sends the message to each member and empties the set. */
export function sendToTargets(sender: Cpu, vector: u32, mode: u32): void {
  const mask = machine().targetMask;
  const departs = departure(sender);
  const member = <u64>timing(Timing.INTERRUPT_MEMBER_SKEW);
  const copy = <u64>timing(Timing.INTERRUPT_COPY_SKEW);
  let served: u64 = 0;
  for (let index = maskNext(mask, end, first); index < end; index = maskNext(mask, end, index + 1)) {
    const target = cpuAt(index);
    const skew = isBroadcast ? broadcastSkew(sender, target, member, copy) : served * member;
    sendInterrupt(sender, target, departs, vector, mode, skew);
    maskClear(mask, index);
    served++;
  }
  first = u32.MAX_VALUE;
  end = 0;
  isBroadcast = false;
}
