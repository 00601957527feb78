// x86-64 lowering of calls, frames, atomics, fences and interrupt state (instruction forms as the Linux kernel uses them).

import { loc } from "../lower/calls.ts";
import { def, early, held, registerSet, update, use, useAny } from "../lower/instructions.ts";
import type { Location, OperandCode } from "../lower/instructions.ts";
import type { EffectStatement } from "../lower/lowered.ts";
import type { ArchBlock } from "../record/arch.ts";
import type { Callable } from "../record/callable.ts";
import type { Address, ConditionEffect, Expression, FenceKind, Statement, UpdateOperator } from "../record/tree.ts";
import { widthOf } from "../record/tree.ts";
import { X64Assembler } from "./assembler.ts";
import { X64Conditions } from "./conditions.ts";
import type { MemoryTemplate } from "./operands.ts";
import { fitsImmediate, RAX, SCRATCH } from "./operands.ts";
import { at, gpr, memory, rsp, x64RegisterNumber } from "./registers.ts";
import type { X64Condition, X64Memory, X64Register } from "./registers.ts";

/** RFLAGS.IF (SDM volume 1, section 3.4.3). */
const INTERRUPT_FLAG = 0x200;
const INTERRUPT_FLAG_BIT = 9;

export class X64Lowering extends X64Conditions {
  protected newAssembler(): X64Assembler {
    return new X64Assembler();
  }

  /** Slots and structs begin at rsp; the saved registers lie above them. */
  protected get areaOffset(): number {
    return 0;
  }

  // --- frame: pushes, then room for slots and structs; rsp is 16-aligned at calls -------------------------------------------------

