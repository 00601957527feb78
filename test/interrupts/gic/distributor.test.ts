// The GICv3 distributor and its SPIs (Arm IHI 0069H 4.1 to 4.8, 12.9), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, GICR_BASE, GICR_STRIDE, StopReason } from "../../../src/abi.ts";
import { SPURIOUS, wait } from "../../instructions/arm64/gic.ts";
import { Guest, openInterrupts, park, setVectors, vectors } from "../../instructions/arm64/guest.ts";
import { LineChange } from "../../../src/abi.ts";
import {
  GICD,
  GICD_ICACTIVER,
  GICD_ICENABLER,
  GICD_ICFGR,
  GICD_ICPENDR,
  GICD_IGROUPR,
  GICD_INMIR,
  GICD_IPRIORITYR,
  GICD_IROUTER,
  GICD_ISACTIVER,
  GICD_ISENABLER,
  GICD_ISPENDR,
  bitOf,
  one,
  openSpi,
  pend,
  read,
  setSystem,
  settled,
  write,
  writeBit,
} from "./guest.ts";

const acknowledge = (register: number): string => `mrs x${register}, icc_iar1_el1\n`;
const end = (register: number): string => `msr icc_eoir1_el1, x${register}\n`;
const spiWord = (first: number, intid: number, register: number): string =>
  read(GICD + bitOf(first, intid)[0], register);

describe("the distributor identifies itself (IHI 0069H 12.9)", () => {
  it("TYPER: 288 INTIDs, message-based SPIs, one security state, no LPIs, affinity level 3, 1 of N, no NMI", () => {
    expect(one(read(GICD + 4, 1)).x(0, 1)).toBe(0x0579_0008n);
  });

  it("CTLR has DS and ARE, and takes the two group enables only", () => {
    expect(
      one(write(GICD, 0xffff_fffc) + read(GICD, 1) + write(GICD, 2) + settled() + read(GICD, 2)).registers(0, 1, 2),
    ).toEqual([0x8000_0050n, 0x52n]);
  });

  it("IIDR, PIDR and CIDR are those of QEMU's board", () => {
    const offsets = [0x8, 0xffd0, 0xffe0, 0xffe4, 0xffe8, 0xffec, 0xfff0, 0xfff4, 0xfff8, 0xfffc];
    const guest = one(offsets.map((offset, index) => read(GICD + offset, 11 + index)).join(""));
    const found = offsets.map((_, index) => guest.x(0, 11 + index));
    expect(found).toEqual([0x43bn, 0x44n, 0x92n, 0xb4n, 0x3bn, 0n, 0xdn, 0xf0n, 5n, 0xb1n]);
  });
});

describe("what the distributor doesn't have reads as zero and ignores writes (IHI 0069H 12.1.3, 12.9)", () => {
  const offsets: readonly (readonly [string, number])[] = [
    ["TYPER2", 0xc],
    ["STATUSR", 0x10],
    ["a reserved word", 0x20],
    ["SETSPI_SR with one security state", 0x50],
    ["IGROUPR0 with affinity routing", 0x80],
    ["ISENABLER0 with affinity routing", 0x100],
    ["ISPENDR0 with affinity routing", 0x200],
    ["ISACTIVER0 with affinity routing", 0x300],
    ["IPRIORITYR0 with affinity routing", 0x400],
    ["ITARGETSR8 with affinity routing", 0x820],
    ["ICFGR0 with affinity routing", 0xc00],
    ["IGRPMODR1 with one security state", 0xd04],
    ["NSACR2 with one security state", 0xe08],
    ["SGIR with affinity routing", 0xf00],
    ["CPENDSGIR0 with affinity routing", 0xf10],
    ["SPENDSGIR0 with affinity routing", 0xf20],
    ["INMIR1 without FEAT_NMI", 0xf84],
    ["IGROUPR9, of INTIDs that aren't there", 0xa4],
    ["IPRIORITYR of INTID 288", 0x520],
    ["IROUTER31", 0x60f8],
    ["IROUTER288", 0x6900],
    ["a word far out", 0xc000],
  ];
  it.each(offsets)("%s", (_, offset) => {
    const guest = one(`mov x1, #1\n ${write(GICD + offset, 0xffff_ffff)} ${read(GICD + offset, 1)}`);
    expect([guest.x(0, 1), guest.stop.reason]).toEqual([0n, StopReason.NONE]);
  });

  it.each([
    ["a byte of ISENABLER1", GICD_ISENABLER + 4, 1],
    ["a halfword of ISENABLER1", GICD_ISENABLER + 4, 2],
    ["a doubleword of ISENABLER1", GICD_ISENABLER + 8, 8],
    ["a halfword of IPRIORITYR8", GICD_IPRIORITYR + 32, 2],
    ["a doubleword of IPRIORITYR8", GICD_IPRIORITYR + 32, 8],
    ["a byte of IROUTER32", GICD_IROUTER + 256, 1],
    ["a byte of CTLR", 0, 1],
  ] as const)("%s: the wrong size", (_, offset, size) => {
    const guest = one(
      `${write(GICD + offset, 0xff, size)} mov x1, #1\n ${read(GICD + offset, 1, size)} ${read(GICD + (offset & ~7), 2)}`,
    );
    const whole = offset === 0 ? 0x53n : 0n;
    expect(guest.registers(0, 1, 2)).toEqual([0n, whole]);
  });
});

