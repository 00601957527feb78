// AArch64 lowering of calls, frames, atomics, fences and interrupt state (instruction forms as the Linux kernel uses them).

import { invalid } from "../failure.ts";
import { archOperands } from "../lower/arch.ts";
import { def, early, held, update, use, useAny } from "../lower/instructions.ts";
import type { Location, OperandCode, VirtualRegister } from "../lower/instructions.ts";
import { parallelMoves } from "../lower/moves.ts";
import type { Move } from "../lower/moves.ts";
import type { CallStatement, EffectStatement } from "../lower/routine.ts";
import type { ArchBlock } from "../record/arch.ts";
import { unary } from "../record/expressions.ts";
import type { Address, ConditionEffect, Expression, FenceKind, Ordering, Statement, UpdateOperator } from "../record/tree.ts";
import { widthOf } from "../record/tree.ts";
import { roundUp } from "../types.ts";
import { Arm64Assembler } from "./assembler.ts";
import type { ArmAtomic, ArmOrdering } from "./assembler.ts";
import { arm64RegisterNumber, armGpr, offset, preIndex, postIndex, sp, x16, x17, x29, x30 } from "./registers.ts";
import type { Arm64Condition, Arm64Register, Arm64Width } from "./registers.ts";
import { Arm64Values, ARGUMENT_REGISTERS, CALL_CLOBBERED, loc, moveConstant, SCRATCH, SECOND_SCRATCH } from "./values.ts";

const LINK = 30;
/** PSTATE.I and .F as MSR DAIFSet takes them; all four. */
const MASK_INTERRUPTS = 3;
const MASK_ALL = 15;
const DAIF_I_BIT = 7;
/** Priority masks of the pseudo-NMI scheme: everything, ordinary interrupts masked, all masked with PSR.I to be set. */
const PMR_OPEN = 0xe0;
const PMR_MASKED = 0xc0;
const PMR_ALL = 0xf0;
/** BRK immediate of BUG() (Linux, BUG_BRK_IMM). */
const BUG_IMMEDIATE = 0x800;

const LSE_ORDERING: Readonly<Record<Ordering, ArmOrdering>> = { relaxed: "", acquire: "a", release: "l", full: "al" };
/** and is done by clearing the complement. */
const LSE_OPERATOR: Readonly<Record<UpdateOperator, ArmAtomic>> = { add: "add", or: "set", and: "clr" };

/** Combines the old value of an exclusive loop into x16. */
type Combine = (a: Arm64Assembler, to: Arm64Register, old: Arm64Register, operand: Arm64Register) => void;
const COMBINE: Readonly<Record<UpdateOperator, Combine>> = {
  add: (a, to, old, operand) => a.add(to, old, operand),
  or: (a, to, old, operand) => a.orr(to, old, operand),
  and: (a, to, old, operand) => a.and(to, old, operand),
};

export class Arm64Lowering extends Arm64Values {
  protected newAssembler(): Arm64Assembler {
    return new Arm64Assembler();
  }

