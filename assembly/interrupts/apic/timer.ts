// The APIC timer (Intel SDM 3A 11.5.4, rev. 083): one-shot, periodic, TSC deadline.
//
// It counts the core crystal clock, divided. A crystal of K kHz beside a clock of C kHz ticks every C / K cycles, which is
// kept exactly: times are whole cycles and parts of 1 / K cycle. A count begins with the write that loads it.

import { Timing } from "../../../src/abi.ts";
import { Cpu, NEVER } from "../../cpu.ts";
import { machine, timing } from "../../machine.ts";
import { startCycle } from "../../time/bounds.ts";
import { LAST_CYCLE } from "../../time/wheel.ts";
import { x86 } from "../../x86/cpu.ts";
import { setTimerCycle } from "../../x86/deadlines.ts";
import { signalLvt } from "./lvt.ts";
import { Apic, Lvt, apicOf } from "./record.ts";

/** LVT timer, bits 18:17. */
enum TimerMode {
  ONE_SHOT = 0,
  PERIODIC = 1,
  TSC_DEADLINE = 2,
}

function timerMode(entry: u32): i32 {
  return (<i32>(entry >>> 17)) & 3;
}

function isCounting(entry: u32): bool {
  return timerMode(entry) <= TimerMode.PERIODIC;
}

function crystalKhz(): u64 {
  return <u64>timing(Timing.APIC_TIMER_CLOCK);
}

function clockKhz(): u64 {
  return <u64>machine().clockMhz * 1000;
}

/** Crystal clocks per count: bits 3, 1 and 0 of the divide register. */
function divisor(apic: Apic): u64 {
  const selected = (apic.divide & 3) | ((apic.divide & 8) >>> 1);
  const shift = <u64>((selected + 1) & 7);
  return (<u64>1) << shift;
}

// --- time ------------------------------------------------------------------------------------------------------------

let spanCycles: u64 = 0;
let spanFraction: u64 = 0;

/** From the start of a count to its end. */
function measureSpan(apic: Apic): void {
  const clocks = <u64>apic.timerCount * divisor(apic);
  const khz = crystalKhz();
  const rest = (clocks % khz) * clockKhz() + <u64>apic.timerFraction;
  // Beyond a decade it is all the same.
  const whole = min(clocks / khz, LAST_CYCLE / clockKhz()) * clockKhz();
  spanCycles = whole + rest / khz;
  spanFraction = rest % khz;
}

/** First cycle at which the count has come to 0, or the deadline has passed; NEVER when nothing is under way. */
function expiry(cpu: Cpu, apic: Apic): u64 {
  if (apic.tscDeadline != 0) return deadlineCycle(cpu, apic);
  if (apic.timerCount == 0) return NEVER;
  measureSpan(apic);
  return limited(apic.timerStart + spanCycles + (spanFraction != 0 ? 1 : 0));
}

function limited(cycle: u64): u64 {
  return cycle < LAST_CYCLE ? cycle : NEVER;
}

/** TSC = cycle + offset; the deadline lies ahead of the TSC as an unsigned number. */
function deadlineCycle(cpu: Cpu, apic: Apic): u64 {
  const now = startCycle(cpu);
  const counter = now + x86(cpu).tscOffset;
  if (apic.tscDeadline <= counter) return now;
  const ahead = apic.tscDeadline - counter;
  return ahead < LAST_CYCLE ? limited(now + ahead) : NEVER;
}

/** TMCCT at the start of the CPU's next instruction. */
export function currentCount(cpu: Cpu, apic: Apic): u32 {
  if (apic.timerCount == 0) return 0;
  const counts = crystalClocks(startCycle(cpu) - apic.timerStart, <u64>apic.timerFraction) / divisor(apic);
  return counts < <u64>apic.timerCount ? apic.timerCount - <u32>counts : 0;
}

