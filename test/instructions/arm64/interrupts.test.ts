// The GICv3 as a PE sees it: SGIs, the CPU interface, the redistributor's registers (Arm IHI 0069H), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, GICD_BASE, GICR_BASE, GICR_STRIDE, StopReason } from "../../../src/abi.ts";
import { buildTopology } from "../../../src/topology/index.ts";
import { SGI_FRAME, SPURIOUS, alone, send, setPriority, sgi, toSelf, wait } from "./gic.ts";
import { Guest, openInterrupts, park, setVectors, vectors } from "./guest.ts";

describe("an SGI, by ICC_SGI1R_EL1 (IHI 0069H 2.3.1, 4.4, 12.2)", () => {
  const count = 40;
  /** The CPUs that get the SGI which CPU 0 sends, on a machine of 40 with their numbers as affinity, 16 per cluster. */
  function targets(value: bigint, mpidrs?: readonly number[]): number[] {
    const topology = buildTopology({
      packages: 1,
      coresPerLlc: count,
      architecture: "arm64",
      mpidrs: mpidrs ?? "linear",
    });
    const guest = new Guest(
      `
      start: ${setVectors}
        mov x11, x0
        lsl x12, x0, #17
        li x13, #${GICR_BASE}
        add x12, x12, x13                       // this CPU's redistributor
        str wzr, [x12, #0x14]
        add x12, x12, #0x10, lsl #12
        mov w10, #-1
        str w10, [x12, #0x80]
        str w10, [x12, #0x100]
        li x9, #${GICD_BASE}
        mov w10, #2
        str w10, [x9]
        mov x10, #0xf8
        msr icc_pmr_el1, x10
        mov x10, #1
        msr icc_igrpen1_el1, x10
        ${wait(5000)}
        cbnz x11, receive
        ${send(value)}
      receive:
        ${wait(5000)}
        mrs x19, icc_iar1_el1
      ${park}
      ${vectors({})}`,
      { topology },
    );
    guest.start(...Array.from({ length: count }, () => "start")).run();
    return Array.from({ length: count }, (_, cpu) => cpu).filter((cpu) => guest.x(cpu, 19) !== SPURIOUS);
  }

  it("goes to the CPUs in TargetList, the sender included", () => {
    expect(targets(sgi(5, 0b1000_0000_0000_1011))).toEqual([0, 1, 3, 15]);
  });

  it("goes to the cluster that Aff1 names", () => {
    expect(targets(sgi(5, 0b101, { aff1: 1 }))).toEqual([16, 18]);
    expect(targets(sgi(5, 0xffff, { aff1: 2 }))).toEqual([32, 33, 34, 35, 36, 37, 38, 39]);
  });

  it("goes to the cluster that Aff2 and Aff3 name", () => {
    const mpidrs = Array.from({ length: count }, (_, cpu) =>
      cpu < 30 ? cpu : cpu < 35 ? 0x1_0000 + cpu - 30 : 0x2_0000_0000 + cpu - 35,
    );
    expect(targets(sgi(5, 0b10001, { aff2: 1 }), mpidrs)).toEqual([30, 34]);
    expect(targets(sgi(5, 0b00111, { aff3: 2 }), mpidrs)).toEqual([35, 36, 37]);
  });

  it("goes beyond Aff0 = 15 by RS, the range selector", () => {
    const mpidrs = Array.from({ length: count }, (_, cpu) => cpu);
    expect(targets(sgi(5, 0b110, { rs: 1 }), mpidrs)).toEqual([17, 18]);
    expect(targets(sgi(5, 0b110, { rs: 2 }), mpidrs)).toEqual([33, 34]);
  });

  it("goes to nobody that isn't there", () => {
    expect(targets(sgi(5, 0xffff, { aff1: 9 }))).toEqual([]);
  });

  it("with IRM goes to all but the sender, whatever the affinity fields, RS and TargetList say", () => {
    expect(targets(sgi(5, 0, { irm: 1, aff1: 9, rs: 3 }))).toEqual(
      Array.from({ length: count - 1 }, (_, cpu) => cpu + 1),
    );
  });

  it("is numbered by INTID, 0 to 15, each with a pending bit of its own", () => {
    const all = Array.from({ length: 16 }, (_, id) => id);
    const guest = alone(`
      ${toSelf(...all)}
      li x9, #${GICR_BASE + SGI_FRAME}
      ldr w19, [x9, #0x200]
      mov x20, #0
      mov x21, #0
    next:
      mrs x22, icc_iar1_el1
      cmp x22, #1023
      b.eq park
      lsl x20, x20, #4
      add x20, x20, x22
      msr icc_eoir1_el1, x22
      b next`);
    expect(guest.registers(0, 19, 20)).toEqual([0xffffn, 0x0123_4567_89ab_cdefn]);
  });

  it("is one pending bit: two sends before the acknowledgement are one interrupt", () => {
    const guest = alone(`${toSelf(4, 4)} mrs x19, icc_iar1_el1\n msr icc_eoir1_el1, x19\n mrs x20, icc_iar1_el1`);
    expect(guest.registers(0, 19, 20)).toEqual([4n, SPURIOUS]);
  });

  it("sent again while active is pending behind it", () => {
    const guest = alone(`
      ${toSelf(4)} mrs x19, icc_iar1_el1
      ${send(sgi(4, 1))} ${wait(1000)}
      mrs x20, icc_iar1_el1
      mrs x21, icc_hppir1_el1
      msr icc_eoir1_el1, x19
      mrs x22, icc_iar1_el1`);
    expect(guest.registers(0, 19, 20, 21, 22)).toEqual([4n, SPURIOUS, SPURIOUS, 4n]);
  });

  it("to a CPU that is not on is lost", () => {
    const guest = new Guest(`start: ${send(sgi(4, 2))} ${park}`, { cpus: 2 });
    guest.start("start").run();
    expect(guest.machine.state(1)).toBe(CpuState.OFFLINE);
    expect(guest.stop.reason).toBe(StopReason.NONE);
  });
});

