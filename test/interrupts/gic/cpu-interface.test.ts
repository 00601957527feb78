// The GICv3's CPU interface and redistributor beyond what test/instructions/arm64/interrupts.test.ts has: PPIs, groups, end of
// interrupt, active priorities, sleep, secure interrupts (Arm IHI 0069H 4.1, 4.8, 12.2, 12.10, 12.11), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, GICR_BASE, GICR_STRIDE } from "../../../src/abi.ts";
import { SPURIOUS, send, setPriority, sgi, toSelf } from "../../instructions/arm64/gic.ts";
import { Guest, openInterrupts, park, setVectors, vectors } from "../../instructions/arm64/guest.ts";
import { GICD, RD, SGI, intervene, one, openSpi, read, setSystem, settled, write } from "./guest.ts";

const GROUP_0 = write(SGI + 0x80, 0);
const [ISENABLER0, ISPENDR0, ICPENDR0, ISACTIVER0, ICFGR0, ICFGR1] = [0x100, 0x200, 0x280, 0x300, 0xc00, 0xc04];

describe("end of interrupt (IHI 0069H 4.1.1, 12.2.9; what is UNPREDICTABLE as QEMU 7.2 does it)", () => {
  it("of a group other than that of the running priority is ignored", () => {
    const guest = one(`
      ${toSelf(3)} mrs x1, icc_iar1_el1\n msr icc_eoir0_el1, x1\n mrs x2, icc_rpr_el1\n ${read(SGI + ISACTIVER0, 3)}
      msr icc_eoir1_el1, x1\n mrs x4, icc_rpr_el1`);
    expect(guest.registers(0, 1, 2, 3, 4)).toEqual([3n, 0n, 8n, 0xffn]);
  });

  it("without an active priority is ignored, and deactivates nothing", () => {
    const guest = one(
      `${write(SGI + ISACTIVER0, 8)} mov x1, #3\n msr icc_eoir1_el1, x1\n ${read(SGI + ISACTIVER0, 2)}`,
    );
    expect(guest.x(0, 2)).toBe(8n);
  });

  it("of another INTID than the last drops the running priority and deactivates what it names", () => {
    const guest = one(`
      ${setPriority(3, 0x80)} ${setPriority(5, 0x40)} ${toSelf(3)} mrs x1, icc_iar1_el1\n ${toSelf(5)} mrs x2, icc_iar1_el1
      msr icc_eoir1_el1, x1\n mrs x3, icc_rpr_el1\n ${read(SGI + ISACTIVER0, 4)}`);
    expect(guest.registers(0, 1, 2, 3, 4)).toEqual([3n, 5n, 0x80n, 0x20n]);
  });

  it.each([288, 1019, 1020, 1021, 1022, 1023, 4096, 8192])("of INTID %d is ignored", (id) => {
    const guest = one(`${toSelf(3)} mrs x1, icc_iar1_el1\n ${setSystem("icc_eoir1_el1", id)} mrs x2, icc_rpr_el1`);
    expect(guest.registers(0, 1, 2)).toEqual([3n, 0n]);
  });

  it("of nested interrupts of both groups goes from the more urgent to the less", () => {
    const guest = one(`
      ${write(SGI + 0x80, 0xffff_fff7)} ${setPriority(3, 0x40)} ${setPriority(5, 0x80)}
      ${toSelf(5)} mrs x1, icc_iar1_el1\n ${toSelf(3)} mrs x2, icc_iar0_el1
      msr icc_eoir1_el1, x1\n mrs x3, icc_rpr_el1
      msr icc_eoir0_el1, x2\n mrs x4, icc_rpr_el1\n msr icc_eoir1_el1, x1\n mrs x5, icc_rpr_el1`);
    expect(guest.registers(0, 1, 2, 3, 4, 5)).toEqual([5n, 3n, 0x40n, 0x80n, 0xffn]);
  });

  it("with EOImode may deactivate in any order", () => {
    const guest = one(`
      ${setSystem("icc_ctlr_el1", 2)} ${setPriority(3, 0x80)} ${setPriority(5, 0x40)}
      ${toSelf(3)} mrs x1, icc_iar1_el1\n ${toSelf(5)} mrs x2, icc_iar1_el1
      msr icc_eoir1_el1, x2\n msr icc_eoir1_el1, x1\n mrs x3, icc_rpr_el1\n ${read(SGI + ISACTIVER0, 4)}
      msr icc_dir_el1, x1\n ${read(SGI + ISACTIVER0, 5)} msr icc_dir_el1, x2\n ${read(SGI + ISACTIVER0, 6)}`);
    expect(guest.registers(0, 1, 2, 3, 4, 5, 6)).toEqual([3n, 5n, 0xffn, 0x28n, 0x20n, 0n]);
  });
});

