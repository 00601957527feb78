// In what firmware differs: signals to PEs that aren't ready (arm64-interrupts reference, 6.6), and events that are open when
// their PE powers off, or that have been completed (scenario S24).

import { describe, expect, it } from "vitest";
import { CpuState } from "../../src/abi.ts";
import { AllstopError } from "../../src/errors.ts";
import {
  findPersonality,
  personalities,
  personalityOf,
  type FirmwareChoice,
  type Personality,
} from "../../src/firmware/index.ts";
import { sgi, send } from "../instructions/arm64/gic.ts";
import { openInterrupts, type Guest } from "../instructions/arm64/guest.ts";
import {
  INVALID_PARAMETERS,
  SUCCESS,
  answers,
  ask,
  call,
  called,
  countingHandler,
  entriesOf,
  keepRegister,
  kept,
  notes,
  ready,
  wait,
} from "./calls.ts";

const register = call("EVENT_REGISTER", 0, "handler", 0xabc, 0, 0);
const enable = call("EVENT_ENABLE", 0);
const unmask = call("PE_UNMASK");

/** What a PE is like that is signalled. */
const targets = {
  unregistered: unmask,
  "registered, not enabled": register + unmask,
  masked: register + enable,
  ready: register + enable + unmask,
} as const;
type Target = keyof typeof targets;

interface Outcome {
  /** What EVENT_SIGNAL returned. */
  readonly result: bigint;
  /** Dispatches at once, and after the target has made itself ready. */
  readonly atOnce: number;
  readonly later: number;
  /** Whether the target gets an SGI afterwards, and RPR. */
  readonly hears: boolean;
  readonly priority: bigint;
}

function outcomeOf(guest: Guest): Outcome {
  const [result = 0n] = kept(guest, 0, 1);
  const [first = 0n, last = 0n, id = 0n, priority = 0n] = kept(guest, 1, 4);
  const count = (at: bigint): number => Number((at - first) / 32n);
  return { result, atOnce: count(last), later: entriesOf(guest, 1).length - count(last), hears: id === 5n, priority };
}
/** CPU 0 signals CPU 1 in some state, which then makes itself ready, and is sent an SGI. */
function signal(target: Target, firmware: FirmwareChoice): Outcome {
  const program = `${openInterrupts(1)} ${notes(1)} ${keepRegister("x27")} ${targets[target]} ${wait(700)} ${keepRegister("x27")}
    ${register} ${enable} ${unmask} ${wait(700)} mrs x19, icc_iar1_el1\n ${keepRegister("x19")} mrs x19, icc_rpr_el1\n ${keepRegister("x19")}`;
  return outcomeOf(
    called([`${wait(450)} ${ask("EVENT_SIGNAL", 0, 1)} ${wait(600)} ${send(sgi(5, 2))}`, program], {
      firmware,
      code: countingHandler,
    }),
  );
}

const well = { result: SUCCESS, hears: true, priority: 0n } as const;

describe.each([
  // Before v2.13, and later: the table of 6.6.
  ["tf-a-2.12", "unregistered", { ...well, atOnce: 0, later: 0 }],
  ["tf-a-2.12", "registered, not enabled", { ...well, atOnce: 0, later: 1 }],
  ["tf-a-2.12", "masked", { result: SUCCESS, atOnce: 0, later: 0, hears: false, priority: 0n }],
  ["tf-a-2.12", "ready", { ...well, atOnce: 1, later: 0 }],
  ["tf-a-2.13", "unregistered", { ...well, result: INVALID_PARAMETERS, atOnce: 0, later: 0 }],
  ["tf-a-2.13", "registered, not enabled", { ...well, result: INVALID_PARAMETERS, atOnce: 0, later: 0 }],
  ["tf-a-2.13", "masked", { ...well, result: INVALID_PARAMETERS, atOnce: 0, later: 0 }],
  ["tf-a-2.13", "ready", { ...well, atOnce: 1, later: 0 }],
  // As specified: pending until the PE is ready.
  ["compliant", "unregistered", { ...well, atOnce: 0, later: 1 }],
  ["compliant", "registered, not enabled", { ...well, atOnce: 0, later: 1 }],
  ["compliant", "masked", { ...well, atOnce: 0, later: 1 }],
  ["compliant", "ready", { ...well, atOnce: 1, later: 0 }],
] as const)("%s, EVENT_SIGNAL to a PE that is %s", (firmware, target, wanted) => {
  it(`returns ${wanted.result}; ${wanted.atOnce} dispatched at once, ${wanted.later} later; it ${wanted.hears ? "hears" : "is deaf"} then`, () => {
    expect(signal(target, firmware)).toEqual(wanted);
  });
});

