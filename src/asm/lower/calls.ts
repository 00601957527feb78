// Calls, returns and architecture blocks: what both lowerings do alike, by the registers that their ABI names.

import type { CodeBuffer } from "../code-buffer.ts";
import { invalid, reportAt } from "../failure.ts";
import type { Callable } from "../record/callable.ts";
import type { ArchBlock, OperandRegisters } from "../record/arch.ts";
import type { Expression } from "../record/tree.ts";
import { widthOf } from "../record/tree.ts";
import { archOperands } from "./arch.ts";
import { def, defAny, early, useAny } from "./instructions.ts";
import type { Location, OperandCode, RegisterSet, VirtualRegister } from "./instructions.ts";
import { parallelMoves } from "./moves.ts";
import type { Move } from "./moves.ts";
import type { CallStatement } from "./lowered.ts";
import { RoutineLowering } from "./routine.ts";

/** The physical register or slot of operand `i`. */
export const loc = (locations: readonly Location[], i: number): Location => locations[i] ?? 0;

/** Registers with a role in calls. */
export interface CallRegisters {
  readonly result: number;
  /** Destroyed by every call, among the allocatable ones. */
  readonly clobbered: RegisterSet;
  /** Best place for the target of an indirect call: takes no argument. */
  readonly pointer: number;
  /** Never allocated: holds the target where it would be overwritten. */
  readonly target: number;
  /** Never allocated: the way out of cycles of moves. */
  readonly cycle: number;
}

export abstract class CallLowering<A extends CodeBuffer, R> extends RoutineLowering<A> {
  protected abstract readonly calls: CallRegisters;
  protected abstract readonly architecture: "x64" | "arm64";
  /** Moves a value between registers and slots. */
  protected abstract moveLocation(assembler: A, to: Location, from: Location, width?: 32 | 64): void;
  /** How to make a value in a register without any other register; undefined if it must be evaluated before. */
  protected abstract rematerialise(value: Expression, register: number): ((assembler: A) => void) | undefined;
  protected abstract callDirect(assembler: A, target: Callable): void;
  protected abstract callRegister(assembler: A, register: number): void;
  /** True if no argument is moved to that register, so that a call can go through it. */
  protected abstract takesNoArgument(register: Location): boolean;
  protected abstract archBody(
    block: ArchBlock,
  ): ((assembler: A, registers: OperandRegisters<string, R>) => void) | undefined;
  protected abstract registerObject(number: number, width: 32 | 64): R;
  protected abstract registerNumber(name: string): number;

  protected temporary(): VirtualRegister {
    return this.list.newRegister();
  }

  protected copy(to: VirtualRegister, from: VirtualRegister, width: 32 | 64): void {
    if (to === from) return;
    this.list.pair(to, from);
    this.list.push([defAny(to), useAny(from)], (a, r) => {
      this.moveLocation(a, loc(r, 0), loc(r, 1), width);
    });
  }

  protected moveParallel(a: A, moves: readonly Move[]): void {
    parallelMoves(moves, this.calls.cycle, (to, from) => {
      this.moveLocation(a, to, from);
    });
  }

  /** One instruction for argument moves, call and result, so that nothing can come between them. */
  protected call(statement: CallStatement): void {
    const operands: OperandCode[] = [];
    const moves: { register: number; operand: number }[] = [];
    const late: ((a: A) => void)[] = [];
    const { target } = statement;
    const direct = "signature" in target ? target : undefined;
    if (!("signature" in target)) {
      const pointer = this.value(target);
      this.list.hint(pointer, this.calls.pointer);
      operands.push(useAny(pointer));
    }
    statement.arguments.forEach((argument, i) => {
      const register = this.argumentRegisters[i] ?? 0;
      const rematerialised = this.rematerialise(argument, register);
      if (rematerialised !== undefined) {
        late.push(rematerialised);
        return;
      }
      const value = this.value(argument);
      this.list.hint(value, register);
      moves.push({ register, operand: operands.push(useAny(value)) - 1 });
    });
    const hasResult = statement.result !== undefined;
    if (statement.result !== undefined) {
      const result = this.registerFor(statement.result);
      this.list.hint(result, this.calls.result);
      operands.push(def(result));
    }
    const resultAt = operands.length - 1;
    this.list.push(
      operands,
      (a, r) => {
        const pointer = direct === undefined ? this.#heldTarget(a, loc(r, 0)) : 0;
        this.moveParallel(
          a,
          moves.map(({ register, operand }) => ({ to: register, from: loc(r, operand) })),
        );
        for (const emit of late) emit(a);
        if (direct === undefined) this.callRegister(a, pointer);
        else this.callDirect(a, direct);
        if (hasResult) this.moveLocation(a, loc(r, resultAt), this.calls.result);
      },
      { across: this.calls.clobbered },
    );
  }

  /** Where the target of a call survives the argument moves. */
  #heldTarget(a: A, target: Location): number {
    if (this.takesNoArgument(target)) return target;
    this.moveLocation(a, this.calls.target, target);
    return this.calls.target;
  }

  protected returnValue(value: Expression): void {
    const { result } = this.calls;
    const rematerialised = this.rematerialise(value, result);
    if (rematerialised !== undefined) {
      this.list.push([], rematerialised);
      return;
    }
    const register = this.value(value);
    this.list.hint(register, result);
    this.list.push([useAny(register)], (a, r) => {
      this.moveLocation(a, result, loc(r, 0), widthOf(value.type));
    });
  }

  /** The operands are in their registers before the body's code; what it destroys holds nothing that lives. */
  protected arch(block: ArchBlock): void {
    const body = this.archBody(block);
    if (body === undefined) {
      const name = this.architecture === "x64" ? "x86-64" : "AArch64";
      throw invalid(`${this.recording.name}: an arch block without an ${name} body in an ${name} image`, {
        value: block.x64 === undefined ? (block.arm64 === undefined ? [] : ["arm64"]) : ["x64"],
        allowed: `a body for ${this.architecture}`,
      });
    }
    if (block.calls) this.hasCalls = true;
    const numberOf = (name: string): number => this.registerNumber(name);
    const operands = archOperands(this.recording.name, block, this.architecture, numberOf, (use) => this.value(use));
    const clobbered = operands.clobbered | (block.calls ? this.calls.clobbered : 0);
    const { resultIn } = operands;
    const result = block.result === undefined ? undefined : this.registerFor(block.result);
    const width = block.result === undefined ? 64 : widthOf(block.result.type);
    const codes = [...operands.codes];
    if (result !== undefined) codes.push(resultIn === undefined ? early(result) : def(result));
    if (result !== undefined && resultIn !== undefined) this.list.hint(result, resultIn);
    this.list.push(
      codes,
      (a, r) => {
        this.moveParallel(a, operands.moves(r));
        const named = operands.registers(r, (number, size) => this.registerObject(number, size));
        const last = loc(r, r.length - 1);
        const registers = {
          ...named,
          result: this.registerObject(resultIn ?? (result === undefined ? 0 : last), width),
        };
        // The body is the author's own code: its mistakes are reported where it makes them.
        const before = reportAt(undefined);
        try {
          body(a, registers);
        } finally {
          reportAt(before);
        }
        if (result !== undefined && resultIn !== undefined) this.moveLocation(a, last, resultIn);
      },
      resultIn === undefined ? { all: clobbered } : { operands: clobbered },
    );
  }
}
