// The A64 operations that the interpreter's loop leaves to functions of their own, by group.

import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { DecodedFlag } from "../memory/code.ts";
import { executeAtomic } from "./atomic.ts";
import { isAtEl0 } from "./cpu.ts";
import { executeMemory } from "./memory.ts";
import { A64, Op } from "./operations.ts";
import { Step } from "./step.ts";
import { executeSystem, mayZeroLine } from "./system.ts";

/** cpu.pc and cpu.clock are those of the instruction; on Step.NEXT the caller advances both. */
export function executeRare(cpu: Cpu, d: A64, operation: i32): Step {
  if ((d.flags & (<u16>DecodedFlag.SIDE_EFFECT)) != 0 && changetype<usize>(cpu) == machine().shadow)
    return Step.REFUSED;
  if (operation == Op.ZERO_LINE && isAtEl0(changetype<usize>(cpu))) {
    const step = mayZeroLine(cpu, d);
    if (step != Step.NEXT) return step;
  }
  if (operation >= Op.LOAD && operation <= Op.ZERO_LINE) return executeMemory(cpu, d, operation);
  if (operation >= Op.LOAD_ACQUIRE && operation <= Op.COMPARE_AND_SWAP_PAIR) return executeAtomic(cpu, d, operation);
  return executeSystem(cpu, d, operation);
}
