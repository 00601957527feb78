// AArch64 operands: registers of the ABI, copies, addresses, and memory operands whose registers are not yet chosen.

import { PER_CPU_START } from "../code-buffer.ts";
import type { RegisterFile } from "../lower/allocate.ts";
import { scaledIndex, scaleShift, withSplitBase } from "../lower/addresses.ts";
import type { CallRegisters } from "../lower/calls.ts";
import { loc } from "../lower/calls.ts";
import { def, isSlot, registerSet, slotOf, use } from "../lower/instructions.ts";
import type { Location, VirtualRegister } from "../lower/instructions.ts";
import type { LoweringOptions } from "../lower/lowered.ts";
import { ValueLowering } from "../lower/values.ts";
import { addressValue } from "../record/expressions.ts";
import type { Routine } from "../record/routine.ts";
import type { Address, Expression, FrameSlot } from "../record/tree.ts";
import type { Arm64Assembler } from "./assembler.ts";
import { arithmeticImmediate } from "./immediates.ts";
import { armGpr, indexed, low12, offset as displaced, sp, x17 } from "./registers.ts";
import type { Arm64Address, Arm64Register, Arm64Width } from "./registers.ts";

/** How an AArch64 image does atomics and masks interrupts. Fixed when the image is built; the kernel patches the same places. */
export interface Arm64Flavour {
  /** Single-instruction atomics (FEAT_LSE), or load/store-exclusive loops. */
  readonly atomics: "lse" | "llsc";
  /**
   * Interrupts masked by PSTATE.DAIF; by ICC_PMR_EL1, so that some can act as NMIs; or by DAIF on a machine with FEAT_NMI, where only
   * PSTATE.ALLINT masks everything.
   */
  readonly interrupts: "daif" | "pseudo-nmi" | "feat-nmi";
  /** DSB after unmasking through the PMR; not needed where ICC_CTLR_EL3.PMHE is 0. */
  readonly pmrSync: boolean;
  /** Register that points to this CPU's block; tpidr_el0 is for images that run as a user program. */
  readonly perCpuRegister: "tpidr_el1" | "tpidr_el0";
}

/** x16 and x17 are not allocated: call targets, address pieces, the state of exclusive loops. */
export const SCRATCH = 17;
export const SECOND_SCRATCH = 16;

const CALL_CLOBBERED = registerSet(Array.from({ length: 16 }, (_, i) => i));
const CALL_SAVED = registerSet([19, 20, 21, 22, 23, 24, 25, 26, 27, 28]);

/** A memory operand whose registers are still virtual. */
export interface AddressTemplate {
  readonly registers: readonly VirtualRegister[];
  /** `first` is the position of the first of `registers` among the instruction's operands. May emit instructions with x17. */
  build(a: Arm64Assembler, locations: readonly Location[], first: number): Arm64Address;
}

