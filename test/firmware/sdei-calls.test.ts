// The calls of SDEI (Arm DEN 0054C chapter 5), rule by rule: results, and the states of a handler (6.1.2).

import { describe, expect, it } from "vitest";
import {
  DENIED,
  INVALID_PARAMETERS,
  NOT_SUPPORTED,
  OUT_OF_RESOURCE,
  PENDING,
  SUCCESS,
  answers,
  ask,
  call,
  called,
  countingHandler,
  figures,
  kept,
  ready,
  wait,
  type CallsOptions,
} from "./calls.ts";
import { DATA, type Guest } from "../instructions/arm64/guest.ts";

const code = `${countingHandler}\n other: b other`;
const replies = (calls: readonly string[], options: CallsOptions = {}): bigint[] =>
  answers(calls, { code, ...options });

const register = (event: number, flags = 0, affinity: number | bigint = 0): string =>
  ask("EVENT_REGISTER", event, "handler", 0xabc, flags, affinity);
const enable = (event: number): string => ask("EVENT_ENABLE", event);
const disable = (event: number): string => ask("EVENT_DISABLE", event);
const unregister = (event: number): string => ask("EVENT_UNREGISTER", event);
const status = (event: number): string => ask("EVENT_STATUS", event);
const info = (event: number, item: number): string => ask("EVENT_GET_INFO", event, item);
const bind = (interrupt: number): string => ask("INTERRUPT_BIND", interrupt);
const release = (event: number): string => ask("INTERRUPT_RELEASE", event);
const route = (event: number, flags: number, affinity = 0): string => ask("EVENT_ROUTING_SET", event, flags, affinity);

/** Events of the machine: those that can be bound, private and shared, and the platform's critical ones. */
const [BOUND, SHARED, CRITICAL, CRITICAL_SHARED] = [1000, 2000, 3000, 4000] as const;
const NO_EVENT = 999;
const [PPI, SPI] = [20, 40] as const;

describe("SDEI, about the interface (DEN 0054C)", () => {
  it("5.1.1: VERSION is major in bits 62:48, minor in 47:32", () => {
    expect(replies([ask("SDEI_VERSION")])).toEqual([(1n << 48n) | (1n << 32n)]);
    expect(replies([ask("SDEI_VERSION")], { firmware: { sdei: "1.0" } })).toEqual([1n << 48n]);
  });

  it("without SDEI all its calls are NOT_SUPPORTED, and with it those that there aren't", () => {
    const some = [ask("SDEI_VERSION"), register(0), ask("PE_UNMASK"), ask("EVENT_COMPLETE", 0)];
    expect(replies(some, { firmware: { sdei: "none" } })).toEqual(Array(4).fill(NOT_SUPPORTED));
    expect(replies([ask(0xc400_0033, 0), ask(0x8400_0020)])).toEqual([NOT_SUPPORTED, NOT_SUPPORTED]);
  });

  it("5.1.17: FEATURES 0 counts the slots of bind, shared in bits 31:16, private in 15:0", () => {
    const firmware = { boundEvents: { private: 2, shared: 5 } };
    expect(replies([ask("SDEI_FEATURES", 0)], { firmware })).toEqual([0x5_0002n]);
  });

  it("5.1.17: FEATURES 1 says that there is relative mode, from version 1.1 on; others are INVALID_PARAMETERS", () => {
    expect(replies([ask("SDEI_FEATURES", 1), ask("SDEI_FEATURES", 2)])).toEqual([1n, INVALID_PARAMETERS]);
    expect(replies([ask("SDEI_FEATURES", 1)], { firmware: { sdei: "1.0" } })).toEqual([INVALID_PARAMETERS]);
  });
});