describe("the CPU interface (IHI 0069H 4.1.1, 4.8, 12.2)", () => {
  it("acknowledges by IAR1 the most urgent interrupt first, of equals the lower number", () => {
    const guest = alone(`
      ${setPriority(3, 0x80)} ${setPriority(5, 0x40)} ${setPriority(7, 0x80)}
      ${toSelf(7, 3, 5)}
      mrs x1, icc_hppir1_el1
      mrs x2, icc_iar1_el1
      mrs x3, icc_rpr_el1
      msr icc_eoir1_el1, x2
      mrs x4, icc_iar1_el1
      msr icc_eoir1_el1, x4
      mrs x5, icc_iar1_el1
      msr icc_eoir1_el1, x5
      mrs x6, icc_rpr_el1
      mrs x7, icc_iar1_el1`);
    expect(guest.registers(0, 1, 2, 3, 4, 5, 6, 7)).toEqual([5n, 5n, 0x40n, 3n, 7n, 0xffn, SPURIOUS]);
  });

  it("withholds what is not more urgent than PMR, which IAR1 then calls spurious and HPPIR1 still shows", () => {
    const guest = alone(`
      ${setPriority(3, 0x80)} ${toSelf(3)}
      mov x9, #0x80
      msr icc_pmr_el1, x9
      mrs x1, icc_iar1_el1
      mrs x2, isr_el1
      mrs x3, icc_hppir1_el1
      mov x9, #0x88
      msr icc_pmr_el1, x9
      mrs x4, isr_el1
      mrs x5, icc_iar1_el1`);
    expect(guest.registers(0, 1, 2, 3, 4, 5)).toEqual([SPURIOUS, 0n, 3n, 0x80n, 3n]);
  });

  it("implements five bits of priority", () => {
    const guest = alone(`mov x9, #0xff\n msr icc_pmr_el1, x9\n mrs x1, icc_pmr_el1\n mrs x2, icc_ctlr_el1`);
    expect([guest.x(0, 1), (guest.x(0, 2) >> 8n) & 7n]).toEqual([0xf8n, 4n]);
  });

  it("lets only what is more urgent than RPR preempt an active interrupt, and drops back at EOIR1", () => {
    const guest = alone(`
      ${setPriority(3, 0x80)} ${setPriority(4, 0x80)} ${setPriority(5, 0x40)}
      ${toSelf(3)}
      mrs x1, icc_iar1_el1
      ${toSelf(4)}
      mrs x2, icc_iar1_el1
      ${toSelf(5)}
      mrs x3, icc_iar1_el1
      mrs x4, icc_rpr_el1
      mrs x5, icc_ap1r0_el1
      msr icc_eoir1_el1, x3
      mrs x6, icc_rpr_el1
      mrs x7, icc_iar1_el1
      msr icc_eoir1_el1, x1
      mrs x8, icc_iar1_el1`);
    const active = (1n << 16n) | (1n << 8n);
    expect(guest.registers(0, 1, 2, 3, 4, 5, 6, 7, 8)).toEqual([3n, SPURIOUS, 5n, 0x40n, active, 0x80n, SPURIOUS, 4n]);
  });

  it("compares group priorities only: BPR1 decides who preempts", () => {
    const guest = alone(`
      ${setPriority(3, 0x90)} ${setPriority(4, 0x80)}
      mov x9, #6
      msr icc_bpr1_el1, x9                      // group priority is bits 7:6
      ${toSelf(3)}
      mrs x1, icc_iar1_el1
      mrs x2, icc_rpr_el1
      ${toSelf(4)}
      mrs x3, icc_iar1_el1`);
    expect(guest.registers(0, 1, 2, 3)).toEqual([3n, 0x80n, SPURIOUS]);
  });

  it("keeps binary points at what five bits of priority need, and shares one with CBPR", () => {
    const guest = alone(`
      msr icc_bpr0_el1, xzr
      msr icc_bpr1_el1, xzr
      mrs x1, icc_bpr0_el1
      mrs x2, icc_bpr1_el1
      mov x9, #5
      msr icc_bpr0_el1, x9
      mov x9, #1
      msr icc_ctlr_el1, x9                      // CBPR
      mrs x3, icc_bpr1_el1
      mov x9, #7
      msr icc_bpr1_el1, x9                      // ignored
      msr icc_bpr0_el1, x9
      mrs x4, icc_bpr1_el1
      msr icc_ctlr_el1, xzr
      mrs x5, icc_bpr1_el1`);
    expect(guest.registers(0, 1, 2, 3, 4, 5)).toEqual([2n, 3n, 6n, 7n, 3n]);
  });

  it("with EOImode drops the priority at EOIR and deactivates at DIR", () => {
    const guest = alone(`
      mov x9, #2
      msr icc_ctlr_el1, x9
      ${toSelf(3)}
      mrs x1, icc_iar1_el1
      msr icc_eoir1_el1, x1
      mrs x2, icc_rpr_el1
      ${toSelf(3)}
      mrs x3, icc_iar1_el1                      // pending, but still active
      msr icc_dir_el1, x1
      mrs x4, icc_iar1_el1`);
    expect(guest.registers(0, 1, 2, 3, 4)).toEqual([3n, 0xffn, SPURIOUS, 3n]);
  });

  it("ignores DIR without EOImode, and EOIR of special numbers", () => {
    const guest = alone(`
      ${toSelf(3)}
      mrs x1, icc_iar1_el1
      msr icc_dir_el1, x1
      mov x9, #1023
      msr icc_eoir1_el1, x9
      mrs x2, icc_rpr_el1
      msr icc_eoir1_el1, x1
      mrs x3, icc_rpr_el1`);
    expect(guest.registers(0, 1, 2, 3)).toEqual([3n, 0n, 0xffn]);
  });

  it("reports group 0 as FIQ and gives it to IAR0 only", () => {
    const guest = alone(
      `
      li x9, #${GICR_BASE + SGI_FRAME}
      mov w10, #0xfff7                          // SGI 3 in group 0
      str w10, [x9, #0x80]
      ${toSelf(3)}
      mrs x1, isr_el1
      mrs x2, icc_iar1_el1
      mrs x3, icc_hppir0_el1
      msr daifclr, #3
      nop`,
      `${vectors({ fiq: "fast", irq: "slow" })}
      fast:
        mrs x4, icc_iar0_el1
        msr icc_eoir0_el1, x4
        mov x5, #1
        eret
      slow:
        mov x5, #2
        eret`,
    );
    expect(guest.registers(0, 1, 2, 3, 4, 5)).toEqual([0x40n, SPURIOUS, 3n, 3n, 1n]);
  });
});

