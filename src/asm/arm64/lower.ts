// AArch64 lowering of calls, frames, atomics, fences and interrupt state (instruction forms as the Linux kernel uses them).

import { loc } from "../lower/calls.ts";
import { def, use } from "../lower/instructions.ts";
import type { Location } from "../lower/instructions.ts";
import type { EffectStatement } from "../lower/lowered.ts";
import type { ArchBlock } from "../record/arch.ts";
import type { Callable } from "../record/callable.ts";
import type { Address, FenceKind, Statement } from "../record/tree.ts";
import { widthOf } from "../record/tree.ts";
import { roundUp } from "../types.ts";
import { Arm64Assembler } from "./assembler.ts";
import { Arm64Atomics } from "./atomics.ts";
import { SECOND_SCRATCH } from "./operands.ts";
import { arm64RegisterNumber, armGpr, offset, postIndex, preIndex, sp, x16, x29, x30 } from "./registers.ts";
import type { Arm64Register, Arm64Width } from "./registers.ts";

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

export class Arm64Lowering extends Arm64Atomics {
  protected newAssembler(): Arm64Assembler {
    return new Arm64Assembler();
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

  // --- calls and architecture blocks ----------------------------------------------------------------------------------------------

  protected callDirect(a: Arm64Assembler, target: Callable): void {
    a.call(target);
  }
  protected callRegister(a: Arm64Assembler, register: number): void {
    a.blr(armGpr(register, 64));
  }
  protected takesNoArgument(register: Location): boolean {
    return register >= this.argumentRegisters.length;
  }
  protected clearUpper(a: Arm64Assembler, register: number): void {
    a.mov(armGpr(register, 32), armGpr(register, 32));
  }
  protected archBody(block: ArchBlock): ArchBlock["arm64"] {
    if (block.clobbers.arm64.includes("x30")) this.hasCalls = true;
    return block.arm64;
  }
  protected registerObject(number: number, width: Arm64Width): Arm64Register {
    return armGpr(number, width);
  }
  protected registerNumber(name: string): number {
    return arm64RegisterNumber(name);
  }

  protected rematerialiseAddress(address: Address, register: number): ((a: Arm64Assembler) => void) | undefined {
    const { base, offset: distance } = address;
    if (base.kind === "symbol") return (a) => a.symbolAddress(armGpr(register, 64), base.symbol, distance);
    if (base.kind !== "frame") return undefined;
    return (a) => {
      this.frameAddress(a, register, base.slot, distance);
    };
  }

  // --- effects --------------------------------------------------------------------------------------------------------------------

  protected effect(statement: EffectStatement): void {
    switch (statement.kind) {
      case "update":
      case "setBit":
      case "clearBit":
      case "fetch":
      case "xchg":
      case "cmpxchg":
        this.atomic(statement);
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
        this.arch(statement.block);
    }
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
          if (usesPmr)
            a.mrs(to, "icc_pmr_el1")
              .cmp(to, PMR_OPEN)
              .cset(armGpr(loc(r, 0), 32), "ne");
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
          if (this.flavour.interrupts === "feat-nmi") a.msrImmediate("allint", 1);
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
      a.sevl()
        .wfe()
        .ldxr(found, armGpr(loc(r, 1), 64));
      a.eor(found, found, armGpr(loc(r, 0), width))
        .cbnz(found, changed)
        .wfe()
        .place(changed);
    });
  }
}

function setPmr(a: Arm64Assembler, priority: number): Arm64Assembler {
  return a.movConstant(x16, priority).msr("icc_pmr_el1", x16);
}