describe("SDEI EVENT_REGISTER (5.1.2)", () => {
  it("of event 0 succeeds once", () => {
    expect(replies([register(0), register(0), status(0)])).toEqual([SUCCESS, DENIED, 1n]);
  });

  it("is private to the PE", () => {
    const guest = called([`${register(0)}`, `${wait(200)} ${status(0)} ${register(0)}`], { code });
    expect([kept(guest, 0, 1), kept(guest, 1, 2)]).toEqual([[SUCCESS], [0n, SUCCESS]]);
  });

  it("of a shared event succeeds for one PE", () => {
    const guest = called([`${bind(SPI)} ${register(SHARED)}`, `${wait(200)} ${status(SHARED)} ${register(SHARED)}`], {
      code,
    });
    expect(kept(guest, 1, 2)).toEqual([1n, DENIED]);
  });

  it("of an unknown event is INVALID_PARAMETERS; so is one with more than 32 bits", () => {
    const long = ask("EVENT_REGISTER", 1n << 32n, "handler", 0, 0, 0);
    expect(replies([register(NO_EVENT), register(-1), long])).toEqual(Array(3).fill(INVALID_PARAMETERS));
  });

  it.each([
    ["misaligned", 0x4000_0002],
    ["data", DATA],
    ["nowhere", 0],
  ])("with an entry point that is %s is INVALID_PARAMETERS", (_, entry) => {
    expect(replies([ask("EVENT_REGISTER", 0, entry, 0, 0, 0)])).toEqual([INVALID_PARAMETERS]);
  });

  it("with unknown flags is INVALID_PARAMETERS", () => {
    expect(replies([register(0, 4), register(0, 1 << 31)])).toEqual([INVALID_PARAMETERS, INVALID_PARAMETERS]);
  });

  it("in relative mode is INVALID_PARAMETERS in version 1.0", () => {
    const relative = ask("EVENT_REGISTER", 0, 0x80, 0, 2, 0);
    expect(replies([relative])).toEqual([SUCCESS]);
    expect(replies([relative], { firmware: { sdei: "1.0" } })).toEqual([INVALID_PARAMETERS]);
  });

  it("of a shared event for a PE that isn't there is INVALID_PARAMETERS; private events ignore the affinity", () => {
    expect(replies([register(CRITICAL_SHARED, 1, 77), register(CRITICAL_SHARED, 1, 0), register(0, 1, 77)])).toEqual([
      INVALID_PARAMETERS,
      SUCCESS,
      SUCCESS,
    ]);
  });

  it("of an event that could be bound, and isn't, is DENIED", () => {
    expect(replies([register(BOUND), register(SHARED)])).toEqual([DENIED, DENIED]);
  });

  it("of a critical event needs no bind", () => {
    expect(replies([register(CRITICAL), register(CRITICAL_SHARED)])).toEqual([SUCCESS, SUCCESS]);
  });
});

describe("SDEI, states of a handler that isn't running (6.1.2)", () => {
  it.each([
    ["EVENT_ENABLE", enable],
    ["EVENT_DISABLE", disable],
    ["EVENT_UNREGISTER", unregister],
  ])("unregistered: %s is DENIED", (_, action) => {
    expect(replies([action(0), status(0)])).toEqual([DENIED, 0n]);
  });

  it("registered: may be enabled, disabled, unregistered", () => {
    expect(replies([register(0), disable(0), status(0), enable(0), status(0)])).toEqual([0n, 0n, 1n, 0n, 3n]);
    expect(replies([register(0), unregister(0), status(0)])).toEqual([0n, 0n, 0n]);
  });

  it("enabled: may be enabled again, disabled, unregistered, and not registered", () => {
    expect(replies([register(0), enable(0), enable(0), status(0), register(0), disable(0), status(0)])).toEqual([
      ...[0n, 0n, 0n, 3n, DENIED, 0n, 1n],
    ]);
    expect(replies([register(0), enable(0), unregister(0), status(0)])).toEqual([0n, 0n, 0n, 0n]);
  });

  it.each([
    ["EVENT_ENABLE", enable],
    ["EVENT_DISABLE", disable],
    ["EVENT_UNREGISTER", unregister],
    ["EVENT_STATUS", status],
    ["INTERRUPT_RELEASE", release],
  ])("of an unknown event, %s is INVALID_PARAMETERS", (_, action) => {
    expect(replies([action(NO_EVENT)])).toEqual([INVALID_PARAMETERS]);
  });

  it("CONTEXT, COMPLETE and COMPLETE_AND_RESUME without a running handler are DENIED", () => {
    const resume = ask("EVENT_COMPLETE_AND_RESUME", "other");
    expect(replies([ask("EVENT_CONTEXT", 0), ask("EVENT_COMPLETE", 0), resume])).toEqual([DENIED, DENIED, DENIED]);
  });
});

