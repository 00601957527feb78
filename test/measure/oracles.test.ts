// Oracles against histories written by hand: one that keeps the rule, and ones that break it.

import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import type { ObservedEvent } from "../../src/guest/observe.ts";
import type { Machine } from "../../src/machine/machine.ts";
import type { TraceRecord } from "../../src/machine/trace-log.ts";
import { NO_SOURCE, judge, oracles, type ObservedRun } from "../../src/measure/oracles/index.ts";
import type { Promises } from "../../src/policies/index.ts";
import { findTimingModel } from "../../src/timing/index.ts";

/** Cycle, CPU, event (with `.which`), values. */
type Told = readonly [cycle: number, cpu: number, event: string, ...values: number[]];

interface Story {
  readonly told: readonly Told[];
  readonly records?: readonly Partial<TraceRecord>[];
  readonly promises?: Promises;
  readonly active?: readonly number[];
  readonly stopped?: readonly number[];
  readonly raised?: ObservedRun["raised"];
  readonly end?: ObservedRun["end"];
  readonly missing?: readonly number[];
  readonly running?: readonly number[];
}

const BLOCK = 0x1000;
const END = 100_000_000;
/** Two threads a core; routines are 0x100 bytes each, the first of handlers. */
const describeAddress = (address: number): string => (address < 0x100 ? "nmi_handler+0x0" : "busy_work+0x8");

function runOf({
  told,
  records = [],
  promises = { end: "released" },
  active,
  stopped = [],
  ...rest
}: Story): ObservedRun {
  const { raised = [], missing = [], running = [] } = rest;
  const end = rest.end ?? { kind: "probe", probe: "requester:done", cpu: 0, cycle: END };
  const machine = {
    cycle: END,
    topology: { cpus: [0, 1, 2, 3].map((number) => ({ number, core: number >> 1 })) },
    image: { symbols: [{ name: "nmi_handler" }] },
    describe: describeAddress,
    cpu: (number: number) => ({
      state: running.includes(number) ? "RUNNING" : "WAITING",
      waitsIn: "HLT",
      at: "halt",
      pc: 0,
    }),
  };
  return {
    machine: machine as unknown as Machine,
    timing: findTimingModel("generic-x86"),
    end,
    completed: end.kind === "probe" && end.probe === "requester:done",
    promises,
    requests: [{ requester: 0, block: BLOCK, active: active && new Set(active), stopped }],
    history: {
      observations: told.map(([cycle, cpu, name, ...values]) => {
        const [event, which] = name.split(".");
        const mark = `routine:$${name}`;
        return { cycle, cpu, event: event as ObservedEvent, which, values: values.map((value) => BigInt(value)), mark };
      }),
      records: records.map((record) => ({ subject: 0, peer: 0, value: 0n, value2: 0n, ...record }) as TraceRecord),
    },
    raised,
    cpus: [0, 1, 2, 3],
    online: [0, 1, 2, 3],
    missing,
  };
}

/** The oracles that a story breaks, with what they say. */
function broken(story: Story): Record<string, string> {
  const results = judge(runOf(story)).filter(({ held }) => !held);
  return Object.fromEntries(results.map(({ name, detail }) => [name, detail]));
}

const asked: Told = [100, 0, "request", BLOCK];
const answered = (result = 0): Told => [900, 0, "answer", BLOCK, result];
const ran = (cpu: number, result = 0, cycle = 500): Told[] => [
  [cycle, cpu, "function_start", BLOCK],
  [cycle + 10, cpu, "function_end", result],
];
const stops: Promises = { end: "stopped" };

