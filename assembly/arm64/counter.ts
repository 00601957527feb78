// The system counter (Arm ARM DDI 0487 D12): it follows the machine's clock at the frequency in CNTFRQ_EL0, exactly.

import { Cpu, NEVER } from "../cpu.ts";
import { machine } from "../machine.ts";
import { readClock } from "../time/shadow.ts";
import { LAST_CYCLE } from "../time/wheel.ts";
import { arm64 } from "./cpu.ts";

// The counter's frequency divided by the clock's, in lowest terms. Immutable after the machine is built. Their product stays
// within 64 bits: the host refuses other frequencies.
let counts: u64 = 1;
let cycles: u64 = 1;

export function attachCounter(): void {
  counts = machine().counterHz;
  cycles = <u64>machine().clockMhz * 1_000_000;
  const divisor = commonDivisor(counts, cycles);
  if (divisor == 0) return; // no machine, or none with a counter
  counts /= divisor;
  cycles /= divisor;
}

function commonDivisor(a: u64, b: u64): u64 {
  while (b != 0) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/** CNTPCT_EL0 at a cycle. */
export function countAt(cycle: u64): u64 {
  return (cycle / cycles) * counts + ((cycle % cycles) * counts) / cycles;
}

/** The first cycle at which CNTPCT_EL0 has reached a value, or NEVER. */
export function cycleOfCount(value: u64): u64 {
  const whole = value / counts;
  if (whole >= LAST_CYCLE / cycles) return NEVER;
  return whole * cycles + ((value % counts) * cycles + counts - 1) / counts;
}

/** CNTVCT_EL0 at a cycle. */
export function virtualCountAt(cpu: Cpu, cycle: u64): u64 {
  return countAt(cycle) - arm64(cpu).cntvoff;
}

/** CNTPCT_EL0 at the start of the CPU's next instruction. */
export function countNow(cpu: Cpu): u64 {
  return countAt(readClock(cpu));
}

/** CNTVCT_EL0 at the start of the CPU's next instruction. */
export function virtualCountNow(cpu: Cpu): u64 {
  return countNow(cpu) - arm64(cpu).cntvoff;
}

/** What the counter advances in a number of ticks of which each cycle has `ticksPerCycle`; 0 if that is not whole. */
export function countsIn(ticks: u64, ticksPerCycle: u64): u64 {
  const product = ticks * counts;
  const unit = cycles * ticksPerCycle;
  return product % unit == 0 ? product / unit : 0;
}
