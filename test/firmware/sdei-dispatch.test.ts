// How SDEI events reach their handlers and how handlers end (Arm DEN 0054C 4.3, 5.2, 6.2), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, TraceKind } from "../../src/abi.ts";
import { SPURIOUS, sgi, send } from "../instructions/arm64/gic.ts";
import { DATA, openInterrupts, type Guest } from "../instructions/arm64/guest.ts";
import {
  SUCCESS,
  ask,
  call,
  called,
  callers,
  countingHandler,
  entriesOf,
  figures,
  keep,
  keepRegister,
  kept,
  notes,
  ready,
  trigger,
  wait,
  type CallsOptions,
} from "./calls.ts";

const signal = (target: number): string => call("EVENT_SIGNAL", 0, target);

/** CPU 1 is ready for event 0 and does `text`; CPU 0 signals it after some 300 cycles. */
function signalled(text: string, options: CallsOptions = {}): Guest {
  return called([`${wait(150)} ${signal(1)}`, `${ready(1)} ${text}`], { code: countingHandler, ...options });
}

const spin = "spin: b spin";

describe("event 0, signalled (5.1.16)", () => {
  it("is dispatched to the PE that the MPIDR names, and to no other", () => {
    const guest = called([`${ready(0)} ${wait(200)} ${signal(2)}`, ready(1), ready(2)], { code: countingHandler });
    expect([0, 1, 2].map((cpu) => entriesOf(guest, cpu).length)).toEqual([0, 0, 1]);
  });

  it("can be signalled to oneself", () => {
    const guest = called([`${ready(0)} ${signal(0)} ${wait(100)}`], { code: countingHandler });
    expect(entriesOf(guest, 0)).toHaveLength(1);
  });

  it("takes the call's way, the interrupt's, and EL3's there and back", () => {
    const guest = callers([`${wait(150)} mrs x19, cntvct_el0\n ${signal(1)}`, `${ready(1)} ${spin}`], {
      code: `handler: mrs x20, cntvct_el0\n b park`,
    });
    guest.run(2000);
    const { firmwareCall, interrupt } = figures;
    // MRS, three moves of the call (0 takes one), and the SMC that starts then; the spin's branch may be under way.
    const least = 4 + firmwareCall + interrupt + 2 * firmwareCall;
    const took = Number(guest.x(1, 20) - guest.x(0, 19));
    expect([took - least === 0, took - least === 1]).toContain(true);
  });

  it("coalesces: signals that come before the dispatch are one", () => {
    const guest = called([`${wait(150)} ${signal(1)} ${signal(1)} ${signal(1)}`, `${ready(1)} ${spin}`], {
      code: `handler: ${notes(1)} mov x1, #1\n stp x0, x1, [x27]\n ${wait(2000)} add x26, x26, #1\n ${call("EVENT_COMPLETE", 0)}`,
      cycles: 40_000,
    });
    // The first is running when the others come, which wait as one.
    guest.machine.core.catchUp();
    expect(guest.x(1, 26)).toBe(2n);
  });
});

describe("dispatch doesn't ask what EL1 masks (4.3)", () => {
  it("DAIF masked, PMR 0: the handler runs", () => {
    expect(entriesOf(signalled(`msr daifset, #15\n msr icc_pmr_el1, xzr\n ${spin}`), 1)).toHaveLength(1);
  });

  it.each(["wfi", "wfe"])("ends %s, even masked", (instruction) => {
    const guest = signalled(`msr daifset, #15\n wfe\n ${instruction}\n mov x19, #1`);
    expect(entriesOf(guest, 1)).toHaveLength(1);
    // EL3's ERET sets the event register, so WFE falls through; WFI ends on the interrupt that EL3 has taken.
    expect(guest.x(1, 19)).toBe(1n);
  });

  it("interrupts the first instruction of an exception vector, before ELR and SPSR are saved", () => {
    let entered: bigint | undefined;
    // The signal comes at whichever cycle: one of them is the vector's.
    for (let delay = 0; delay < 24 && entered === undefined; delay++) {
      const guest = callers(
        [
          `${wait(150)} ${"nop\n".repeat(delay)} ${signal(1)}`,
          `${ready(1)} msr daifclr, #15\n again: svc #0\n b again`,
        ],
        { code: `${countingHandler}\n svc_handler: add x19, x19, #1\n eret`, handlers: { sync: "svc_handler" } },
      );
      guest.run(4000);
      const [first] = entriesOf(guest, 1);
      if (first?.pc !== guest.label("vectors") + 0x200n) continue;
      entered = first.pstate;
      // ERET has gone back ever since: nothing was lost.
      guest.machine.core.catchUp();
      expect(guest.x(1, 19)).toBeGreaterThan(100n);
    }
    expect(entered).toBe(0x3c5n);
  });

  it("an unmasked interrupt of EL1 that is pending too is taken after it", () => {
    const guest = signalled(
      `${openInterrupts(1)} msr daifset, #15\n ${send(sgi(3, 2))} ${wait(600)} msr daifclr, #2\n nop`,
      {
        handlers: { irq: "irq" },
        code: `${countingHandler}\n irq: ${keepRegister("x27")} mrs x9, icc_iar1_el1\n msr icc_eoir1_el1, x9\n eret`,
      },
    );
    expect(entriesOf(guest, 1)).toHaveLength(1);
    // The handler had noted its entry when the interrupt was taken.
    expect(kept(guest, 1, 1)[0]).toBe(guest.x(1, 27));
  });
});