const kept: readonly [what: string, story: Story][] = [
  ["a function on two CPUs", { told: [asked, ...ran(1), ...ran(2), answered()], active: [1, 2] }],
  ["an error that a function returned", { told: [asked, ...ran(1, -5), ...ran(2), answered(-5)], active: [1, 2] }],
  ["a call that is refused", { told: [asked, answered(-22)], active: [1] }],
  [
    "an NMI that is raised, and served",
    {
      told: [
        [200, 0, "raise.stop", 1],
        [300, 1, "handle.stop"],
      ],
    },
  ],
  [
    "an NMI without a source that is called unknown",
    { told: [[300, 1, "unknown"]], raised: [{ cycle: 290, cpu: 1, source: NO_SOURCE }] },
  ],
  [
    "a list of CPUs that are left, of which one reports meanwhile",
    {
      told: [
        [290, 2, "ack"],
        [300, 0, "look", 1],
        [300, 1, "ack"],
        [310, 0, "say.failed_to_stop", 1],
        [320, 3, "say.failed_to_stop", 2],
      ],
    },
  ],
  [
    "a CPU that stops",
    {
      told: [
        [300, 1, "ack"],
        [310, 1, "park.hlt"],
      ],
      stopped: [1],
      promises: stops,
    },
  ],
  [
    "an NMI that is dropped behind the report",
    {
      told: [
        [300, 1, "ack"],
        [310, 1, "park.hlt"],
        [400, 1, "nmi_enter"],
        [401, 1, "drop"],
      ],
      stopped: [1],
      promises: stops,
    },
  ],
  [
    "a block that is used while it lives",
    {
      told: [
        [200, 0, "alive", 64, 16],
        [300, 1, "access", 72],
        [400, 0, "dead", 64],
      ],
    },
  ],
  [
    "an update while the sibling waits",
    {
      told: [
        [200, 1, "hold_start"],
        [300, 0, "update_start"],
        [400, 0, "update_end"],
        [500, 1, "hold_end"],
      ],
    },
  ],
  [
    "an update while the sibling sleeps",
    {
      told: [
        [300, 0, "update_start"],
        [400, 0, "update_end"],
      ],
      records: [{ kind: TraceKind.WAIT, cpu: 1, cycle: 50 }],
    },
  ],
  [
    "a note of what was interrupted",
    {
      told: [
        [300, 1, "note", 0x500],
        [310, 1, "ack"],
        [320, 1, "park.hlt"],
      ],
      records: [{ kind: TraceKind.INTERRUPT_TAKEN, cpu: 1, cycle: 290, value: 0x500n }],
      stopped: [1],
      promises: { ...stops, crashNotes: true },
    },
  ],
  [
    "a wait up to the limit, with what iterations take",
    { told: [asked, [2_500_000, 0, "answer", BLOCK, 0]], promises: { end: "released", boundUs: 1000 } },
  ],
];

