// Pseudo-NMIs: interrupts masked by priority in ICC_PMR_EL1 instead of by PSTATE.I, so that one SGI gets through (Arm IHI
// 0069H 4.8; Linux, arch/arm64/include/asm/arch_gicv3.h), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, GICR_BASE, GICR_STRIDE } from "../../../src/abi.ts";
import { SGI_FRAME, SPURIOUS, alone, send, setPriority, sgi, toSelf, wait } from "./gic.ts";
import { openSpi, pend } from "../../interrupts/gic/guest.ts";
import { DATA, Guest, openInterrupts, park, setVectors, vectors } from "./guest.ts";

/** SGIs of ordinary interrupts, and of the one that stands for the NMI. */
const ORDINARY = 2;
const NMI = 7;

/** Priorities, and values of PMR with which the kernel lets both through, or only the NMI (GIC_PRIO_*). */
const kernels = [
  { kernel: "before 6.11", ORDINARY_PRIORITY: 0xa0, NMI_PRIORITY: 0x20, IRQS_ON: 0xe0, IRQS_OFF: 0x60 },
  { kernel: "since 6.11", ORDINARY_PRIORITY: 0xc0, NMI_PRIORITY: 0x80, IRQS_ON: 0xe0, IRQS_OFF: 0xc0 },
] as const;

const setMask = (mask: number): string => `mov x9, #${mask}\n msr icc_pmr_el1, x9\n`;