export abstract class Arm64Operands extends ValueLowering<Arm64Assembler, Arm64Register> {
  protected readonly flavour: Arm64Flavour;
  protected readonly architecture = "arm64";
  protected readonly argumentRegisters: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7];
  protected readonly calls: CallRegisters = {
    result: 0,
    clobbered: CALL_CLOBBERED,
    pointer: 9,
    target: SCRATCH,
    cycle: SECOND_SCRATCH,
  };
  protected readonly file: RegisterFile<Arm64Assembler> = {
    allocatable: [9, 10, 11, 12, 13, 14, 15, 8, 7, 6, 5, 4, 3, 2, 1, 0, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28],
    callSaved: CALL_SAVED,
    loadSlot: (a, register, slot) => {
      this.loadFromSlot(a, register, slot);
    },
    storeSlot: (a, slot, register) => {
      this.storeToSlot(a, slot, register);
    },
  };

  constructor(routine: Routine, options: LoweringOptions, flavour: Arm64Flavour) {
    super(routine, options);
    this.flavour = flavour;
  }

  protected loadFromSlot(a: Arm64Assembler, register: number, slot: number): void {
    a.ldr(armGpr(register, 64), this.stackAddress(a, this.slotOffset(slot), 3));
  }
  protected storeToSlot(a: Arm64Assembler, slot: number, register: number): void {
    a.str(armGpr(register, 64), this.stackAddress(a, this.slotOffset(slot), 3));
  }

  /** [sp, #offset], through x17 where the offset has no encoding. */
  protected stackAddress(a: Arm64Assembler, offset: number, sizeShift: number): Arm64Address {
    const distance = offset + this.areaOffset;
    if (isEncodable(distance, sizeShift)) return displaced(sp, distance);
    a.movConstant(x17, distance).add(x17, sp, x17);
    return displaced(x17);
  }

  // --- constants and copies -----------------------------------------------------------------------------------------------------

  /** The pattern of all 64 bits; 32-bit values have a zero upper half. */
  protected moveConstant(a: Arm64Assembler, register: number, pattern: bigint): void {
    if (pattern <= 0xffff_ffffn) a.movConstant(armGpr(register, 32), pattern);
    else a.movConstant(armGpr(register, 64), pattern);
  }

  protected moveLocation(a: Arm64Assembler, to: Location, from: Location, width: Arm64Width = 64): void {
    if (to === from) return;
    if (isSlot(from)) {
      const register = isSlot(to) ? SECOND_SCRATCH : to;
      this.loadFromSlot(a, register, slotOf(from));
      if (isSlot(to)) this.storeToSlot(a, slotOf(to), register);
    } else if (isSlot(to)) {
      this.storeToSlot(a, slotOf(to), from);
    } else {
      a.mov(armGpr(to, width), armGpr(from, width));
    }
  }

  /** One instruction with one source register. */
  protected oneSource(
    into: VirtualRegister | undefined,
    one: VirtualRegister,
    width: Arm64Width,
    emit: (a: Arm64Assembler, to: Arm64Register, one: Arm64Register) => void,
  ): VirtualRegister {
    const to = into ?? this.temporary();
    this.list.pair(to, one);
    this.list.push([def(to), use(one)], (a, r) => {
      emit(a, armGpr(loc(r, 0), width), armGpr(loc(r, 1), width));
    });
    return to;
  }

  protected twoSource(
    into: VirtualRegister | undefined,
    one: VirtualRegister,
    other: VirtualRegister,
    width: Arm64Width,
    emit: (a: Arm64Assembler, to: Arm64Register, one: Arm64Register, other: Arm64Register) => void,
  ): VirtualRegister {
    const to = into ?? this.temporary();
    this.list.pair(to, one);
    this.list.push([def(to), use(one), use(other)], (a, r) => {
      emit(a, armGpr(loc(r, 0), width), armGpr(loc(r, 1), width), armGpr(loc(r, 2), width));
    });
    return to;
  }

  // --- addresses ----------------------------------------------------------------------------------------------------------------

  /** The address as a value in a register. */
  protected addressValue(address: Address, into?: VirtualRegister): VirtualRegister {
    const { base, index, offset } = withSplitBase(address);
    if (index === undefined) return this.#baseValue(base, offset, into);
    const start = this.#baseValue(base, offset);
    const scale = withSplitBase(address).scale;
    return this.#addScaled(start, index, scale, into);
  }

  /** start + index * scale. */
  #addScaled(start: VirtualRegister, index: Expression, scale: number, into?: VirtualRegister): VirtualRegister {
    const shift = scaleShift(scale);
    const scaled = this.value(shift === undefined ? scaledIndex(index, scale) : index);
    return this.twoSource(into, start, scaled, 64, (a, to, one, other) => a.add(to, one, other, "lsl", shift ?? 0));
  }

  /** base + offset as a value. */
  #baseValue(base: Address["base"], offset: number, into?: VirtualRegister): VirtualRegister {
    this.seesPerCpu(base);
    switch (base.kind) {
      case "value":
        if (offset === 0) return this.value(base.value, into);
        return this.#addConstant(this.value(base.value), offset, into);
      case "symbol": {
        const to = into ?? this.temporary();
        this.list.push([def(to)], (a, r) => a.symbolAddress(armGpr(loc(r, 0), 64), base.symbol, offset));
        return to;
      }
      case "frame": {
        const to = into ?? this.temporary();
        this.list.push([def(to)], (a, r) => {
          this.frameAddress(a, loc(r, 0), base.slot, offset);
        });
        return to;
      }
      case "thisCpu": {
        if (offset === 0) return this.#perCpuBase(into);
        return this.#addConstant(this.#perCpuBase(), offset, into);
      }
      case "otherCpu": {
        const block = this.#otherCpu(base.cpu, offset === 0 ? into : undefined);
        return offset === 0 ? block : this.#addConstant(block, offset, into);
      }
    }
  }

  protected frameAddress(a: Arm64Assembler, register: number, slot: FrameSlot, offset: number): void {
    const distance = this.frameOffset(slot) + this.areaOffset + offset;
    const to = armGpr(register, 64);
    if (arithmeticImmediate(BigInt(distance)) !== undefined) a.add(to, sp, distance);
    else a.movConstant(x17, distance).add(to, sp, x17);
  }

  #perCpuBase(into?: VirtualRegister): VirtualRegister {
    const to = into ?? this.temporary();
    this.list.push([def(to)], (a, r) => a.mrs(armGpr(loc(r, 0), 64), this.flavour.perCpuRegister));
    return to;
  }

  #otherCpu(cpu: Expression, into?: VirtualRegister): VirtualRegister {
    if (cpu.kind === "constant") {
      const distance = Number(cpu.value) * 2 ** this.options.perCpuShift;
      const to = into ?? this.temporary();
      this.list.push([def(to)], (a, r) => a.symbolAddress(armGpr(loc(r, 0), 64), PER_CPU_START, distance));
      return to;
    }
    const number = this.value(cpu);
    const start = this.temporary();
    this.list.push([def(start)], (a, r) => a.symbolAddress(armGpr(loc(r, 0), 64), PER_CPU_START));
    const shift = this.options.perCpuShift;
    return this.twoSource(into, start, number, 64, (a, to, one, other) => a.add(to, one, other, "lsl", shift));
  }

  #addConstant(register: VirtualRegister, offset: number, into?: VirtualRegister): VirtualRegister {
    return this.oneSource(into, register, 64, (a, to, one) => {
      addDistance(a, to, one, offset);
    });
  }

  /** A register that holds exactly the address: exclusives and ordered accesses have no other mode. */
  protected pointer(address: Address): VirtualRegister {
    return this.value(addressValue(address));
  }

  protected template(given: Address, bytes: 1 | 2 | 4 | 8): AddressTemplate {
    const address = withSplitBase(given);
    const { base, index, scale, offset } = address;
    const sizeShift = Math.log2(bytes);
    this.seesPerCpu(base);
    if (index !== undefined) return this.#indexedTemplate(base, index, scale, offset, sizeShift);
    switch (base.kind) {
      case "value":
        return this.#displacedTemplate(this.value(base.value), offset, sizeShift);
      case "thisCpu":
        return this.#displacedTemplate(this.#perCpuBase(), offset, sizeShift);
      case "otherCpu":
        return this.#displacedTemplate(this.#otherCpu(base.cpu), offset, sizeShift);
      case "symbol": {
        const { symbol } = base;
        const isAligned = "align" in symbol && symbol.align >= bytes && offset % bytes === 0;
        if (!isAligned) return this.#displacedTemplate(this.#baseValue(base, offset), 0, sizeShift);
        const page = this.temporary();
        this.list.push([def(page)], (a, r) => a.adrp(armGpr(loc(r, 0), 64), symbol, offset));
        return { registers: [page], build: (_, r, first) => low12(armGpr(loc(r, first), 64), symbol, offset) };
      }
      case "frame": {
        const { slot } = base;
        return { registers: [], build: (a) => this.stackAddress(a, this.frameOffset(slot) + offset, sizeShift) };
      }
    }
  }

  #displacedTemplate(base: VirtualRegister, offset: number, sizeShift: number): AddressTemplate {
    if (isEncodable(offset, sizeShift)) {
      return { registers: [base], build: (_, r, first) => displaced(armGpr(loc(r, first), 64), offset) };
    }
    const sum = this.#addConstant(base, offset);
    return { registers: [sum], build: (_, r, first) => displaced(armGpr(loc(r, first), 64)) };
  }

  /** A register offset can be scaled by the access size only, and excludes a displacement. */
  #indexedTemplate(
    base: Address["base"],
    index: Expression,
    scale: number,
    offset: number,
    sizeShift: number,
  ): AddressTemplate {
    const shift = scaleShift(scale);
    if (shift === 0 || shift === sizeShift) {
      const start = this.#baseValue(base, offset);
      const number = this.value(index);
      return {
        registers: [start, number],
        build: (_, r, first) => indexed(armGpr(loc(r, first), 64), armGpr(loc(r, first + 1), 64), shift),
      };
    }
    const isSymbol = base.kind === "symbol";
    const start = this.#baseValue(base, isSymbol ? offset : 0);
    const sum = this.#addScaled(start, index, scale);
    return this.#displacedTemplate(sum, isSymbol ? 0 : offset, sizeShift);
  }
}

function isEncodable(offset: number, sizeShift: number): boolean {
  const isScaled = offset >= 0 && offset % (1 << sizeShift) === 0 && offset >> sizeShift < 0x1000;
  return isScaled || (offset >= -256 && offset <= 255);
}

/** to = from + distance: one instruction for 12 bits, two for 24, else through x17. */
function addDistance(a: Arm64Assembler, to: Arm64Register, from: Arm64Register, distance: number): void {
  const magnitude = Math.abs(distance);
  const method = distance < 0 ? "sub" : "add";
  if (arithmeticImmediate(BigInt(magnitude)) !== undefined) {
    a[method](to, from, magnitude);
  } else if (magnitude < 0x100_0000) {
    a[method](to, from, magnitude & 0xfff000);
    a[method](to, to, magnitude & 0xfff);
  } else {
    a.movConstant(x17, distance).add(to, from, x17);
  }
}