  get #isLse(): boolean {
    return this.flavour.atomics === "lse";
  }

  // --- frame: frame record, saved registers, then room for slots and structs above sp ---------------------------------------------

  /** Register pairs in store order; the frame record comes first where the routine calls. */
  #pairs(): Arm64Register[][] {
    const { saved, hasCalls } = this.frame;
    const registers = saved.map((number) => armGpr(number, 64));
    const all = hasCalls ? [x29, x30, ...registers] : registers;
    return Array.from({ length: Math.ceil(all.length / 2) }, (_, i) => all.slice(2 * i, 2 * i + 2));
  }

  /** The saved registers lie lowest, so that one pre-indexed store opens the frame. */
  protected get areaOffset(): number {
    return 16 * this.#pairs().length;
  }

  #frameBytes(): number {
    return this.areaOffset + roundUp(this.frame.bytes, 16);
  }

  /** Whether the pre-indexed store and the post-indexed load can carry the frame's size: 7 bits of words, 9 bits of bytes. */
  #opensWithStore(): boolean {
    const first = this.#pairs()[0];
    return first !== undefined && this.#frameBytes() <= (first.length === 2 ? 496 : 240);
  }

  protected prologue(a: Arm64Assembler): void {
    const pairs = this.#pairs();
    const bytes = this.#frameBytes();
    if (bytes === 0) return;
    const isNear = this.#opensWithStore();
    if (!isNear) a.sub(sp, sp, bytes);
    pairs.forEach(([one, two], i) => {
      const address = i === 0 && isNear ? preIndex(sp, -bytes) : offset(sp, 16 * i);
      if (one === undefined) return;
      if (two === undefined) a.str(one, address);
      else a.stp(one, two, address);
    });
    if (this.frame.hasCalls) a.mov(x29, sp);
  }

  protected epilogue(a: Arm64Assembler): void {
    const pairs = this.#pairs();
    const bytes = this.#frameBytes();
    const isNear = this.#opensWithStore();
    for (let i = pairs.length - 1; i >= 0; i--) {
      const [one, two] = pairs[i] ?? [];
      const address = i === 0 && isNear ? postIndex(sp, bytes) : offset(sp, 16 * i);
      if (one === undefined) continue;
      if (two === undefined) a.ldr(one, address);
      else a.ldp(one, two, address);
    }
    if (!isNear && bytes > 0) a.add(sp, sp, bytes);
    a.ret();
  }

  protected jump(label: number): void {
    this.list.jump(label, (a) => a.b(label));
  }

  // --- calls ----------------------------------------------------------------------------------------------------------------------

  protected moveParallel(a: Arm64Assembler, moves: readonly Move[]): void {
    parallelMoves(moves, SECOND_SCRATCH, (to, from) => {
      this.moveLocation(a, to, from);
    });
  }

  protected clearUpper(a: Arm64Assembler, register: number): void {
    a.mov(armGpr(register, 32), armGpr(register, 32));
  }

  protected call(statement: CallStatement): void {
    const operands: OperandCode[] = [];
    const moves: { register: number; operand: number }[] = [];
    const late: ((a: Arm64Assembler) => void)[] = [];
    const { target } = statement;
    const isDirect = "signature" in target;
    if (!isDirect) operands.push(useAny(this.value(target)));
    statement.arguments.forEach((argument, i) => {
      const register = ARGUMENT_REGISTERS[i] ?? 0;
      const rematerialised = this.#rematerialise(argument, register);
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
      this.list.hint(result, 0);
      operands.push(def(result));
    }
    const resultAt = operands.length - 1;
    this.list.push(
      operands,
      (a, r) => {
        const pointer = isDirect ? SCRATCH : this.#pointerRegister(a, loc(r, 0));
        this.moveParallel(
          a,
          moves.map(({ register, operand }) => ({ to: register, from: loc(r, operand) })),
        );
        for (const emit of late) emit(a);
        if (isDirect) a.call(target);
        else a.blr(armGpr(pointer, 64));
        if (hasResult) this.moveLocation(a, loc(r, resultAt), 0);
      },
      { across: CALL_CLOBBERED },
    );
  }

  /** Where the target of a call survives the argument moves: x8 and above take no argument. */
  #pointerRegister(a: Arm64Assembler, target: Location): number {
    if (target >= ARGUMENT_REGISTERS.length) return target;
    this.moveLocation(a, SCRATCH, target);
    return SCRATCH;
  }

  /** Arguments that are made in their register behind the other moves, without taking one before. */
  #rematerialise(argument: Expression, register: number): ((a: Arm64Assembler) => void) | undefined {
    if (argument.kind === "constant") {
      const pattern = BigInt.asUintN(widthOf(argument.type), argument.value);
      return (a) => {
        moveConstant(a, register, pattern);
      };
    }
    if (argument.kind !== "address" || argument.address.index !== undefined) return undefined;
    const { base, offset: distance } = argument.address;
    if (base.kind === "symbol") return (a) => a.symbolAddress(armGpr(register, 64), base.symbol, distance);
    if (base.kind !== "frame") return undefined;
    return (a) => {
      this.frameAddress(a, register, base.slot, distance);
    };
  }

  protected returnValue(value: Expression): void {
    const rematerialised = this.#rematerialise(value, 0);
    if (rematerialised !== undefined) {
      this.list.push([], rematerialised);
      return;
    }
    const register = this.value(value);
    this.list.hint(register, 0);
    this.list.push([useAny(register)], (a, r) => {
      this.moveLocation(a, 0, loc(r, 0), widthOf(value.type));
    });
  }

  // --- effects --------------------------------------------------------------------------------------------------------------------

  protected effect(statement: EffectStatement): void {
    switch (statement.kind) {
      case "update":
        this.#update(statement);
        return;
      case "setBit":
      case "clearBit":
        this.#updateBit(statement);
        return;
      case "fetch": {
        const { operator, address, memory, operand, result, ordering } = statement;
        const source = this.#atomicOperand(operator, operand);
        this.#fetch(operator, this.pointer(address), source, this.registerFor(result), widthOf(memory), ordering);
        return;
      }
      case "xchg":
        this.#xchg(statement);
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
        this.list.push([], (a) => a.yield());
        return;
      case "idle":
        this.list.push([], (a) => {
          this.#idle(a);
        });
        return;
      case "bug":
        this.list.push([], (a) => a.brk(BUG_IMMEDIATE));
        return;
      case "cmpWait":
        this.#cmpWait(statement);
        return;
      case "arch":
        this.#arch(statement.block);
    }
  }

  /** The register that the atomic takes: clearing needs the complement of an `and` operand. */
  #atomicOperand(operator: UpdateOperator, operand: Expression): VirtualRegister {
    return this.value(operator === "and" && this.#isLse ? unary("not", operand) : operand);
  }

  #update({ operator, address, memory, operand }: Extract<Statement, { kind: "update" }>): void {
    const width = widthOf(memory);
    const source = this.#atomicOperand(operator, operand);
    this.#relaxedUpdate(operator, this.pointer(address), source, width);
  }

  #relaxedUpdate(operator: UpdateOperator, pointer: VirtualRegister, source: VirtualRegister, width: Arm64Width): void {
    this.list.push([held(source), held(pointer)], (a, r) => {
      const operand = armGpr(loc(r, 0), width);
      const base = armGpr(loc(r, 1), 64);
      if (this.#isLse) a.st(LSE_OPERATOR[operator], "", operand, base);
      else exclusiveLoop(a, armGpr(SECOND_SCRATCH, width), operand, base, COMBINE[operator], "relaxed");
    });
  }

  /** old = [pointer]; [pointer] = old op source. */
  #fetch(
    operator: UpdateOperator,
    pointer: VirtualRegister,
    source: VirtualRegister,
    result: VirtualRegister,
    width: Arm64Width,
    ordering: Ordering,
  ): void {
    this.list.push([early(result), held(source), held(pointer)], (a, r) => {
      const old = armGpr(loc(r, 0), width);
      const operand = armGpr(loc(r, 1), width);
      const base = armGpr(loc(r, 2), 64);
      if (this.#isLse) a.ld(LSE_OPERATOR[operator], LSE_ORDERING[ordering], operand, old, base);
      else exclusiveLoop(a, old, operand, base, COMBINE[operator], ordering);
    });
  }

  #updateBit({ kind, address, bit }: Extract<Statement, { kind: "setBit" | "clearBit" }>): void {
    const { pointer, mask } = this.#bitMask(address, bit, kind === "clearBit" && !this.#isLse);
    this.#relaxedUpdate(kind === "setBit" ? "or" : "and", pointer, mask, 64);
  }

  /** Address of the word of a bit, and the bit (or all others) as a mask. */
  #bitMask(address: Address, bit: Expression, isInverted: boolean): { pointer: VirtualRegister; mask: VirtualRegister } {
    if (bit.kind === "constant") {
      const number = Number(bit.value);
      const single = 1n << BigInt(number % 64);
      const value = BigInt.asUintN(64, isInverted ? ~single : single);
      const mask = this.value({ kind: "constant", type: "u64", value });
      return { mask, pointer: this.pointer({ ...address, offset: address.offset + 8 * Math.floor(number / 64) }) };
    }
    const number = this.value(bit);
    const one: Expression = { kind: "constant", type: "u64", value: 1n };
    const shifted: Expression = { kind: "binary", type: "u64", operator: "shl", left: one, right: this.anonymous("u64", number) };
    const mask = this.value(isInverted ? unary("not", shifted) : shifted);
    return { mask, pointer: this.pointer(this.wordOfBit(address, number)) };
  }

  #xchg({ address, memory, operand, result, ordering }: Extract<Statement, { kind: "xchg" }>): void {
    const width = widthOf(memory);
    const source = this.value(operand);
    const pointer = this.pointer(address);
    this.list.push([early(this.registerFor(result)), held(source), held(pointer)], (a, r) => {
      const old = armGpr(loc(r, 0), width);
      const desired = armGpr(loc(r, 1), width);
      const base = armGpr(loc(r, 2), 64);
      if (this.#isLse) {
        a.swp(LSE_ORDERING[ordering], desired, old, base);
        return;
      }
      const again = a.newLabel();
      a.place(again);
      loadExclusive(a, old, base, ordering);
      storeExclusive(a, armGpr(SCRATCH, 32), desired, base, ordering);
      a.cbnz(armGpr(SCRATCH, 32), again);
      if (ordering === "full") a.dmb("ish");
    });
  }

  #cmpxchg({ address, memory, expected, desired, result, ordering }: Extract<Statement, { kind: "cmpxchg" }>): void {
    const width = widthOf(memory);
    const compared = this.value(expected);
    const newValue = this.value(desired);
    const pointer = this.pointer(address);
    this.list.push([early(this.registerFor(result)), held(compared), held(newValue), held(pointer)], (a, r) => {
      const register = (i: number): Arm64Register => armGpr(loc(r, i), width);
      const base = armGpr(loc(r, 3), 64);
      if (this.#isLse) {
        // The compare register receives the old value, hence a copy.
        a.mov(register(0), register(1)).cas(LSE_ORDERING[ordering], register(0), register(2), base);
      } else {
        compareExchangeLoop(a, register(0), register(1), register(2), base, ordering);
      }
    });
  }

  protected conditionEffect(effect: ConditionEffect): Arm64Condition {
    switch (effect.kind) {
      case "addAndTest":
        return this.#addAndTest(effect);
      case "tryCmpxchg":
        return this.#tryCmpxchg(effect);
      case "testAndSetBit":
      case "testAndClearBit": {
        const isSet = effect.kind === "testAndSetBit";
        const { pointer, mask } = this.#bitMask(effect.address, effect.bit, false);
        const old = this.temporary();
        if (isSet || this.#isLse) {
          this.#fetch(isSet ? "or" : "and", pointer, mask, old, 64, effect.ordering);
        } else {
          const others = this.temporary();
          this.list.push([def(others), use(mask)], (a, r) => a.mvn(armGpr(loc(r, 0), 64), armGpr(loc(r, 1), 64)));
          this.#fetch("and", pointer, others, old, 64, effect.ordering);
        }
        this.list.push([use(old), use(mask)], (a, r) => a.tst(armGpr(loc(r, 0), 64), armGpr(loc(r, 1), 64)));
        return "ne";
      }
    }
  }

  #addAndTest({ address, memory, addend }: Extract<ConditionEffect, { kind: "addAndTest" }>): Arm64Condition {
    const width = widthOf(memory);
    const source = this.value({ kind: "constant", type: memory, value: addend });
    const old = this.temporary();
    this.#fetch("add", this.pointer(address), source, old, width, "full");
    const negated = BigInt.asUintN(width, -addend);
    this.list.push([use(old)], (a, r) => {
      // The new value is zero where the old one was the negated addend.
      if (addend < 0n) a.cmp(armGpr(loc(r, 0), width), negated);
      else a.cmn(armGpr(loc(r, 0), width), addend);
    });
    return "eq";
  }

  #tryCmpxchg({ address, memory, expected, desired, ordering }: Extract<ConditionEffect, { kind: "tryCmpxchg" }>): Arm64Condition {
    const width = widthOf(memory);
    const local = this.registerFor(expected);
    const newValue = this.value(desired);
    const pointer = this.pointer(address);
    const old = this.temporary();
    this.list.push([early(old), update(local), held(newValue), held(pointer)], (a, r) => {
      const register = (i: number): Arm64Register => armGpr(loc(r, i), width);
      const base = armGpr(loc(r, 3), 64);
      if (this.#isLse) {
        a.mov(register(0), register(1)).cas(LSE_ORDERING[ordering], register(0), register(2), base);
        a.cmp(register(0), register(1));
      } else {
        compareExchangeLoop(a, register(0), register(1), register(2), base, ordering);
      }
      a.mov(register(1), register(0));
    });
    return "eq";
  }

  // --- fences, interrupts, waiting --------------------------------------------------------------------------------------------------

  #fence(fence: FenceKind): void {
    switch (fence) {
      case "smp_mb":
        this.list.push([], (a) => a.dmb("ish"));
        return;
      case "smp_wmb":
        this.list.push([], (a) => a.dmb("ishst"));
        return;
      case "smp_rmb":
        this.list.push([], (a) => a.dmb("ishld"));
        return;
      case "mb":
        this.list.push([], (a) => a.dsb("sy"));
        return;
      case "wmb":
        this.list.push([], (a) => a.dsb("st"));
        return;
      case "rmb":
        this.list.push([], (a) => a.dsb("ld"));
        return;
      case "interprocessor":
        this.list.push([], (a) => a.dsb("ishst"));
        return;
      case "instruction":
        this.list.push([], (a) => a.isb());
    }
  }

  #interrupts(statement: Extract<Statement, { kind: "interrupts" }>): void {
    const usesPmr = this.flavour.interrupts === "pseudo-nmi";
    switch (statement.action) {
      case "save":
        this.list.push([def(this.registerFor(statement.result))], (a, r) => {
          a.mrs(armGpr(loc(r, 0), 64), usesPmr ? "icc_pmr_el1" : "daif");
          if (usesPmr) setPmr(a, PMR_MASKED);
          else a.daifSet(MASK_INTERRUPTS);
        });
        return;
      case "restore": {
        const flags = this.value(statement.flags);
        this.list.push([use(flags)], (a, r) => {
          a.msr(usesPmr ? "icc_pmr_el1" : "daif", armGpr(loc(r, 0), 64));
          if (usesPmr) this.#pmrSync(a);
        });
        return;
      }
      case "areDisabled":
        this.list.push([def(this.registerFor(statement.result))], (a, r) => {
          const to = armGpr(loc(r, 0), 64);
          if (usesPmr) a.mrs(to, "icc_pmr_el1").cmp(to, PMR_OPEN).cset(armGpr(loc(r, 0), 32), "ne");
          else a.mrs(to, "daif").ubfx(to, to, DAIF_I_BIT, 1);
        });
        return;
      case "disable":
        this.list.push([], (a) => (usesPmr ? setPmr(a, PMR_MASKED) : a.daifSet(MASK_INTERRUPTS)));
        return;
      case "enable":
        this.list.push([], (a) => {
          if (!usesPmr) a.daifClr(MASK_INTERRUPTS);
          else this.#openPmr(a);
        });
        return;
      case "maskAll":
        this.list.push([], (a) => {
          a.daifSet(MASK_ALL);
          if (usesPmr) setPmr(a, PMR_ALL);
        });
    }
  }

  #openPmr(a: Arm64Assembler): void {
    setPmr(a, PMR_OPEN);
    this.#pmrSync(a);
  }

  #pmrSync(a: Arm64Assembler): void {
    if (this.flavour.pmrSync) a.dsb("sy");
  }

  /** WFI does not wake for what the PMR hides, so masking moves to DAIF before it (Linux, arm_cpuidle_save_irq_context). */
  #idle(a: Arm64Assembler): void {
    a.daifSet(MASK_INTERRUPTS);
    if (this.flavour.interrupts === "pseudo-nmi") this.#openPmr(a);
    a.wfi().daifClr(MASK_INTERRUPTS);
  }

  /** Only this exact sequence arms the monitor: the event register is made clear, then an exclusive load marks the line. */
  #cmpWait({ address, memory, seen }: Extract<Statement, { kind: "cmpWait" }>): void {
    const width = widthOf(memory);
    const value = this.value(seen);
    const pointer = this.pointer(address);
    this.list.push([use(value), use(pointer)], (a, r) => {
      const found = armGpr(SECOND_SCRATCH, width);
      const changed = a.newLabel();
      a.sevl().wfe().ldxr(found, armGpr(loc(r, 1), 64));
      a.eor(found, found, armGpr(loc(r, 0), width)).cbnz(found, changed).wfe().place(changed);
    });
  }

  #arch(block: ArchBlock): void {
    const body = block.arm64;
    if (body === undefined) throw invalid(`${this.recording.name}: an arch block without an AArch64 body in an AArch64 image`);
    const destroysLink = block.clobbers.arm64.includes("x30");
    if (block.calls || destroysLink) this.hasCalls = true;
    const operands = archOperands(this.recording.name, block, "arm64", arm64RegisterNumber, (use) => this.value(use));
    const clobbered = (operands.clobbered | (block.calls ? CALL_CLOBBERED : 0)) & ~(1 << LINK);
    const result = block.result === undefined ? undefined : this.registerFor(block.result);
    const codes = result === undefined ? operands.codes : [...operands.codes, operands.resultIn === undefined ? early(result) : def(result)];
    if (result !== undefined && operands.resultIn !== undefined) this.list.hint(result, operands.resultIn);
    this.list.push(
      codes,
      (a, r) => {
        this.moveParallel(a, operands.moves(r));
        const named = operands.registers(r, armGpr);
        const resultNumber = operands.resultIn ?? (result === undefined ? 31 : loc(r, r.length - 1));
        body(a, { ...named, result: armGpr(resultNumber, block.result === undefined ? 64 : widthOf(block.result.type)) });
        if (result !== undefined && operands.resultIn !== undefined) this.moveLocation(a, loc(r, r.length - 1), operands.resultIn);
      },
      operands.resultIn === undefined ? { all: clobbered } : { operands: clobbered },
    );
  }
}