describe("a masked PE, by switch", () => {
  it.each([
    ["reject", { signalCheck: "ready", maskedSignal: "lost" }, { ...well, result: INVALID_PARAMETERS, later: 0 }],
    ["lose", { maskedSignal: "lost" }, { ...well, later: 0 }],
    ["keep pending", { maskedSignal: "pending" }, { ...well, later: 1 }],
    ["wedge", { maskedSignal: "wedge" }, { ...well, later: 0, hears: false }],
  ] as const)("%s", (_, firmware, wanted) => {
    expect(signal("masked", firmware)).toEqual({ atOnce: 0, ...wanted });
  });

  it("that is wedged stays so: unmasked, signalled again, or masked and unmasked", () => {
    const guest = called(
      [
        `${wait(450)} ${call("EVENT_SIGNAL", 0, 1)} ${wait(400)} ${ask("EVENT_SIGNAL", 0, 1)} ${send(sgi(5, 2))}`,
        `${openInterrupts(1)} ${notes(1)} ${register} ${enable} ${wait(500)} ${unmask} ${wait(800)} ${call("PE_MASK")} ${unmask} ${wait(200)}
         mrs x19, icc_iar1_el1\n mrs x20, icc_rpr_el1`,
      ],
      { firmware: "tf-a-2.12", code: countingHandler },
    );
    expect([kept(guest, 0, 1), entriesOf(guest, 1).length, guest.x(1, 19), guest.x(1, 20)]).toEqual([
      ...[[SUCCESS], 0, 1023n, 0n],
    ]);
  });

  it("that is wedged can still take critical events", () => {
    const guest = called(
      [
        `${wait(450)} ${call("EVENT_SIGNAL", 0, 1)}`,
        `${notes(1)} ${register} ${enable} ${call("EVENT_REGISTER", 3000, "handler", 3, 0, 0)} ${call("EVENT_ENABLE", 3000)} ${wait(500)} ${unmask}`,
      ],
      { firmware: "tf-a-2.12", code: countingHandler, cycles: 2500 },
    );
    guest.machine.core.triggerEvent(1, 3000, 3000n);
    guest.run(4000);
    expect(entriesOf(guest, 1).map(({ event }) => event)).toEqual([3000n]);
  });
});

