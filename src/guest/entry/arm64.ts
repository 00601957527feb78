// AArch64 entry: vector tables and the path behind their IRQ slot (Arm ARM DDI 0487 D1.3.1; arch/arm64/kernel/entry.S).

import { arm64, asmRoutine, nothing, slot, type Callable, type DirectBodies } from "../../asm/index.ts";
import { badException } from "./fatal.ts";
import { arm64Interrupt } from "./interrupt.ts";
import { Arm64Regs } from "./regs.ts";
import { exitToUserMode } from "./user.ts";

type Assembler = Parameters<NonNullable<DirectBodies["arm64"]>>[0];

const SLOT_BYTES = 128;
/** Slots 4 to 7 are taken from EL1 with SP_EL1, 8 to 11 from EL0: synchronous, IRQ, FIQ, SError. */
const IRQ_SLOT = 5;
const USER_IRQ_SLOT = 9;
const SLOTS = 16;
/** GIC_PRIO_IRQON | GIC_PRIO_PSR_I_SET: what PMR holds while PSTATE.I does the masking. */
const PMR_BEHIND_DAIF = 0xf0;
const MASK_ALL = 15;

const offsetOf = (field: string): number => Arm64Regs.offsets.get(field) ?? 0;

/** Where the IRQ slot leads, and what is kept besides registers. */
export interface EntryPath {
  readonly interrupt: Callable;
  /** The handler gets the address of what was saved. */
  readonly passesRegs: boolean;
  /** PMR is part of the interrupted context: IRQs are masked by it. */
  readonly keepsPriorityMask: boolean;
}

/** The table that the image's CPUs get. */
export const exceptionVectors = slot("exception_vectors", {}, nothing);

const pairs = Array.from({ length: 14 }, (_, index) => 2 + 2 * index);

/** kernel_entry. Of user mode, the stack pointer is SP_EL0; that of EL1 is where the task left its kernel stack, empty. */
function saveContext(a: Assembler, { passesRegs, keepsPriorityMask }: EntryPath, isUser: boolean): void {
  const { sp, x0, x1, x30, offset } = arm64;
  for (const first of pairs) a.stp(arm64.armGpr(first, 64), arm64.armGpr(first + 1, 64), offset(sp, 8 * first));
  if (isUser) a.mrs(x0, "sp_el0");
  else a.add(x0, sp, Arm64Regs.bytes);
  a.stp(x30, x0, offset(sp, 240));
  a.mrs(x0, "elr_el1")
    .mrs(x1, "spsr_el1")
    .stp(x0, x1, offset(sp, offsetOf("pc")));
  if (keepsPriorityMask) {
    a.mrs(x0, "icc_pmr_el1").str(x0, offset(sp, offsetOf("pmr")));
    a.movConstant(x0, PMR_BEHIND_DAIF).msr("icc_pmr_el1", x0);
  }
  if (passesRegs) a.mov(x0, sp);
}

/** kernel_exit: with PMR in use, the handler may have opened DAIF, and what PMR lets through must not come in between. */
function restoreContext(a: Assembler, { keepsPriorityMask }: EntryPath, isUser: boolean): void {
  const { sp, x0, x1, x30, offset } = arm64;
  if (keepsPriorityMask) {
    a.daifSet(MASK_ALL)
      .ldr(x0, offset(sp, offsetOf("pmr")))
      .msr("icc_pmr_el1", x0);
  }
  if (isUser) a.ldr(x0, offset(sp, offsetOf("sp"))).msr("sp_el0", x0);
  a.ldp(x0, x1, offset(sp, offsetOf("pc")))
    .msr("elr_el1", x0)
    .msr("spsr_el1", x1);
  for (const first of pairs) a.ldp(arm64.armGpr(first, 64), arm64.armGpr(first + 1, 64), offset(sp, 8 * first));
  a.ldr(x30, offset(sp, 240)).ldp(x0, x1, offset(sp)).add(sp, sp, Arm64Regs.bytes).eret();
}

const irqPaths = new Map([
  [IRQ_SLOT, "irq"],
  [USER_IRQ_SLOT, "user_irq"],
]);

/** A vector table whose IRQ slots save the context, call the handler and go back. */
export function vectorTable(name: string, path: EntryPath) {
  return asmRoutine(
    name,
    {
      arm64: (a) => {
        const { sp, x0, x1, offset } = arm64;
        for (let slot = 0; slot < SLOTS; slot++) {
          a.padTo(slot * SLOT_BYTES);
          const label = irqPaths.get(slot);
          if (label !== undefined) a.sub(sp, sp, Arm64Regs.bytes).stp(x0, x1, offset(sp)).b(label);
          else a.jumpTo(badException);
        }
        a.padTo(SLOTS * SLOT_BYTES);
        for (const [slot, label] of irqPaths) {
          const isUser = slot === USER_IRQ_SLOT;
          a.label(label);
          saveContext(a, path, isUser);
          a.call(path.interrupt);
          if (isUser) a.mov(x0, sp).call(exitToUserMode);
          restoreContext(a, path, isUser);
        }
      },
    },
    { section: "vectors", align: 2048 },
  );
}

export const arm64Vectors = vectorTable("vectors", {
  interrupt: arm64Interrupt,
  passesRegs: false,
  keepsPriorityMask: false,
});
