// The operations that the interpreter's loop leaves to functions of their own, by group.

import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { DecodedFlag } from "../memory/code.ts";
import { executeAtomic } from "./atomics.ts";
import { executeBits } from "./bits.ts";
import { executeControl } from "./control.ts";
import { executeFar } from "./far.ts";
import { executeInteger } from "./integer.ts";
import { executeMultiply } from "./multiply.ts";
import {
  ATOMICS_FIRST,
  BITS_FIRST,
  CONTROL_FIRST,
  FAR_FIRST,
  MULTIPLY_FIRST,
  Op,
  SEGMENTS_FIRST,
  SHIFTS_FIRST,
  STACK_FIRST,
  STRINGS_FIRST,
  SYSTEM_FIRST,
  X86,
} from "./operations.ts";
import { executeSegments } from "./segments.ts";
import { executeShift } from "./shifts.ts";
import { executeStack } from "./stack.ts";
import { Step } from "./step.ts";
import { executeString } from "./strings.ts";
import { drainBefore } from "./serialize.ts";
import { executeSystem } from "./system.ts";

/** cpu.pc and cpu.clock are those of the instruction; on Step.NEXT the caller advances both. */
export function executeRare(cpu: Cpu, d: X86, operation: i32): Step {
  if ((d.flags & (<u16>DecodedFlag.SIDE_EFFECT)) != 0 && changetype<usize>(cpu) == machine().shadow)
    return Step.REFUSED;
  const step = drainBefore(cpu, d, operation);
  if (step != Step.NEXT) return step;
  if (operation == Op.UNDEFINED || operation >= SYSTEM_FIRST) return executeSystem(cpu, d, operation);
  if (operation < SHIFTS_FIRST) return executeInteger(cpu, d, operation);
  if (operation < BITS_FIRST) return executeShift(cpu, d, operation);
  if (operation < MULTIPLY_FIRST) return executeBits(cpu, d, operation);
  if (operation < ATOMICS_FIRST) return executeMultiply(cpu, d, operation);
  if (operation < STACK_FIRST) return executeAtomic(cpu, d, operation);
  if (operation < STRINGS_FIRST) return executeStack(cpu, d, operation);
  if (operation < CONTROL_FIRST) return executeString(cpu, d, operation);
  if (operation < FAR_FIRST) return executeControl(cpu, d, operation);
  if (operation < SEGMENTS_FIRST) return executeFar(cpu, d, operation);
  return executeSegments(cpu, d, operation);
}
