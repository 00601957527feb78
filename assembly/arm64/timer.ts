// The generic timers of a PE (Arm ARM DDI 0487 D12.2): the physical and the virtual timer with their interrupts, the event
// stream, and the timeouts of WFET and WFIT. What they say depends on nothing but registers and the time, so a PE has one
// deadline: the first cycle at which anything changes.

import { CpuState, WaitKind } from "../../src/abi.ts";
import { Cpu, NEVER, WaitEnd } from "../cpu.ts";
import { gicSetPpiLine } from "../interrupts/gic/interface.ts";
import { endEventWait, wakeFromWait } from "../interrupts/wake.ts";
import { startCycle } from "../time/bounds.ts";
import { setDeadline } from "../time/deadline.ts";
import { unpark } from "../time/spin.ts";
import { signalEvent } from "../time/watch.ts";
import { countAt, countNow, cycleOfCount, virtualCountAt, virtualCountNow } from "./counter.ts";
import { arm64 } from "./cpu.ts";

/** PPIs of the EL1 timers (Arm BSA 1.0 table 5, and QEMU's virt board). */
const PHYSICAL_PPI: u32 = 30;
const VIRTUAL_PPI: u32 = 27;

/** CNTP_CTL_EL0, CNTV_CTL_EL0 */
const CTL_ENABLE: u32 = 1;
const CTL_IMASK: u32 = 2;
const CTL_ISTATUS: u64 = 4;

/** CNTKCTL_EL1 */
const CNTKCTL_EVNTEN: u64 = 1 << 2;
const CNTKCTL_EVNTDIR: u64 = 1 << 3;
const CNTKCTL_EVNTI_SHIFT: u64 = 4;

// --- registers -------------------------------------------------------------------------------------------------------

/** CNTP_CTL_EL0, CNTV_CTL_EL0. ISTATUS of a disabled timer is UNKNOWN: it reads as zero, as on QEMU. */
export function timerControl(cpu: Cpu, isVirtual: bool): u64 {
  const state = arm64(cpu);
  const control = isVirtual ? state.cntvCtl : state.cntpCtl;
  if ((control & CTL_ENABLE) == 0) return control;
  const met = isVirtual ? virtualCountNow(cpu) >= state.cntvCval : countNow(cpu) >= state.cntpCval;
  return (<u64>control) | (met ? CTL_ISTATUS : 0);
}

/** CNTP_TVAL_EL0, CNTV_TVAL_EL0: what is left, in 32 bits. */
export function timerValue(cpu: Cpu, isVirtual: bool): u64 {
  const state = arm64(cpu);
  const left = isVirtual ? state.cntvCval - virtualCountNow(cpu) : state.cntpCval - countNow(cpu);
  return left & 0xffff_ffff;
}

export function setTimerControl(cpu: Cpu, isVirtual: bool, value: u64): void {
  const control = (<u32>value) & (CTL_ENABLE | CTL_IMASK);
  if (isVirtual) arm64(cpu).cntvCtl = control;
  else arm64(cpu).cntpCtl = control;
  timersChange(cpu);
}

export function setCompareValue(cpu: Cpu, isVirtual: bool, value: u64): void {
  if (isVirtual) arm64(cpu).cntvCval = value;
  else arm64(cpu).cntpCval = value;
  timersChange(cpu);
}

/** The value written counts from now, as a signed number. */
export function setTimerValue(cpu: Cpu, isVirtual: bool, value: u64): void {
  const now = isVirtual ? virtualCountNow(cpu) : countNow(cpu);
  setCompareValue(cpu, isVirtual, now + <u64>(<i64>(<i32>value)));
}

/** CNTKCTL_EL1 */
export function setKernelControl(cpu: Cpu, value: u64): void {
  arm64(cpu).cntkctl = value & 0xffff_ffff;
  timersChange(cpu);
}

// --- what they say ---------------------------------------------------------------------------------------------------

/** An instruction that starts before `observeLimit` has changed a timer. */
function timersChange(cpu: Cpu): void {
  const cycle = startCycle(cpu);
  setLines(cpu, cycle);
  setNextDeadline(cpu, cycle);
}

/** The PE is off, or has just been reset: its timers say nothing. */
export function silenceTimers(cpu: Cpu): void {
  gicSetPpiLine(cpu, PHYSICAL_PPI, false);
  gicSetPpiLine(cpu, VIRTUAL_PPI, false);
  setDeadline(cpu, NEVER);
}