describe("active priorities (IHI 0069H 4.8, 12.2)", () => {
  it("are in AP0R0 for Group 0 and in AP1R0 for Group 1, one bit for each of 32 levels", () => {
    const guest = one(`
      ${write(SGI + 0x80, 0xffff_fff7)} ${setPriority(3, 0x48)} ${setPriority(5, 0xf0)}
      ${toSelf(5)} mrs x1, icc_iar1_el1\n ${toSelf(3)} mrs x1, icc_iar0_el1
      mrs x1, icc_ap0r0_el1\n mrs x2, icc_ap1r0_el1\n mrs x3, icc_rpr_el1`);
    expect(guest.registers(0, 1, 2, 3)).toEqual([1n << 9n, 1n << 30n, 0x48n]);
  });

  it("written by software make the running priority, and withhold what is not more urgent", () => {
    const guest = one(`
      ${setPriority(3, 0x80)} ${setSystem("icc_ap1r0_el1", 0x1_0000)} mrs x1, icc_rpr_el1\n ${toSelf(3)} mrs x2, isr_el1
      msr icc_ap1r0_el1, xzr\n mrs x3, isr_el1`);
    expect(guest.registers(0, 1, 2, 3)).toEqual([0x80n, 0n, 0x80n]);
  });

  it("only of the group priority: BPR0 for Group 0, BPR1 for Group 1, BPR0 for both with CBPR", () => {
    const activeLevel = (group: 0 | 1, settings: string): bigint =>
      one(`${group === 0 ? GROUP_0 : ""} ${setPriority(3, 0xb8)} ${settings} ${toSelf(3)}
        mrs x1, icc_iar${group}_el1\n mrs x1, icc_rpr_el1`).x(0, 1);
    const settings = setSystem("icc_bpr0_el1", 4) + setSystem("icc_bpr1_el1", 6);
    expect([
      activeLevel(0, settings),
      activeLevel(1, settings),
      activeLevel(1, settings + setSystem("icc_ctlr_el1", 1)),
      activeLevel(1, setSystem("icc_bpr1_el1", 7)),
      activeLevel(1, ""),
    ]).toEqual([0xa0n, 0x80n, 0xa0n, 0x80n, 0xb8n]);
  });
});

describe("the highest priority pending interrupt (IHI 0069H 12.2.11, 12.2.12)", () => {
  it("is shown to the register of its group, whatever PMR and the running priority say", () => {
    const guest = one(`
      msr icc_pmr_el1, xzr\n ${toSelf(3)} mrs x1, icc_hppir1_el1\n mrs x2, icc_hppir0_el1
      ${write(SGI + 0x80, 0xffff_fff7)} mrs x3, icc_hppir1_el1\n mrs x4, icc_hppir0_el1`);
    expect(guest.registers(0, 1, 2, 3, 4)).toEqual([3n, SPURIOUS, SPURIOUS, 3n]);
  });

  it("is none of a group that the CPU interface has disabled", () => {
    const guest = one(`${toSelf(3)} msr icc_igrpen1_el1, xzr\n mrs x1, icc_hppir1_el1\n mrs x2, icc_iar1_el1`);
    expect(guest.registers(0, 1, 2)).toEqual([SPURIOUS, SPURIOUS]);
  });
});