describe("the distributor's registers hold what is written (IHI 0069H 12.9)", () => {
  it("IGROUPR and ISENABLER as words; ICENABLER clears by ones", () => {
    const guest = one(`
      ${write(GICD + GICD_IGROUPR + 4, 0x1234_5678)} ${read(GICD + GICD_IGROUPR + 4, 1)}
      ${write(GICD + GICD_ISENABLER + 8, 0xf0)} ${write(GICD + GICD_ISENABLER + 8, 0x0f)}
      ${write(GICD + GICD_ICENABLER + 8, 0x18)} ${read(GICD + GICD_ISENABLER + 8, 2)} ${read(GICD + GICD_ICENABLER + 8, 3)}`);
    expect(guest.registers(0, 1, 2, 3)).toEqual([0x1234_5678n, 0xe7n, 0xe7n]);
  });

  it("IPRIORITYR by byte and word, five bits of each", () => {
    const guest = one(`
      ${write(GICD + GICD_IPRIORITYR + 40, 0xff80_4021)} ${write(GICD + GICD_IPRIORITYR + 41, 0x77, 1)}
      ${read(GICD + GICD_IPRIORITYR + 40, 1)} ${read(GICD + GICD_IPRIORITYR + 43, 2, 1)}`);
    expect(guest.registers(0, 1, 2)).toEqual([0xf880_7020n, 0xf8n]);
  });

  it("ICFGR: the upper bit of each field only", () => {
    const guest = one(`${write(GICD + GICD_ICFGR + 8, 0xffff_fffd)} ${read(GICD + GICD_ICFGR + 8, 1)}`);
    expect(guest.x(0, 1)).toBe(0xaaaa_aaa8n);
  });

  it("IROUTER as a doubleword and by halves: Aff3, IRM, Aff2 to Aff0", () => {
    const at = GICD + GICD_IROUTER + 8 * 50;
    const guest = one(`
      ${write(at, 0xffff_ffff_ffff_ffffn, 8)} ${read(at, 1, 8)}
      ${write(at, 0x0102)} ${read(at + 4, 2)} ${write(at + 4, 3)} ${read(at, 3, 8)}`);
    expect(guest.registers(0, 1, 2, 3)).toEqual([0xff_80ff_ffffn, 0xffn, 0x3_0000_0102n]);
  });
});