function setPmr(a: Arm64Assembler, priority: number): Arm64Assembler {
  return a.movConstant(x16, priority).msr("icc_pmr_el1", x16);
}

/** ldxr, op, stxr, cbnz; a full one is a release store followed by a barrier, as the kernel's. No memory access lies between. */
function exclusiveLoop(
  a: Arm64Assembler,
  old: Arm64Register,
  operand: Arm64Register,
  base: Arm64Register,
  combine: Combine,
  ordering: Ordering,
): void {
  const again = a.newLabel();
  const changed = armGpr(SECOND_SCRATCH, old.width);
  const status = armGpr(SCRATCH, 32);
  a.place(again);
  loadExclusive(a, old, base, ordering);
  combine(a, changed, old, operand);
  storeExclusive(a, status, changed, base, ordering);
  a.cbnz(status, again);
  if (ordering === "full") a.dmb("ish");
}

/** Leaves the flags of comparing old with expected; the barrier stands on the path of success only. */
function compareExchangeLoop(
  a: Arm64Assembler,
  old: Arm64Register,
  expected: Arm64Register,
  desired: Arm64Register,
  base: Arm64Register,
  ordering: Ordering,
): void {
  const again = a.newLabel();
  const differs = a.newLabel();
  const status = armGpr(SCRATCH, 32);
  a.place(again);
  loadExclusive(a, old, base, ordering);
  a.cmp(old, expected).bcond("ne", differs);
  storeExclusive(a, status, desired, base, ordering);
  a.cbnz(status, again);
  if (ordering === "full") a.dmb("ish");
  a.place(differs);
}

function loadExclusive(a: Arm64Assembler, to: Arm64Register, base: Arm64Register, ordering: Ordering): void {
  if (ordering === "acquire") a.ldaxr(to, base);
  else a.ldxr(to, base);
}

function storeExclusive(a: Arm64Assembler, status: Arm64Register, from: Arm64Register, base: Arm64Register, ordering: Ordering): void {
  if (ordering === "release" || ordering === "full") a.stlxr(status, from, base);
  else a.stxr(status, from, base);
}

