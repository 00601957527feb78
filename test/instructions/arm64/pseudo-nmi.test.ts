// Pseudo-NMIs: interrupts masked by priority in ICC_PMR_EL1 instead of by PSTATE.I, so that one SGI gets through (Arm IHI
// 0069H 4.8; Linux, arch/arm64/include/asm/arch_gicv3.h), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, GICR_BASE, GICR_STRIDE } from "../../../src/abi.ts";
import { SGI_FRAME, SPURIOUS, alone, send, setPriority, sgi, toSelf, wait } from "./gic.ts";
import { Guest, openInterrupts, park, setVectors, vectors } from "./guest.ts";

/** SGI and priority of ordinary interrupts, and of the one that stands for the NMI. */
const ORDINARY = 2;
const ORDINARY_PRIORITY = 0xa0;
const NMI = 7;
const NMI_PRIORITY = 0x20;
/** Values of PMR with which the kernel lets both through, or only the NMI. */
const IRQS_ON = 0xe0;
const IRQS_OFF = 0x60;

const setMask = (mask: number): string => `mov x9, #${mask}\n msr icc_pmr_el1, x9\n`;
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
