// Waiting for interrupts and for a monitored line: HLT, MONITOR, MWAIT (SDM 2A HLT, 2B MONITOR and MWAIT, 3A 9.10.2).

import { WaitKind } from "../../src/abi.ts";
import { Cpu, Pending } from "../cpu.ts";
import { beginWait } from "../interrupts/wake.ts";
import { lineOf } from "../memory/map.ts";
import { locate } from "../memory/access.ts";
import { observeLimit } from "../time/bounds.ts";
import { unwatchLine, watchLine } from "../time/watch.ts";
import { withSegment } from "./address.ts";
import { RAX, RCX, RFLAGS_IF, readR, x86 } from "./cpu.ts";
import { generalProtection } from "./exception.ts";
import { X86 } from "./operations.ts";
import { Step } from "./step.ts";

/** ECX of MWAIT: masked interrupts end the wait too. */
const BREAK_ON_MASKED: u64 = 1;

/** What is pending and not masked once the instruction, and with it a shadow that it stands in, is complete. */
function deliverable(cpu: Cpu): u32 {
  const state = x86(cpu);
  let masked: u32 = 0;
  if ((state.rflags & RFLAGS_IF) == 0) masked |= Pending.IRQ;
  if (state.nmiBlocked != 0) masked |= Pending.NMI;
  return cpu.pending & ~masked;
}

export function halt(cpu: Cpu): Step {
  if (cpu.clock >= observeLimit) return Step.LIMIT;
  if (deliverable(cpu) != 0) return Step.RECHECK;
  beginWait(cpu, WaitKind.HLT);
  return Step.WAIT;
}

/** Arms the monitor on the line of an address, which is read. RDX holds hints; ECX has no extensions (#GP). */
export function monitor(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  if (<u32>readR(base, RCX) != 0) return generalProtection(cpu);
  const address = withSegment(base, d, readR(base, RAX));
  if (locate(cpu, address, false) == 0) return Step.ACCESS;
  watchLine(cpu, lineOf(address));
  return Step.NEXT;
}

/** Waits while the monitored line has not been lost since MONITOR and nothing is pending. */
export function mwait(cpu: Cpu): Step {
  const base = changetype<usize>(cpu);
  const extensions = <u64>(<u32>readR(base, RCX));
  if ((extensions & ~BREAK_ON_MASKED) != 0) return generalProtection(cpu);
  if (cpu.clock >= observeLimit) return Step.LIMIT;
  const masked = extensions != 0 ? cpu.pending & Pending.IRQ : 0;
  if (cpu.watchedLine == 0 || (deliverable(cpu) | masked) != 0) {
    unwatchLine(cpu);
    return Step.RECHECK;
  }
  x86(cpu).mwait = <u32>extensions + 1;
  beginWait(cpu, WaitKind.MWAIT);
  return Step.WAIT;
}

/** What ends the wait of a CPU in MWAIT although it is masked. */
export function mwaitUnmasks(cpu: Cpu): u32 {
  return x86(cpu).mwait == <u32>BREAK_ON_MASKED + 1 ? Pending.IRQ : 0;
}

/** The CPU executes again: whatever ended its MWAIT, the monitor is no longer armed. */
export function leaveMwait(cpu: Cpu): void {
  x86(cpu).mwait = 0;
  unwatchLine(cpu);
}