describe.each(kernels)("with the values of Linux $kernel", ({ ORDINARY_PRIORITY, NMI_PRIORITY, IRQS_ON, IRQS_OFF }) => {
  const priorities = setPriority(ORDINARY, ORDINARY_PRIORITY) + setPriority(NMI, NMI_PRIORITY);

  /** Counts ordinary interrupts in X19, NMIs in X20; X21 = RPR in the handler of the last. */
  const counting = `${vectors({ irq: "interrupted" })}
  interrupted:
    mrs x18, icc_iar1_el1
    mrs x21, icc_rpr_el1
    cmp x18, #${NMI}
    b.eq nmi
    add x19, x19, #1
    b done
  nmi:
    add x20, x20, #1
  done:
    msr icc_eoir1_el1, x18
    eret`;

  describe("with PSTATE.I clear and IRQs masked by ICC_PMR_EL1 (IHI 0069H 4.8)", () => {
    it("an SGI more urgent than the mask is taken, another stays pending", () => {
      const guest = alone(
        `${priorities} ${setMask(IRQS_OFF)} msr daifclr, #2\n ${toSelf(ORDINARY, NMI)}
       mov x1, x19\n mov x2, x20\n mrs x3, icc_hppir1_el1\n mrs x4, isr_el1`,
        counting,
      );
      expect(guest.registers(0, 1, 2, 3, 4)).toEqual([0n, 1n, BigInt(ORDINARY), 0n]);
      expect(guest.x(0, 21)).toBe(BigInt(NMI_PRIORITY));
    });

    it("the other is taken at the next instruction after the mask is opened", () => {
      const guest = alone(
        `${priorities} ${setMask(IRQS_OFF)} msr daifclr, #2\n ${toSelf(ORDINARY)}
       mov x1, x19\n ${setMask(IRQS_ON)} mov x2, x19`,
        counting,
      );
      expect(guest.registers(0, 1, 2)).toEqual([0n, 1n]);
    });

    it("an SGI of just the mask's priority is not taken: it must be more urgent", () => {
      const guest = alone(
        `${priorities} ${setMask(NMI_PRIORITY)} msr daifclr, #2\n ${toSelf(NMI)}
       mov x1, x20\n ${setMask(NMI_PRIORITY + 8)} mov x2, x20`,
        counting,
      );
      expect(guest.registers(0, 1, 2)).toEqual([0n, 1n]);
    });
  });

  describe("with PSTATE.I set (DDI 0487 D1.3)", () => {
    it("the NMI waits too, whatever its priority, and comes when PSTATE.I is cleared", () => {
      const guest = alone(
        `${priorities} ${setMask(IRQS_OFF)} ${toSelf(NMI)}
       mov x1, x20\n mrs x2, isr_el1\n msr daifclr, #2\n mov x3, x20`,
        counting,
      );
      expect(guest.registers(0, 1, 2, 3)).toEqual([0n, 0x80n, 1n]);
    });

    it("an exception masks it until its handler clears PSTATE.I", () => {
      const guest = alone(
        `${priorities} ${setMask(IRQS_OFF)} msr daifclr, #2\n svc #0`,
        `${vectors({ sync: "called", irq: "urgent" })}
       urgent:
         mrs x18, icc_iar1_el1
         add x20, x20, #1
         msr icc_eoir1_el1, x18
         eret
       called:
         ${toSelf(NMI)}
         mov x1, x20
         msr daifclr, #2
         mov x2, x20
         b park`,
      );
      expect(guest.registers(0, 1, 2)).toEqual([0n, 1n]);
    });
  });

  describe("a handler of an ordinary interrupt that clears PSTATE.I (IHI 0069H 4.8)", () => {
    /** X1: seen by the outer handler before its end; X2: behind it. */
    const nested = (inner: number): Guest =>
      alone(
        `${priorities} ${setPriority(4, ORDINARY_PRIORITY)} ${setMask(IRQS_ON)} msr daifclr, #2\n ${toSelf(ORDINARY)}
       mov x2, x20`,
        `${vectors({ irq: "interrupted" })}
       interrupted:
         mrs x18, icc_iar1_el1
         cmp x18, #${ORDINARY}
         b.ne inner
         mrs x23, elr_el1
         mrs x24, spsr_el1
         mov x22, x18
         msr daifclr, #2
         ${toSelf(inner)}
         mov x1, x20
         mrs x3, icc_rpr_el1
         msr daifset, #2
         msr elr_el1, x23
         msr spsr_el1, x24
         msr icc_eoir1_el1, x22
         eret
       inner:
         add x20, x20, #1
         mrs x21, icc_rpr_el1
         msr icc_eoir1_el1, x18
         eret`,
      );

    it("is preempted by the NMI, and has its own running priority back afterwards", () => {
      const guest = nested(NMI);
      expect(guest.registers(0, 1, 2, 3, 21)).toEqual([1n, 1n, BigInt(ORDINARY_PRIORITY), BigInt(NMI_PRIORITY)]);
    });

    it("is not preempted by its equal, which comes behind it", () => {
      const guest = nested(4);
      expect(guest.registers(0, 1, 2, 3)).toEqual([0n, 1n, BigInt(ORDINARY_PRIORITY)]);
    });
  });

  describe("acknowledging while PMR is closed (IHI 0069H 2.2.1, 4.8)", () => {
    it("gives the NMI, then 1023 though an ordinary interrupt is pending", () => {
      const guest = alone(`
      ${priorities} ${toSelf(ORDINARY, NMI)} ${setMask(IRQS_OFF)}
      mrs x1, icc_iar1_el1
      msr icc_eoir1_el1, x1
      mrs x2, icc_iar1_el1
      ${setMask(IRQS_ON)}
      mrs x3, icc_iar1_el1`);
      expect(guest.registers(0, 1, 2, 3)).toEqual([BigInt(NMI), SPURIOUS, BigInt(ORDINARY)]);
    });
  });

  describe("WFI with PMR closed and PSTATE.I set (DDI 0487 D1.6.2)", () => {
    /** CPU 1 sleeps with PMR at IRQS_OFF, CPU 0 sends it an SGI. */
    function sleeper(id: number): Guest {
      const guest = new Guest(
        `
      one: ${setVectors} ${openInterrupts(1)}
        li x9, #${GICR_BASE + GICR_STRIDE + SGI_FRAME + 0x400}
        mov w10, #${ORDINARY_PRIORITY}
        strb w10, [x9, #${ORDINARY}]
        mov w10, #${NMI_PRIORITY}
        strb w10, [x9, #${NMI}]
        ${setMask(IRQS_OFF)}
        mov x1, #1
        wfi
        mov x1, #2
        b park
      zero: ${wait(20_000)} ${send(sgi(id, 2))} b park
      ${vectors({})}
      ${park}`,
        { cpus: 2 },
      );
      guest.start("zero", "one").run();
      return guest;
    }

    it("ends by the NMI", () => {
      expect(sleeper(NMI).x(1, 1)).toBe(2n);
    });

    it("does not end by an ordinary interrupt", () => {
      const guest = sleeper(ORDINARY);
      expect(guest.x(1, 1)).toBe(1n);
      expect(guest.machine.state(1)).toBe(CpuState.WAITING);
    });
  });

  describe("the kernel's entry (arch/arm64/kernel/entry-common.c, drivers/irqchip/irq-gic-v3.c)", () => {
    /** PMR at exception entry: everything open, and the flag that PSTATE.I is set too. */
    const ENTRY_MASK = IRQS_ON | 0x10;
    /**
     * Enters with PMR = ENTRY_MASK and PSTATE.I; acknowledges; RPR tells an NMI, which is handled as it is; for an ordinary
     * interrupt, PMR goes to IRQS_OFF and PSTATE.I is cleared, so that NMIs come. Counts in X19 and X20; X21: NMIs inside.
     */
    const entry = (within: string): string => `${vectors({ irq: "interrupted" })}
      interrupted:
        sub sp, sp, #64
        stp x9, x10, [sp, #32]
        str x11, [sp, #48]
        mrs x9, elr_el1
        mrs x10, spsr_el1
        mrs x11, icc_pmr_el1
        stp x9, x10, [sp]
        str x11, [sp, #16]
        ${setMask(ENTRY_MASK)}
        mrs x18, icc_iar1_el1
        str x18, [sp, #24]
        mrs x9, icc_rpr_el1
        cmp x9, #${NMI_PRIORITY}
        b.eq nmi
        ${setMask(IRQS_OFF)}
        msr daifclr, #2
        ${within}
        add x19, x19, #1
        mov x21, x20
        msr daifset, #2
        b out
      nmi:
        add x20, x20, #1
      out:
        ldr x18, [sp, #24]
        msr icc_eoir1_el1, x18
        ldp x9, x10, [sp]
        msr elr_el1, x9
        msr spsr_el1, x10
        ldr x11, [sp, #16]
        msr icc_pmr_el1, x11
        ldp x9, x10, [sp, #32]
        ldr x11, [sp, #48]
        add sp, sp, #64
        eret`;
    const stack = `li x9, #${DATA + 0x8000}\n mov sp, x9\n`;

    it("lets an NMI nest in an ordinary interrupt, once, and gives the mask back", () => {
      const guest = alone(
        `${stack} ${priorities} ${setMask(IRQS_ON)} msr daifclr, #2\n ${toSelf(ORDINARY)} mrs x1, icc_pmr_el1\n mrs x2, icc_rpr_el1`,
        entry(toSelf(NMI)),
      );
      expect(guest.registers(0, 19, 20, 21, 1, 2)).toEqual([1n, 1n, 1n, BigInt(IRQS_ON), 0xffn]);
    });

    it("lets no ordinary interrupt nest: it comes afterwards", () => {
      const guest = alone(
        `${stack} ${priorities} ${setPriority(4, ORDINARY_PRIORITY)} ${setMask(IRQS_ON)} msr daifclr, #2\n ${toSelf(ORDINARY)}`,
        entry(`cbnz x19, again\n ${toSelf(4)}\n again:`),
      );
      expect(guest.registers(0, 19, 20)).toEqual([2n, 0n]);
    });

    it("is not reached by a pseudo-NMI where all of DAIF is masked and PMR holds the flag: local_daif_mask()", () => {
      const guest = alone(
        `${stack} ${priorities} msr daifset, #15\n ${setMask(ENTRY_MASK)} ${toSelf(NMI)} mov x1, x20\n mrs x2, icc_pmr_el1
         msr daifclr, #15\n mov x3, x20`,
        entry(""),
      );
      expect(guest.registers(0, 1, 2, 3)).toEqual([0n, BigInt(ENTRY_MASK), 1n]);
    });

    it("of an NMI while interrupts were off gives only an NMI: PMR is lowered before IAR is read", () => {
      const guest = alone(`
        ${priorities} ${toSelf(ORDINARY, NMI)} ${setMask(ENTRY_MASK)} ${setMask(IRQS_OFF)}
        mrs x1, icc_iar1_el1
        msr icc_eoir1_el1, x1
        mrs x2, icc_iar1_el1
        mrs x3, icc_hppir1_el1`);
      expect(guest.registers(0, 1, 2, 3)).toEqual([BigInt(NMI), SPURIOUS, BigInt(ORDINARY)]);
    });
  });

  describe("an SPI as a pseudo-NMI (IHI 0069H 4.8; the PMU's, a watchdog's)", () => {
    it("is taken with IRQs masked by PMR, one of ordinary priority isn't", () => {
      const guest = alone(
        `${openSpi(40, { priority: NMI_PRIORITY })} ${openSpi(41, { priority: ORDINARY_PRIORITY })}
         ${setMask(IRQS_OFF)} msr daifclr, #2\n ${pend(40, 41)} mov x1, x22\n mov x2, x23\n ${setMask(IRQS_ON)} nop\n mov x3, x23`,
        `${vectors({ irq: "interrupted" })}
        interrupted:
          mrs x18, icc_iar1_el1
          cmp x18, #40
          b.ne ordinary
          add x22, x22, #1
          b done
        ordinary:
          add x23, x23, #1
        done:
          msr icc_eoir1_el1, x18
          eret`,
      );
      expect(guest.registers(0, 1, 2, 3)).toEqual([1n, 0n, 1n]);
    });
  });
});