  #frameBytes(): number {
    const { bytes, saved, hasCalls } = this.frame;
    const needsAlignment = hasCalls || this.recording.frameSlots.length > 0;
    if (!needsAlignment) return bytes;
    const above = 8 + 8 * saved.length;
    return bytes + ((16 - ((above + bytes) % 16)) % 16);
  }

  protected prologue(a: X64Assembler): void {
    for (const register of this.frame.saved) a.push(gpr(register, 64));
    const bytes = this.#frameBytes();
    if (bytes > 0) a.sub(rsp, bytes);
  }

  protected epilogue(a: X64Assembler): void {
    const bytes = this.#frameBytes();
    if (bytes > 0) a.add(rsp, bytes);
    for (const register of [...this.frame.saved].reverse()) a.pop(gpr(register, 64));
    a.ret();
  }

  protected jump(label: number): void {
    this.list.jump(label, (a) => a.jmp(label));
  }

  // --- effects --------------------------------------------------------------------------------------------------------------------

  protected effect(statement: EffectStatement): void {
    switch (statement.kind) {
      case "update":
        this.#update(statement);
        return;
      case "setBit":
      case "clearBit":
        this.bitInstruction(statement.kind === "setBit" ? "bts" : "btr", statement.address, statement.bit, true);
        return;
      case "fetch":
        this.#fetch(statement);
        return;
      case "xchg":
        this.#exchange(statement, (a, target, register) => a.xchg(target, register));
        return;
      case "cmpxchg":
        this.#cmpxchg(statement);
        return;
      case "fence":
        this.#fence(statement.fence);
        return;
      case "interrupts":
        this.#interrupts(statement);
        return;
      case "relax":
      case "cmpWait":
        this.list.push([], (a) => a.pause());
        return;
      case "idle":
        // Interrupts are recognised only behind the instruction after STI, so none can slip in before the HLT (SDM, STI).
        this.list.push([], (a) => a.sti().hlt());
        return;
      case "bug":
        this.list.push([], (a) => a.ud2());
        return;
      case "arch":
        this.arch(statement.block);
    }
  }

  #update({ operator, address, memory: type, operand }: Extract<Statement, { kind: "update" }>): void {
    const width = widthOf(type);
    if (operand.kind === "constant" && fitsImmediate(operand.value, width)) {
      const value = BigInt.asIntN(width, operand.value);
      const template = this.template(address);
      this.list.push(template.registers.map(use), (a, r) => {
        const target = template.build(width, r, 0);
        a.lock();
        if (operator === "add" && value === 1n) a.inc(target);
        else if (operator === "add" && value === -1n) a.dec(target);
        else if (operator === "add" && value < 0n && fitsImmediate(-value, width)) a.sub(target, -value);
        else a.alu(operator, target, value);
      });
      return;
    }
    // The kernel's atomic_sub: the recorder wrote it as the addition of a negated value.
    const isSub = operator === "add" && operand.kind === "unary" && operand.operator === "neg";
    const source = this.value(isSub ? operand.operand : operand);
    const template = this.template(address);
    this.list.push([use(source), ...template.registers.map(use)], (a, r) => {
      a.lock().alu(isSub ? "sub" : operator, template.build(width, r, 1), gpr(loc(r, 0), width));
    });
  }

  #fetch(statement: Extract<Statement, { kind: "fetch" }>): void {
    if (statement.operator === "add")
      this.#exchange(statement, (a, target, register) => a.lock().xadd(target, register));
    else this.#fetchLoop(statement, statement.operator);
  }

  /** There is no xadd for or and and: a compare-and-swap loop. */
  #fetchLoop(
    { address, memory: type, operand, result }: Extract<Statement, { kind: "fetch" }>,
    operator: UpdateOperator,
  ): void {
    const width = widthOf(type);
    const register = this.registerFor(result);
    const source = this.value(operand);
    const template = this.template(address);
    this.list.hint(register, RAX);
    this.list.push(
      [def(register), held(source), ...template.registers.map(held)],
      (a, r) => {
        const target = template.build(width, r, 2);
        const old = gpr(RAX, width);
        const changed = gpr(SCRATCH, width);
        const again = a.newLabel();
        a.mov(old, target).place(again);
        a.mov(changed, old).alu(operator, changed, gpr(loc(r, 1), width));
        a.lock().cmpxchg(target, changed).jcc("ne", again);
        this.moveLocation(a, loc(r, 0), RAX);
      },
      { operands: registerSet([RAX]) },
    );
  }

  /** The operand goes into a register that the instruction swaps for the old value. */
  #exchange(
    { address, memory: type, operand, result }: Extract<Statement, { kind: "fetch" | "xchg" }>,
    emit: (a: X64Assembler, target: X64Memory, register: X64Register) => void,
  ): void {
    const width = widthOf(type);
    const register = this.registerFor(result);
    const source = this.value(operand);
    const template = this.template(address);
    this.list.pair(register, source);
    this.list.push([def(register), use(source), ...template.registers.map(held)], (a, r) => {
      const swapped = gpr(loc(r, 0), width);
      if (loc(r, 0) !== loc(r, 1)) a.mov(swapped, gpr(loc(r, 1), width));
      emit(a, template.build(width, r, 2), swapped);
    });
  }

  #cmpxchg({ address, memory: type, expected, desired, result }: Extract<Statement, { kind: "cmpxchg" }>): void {
    const width = widthOf(type);
    const register = this.registerFor(result);
    const load = this.#intoRax(expected);
    const newValue = this.value(desired);
    const template = this.template(address);
    this.list.hint(register, RAX);
    const first = load.operands.length;
    this.list.push(
      [...load.operands, held(newValue), ...template.registers.map(held), def(register)],
      (a, r) => {
        load.emit(a, r);
        a.lock().cmpxchg(template.build(width, r, first + 1), gpr(loc(r, first), width));
        this.moveLocation(a, loc(r, r.length - 1), RAX);
      },
      { operands: registerSet([RAX]) },
    );
  }

  /** Brings the compared value into rax inside the instruction that needs it there. */
  #intoRax(expected: Expression): { operands: OperandCode[]; emit: (a: X64Assembler, r: readonly Location[]) => void } {
    const rematerialised = this.rematerialise(expected, RAX);
    if (rematerialised !== undefined) return { operands: [], emit: rematerialised };
    const value = this.value(expected);
    return {
      operands: [useAny(value)],
      emit: (a, r) => {
        this.moveLocation(a, RAX, loc(r, 0));
      },
    };
  }

  protected conditionEffect(effect: ConditionEffect): X64Condition {
    switch (effect.kind) {
      case "addAndTest": {
        const width = widthOf(effect.memory);
        const template = this.template(effect.address);
        this.list.push(template.registers.map(use), (a, r) => {
          const target = template.build(width, r, 0);
          if (effect.addend === 1n) a.lock().inc(target);
          else a.lock().dec(target);
        });
        return "e";
      }
      case "tryCmpxchg":
        this.#tryCmpxchg(effect);
        return "e";
      case "testAndSetBit":
      case "testAndClearBit":
        this.bitInstruction(effect.kind === "testAndSetBit" ? "bts" : "btr", effect.address, effect.bit, true);
        return "b";
    }
  }

  /** What was found is in rax whether the exchange happened or not, and mov leaves the flags alone. */
  #tryCmpxchg({ address, memory: type, expected, desired }: Extract<ConditionEffect, { kind: "tryCmpxchg" }>): void {
    const width = widthOf(type);
    const local = this.registerFor(expected);
    const newValue = this.value(desired);
    const template: MemoryTemplate = this.template(address);
    this.list.push(
      [update(local), held(newValue), ...template.registers.map(held)],
      (a, r) => {
        a.mov(gpr(RAX, 64), gpr(loc(r, 0), 64));
        a.lock().cmpxchg(template.build(width, r, 2), gpr(loc(r, 1), width));
        a.mov(gpr(loc(r, 0), 64), gpr(RAX, 64));
      },
      { all: registerSet([RAX]) },
    );
  }

  // --- fences, interrupts ---------------------------------------------------------------------------------------------------------

  #fence(fence: FenceKind): void {
    switch (fence) {
      case "smp_mb":
        // The kernel's form: cheaper than MFENCE. It writes below rsp, where only an interrupt frame could lie.
        this.list.push([], (a) => a.lock().add(at(rsp, -4, 32), 0));
        return;
      case "mb":
        this.list.push([], (a) => a.mfence());
        return;
      case "wmb":
        this.list.push([], (a) => a.sfence());
        return;
      case "rmb":
        this.list.push([], (a) => a.lfence());
        return;
      case "interprocessor":
        this.list.push([], (a) => a.mfence().lfence());
        return;
      case "smp_wmb":
      case "smp_rmb":
      case "instruction":
        // TSO keeps stores and loads in order; nothing to emit.
        return;
    }
  }

  #interrupts(statement: Extract<Statement, { kind: "interrupts" }>): void {
    switch (statement.action) {
      case "save":
        this.list.push([def(this.registerFor(statement.result))], (a, r) =>
          a
            .pushfq()
            .pop(gpr(loc(r, 0), 64))
            .cli(),
        );
        return;
      case "restore": {
        const flags = this.value(statement.flags);
        this.list.push([use(flags)], (a, r) => {
          const off = a.newLabel();
          a.test(gpr(loc(r, 0), 32), INTERRUPT_FLAG)
            .jcc("e", off)
            .sti()
            .place(off);
        });
        return;
      }
      case "areDisabled":
        this.list.push([early(this.registerFor(statement.result))], (a, r) => {
          const number = loc(r, 0);
          a.pushfq().pop(gpr(number, 64)).bit("bt", gpr(number, 32), INTERRUPT_FLAG_BIT);
          a.setcc("ae", gpr(number, 8)).movzx(gpr(number, 32), gpr(number, 8));
        });
        return;
      case "enable":
        this.list.push([], (a) => a.sti());
        return;
      case "disable":
      case "maskAll":
        this.list.push([], (a) => a.cli());
    }
  }

  // --- calls and architecture blocks ----------------------------------------------------------------------------------------------

  protected callDirect(a: X64Assembler, target: Callable): void {
    a.call(target);
  }
  protected callRegister(a: X64Assembler, register: number): void {
    a.callIndirect(gpr(register, 64));
  }
  protected takesNoArgument(register: Location): boolean {
    return register === RAX;
  }
  protected clearUpper(a: X64Assembler, register: number): void {
    a.mov(gpr(register, 32), gpr(register, 32));
  }
  protected archBody(block: ArchBlock): ArchBlock["x64"] {
    return block.x64;
  }
  protected registerObject(number: number, width: 32 | 64): X64Register {
    return gpr(number, width);
  }
  protected registerNumber(name: string): number {
    return x64RegisterNumber(name);
  }

  protected rematerialiseAddress({ base, offset }: Address, register: number): ((a: X64Assembler) => void) | undefined {
    if (base.kind === "symbol") {
      const source = memory(64, { symbol: base.symbol, displacement: offset });
      return (a) => a.lea(gpr(register, 64), source);
    }
    if (base.kind !== "frame") return undefined;
    return (a) => a.lea(gpr(register, 64), at(rsp, this.frameOffset(base.slot) + offset));
  }
}