describe("the handler is entered (5.2.1)", () => {
  const entry = `handler: mrs x19, daif\n mrs x20, spsel\n mrs x21, elr_el1\n mrs x22, spsr_el1\n mrs x23, sp_el0\n mrs x24, nzcv\n mov x25, sp\n
    mrs x26, currentel\n ${notes(1)} stp x0, x1, [x27]\n stp x2, x3, [x27, #16]\n b park`;
  const before = `mov x9, #0x111\n msr elr_el1, x9\n mov x9, #0x222\n msr spsr_el1, x9\n mov x9, #0x340\n msr sp_el0, x9\n
    mov x9, #0x550\n mov sp, x9\n cmp x9, x9\n msr daifset, #1\n`;

  it("at its entry point with event, argument, PC and PSTATE of what was interrupted", () => {
    const guest = signalled(`${before} ${spin}`, { code: entry });
    const spinning = guest.label("spin");
    expect(entriesOf(guest, 1)).toEqual([{ event: 0n, argument: 0xabcn, pc: spinning, pstate: 0x6000_03c5n }]);
  });

  it("with DAIF masked, on SP_EL1, flags as they were; ELR_EL1, SPSR_EL1 and SP_EL0 untouched", () => {
    const guest = signalled(`${before} ${spin}`, { code: entry });
    expect(guest.registers(1, 19, 20, 21, 22, 23, 24, 25, 26)).toEqual([
      ...[0x3c0n, 1n, 0x111n, 0x222n, 0x340n, 0x6000_0000n, 0x550n, 4n],
    ]);
  });

  it("on SP_EL1 when SP_EL0 was in use", () => {
    const guest = signalled(`${before} msr spsel, #0\n ${spin}`, { code: entry });
    expect(guest.registers(1, 20, 25)).toEqual([1n, 0x550n]);
    expect(entriesOf(guest, 1)[0]?.pstate).toBe(0x6000_03c4n);
  });

  it("in relative mode, at an offset from VBAR_EL1", () => {
    const register = `${notes(1)} ${call("EVENT_REGISTER", 0, 0x300, 0xabc, 2, 0)} ${call("EVENT_ENABLE", 0)} ${call("PE_UNMASK")}`;
    const guest = called([`${wait(150)} ${signal(1)}`, `${register} ${spin}`], {
      code: countingHandler,
      handlers: { fiq: "handler" },
    });
    expect(entriesOf(guest, 1)).toHaveLength(1);
  });

  it("with the exclusive monitor open, as EL3's ERET leaves it", () => {
    const guest = signalled(`li x10, #${DATA}\n ldxr x11, [x10]\n ${wait(400)} stxr w19, x11, [x10]`);
    expect([entriesOf(guest, 1).length, guest.x(1, 19)]).toEqual([1, 1n]);
  });
});

