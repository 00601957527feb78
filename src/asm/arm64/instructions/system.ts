// AArch64 barriers, hints, exceptions and system registers (Arm ARM, chapter C6).

import { checkRange } from "../../code-buffer.ts";
import { xzr } from "../registers.ts";
import type { Arm64Register } from "../registers.ts";
import { BARRIERS, NXS_BARRIERS, PSTATE_FIELDS, SYSTEM_INSTRUCTIONS, systemRegister } from "../system-registers.ts";
import type { Barrier, PstateField, SystemInstruction, SystemRegister } from "../system-registers.ts";
import { Arm64Memory } from "./memory.ts";

const BARRIER_OPCODES = { dsb: 0xd503_309f, dmb: 0xd503_30bf, isb: 0xd503_30df } as const;

export abstract class Arm64System extends Arm64Memory {
  // --- barriers, hints, waiting -------------------------------------------------------------------------------------------------

  dmb(barrier: Barrier): this {
    return this.word(0xd503_30bf | (BARRIERS[barrier] << 8));
  }
  dsb(barrier: Barrier): this {
    return this.word(0xd503_309f | (BARRIERS[barrier] << 8));
  }
  isb(): this {
    return this.barrier("isb", 15);
  }
  /** A barrier by the number that its option has; those without a name are reserved, and DSB 0 and 4 are SSBB and PSSBB. */
  barrier(name: keyof typeof BARRIER_OPCODES, option: number): this {
    return this.word(BARRIER_OPCODES[name] | (checkRange(option, 0, 15, "barrier option") << 8));
  }
  /** Without waiting for accesses with the XS attribute. */
  dsbNxs(barrier: keyof typeof NXS_BARRIERS): this {
    return this.word(0xd503_323f | (NXS_BARRIERS[barrier] << 10));
  }
  /** Speculation barrier. */
  sb(): this {
    return this.word(0xd503_30ff);
  }
  hint(number: number): this {
    return this.word(0xd503_201f | (checkRange(number, 0, 127, "hint") << 5));
  }
  nop(): this {
    return this.hint(0);
  }
  yield(): this {
    return this.hint(1);
  }
  wfe(): this {
    return this.hint(2);
  }
  wfi(): this {
    return this.hint(3);
  }
  sev(): this {
    return this.hint(4);
  }
  sevl(): this {
    return this.hint(5);
  }
  /** FEAT_WFxT: with a deadline in CNTVCT ticks. */
  wfet(deadline: Arm64Register): this {
    return this.word(0xd503_1000 | deadline.number);
  }
  wfit(deadline: Arm64Register): this {
    return this.word(0xd503_1020 | deadline.number);
  }

  // --- exceptions and system ----------------------------------------------------------------------------------------------------

  #exception(opcode: number, immediate: number): this {
    return this.word(opcode | (checkRange(immediate, 0, 0xffff, "16-bit immediate") << 5));
  }
  svc(immediate = 0): this {
    return this.#exception(0xd400_0001, immediate);
  }
  hvc(immediate = 0): this {
    return this.#exception(0xd400_0002, immediate);
  }
  smc(immediate = 0): this {
    return this.#exception(0xd400_0003, immediate);
  }
  brk(immediate = 0): this {
    return this.#exception(0xd420_0000, immediate);
  }
  hlt(immediate = 0): this {
    return this.#exception(0xd440_0000, immediate);
  }
  udf(immediate = 0): this {
    return this.word(checkRange(immediate, 0, 0xffff, "16-bit immediate"));
  }
  mrs(to: Arm64Register, register: SystemRegister): this {
    return this.#systemMove(1 << 21, to, register);
  }
  msr(register: SystemRegister, from: Arm64Register): this {
    return this.#systemMove(0, from, register);
  }
  #systemMove(direction: number, register: Arm64Register, name: SystemRegister): this {
    const [op0, op1, crn, crm, op2] = systemRegister(name);
    return this.word(
      0xd500_0000 | direction | (op0 << 19) | (op1 << 16) | (crn << 12) | (crm << 8) | (op2 << 5) | register.number,
    );
  }
  msrImmediate(field: PstateField, value: number): this {
    const [op1, op2] = PSTATE_FIELDS[field];
    return this.word(0xd500_401f | (op1 << 16) | (checkRange(value, 0, 15, "4-bit immediate") << 8) | (op2 << 5));
  }
  /** Sets mask bits: 8 D, 4 A, 2 I, 1 F. */
  daifSet(mask: number): this {
    return this.msrImmediate("daifset", mask);
  }
  daifClr(mask: number): this {
    return this.msrImmediate("daifclr", mask);
  }
  /** A system instruction by its fields. */
  sysFields(op1: number, crn: number, crm: number, op2: number, operand: Arm64Register = xzr): this {
    return this.word(0xd508_0000 | systemFields(op1, crn, crm, op2) | operand.number);
  }
  sysl(to: Arm64Register, op1: number, crn: number, crm: number, op2: number): this {
    return this.word(0xd528_0000 | systemFields(op1, crn, crm, op2) | to.number);
  }
  /** tlbi, dc, ic and at by name. */
  sys(instruction: SystemInstruction, operand: Arm64Register = xzr): this {
    const [op1, crn, crm, op2] = SYSTEM_INSTRUCTIONS[instruction];
    return this.sysFields(op1, crn, crm, op2, operand);
  }
}

function systemFields(op1: number, crn: number, crm: number, op2: number): number {
  return (
    (checkRange(op1, 0, 7, "op1") << 16) |
    (checkRange(crn, 0, 15, "CRn") << 12) |
    (checkRange(crm, 0, 15, "CRm") << 8) |
    (checkRange(op2, 0, 7, "op2") << 5)
  );
}