/** Results of calls that a handler of event 0 makes, then what the interrupted code finds. */
function fromHandler(calls: readonly string[], after: readonly string[] = []): bigint[] {
  const handler = `handler:\n ${calls.join("\n")}\n ${call("EVENT_COMPLETE", 0)}`;
  const guest = called([`${ready(0)} ${call("EVENT_SIGNAL", 0, 0)} ${wait(400)} ${after.join("\n")}`], {
    code: handler,
  });
  return kept(guest, 0, calls.length + after.length);
}

describe("SDEI, states of a running handler (6.1.2)", () => {
  it("STATUS shows registered, enabled, running", () => {
    expect(fromHandler([status(0)], [status(0)])).toEqual([7n, 3n]);
  });

  it("may be enabled and disabled, and stays so when it completes", () => {
    expect(fromHandler([enable(0), disable(0), status(0), enable(0), status(0)], [status(0)])).toEqual([
      ...[0n, 0n, 5n, 0n, 7n, 3n],
    ]);
    expect(fromHandler([disable(0)], [status(0)])).toEqual([0n, 1n]);
  });

  it("UNREGISTER is PENDING, and so again; the handler goes on and completes to unregistered", () => {
    expect(fromHandler([unregister(0), status(0), unregister(0), status(0)], [status(0)])).toEqual([
      ...[PENDING, 4n, PENDING, 4n, 0n],
    ]);
  });

  it("unregistered while running: may not be registered, enabled or disabled; its context is there", () => {
    expect(fromHandler([unregister(0), register(0), enable(0), disable(0), ask("EVENT_CONTEXT", 17)])).toEqual([
      ...[PENDING, DENIED, DENIED, DENIED, 0n],
    ]);
  });

  it("REGISTER is DENIED", () => {
    expect(fromHandler([register(0)])).toEqual([DENIED]);
  });

  it("5.1.5: CONTEXT of X18 and beyond is INVALID_PARAMETERS", () => {
    expect(fromHandler([ask("EVENT_CONTEXT", 18), ask("EVENT_CONTEXT", 1n << 32n)])).toEqual([
      INVALID_PARAMETERS,
      INVALID_PARAMETERS,
    ]);
  });

  it("COMPLETE_AND_RESUME to where no code is, is DENIED, and the handler goes on", () => {
    expect(fromHandler([ask("EVENT_COMPLETE_AND_RESUME", DATA), status(0)])).toEqual([DENIED, 7n]);
  });

  it("PRIVATE_RESET is DENIED, and unregisters", () => {
    expect(fromHandler([ask("PRIVATE_RESET"), status(0)])).toEqual([DENIED, 4n]);
  });
});

describe("SDEI EVENT_GET_INFO (5.1.10)", () => {
  const items = [0, 1, 2, 3, 4];

  it("of event 0: private, can be signalled, normal, no routing", () => {
    expect(replies(items.map((item) => info(0, item)))).toEqual([0n, 1n, 0n, INVALID_PARAMETERS, INVALID_PARAMETERS]);
  });

  it("of a critical private event", () => {
    expect(replies(items.slice(0, 3).map((item) => info(CRITICAL, item)))).toEqual([0n, 0n, 1n]);
  });

  it("of a shared event: routing is DENIED until it is registered", () => {
    expect(replies([bind(SPI), ...items.map((item) => info(SHARED, item))])).toEqual([
      2000n,
      1n,
      0n,
      0n,
      DENIED,
      DENIED,
    ]);
  });

  it("of a shared event that is registered for any PE: mode 0, no affinity", () => {
    expect(replies([bind(SPI), register(SHARED), info(SHARED, 3), info(SHARED, 4)])).toEqual([
      ...[2000n, 0n, 0n, INVALID_PARAMETERS],
    ]);
  });

  it("of a shared event that is registered for one PE: mode 1, its MPIDR", () => {
    expect(replies([bind(SPI), register(SHARED, 1, 1), info(SHARED, 3), info(SHARED, 4)], { cpus: 2 })).toEqual([
      ...[2000n, 0n, 1n, 1n],
    ]);
  });

  it("of an unknown item or event is INVALID_PARAMETERS", () => {
    expect(replies([info(0, 5), info(NO_EVENT, 0)])).toEqual([INVALID_PARAMETERS, INVALID_PARAMETERS]);
  });
});