describe("an interrupt that is masked stays pending and is taken when it may (IHI 0069H 4.7, 4.8; DDI 0487 D1.3)", () => {
  const counting = `${vectors({ irq: "interrupted" })}
    interrupted:
      mrs x18, icc_iar1_el1
      add x19, x19, #1
      mrs x20, elr_el1
      mrs x21, spsr_el1
      msr icc_eoir1_el1, x18
      eret`;

  it("at the next instruction after DAIFClr", () => {
    const guest = alone(`${toSelf(2)} mov x1, #1\n msr daifclr, #2\n there: mov x1, x19\n mov x2, x19`, counting);
    expect(guest.registers(0, 1, 2, 19)).toEqual([1n, 1n, 1n]);
    expect(guest.x(0, 20)).toBe(guest.label("there"));
    expect(guest.x(0, 21) & 0x3dfn).toBe(0x345n);
  });

  it("after MSR DAIF and after ERET", () => {
    const guest = alone(
      `${toSelf(2)} msr daif, xzr\n mov x1, x19\n msr daifset, #2\n ${toSelf(6)}
       adr x9, there\n msr elr_el1, x9\n mov x9, #5\n msr spsr_el1, x9\n eret\n there: mov x2, x19`,
      counting,
    );
    expect(guest.registers(0, 1, 2)).toEqual([1n, 2n]);
  });

  it("after the priority mask, the group enable or the interrupt itself is opened", () => {
    const closings: readonly (readonly [string, string])[] = [
      ["msr icc_pmr_el1, xzr", "mov x9, #0xf8\n msr icc_pmr_el1, x9"],
      ["msr icc_igrpen1_el1, xzr", "mov x9, #1\n msr icc_igrpen1_el1, x9"],
      [
        `li x11, #${GICR_BASE + SGI_FRAME}\n mov w9, #4\n str w9, [x11, #0x180]`,
        `li x11, #${GICR_BASE + SGI_FRAME}\n mov w9, #4\n str w9, [x11, #0x100]`,
      ],
      [`li x11, #${GICR_BASE}\n mov w9, #2\n str w9, [x11, #0x14]`, `li x11, #${GICR_BASE}\n str wzr, [x11, #0x14]`],
      [
        `li x11, #${GICD_BASE}\n str wzr, [x11]\n ${wait(3000)}`,
        `li x11, #${GICD_BASE}\n mov w9, #2\n str w9, [x11]\n ${wait(3000)}`,
      ],
    ];
    for (const [close, open] of closings) {
      const guest = alone(
        `msr daifclr, #2\n ${close}\n ${toSelf(2)} mov x1, x19\n ${open}\n nop\n mov x2, x19`,
        counting,
      );
      expect({ close, counts: guest.registers(0, 1, 2) }).toEqual({ close, counts: [0n, 1n] });
    }
  });

  it("is taken once, then the next", () => {
    const guest = alone(`${toSelf(2, 9, 11)} msr daifclr, #2\n ${wait(100)} mov x1, x19`, counting);
    expect(guest.x(0, 1)).toBe(3n);
  });
});