describe("an SPI (IHI 0069H 4.1)", () => {
  it("made pending is acknowledged, active, and inactive again at its end", () => {
    const guest = one(`
      ${openSpi(40)} ${pend(40)} ${spiWord(GICD_ISPENDR, 40, 1)}
      ${acknowledge(2)} ${settled()} ${spiWord(GICD_ISPENDR, 40, 3)} ${spiWord(GICD_ISACTIVER, 40, 4)}
      ${end(2)} ${settled()} ${spiWord(GICD_ISACTIVER, 40, 5)} ${acknowledge(6)}`);
    expect(guest.registers(0, 1, 2, 3, 4, 5, 6)).toEqual([0x100n, 40n, 0n, 0x100n, 0n, SPURIOUS]);
  });

  it("the first and the last there are", () => {
    const guest = one(
      `${openSpi(32)} ${openSpi(287)} ${pend(32, 287)} ${acknowledge(1)} ${end(1)} ${settled()} ${acknowledge(2)}`,
    );
    expect(guest.registers(0, 1, 2)).toEqual([32n, 287n]);
  });

  it("that isn't enabled stays pending, and comes when it is", () => {
    const guest = one(`
      ${openSpi(40)} ${writeBit(GICD_ICENABLER, 40)} ${pend(40)} ${acknowledge(1)}
      ${writeBit(GICD_ISENABLER, 40)} ${settled()} ${acknowledge(2)}`);
    expect(guest.registers(0, 1, 2)).toEqual([SPURIOUS, 40n]);
  });

  it("of a group that the distributor has disabled is withheld", () => {
    const guest = one(
      `${openSpi(40)} ${write(GICD, 1)} ${pend(40)} ${acknowledge(1)} ${write(GICD, 2)} ${settled()} ${acknowledge(2)}`,
    );
    expect(guest.registers(0, 1, 2)).toEqual([SPURIOUS, 40n]);
  });

  it("of Group 0 comes as FIQ, and to IAR0 only", () => {
    const guest = one(
      `${openSpi(40, { group: 0 })} ${pend(40)} mrs x1, isr_el1\n ${acknowledge(2)} mrs x3, icc_iar0_el1`,
    );
    expect(guest.registers(0, 1, 2, 3)).toEqual([0x40n, SPURIOUS, 40n]);
  });

  it("set active by software is not signalled before it is inactive", () => {
    const guest = one(`
      ${openSpi(40)} ${writeBit(GICD_ISACTIVER, 40)} ${pend(40)} ${acknowledge(1)}
      ${writeBit(GICD_ICACTIVER, 40)} ${settled()} ${acknowledge(2)}`);
    expect(guest.registers(0, 1, 2)).toEqual([SPURIOUS, 40n]);
  });

  it("made pending while active comes again after its end", () => {
    const guest = one(`
      ${openSpi(40)} ${pend(40)} ${acknowledge(1)} ${pend(40)} ${acknowledge(2)} ${spiWord(GICD_ISPENDR, 40, 3)}
      ${end(1)} ${settled()} ${acknowledge(4)}`);
    expect(guest.registers(0, 1, 2, 3, 4)).toEqual([40n, SPURIOUS, 0x100n, 40n]);
  });

  it("ends by ICC_DIR_EL1 with EOImode", () => {
    const guest = one(`
      ${setSystem("icc_ctlr_el1", 2)} ${openSpi(40)} ${pend(40)} ${acknowledge(1)} ${end(1)} ${settled()}
      mrs x2, icc_rpr_el1\n ${spiWord(GICD_ISACTIVER, 40, 3)}
      msr icc_dir_el1, x1\n ${settled()} ${spiWord(GICD_ISACTIVER, 40, 4)}`);
    expect(guest.registers(0, 1, 2, 3, 4)).toEqual([40n, 0xffn, 0x100n, 0n]);
  });

  it("the most urgent first, of equals the lower INTID; a more urgent one replaces what was forwarded (IHI 0069H 4.8)", () => {
    const guest = one(`
      ${openSpi(40, { priority: 0x90 })} ${openSpi(41, { priority: 0x80 })} ${openSpi(42, { priority: 0x80 })}
      ${pend(40)} mrs x1, icc_hppir1_el1\n ${pend(42)} mrs x2, icc_hppir1_el1\n ${pend(41)} mrs x3, icc_hppir1_el1
      ${acknowledge(4)} ${end(4)} ${settled()} ${acknowledge(5)} ${end(5)} ${settled()} ${acknowledge(6)}`);
    expect(guest.registers(0, 1, 2, 3, 4, 5, 6)).toEqual([40n, 42n, 41n, 41n, 42n, 40n]);
  });

  it("competes with an SGI by priority", () => {
    const sgi = `${write(GICR_BASE + 0x10400 + 3, 0x80, 1)} li x9, #0x3000001\n msr icc_sgi1r_el1, x9\n ${settled()}`;
    const guest = one(`
      ${openSpi(40, { priority: 0x70 })} ${openSpi(41, { priority: 0x90 })} ${pend(40, 41)} ${sgi}
      ${acknowledge(1)} ${end(1)} ${settled()} ${acknowledge(2)} ${end(2)} ${acknowledge(3)}`);
    expect(guest.registers(0, 1, 2, 3)).toEqual([40n, 3n, 41n]);
  });

  it("whose priority is changed while it is pending has the new one", () => {
    const guest = one(`
      ${openSpi(40, { priority: 0x90 })} ${openSpi(41, { priority: 0x80 })} ${pend(40, 41)}
      ${write(GICD + GICD_IPRIORITYR + 40, 0x70, 1)} ${settled()} ${acknowledge(1)} mrs x2, icc_rpr_el1`);
    expect(guest.registers(0, 1, 2)).toEqual([40n, 0x70n]);
  });
});

