// AArch64 entry: the vector table and the path behind its IRQ slot (Arm ARM DDI 0487 D1.3.1).

import { arm64, asmRoutine } from "../../asm/index.ts";
import { badException } from "./fatal.ts";
import { arm64Interrupt } from "./interrupt.ts";
import { Arm64Regs } from "./regs.ts";

const SLOT_BYTES = 128;
/** Slots 4 to 7 are taken from EL1 with SP_EL1: synchronous, IRQ, FIQ, SError. */
const IRQ_SLOT = 5;
const SLOTS = 16;

const offsetOf = (field: string): number => Arm64Regs.offsets.get(field) ?? 0;

export const arm64Vectors = asmRoutine(
  "vectors",
  {
    arm64: (a) => {
      const { sp, x0, x1, x30, offset } = arm64;
      for (let slot = 0; slot < SLOTS; slot++) {
        a.padTo(slot * SLOT_BYTES);
        if (slot === IRQ_SLOT) a.sub(sp, sp, Arm64Regs.bytes).stp(x0, x1, offset(sp)).b("irq");
        else a.jumpTo(badException);
      }
      a.padTo(SLOTS * SLOT_BYTES);
      a.label("irq");
      const pairs = Array.from({ length: 14 }, (_, index) => 2 + 2 * index);
      for (const first of pairs) a.stp(arm64.armGpr(first, 64), arm64.armGpr(first + 1, 64), offset(sp, 8 * first));
      a.add(x0, sp, Arm64Regs.bytes).stp(x30, x0, offset(sp, 240));
      a.mrs(x0, "elr_el1")
        .mrs(x1, "spsr_el1")
        .stp(x0, x1, offset(sp, offsetOf("pc")));
      a.call(arm64Interrupt);
      a.ldp(x0, x1, offset(sp, offsetOf("pc")))
        .msr("elr_el1", x0)
        .msr("spsr_el1", x1);
      for (const first of pairs) a.ldp(arm64.armGpr(first, 64), arm64.armGpr(first + 1, 64), offset(sp, 8 * first));
      a.ldr(x30, offset(sp, 240)).ldp(x0, x1, offset(sp)).add(sp, sp, Arm64Regs.bytes).eret();
    },
  },
  { section: "vectors", align: 2048 },
);
