// The one place that knows both instruction sets: what a machine of either calls.

import { Architecture } from "../src/abi.ts";
import { Cpu, Pending } from "./cpu.ts";
import { machine } from "./machine.ts";
import { STATE_WORDS as ARM64_STATE_WORDS, isAtEl0 } from "./arm64/cpu.ts";
import { issueNextLoads } from "./arm64/early.ts";
import { arm64Execute } from "./arm64/execute.ts";
import { arm64TakePending } from "./arm64/exception.ts";
import { arm64Reset } from "./arm64/reset.ts";
import { arm64Slopes } from "./arm64/slopes.ts";
import { arm64TimersFire } from "./arm64/timer.ts";
import { STATE_WORDS as X86_STATE_WORDS, levelOfCode } from "./x86/cpu.ts";
import { x86TimersFire } from "./x86/deadlines.ts";
import { x86Execute } from "./x86/execute.ts";
import { x86TakePending } from "./x86/exception.ts";
import { x86Reset } from "./x86/reset.ts";
import { x86Slopes } from "./x86/slopes.ts";
import { Leave } from "./time/leave.ts";
import { takeStolen } from "./time/stolen.ts";

/**
 * Steps a CPU from its next instruction until a limit is reached or something else needs attention.
 * @param must execute the first instruction whatever the limits say: its access has just been completed
 */
export function execute(cpu: Cpu, must: bool): Leave {
  return machine().architecture == Architecture.X86_64 ? x86Execute(cpu, must) : arm64Execute(cpu, must);
}

/** Takes what is pending and unmasked, or goes on with a delivery that had to wait for memory. */
export function takePending(cpu: Cpu): void {
  if ((cpu.pending & Pending.STOLEN) != 0 && cpu.delivery == 0) {
    takeStolen(cpu);
    return;
  }
  if (machine().architecture == Architecture.X86_64) x86TakePending(cpu);
  else arm64TakePending(cpu);
}

/** Whether a load may be bound while one before it waits. */
export function bindsLoadsEarly(): bool {
  return machine().architecture == Architecture.ARM64;
}

/** The load at cpu.pc waits for a line, or has waited until now: the next ones may be bound before it. */
export function loadWaits(cpu: Cpu, line: u32): void {
  if (bindsLoadsEarly()) issueNextLoads(cpu, line);
}

/** Words of the register file that a loop can change. */
export function stateWords(): u32 {
  return machine().architecture == Architecture.X86_64 ? X86_STATE_WORDS : ARM64_STATE_WORDS;
}

/** Carries slopes through the shadow's next instruction; false when it can't tell. */
export function analyzeSlopes(shadow: Cpu): bool {
  return machine().architecture == Architecture.X86_64 ? x86Slopes(shadow) : arm64Slopes(shadow);
}

/** x86: CPL; arm64: exception level. */
export function privilegeLevel(cpu: Cpu): u32 {
  if (machine().architecture == Architecture.X86_64) return levelOfCode(cpu);
  return isAtEl0(changetype<usize>(cpu)) ? 0 : 1;
}

/** Architectural state at a CPU's start; pc, stack and argument come from its start fields. */
export function resetCpu(cpu: Cpu): void {
  if (machine().architecture == Architecture.X86_64) x86Reset(cpu);
  else arm64Reset(cpu);
}

/** The CPU's deadline has come: its timers signal what is due at `cycle`, and set the next one. */
export function timersFire(cpu: Cpu, cycle: u64): void {
  if (machine().architecture == Architecture.X86_64) x86TimersFire(cpu, cycle);
  else arm64TimersFire(cpu, cycle);
}