/** The PE's deadline has come. */
export function arm64TimersFire(cpu: Cpu, cycle: u64): void {
  if (cpu.state == CpuState.OFFLINE || cpu.state == CpuState.DEAD) return;
  setLines(cpu, cycle);
  if (eventStreamTriggers(cpu, cycle)) signalEvent(cpu, cycle);
  if (cpu.state == CpuState.WAITING && arm64(cpu).waitDeadline <= cycle) {
    if (cpu.waitKind == WaitKind.WFE) endEventWait(cpu, cycle, WaitEnd.TIMEOUT);
    else wakeFromWait(cpu, cycle);
  }
  // A loop may poll ISTATUS, which its elision takes for constant.
  if (cpu.parked != 0) unpark(cpu, cycle);
  setNextDeadline(cpu, cycle);
}

/** Level-sensitive outputs (D12.2.5): up while a timer is enabled, not masked, and its condition is met. */
function setLines(cpu: Cpu, cycle: u64): void {
  const state = arm64(cpu);
  gicSetPpiLine(cpu, PHYSICAL_PPI, isUp(state.cntpCtl) && countAt(cycle) >= state.cntpCval);
  gicSetPpiLine(cpu, VIRTUAL_PPI, isUp(state.cntvCtl) && virtualCountAt(cpu, cycle) >= state.cntvCval);
}

// @ts-ignore: decorator
@inline
function isUp(control: u32): bool {
  return (control & (CTL_ENABLE | CTL_IMASK)) == CTL_ENABLE;
}

/** The deadline is the first change behind `cycle`. */
function setNextDeadline(cpu: Cpu, cycle: u64): void {
  const state = arm64(cpu);
  let next = nextChange(cycle, state.cntpCtl, state.cntpCval, 0);
  next = min(next, nextChange(cycle, state.cntvCtl, state.cntvCval, state.cntvoff));
  next = min(next, nextEventOfStream(cpu, cycle));
  if (cpu.state == CpuState.WAITING && state.waitDeadline > cycle) next = min(next, state.waitDeadline);
  setDeadline(cpu, next);
}

/** The first cycle behind `cycle` at which a timer's condition changes (D12.2.4: an unsigned comparison). */
function nextChange(cycle: u64, control: u32, compare: u64, offset: u64): u64 {
  if ((control & CTL_ENABLE) == 0) return NEVER;
  const physical = countAt(cycle);
  const count = physical - offset;
  if (count < compare) return cycleOfFutureCount(physical, compare - count);
  // With an offset beyond the counter, the virtual count begins close to its end, and wraps.
  return offset > physical ? cycleOfCount(offset) : NEVER;
}

function cycleOfFutureCount(count: u64, more: u64): u64 {
  return more > u64.MAX_VALUE - count ? NEVER : cycleOfCount(count + more);
}

// --- the event stream (D12.2.6) --------------------------------------------------------------------------------------

/** Triggers so far, modulo 2^64: transitions of bit EVNTI of the virtual count, up or down as EVNTDIR says. */
function streamCount(kernelControl: u64, count: u64): u64 {
  const bit = (kernelControl >>> CNTKCTL_EVNTI_SHIFT) & 15;
  const phase = (kernelControl & CNTKCTL_EVNTDIR) != 0 ? 0 : (<u64>1) << bit;
  return (count - phase) >>> (bit + 1);
}

function eventStreamTriggers(cpu: Cpu, cycle: u64): bool {
  const control = arm64(cpu).cntkctl;
  if ((control & CNTKCTL_EVNTEN) == 0 || cycle == 0) return false;
  const before = streamCount(control, virtualCountAt(cpu, cycle - 1));
  return before != streamCount(control, virtualCountAt(cpu, cycle));
}

function nextEventOfStream(cpu: Cpu, cycle: u64): u64 {
  const control = arm64(cpu).cntkctl;
  if ((control & CNTKCTL_EVNTEN) == 0) return NEVER;
  const bit = (control >>> CNTKCTL_EVNTI_SHIFT) & 15;
  const phase = (control & CNTKCTL_EVNTDIR) != 0 ? 0 : (<u64>1) << bit;
  const period = (<u64>1) << (bit + 1);
  const physical = countAt(cycle);
  const since = (physical - arm64(cpu).cntvoff - phase) & (period - 1);
  return cycleOfFutureCount(physical, period - since);
}

// --- WFET and WFIT (FEAT_WFxT) ---------------------------------------------------------------------------------------

/** The cycle at which CNTVCT_EL0 reaches a value: now or before, when it has; NEVER, when it won't. */
export function timeoutCycle(cpu: Cpu, value: u64): u64 {
  const cycle = startCycle(cpu);
  const count = virtualCountAt(cpu, cycle);
  return count >= value ? cycle : cycleOfFutureCount(countAt(cycle), value - count);
}

/** The PE has begun to wait, until that cycle at the latest. */
export function setWaitDeadline(cpu: Cpu, deadline: u64): void {
  arm64(cpu).waitDeadline = deadline;
  if (deadline != NEVER) setNextDeadline(cpu, startCycle(cpu));
}
