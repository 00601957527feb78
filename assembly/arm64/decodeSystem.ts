// A64 decoder: exception generation, hints, barriers, PSTATE, system registers (Arm ARM DDI 0487 K.a, C4.1.94).

import { Timing } from "../../src/abi.ts";
import { machine } from "../machine.ts";
import { DecodedFlag } from "../memory/code.ts";
import { El0Rule } from "./el0.ts";
import { bits, setOperation, source, target } from "./fields.ts";
import { A64, Op } from "./operations.ts";
import { decodeRead, decodeWrite } from "./systemRegisters.ts";

/** Fields of MSR (immediate), in `extra`. */
export enum PstateField {
  SPSEL = 0,
  DAIFSET = 1,
  DAIFCLR = 2,
  ALLINT = 3,
}

export function decodeSystem(d: A64, word: u32): void {
  if (bits(word, 24, 24) == 0) {
    decodeException(d, word);
    return;
  }
  if (bits(word, 24, 22) != 0b100) return;
  const fromSystem = bits(word, 21, 21) != 0;
  const register = bits(word, 20, 5);
  switch (bits(word, 20, 19)) {
    case 0:
      if (fromSystem) break;
      if (bits(word, 18, 8) == 0b011_0001_0000) decodeTimedWait(d, word);
      else if (bits(word, 4, 0) == 31) decodeHintOrBarrier(d, word);
      break;
    case 1:
      // SYSL: none is announced.
      d.rn = source(bits(word, 4, 0));
      if (!fromSystem) decodeMaintenance(d, register);
      break;
    default:
      d.rd = target(bits(word, 4, 0));
      d.rn = source(bits(word, 4, 0));
      if (fromSystem) decodeRead(d, register);
      else decodeWrite(d, register);
      break;
  }
}

/**
 * SYS (C5.3 to C5.5); `register` is op0:op1:CRn:CRm:op2. Caches are coherent and there are no translations, so what
 * maintains them has nothing to do.
 */
function decodeMaintenance(d: A64, register: u32): void {
  switch (register) {
    case 0x5ba9: // IC IVAU
    case 0x5bd1: // DC CVAC
    case 0x5bd9: // DC CVAU
    case 0x5bf1: // DC CIVAC
      nothingToDo(d, El0Rule.UCI);
      break;
    case 0x4388: // IC IALLUIS
    case 0x43a8: // IC IALLU
    case 0x43b1: // DC IVAC
    case 0x43b2: // DC ISW
    case 0x43d2: // DC CSW
    case 0x43f2: // DC CISW
    case 0x4418: // TLBI VMALLE1IS, VAE1IS, ASIDE1IS, VAAE1IS, VALE1IS, VAALE1IS
    case 0x4419:
    case 0x441a:
    case 0x441b:
    case 0x441d:
    case 0x441f:
    case 0x4438: // TLBI VMALLE1, VAE1, ASIDE1, VAAE1, VALE1, VAALE1
    case 0x4439:
    case 0x443a:
    case 0x443b:
    case 0x443d:
    case 0x443f:
      nothingToDo(d, El0Rule.UNDEFINED);
      break;
    case 0x5ba1: // DC ZVA
      setOperation(d, Op.ZERO_LINE, Timing.COST_STORE);
      d.flags |= <u16>DecodedFlag.MEMORY;
      break;
    case 0x43c0: // AT S1E1R, S1E1W, S1E0R, S1E0W
    case 0x43c1:
    case 0x43c2:
    case 0x43c3:
      sideEffect(d, Op.UNSUPPORTED, Timing.COST_SIMPLE);
      break;
    default:
      break;
  }
}

function nothingToDo(d: A64, rule: El0Rule): void {
  d.extra = rule;
  setOperation(d, Op.SYSTEM_NOP, Timing.COST_SYSTEM_WRITE);
}

function sideEffect(d: A64, operation: Op, cost: Timing): void {
  setOperation(d, operation, cost);
  d.flags |= <u16>DecodedFlag.SIDE_EFFECT;
}