describe("the redistributor (IHI 0069H 12.10, 12.11)", () => {
  const own = GICR_BASE;
  const read = (offset: number, register: number): string => `li x9, #${own + offset}\n ldr w${register}, [x9]\n`;
  const write = (offset: number, value: number): string =>
    `li x9, #${own + offset}\n li x10, #${value}\n str w10, [x9]\n`;

  it("identifies itself and its PE", () => {
    const mpidrs = [0x1_0002_0304, 0x1_0002_0305];
    const topology = buildTopology({ packages: 1, coresPerLlc: 2, architecture: "arm64", mpidrs });
    const guest = new Guest(
      `start: li x9, #${GICR_BASE + GICR_STRIDE}\n ldr x1, [x9, #8]\n ldr w2, [x9, #12]\n li x9, #${GICR_BASE + 0xffe8}\n ldr w3, [x9]\n ${park}`,
      { topology },
    );
    guest.start("start").run();
    expect(guest.x(0, 1)).toBe((0x01_02_03_05n << 32n) | (1n << 8n) | (1n << 4n));
    expect(guest.x(0, 2)).toBe(0x01_02_03_05n);
    expect((guest.x(0, 3) >> 4n) & 15n).toBe(3n);
  });

  it("falls asleep and wakes by GICR_WAKER, and tells its children so", () => {
    const guest = new Guest(
      `start: ${read(0x14, 1)} ${write(0x14, 0)} ${read(0x14, 2)} ${write(0x14, 2)} ${read(0x14, 3)} ${park}`,
    );
    guest.start("start").run();
    // Firmware has woken it before the PE starts.
    expect(guest.registers(0, 1, 2, 3)).toEqual([0n, 0n, 6n]);
  });

  it("sets and clears enables and pending bits by writing ones", () => {
    const guest = alone(`
      ${write(SGI_FRAME + 0x180, 0xffffffff)} ${write(SGI_FRAME + 0x100, 0x0f0)} ${write(SGI_FRAME + 0x100, 0x003)}
      ${write(SGI_FRAME + 0x180, 0x030)} ${read(SGI_FRAME + 0x100, 1)} ${read(SGI_FRAME + 0x180, 2)}
      ${write(SGI_FRAME + 0x200, 0x0fc)} ${write(SGI_FRAME + 0x280, 0x00c)} ${read(SGI_FRAME + 0x200, 3)}
      mrs x4, icc_iar1_el1
      ${read(SGI_FRAME + 0x300, 5)} ${read(SGI_FRAME + 0x280, 6)}`);
    expect(guest.registers(0, 1, 2, 3, 4, 5, 6)).toEqual([0xc3n, 0xc3n, 0xf0n, 6n, 0x40n, 0xb0n]);
  });

  it("takes priorities by byte and word, five bits each", () => {
    const guest = alone(`
      li x9, #${own + SGI_FRAME + 0x400}
      li x10, #0xff804021
      str w10, [x9, #8]
      mov w10, #0x77
      strb w10, [x9, #9]
      ldr w1, [x9, #8]
      ldrb w2, [x9, #11]`);
    expect(guest.registers(0, 1, 2)).toEqual([0xf8807020n, 0xf8n]);
  });

  it("of another PE makes an interrupt pending there", () => {
    const guest = new Guest(
      `
      zero:
        ${wait(20000)}
        li x9, #${GICR_BASE + GICR_STRIDE + SGI_FRAME}
        mov w10, #0x20
        str w10, [x9, #0x200]
        b park
      one: ${setVectors} ${openInterrupts(1)}
        wfi
        mrs x1, icc_iar1_el1
      ${park}
      ${vectors({})}`,
      { cpus: 2 },
    );
    guest.start("zero", "one").run();
    expect(guest.x(1, 1)).toBe(5n);
  });
});

describe("the distributor (IHI 0069H 12.9)", () => {
  it("has affinity routing, one security state, and its enables", () => {
    const guest = new Guest(
      `start: li x9, #${GICD_BASE}\n mov w10, #3\n str w10, [x9]\n ldr w1, [x9]\n ldr w2, [x9, #4]\n ${park}`,
    );
    guest.start("start").run();
    expect(guest.x(0, 1)).toBe(0x53n);
    // 288 INTIDs, MBIS, IDbits 16, affinity level 3, range selectors; 1 of N is supported
    expect(guest.x(0, 2)).toBe(8n | (1n << 16n) | (15n << 19n) | (5n << 24n));
  });
});
