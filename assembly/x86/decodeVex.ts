// x86-64 decoder: the VEX-encoded integer instructions BMI1 and BMI2 (SDM 2D A.3, tables ). All others need AVX,
// which is not announced, so that they raise #UD whatever they are (SDM 2A 2.4, XCR0 can't be set).

import { Timing } from "../../src/abi.ts";
import { timing } from "../machine.ts";
import { extension, inMemory, rexW, take8, takeModRm, vexLength, vexMap, vexRegister, wordOf } from "./bytes.ts";
import { Bmi, BmiShift, Op, X86 } from "./operations.ts";
import { loads, simple } from "./select.ts";
import { Mandatory, mandatoryPrefix } from "./simd.ts";

export function decodeVex(d: X86, opcode: u32): void {
  if (vexLength != 0) return;
  const prefix = mandatoryPrefix();
  if (vexMap == 2) decodeMap2(d, opcode, prefix);
  else if (vexMap == 3 && opcode == 0xf0 && prefix == Mandatory.PF2) rotateImmediate(d);
}

function decodeMap2(d: X86, opcode: u32, prefix: Mandatory): void {
  switch (opcode) {
    case 0xf2:
      if (prefix == Mandatory.NONE) operate(d, Bmi.ANDN);
      break;
    case 0xf3:
      if (prefix == Mandatory.NONE) decodeGroup17(d);
      break;
    case 0xf5:
      if (prefix == Mandatory.NONE) operate(d, Bmi.BZHI);
      else if (prefix == Mandatory.PF3) operate(d, Bmi.PEXT);
      else if (prefix == Mandatory.PF2) operate(d, Bmi.PDEP);
      break;
    case 0xf6:
      if (prefix != Mandatory.PF2) break;
      threeOperands(d);
      finish(d, Op.MULX);
      d.cost += <u16>timing(Timing.COST_MULTIPLY);
      break;
    case 0xf7:
      if (prefix == Mandatory.NONE) operate(d, Bmi.BEXTR);
      else shift(d, prefix == Mandatory.P66 ? BmiShift.SHLX : prefix == Mandatory.PF3 ? BmiShift.SARX : BmiShift.SHRX);
      break;
    default:
      break;
  }
}

/** reg, rm and, in `immediate`, the word of VEX.vvvv. */
function threeOperands(d: X86): void {
  takeModRm(d);
  d.size = rexW ? 8 : 4;
  d.immediate = <i32>wordOf(vexRegister);
}

function finish(d: X86, operation: Op): void {
  if (inMemory) loads(d, operation);
  else simple(d, operation);
}

function operate(d: X86, kind: Bmi): void {
  threeOperands(d);
  d.extra |= <u16>kind;
  finish(d, Op.BMI);
}

function shift(d: X86, kind: BmiShift): void {
  threeOperands(d);
  d.extra |= <u16>kind;
  finish(d, Op.BMI_SHIFT);
}

/** BLSR, BLSMSK, BLSI: the destination is VEX.vvvv. */
function decodeGroup17(d: X86): void {
  threeOperands(d);
  if (extension == 0 || extension > 3) return;
  d.extra |= <u16>(Bmi.BLSR - 1 + <i32>extension);
  d.reg = wordOf(vexRegister);
  finish(d, Op.BMI);
}

/** RORX; VEX.vvvv must be 1111 (kept inverted: 0). */
function rotateImmediate(d: X86): void {
  takeModRm(d);
  d.size = rexW ? 8 : 4;
  d.immediate = <i32>take8();
  if (vexRegister != 0) return;
  d.extra |= <u16>BmiShift.RORX;
  finish(d, Op.BMI_SHIFT);
}