describe("SGIs by group with one security state (IHI 0069H 4.4.2)", () => {
  const pendingAfter = (register: string, groups: string): bigint =>
    one(`${groups} li x9, #0x3000001\n msr ${register}, x9\n ${settled()} ${read(SGI + ISPENDR0, 1)}`).x(0, 1);

  it("ICC_SGI1R_EL1 generates one in whichever group it is", () => {
    expect([pendingAfter("icc_sgi1r_el1", ""), pendingAfter("icc_sgi1r_el1", GROUP_0)]).toEqual([8n, 8n]);
  });

  it.each(["icc_sgi0r_el1", "icc_asgi1r_el1"])("%s generates those of Group 0 only", (register) => {
    expect([pendingAfter(register, ""), pendingAfter(register, GROUP_0)]).toEqual([0n, 8n]);
  });

  it("one to a PE that isn't on is pending when it comes up (12.11: the redistributor keeps it)", () => {
    const guest = new Guest(
      `zero: ${send(sgi(4, 2))} ${settled()}
         li x0, #0xc4000003\n mov x1, #1\n adr x2, one\n hvc #0\n b park
       one: ${setVectors} ${openInterrupts(1)} ${settled()} mrs x1, icc_iar1_el1\n b park\n ${park} ${vectors({})}`,
      { cpus: 2 },
    );
    guest.start("zero").run();
    expect(guest.x(1, 1)).toBe(4n);
  });

  it("ICPENDR0 takes one back", () => {
    const guest = one(`${toSelf(3)} ${write(SGI + ICPENDR0, 8)} mrs x1, isr_el1\n mrs x2, icc_iar1_el1`);
    expect(guest.registers(0, 1, 2)).toEqual([0n, SPURIOUS]);
  });
});

describe("a PPI (IHI 0069H 4.3, 12.11)", () => {
  const enable = write(SGI + ISENABLER0, 0x4000_0000);
  const waits = `${enable} wfi\n mrs x1, icc_iar1_el1\n ${read(SGI + ISPENDR0, 2)} msr icc_eoir1_el1, x1\n mrs x3, icc_iar1_el1\n`;
  const drive = (guest: Guest, ...levels: boolean[]): void =>
    intervene(guest, (core) => {
      for (const level of levels) core.setPpiLine(0, 30, level);
    });

  it("is level-sensitive after reset: pending while its line is up, and again after its end", () => {
    const guest = one(waits);
    drive(guest, true);
    guest.run();
    expect(guest.registers(0, 1, 2, 3)).toEqual([30n, 0x4000_0000n, 30n]);
  });

  it("is gone when its line has fallen before it was looked at", () => {
    const guest = one(waits);
    drive(guest, true, false);
    guest.run();
    expect(guest.machine.state(0)).toBe(CpuState.WAITING);
  });

  it("is pending once for a rising edge if ICFGR1 says so", () => {
    const guest = one(write(SGI + ICFGR1, 0x2000_0000) + waits);
    drive(guest, true, false, true);
    guest.run();
    expect(guest.registers(0, 1, 2, 3)).toEqual([30n, 0n, SPURIOUS]);
  });

  it("that is level-sensitive stays pending whatever ICPENDR0 is told", () => {
    const guest = one(
      `${enable} mov x19, #1\n wfi\n ${write(SGI + ICPENDR0, 0x4000_0000)} ${read(SGI + ISPENDR0, 1)} mrs x2, icc_iar1_el1`,
    );
    drive(guest, true);
    guest.run();
    expect(guest.registers(0, 1, 2)).toEqual([0x4000_0000n, 30n]);
  });

  it("ICFGR0 is fixed: SGIs are edge-triggered; ICFGR1 holds the upper bit of each field", () => {
    const guest = one(`
      ${write(SGI + ICFGR0, 0)} ${read(SGI + ICFGR0, 1)} ${write(SGI + ICFGR1, 0xffff_fff4)} ${read(SGI + ICFGR1, 2)}`);
    expect(guest.registers(0, 1, 2)).toEqual([0xaaaa_aaaan, 0xaaaa_aaa0n]);
  });
});