const violations: readonly [what: string, story: Story, oracle: string, detail: RegExp][] = [
  [
    "a function that ran twice",
    { told: [asked, ...ran(1), ...ran(1, 0, 600), answered()], active: [1] },
    "exactly-once",
    /2 times on CPU 1/,
  ],
  [
    "one that did not run",
    { told: [asked, ...ran(1), answered()], active: [1, 2] },
    "exactly-once",
    /0 times on CPU 2/,
  ],
  [
    "one on a CPU that is no target",
    { told: [asked, ...ran(1), ...ran(3), answered()], active: [1] },
    "exactly-once",
    /CPU 3, no target/,
  ],
  [
    "one behind its call",
    { told: [asked, ...ran(1), answered(), ...ran(1, 0, 950)], active: [1] },
    "exactly-once",
    /outside of any call/,
  ],
  [
    "an error of nobody's",
    { told: [asked, ...ran(1, -22), ...ran(2, -16), answered(-6)], active: [1, 2] },
    "returned-error",
    /-6, which no function did: -22, -16/,
  ],
  [
    "an error that is lost",
    { told: [asked, ...ran(1, -22), answered(0)], active: [1] },
    "returned-error",
    /functions returned -22/,
  ],
  [
    "a report made twice",
    {
      told: [
        [300, 1, "ack"],
        [400, 1, "ack"],
      ],
    },
    "acknowledged-once",
    /CPU 1 reported 2 times/,
  ],
  [
    "work behind the report",
    {
      told: [
        [300, 1, "ack"],
        [400, 1, "work_end.flush"],
      ],
    },
    "quiescence",
    /came by work_end flush/,
  ],
  [
    "a handler behind the report",
    {
      told: [
        [300, 1, "ack"],
        [400, 1, "nmi_enter"],
        [410, 1, "handle.stop"],
      ],
    },
    "quiescence",
    /nmi_enter/,
  ],
  [
    "an NMI inside the function",
    {
      told: [
        [300, 1, "function_start", BLOCK],
        [310, 1, "nmi_enter"],
        [320, 1, "function_end", 0],
      ],
      promises: { end: "released", uninterrupted: true },
    },
    "uninterrupted",
    /CPU 1 took an NMI inside/,
  ],
  [
    "a block used when it is dead",
    {
      told: [
        [200, 0, "alive", 64, 16],
        [400, 0, "dead", 64],
        [500, 1, "access", 72],
      ],
    },
    "lifetime",
    /dead since 400/,
  ],
  ["a block that never was", { told: [[500, 1, "access", 0]] }, "lifetime", /nothing lives there/],
  [
    "a source that nobody serves",
    { told: [[200, 0, "raise.stop", 1]] },
    "sources-served",
    /stop, raised for CPU 1 .* never served/,
  ],
  [
    "a counter that nobody serves",
    { told: [], raised: [{ cycle: 200, cpu: 2, source: "pmu" }] },
    "sources-served",
    /pmu, raised for CPU 2/,
  ],
  ["an unknown NMI", { told: [[300, 1, "unknown"]] }, "sources-served", /was nobody's/],
  [
    "a list that names a CPU which had reported before",
    {
      told: [
        [290, 1, "ack"],
        [300, 0, "look", 1],
        [310, 0, "say.failed_to_stop", 1],
      ],
    },
    "who-is-left",
    /^failed_to_stop names CPU 1, which had reported 10 cycles before CPU 0 looked for 1$/,
  ],
  [
    "a sibling that goes on during an update",
    {
      told: [
        [200, 1, "hold_start"],
        [300, 0, "update_start"],
        [350, 1, "hold_end"],
        [400, 0, "update_end"],
      ],
    },
    "update-window",
    /CPU 1 executed outside of the rendezvous from cycle 350/,
  ],
  [
    "a sibling that is woken during an update",
    {
      told: [
        [300, 0, "update_start"],
        [400, 0, "update_end"],
      ],
      records: [
        { kind: TraceKind.WAIT, cpu: 1, cycle: 50 },
        { kind: TraceKind.WAKE, cpu: 1, cycle: 360 },
      ],
    },
    "update-window",
    /from cycle 360/,
  ],
  [
    "a note of the handler",
    {
      told: [[300, 1, "note", 0x20]],
      records: [{ kind: TraceKind.INTERRUPT_TAKEN, cpu: 1, cycle: 290, value: 0x500n }],
    },
    "crash-notes",
    /has nmi_handler\+0x0, but busy_work\+0x8 was interrupted/,
  ],
  [
    "two notes",
    {
      told: [
        [300, 1, "note", 0x500],
        [310, 1, "note", 0x500],
      ],
    },
    "crash-notes",
    /2 times/,
  ],
  [
    "no note where one is promised",
    { told: [[300, 1, "ack"]], promises: { ...stops, crashNotes: true } },
    "crash-notes",
    /without a crash note/,
  ],
  [
    "a CPU that goes on",
    { told: [], stopped: [1], promises: stops, running: [1] },
    "end-state",
    /CPU 1 has not stopped: is running at halt/,
  ],
  [
    "a CPU that reported and runs",
    { told: [[300, 1, "ack"]], stopped: [1], promises: stops, running: [1] },
    "end-state",
    /CPU 1 reported, but is running/,
  ],
  [
    "a wait beyond the limit",
    { told: [asked, [90_000_000, 0, "answer", BLOCK, 0]], promises: { end: "released", boundUs: 100 } },
    "bound",
    /took \d+ us, of 100 us/,
  ],
  [
    "a hang",
    { told: [asked], end: { kind: "reached" }, missing: [3], running: [3] },
    "completion",
    /CPU 3 is running at halt/,
  ],
];

describe("a run that keeps the rules", () => {
  it.each(kept)("%s", (_, story) => {
    expect(broken(story)).toEqual({});
  });
});

describe("a run that breaks a rule", () => {
  it.each(violations)("%s", (_, story, oracle, detail) => {
    expect(broken(story)[oracle]).toMatch(detail);
  });

  it("is known to each oracle", () => {
    expect([...new Set(violations.map(([, , oracle]) => oracle))].sort()).toEqual(
      oracles.map(({ name }) => name).sort(),
    );
  });
});