describe("an SPI that is taken back before it is acknowledged (IHI 0069H 2.2.1, 4.1.1)", () => {
  it.each([
    ["is no longer pending", writeBit(GICD_ICPENDR, 40)],
    ["is disabled", writeBit(GICD_ICENABLER, 40)],
    ["has its group disabled", write(GICD, 1)],
    ["goes to somebody else", write(GICD + GICD_IROUTER + 8 * 40, 9, 8)],
  ])("gives 1023: it %s", (_, text) => {
    const guest = one(
      `${openSpi(40)} ${pend(40)} mrs x1, isr_el1\n ${text} ${settled()} mrs x2, isr_el1\n ${acknowledge(3)}`,
    );
    expect(guest.registers(0, 1, 2, 3)).toEqual([0x80n, 0n, SPURIOUS]);
  });

  it("RWP of GICD_CTLR reads as one until the PE has lost it (IHI 0069H 12.9.4)", () => {
    const guest = one(`
      ${openSpi(40)} ${pend(40)} ${writeBit(GICD_ICENABLER, 40)} ${read(GICD, 1)}
      await: ldr w2, [x9]\n li x11, #0x80000000\n and w3, w2, w11\n cbnz w3, await
      mrs x4, isr_el1`);
    expect(guest.registers(0, 1, 2, 4)).toEqual([0x8000_0053n, 0x53n, 0n]);
  });
});

describe("a level-sensitive SPI (IHI 0069H 4.1, 4.3)", () => {
  const intid = 33;
  /** CPU 0 sleeps with interrupts masked until the wire goes up, acknowledges it, ends it, and looks again. */
  const text = `
    ${openSpi(intid, { edge: false })}
    wfi
    ${acknowledge(1)} ${settled()} ${spiWord(GICD_ISPENDR, intid, 2)} ${end(1)} ${settled()} ${acknowledge(3)} ${end(3)}
    mov x4, #1
    ${wait(20_000)} ${acknowledge(5)} ${spiWord(GICD_ISPENDR, intid, 6)}`;

  it("is pending as long as its wire is up, active or not, and comes again after its end", () => {
    const guest = one(text);
    expect(guest.machine.state(0)).toBe(CpuState.WAITING);
    guest.machine.core.changeLine(intid, LineChange.HIGH, 500_000n);
    guest.machine.core.changeLine(intid, LineChange.LOW, 515_000n);
    guest.run();
    expect(guest.registers(0, 1, 2, 3, 4, 5, 6)).toEqual([33n, 2n, 33n, 1n, SPURIOUS, 0n]);
  });

  it("doesn't see a pulse", () => {
    const guest = one(text);
    guest.machine.core.changeLine(intid, LineChange.PULSE, 500_000n);
    guest.run();
    expect(guest.machine.state(0)).toBe(CpuState.WAITING);
  });

  it("made pending by ISPENDR is so until it is acknowledged", () => {
    const guest = one(`
      ${openSpi(intid, { edge: false })} ${pend(intid)} ${acknowledge(1)} ${settled()} ${spiWord(GICD_ISPENDR, intid, 2)}
      ${end(1)} ${settled()} ${acknowledge(3)}`);
    expect(guest.registers(0, 1, 2, 3)).toEqual([33n, 0n, SPURIOUS]);
  });

  it("by GICD_SETSPI_NSR stays asserted until GICD_CLRSPI_NSR (12.9.38)", () => {
    const guest = one(`
      ${openSpi(intid, { edge: false })} ${write(GICD + 0x40, intid)} ${settled()}
      ${acknowledge(1)} ${settled()} ${spiWord(GICD_ISPENDR, intid, 2)} ${end(1)} ${settled()} ${acknowledge(3)}
      ${write(GICD + 0x48, intid, 2)} ${end(3)} ${settled()} ${acknowledge(4)}`);
    expect(guest.registers(0, 1, 2, 3, 4)).toEqual([33n, 2n, 33n, SPURIOUS]);
  });
});

