// FEAT_NMI and the non-maskable interrupts of GICv3.3 (Arm DDI 0487, D1.3 and the pages of PSTATE.ALLINT and SCTLR_EL1; Arm IHI
// 0069H 4.8, 12.2), rule by rule.

import { describe, expect, it } from "vitest";
import { SPURIOUS, setPriority, toSelf } from "../../instructions/arm64/gic.ts";
import { DATA, vectors } from "../../instructions/arm64/guest.ts";
import { GICD, SGI, one, openSpi, pend, read, setSystem, write } from "./guest.ts";

const NMI = 1n << 61n;
const SPINTMASK = 1n << 62n;
const ALLINT = 1n << 13n;
const SCTLR_RES1 = 0x30d0_0800n;
const setSctlr = (bits: bigint): string => setSystem("sctlr_el1", SCTLR_RES1 | bits);
/** With ALLINT, so that nothing is taken. */
const nmiOn = `msr allint, #1\n ${setSctlr(NMI)}`;
/** Marks SGIs as non-maskable. */
const inmir0 = (sgis: number): string => write(SGI + 0xf80, sgis);
const withNmi = (text: string, handlers = "") => one(text, { nmi: true, handlers });
const IS = 1n << 10n;
const I = 1n << 7n;

describe("FEAT_NMI is announced (DDI 0487 D24, ID_AA64PFR1_EL1; IHI 0069H 12.9, GICD_TYPER)", () => {
  const text = `mrs x1, s3_0_c0_c4_1\n ${read(GICD + 4, 2)}`;
  it.each([
    [true, 1n],
    [false, 0n],
  ])("or not (%s)", (nmi, field) => {
    const guest = one(text, { nmi });
    expect([(guest.x(0, 1) >> 36n) & 15n, (guest.x(0, 2) >> 9n) & 1n]).toEqual([field, field]);
  });
});

describe("without FEAT_NMI (DDI 0487 C5.2)", () => {
  it.each(["mrs x1, allint", "msr allint, x1", "msr allint, #1", "mrs x1, icc_nmiar1_el1"])(
    "%s is UNDEFINED",
    (text) => {
      const guest = one(text, {
        handlers: `${vectors({ sync: "caught" })} caught: mov x2, #1\n mrs x3, esr_el1\n b park`,
      });
      expect(guest.registers(0, 2, 3)).toEqual([1n, 1n << 25n]);
    },
  );
});

describe("PSTATE.ALLINT (DDI 0487 C5.2.2)", () => {
  it("is set and cleared by MSR, with a register and with an immediate; other bits are ignored", () => {
    const guest = withNmi(`
      mrs x1, allint\n msr allint, #1\n mrs x2, allint\n msr allint, #0\n mrs x3, allint
      mov x9, #-1\n msr allint, x9\n mrs x4, allint\n msr allint, xzr\n mrs x5, allint`);
    expect(guest.registers(0, 1, 2, 3, 4, 5)).toEqual([0n, ALLINT, 0n, ALLINT, 0n]);
  });

  const handlers = `${vectors({ sync: "caught" })}
    caught: mrs x1, allint\n mrs x2, spsr_el1\n msr allint, x20\n eret`;

  it.each([
    [0n, ALLINT],
    [SPINTMASK, 0n],
    [NMI, ALLINT],
    [NMI | SPINTMASK, 0n],
  ])("becomes NOT SPINTMASK at an exception (SCTLR_EL1 %x), and what it was at ERET", (bits, inHandler) => {
    for (const before of [0n, ALLINT]) {
      const guest = withNmi(
        `${setSctlr(bits)} li x20, #${ALLINT - before}\n ${setSystem("allint", before)} svc #0\n mrs x3, allint`,
        handlers,
      );
      expect([guest.x(0, 1), guest.x(0, 2) & ALLINT, guest.x(0, 3)]).toEqual([inHandler, before, before]);
    }
  });
});

