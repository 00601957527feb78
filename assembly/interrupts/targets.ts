// The set of CPUs that one instruction sends an interrupt to: a cpumask that the interrupt controllers fill from their
// destination formats, and that is empty between instructions.

import { Cpu, cpuAt } from "../cpu.ts";
import { maskClear, maskCopy, maskNext, maskSet, maskWords, maskZero } from "../cpumask.ts";
import { machine, reserve } from "../machine.ts";
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
}

/** Sends one message to each member, all at once, and empties the set. */
export function sendToTargets(sender: Cpu, vector: u32, mode: u32): void {
  const mask = machine().targetMask;
  const departs = departure(sender);
  for (let index = maskNext(mask, end, first); index < end; index = maskNext(mask, end, index + 1)) {
    sendInterrupt(sender, cpuAt(index), departs, vector, mode);
    maskClear(mask, index);
  }
  first = u32.MAX_VALUE;
  end = 0;
}
