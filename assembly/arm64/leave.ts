// How the interpreter's loop is left: the CPU's state is written back, and the reason is named for time/run.ts.

import { CpuState } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { Access, outcome } from "../memory/access.ts";
import { accessRequest } from "../memory/request.ts";
import { StoreWait } from "../memory/stores.ts";
import { Leave } from "../time/leave.ts";
import { isReadModifyWrite } from "./atomic.ts";
import { issueNextLoads } from "./early.ts";
import { dataAbort, instructionAbort } from "./exception.ts";
import { A64 } from "./operations.ts";
import { Step } from "./step.ts";

/** Writes back what the loop keeps in locals. */
// @ts-ignore: decorator
@inline
export function save(cpu: Cpu, pc: u64, clock: u64, retired: u64): void {
  cpu.pc = pc;
  cpu.clock = clock;
  cpu.retired = retired;
}

/** What a slow access that was not done means for the executor; `atomic` as for dataAbort(). */
export function leaveForAccess(cpu: Cpu, atomic: bool): Leave {
  if (changetype<usize>(cpu) == machine().shadow) return Leave.REFUSED;
  switch (outcome()) {
    case Access.BLOCKED:
      if (cpu.awaitsStores == <u8>StoreWait.NONE) issueNextLoads(cpu, accessRequest(cpu).line);
      return Leave.BLOCKED;
    case Access.SIBLING:
      return Leave.SIBLING;
    case Access.REFUSED:
      return Leave.REFUSED;
    default:
      dataAbort(cpu, atomic);
      return leaveForException(cpu);
  }
}

/** There is no instruction to execute at cpu.pc. */
export function leaveForAbort(cpu: Cpu): Leave {
  if (changetype<usize>(cpu) == machine().shadow) return Leave.REFUSED;
  instructionAbort(cpu);
  return leaveForException(cpu);
}

/** An exception has been taken, or has stopped the machine. */
function leaveForException(cpu: Cpu): Leave {
  return cpu.state == CpuState.RUNNING ? Leave.RECHECK : Leave.WAITING;
}

/** Leaves the executor after an operation of executeRare() that is not simply done. */
export function leaveAfter(cpu: Cpu, d: A64, step: Step): Leave {
  switch (step) {
    case Step.RECHECK:
      save(cpu, cpu.pc + 4, cpu.clock + d.cost, cpu.retired + 1);
      return Leave.RECHECK;
    case Step.JUMP:
      save(cpu, cpu.pc, cpu.clock + d.cost, cpu.retired + 1);
      return Leave.RECHECK;
    case Step.WAIT:
      save(cpu, cpu.pc + 4, cpu.clock + d.cost, cpu.retired + 1);
      return Leave.WAITING;
    case Step.EXCEPTION:
      return leaveForException(cpu);
    case Step.LIMIT:
      cpu.resumed = 1;
      return Leave.LIMIT;
    case Step.REFUSED:
      return Leave.REFUSED;
    default:
      return leaveForAccess(cpu, isReadModifyWrite(<i32>d.operation));
  }
}