describe("EVENT_COMPLETE (5.1.6)", () => {
  it("restores X0 to X17, PC and PSTATE, and nothing else", () => {
    const set = Array.from({ length: 26 }, (_, index) => `mov x${index}, #${index + 1}`).join("\n");
    const spoil = Array.from({ length: 26 }, (_, index) => `mov x${index}, #99`).join("\n");
    const guest = signalled(`${set}\n mov x30, #1\n cmp x30, x30\n ${spin}`, {
      code: `handler: ${spoil}\n subs x9, x9, #1\n ${call("EVENT_COMPLETE", 0)}`,
    });
    guest.machine.core.catchUp();
    const wanted = Array.from({ length: 26 }, (_, index) => (index < 18 ? BigInt(index + 1) : 99n));
    expect(Array.from({ length: 26 }, (_, index) => guest.x(1, index))).toEqual(wanted);
    expect(guest.machine.pc(1)).toBe(guest.label("spin"));
  });

  it("restores the masks that were there, so that what is pending is taken at once", () => {
    const guest = signalled(`${openInterrupts(1)} msr daifclr, #2\n ${spin}`, {
      handlers: { irq: "irq" },
      code: `handler: ${send(sgi(3, 2))} ${wait(200)} mrs x25, isr_el1\n ${call("EVENT_COMPLETE", 0)}\n
        irq: mrs x26, icc_iar1_el1\n mrs x24, elr_el1\n b park`,
    });
    expect(guest.registers(1, 25, 26, 24)).toEqual([0n, 3n, guest.label("spin")]);
  });

  it("doesn't return: what stands behind the call isn't executed", () => {
    const guest = signalled(spin, { code: `${countingHandler}\n mov x19, #1\n b park` });
    guest.machine.core.catchUp();
    expect(guest.x(1, 19)).toBe(0n);
  });

  it("lets an event through that came meanwhile", () => {
    const guest = called([`${wait(150)} ${signal(1)} ${wait(100)} ${signal(1)}`, `${ready(1)} ${spin}`], {
      code: `handler: stp x0, x1, [x27], #32\n ${wait(400)} ${call("EVENT_COMPLETE", 0)}`,
    });
    expect(entriesOf(guest, 1)).toHaveLength(2);
  });
});

describe("an event at EL0", () => {
  const toEl0 = `mov x9, #0x550\n mov sp, x9\n mov x9, #0x340\n msr sp_el0, x9\n adr x9, user\n msr elr_el1, x9\n msr spsr_el1, xzr\n eret\n user: add x26, x26, #1\n b user`;

  it("is handled at EL1 on SP_EL1, with the PSTATE of EL0, and completed to there", () => {
    const guest = signalled(toEl0, {
      code: `handler: mov x24, sp\n mrs x25, currentel\n ${notes(1)} stp x0, x1, [x27]\n stp x2, x3, [x27, #16]\n mov x20, x26\n ${call("EVENT_COMPLETE", 0)}`,
    });
    expect(entriesOf(guest, 1)[0]?.pstate).toBe(0n);
    expect(guest.registers(1, 24, 25)).toEqual([0x550n, 4n]);
    guest.machine.core.catchUp();
    expect(guest.machine.privilege(1)).toBe(0);
    expect(guest.x(1, "sp")).toBe(0x340n);
    expect(guest.x(1, 26)).toBeGreaterThan(guest.x(1, 20));
  });

  it("resumes at EL1 with EL0 in SPSR_EL1", () => {
    const guest = signalled(toEl0, {
      code: `handler: ${call("EVENT_COMPLETE_AND_RESUME", "resumed")}\n resumed: mrs x21, spsr_el1\n mrs x22, currentel\n mov x23, sp\n mov x20, #1\n eret`,
    });
    expect(guest.registers(1, 20, 21, 22, 23)).toEqual([1n, 0n, 4n, 0x550n]);
    expect(guest.machine.privilege(1)).toBe(0);
  });
});

describe("EVENT_COMPLETE_AND_RESUME (5.1.7)", () => {
  const code = `handler: mov x5, #99\n mov x19, #99\n ${call("EVENT_COMPLETE_AND_RESUME", "resumed")}\n
    resumed: mrs x20, elr_el1\n mrs x21, spsr_el1\n mrs x22, daif\n mrs x23, spsel\n mrs x24, isr_el1\n mov x25, x5\n b park`;

  it("goes on at the address as if an exception had been taken there; X0 to X17 as interrupted", () => {
    const guest = signalled(`mov x5, #7\n msr daifclr, #15\n ${spin}`, { code });
    expect(guest.registers(1, 20, 21, 22, 23, 25, 19)).toEqual([guest.label("spin"), 5n, 0x3c0n, 1n, 7n, 99n]);
  });

  it("an ERET from there goes back to what was interrupted", () => {
    const guest = signalled(`mov x26, #0\n more: add x26, x26, #1\n cmp x26, #2000\n b.ne more\n mov x19, #1`, {
      code: `handler: ${call("EVENT_COMPLETE_AND_RESUME", "resumed")}\n resumed: mov x20, #1\n eret`,
    });
    expect(guest.registers(1, 19, 20, 26)).toEqual([1n, 1n, 2000n]);
  });

  it("ends the dispatch: another event can come", () => {
    const guest = called([`${wait(150)} ${signal(1)} ${wait(400)} ${signal(1)}`, `${ready(1)} ${spin}`], {
      code: `handler: add x26, x26, #1\n ${call("EVENT_COMPLETE_AND_RESUME", "resumed")}\n resumed: eret`,
    });
    guest.machine.core.catchUp();
    expect(guest.x(1, 26)).toBe(2n);
  });
});

