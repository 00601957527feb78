// SDEI events that INTERRUPT_BIND has bound to the GIC's PPIs and SPIs (Arm DEN 0054C 4.2, 5.1.14; what happens to an interrupt
// at registration: TF-A, services/std_svc/sdei/sdei_main.c), with real interrupts: a timer's, and wires of the distributor.

import { describe, expect, it } from "vitest";
import { GICD_BASE, GICR_BASE, LineChange } from "../../src/abi.ts";
import { SGI_FRAME, SPURIOUS } from "../instructions/arm64/gic.ts";
import { openInterrupts, type Guest } from "../instructions/arm64/guest.ts";
import {
  SUCCESS,
  ask,
  call,
  called,
  callers,
  countingHandler,
  entriesOf,
  keepRegister,
  kept,
  notes,
  wait,
} from "./calls.ts";

/** The physical timer's PPI, and an SPI that nobody else uses. */
const TIMER = 30;
const SPI = 45;
const PPI_EVENT = 1000;
const SPI_EVENT = 2000;

const bindTimer = call("INTERRUPT_BIND", TIMER);
const bindSpi = call("INTERRUPT_BIND", SPI);
const register = (event: number, affinity?: number): string =>
  call("EVENT_REGISTER", event, "handler", 0xabc, affinity === undefined ? 0 : 1, affinity ?? 0);
const open = (event: number): string => register(event) + call("EVENT_ENABLE", event) + call("PE_UNMASK");
const startTimer = "mov x9, #1\n msr cntp_tval_el0, x9\n msr cntp_ctl_el0, x9\n isb\n";

/** Silences the timer before it completes. */
const timerHandler = `
handler: msr cntp_ctl_el0, xzr
  isb
  stp x0, x1, [x27], #16
  stp x2, x3, [x27], #16
  ${call("EVENT_COMPLETE", 0)}`;

const events = (guest: Guest, cpu = 0): bigint[] => entriesOf(guest, cpu).map(({ event }) => event);

describe("a private event bound to a PPI", () => {
  const timed = (text: string, code = timerHandler): Guest => called([`${notes(0)} ${bindTimer} ${text}`], { code });

  it("comes when the PPI does, whatever PSTATE and ICC_PMR_EL1 mask", () => {
    const guest = timed(`msr icc_pmr_el1, xzr\n msr daifset, #15\n ${open(PPI_EVENT)} ${startTimer} ${wait(200)}`);
    expect(entriesOf(guest, 0)).toMatchObject([{ event: 1000n, argument: 0xabcn }]);
  });

  it("wakes WFI", () => {
    expect(events(timed(`${open(PPI_EVENT)} ${startTimer}`))).toEqual([1000n]);
  });

  it("comes again after each EVENT_COMPLETE as long as the line is high", () => {
    const guest = callers([`${notes(0)} ${bindTimer} ${open(PPI_EVENT)} ${startTimer} ${wait(400)}`], {
      code: countingHandler,
    });
    guest.run(1200);
    expect(events(guest).length).toBeGreaterThan(5);
  });

  it.each([
    ["EVENT_ENABLE", register(PPI_EVENT) + call("PE_UNMASK"), call("EVENT_ENABLE", PPI_EVENT)],
    ["PE_UNMASK", register(PPI_EVENT) + call("EVENT_ENABLE", PPI_EVENT), call("PE_UNMASK")],
  ])("waits for %s", (_, before, after) => {
    const guest = timed(`${before} ${startTimer} ${wait(200)} mov x19, x27\n ${after} ${wait(50)}`);
    expect([guest.x(0, 19), guest.x(0, 27) - guest.x(0, 19)]).toEqual([guest.x(0, 27) - 32n, 32n]);
  });

  const redistributor = `li x20, #${GICR_BASE + SGI_FRAME}\n`;
  const bit = `li x21, #${1 << TIMER}\n`;
  const enableBoth = `${openInterrupts(0)} ${redistributor} ${bit} str w21, [x20, #0x100]\n str w21, [x20, #0x80]\n`;
  const read = (offset: number): string => `ldr w19, [x20, #${offset}]\n and x19, x19, x21\n ${keepRegister("x19")}`;
  const state = `mrs x19, icc_hppir1_el1\n ${keepRegister("x19")} ${read(0x200)} ${read(0x100)}`;

  it("is EL3's while registered: EL1 is not signalled it, and its bits read as zero and ignore writes", () => {
    const guest = timed(
      `${enableBoth} ${startTimer} ${wait(100)} ${state} ${register(PPI_EVENT)} str w21, [x20, #0x100]\n ${state}
       ${call("EVENT_UNREGISTER", PPI_EVENT)} ${state} str w21, [x20, #0x100]\n ${state}`,
    );
    const high = BigInt(1 << TIMER);
    expect(kept(guest, 0, 12)).toEqual([
      ...[BigInt(TIMER), high, high],
      ...[SPURIOUS, 0n, 0n],
      // EL1's again, and disabled.
      ...[SPURIOUS, high, 0n],
      ...[BigInt(TIMER), high, high],
    ]);
  });

  it("is EL1's on PEs where it is not registered", () => {
    const guest = called(
      [
        `${notes(0)} ${bindTimer} ${open(PPI_EVENT)} ${wait(400)}`,
        `${wait(200)} ${openInterrupts(1)} li x20, #${GICR_BASE + 0x2_0000 + SGI_FRAME}\n ${bit} str w21, [x20, #0x100]\n str w21, [x20, #0x80]\n
         ${startTimer} ${wait(100)} mrs x19, icc_iar1_el1\n`,
      ],
      { code: timerHandler },
    );
    expect([events(guest, 0), guest.x(1, 19)]).toEqual([[], BigInt(TIMER)]);
  });
});