describe("masking at EL1 (DDI 0487 D1.3, interrupts with and without superpriority)", () => {
  type Kind = "IRQ" | "FIQ" | "IRQ with superpriority";
  /** The rule of the manual. */
  function isTaken(kind: Kind, sctlr: bigint, allint: boolean, spEl1: boolean, i: boolean, f: boolean): boolean {
    const enabled = (sctlr & NMI) !== 0n;
    if (enabled && (allint || (spEl1 && (sctlr & SPINTMASK) !== 0n))) return false;
    if (kind === "FIQ") return !f;
    return (kind === "IRQ with superpriority" && enabled) || !i;
  }

  const set = {
    IRQ: setPriority(3, 0x80),
    FIQ: setPriority(3, 0x80) + write(SGI + 0x80, 0xffff_fff7),
    "IRQ with superpriority": inmir0(8),
  } as const;
  const handlers = `${vectors({
    irq: "taken",
    fiq: "taken",
    "irq from SP_EL0": "taken",
    "fiq from SP_EL0": "taken",
  })} taken: mov x1, #1\n br x20`;

  const states = [0n, NMI, SPINTMASK, NMI | SPINTMASK].flatMap((sctlr) =>
    Array.from({ length: 16 }, (_, bits) => ({
      sctlr,
      allint: (bits & 1) !== 0,
      spEl1: (bits & 2) !== 0,
      i: (bits & 4) !== 0,
      f: (bits & 8) !== 0,
    })),
  );

  /** Enters a state by ERET with an SGI pending, and writes down whether it was taken there. */
  const enter = ({ sctlr, allint, spEl1, i, f }: (typeof states)[number], index: number): string => `
    msr daifset, #15\n msr allint, #1\n msr spsel, #1\n ${setSctlr(sctlr)} ${toSelf(3)} mov x1, #0
    adr x9, there_${index}\n msr elr_el1, x9\n adr x20, next_${index}
    ${setSystem("spsr_el1", (allint ? ALLINT : 0n) | (spEl1 ? 5n : 4n) | (i ? 0x80n : 0n) | (f ? 0x40n : 0n))}
    eret
    there_${index}: nop\n nop
    next_${index}: msr daifset, #15\n msr allint, #1\n msr spsel, #1\n li x9, #${DATA + 8 * index}\n str x1, [x9]
    ${write(SGI + 0x280, 8)}`;

  it.each(["IRQ", "FIQ", "IRQ with superpriority"] as const)(
    "of an %s, for all of SCTLR, ALLINT, SP, I and F",
    (kind) => {
      const guest = withNmi(`${set[kind]} ${states.map(enter).join("\n")}`, handlers);
      guest.run(4_000_000);
      const found = states.map((state, index) => ({ ...state, taken: guest.machine.read64(DATA + 8 * index) === 1n }));
      expect(found).toEqual(
        states.map((state) => ({
          ...state,
          taken: isTaken(kind, state.sctlr, state.allint, state.spEl1, state.i, state.f),
        })),
      );
    },
  );

  it("ends as soon as ALLINT is cleared, SP_EL0 is selected, or SCTLR_EL1 lets it", () => {
    const taken = (prepare: string, open: string): bigint[] => {
      const guest = withNmi(
        `${prepare}\n ${inmir0(8)} adr x20, park\n ${toSelf(3)} mov x3, x1\n ${open}\n mov x2, #1`,
        handlers,
      );
      return guest.registers(0, 3, 1, 2);
    };
    const open = [0n, 1n, 0n];
    expect(taken(`${setSctlr(NMI)} msr allint, #1`, "msr allint, #0")).toEqual(open);
    expect(taken(`${setSctlr(NMI)} msr allint, #1`, "msr allint, xzr")).toEqual(open);
    expect(taken(setSctlr(NMI | SPINTMASK), "msr spsel, #0")).toEqual(open);
    expect(taken(setSctlr(NMI | SPINTMASK), "msr spsel, xzr")).toEqual(open);
    expect(taken(setSctlr(NMI | SPINTMASK), setSctlr(NMI))).toEqual(open);
    expect(taken(`${setSctlr(0n)}`, setSctlr(NMI))).toEqual(open);
  });

  it("comes back with the handler's ALLINT, so that an NMI waits until the handler allows it", () => {
    const guest = withNmi(
      `${setSctlr(NMI)} ${inmir0(8)} ${setPriority(2, 0x80)} ${toSelf(2)} msr daifclr, #2\n nop\n nop`,
      `${vectors({ irq: "irq" })}
      irq: mrs x1, icc_iar1_el1\n cmp x1, #1022\n b.eq nmi
        ${toSelf(3)} mov x3, x4\n mov x2, #1\n msr allint, #0\n mov x5, x4\n b park
      nmi: mrs x4, icc_nmiar1_el1\n msr icc_eoir1_el1, x4\n eret`,
    );
    expect(guest.registers(0, 2, 3, 5)).toEqual([1n, 0n, 3n]);
  });
});

describe("ISR_EL1 (DDI 0487 D24)", () => {
  const status = (text: string): bigint => withNmi(`${text} ${toSelf(3)} mrs x1, isr_el1`).x(0, 1);

  it("IS says that the pending IRQ has superpriority, which it has with SCTLR_EL1.NMI only", () => {
    expect([
      status(nmiOn + inmir0(8)),
      status(setSctlr(0n) + inmir0(8)),
      status(nmiOn + setPriority(3, 0)),
      status(`${nmiOn} ${inmir0(8)} ${write(SGI + 0x80, 0xffff_fff7)}`),
    ]).toEqual([I | IS, I, I, 1n << 6n]);
  });
});

