// Near control transfers beside the common ones: through memory, RET that releases arguments, LOOP (SDM 2A CALL, JMP, LOOP,
// 2B RET).

import { Cpu } from "../cpu.ts";
import {
  Access,
  checkRights,
  closeJournal,
  journaledRead,
  journaledWrite,
  openJournal,
  outcome,
} from "../memory/access.ts";
import { RCX, RSP, isCanonical, readR, writeR } from "./cpu.ts";
import { generalProtection } from "./exception.ts";
import { zeroOf } from "./flags.ts";
import { done, numberOf, operandAddress, readMemory, truncate } from "./operand.ts";
import { Op, X86 } from "./operations.ts";
import { Step } from "./step.ts";

export function executeControl(cpu: Cpu, d: X86, operation: i32): Step {
  switch (operation) {
    case Op.CALL_M:
      return callMemory(cpu, d);
    case Op.JMP_M: {
      const to = readMemory(cpu, operandAddress(cpu, d), 8);
      return done ? branch(cpu, to) : Step.ACCESS;
    }
    case Op.RET_I:
      return returnAndRelease(cpu, d);
    default:
      return loop(cpu, d);
  }
}

/** A target that is not canonical faults at the branch (SDM 2A, JMP). */
function branch(cpu: Cpu, to: u64): Step {
  if (!isCanonical(to)) return generalProtection(cpu);
  cpu.pc = to;
  return Step.BRANCH;
}

function callMemory(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const from = operandAddress(cpu, d);
  const stack = readR(base, RSP) - 8;
  if (!checkRights(from, 8, false) || !checkRights(stack, 8, true)) return Step.ACCESS;
  openJournal();
  const to = journaledRead(cpu, from, 8);
  if (outcome() != Access.DONE) return Step.ACCESS;
  if (!isCanonical(to)) return generalProtection(cpu);
  journaledWrite(cpu, stack, 8, cpu.pc + <u64>d.length);
  if (outcome() != Access.DONE) return Step.ACCESS;
  closeJournal(cpu);
  writeR(base, RSP, stack);
  return branch(cpu, to);
}

function returnAndRelease(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const stack = readR(base, RSP);
  const to = readMemory(cpu, stack, 8);
  if (!done) return Step.ACCESS;
  if (!isCanonical(to)) return generalProtection(cpu);
  writeR(base, RSP, stack + 8 + <u64>d.immediate);
  return branch(cpu, to);
}

/** LOOPNE, LOOPE, LOOP count RCX or ECX down; JRCXZ looks at it. */
function loop(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const kind = numberOf(d);
  let taken: bool;
  if (kind == 3) {
    taken = truncate(readR(base, RCX), d.size) == 0;
  } else {
    const count = truncate(readR(base, RCX) - 1, d.size);
    writeR(base, RCX, count);
    taken = count != 0 && (kind == 2 || zeroOf(base) == (kind == 1));
  }
  return taken ? branch(cpu, cpu.pc + <u64>d.length + <u64>(<i64>d.immediate)) : Step.NEXT;
}
