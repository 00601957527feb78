// Waiting for interrupts and for a monitored line: HLT, MONITOR, MWAIT (SDM 2A HLT, 2B MONITOR and MWAIT, 3A 9.10.2).

import { WaitKind } from "../../src/abi.ts";
import { Cpu, Pending } from "../cpu.ts";
import { deepen } from "../interrupts/idle.ts";
import { beginWait } from "../interrupts/wake.ts";
import { lineOf } from "../memory/map.ts";
import { locate } from "../memory/access.ts";
import { observeLimit } from "../time/limits.ts";
import { Leave } from "../time/leave.ts";
import { unwatchLine, watchLine } from "../time/watch.ts";
import { withSegment } from "./address.ts";
import { RAX, RCX, RFLAGS_IF, readR, x86 } from "./cpu.ts";
import { generalProtection } from "./exception.ts";
import { X86 } from "./operations.ts";
import { Step } from "./step.ts";

/** What a CPU waits in, or has just left (X86State.waited). */
export enum Waited {
  NOTHING = 0,
  MWAIT = 1,
  MWAIT_BREAKING_ON_MASKED = 2,
  /** It was in HLT when an SMI came. */
  HALT_RESTARTS = 3,
}

/** ECX of MWAIT: masked interrupts end the wait too. */
const BREAK_ON_MASKED: u64 = 1;

/** What is pending and not masked once the instruction, and with it a shadow that it stands in, is complete. */
export function deliverable(cpu: Cpu): u32 {
  const state = x86(cpu);
  let masked: u32 = 0;
  if ((state.rflags & RFLAGS_IF) == 0) masked |= Pending.IRQ;
  if (state.nmiBlocked != 0) masked |= Pending.NMI;
  return cpu.pending & ~masked & ~Pending.STOLEN;
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

/** UMONITOR: the address stands in the register that the operand names. */
export function userMonitor(cpu: Cpu, d: X86): Step {
  const address = withSegment(changetype<usize>(cpu), d, readR(changetype<usize>(cpu), d.reg));
  if (locate(cpu, address, false) == 0) return Step.ACCESS;
  watchLine(cpu, lineOf(address));
  return Step.NEXT;
}

/** EAX of MWAIT, bits 7:4: C-state less one; 15 is C0. */
function isDeepHint(hint: u32): bool {
  const state = (hint >>> 4) & 15;
  return state != 0 && state != 15;
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
  x86(cpu).waited = extensions == 0 ? Waited.MWAIT : Waited.MWAIT_BREAKING_ON_MASKED;
  beginWait(cpu, WaitKind.MWAIT);
  if (isDeepHint(<u32>readR(base, RAX))) deepen(cpu);
  return Step.WAIT;
}

/** What ends the wait of a CPU in MWAIT although it is masked. */
export function mwaitUnmasks(cpu: Cpu): u32 {
  return x86(cpu).waited == Waited.MWAIT_BREAKING_ON_MASKED ? Pending.IRQ : 0;
}

/**
 * What doesn't end shutdown, or the wait for a start-up IPI, masked or not. Shutdown ends by NMI, SMI and INIT (SDM 3A 6.15,
 * interrupt 8); an NMI that is blocked, since the CPU shut down in an NMI handler, waits.
 */
export function systemStateMasks(kind: WaitKind): u32 {
  return kind == WaitKind.SHUTDOWN ? Pending.IRQ : u32.MAX_VALUE;
}

/** HLT ends. After a system-management interrupt the CPU halts again (SDM 3C 32.10): so it has auto HALT restart set. */
export function leaveHalt(cpu: Cpu): void {
  if ((cpu.pending & Pending.SMI) != 0) x86(cpu).waited = Waited.HALT_RESTARTS;
}

/** An interrupt or NMI is taken behind the HLT, or INIT: it doesn't halt again. */
export function forgetHalt(cpu: Cpu): void {
  if (x86(cpu).waited == Waited.HALT_RESTARTS) x86(cpu).waited = Waited.NOTHING;
}

/** The CPU executes again. @returns whether it does; a halt goes on that system-management mode has interrupted */
export function leaveWait(cpu: Cpu): Leave {
  const state = x86(cpu);
  if (state.waited == Waited.HALT_RESTARTS) {
    if (cpu.clock >= observeLimit) return Leave.LIMIT;
    state.waited = Waited.NOTHING;
    beginWait(cpu, WaitKind.HLT);
    return Leave.WAITING;
  }
  // Whatever ended MWAIT, the monitor is no longer armed.
  state.waited = Waited.NOTHING;
  unwatchLine(cpu);
  return Leave.NONE;
}
