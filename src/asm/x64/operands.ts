// x86-64 operands: registers of the ABI, copies, and memory operands whose registers are not yet chosen.

import type { LinkSymbol } from "../code-buffer.ts";
import { PER_CPU_START } from "../code-buffer.ts";
import type { RegisterFile } from "../lower/allocate.ts";
import { scaledIndex, scaleShift, withSplitBase } from "../lower/addresses.ts";
import type { CallRegisters } from "../lower/calls.ts";
import { loc } from "../lower/calls.ts";
import { isSlot, registerSet, slotOf } from "../lower/instructions.ts";
import type { Location, VirtualRegister } from "../lower/instructions.ts";
import { ValueLowering } from "../lower/values.ts";
import { binary } from "../record/expressions.ts";
import type { Address, Expression, FrameSlot } from "../record/tree.ts";
import { bytesOf } from "../record/tree.ts";
import type { X64Assembler } from "./assembler.ts";
import { gpr, memory, rsp } from "./registers.ts";
import type { Width, X64Memory, X64Register } from "./registers.ts";

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;

/** Not allocated: the targets of indirect calls, new values of exchange loops. */
export const SCRATCH = 11;
/** Not allocated: the way out of cycles of moves. */
const CYCLE = 10;

const CALL_CLOBBERED = registerSet([0, 1, 2, 6, 7, 8, 9]);
const CALL_SAVED = registerSet([3, 5, 12, 13, 14, 15]);

/** A memory operand whose registers are still virtual. */
export interface MemoryTemplate {
  readonly registers: readonly VirtualRegister[];
  /** `first` is the position of the first of `registers` among the instruction's operands. */
  build(width: Width, locations: readonly Location[], first: number): X64Memory;
}

/** An immediate of a 64-bit instruction is 32 bits, sign-extended. */
export function fitsImmediate(value: bigint, width: Width): boolean {
  return width !== 64 || BigInt.asIntN(32, value) === BigInt.asIntN(64, value);
}

export type FoldableLoad = Extract<Expression, { kind: "load" }>;

/** A load that can be the memory operand of an instruction of that width. */
export function isFoldable(expression: Expression, width: 32 | 64): expression is FoldableLoad {
  return expression.kind === "load" && 8 * bytesOf(expression.memory) === width;
}

export abstract class X64Operands extends ValueLowering<X64Assembler, X64Register> {
  protected readonly architecture = "x64";
  protected readonly argumentRegisters: readonly number[] = [7, 6, 2, 1, 8, 9];
  protected readonly calls: CallRegisters = {
    result: RAX,
    clobbered: CALL_CLOBBERED,
    pointer: RAX,
    target: SCRATCH,
    cycle: CYCLE,
  };
  protected readonly file: RegisterFile<X64Assembler> = {
    allocatable: [0, 2, 1, 6, 7, 8, 9, 3, 5, 12, 13, 14, 15],
    callSaved: CALL_SAVED,
    loadSlot: (a, register, slot) => a.mov(gpr(register, 64), this.slotMemory(slot, 64)),
    storeSlot: (a, slot, register) => a.mov(this.slotMemory(slot, 64), gpr(register, 64)),
  };

  protected slotMemory(slot: number, width: Width): X64Memory {
    return memory(width, { base: rsp, displacement: this.slotOffset(slot) });
  }

  /** Register or slot as an operand. */
  protected place(location: Location, width: Width): X64Register | X64Memory {
    return isSlot(location) ? this.slotMemory(slotOf(location), width) : gpr(location, width);
  }

  // --- constants and copies -----------------------------------------------------------------------------------------------------

  /** The pattern of all 64 bits; 32-bit values have a zero upper half. */
  protected moveConstant(a: X64Assembler, register: number, pattern: bigint): void {
    if (pattern === 0n) a.xor(gpr(register, 32), gpr(register, 32));
    else if (pattern <= 0xffff_ffffn) a.mov(gpr(register, 32), pattern);
    else a.mov(gpr(register, 64), pattern);
  }

  /** Slots always hold 64 bits; between registers a 32-bit move of a 32-bit value is the shorter one. */
  protected moveLocation(a: X64Assembler, to: Location, from: Location, width: 32 | 64 = 64): void {
    if (to === from) return;
    if (isSlot(to) && isSlot(from)) {
      a.mov(gpr(SCRATCH, 64), this.place(from, 64)).mov(this.place(to, 64), gpr(SCRATCH, 64));
    } else {
      const moved = isSlot(to) || isSlot(from) ? 64 : width;
      a.mov(this.place(to, moved), this.place(from, moved));
    }
  }

  // --- memory operands ------------------------------------------------------------------------------------------------------------

  protected template(given: Address): MemoryTemplate {
    const address = withSplitBase(given);
    const { base, offset } = address;
    const index = this.#index(address);
    this.seesPerCpu(base);
    switch (base.kind) {
      case "value":
        return this.#template({ base: this.value(base.value), index, offset });
      case "symbol":
        return this.#template({ symbol: base.symbol, index, offset });
      case "thisCpu":
        return this.#template({ segment: "gs", index, offset });
      case "otherCpu": {
        const distance = this.#blockDistance(base.cpu);
        if (distance.kind === "constant") {
          return this.#template({ symbol: PER_CPU_START, index, offset: offset + Number(distance.value) });
        }
        return this.#template({ base: this.value(distance), symbol: PER_CPU_START, index, offset });
      }
      case "frame":
        return this.#template({ slot: base.slot, index, offset });
    }
  }

  #blockDistance(cpu: Expression): Expression {
    return binary("shl", cpu, { kind: "constant", type: "u64", value: BigInt(this.options.perCpuShift) });
  }

  #index({ index, scale }: Address): { register: VirtualRegister; scale: 1 | 2 | 4 | 8 } | undefined {
    if (index === undefined) return undefined;
    const shift = scaleShift(scale);
    if (shift !== undefined && shift <= 3) return { register: this.value(index), scale: scale as 1 | 2 | 4 | 8 };
    return { register: this.value(scaledIndex(index, scale)), scale: 1 };
  }

  #template(parts: {
    base?: VirtualRegister;
    index: { register: VirtualRegister; scale: 1 | 2 | 4 | 8 } | undefined;
    offset: number;
    symbol?: LinkSymbol;
    segment?: "gs";
    slot?: FrameSlot;
  }): MemoryTemplate {
    const { base, index, offset, symbol, segment, slot } = parts;
    const registers = [...(base === undefined ? [] : [base]), ...(index === undefined ? [] : [index.register])];
    return {
      registers,
      build: (width, locations, first) => {
        const indexAt = first + (base === undefined ? 0 : 1);
        const baseRegister = slot !== undefined ? rsp : base === undefined ? undefined : gpr(loc(locations, first), 64);
        return {
          width,
          base: baseRegister,
          index: index === undefined ? undefined : gpr(loc(locations, indexAt), 64),
          scale: index?.scale ?? 1,
          displacement: offset + (slot === undefined ? 0 : this.frameOffset(slot)),
          symbol,
          isAbsolute: false,
          segment,
        };
      },
    };
  }
}