describe("SDEI EVENT_ROUTING_SET (5.1.11)", () => {
  it("of a shared event that is registered and disabled", () => {
    const calls = [
      bind(SPI),
      register(SHARED),
      route(SHARED, 1, 1),
      info(SHARED, 3),
      info(SHARED, 4),
      route(SHARED, 0),
    ];
    expect(replies([...calls, info(SHARED, 3)], { cpus: 2 })).toEqual([2000n, 0n, 0n, 1n, 1n, 0n, 0n]);
  });

  it("in other states is DENIED", () => {
    expect(replies([bind(SPI), route(SHARED, 0), register(SHARED), enable(SHARED), route(SHARED, 0)])).toEqual([
      ...[2000n, DENIED, 0n, 0n, DENIED],
    ]);
  });

  it("of a private, unbound or unknown event, with unknown flags, or to nobody is INVALID_PARAMETERS", () => {
    const calls = [route(0, 0), route(SHARED, 0), route(NO_EVENT, 0), bind(SPI), register(SHARED)];
    expect(replies([...calls, route(SHARED, 2), route(SHARED, 1, 77)])).toEqual([
      ...[
        INVALID_PARAMETERS,
        INVALID_PARAMETERS,
        INVALID_PARAMETERS,
        2000n,
        0n,
        INVALID_PARAMETERS,
        INVALID_PARAMETERS,
      ],
    ]);
  });
});

describe("SDEI PE_MASK and PE_UNMASK (5.1.12, 5.1.13)", () => {
  it("PEs start masked: MASK returns 1 only where it changes something", () => {
    expect(replies([ask("PE_MASK"), ask("PE_UNMASK"), ask("PE_UNMASK"), ask("PE_MASK"), ask("PE_MASK")])).toEqual([
      ...[0n, SUCCESS, SUCCESS, 1n, 0n],
    ]);
  });
});

describe("SDEI INTERRUPT_BIND and RELEASE (5.1.14, 5.1.15)", () => {
  it("a PPI gives a private event, an SPI a shared one", () => {
    expect(replies([bind(PPI), info(BOUND, 0), bind(SPI), info(SHARED, 0)])).toEqual([1000n, 0n, 2000n, 1n]);
  });

  it("of what is bound returns its event", () => {
    expect(replies([bind(PPI), bind(PPI + 1), bind(PPI)])).toEqual([1000n, 1001n, 1000n]);
  });

  it.each([0, 15, 1020, 2 ** 20])("of INTID %d, an SGI or none, is INVALID_PARAMETERS", (interrupt) => {
    expect(replies([bind(interrupt)])).toEqual([INVALID_PARAMETERS]);
  });

  it("of an interrupt of the platform's own events is INVALID_PARAMETERS", () => {
    expect(replies([bind(17), bind(96)])).toEqual([INVALID_PARAMETERS, INVALID_PARAMETERS]);
  });

  it("is OUT_OF_RESOURCE when all slots are taken", () => {
    const firmware = { boundEvents: { private: 1, shared: 2 } };
    expect(replies([20, 21, 40, 41, 42].map(bind), { firmware })).toEqual([
      ...[1000n, OUT_OF_RESOURCE, 2000n, 2001n, OUT_OF_RESOURCE],
    ]);
  });

  it("RELEASE frees the slot; again, it is INVALID_PARAMETERS", () => {
    expect(replies([bind(PPI), release(BOUND), release(BOUND), bind(21)])).toEqual([
      ...[1000n, SUCCESS, INVALID_PARAMETERS, 1000n],
    ]);
  });

  it("RELEASE of what is registered, on any PE, is DENIED", () => {
    const guest = called([`${bind(PPI)} ${register(BOUND)}`, `${wait(300)} ${release(BOUND)}`], { code });
    expect(kept(guest, 1, 1)).toEqual([DENIED]);
    expect(replies([bind(PPI), register(BOUND), release(BOUND), unregister(BOUND), release(BOUND)])).toEqual([
      ...[1000n, 0n, DENIED, 0n, SUCCESS],
    ]);
  });

  it("RELEASE of event 0 and of critical events is INVALID_PARAMETERS", () => {
    expect(replies([release(0), release(CRITICAL), release(CRITICAL_SHARED)])).toEqual(
      Array(3).fill(INVALID_PARAMETERS),
    );
  });
});

