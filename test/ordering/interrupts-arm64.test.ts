// A store, then an interrupt or a call of the firmware: what the handler reads of the store. What isn't a memory access is ordered
// behind stores by DSB alone (Arm ARM DDI 0487 B2.3.7; Arm IHI 0069H 12.1.6); a store to a device is one, so DMB orders it too.

import { describe, expect, it } from "vitest";
import { GICR_BASE, GICR_STRIDE } from "../../src/abi.ts";
import { call, figures as firmwareFigures, ready } from "../firmware/calls.ts";
import { SGI_FRAME } from "../instructions/arm64/gic.ts";
import { DATA, Guest, openInterrupts, park, setVectors, vectors } from "../instructions/arm64/guest.ts";
import { plainTiming } from "../support/plain-timing.ts";
import { ROUNDS, core, offsets, settings, staleRounds, type Setting } from "./rounds.ts";

const { owned, done, ready: isReady, results } = offsets;
const SGI = 3;

interface Signal {
  /** Before the flag is stored. */
  readonly prepare: (mpidr: number) => string;
  /** Behind the barrier. */
  readonly send: string;
  /** What makes CPU 1 ready. */
  readonly open: string;
  /** How the handler, for an interrupt `irq`, for an event `handler`, begins and ends. */
  readonly handler: (body: string) => string;
}

const ofInterrupts = {
  open: `${openInterrupts(1)} msr daifclr, #2`,
  handler: (body: string) => `irq: mrs x10, icc_iar1_el1\n ${body}\n msr icc_eoir1_el1, x10\n eret\n handler: nop`,
};

/** ICC_SGI1R_EL1: Aff3 to Aff1 of the target, the INTID, a list of Affinity 0 values. */
const sgi: Signal = {
  ...ofInterrupts,
  prepare: (mpidr) => {
    const affinities = (BigInt(mpidr & 0xff0000) << 16n) | (BigInt(mpidr & 0xff00) << 8n);
    return `li x3, #${affinities | (BigInt(SGI) << 24n) | (1n << BigInt(mpidr & 0xff))}`;
  },
  send: "msr icc_sgi1r_el1, x3",
};

const redistributorOfCpu1 = GICR_BASE + GICR_STRIDE + SGI_FRAME;

/** A store to GICR_ISPENDR0 of the target: a memory access. */
const pendingBit: Signal = {
  ...ofInterrupts,
  prepare: () => `li x4, #${redistributorOfCpu1 + 0x200}\n mov w3, #${1 << SGI}`,
  send: "str w3, [x4]",
};

const sdei: Signal = {
  open: ready(1),
  handler: (body) => `irq: nop\n handler: ${body}\n ${call("EVENT_COMPLETE", 0)}`,
  prepare: (mpidr) => {
    const [functionId = ""] = call("EVENT_SIGNAL").split("smc");
    return `mov x1, #0\n li x2, #${mpidr}\n ${functionId}`;
  },
  send: "smc #0",
};

const keepFlag = `
  ldr x11, [x20]
  ldr x12, [x20, #${done}]
  add x13, x20, x12, lsl #3
  str x11, [x13, #${results}]
  add x12, x12, #1
  str x12, [x20, #${done}]
`;

function sender({ prepare, send }: Signal, barrier: string, mpidr: number): string {
  return `
sender:
  li x20, #${DATA}
  mov x8, #0
round:
  add x8, x8, #1
await_owned:
  ldr x9, [x20, #${owned}]
  cmp x9, x8
  b.ne await_owned
  mov x9, #13
  mul x9, x9, x8
  and x9, x9, #63
  add x9, x9, #1
skew:
  sub x9, x9, #1
  cbnz x9, skew
  ${prepare(mpidr)}
  str x8, [x20]
  ${barrier}
  ${send}
await_done:
  ldr x9, [x20, #${done}]
  cmp x9, x8
  b.ne await_done
  cmp x8, #${ROUNDS}
  b.ne round
  b park
`;
}

/** Takes the flag's line to write it, in every other round only to read it. */
const hold = `
hold:
  mov x8, #0
turn:
  add x8, x8, #1
  ldr x9, [x20]
  and x9, x8, #1
  cbz x9, held
  ldadd xzr, x9, [x20]
held:
  mov x9, #20
pause:
  sub x9, x9, #1
  cbnz x9, pause
  str x8, [x20, #${owned}]
finish:
  ldr x9, [x20, #${done}]
  cmp x9, x8
  b.ne finish
  cmp x8, #${ROUNDS}
  b.ne turn
  b park
`;

function staleOn(signal: Signal, barrier: string, { topology, figures, holder, seed }: Setting): number {
  const mpidr = topology.cpus[1]?.mpidr ?? 0;
  const guest = new Guest(
    `
    ${sender(signal, barrier, mpidr)}
    receiver: ${setVectors}
    ${signal.open}
    li x20, #${DATA}
    mov x9, #1
    str x9, [x20, #${isReady}]
    b ${holder === 1 ? "hold" : "park"}
    third: li x20, #${DATA}
    await_ready: ldr x9, [x20, #${isReady}]
    cbz x9, await_ready
    ${hold}
    ${signal.handler(keepFlag)}
    ${park}
    ${vectors({ irq: "irq" })}`,
    { core, topology, timing: plainTiming("arm64", { ...firmwareFigures, ...figures }) },
  );
  guest.machine.core.setPerturbation(seed);
  guest.start("sender", "receiver", holder === 2 ? "third" : undefined).run(2_000_000);
  return staleRounds(guest.machine, DATA);
}

/** Rounds with a stale flag, over all settings. */
function stale(signal: Signal, barrier: string): number {
  return settings("arm64").reduce((sum, setting) => sum + staleOn(signal, barrier, setting), 0);
}

describe.each([
  ["an SGI by ICC_SGI1R_EL1 (Arm IHI 0069H 12.1.6)", sgi],
  ["an event by SDEI EVENT_SIGNAL (Arm DEN 0054C 5.1.16; SMC is no barrier, Arm ARM B2.3.7)", sdei],
])("%s", (_, signal) => {
  it.each(["", "dmb ishst", "dmb ish", "dmb sy", "dsb ishld", "isb"])(
    "may overtake the flag's store behind '%s'",
    (barrier) => {
      expect(stale(signal, barrier)).toBeGreaterThan(0);
    },
  );

  it.each(["dsb ishst", "dsb ish", "dsb sy", "dsb oshst"])("never does behind '%s'", (barrier) => {
    expect(stale(signal, barrier)).toBe(0);
  });
});

describe("an SGI made pending by a store to GICR_ISPENDR0 (Arm ARM DDI 0487 B2.3.7)", () => {
  it.each(["", "dmb ld"])("may overtake the flag's store behind '%s'", (barrier) => {
    expect(stale(pendingBit, barrier)).toBeGreaterThan(0);
  });

  it.each(["dmb oshst", "dmb osh", "dsb st"])("never does behind '%s'", (barrier) => {
    expect(stale(pendingBit, barrier)).toBe(0);
  });

  it("never does as a store-release (Arm ARM DDI 0487 B2.3.6)", () => {
    expect(stale({ ...pendingBit, send: "stlr w3, [x4]" }, "")).toBe(0);
  });
});