describe("what the redistributor doesn't have reads as zero and ignores writes (IHI 0069H 12.10, 12.11)", () => {
  it.each([
    ["CTLR without LPIs", RD],
    ["STATUSR", RD + 0x10],
    ["SETLPIR without LPIs", RD + 0x40],
    ["PROPBASER without LPIs", RD + 0x70],
    ["PENDBASER without LPIs", RD + 0x78],
    ["a reserved word", RD + 0x20],
    ["IGRPMODR0 with one security state", SGI + 0xd00],
    ["NSACR with one security state", SGI + 0xe00],
    ["INMIR0 without FEAT_NMI", SGI + 0xf80],
    ["IGROUPR1", SGI + 0x84],
    ["IPRIORITYR8", SGI + 0x420],
  ])("%s", (_, address) => {
    expect(one(`mov x1, #1\n ${write(address, 0xffff_ffff)} ${read(address, 1)}`).x(0, 1)).toBe(0n);
  });

  it.each([
    ["a byte of ISENABLER0", ISENABLER0, 1, 0xffffn],
    ["a halfword of ISENABLER0", ISENABLER0, 2, 0xffffn],
    ["a doubleword of ISENABLER0", ISENABLER0, 8, 0xffffn],
    ["a halfword of IPRIORITYR0", 0x400, 2, 0n],
    ["a doubleword of IPRIORITYR0", 0x400, 8, 0n],
  ] as const)("%s: the wrong size", (_, offset, size, whole) => {
    const text = `${write(SGI + offset, 0xff, size)} mov x1, #1\n ${read(SGI + offset, 1, size)} ${read(SGI + offset, 2)}`;
    expect(one(text).registers(0, 1, 2)).toEqual([0n, whole]);
  });

  it("IIDR, PIDR and CIDR are those of QEMU's board", () => {
    const guest = one(
      [0x4, 0xffd0, 0xffe0, 0xffe4, 0xffe8, 0xfff0].map((offset, index) => read(RD + offset, 11 + index)).join(""),
    );
    expect(guest.registers(0, 11, 12, 13, 14, 15, 16)).toEqual([0x43bn, 0x44n, 0x93n, 0xb4n, 0x3bn, 0xdn]);
  });
});

describe("a redistributor that is asleep (IHI 0069H 12.11, GICR_WAKER)", () => {
  it("forwards nothing, keeps what comes, and ends no WFI", () => {
    const guest = one(`
      ${write(RD + 0x14, 2)} ${toSelf(3)} mrs x1, isr_el1\n mrs x2, icc_iar1_el1\n ${read(SGI + ISPENDR0, 3)}
      ${write(RD + 0x14, 0)} mrs x4, isr_el1\n ${write(RD + 0x14, 2)} mov x5, #1\n wfi\n mov x5, #2`);
    expect(guest.registers(0, 1, 2, 3, 4, 5)).toEqual([0n, SPURIOUS, 8n, 0x80n, 1n]);
  });

  it("of another PE is woken by whoever writes it", () => {
    const other = GICR_BASE + GICR_STRIDE;
    const guest = new Guest(
      `zero: ${settled()} ${settled()} ${write(other + 0x14, 2)} ${send(sgi(4, 2))} ${settled()} ${write(other + 0x14, 0)} b park
       one: ${setVectors} ${openInterrupts(1)} wfi\n mrs x1, icc_iar1_el1\n b park\n ${park} ${vectors({})}`,
      { cpus: 2 },
    );
    guest.start("zero", "one").run();
    expect(guest.x(1, 1)).toBe(4n);
  });
});

describe("while EL3 handles a secure interrupt (IHI 0069H 4.8; DEN 0054C, SDEI)", () => {
  const text = `
    ${setPriority(3, 0)} ${openSpi(40, { priority: 0 })} mov x19, #1\n wfi
    mrs x1, icc_iar1_el1\n mrs x2, icc_rpr_el1\n mov x19, #2`;

  it("an interrupt that comes meanwhile ends no WFI before the secure one has ended", () => {
    const guest = one(text);
    intervene(guest, (core) => {
      core.setSecureActive(0, 0x10);
    });
    guest.machine.core.changeLine(40, 2, 500_000n);
    guest.run();
    const during = [guest.machine.state(0), guest.x(0, 19)];
    intervene(guest, (core) => {
      core.clearSecureActive(0);
    });
    guest.run();
    expect([...during, ...guest.registers(0, 1, 2, 19)]).toEqual([CpuState.WAITING, 1n, 40n, 0n, 2n]);
  });

  it("RPR, ISR and IAR say so to the interrupted code", () => {
    const guest = one(`
      ${openSpi(40, { priority: 0 })} ${setSystem("icc_pmr_el1", 0xf8)} mov x19, #1
      spin: ${read(GICD, 20)} mrs x1, icc_rpr_el1\n mrs x2, isr_el1\n mrs x3, icc_iar1_el1\n mrs x4, icc_hppir1_el1\n b spin`);
    intervene(guest, (core) => {
      core.setSecureActive(0, 0x10);
    });
    guest.machine.core.changeLine(40, 2, 450_000n);
    guest.run();
    expect(guest.registers(0, 1, 2, 3, 4)).toEqual([0n, 0n, SPURIOUS, 40n]);
  });
});
