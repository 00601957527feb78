// Spin elision.
import { Cpu, NEVER } from "../cpu.ts";
import { Leave } from "./leave.ts";
import { LineUse } from "./watch.ts";

// @ts-ignore: decorator
@inline
export function loopEdge(cpu: Cpu, target: u64): bool {
  return false;
}
export function comeRound(cpu: Cpu): Leave {
  return Leave.NONE;
}
export function parkedUntil(cpu: Cpu): u64 {
  return NEVER;
}
export function parkedLineUse(cpu: Cpu, line: u32): LineUse {
  return LineUse.NONE;
}
export function unpark(cpu: Cpu, cycle: u64): void {}

export function openSpins(): bool { return true; }