describe("a PE that masks between the signaller's check and the arrival of the signal", () => {
  /** How a race ends in which CPU 1 masks itself at about the time when CPU 0 signals it. */
  function race(delay: number, firmware: FirmwareChoice): { result: bigint; dispatched: number; hears: boolean } {
    const guest = called(
      [
        `${wait(450)} ${ask("EVENT_SIGNAL", 0, 1)} ${wait(400)} ${send(sgi(5, 2))}`,
        `${openInterrupts(1)} ${ready(1)} ${wait(300)} ${"nop\n".repeat(delay)} ${call("PE_MASK")} ${wait(700)} mrs x19, icc_iar1_el1`,
      ],
      { firmware, code: countingHandler },
    );
    const [result = 0n] = kept(guest, 0, 1);
    return { result, dispatched: entriesOf(guest, 1).length, hears: guest.x(1, 19) === 5n };
  }

  const delays = Array.from({ length: 13 }, (_, index) => index * 25);

  it("is wedged by Trusted Firmware-A even with its check, and by no other timing", () => {
    const outcomes = delays.map((delay) => race(delay, "tf-a-2.13"));
    const kinds = new Set(outcomes.map(({ result, dispatched, hears }) => `${result} ${dispatched} ${hears}`));
    // Masked first: refused. In between: accepted, lost, deaf. Signalled first: dispatched.
    expect([...kinds].sort()).toEqual(
      [`${INVALID_PARAMETERS} 0 true`, `${SUCCESS} 0 false`, `${SUCCESS} 1 true`].sort(),
    );
  });

  it("is unharmed where masked PEs lose signals", () => {
    const outcomes = delays.map((delay) => race(delay, { signalCheck: "ready", maskedSignal: "lost" }));
    expect(outcomes.every(({ hears }) => hears)).toBe(true);
  });
});

/** How a handler of event 0 ends on a CPU that is being stopped. */
const endings = {
  "park, event left open": "b park",
  "CPU_OFF with the event open": call("CPU_OFF"),
  "complete, then CPU_OFF": call("EVENT_COMPLETE_AND_RESUME", "off"),
  "complete, then park": call("EVENT_COMPLETE_AND_RESUME", "parked"),
} as const;

/** CPU 1's handler ends in some way; then CPU 0 sets up SDEI anew, as a crash kernel does. */
function stopBy(
  ending: keyof typeof endings,
  firmware: FirmwareChoice,
): { reset: boolean; state: CpuState; calls: bigint[] } {
  const guest = called(
    [
      `${wait(450)} ${call("EVENT_SIGNAL", 0, 1)} ${wait(1500)} ${ask("PRIVATE_RESET")} ${ask("SHARED_RESET")} mov x26, #1`,
      `${ready(1)} spin: b spin`,
    ],
    { firmware, code: `handler: ${endings[ending]}\n off: ${call("CPU_OFF")} b park\n parked: b park` },
  );
  return { reset: guest.x(0, 26) === 1n, state: guest.machine.state(1), calls: kept(guest, 0, 2) };
}

/** Parked: in WFI. In the firmware for good: blocked. */
const { OFFLINE, WAITING, BLOCKED } = CpuState;

describe.each([
  ["compliant", "park, event left open", true, WAITING],
  ["compliant", "CPU_OFF with the event open", true, OFFLINE],
  ["compliant", "complete, then CPU_OFF", true, OFFLINE],
  ["compliant", "complete, then park", true, WAITING],
  // QEMU with TF-A: only the open event lets the crash kernel boot.
  ["dangling-dispatch", "park, event left open", true, WAITING],
  ["dangling-dispatch", "CPU_OFF with the event open", false, OFFLINE],
  ["dangling-dispatch", "complete, then CPU_OFF", false, OFFLINE],
  ["dangling-dispatch", "complete, then park", false, WAITING],
  // NVIDIA Grace.
  ["complete-breaks", "park, event left open", true, WAITING],
  ["complete-breaks", "complete, then CPU_OFF", true, BLOCKED],
  ["complete-breaks", "complete, then park", true, WAITING],
] as const)("S24, %s: %s", (firmware, ending, resets, state) => {
  it(`${resets ? "SDEI can be set up anew" : "setting SDEI up anew hangs"}; the PE is ${CpuState[state]}`, () => {
    const outcome = stopBy(ending, firmware);
    expect([outcome.reset, outcome.state]).toEqual([resets, state]);
    if (resets) expect(outcome.calls).toEqual([SUCCESS, SUCCESS]);
  });
});