function decodeException(d: A64, word: u32): void {
  if (bits(word, 4, 2) != 0) return;
  d.immediate = <i64>bits(word, 20, 5);
  const level = bits(word, 1, 0);
  switch (bits(word, 23, 21)) {
    case 0:
      if (level == 1) sideEffect(d, Op.SVC, Timing.COST_SIMPLE);
      else if (level == 2) sideEffect(d, Op.HVC, Timing.COST_SIMPLE);
      else if (level == 3) sideEffect(d, Op.SMC, Timing.COST_SIMPLE);
      break;
    case 1:
      if (level == 0) sideEffect(d, Op.BRK, Timing.COST_SIMPLE);
      break;
    default: // HLT and DCPS belong to external debug, which is not there
      break;
  }
}

function decodeHintOrBarrier(d: A64, word: u32): void {
  const operation2 = bits(word, 7, 5);
  const operand = bits(word, 11, 8);
  switch (bits(word, 15, 12)) {
    case 2:
      if (bits(word, 18, 16) == 3) decodeHint(d, (operand << 3) | operation2);
      break;
    case 3:
      if (bits(word, 18, 16) == 3) decodeBarrier(d, operation2, operand);
      break;
    case 4:
      decodePstate(d, bits(word, 18, 16), operation2, operand);
      break;
    default:
      break;
  }
}

/** System instructions with register argument: WFET, WFIT (FEAT_WFxT). */
function decodeTimedWait(d: A64, word: u32): void {
  const operation2 = bits(word, 7, 5);
  if (operation2 > 1) return;
  d.rn = source(bits(word, 4, 0));
  sideEffect(d, operation2 == 0 ? Op.WFET : Op.WFIT, Timing.COST_SIMPLE);
  if (operation2 == 0) d.flags |= <u16>DecodedFlag.MEMORY; // as WFE
}

/** Hints that this PE doesn't know are NOPs (C6.2.120). */
function decodeHint(d: A64, number: u32): void {
  switch (number) {
    case 1:
      setOperation(d, Op.YIELD, Timing.COST_RELAX);
      break;
    case 2:
      sideEffect(d, Op.WFE, Timing.COST_SIMPLE);
      d.flags |= <u16>DecodedFlag.MEMORY; // its outcome depends on the exclusive monitor
      break;
    case 3:
      sideEffect(d, Op.WFI, Timing.COST_SIMPLE);
      break;
    case 4:
      sideEffect(d, Op.SEV, Timing.COST_SIMPLE);
      break;
    case 5:
      sideEffect(d, Op.SEVL, Timing.COST_SIMPLE);
      break;
    default:
      setOperation(d, Op.NOP, Timing.COST_SIMPLE);
      break;
  }
}

function decodeBarrier(d: A64, operation2: u32, operand: u32): void {
  switch (operation2) {
    case 2:
      sideEffect(d, Op.CLREX, Timing.COST_SIMPLE);
      break;
    case 4:
      d.extra = operand & 3;
      setOperation(d, Op.DSB, Timing.COST_FULL_FENCE);
      break;
    case 5:
      d.extra = operand & 3;
      setOperation(d, Op.DMB, barrierCost(operand));
      break;
    case 6:
      setOperation(d, Op.ISB, Timing.COST_SERIALIZE);
      break;
    default: // SB (FEAT_SB), DSB nXS (FEAT_XS): not announced
      break;
  }
}

/** Types of accesses that a barrier orders: bits 1:0 of CRm; 3, and 0, are all. */
export const BARRIER_LOADS: u32 = 1;
export const BARRIER_STORES: u32 = 2;

function barrierCost(operand: u32): Timing {
  const types = operand & 3;
  return types == BARRIER_LOADS
    ? Timing.COST_LOAD_FENCE
    : types == BARRIER_STORES
      ? Timing.COST_STORE_FENCE
      : Timing.COST_FULL_FENCE;
}

function decodePstate(d: A64, operation1: u32, operation2: u32, operand: u32): void {
  d.immediate = <i64>operand;
  if (operation1 == 0 && operation2 == 5) {
    d.extra = PstateField.SPSEL;
  } else if (operation1 == 3 && operation2 == 6) {
    d.extra = PstateField.DAIFSET;
  } else if (operation1 == 3 && operation2 == 7) {
    d.extra = PstateField.DAIFCLR;
  } else if (operation1 == 1 && operation2 == 0 && operand < 2 && machine().featNmi != 0) {
    d.extra = PstateField.ALLINT;
  } else {
    return; // UAO, PAN, SSBS, DIT, TCO: not announced
  }
  sideEffect(d, Op.MSR_IMMEDIATE, Timing.COST_SYSTEM_WRITE);
}