describe("acknowledging with SCTLR_EL1.NMI (IHI 0069H 2.2.1, 12.2)", () => {
  it("IAR1 gives 1022 and changes nothing; NMIAR1 acknowledges; then it is ended as any other", () => {
    const guest = withNmi(`
      ${nmiOn} ${inmir0(8)} ${toSelf(3)} mrs x1, icc_iar1_el1\n mrs x2, icc_hppir1_el1
      mrs x3, icc_nmiar1_el1\n mrs x4, icc_nmiar1_el1\n mrs x5, icc_iar1_el1\n msr icc_eoir1_el1, x3
      mrs x6, icc_rpr_el1\n ${read(SGI + 0x300, 7)}`);
    expect(guest.registers(0, 1, 2, 3, 4, 5, 6, 7)).toEqual([1022n, 3n, 3n, SPURIOUS, SPURIOUS, 0xffn, 0n]);
  });

  it("NMIAR1 gives 1023 for what is not non-maskable", () => {
    const guest = withNmi(`${nmiOn} ${toSelf(3)} mrs x1, icc_nmiar1_el1\n mrs x2, icc_iar1_el1`);
    expect(guest.registers(0, 1, 2)).toEqual([SPURIOUS, 3n]);
  });

  it("without SCTLR_EL1.NMI, IAR1 acknowledges a non-maskable interrupt itself", () => {
    const guest = withNmi(`${inmir0(8)} ${toSelf(3)} mrs x1, icc_iar1_el1\n mrs x2, icc_ap1r0_el1`);
    expect(guest.registers(0, 1, 2)).toEqual([3n, 1n << 63n]);
  });

  it("EOIR of 1022 is ignored", () => {
    const guest = withNmi(`
      ${nmiOn} ${inmir0(8)} ${toSelf(3)} mrs x1, icc_nmiar1_el1\n ${setSystem("icc_eoir1_el1", 1022)} mrs x2, icc_ap1r0_el1`);
    expect(guest.registers(0, 1, 2)).toEqual([3n, 1n << 63n]);
  });
});

describe("the priority of a non-maskable interrupt (IHI 0069H 4.8)", () => {
  it("is 0x00 whatever its field says: it comes before the most urgent other one", () => {
    const guest = withNmi(`
      ${nmiOn} ${inmir0(8)} ${setPriority(3, 0xf0)} ${setPriority(2, 0)} ${toSelf(2, 3)}
      mrs x1, icc_hppir1_el1\n mrs x2, icc_nmiar1_el1\n mrs x3, icc_rpr_el1\n mrs x4, icc_ap1r0_el1\n ${read(SGI + 0x400, 5)}`);
    const nmiBit = 1n << 63n;
    expect(guest.registers(0, 1, 2, 3, 4, 5)).toEqual([3n, 3n, nmiBit, nmiBit, 0xf000_0000n]);
  });

  it("is not looked at by PMR", () => {
    const guest = withNmi(`
      ${nmiOn} ${inmir0(8)} msr icc_pmr_el1, xzr\n ${setPriority(2, 0)} ${toSelf(2, 3)}
      mrs x1, isr_el1\n mrs x2, icc_nmiar1_el1\n msr icc_eoir1_el1, x2\n mrs x3, isr_el1\n mrs x4, icc_iar1_el1`);
    expect(guest.registers(0, 1, 2, 3, 4)).toEqual([I | IS, 3n, 0n, SPURIOUS]);
  });

  it("needs its group to be enabled all the same", () => {
    const guest = withNmi(`
      ${nmiOn} ${inmir0(8)} msr icc_igrpen1_el1, xzr\n ${toSelf(3)} mrs x1, isr_el1\n mrs x2, icc_nmiar1_el1`);
    expect(guest.registers(0, 1, 2)).toEqual([0n, SPURIOUS]);
  });

  it("of Group 0 has no such property", () => {
    const guest = withNmi(`
      ${nmiOn} ${inmir0(8)} ${write(SGI + 0x80, 0xffff_fff7)} ${setPriority(3, 0x90)} ${toSelf(3)}
      mrs x1, icc_iar0_el1\n mrs x2, icc_rpr_el1`);
    expect(guest.registers(0, 1, 2)).toEqual([3n, 0x90n]);
  });

  it("lets it preempt an ordinary interrupt of priority 0x00, and nothing preempt it, not even its like", () => {
    const guest = withNmi(`
      ${nmiOn} ${inmir0(0x18)} ${setPriority(2, 0)} ${toSelf(2)} mrs x1, icc_iar1_el1
      ${toSelf(3)} mrs x2, isr_el1\n mrs x3, icc_nmiar1_el1\n ${toSelf(4)} mrs x4, isr_el1\n mrs x5, icc_nmiar1_el1
      mrs x6, icc_ap1r0_el1\n msr icc_eoir1_el1, x3\n mrs x7, icc_ap1r0_el1\n mrs x8, isr_el1\n mrs x11, icc_nmiar1_el1`);
    expect(guest.registers(0, 1, 2, 3, 4, 5, 6, 7, 8, 11)).toEqual([
      2n,
      I | IS,
      3n,
      0n,
      SPURIOUS,
      (1n << 63n) | 1n,
      1n,
      I | IS,
      4n,
    ]);
  });

  it("is kept out while ICC_AP1R0_EL1.NMI is set, also by software", () => {
    const guest = withNmi(`
      ${nmiOn} ${inmir0(8)} ${setSystem("icc_ap1r0_el1", 1n << 63n)} mrs x1, icc_rpr_el1\n ${toSelf(3)} mrs x2, isr_el1
      msr icc_ap1r0_el1, xzr\n mrs x3, isr_el1`);
    expect(guest.registers(0, 1, 2, 3)).toEqual([1n << 63n, 0n, I | IS]);
  });
});