describe("EVENT_CONTEXT (5.1.5)", () => {
  it("returns X0 to X17 of what was interrupted", () => {
    const ask = (register: number): string => `${call("EVENT_CONTEXT", register)} ${keep}`;
    const guest = signalled(`mov x0, #50\n mov x5, #55\n mov x17, #67\n ${spin}`, {
      code: `handler: ${ask(0)} ${ask(5)} ${ask(17)} b park`,
    });
    expect(kept(guest, 1, 3)).toEqual([50n, 55n, 67n]);
  });
});

describe("while an event is open (6.2)", () => {
  const listen = (text: string): string => `${openInterrupts(1)} ${text}\n`;

  it("no non-secure interrupt is signalled, whatever the handler unmasks; RPR lies in the secure range", () => {
    const guest = called(
      [
        `${wait(300)} ${signal(1)} ${wait(100)} ${send(sgi(5, 2))}`,
        `${ready(1)} ${listen("mrs x19, icc_rpr_el1")} ${spin}`,
      ],
      {
        code: `handler: mrs x20, icc_rpr_el1\n msr daifclr, #15\n ${wait(600)} mrs x21, icc_iar1_el1\n mrs x22, icc_hppir1_el1\n mrs x23, isr_el1\n
          ${call("EVENT_COMPLETE", 0)}`,
      },
    );
    expect(guest.registers(1, 19, 20, 21, 22, 23)).toEqual([0xffn, 0n, SPURIOUS, 5n, 0n]);
  });

  it("and a handler that never completes leaves the PE without them", () => {
    const guest = called([`${wait(300)} ${signal(1)} ${wait(400)} ${send(sgi(5, 2))}`, `${ready(1)} ${listen(spin)}`], {
      code: `handler: msr daifclr, #15\n wfi\n mov x19, #1\n b park`,
    });
    expect([guest.x(1, 19), guest.machine.state(1)]).toEqual([0n, CpuState.WAITING]);
  });

  it("they come when it has completed", () => {
    const guest = called(
      [`${wait(300)} ${signal(1)} ${wait(50)} ${send(sgi(5, 2))}`, `${ready(1)} ${listen("msr daifclr, #2")} ${spin}`],
      {
        code: `handler: ${wait(200)} ${call("EVENT_COMPLETE", 0)}\n irq: mrs x19, icc_iar1_el1\n b park`,
        handlers: { irq: "irq" },
      },
    );
    expect(guest.x(1, 19)).toBe(5n);
  });
});

/** One CPU with event 0, a critical event and a shared one, whose handlers note themselves; events come by the host. */
const CRITICAL = 3000;
const open = (event: number, handler: string, flags = 0, affinity = 0): string =>
  call("EVENT_REGISTER", event, handler, event, flags, affinity) + call("EVENT_ENABLE", event);

