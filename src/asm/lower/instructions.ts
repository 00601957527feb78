// Machine instructions of one routine with virtual registers: what selection produces and register allocation consumes.
//
// An instruction lists its virtual registers with roles; its `emit` receives where they ended up. Positions inside one instruction:
// operands are read at 1, results written at 2, so that a result may take the register of an operand that dies. A role that says
// otherwise (LATE, EARLY) widens the interval, a clobber forbids registers.

import type { Statement } from "../record/tree.ts";

/** Number of a virtual register within its routine. */
export type VirtualRegister = number;

/** Read at the start. */
export const USE = 1;
/** Written at the end. */
export const DEF = 2;
/** With USE: needed until the end. With DEF: written at the start. */
export const HELD = 4;
/** May also be a stack slot. */
export const ANY = 8;
const ROLE_BITS = 4;
const ROLE_MASK = (1 << ROLE_BITS) - 1;

/** A virtual register with its role. */
export type OperandCode = number;

export const use = (register: VirtualRegister): OperandCode => (register << ROLE_BITS) | USE;
export const held = (register: VirtualRegister): OperandCode => (register << ROLE_BITS) | USE | HELD;
export const def = (register: VirtualRegister): OperandCode => (register << ROLE_BITS) | DEF;
export const early = (register: VirtualRegister): OperandCode => (register << ROLE_BITS) | DEF | HELD;
/** Read, then written. */
export const update = (register: VirtualRegister): OperandCode => (register << ROLE_BITS) | USE | DEF | HELD;
export const useAny = (register: VirtualRegister): OperandCode => (register << ROLE_BITS) | USE | ANY;
export const defAny = (register: VirtualRegister): OperandCode => (register << ROLE_BITS) | DEF | ANY;
export const registerOf = (operand: OperandCode): VirtualRegister => operand >> ROLE_BITS;
export const roleOf = (operand: OperandCode): number => operand & ROLE_MASK;
export const withRegister = (operand: OperandCode, register: VirtualRegister): OperandCode =>
  (register << ROLE_BITS) | roleOf(operand);

/** A set of physical registers: bit n is register n. */
export type RegisterSet = number;

export function registerSet(numbers: Iterable<number>): RegisterSet {
  let set = 0;
  for (const number of numbers) set |= 1 << number;
  return set;
}

/** Where a virtual register lives: a physical register (0 or more), or stack slot n as -1 - n. */
export type Location = number;
export const slotLocation = (slot: number): Location => -1 - slot;
export const isSlot = (location: Location): boolean => location < 0;
export const slotOf = (location: Location): number => -1 - location;

export type Emit<A> = (assembler: A, locations: readonly Location[]) => void;

export interface Clobbers {
  /** Registers that nothing living across the instruction may have, as under a call. */
  readonly across?: RegisterSet;
  /** Registers that the operands may not have either. */
  readonly operands?: RegisterSet;
  /** Registers that neither operands nor results may have. */
  readonly all?: RegisterSet;
}

export interface Instruction<A> {
  operands: readonly OperandCode[];
  readonly emit: Emit<A> | undefined;
  readonly clobbers: Clobbers | undefined;
  readonly statement: Statement | undefined;
  /** Set for a `mark` statement. */
  readonly mark: string | undefined;
  /** Set for a jump, which disappears if the label follows directly. */
  readonly jump: number | undefined;
  /** Set for a label. */
  readonly label: number | undefined;
}

/** A loop as a range of instruction numbers, first to last. */
export interface LoopRange {
  readonly first: number;
  readonly last: number;
}

/** What allocation must know about a virtual register. */
export interface RegisterInfo {
  /** Name of the source variable, "" for temporaries. */
  readonly name: string;
  /** Physical registers to try first, in order. */
  readonly hints: number[];
  /** Virtual registers whose place is as good: the other ends of copies. */
  readonly partners: VirtualRegister[];
  /** Made by spilling: lives only around one instruction and can't be spilled again. */
  readonly isReload: boolean;
}

/** The instructions of one routine while they are selected. */
export class InstructionList<A> {
  readonly instructions: Instruction<A>[] = [];
  readonly registers: RegisterInfo[] = [];
  readonly loops: LoopRange[] = [];
  #statement: Statement | undefined;
  #labels = 0;

  /** Instructions that follow belong to this statement. */
  startStatement(statement: Statement | undefined): void {
    this.#statement = statement;
  }

  newRegister(name = "", isReload = false): VirtualRegister {
    return this.registers.push({ name, hints: [], partners: [], isReload }) - 1;
  }

  newLabel(): number {
    return this.#labels++;
  }

  get labelCount(): number {
    return this.#labels;
  }

  hint(register: VirtualRegister, physical: number): void {
    this.registers[register]?.hints.push(physical);
  }

  /** Both would like to share a register. */
  pair(one: VirtualRegister, other: VirtualRegister): void {
    this.registers[one]?.partners.push(other);
    this.registers[other]?.partners.push(one);
  }

  push(operands: readonly OperandCode[], emit: Emit<A>, clobbers?: Clobbers): void {
    this.#add({ operands, emit, clobbers });
  }

  /** Tells the allocator that the registers exist from here on, though they are written later. */
  declare(registers: readonly VirtualRegister[]): void {
    if (registers.length > 0) this.#add({ operands: registers.map(defAny) });
  }

  label(label: number): void {
    this.#add({ label });
  }

  jump(label: number, emit: Emit<A>): void {
    this.#add({ jump: label, emit });
  }

  mark(name: string): void {
    this.#add({ mark: name });
  }

  /** Number of the instruction that comes next. */
  get next(): number {
    return this.instructions.length;
  }

  closeLoop(first: number): void {
    this.loops.push({ first, last: this.instructions.length - 1 });
  }

  #add(part: Partial<Instruction<A>>): void {
    this.instructions.push({
      operands: part.operands ?? [],
      emit: part.emit,
      clobbers: part.clobbers,
      statement: this.#statement,
      mark: part.mark,
      jump: part.jump,
      label: part.label,
    });
  }
}