describe("a shared event bound to an SPI", () => {
  const edge = `li x20, #${GICD_BASE + 0xc00 + 4 * (SPI >>> 4)}\n li x21, #${2 << (2 * (SPI & 15))}\n str w21, [x20]\n`;

  interface Change {
    readonly change: LineChange;
    readonly cycle: bigint;
  }
  const { HIGH, LOW, PULSE } = LineChange;
  function driven(
    programs: readonly string[],
    changes: readonly Change[],
    code = countingHandler,
    interrupt = 30,
  ): Guest {
    const guest = callers(programs, { code, figures: { interrupt } });
    for (const { change, cycle } of changes) guest.machine.core.changeLine(SPI, change, cycle);
    guest.run(20_000);
    return guest;
  }
  const prepared = `${notes(0)} ${bindSpi} ${open(SPI_EVENT)}`;

  it("comes when an edge does, once, and once more for edges during its handler", () => {
    const slow = `handler: stp x0, x1, [x27], #16\n stp x2, x3, [x27], #16\n mov x1, #500\n again: sub x1, x1, #1\n cbnz x1, again\n ${call("EVENT_COMPLETE", 0)}`;
    const pulses = [3000n, 6000n, 6300n, 6500n].map((cycle) => ({ change: PULSE, cycle }));
    expect(events(driven([edge + prepared], pulses.slice(0, 1), slow))).toEqual([2000n]);
    expect(events(driven([edge + prepared], pulses, slow))).toEqual([2000n, 2000n, 2000n]);
  });

  it("comes again after each EVENT_COMPLETE as long as a level-sensitive line is high", () => {
    const count = (until: bigint): number =>
      events(driven([prepared], [{ change: HIGH, cycle: 3000n }, { change: LOW, cycle: until }])).length; // prettier-ignore
    expect(count(3400n)).toBeGreaterThan(1);
    expect(count(4800n)).toBeGreaterThan(2 * count(3400n));
  });

  it("goes to the PE that it is routed to", () => {
    const routed = `${notes(0)} ${bindSpi} ${register(SPI_EVENT, 1)} ${call("EVENT_ENABLE", SPI_EVENT)} ${call("PE_UNMASK")}`;
    const guest = driven([edge + routed, `${notes(1)} ${call("PE_UNMASK")}`], [{ change: PULSE, cycle: 3000n }]);
    expect([events(guest, 0), events(guest, 1)]).toEqual([[], [2000n]]);
  });

  it("waits for a PE that is unmasked; a line that falls before says nothing", () => {
    const late = `${notes(0)} ${bindSpi} ${register(SPI_EVENT)} ${call("EVENT_ENABLE", SPI_EVENT)} ${wait(4000)} ${call("PE_UNMASK")}`;
    const fallen: Change[] = [{ change: HIGH, cycle: 3000n }, { change: LOW, cycle: 4000n }]; // prettier-ignore
    expect(events(driven([edge + late], [{ change: PULSE, cycle: 3000n }]))).toEqual([2000n]);
    expect(events(driven([late], fallen))).toEqual([]);
    expect(events(driven([edge + late], fallen))).toEqual([2000n]);
  });

  it("that falls on its way to the PE is spurious", () => {
    const fallen: Change[] = [{ change: HIGH, cycle: 3000n }, { change: LOW, cycle: 3400n }]; // prettier-ignore
    expect(events(driven([prepared], fallen, countingHandler, 1000))).toEqual([]);
  });

  it("is spurious, too, if it is unregistered and released on its way", () => {
    const released = `${prepared} ${wait(1100)} ${ask("EVENT_UNREGISTER", SPI_EVENT)} ${ask("INTERRUPT_RELEASE", SPI_EVENT)} ${wait(2000)} ${bindSpi} ${open(SPI_EVENT)}`;
    const guest = driven([released], [{ change: HIGH, cycle: 1500n }], countingHandler, 1500);
    expect(kept(guest, 0, 2)).toEqual([SUCCESS, SUCCESS]);
    // The line is high still when it is bound anew.
    expect(events(guest).length).toBeGreaterThan(0);
  });

  it("goes to another PE when the one that it was sent to is off before it arrives", () => {
    const other = `${notes(1)} ${wait(4000)} ${call("PE_UNMASK")}`;
    const guest = driven(
      [`${edge} ${prepared} ${wait(800)} ${call("CPU_OFF")}`, other],
      [{ change: PULSE, cycle: 2000n }],
      countingHandler,
      3000,
    );
    expect([events(guest, 0), events(guest, 1)]).toEqual([[], [2000n]]);
  });

  it("is EL3's while registered: EL1 is not signalled it, and its bits read as zero and ignore writes", () => {
    const word = 4 * (SPI >>> 5);
    const read = (offset: number): string => `ldr w19, [x20, #${offset + word}]\n ${keepRegister("x19")}`;
    const bits = `li x21, #${1 << (SPI & 31)}\n`;
    const state = read(0x200) + read(0x100) + read(0x80);
    const guest = driven(
      [
        `${openInterrupts(0)} li x20, #${GICD_BASE}\n ${bits} str w21, [x20, #${0x80 + word}]\n str w21, [x20, #${0x100 + word}]\n
         ${wait(1500)} ${state} mrs x19, icc_hppir1_el1\n ${keepRegister("x19")}
         ${bindSpi} ${register(SPI_EVENT)} str w21, [x20, #${0x100 + word}]\n ${state} ${wait(200)} mrs x19, icc_hppir1_el1\n ${keepRegister("x19")}
         ${call("EVENT_UNREGISTER", SPI_EVENT)} ${state}`,
      ],
      [{ change: HIGH, cycle: 1000n }],
    );
    const high = BigInt(1 << (SPI & 31));
    expect(kept(guest, 0, 11)).toEqual([
      ...[high, high, high, BigInt(SPI)],
      ...[0n, 0n, 0n, SPURIOUS],
      // EL1's again: what it was, but disabled.
      ...[high, 0n, high],
    ]);
  });
});
