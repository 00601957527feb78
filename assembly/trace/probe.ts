// Probes: marks on instructions. They cost the guest nothing; a hit is recorded, or ends the run, or both.

import { CPU_REGISTERS, MAX_PROBES, Probe, TraceKind } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { halt, machine, reserve } from "../machine.ts";
import { PROBE_BYTES, forgetCode, probeAt, probeFlags } from "../memory/code.ts";
import { startCycle } from "../time/bounds.ts";
import { trace } from "./ring.ts";

// Behind address and flags, a probe keeps the two registers whose values it reports (slots of 8 bytes), or NO_REGISTER.
const PROBE_FLAGS: usize = 8;
const PROBE_FIRST: usize = 12;
const PROBE_SECOND: usize = 14;
const NO_REGISTER: u32 = 0xff;

export function openProbes(): bool {
  machine().probes = reserve(<usize>MAX_PROBES * PROBE_BYTES, 64);
  return machine().probes != 0;
}

/**
 * Sets a probe at an address, replacing any other there.
 * @param flags Probe bits; 0 removes
 * @param registers two register slots to report, a byte each; 0xff for none
 * @returns its number, or -1 when there are MAX_PROBES
 */
export function setProbe(address: u64, flags: u32, registers: u32): i32 {
  const m = machine();
  let number = probeAt(address);
  if (number < 0) {
    if (m.probeCount >= <u32>MAX_PROBES) return -1;
    number = m.probeCount++;
  }
  const probe = m.probes + <usize>number * PROBE_BYTES;
  store<u64>(probe, address);
  store<u32>(probe, flags, PROBE_FLAGS);
  store<u16>(probe, <u16>(registers & 0xff), PROBE_FIRST);
  store<u16>(probe, <u16>((registers >>> 8) & 0xff), PROBE_SECOND);
  forgetCode();
  return number;
}

/** The instruction at cpu.pc, which carries a probe, starts. */
export function probeHit(cpu: Cpu): void {
  const m = machine();
  const number = probeAt(cpu.pc);
  if (number < 0) return;
  const flags = probeFlags(number);
  const cycle = startCycle(cpu);
  if ((flags & Probe.RECORD) != 0) {
    const probe = m.probes + <usize>number * PROBE_BYTES;
    const first = registerValue(cpu, load<u16>(probe, PROBE_FIRST));
    const second = registerValue(cpu, load<u16>(probe, PROBE_SECOND));
    trace(TraceKind.PROBE, cpu, cycle, number, cpu.index, first, second);
  }
  if ((flags & Probe.BREAK) != 0) breakAt(cpu, cycle, number);
}

/** Of several CPUs that hit breaks within one interrupt latency, the first in the order of (cycle, CPU) is reported. */
function breakAt(cpu: Cpu, cycle: u64, number: u32): void {
  const m = machine();
  if (cycle > m.breakCycle || (cycle == m.breakCycle && cpu.index >= m.breakCpu)) return;
  m.breakCycle = cycle;
  m.breakCpu = cpu.index;
  m.breakProbe = number;
  halt(cycle);
}

function registerValue(cpu: Cpu, slot: u32): u64 {
  return slot == NO_REGISTER ? 0 : load<u64>(changetype<usize>(cpu) + ((<usize>slot) << 3), CPU_REGISTERS);
}
