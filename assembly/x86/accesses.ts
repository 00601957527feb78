// Loads and stores of the interpreter's loop. Each has a function for the hit, inlined there, that says whether it was one;
// what isn't goes the slow way, which is one function for all of them.

import { Cpu } from "../cpu.ts";
import { Access, outcome, readSlow, writeSlow } from "../memory/access.ts";
import { readable, writable } from "../memory/copies.ts";
import { addressOf } from "./address.ts";
import { RSP, readR, writeR } from "./cpu.ts";
import { logicFlags32, logicFlags64, logicFlags8, subtractFlags32, subtractFlags64, subtractFlags8 } from "./flags.ts";
import { alu32, alu64 } from "./integer.ts";
import { operandAddress } from "./operand.ts";
import { Op, X86 } from "./operations.ts";

// --- what is done with a loaded value --------------------------------------------------------------------------------

// @ts-ignore: decorator
@inline
function applyLoaded(base: usize, d: X86, operation: i32, value: u64): void {
  switch (operation) {
    case Op.LOAD_SIGNED32:
      writeR(base, d.reg, <u64>(<i64>(<i32>value)));
      break;
    case Op.ALU_RM64:
      writeR(base, d.reg, alu64(base, d.extra & 7, readR(base, d.reg), value));
      break;
    case Op.ALU_RM32:
      writeR(base, d.reg, alu32(base, d.extra & 7, <u32>readR(base, d.reg), <u32>value));
      break;
    case Op.CMP_RM64:
      subtractFlags64(base, readR(base, d.reg), value);
      break;
    case Op.CMP_RM32:
      subtractFlags32(base, <u32>readR(base, d.reg), <u32>value);
      break;
    case Op.CMP_MR64:
      subtractFlags64(base, value, readR(base, d.reg));
      break;
    case Op.CMP_MR32:
      subtractFlags32(base, <u32>value, <u32>readR(base, d.reg));
      break;
    case Op.CMP_MI64:
      subtractFlags64(base, value, <u64>(<i64>d.immediate));
      break;
    case Op.CMP_MI32:
      subtractFlags32(base, <u32>value, <u32>d.immediate);
      break;
    case Op.CMP_MI8:
      subtractFlags8(base, <u32>value, <u32>d.immediate);
      break;
    case Op.TEST_MR64:
      logicFlags64(base, value & readR(base, d.reg));
      break;
    case Op.TEST_MR32:
      logicFlags32(base, (<u32>value) & (<u32>readR(base, d.reg)));
      break;
    case Op.TEST_MI32:
      logicFlags32(base, (<u32>value) & (<u32>d.immediate));
      break;
    case Op.TEST_MI8:
      logicFlags8(base, (<u32>value) & (<u32>d.immediate));
      break;
    default: // LOAD64, LOAD32, LOAD16, LOAD8
      writeR(base, d.reg, value);
      break;
  }
}

// --- hits ------------------------------------------------------------------------------------------------------------

/** A load of a T, zero-extended, and what `operation`, a constant, does with it. @returns whether it was a hit */
// @ts-ignore: decorator
@inline
export function hitLoad<T>(base: usize, d: X86, nextPc: u64, operation: i32): bool {
  const host = readable(base, addressOf(base, d, nextPc), sizeof<T>());
  if (host == 0) return false;
  applyLoaded(base, d, operation, <u64>load<T>(host));
  return true;
}

/** A store of the lower bytes of a value. @returns whether it was a hit */
// @ts-ignore: decorator
@inline
export function hitStore<T>(base: usize, d: X86, nextPc: u64, value: u64): bool {
  const host = writable(base, addressOf(base, d, nextPc), sizeof<T>());
  if (host == 0) return false;
  store<T>(host, <T>value);
  return true;
}

/** PUSH of 64 bits. @returns whether its store was a hit */
// @ts-ignore: decorator
@inline
export function hitPush(base: usize, value: u64): bool {
  const address = readR(base, RSP) - 8;
  const host = writable(base, address, 8);
  if (host == 0) return false;
  store<u64>(host, value);
  writeR(base, RSP, address);
  return true;
}

/** POP of 64 bits; POP RSP gets what was popped. @returns whether its load was a hit */
// @ts-ignore: decorator
@inline
export function hitPop(base: usize, d: X86): bool {
  const address = readR(base, RSP);
  const host = readable(base, address, 8);
  if (host == 0) return false;
  const value = load<u64>(host);
  writeR(base, RSP, address + 8);
  writeR(base, d.reg, value);
  return true;
}

// --- the slow way ----------------------------------------------------------------------------------------------------

/** Any of the operations above; cpu.pc is that of the instruction. @returns whether its access is done: see outcome() */
export function accessSlow(cpu: Cpu, d: X86): bool {
  const base = changetype<usize>(cpu);
  const operation = <i32>d.operation;
  if (operation == Op.PUSH_R) return pushSlow(cpu, readR(base, d.reg));
  if (operation == Op.POP_R) return popSlow(cpu, d);
  const address = operandAddress(cpu, d);
  if (operation >= Op.STORE64 && operation <= Op.STORE_I8) {
    const value = operation < Op.STORE_I64 ? readR(base, d.reg) : <u64>(<i64>d.immediate);
    writeSlow(cpu, address, d.size, value);
    return outcome() == Access.DONE;
  }
  const value = readSlow(cpu, address, d.size);
  if (outcome() != Access.DONE) return false;
  applyLoaded(base, d, operation, value);
  return true;
}

export function pushSlow(cpu: Cpu, value: u64): bool {
  const base = changetype<usize>(cpu);
  const address = readR(base, RSP) - 8;
  writeSlow(cpu, address, 8, value);
  if (outcome() != Access.DONE) return false;
  writeR(base, RSP, address);
  return true;
}

function popSlow(cpu: Cpu, d: X86): bool {
  const base = changetype<usize>(cpu);
  const address = readR(base, RSP);
  const value = readSlow(cpu, address, 8);
  if (outcome() != Access.DONE) return false;
  writeR(base, RSP, address + 8);
  writeR(base, d.reg, value);
  return true;
}