describe("critical events (4.2)", () => {
  const setUp = `${call("EVENT_REGISTER", 0, "normal", 1, 0, 0)} ${call("EVENT_ENABLE", 0)} ${open(CRITICAL, "critical")} ${call("PE_UNMASK")}`;
  const code = `
    normal: mov x19, #1\n mov x18, x2\n ${wait(600)} mov x20, x21\n ${call("EVENT_COMPLETE", 0)}
    critical: mov x21, #1\n mov x22, x2\n mov x25, x3\n ${ask("EVENT_STATUS", 0)} ${wait(300)} mov x23, x24\n ${call("EVENT_COMPLETE", 0)}`;

  it("preempt a running normal handler, which goes on when they have completed", () => {
    const guest = callers([`${setUp} ${signal(0)} ${spin}`], { code });
    trigger(guest.machine, 0, CRITICAL, 500);
    guest.run(10_000);
    guest.machine.core.catchUp();
    // The critical handler has interrupted the normal one, which then finds what it left, and completes to the spin.
    expect(guest.registers(0, 19, 20, 21)).toEqual([1n, 1n, 1n]);
    expect(guest.x(0, 22)).toBeGreaterThan(guest.label("normal"));
    expect([kept(guest, 0, 1), guest.machine.pc(0)]).toEqual([[7n], guest.label("spin")]);
  });

  it("aren't preempted by normal ones, nor by other critical ones", () => {
    const guest = callers([`${setUp} ${wait(100)} ${call("PE_UNMASK")} ${spin}`], { code });
    trigger(guest.machine, 0, CRITICAL, 600);
    trigger(guest.machine, 0, CRITICAL, 700);
    guest.run(660);
    expect(guest.x(0, 21)).toBe(1n);
    guest.run(10_000);
    guest.machine.core.catchUp();
    expect(guest.machine.pc(0)).toBe(guest.label("spin"));
  });

  it("come first when both are pending", () => {
    const guest = callers([`${setUp} ${call("PE_MASK")} ${signal(0)} ${wait(200)} ${call("PE_UNMASK")} ${spin}`], {
      code,
    });
    trigger(guest.machine, 0, CRITICAL, 300);
    guest.run(10_000);
    guest.machine.core.catchUp();
    // From the spin, or the call that unmasked, and not from the normal handler.
    expect(guest.x(0, 22)).not.toBe(guest.label("normal"));
    expect([guest.x(0, 19), guest.x(0, 21), kept(guest, 0, 1)[0]]).toEqual([1n, 1n, 3n]);
  });

  it("nest to two levels, each with a context of its own", () => {
    const guest = callers([`${setUp} mov x5, #5\n ${signal(0)} mov x5, #6\n ${spin}`], {
      code: `normal: mov x5, #7\n in: b in\n critical: ${call("EVENT_CONTEXT", 5)} ${keep} ${call("EVENT_COMPLETE_AND_RESUME", "resumed")}
        resumed: ${call("EVENT_CONTEXT", 5)} ${keep} ${call("EVENT_COMPLETE", 0)}`,
    });
    trigger(guest.machine, 0, CRITICAL, 800);
    guest.run(10_000);
    guest.machine.core.catchUp();
    expect([kept(guest, 0, 2), guest.machine.pc(0)]).toEqual([[7n, 6n], guest.label("spin")]);
  });
});

describe("bound private events", () => {
  const BOUND = 1000;
  const setUp = (...calls: string[]): string =>
    `${notes(0)} ${call("INTERRUPT_BIND", 20)} ${open(BOUND, "handler")} ${calls.join("\n")}`;

  it("are dispatched when their interrupt comes", () => {
    const guest = callers([`${setUp(call("PE_UNMASK"))} ${spin}`], { code: countingHandler });
    trigger(guest.machine, 0, BOUND, 1000);
    guest.run(4000);
    expect(entriesOf(guest, 0).map(({ event }) => event)).toEqual([1000n]);
  });

  it("stay pending on a masked PE until it unmasks, whatever the personality", () => {
    for (const firmware of ["compliant", "tf-a-2.12"]) {
      const guest = callers([`${setUp()} ${wait(1000)} mov x19, x27\n ${call("PE_UNMASK")} ${spin}`], {
        code: countingHandler,
        firmware,
      });
      trigger(guest.machine, 0, BOUND, 1000);
      guest.run(8000);
      expect([entriesOf(guest, 0).length, guest.x(0, 27) - guest.x(0, 19)]).toEqual([1, 32n]);
    }
  });

  it("stay pending while disabled, and are cleared by a registration", () => {
    const late = (text: string): number => {
      const guest = callers(
        [`${setUp(call("PE_UNMASK"), call("EVENT_DISABLE", BOUND))} ${wait(1000)} ${text} ${spin}`],
        {
          code: countingHandler,
        },
      );
      trigger(guest.machine, 0, BOUND, 1500);
      guest.run(8000);
      return entriesOf(guest, 0).length;
    };
    expect(late(call("EVENT_ENABLE", BOUND))).toBe(1);
    expect(late(call("EVENT_UNREGISTER", BOUND) + open(BOUND, "handler"))).toBe(0);
  });
});

