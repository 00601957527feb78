// Compare-and-exchange and exchange-and-add (SDM 2A CMPXCHG, CMPXCHG8B/16B, 2B XADD). Atomic with LOCK only; without it
// they are a load and a store like any other read-modify-write.

import { Cpu } from "../cpu.ts";
import {
  Access,
  checkRights,
  closeJournal,
  journaledRead,
  journaledWrite,
  locate,
  openJournal,
  outcome,
} from "../memory/access.ts";
import { writable } from "../memory/copies.ts";
import { RAX, RBX, RCX, RDX, readR, writeR } from "./cpu.ts";
import { generalProtection } from "./exception.ts";
import { setZero } from "./flags.ts";
import { compute } from "./integer.ts";
import { beginModify, done, finishModify, operandAddress, readPart, readReg, writePart, writeReg } from "./operand.ts";
import { Alu, Extra, Op, X86 } from "./operations.ts";
import { Step } from "./step.ts";

export function executeAtomic(cpu: Cpu, d: X86, operation: i32): Step {
  switch (operation) {
    case Op.XADD:
      return exchangeAndAdd(cpu, d);
    case Op.CMPXCHG:
      return compareAndExchange(cpu, d);
    default:
      return d.size == 16 ? compareAndExchange16(cpu, d) : compareAndExchange8(cpu, d);
  }
}

function exchangeAndAdd(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const old = beginModify(cpu, d);
  if (!done) return Step.ACCESS;
  const sum = compute(base, Alu.ADD, d.size, old, readReg(base, d));
  if ((d.extra & (<u16>Extra.MEMORY)) != 0) {
    if (!finishModify(cpu, d, sum)) return Step.ACCESS;
    writeReg(base, d, old);
  } else {
    // With two registers the destination is written last (they may be the same).
    writeReg(base, d, old);
    finishModify(cpu, d, sum);
  }
  return Step.NEXT;
}

/** The destination is written in any case: with what it held when the comparison fails. */
function compareAndExchange(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const old = beginModify(cpu, d);
  if (!done) return Step.ACCESS;
  const expected = readPart(base, RAX, d.size, false);
  compute(base, Alu.CMP, d.size, expected, old);
  if (old == expected) return finishModify(cpu, d, readReg(base, d)) ? Step.NEXT : Step.ACCESS;
  if ((d.extra & (<u16>Extra.MEMORY)) != 0 && !finishModify(cpu, d, old)) return Step.ACCESS;
  writePart(base, RAX, d.size, false, old);
  return Step.NEXT;
}

/** CMPXCHG8B: EDX:EAX with ECX:EBX. */
function compareAndExchange8(cpu: Cpu, d: X86): Step {
  const base = changetype<usize>(cpu);
  const old = beginModify(cpu, d);
  if (!done) return Step.ACCESS;
  const equal = old == (readR(base, RAX) & 0xffff_ffff) + (readR(base, RDX) << 32);
  const replacement = (readR(base, RBX) & 0xffff_ffff) + (readR(base, RCX) << 32);
  if (!finishModify(cpu, d, equal ? replacement : old)) return Step.ACCESS;
  setZero(base, equal);
  if (!equal) {
    writeR(base, RAX, old & 0xffff_ffff);
    writeR(base, RDX, old >>> 32);
  }
  return Step.NEXT;
}

/** CMPXCHG16B: RDX:RAX with RCX:RBX; must be aligned, hence lies in one line. */
function compareAndExchange16(cpu: Cpu, d: X86): Step {
  const address = operandAddress(cpu, d);
  if ((address & 15) != 0) return generalProtection(cpu);
  let host = writable(changetype<usize>(cpu), address, 16);
  if (host == 0) {
    if ((d.extra & (<u16>Extra.LOCK)) == 0) return compareAndExchange16Apart(cpu, address);
    host = locate(cpu, address, true);
    if (host == 0) return Step.ACCESS;
  }
  if (conclude16(cpu, load<u64>(host), load<u64>(host, 8))) {
    store<u64>(host, newLow);
    store<u64>(host, newHigh, 8);
  }
  return Step.NEXT;
}

/** Without LOCK, the line not held writable: a load and then a store. */
function compareAndExchange16Apart(cpu: Cpu, address: u64): Step {
  const base = changetype<usize>(cpu);
  if (!checkRights(address, 16, true)) return Step.ACCESS;
  openJournal();
  const low = journaledRead(cpu, address, 8);
  if (outcome() != Access.DONE) return Step.ACCESS;
  const high = journaledRead(cpu, address + 8, 8);
  if (outcome() != Access.DONE) return Step.ACCESS;
  const equal = low == readR(base, RAX) && high == readR(base, RDX);
  journaledWrite(cpu, address, 8, equal ? readR(base, RBX) : low);
  if (outcome() != Access.DONE) return Step.ACCESS;
  journaledWrite(cpu, address + 8, 8, equal ? readR(base, RCX) : high);
  if (outcome() != Access.DONE) return Step.ACCESS;
  closeJournal(cpu);
  conclude16(cpu, low, high);
  return Step.NEXT;
}

let newLow: u64 = 0;
let newHigh: u64 = 0;

/** Sets ZF and, when the comparison fails, RDX:RAX. @returns whether newLow and newHigh are to be stored */
function conclude16(cpu: Cpu, low: u64, high: u64): bool {
  const base = changetype<usize>(cpu);
  const equal = low == readR(base, RAX) && high == readR(base, RDX);
  setZero(base, equal);
  if (!equal) {
    writeR(base, RAX, low);
    writeR(base, RDX, high);
    return false;
  }
  newLow = readR(base, RBX);
  newHigh = readR(base, RCX);
  return true;
}
