// WFI, WFE, SEV, SEVL and the event register (Arm ARM DDI 0487, D1.6), rule by rule.

import { describe, expect, it } from "vitest";
import { CpuState, RunStatus } from "../../../src/abi.ts";
import { DATA, Guest, awaitFlag, openInterrupts, park, setVectors, vectors } from "./guest.ts";

/** Counts in X19 and acknowledges. */
const handler = `
${vectors({ irq: "interrupted", "irq from SP_EL0": "interrupted" })}
interrupted:
  mrs x18, icc_iar1_el1
  add x19, x19, #1
  msr icc_eoir1_el1, x18
  eret
${park}`;

/** Lets CPU 1 open its interrupts and go through `text`; CPU 0 goes through `other` when CPU 1 has set the flag at [X20]. */
function pair(text: string, other: string, extra = ""): Guest {
  return new Guest(
    `
    one: ${setVectors} ${openInterrupts(1)}
      li x20, #${DATA}
      ${text}
      b park
    zero: ${setVectors}
      li x20, #${DATA}
      ${awaitFlag(0, "ready")}
      mov x9, #2000                             // until the other waits
    linger: sub x9, x9, #1
      cbnz x9, linger
      ${other}
      b park
    ${extra}
    ${handler}`,
    { cpus: 2 },
  );
}

const ready = "mov x9, #1\n str x9, [x20]\n";
/** Sends SGI 3 to CPU 1. */
const sendSgi = "li x9, #0x3000002\n msr icc_sgi1r_el1, x9\n";

function run(guest: Guest): Guest {
  guest.start("zero", "one").run();
  return guest;
}

describe("WFI (DDI 0487 D1.6.2)", () => {
  it("waits for ever when nothing can come", () => {
    const guest = new Guest("start: mov x1, #1\n wfi\n mov x1, #2");
    expect(guest.start("start").run()).toBe(RunStatus.QUIESCENT);
    expect(guest.x(0, 1)).toBe(1n);
    expect(guest.machine.state(0)).toBe(CpuState.WAITING);
  });

  it("ends by an interrupt that PSTATE masks, which stays pending", () => {
    const guest = run(pair(`${ready} wfi\n mov x1, #1\n mrs x2, isr_el1`, sendSgi));
    expect(guest.registers(1, 1, 2, 19)).toEqual([1n, 0x80n, 0n]);
  });

  it("ends by an interrupt that PSTATE lets through, behind the handler", () => {
    const guest = run(pair(`msr daifclr, #2\n ${ready} wfi\n add x1, x19, #10`, sendSgi));
    expect(guest.x(1, 1)).toBe(11n);
  });

  it("does not wait when an interrupt is pending already", () => {
    const guest = run(
      pair(`${ready} mov x9, #8000\n late: sub x9, x9, #1\n cbnz x9, late\n mov x1, #1\n wfi\n mov x1, #2`, sendSgi),
    );
    expect(guest.x(1, 1)).toBe(2n);
  });

  it("goes on waiting while the GIC's priority mask withholds the interrupt", () => {
    const guest = run(pair(`mov x9, #0\n msr icc_pmr_el1, x9\n ${ready} mov x1, #1\n wfi\n mov x1, #2`, sendSgi));
    expect(guest.x(1, 1)).toBe(1n);
    expect(guest.machine.state(1)).toBe(CpuState.WAITING);
  });

  it("goes on waiting while the group is disabled, and when an event comes", () => {
    const guest = run(pair(`msr icc_igrpen1_el1, xzr\n ${ready} mov x1, #1\n wfi\n mov x1, #2`, `${sendSgi} sev`));
    expect(guest.x(1, 1)).toBe(1n);
  });
});

describe("WFE and the event register (DDI 0487 D1.6.1)", () => {
  it("waits for ever without an event", () => {
    const guest = new Guest("start: mov x1, #1\n wfe\n mov x1, #2");
    expect(guest.start("start").run()).toBe(RunStatus.QUIESCENT);
    expect(guest.x(0, 1)).toBe(1n);
  });

  it("consumes the event that SEVL or SEV has set, once", () => {
    for (const event of ["sevl", "sev", "sev\n sevl"]) {
      const guest = new Guest(`start: ${event}\n wfe\n mov x1, #1\n wfe\n mov x1, #2`);
      guest.start("start").run();
      expect(guest.x(0, 1)).toBe(1n);
    }
  });

  it("ends by SEV of another CPU", () => {
    expect(run(pair(`${ready} mov x1, #1\n wfe\n mov x1, #2`, "sev")).x(1, 1)).toBe(2n);
  });

  it("does not end by SEVL of another CPU", () => {
    expect(run(pair(`${ready} mov x1, #1\n wfe\n mov x1, #2`, "sevl")).x(1, 1)).toBe(1n);
  });

  it("remembers SEV that comes before", () => {
    const wait = "mov x9, #8000\n late: sub x9, x9, #1\n cbnz x9, late\n";
    expect(run(pair(`${ready} ${wait} mov x1, #1\n wfe\n mov x1, #2\n wfe\n mov x1, #3`, "sev")).x(1, 1)).toBe(2n);
  });

  it("ends when another CPU's store clears the monitor", () => {
    const guest = run(
      pair(`add x3, x20, #64\n ldxr x4, [x3]\n ${ready} wfe\n ldr x1, [x3]`, "mov x9, #7\n str x9, [x20, #64]"),
    );
    expect(guest.x(1, 1)).toBe(7n);
  });

  it("does not end when another CPU only reads the marked line", () => {
    const guest = run(
      pair(`add x3, x20, #64\n ldxr x4, [x3]\n ${ready} mov x1, #1\n wfe\n mov x1, #2`, "ldr x9, [x20, #64]"),
    );
    expect(guest.x(1, 1)).toBe(1n);
  });

  it("does not end by an interrupt that PSTATE masks", () => {
    expect(run(pair(`${ready} mov x1, #1\n wfe\n mov x1, #2`, sendSgi)).x(1, 1)).toBe(1n);
  });

  it("ends by an interrupt that PSTATE lets through; its return leaves an event behind", () => {
    const guest = run(
      pair(`msr daifclr, #2\n ${ready} wfe\n mov x1, #1\n wfe\n mov x1, #2\n wfe\n mov x1, #3`, sendSgi),
    );
    expect(guest.registers(1, 1, 19)).toEqual([2n, 1n]);
  });
});

describe("the polling idiom SEVL, WFE, LDXR, compare, WFE", () => {
  it("sees the store that it waits for", () => {
    const guest = run(
      pair(
        `${ready} add x3, x20, #128
         sevl
        poll:
         wfe
         ldxr x4, [x3]
         cbz x4, poll
         clrex`,
        "mov x9, #5\n str x9, [x20, #128]",
      ),
    );
    expect(guest.x(1, 4)).toBe(5n);
    expect(guest.machine.state(1)).toBe(CpuState.WAITING);
  });
});