describe("GICR_INMIR0 and GICD_INMIR (GICv3.3)", () => {
  it("hold a bit for each INTID", () => {
    const guest = withNmi(`
      ${inmir0(0x8000_00f1)} ${read(SGI + 0xf80, 1)} ${write(GICD + 0xf84, 0x1234_5678)} ${read(GICD + 0xf84, 2)}
      ${write(GICD + 0xf80, 1)} ${read(GICD + 0xf80, 3)}`);
    expect(guest.registers(0, 1, 2, 3)).toEqual([0x8000_00f1n, 0x1234_5678n, 0n]);
  });

  it("make an SPI non-maskable: forwarded before others, past PMR, acknowledged by NMIAR1", () => {
    const guest = withNmi(`
      ${nmiOn} ${setSystem("icc_pmr_el1", 0)} ${openSpi(40, { priority: 0 })} ${openSpi(41, { priority: 0xf0, nmi: true })}
      ${pend(40, 41)} mrs x1, isr_el1\n mrs x2, icc_iar1_el1\n mrs x3, icc_nmiar1_el1`);
    expect(guest.registers(0, 1, 2, 3)).toEqual([I | IS, 1022n, 41n]);
  });

  it("changed for an SPI that is pending takes effect", () => {
    const guest = withNmi(`
      ${nmiOn} ${openSpi(40)} ${pend(40)} mrs x1, isr_el1\n ${openSpi(40, { nmi: true })} mrs x2, isr_el1`);
    expect(guest.registers(0, 1, 2)).toEqual([I, I | IS]);
  });

  it("of Group 0 makes an SPI nothing", () => {
    const guest = withNmi(`
      ${nmiOn} ${openSpi(40, { group: 0, nmi: true, priority: 0x90 })} ${pend(40)} mrs x1, icc_iar0_el1\n mrs x2, icc_rpr_el1`);
    expect(guest.registers(0, 1, 2)).toEqual([40n, 0x90n]);
  });
});

describe("waiting (DDI 0487 D1.6)", () => {
  it.each([0, 1])("WFI ends by an interrupt with superpriority, masked by ALLINT or not (%d)", (allint) => {
    const guest = withNmi(
      `${setSctlr(NMI)} ${inmir0(8)} msr allint, #1\n li x9, #0x3000001\n mov x1, #1\n msr icc_sgi1r_el1, x9
       msr allint, #${allint}\n wfi\n mov x1, #2`,
      `${vectors({ irq: "taken" })} taken: mov x3, #1\n b park`,
    );
    expect(guest.registers(0, 1, 3)).toEqual(allint === 1 ? [2n, 0n] : [1n, 1n]);
  });

  it("WFE ends by one that ALLINT doesn't mask, though PSTATE.I is set", () => {
    const guest = withNmi(
      `${setSctlr(NMI)} ${inmir0(8)} li x9, #0x3000001\n msr icc_sgi1r_el1, x9\n wfe\n wfe\n mov x1, #2`,
      `${vectors({ irq: "taken" })} taken: mov x3, #1\n b park`,
    );
    expect(guest.x(0, 3)).toBe(1n);
  });
});
