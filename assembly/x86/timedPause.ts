// WAITPKG: TPAUSE and UMWAIT, which wait until the time-stamp counter reaches EDX:EAX, an interrupt comes, masked or not, or, of
// UMWAIT, the line that UMONITOR has armed is written (SDM 2B, TPAUSE; 2B, UMWAIT). The two states that the operand chooses from
// are alike here. IA32_UMWAIT_CONTROL limits how long it takes: CF tells that this limit has ended it.

import { WaitKind } from "../../src/abi.ts";
import { Cpu, NEVER, Pending } from "../cpu.ts";
import { beginWait } from "../interrupts/wake.ts";
import { startCycle } from "../time/bounds.ts";
import { observeLimit } from "../time/limits.ts";
import { unwatchLine } from "../time/watch.ts";
import { LAST_CYCLE } from "../time/wheel.ts";
import { RAX, RDX, RFLAGS_CF, readR, x86 } from "./cpu.ts";
import { setPauseCycle } from "./deadlines.ts";
import { generalProtection } from "./exception.ts";
import { writeStatus } from "./flags.ts";
import { X86 } from "./operations.ts";
import { Step } from "./step.ts";
import { Waited, deliverable } from "./wait.ts";

/** Bit 0 of the operand: the lighter state, C0.1. */
const CONTROL_BITS: u32 = 1;
/** IA32_UMWAIT_CONTROL, bits 31:2: the longest wait, in clocks of the TSC; 0: no limit. */
const LONGEST_WAIT: u64 = 0xffff_fffc;

// @ts-ignore: decorator
@inline
export function isPause(kind: WaitKind): bool {
  return kind == WaitKind.TPAUSE || kind == WaitKind.UMWAIT;
}

export function timedPause(cpu: Cpu, d: X86, kind: WaitKind): Step {
  const base = changetype<usize>(cpu);
  if (((<u32>readR(base, d.reg)) & ~CONTROL_BITS) != 0) return generalProtection(cpu);
  if (cpu.clock >= observeLimit) return Step.LIMIT;
  const state = x86(cpu);
  const cycle = startCycle(cpu);
  const counter = cycle + state.tscOffset;
  const wanted = (readR(base, RDX) << 32) | (readR(base, RAX) & 0xffff_ffff);
  const longest = state.umwaitControl & LONGEST_WAIT;
  let clocks = wanted > counter ? wanted - counter : 0;
  const limited = longest != 0 && longest < clocks;
  if (limited) clocks = longest;
  writeStatus(base, 0);
  const ends = clocks == 0 || (deliverable(cpu) | (cpu.pending & Pending.IRQ)) != 0;
  if (ends || (kind == WaitKind.UMWAIT && cpu.watchedLine == 0)) {
    if (kind == WaitKind.UMWAIT) unwatchLine(cpu);
    return Step.RECHECK;
  }
  // The monitor is no longer armed behind it, as behind MWAIT.
  if (kind == WaitKind.UMWAIT) state.waited = Waited.MWAIT;
  state.pauseLimited = limited ? 1 : 0;
  beginWait(cpu, kind);
  setPauseCycle(cpu, clocks < LAST_CYCLE - cycle ? cycle + clocks : NEVER);
  return Step.WAIT;
}

/** The wait ends at a cycle. */
export function leavePause(cpu: Cpu, cycle: u64): void {
  const state = x86(cpu);
  const expired = state.pauseCycle != 0 && cycle >= state.pauseCycle;
  if (expired && state.pauseLimited != 0) writeStatus(changetype<usize>(cpu), RFLAGS_CF);
}