describe("an edge-triggered SPI (IHI 0069H 4.1, 4.3)", () => {
  const text = `${openSpi(45)} wfi\n ${acknowledge(1)} ${settled()} ${spiWord(GICD_ISPENDR, 45, 2)} ${end(1)} ${settled()} ${acknowledge(3)}`;

  it.each([LineChange.HIGH, LineChange.PULSE])("is pending once for a rising edge (%d)", (change) => {
    const guest = one(text);
    guest.machine.core.changeLine(45, change, 500_000n);
    guest.run();
    expect(guest.registers(0, 1, 2, 3)).toEqual([45n, 0n, SPURIOUS]);
  });

  it("of two edges before the acknowledgement makes one interrupt", () => {
    const guest = one(`${openSpi(45)} ${wait(20_000)} ${acknowledge(1)} ${end(1)} ${settled()} ${acknowledge(2)}`);
    expect(guest.registers(0, 1, 2)).toEqual([SPURIOUS, SPURIOUS]);
    const driven = new Guest(
      `start: ${setVectors} ${openInterrupts(0)} ${openSpi(45)} wfi\n ${wait(5000)} ${acknowledge(1)} ${end(1)} ${settled()} ${acknowledge(2)} ${park} ${vectors({})}`,
    );
    driven.start("start").run();
    driven.machine.core.changeLine(45, LineChange.PULSE, 500_000n);
    driven.machine.core.changeLine(45, LineChange.PULSE, 501_000n);
    driven.run();
    expect(driven.registers(0, 1, 2)).toEqual([45n, SPURIOUS]);
  });

  it("by GICD_SETSPI_NSR is pending, by GICD_CLRSPI_NSR no longer (12.9.38)", () => {
    const guest = one(`
      ${openSpi(45)} ${write(GICD + 0x40, 45)} ${settled()} ${spiWord(GICD_ISPENDR, 45, 1)}
      ${write(GICD + 0x48, 45)} ${settled()} ${acknowledge(2)} ${write(GICD + 0x40, 45, 2)} ${settled()} ${acknowledge(3)}`);
    expect(guest.registers(0, 1, 2, 3)).toEqual([0x2000n, SPURIOUS, 45n]);
  });

  it("by GICD_SETSPI_NSR of an INTID that is no SPI does nothing", () => {
    const guest = one(`${write(GICD + 0x40, 5)} ${write(GICD + 0x40, 300)} ${settled()} ${acknowledge(1)}`);
    expect(guest.x(0, 1)).toBe(SPURIOUS);
  });
});