/** Whole crystal clocks in `cycles` less a fraction of a cycle. */
function crystalClocks(cycles: u64, fraction: u64): u64 {
  const khz = crystalKhz();
  const perKhz = clockKhz();
  let whole = cycles / perKhz;
  let rest = (cycles % perKhz) * khz;
  if (rest < fraction) {
    if (whole == 0) return 0;
    whole--;
    rest += perKhz * khz;
  }
  return whole * khz + (rest - fraction) / perKhz;
}

// --- what software does ----------------------------------------------------------------------------------------------

/** The deadline of the CPU follows the timer; what a write makes due is due behind the writing instruction. */
function setTimerDeadline(cpu: Cpu, apic: Apic): void {
  const cycle = expiry(cpu, apic);
  setTimerCycle(cpu, cycle == NEVER ? NEVER : max(cycle, startCycle(cpu) + 1));
}

function begin(cpu: Cpu, apic: Apic, count: u32): void {
  apic.timerCount = count;
  apic.timerStart = startCycle(cpu);
  apic.timerFraction = 0;
  setTimerDeadline(cpu, apic);
}

/** TMICT: 0 stops the timer. In TSC-deadline mode it is not written (SDM 3A 11.5.4.1). */
export function writeInitialCount(cpu: Cpu, apic: Apic, count: u32): void {
  if (timerMode(apic.timer) == TimerMode.TSC_DEADLINE) return;
  apic.initialCount = count;
  if (isCounting(apic.timer)) begin(cpu, apic, count);
}

/** A running count goes on from where it is at the new rate. */
export function writeDivide(cpu: Cpu, apic: Apic, value: u32): void {
  const count = currentCount(cpu, apic);
  apic.divide = value;
  if (apic.timerCount != 0) begin(cpu, apic, max<u32>(count, 1));
}

/**
 * LVT timer has been written. Between one-shot and periodic the count goes on, and one that is over stays so until TMICT is
 * written; into TSC-deadline mode or out of it, the timer is disarmed.
 */
export function changeTimerMode(cpu: Cpu, apic: Apic, before: u32): void {
  if (timerMode(before) == timerMode(apic.timer)) return;
  if (isCounting(before) && isCounting(apic.timer)) return;
  apic.initialCount = apic.timerCount = 0;
  apic.tscDeadline = 0;
  setTimerCycle(cpu, NEVER);
}

/** IA32_TSC_DEADLINE reads 0 outside its mode. */
export function readTscDeadline(cpu: Cpu): u64 {
  return apicOf(cpu).tscDeadline;
}

/** Outside its mode it is not written; 0 disarms (SDM 3A 11.5.4.1). */
export function writeTscDeadline(cpu: Cpu, deadline: u64): void {
  const apic = apicOf(cpu);
  if (timerMode(apic.timer) != TimerMode.TSC_DEADLINE) return;
  apic.tscDeadline = deadline;
  setTimerDeadline(cpu, apic);
}

/** The time-stamp counter has jumped: a deadline is one of the counter. */
export function apicCounterMoved(cpu: Cpu): void {
  const apic = apicOf(cpu);
  if (apic.tscDeadline != 0) setTimerDeadline(cpu, apic);
}

// --- what time does --------------------------------------------------------------------------------------------------

/** The timer's cycle has come. With the LVT entry masked the timer goes on all the same, and this expiry is lost. */
export function apicTimerFires(cpu: Cpu, cycle: u64): void {
  const apic = apicOf(cpu);
  if (apic.tscDeadline != 0) {
    apic.tscDeadline = 0;
  } else if (timerMode(apic.timer) == TimerMode.PERIODIC) {
    measureSpan(apic);
    apic.timerStart += spanCycles;
    apic.timerFraction = <u32>spanFraction;
    apic.timerCount = apic.initialCount;
    const next = expiry(cpu, apic);
    setTimerCycle(cpu, next);
  } else {
    apic.timerCount = 0;
  }
  signalLvt(cpu, apic, Lvt.TIMER, cycle);
}