describe("SDEI EVENT_SIGNAL (5.1.16)", () => {
  it("of another event than 0 is INVALID_PARAMETERS", () => {
    expect(replies([ask("EVENT_SIGNAL", CRITICAL, 0), ask("EVENT_SIGNAL", NO_EVENT, 0)])).toEqual([
      INVALID_PARAMETERS,
      INVALID_PARAMETERS,
    ]);
  });

  it("to an affinity that nobody has is INVALID_PARAMETERS", () => {
    expect(replies([ask("EVENT_SIGNAL", 0, 2), ask("EVENT_SIGNAL", 0, 1n << 40n)], { cpus: 2 })).toEqual([
      INVALID_PARAMETERS,
      INVALID_PARAMETERS,
    ]);
  });
});

describe("SDEI PRIVATE_RESET and SHARED_RESET (5.1.18, 5.1.19)", () => {
  it("PRIVATE_RESET unregisters the PE's private events, and leaves bindings and shared ones", () => {
    const calls = [
      bind(PPI),
      register(BOUND),
      enable(BOUND),
      register(0),
      register(CRITICAL_SHARED),
      ask("PRIVATE_RESET"),
    ];
    const found = replies([...calls, status(BOUND), status(0), status(CRITICAL_SHARED), bind(PPI)]);
    expect(found.slice(5)).toEqual([SUCCESS, 0n, 0n, 1n, 1000n]);
  });

  it("SHARED_RESET unregisters shared events and releases what is bound, of both kinds", () => {
    const calls = [bind(PPI), bind(SPI), register(SHARED), register(0), ask("SHARED_RESET")];
    const found = replies([...calls, status(SHARED), status(0), release(BOUND), release(SHARED)]);
    expect(found.slice(4)).toEqual([SUCCESS, 0n, 1n, INVALID_PARAMETERS, INVALID_PARAMETERS]);
  });

  it("SHARED_RESET is DENIED while a private event that is bound is registered somewhere", () => {
    expect(replies([bind(PPI), register(BOUND), ask("SHARED_RESET")]).at(-1)).toBe(DENIED);
  });
});

describe("the lock of an event", () => {
  const cost = (guest: Guest, cpu: number): number => Number(guest.x(cpu, 20) - guest.x(cpu, 19));
  const timed = (text: string): string => `mrs x19, cntvct_el0\n ${text} mrs x20, cntvct_el0`;
  const same = (text: string): number[] => {
    const guest = called([text, text, text].map(timed), { code });
    return [1, 2].map((cpu) => cost(guest, cpu) - cost(guest, 0));
  };

  it("serialises calls about a shared event", () => {
    expect(same(call("EVENT_STATUS", CRITICAL_SHARED))).toEqual([figures.sdeiLock, 2 * figures.sdeiLock]);
  });

  it("serialises registrations of a private one, which are counted, and nothing else of it", () => {
    expect(same(call("EVENT_REGISTER", 0, "handler", 0, 0, 0))).toEqual([figures.sdeiLock, 2 * figures.sdeiLock]);
    expect(same(call("EVENT_STATUS", 0))).toEqual([0, 0]);
  });
});