describe("shared events", () => {
  const SHARED = 4000;
  const listener = (cpu: number): string => `${notes(cpu)} ${call("PE_UNMASK")}`;
  const events = (guest: Guest, cpus: number): number[] =>
    Array.from({ length: cpus }, (_, cpu) => entriesOf(guest, cpu).length);

  it("routed to any PE go to one that the interrupt controller chooses", () => {
    const guest = callers([`${listener(0)} ${open(SHARED, "handler")}`, listener(1), listener(2)], {
      code: countingHandler,
    });
    trigger(guest.machine, 2, SHARED, 500);
    guest.run(4000);
    expect(events(guest, 3)).toEqual([0, 0, 1]);
  });

  it("go to another one if that is masked", () => {
    const guest = callers([`${notes(0)} ${open(SHARED, "handler")}`, listener(1), notes(2)], { code: countingHandler });
    trigger(guest.machine, 2, SHARED, 500);
    guest.run(4000);
    expect(events(guest, 3)).toEqual([0, 1, 0]);
  });

  it("stay pending while all are masked, and go to the first that unmasks", () => {
    const guest = callers([`${notes(0)} ${open(SHARED, "handler")}`, `${notes(1)} ${wait(500)} ${call("PE_UNMASK")}`], {
      code: countingHandler,
    });
    trigger(guest.machine, 0, SHARED, 500);
    guest.run(4000);
    expect(events(guest, 2)).toEqual([0, 1]);
  });

  it("routed to a PE go there, wherever the interrupt comes, and wait until it unmasks", () => {
    const guest = callers(
      [`${listener(0)} ${open(SHARED, "handler", 1, 1)}`, `${notes(1)} ${wait(800)} ${call("PE_UNMASK")}`],
      { code: countingHandler },
    );
    trigger(guest.machine, 0, SHARED, 500);
    guest.run(1000);
    expect(events(guest, 2)).toEqual([0, 0]);
    guest.run(4000);
    expect(events(guest, 2)).toEqual([0, 1]);
  });

  it("run on one PE at a time: a second interrupt waits for the first handler", () => {
    const guest = callers([`${listener(0)} ${open(SHARED, "handler")}`, listener(1)], {
      code: `handler: stp x0, x1, [x27], #32\n ${wait(600)} ${call("EVENT_COMPLETE", 0)}`,
    });
    trigger(guest.machine, 0, SHARED, 500);
    trigger(guest.machine, 1, SHARED, 600);
    guest.run(1200);
    expect(events(guest, 2).reduce((sum, count) => sum + count)).toBe(1);
    guest.run(8000);
    expect(events(guest, 2).reduce((sum, count) => sum + count)).toBe(2);
  });
});

describe("SDEI over CPU_OFF and CPU_ON (DEN 0054C 6.3)", () => {
  it("a PE comes up masked, with its private events unregistered", () => {
    const guest = called([`${wait(1500)} ${call("CPU_ON", 1, "again", 0)}`, `${ready(1)} ${call("CPU_OFF")}`], {
      code: `${countingHandler}\n again: li x28, #${DATA}\n ${ask("EVENT_STATUS", 0)} ${ask("PE_MASK")} b park`,
    });
    expect([guest.machine.read64(DATA), guest.machine.read64(DATA + 8)]).toEqual([0n, 0n]);
  });

  it("what it had registered no longer keeps others from releasing the interrupt", () => {
    const guest = called(
      [
        `${wait(1500)} ${ask("INTERRUPT_RELEASE", 1000)}`,
        `${call("INTERRUPT_BIND", 20)} ${open(1000, "handler")} ${call("CPU_OFF")}`,
      ],
      { code: countingHandler },
    );
    expect(kept(guest, 0, 1)).toEqual([SUCCESS]);
  });

  it("a signal to a PE that is off reaches nobody", () => {
    const guest = called([ask("EVENT_SIGNAL", 0, 1)], { cpus: 2 });
    expect([kept(guest, 0, 1), guest.machine.state(1)]).toEqual([[SUCCESS], CpuState.OFFLINE]);
  });
});

describe("what the trace tells", () => {
  it("a dispatch is an interrupt taken, with the event's number", () => {
    const guest = callers([`${wait(150)} ${signal(1)}`, `${ready(1)} ${spin}`], { code: countingHandler });
    guest.machine.core.setTraceMask(1 << TraceKind.INTERRUPT_TAKEN);
    guest.run(4000);
    expect(guest.machine.drain()).toMatchObject([{ cpu: 1, subject: 32, peer: 0, value: guest.label("spin") }]);
  });
});
