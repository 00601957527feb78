// The system counter (Arm ARM DDI 0487 D12): it follows the machine's clock at the frequency in CNTFRQ_EL0.

import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { readClock } from "../time/shadow.ts";

/** CNTPCT_EL0, CNTVCT_EL0 at the start of the CPU's next instruction. */
export function counterNow(cpu: Cpu): u64 {
  const m = machine();
  const clockHz = <u64>m.clockMhz * 1_000_000;
  const cycle = readClock(cpu);
  // Whole seconds apart, so that the product stays within 64 bits.
  const seconds = cycle / clockHz;
  return seconds * m.counterHz + ((cycle % clockHz) * m.counterHz) / clockHz;
}