describe("CPU_OFF with an event open, by switch (DEN 0054C 6.3)", () => {
  /** CPU 1 powers off in its handler, comes back, makes itself ready, and is signalled and interrupted again. */
  function comeBack(firmware: FirmwareChoice): { state: CpuState; dispatched: number; hears: boolean } {
    const guest = called(
      [
        `${wait(450)} ${call("EVENT_SIGNAL", 0, 1)} ${wait(600)} ${call("CPU_ON", 1, "again", 0)} ${wait(1000)} ${call("EVENT_SIGNAL", 0, 1)} ${send(sgi(5, 2))}`,
        `${ready(1)} spin: b spin`,
      ],
      {
        firmware,
        code: `handler: ${call("CPU_OFF")}\n again: ${openInterrupts(1)} ${call("EVENT_REGISTER", 0, "second", 0, 0, 0)} ${enable} ${unmask}
          mov x19, #1\n ${wait(1200)} mrs x21, icc_iar1_el1\n b park\n second: mov x20, #1\n ${call("EVENT_COMPLETE", 0)}`,
      },
    );
    return { state: guest.machine.state(1), dispatched: Number(guest.x(1, 20)), hears: guest.x(1, 21) === 5n };
  }

  it("close: the dispatch ends with the PE's power", () => {
    expect(comeBack("compliant")).toEqual({ state: WAITING, dispatched: 1, hears: true });
  });

  it("dangle: event 0 stays active in the redistributor, so that the PE gets none any more", () => {
    expect(comeBack("tf-a-2.13")).toEqual({ state: WAITING, dispatched: 0, hears: true });
  });

  it("wedge: the PE stays in the firmware, and CPU_ON finds it on", () => {
    expect(comeBack({ openCpuOff: "wedge" })).toEqual({ state: BLOCKED, dispatched: 0, hears: false });
  });
});

describe("EVENT_GET_INFO, item 1 (5.1.10)", () => {
  it("is 1 for event 0 as specified; Trusted Firmware-A has it the other way round", () => {
    const asked = [ask("EVENT_GET_INFO", 0, 1), ask("EVENT_GET_INFO", 3000, 1)];
    expect(answers(asked)).toEqual([1n, 0n]);
    expect(answers(asked, { firmware: "tf-a-2.13" })).toEqual([0n, 1n]);
  });
});

describe("personalities, by name", () => {
  const thrownBy = (body: () => unknown): AllstopError => {
    try {
      body();
    } catch (error) {
      if (error instanceof AllstopError) return error;
    }
    throw new Error("nothing thrown");
  };

  it("have names of their own, titles and sources; the default is the compliant one", () => {
    expect(new Set(personalities.map(({ name }) => name)).size).toBe(personalities.length);
    expect(personalities.every(({ title, source }: Personality) => title !== "" && source !== "")).toBe(true);
    expect(personalityOf()).toBe(findPersonality("compliant"));
  });

  it("with a switch of one's own are named by it", () => {
    const { name, maskedSignal, signalCheck } = personalityOf({ personality: "tf-a-2.13", maskedSignal: "lost" });
    expect({ name, maskedSignal, signalCheck }).toEqual({
      name: "tf-a-2.13 with maskedSignal lost",
      maskedSignal: "lost",
      signalCheck: "ready",
    });
  });

  it.each([
    ["tf-a", "NAME_UNKNOWN", /compliant, tf-a-2.12/],
    [{ maskedSignal: "gone" }, "OPTION_INVALID", /found "gone"; allowed: pending, lost, wedge/],
    [{ masked: "lost" }, "OPTION_INVALID", /found "masked"; allowed: conduit, .*criticalEvents/],
    [{ boundEvents: { private: 7, shared: 0 } }, "OPTION_INVALID", /up to 7 together/],
    [{ boundEvents: { private: 0, shared: 1.5 } }, "OPTION_INVALID", /whole numbers/],
  ])("%j is refused", (choice, code, message) => {
    const thrown = thrownBy(() => personalityOf(choice as FirmwareChoice));
    expect(thrown.code).toBe(code);
    expect(thrown.message).toMatch(message);
  });
});