describe("routing (IHI 0069H 4.2, 12.9.22)", () => {
  const cpus = 3;
  /** Which CPU acknowledges SPI 40, and what the others say; `prepare` is done by CPU 0, `each` by all before. */
  function receivers(prepare: string, each: (cpu: number) => string = () => ""): bigint[] {
    const programs = Array.from(
      { length: cpus },
      (_, cpu) => `
      start${cpu}: ${setVectors} ${openInterrupts(cpu)} ${each(cpu)}
        ${cpu === 0 ? prepare : ""} ${wait(60_000)} ${acknowledge(1)} b park`,
    );
    const guest = new Guest(`${programs.join("\n")} ${park} ${vectors({})}`, { cpus });
    guest.start(...programs.map((_, cpu) => `start${cpu}`)).run(800_000);
    return programs.map((_, cpu) => guest.x(cpu, 1));
  }
  const later = wait(5000);

  it.each([0, 1, 2])("goes to the PE of that affinity (%d)", (to) => {
    const expected = [SPURIOUS, SPURIOUS, SPURIOUS];
    expected[to] = 40n;
    expect(receivers(later + openSpi(40, { to }) + pend(40))).toEqual(expected);
  });

  it("to an affinity that nobody has goes nowhere, and to the PE that it is given then", () => {
    expect(receivers(later + openSpi(40, { to: 0x700 }) + pend(40))).toEqual([SPURIOUS, SPURIOUS, SPURIOUS]);
    const rerouted = later + openSpi(40, { to: 0x700 }) + pend(40) + write(GICD + GICD_IROUTER + 320, 2, 8);
    expect(receivers(rerouted)).toEqual([SPURIOUS, SPURIOUS, 40n]);
  });

  it("changed while it is pending takes it from one PE to another, and to one only", () => {
    const rerouted = later + openSpi(40, { to: 1 }) + pend(40) + write(GICD + GICD_IROUTER + 320, 2, 8);
    expect(receivers(rerouted)).toEqual([SPURIOUS, SPURIOUS, 40n]);
  });

  it("with IRM goes to one PE: the lowest-numbered that has none before it", () => {
    const any = { to: 2 ** 31 };
    expect(receivers(later + openSpi(40, any) + pend(40))).toEqual([40n, SPURIOUS, SPURIOUS]);
    expect(receivers(later + openSpi(40, any) + openSpi(41, any) + openSpi(42, any) + pend(40, 41, 42))).toEqual([
      40n,
      41n,
      42n,
    ]);
  });

  it("with IRM doesn't choose a PE that is asleep, or has the group disabled", () => {
    const each = (cpu: number): string =>
      cpu === 0 ? write(GICR_BASE + 0x14, 2) : cpu === 1 ? setSystem("icc_igrpen1_el1", 0) : "";
    expect(receivers(later + openSpi(40, { to: 2 ** 31 }) + pend(40), each)).toEqual([SPURIOUS, SPURIOUS, 40n]);
  });

  it("to a PE that is asleep waits until it wakes (12.11, GICR_WAKER)", () => {
    const sleeps = (cpu: number): string => (cpu === 1 ? write(GICR_BASE + GICR_STRIDE + 0x14, 2) : "");
    const text = later + openSpi(40, { to: 1 }) + pend(40);
    expect(receivers(text, sleeps)).toEqual([SPURIOUS, SPURIOUS, SPURIOUS]);
    expect(receivers(text + write(GICR_BASE + GICR_STRIDE + 0x14, 0), sleeps)).toEqual([SPURIOUS, 40n, SPURIOUS]);
  });

  it("to a PE whose group is disabled waits, and doesn't keep another group's interrupt from it", () => {
    const off = (cpu: number): string => (cpu === 1 ? setSystem("icc_igrpen1_el1", 0) : "");
    const programs = later + openSpi(40, { to: 1, priority: 0x20 }) + openSpi(41, { to: 1, group: 0 }) + pend(40, 41);
    const guest = new Guest(
      `zero: ${setVectors} ${openInterrupts(0)} ${programs} b park
       one: ${setVectors} ${openInterrupts(1)} ${off(1)} ${wait(30_000)} mrs x1, icc_iar0_el1\n ${acknowledge(2)} b park
       ${park} ${vectors({})}`,
      { cpus: 2 },
    );
    guest.start("zero", "one").run(800_000);
    expect(guest.registers(1, 1, 2)).toEqual([41n, SPURIOUS]);
  });

  it("an SPI is deactivated by ICC_DIR_EL1 of any PE (IHI 0069H 4.1.1)", () => {
    const guest = new Guest(
      `zero: ${setVectors} ${openInterrupts(0)} ${setSystem("icc_ctlr_el1", 2)} ${openSpi(40)} ${pend(40)}
         ${acknowledge(1)} ${end(1)} ${wait(20_000)} ${spiWord(GICD_ISACTIVER, 40, 2)} b park
       one: ${setVectors} ${openInterrupts(1)} ${setSystem("icc_ctlr_el1", 2)} ${wait(15_000)}
         mov x1, #40\n msr icc_dir_el1, x1\n b park
       ${park} ${vectors({})}`,
      { cpus: 2 },
    );
    guest.start("zero", "one").run(800_000);
    expect(guest.registers(0, 1, 2)).toEqual([40n, 0n]);
  });
});

describe("GICD_INMIR without FEAT_NMI", () => {
  it("is reserved, so that priorities count", () => {
    const guest = one(`
      ${openSpi(40, { priority: 0x90, nmi: true })} ${openSpi(41, { priority: 0x80 })} ${pend(40, 41)}
      ${read(GICD + GICD_INMIR + 4, 1)} ${acknowledge(2)}`);
    expect(guest.registers(0, 1, 2)).toEqual([0n, 41n]);
  });
});
