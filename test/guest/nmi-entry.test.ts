// The x86 NMI handler against the rules of reference/linux-stop-paths.md, section 2, and the sends of section 1, seen from outside.

import { describe, expect, it } from "vitest";
import { TraceKind, X86Vector } from "../../src/abi.ts";
import {
  addressOf,
  array,
  bind,
  cast,
  codeOf,
  global,
  i32,
  nothing,
  offsetOf,
  ptr,
  routine,
  u32,
  u64,
  x64,
  type Builder,
  type Operand,
} from "../../src/asm/index.ts";
import { X64Regs } from "../../src/guest/entry/regs.ts";
import { sendIpi, sendIpiAllButSelf, sendIpiMask } from "../../src/guest/irqchip/controller.ts";
import { apicSendNmiToOfflineCpu } from "../../src/guest/irqchip/shorthand.ts";
import { CpuMask } from "../../src/guest/lib/mask.ts";
import { requestsDone } from "../../src/guest/load/requester.ts";
import { relaxFor } from "../../src/guest/load/work.ts";
import { triggerAllCpuBacktrace } from "../../src/guest/nmi/backtrace.ts";
import { NMI_FLAG_FIRST, NmiAction, NmiHandled, NmiLocal, NmiType, nmi } from "../../src/guest/nmi/data.ts";
import { microcodeNmiHandler, microcodeOfflineNmiHandler, pollCrashIpi } from "../../src/guest/nmi/entry.ts";
import {
  localTouchNmi,
  registerNmiHandler,
  restartNmi,
  setEmergencyNmiHandler,
  stopNmi,
  unregisterNmiHandler,
} from "../../src/guest/nmi/handlers.ts";
import { counters, local } from "../../src/guest/percpu.ts";
import type { ScenarioInput } from "../../src/scenario/document.ts";
import { prepareNmi, type NmiOptions, type PreparedNmi } from "./nmi-run.ts";

type Document = Omit<ScenarioInput, "format">;

/** Long enough for whatever an NMI does. */
const SETTLED = 100_000;

/** What handlers of the tests note: an array of letters, in the order of the calls. */
const calls = global("test_calls", array(u32, 64), { align: 64 });
const callCount = global("test_call_count", u32, {});
const results = global("test_results", array(i32, 8), { align: 64 });
/** What the handlers return, and how long they take: written by the host. */
const answers = global("test_answers", array(i32, 8), { align: 64 });
const turns = global("test_turns", array(u64, 8), { align: 64 });

function note(k: Builder, letter: Operand<"u32">): void {
  k.set(calls.at(callCount), letter);
  k.set(callCount, callCount.add(1));
}

/** A handler that notes its number, takes its time, and answers as it is told. */
function handlerOf(number: number) {
  return routine(`test_handler_${number}`, [{ type: u32 }, { regs: ptr(X64Regs) }], i32, (k, { type }) => {
    note(k, type.add(10 * number));
    relaxFor(k, turns.at(number));
    k.return(answers.at(number));
  });
}

const handlers = [0, 1, 2, 3].map(handlerOf);
const actions = handlers.map((handler, number) =>
  global(`test_action_${number}`, NmiAction, {
    initial: { handler, flags: number === 3 ? NMI_FLAG_FIRST : 0 },
    align: 64,
  }),
);
const actionOf = (number: number) => addressOf(actions[number] as NonNullable<(typeof actions)[number]>);

/** A machine whose requester has gone on to `body`, as far as it goes without the host. */
async function after(body: (k: Builder) => void, options: NmiOptions & { document?: Document } = {}): Promise<Bench> {
  const main = routine("test_main", [], nothing, (k) => {
    body(k);
    k.mark("end");
    k.set(callCount, callCount);
  });
  const { document = {}, bindings = [], ...rest } = options;
  const prepared = await prepareNmi(
    { machine: { architecture: "x86-64", cpus: 4 }, ...document },
    { ...rest, bindings: [bind(requestsDone, main), ...bindings] },
  );
  prepared.machine.probe("test_main:end", { break: true, record: false });
  prepared.machine.run(prepared.limit);
  prepared.machine.run(prepared.limit);
  const bench = new Bench(prepared);
  bench.settle();
  return bench;
}

type Field =
  | "state"
  | "swallow_nmi"
  | "normal"
  | "unknown"
  | "external"
  | "swallow"
  | "idt_calls"
  | "idt_seq"
  | "idt_nmi_seq"
  | "idt_ignored";

class Bench {
  readonly #prepared: PreparedNmi;
  constructor(prepared: PreparedNmi) {
    this.#prepared = prepared;
  }
  get machine(): PreparedNmi["machine"] {
    return this.#prepared.machine;
  }
  settle(cycles = SETTLED): void {
    this.machine.run(this.machine.cycle + cycles);
  }
  nmi(cpu: number, delay = 1): void {
    this.machine.sendInterrupt(cpu, { kind: "nmi" }, { cycle: this.machine.cycle + delay });
  }
  overflow(cpu: number): void {
    this.machine.signalLocalInterrupt(cpu, "performance-counter");
  }
  field(cpu: number, name: Field): number {
    const { perCpuStart, perCpuStride } = this.machine.image;
    return this.machine.readUint32(perCpuStart + cpu * perCpuStride + nmi.symbol.offset + offsetOf(NmiLocal, name));
  }
  /** Several of a CPU's fields that aren't 0. */
  counts(cpu: number): Partial<Record<Field, number>> {
    const names: Field[] = ["normal", "unknown", "external", "swallow", "idt_ignored", "state"];
    return Object.fromEntries(
      names.map((name) => [name, this.field(cpu, name)] as const).filter(([, value]) => value !== 0),
    );
  }
  nmis(cpu: number): number {
    const { perCpuStart, perCpuStride } = this.machine.image;
    const offset = counters.symbol.offset + 8;
    return Number(this.machine.readUint64(perCpuStart + cpu * perCpuStride + offset));
  }
  set(symbol: string, index: number, value: number, bytes: 4 | 8 = 4): void {
    const address = this.machine.address(symbol) + bytes * index;
    if (bytes === 4) this.machine.writeUint32(address, value >>> 0);
    else this.machine.writeUint64(address, BigInt(value));
  }
  read(symbol: string, index = 0): number {
    return this.machine.readUint32(this.machine.address(symbol) + 4 * index) | 0;
  }
  get called(): number[] {
    return Array.from({ length: this.read("test_call_count") }, (_, index) => this.read("test_calls", index));
  }
  /** Events in the order of time. */
  events(cpu?: number): string[] {
    return this.#prepared
      .readHistory()
      .observations.filter((one) => cpu === undefined || one.cpu === cpu)
      .map(({ event, which }) => (which === undefined ? event : `${event}.${which}`));
  }
}

function register(...numbers: readonly number[]): (k: Builder) => void {
  return (k) => {
    numbers.forEach((number, place) => {
      k.set(results.at(place), k.call(registerNmiHandler, NmiType.Local, actionOf(number)));
    });
  };
}

describe("whose NMI it is", () => {
  it("a counter's overflow is normal, and the next one comes, too", async () => {
    const bench = await after(() => undefined);
    for (const normal of [1, 2]) {
      bench.overflow(1);
      bench.settle();
      expect(bench.counts(1)).toEqual({ normal });
    }
    expect(bench.events(1).slice(-3)).toEqual(["nmi_enter", "handle.pmu", "nmi_leave"]);
  });

  it("one that nobody claims is unknown, and told so; the CPU goes on", async () => {
    const bench = await after(() => undefined);
    bench.nmi(2);
    bench.settle();
    expect(bench.counts(2)).toEqual({ unknown: 1 });
    expect(bench.events(2).slice(-4)).toEqual(["nmi_enter", "unknown", "say.unknown_nmi", "nmi_leave"]);
    expect(bench.machine.cpu(2)).toMatchObject({ state: "WAITING", waitsIn: "MWAIT" });
    // Odd sequence numbers would tell of a handler that hangs.
    expect([bench.field(2, "idt_seq"), bench.field(2, "idt_nmi_seq"), bench.field(2, "idt_calls")]).toEqual([2, 2, 1]);
  });

  it("is panicked at, if the kernel is told to", async () => {
    const bench = await after(() => undefined, { parameters: { unknownNmiPanic: 1 } });
    bench.nmi(2);
    bench.settle();
    expect(bench.events(2).slice(-2)).toEqual(["say.unknown_nmi", "say.nmi_panic"]);
    expect(bench.field(2, "state")).toBe(1);
  });

  it("SERR# is the chipset's: external, and its line is disabled for good", async () => {
    const bench = await after(() => undefined);
    bench.machine.raiseSystemNmi("serr");
    bench.settle();
    bench.machine.raiseSystemNmi("serr");
    bench.settle();
    expect(bench.counts(0)).toEqual({ external: 1 });
    expect(bench.events(0).slice(-4)).toEqual(["nmi_enter", "handle.serr", "say.dazed_and_confused_serr", "nmi_leave"]);
  });

  it(
    "IOCHK# is disabled for two seconds, which the CPU spends there, and works again",
    { timeout: 60_000 },
    async () => {
      const bench = await after(() => undefined);
      bench.machine.raiseSystemNmi("iochk");
      const from = bench.machine.cycle;
      const clockMhz = 2500;
      bench.settle(1.9 * clockMhz * 1e6);
      expect(bench.field(0, "state")).toBe(1);
      expect(bench.read("nmi_reason_lock")).toBe(1);
      bench.settle(0.6 * clockMhz * 1e6);
      expect(bench.counts(0)).toEqual({ external: 1 });
      expect(bench.machine.cycle).toBeGreaterThan(from);
      bench.machine.raiseSystemNmi("iochk");
      bench.settle();
      expect(bench.nmis(0)).toBe(2);
    },
  );
});

describe("handlers", () => {
  it("all of a type are called, the first ones first; the sum of what they have served counts", async () => {
    const bench = await after(register(0, 1, 3));
    bench.set("test_answers", 0, 1);
    bench.nmi(2);
    bench.settle();
    // In tens: who was called, with type NMI_LOCAL.
    expect(bench.called).toEqual([30, 0, 10]);
    expect(bench.counts(2)).toEqual({ normal: 1 });
  });

  it("of NMI_UNKNOWN are asked last, and may claim it", async () => {
    const bench = await after((k) => {
      k.call(registerNmiHandler, NmiType.Unknown, actionOf(0));
    });
    bench.set("test_answers", 0, 1);
    bench.nmi(2);
    bench.settle();
    expect(bench.called).toEqual([NmiType.Unknown]);
    expect(bench.counts(2)).toEqual({ unknown: 1 });
    expect(bench.events(2)).not.toContain("say.unknown_nmi");
  });

  it("an action that is on a list already is refused with -EINVAL and a warning; a second one for SERR# is warned of", async () => {
    const bench = await after((k) => {
      k.set(results.at(0), k.call(registerNmiHandler, NmiType.Local, actionOf(0)));
      k.set(results.at(1), k.call(registerNmiHandler, NmiType.Local, actionOf(0)));
      k.set(results.at(2), counters.here.warnings.to(i32));
      k.set(results.at(3), k.call(registerNmiHandler, NmiType.Serr, actionOf(1)));
      k.set(results.at(4), k.call(registerNmiHandler, NmiType.Serr, actionOf(2)));
      k.set(results.at(5), counters.here.warnings.to(i32));
    });
    expect([0, 1, 2, 3, 4, 5].map((place) => bench.read("test_results", place))).toEqual([0, -22, 1, 0, 0, 2]);
  });

  it("that are taken from the list are not called any more, and may be put there again", async () => {
    const bench = await after((k) => {
      register(0, 1, 2)(k);
      k.call(unregisterNmiHandler, NmiType.Local, actionOf(1));
      k.set(results.at(0), k.call(registerNmiHandler, NmiType.Local, actionOf(1)));
      k.call(unregisterNmiHandler, NmiType.Local, actionOf(0));
    });
    bench.nmi(2);
    bench.settle();
    expect(bench.called).toEqual([20, 10]);
    expect(bench.read("test_results")).toBe(0);
  });

  it("an emergency handler takes the place of all of its type", async () => {
    const bench = await after((k) => {
      register(0)(k);
      k.call(setEmergencyNmiHandler, NmiType.Local, codeOf(handlers[2] as (typeof handlers)[number]));
    });
    bench.set("test_answers", 2, 1);
    bench.overflow(2);
    bench.settle();
    expect(bench.called).toEqual([20]);
    expect(bench.counts(2)).toEqual({ normal: 1 });
    // Nobody has served the counter, which stays masked.
    bench.overflow(2);
    bench.settle();
    expect(bench.nmis(2)).toBe(1);
  });

  it("that take longer than a millisecond are told of", async () => {
    const bench = await after(register(0));
    bench.set("test_answers", 0, 1);
    bench.set("test_turns", 0, 100_000, 8);
    bench.nmi(2);
    bench.settle(20_000_000);
    expect(bench.events(2)).toContain("say.nmi_handler_took_too_long");
  });

  it("those of microcode updates are asked before the lists, and may keep it", async () => {
    const claims = routine("test_claims", { regs: ptr(X64Regs) }, u32, (k) => {
      note(k, 99);
      k.return(1);
    });
    const bench = await after(register(0), { bindings: [bind(microcodeNmiHandler, claims)] });
    bench.nmi(2);
    bench.settle();
    expect(bench.called).toEqual([99]);
    expect(bench.counts(2)).toEqual({});
  });
});

describe("two in a row", () => {
  it("an unclaimed one behind one with two events is swallowed, at the same place only", async () => {
    for (const touched of [false, true]) {
      const touching = routine(
        `test_touching_${String(touched)}`,
        [{ type: u32 }, { regs: ptr(X64Regs) }],
        i32,
        (k) => {
          k.set(callCount, callCount.add(1));
          relaxFor(k, 200);
          if (touched) k.call(localTouchNmi);
          // Two events the first time, then none.
          k.if(callCount.eq(1), () => k.return(2));
          k.return(0);
        },
      );
      const action = global(`test_touching_action_${String(touched)}`, NmiAction, {
        initial: { handler: touching },
        align: 64,
      });
      const bench = await after((k) => {
        k.call(registerNmiHandler, NmiType.Local, addressOf(action));
      });
      bench.nmi(2);
      bench.nmi(2, 4000);
      bench.settle();
      expect(bench.nmis(2)).toBe(2);
      expect(bench.counts(2)).toEqual(touched ? { normal: 2, unknown: 1 } : { normal: 2, swallow: 1 });
      // The idle loop goes round between NMIs, so the next is no pair with these.
      bench.nmi(2);
      bench.settle();
      expect(bench.field(2, "unknown")).toBe(touched ? 2 : 1);
    }
  });
});

describe("an NMI inside an NMI", () => {
  it("after an IRET in the handler any number become one more run, and the CPU goes on where it was", async () => {
    const breaking = routine("test_breaking", [{ type: u32 }, { regs: ptr(X64Regs) }], i32, (k) => {
      k.set(callCount, callCount.add(1));
      k.arch({ x64: (a) => void a.int3() });
      relaxFor(k, 1000);
      k.return(NmiHandled.Handled);
    });
    const action = global("test_breaking_action", NmiAction, { initial: { handler: breaking }, align: 64 });
    const bench = await after(
      (k) => {
        k.call(registerNmiHandler, NmiType.Local, addressOf(action));
      },
      { document: { load: { common: "idle", particular: [{ cpus: "2", kind: "busy" }] } } },
    );
    bench.nmi(2);
    for (const delay of [3000, 6000, 9000]) bench.nmi(2, delay);
    bench.settle(400_000);
    expect(bench.nmis(2)).toBe(4);
    expect(bench.events(2).filter((event) => event === "drop")).toHaveLength(3);
    expect(bench.read("test_call_count")).toBe(2);
    expect(bench.counts(2)).toEqual({ normal: 2 });
    expect(bench.machine.cpu(2).at).toMatch(/busy_work|relax/);
  });

  it("without an IRET one more is latched by the processor, and others are lost", async () => {
    const bench = await after(register(0));
    bench.set("test_answers", 0, 1);
    bench.set("test_turns", 0, 1000, 8);
    bench.nmi(2);
    for (const delay of [3000, 6000, 9000]) bench.nmi(2, delay);
    bench.settle(400_000);
    expect(bench.nmis(2)).toBe(2);
    expect(bench.events(2)).not.toContain("drop");
    expect(bench.counts(2)).toEqual({ normal: 2 });
  });
});

describe("what an NMI leaves as it was", () => {
  it("CR2 and DR7; breakpoints are off meanwhile", async () => {
    const spoiling = routine("test_spoiling", [{ type: u32 }, { regs: ptr(X64Regs) }], i32, (k) => {
      const dr7 = k.arch({ x64: (a, { result }) => void a.movFromDr(result, 7) }, { uses: {}, result: u64 });
      k.set(results.at(0), dr7.to(u32).to(i32));
      k.set(results.at(1), local.here.preempt_count.to(i32));
      k.arch({ x64: (a) => void a.mov(x64.eax, 0x1234).movToCr(2, x64.rax) }, { clobbers: { x64: ["rax"] } });
      k.return(NmiHandled.Handled);
    });
    const action = global("test_spoiling_action", NmiAction, { initial: { handler: spoiling }, align: 64 });
    const bench = await after((k) => {
      k.call(registerNmiHandler, NmiType.Local, addressOf(action));
      k.arch(
        { x64: (a) => void a.mov(x64.eax, 0x5678).movToCr(2, x64.rax).mov(x64.eax, 0x1_0400).movToDr(7, x64.rax) },
        { clobbers: { x64: ["rax"] } },
      );
      k.call(sendIpi, local.here.cpu, X86Vector.NMI);
      relaxFor(k, 2000);
      const cr2 = k.arch({ x64: (a, { result }) => void a.movFromCr(result, 2) }, { uses: {}, result: u64 });
      const dr7 = k.arch({ x64: (a, { result }) => void a.movFromDr(result, 7) }, { uses: {}, result: u64 });
      k.set(results.at(2), cr2.to(u32).to(i32));
      k.set(results.at(3), dr7.to(u32).to(i32));
      k.set(results.at(4), local.here.preempt_count.to(i32));
    });
    expect([0, 2, 3].map((place) => bench.read("test_results", place))).toEqual([0x400, 0x5678, 0x1_0400]);
    expect(bench.read("test_results", 1) - bench.read("test_results", 4)).toBe((1 << 20) + (1 << 16));
    expect(bench.counts(0)).toEqual({ normal: 1 });
  });
});

describe("who takes none", () => {
  const load: Document = { load: { common: "idle", particular: [{ cpus: "3", kind: "offline-hlt" }] } };

  it("a CPU that is offline drops it; nothing but the calls is counted", async () => {
    const bench = await after(register(0), { document: load });
    bench.nmi(3);
    bench.settle();
    expect(bench.events(3)).toEqual(["nmi_enter", "drop", "nmi_leave"]);
    expect(bench.called).toEqual([]);
    expect([bench.counts(3), bench.field(3, "idt_calls"), bench.field(3, "idt_seq")]).toEqual([{}, 1, 0]);
    expect(bench.machine.cpu(3)).toMatchObject({ state: "WAITING", waitsIn: "HLT" });
  });

  it("but for microcode's handler there", async () => {
    const claims = routine("test_claims_offline", {}, u32, (k) => {
      note(k, 77);
      k.return(1);
    });
    const bench = await after(() => undefined, {
      document: load,
      bindings: [bind(microcodeOfflineNmiHandler, claims)],
    });
    bench.nmi(3);
    bench.nmi(2);
    bench.settle();
    expect(bench.called).toEqual([77]);
    expect(bench.events(3)).toEqual(["nmi_enter", "nmi_leave"]);
  });

  it("none is dispatched between stop_nmi() and restart_nmi()", async () => {
    const bench = await after((k) => {
      register(0)(k);
      k.call(stopNmi);
      k.call(sendIpi, local.here.cpu, X86Vector.NMI);
      relaxFor(k, 2000);
      k.call(restartNmi);
    });
    bench.set("test_answers", 0, 1);
    expect(bench.counts(0)).toEqual({ idt_ignored: 1 });
    bench.nmi(0);
    bench.settle();
    expect(bench.called).toEqual([0]);
    expect(bench.counts(0)).toEqual({ idt_ignored: 1, normal: 1 });
  });

  it("a CPU that waits for the reason port looks for a crash meanwhile", async () => {
    const poll = routine("test_poll", { regs: ptr(X64Regs) }, nothing, (k) => {
      k.set(callCount, callCount.add(1));
    });
    const bench = await after(() => undefined, { bindings: [bind(pollCrashIpi, poll)] });
    bench.set("nmi_reason_lock", 0, 1);
    bench.nmi(2);
    bench.settle();
    expect(bench.read("test_call_count")).toBeGreaterThan(10);
    expect(bench.field(2, "state")).toBe(1);
    // A counter's overflow doesn't need the port.
    bench.overflow(1);
    bench.settle();
    expect(bench.counts(1)).toEqual({ normal: 1 });
  });
});

describe("sends", () => {
  const all = Array.from({ length: 40 }, (_, cpu) => cpu);
  const nmiReached = (bench: Bench, cpus: readonly number[]): number[] => cpus.filter((cpu) => bench.nmis(cpu) > 0);

  it.each(["x2apic", "xapic"] as const)("NMIs to a mask reach its CPUs, once each, by %s", async (localApic) => {
    const mask = global("test_mask", array(u64, 1024), { section: "arena", align: 64 });
    const members = [1, 3, 17, 33, 39];
    const bench = await after(
      (k) => {
        for (const cpu of members) k.setBit(addressOf(mask), cpu);
        k.call(sendIpiMask, cast(addressOf(mask), CpuMask), X86Vector.NMI);
      },
      { document: { machine: { architecture: "x86-64", cpus: 40 } }, localApic },
    );
    expect(all.map((cpu) => bench.nmis(cpu))).toEqual(all.map((cpu) => (members.includes(cpu) ? 1 : 0)));
    const sent = [...bench.machine.trace].filter(({ kind, cpu }) => kind === TraceKind.INTERRUPT_SENT && cpu === 0);
    expect(sent.length).toBeGreaterThan(0);
  });

  it("an NMI to oneself is an ordinary send", async () => {
    const bench = await after((k) => k.call(sendIpi, local.here.cpu, X86Vector.NMI));
    expect(nmiReached(bench, [0, 1, 2, 3])).toEqual([0]);
  });

  const offline: Document = { load: { common: "idle", particular: [{ cpus: "3", kind: "offline-hlt" }] } };
  const never: Document = {
    load: {
      common: "idle",
      particular: [
        { cpus: "2", kind: "never-started" },
        { cpus: "3", kind: "offline-hlt" },
      ],
    },
  };
  const toAllOthers = (k: Builder): void => k.call(sendIpiAllButSelf, X86Vector.NMI);

  it("to all others go by shorthand when every CPU has been booted: those that are offline get it, too", async () => {
    const bench = await after(toAllOthers, { document: offline });
    expect(bench.read("apic_use_ipi_shorthand")).toBe(1);
    expect(nmiReached(bench, [0, 1, 2, 3])).toEqual([1, 2, 3]);
    expect(bench.events(3)).toEqual(["nmi_enter", "drop", "nmi_leave"]);
  });

  it("else, or when told not to broadcast, to those that are online only", async () => {
    for (const options of [{ document: never }, { document: offline, parameters: { noIpiBroadcast: 1 } }]) {
      const bench = await after(toAllOthers, options);
      expect(bench.read("apic_use_ipi_shorthand")).toBe(0);
      expect(bench.nmis(3)).toBe(0);
      expect(bench.nmis(1)).toBe(1);
    }
  });

  it("go nowhere on a machine of one CPU", async () => {
    const bench = await after(toAllOthers, { document: { machine: { architecture: "x86-64", cpus: 1 } } });
    expect(bench.nmis(0)).toBe(0);
  });

  it("to CPUs that are offline need a driver that can, and a CPU that has booted; else a warning", async () => {
    const body = (k: Builder): void => {
      k.call(apicSendNmiToOfflineCpu, 2);
      k.call(apicSendNmiToOfflineCpu, 3);
    };
    const bench = await after(body, { document: never });
    expect([bench.nmis(2), bench.nmis(3)]).toEqual([0, 1]);
    expect(bench.events(0).filter((event) => event === "say.cannot_nmi_offline_cpu")).toHaveLength(1);
    const xapic = await after(body, { document: offline, localApic: "xapic" });
    expect([xapic.nmis(2), xapic.nmis(3)]).toEqual([0, 0]);
  });
});

describe("backtraces of all CPUs", () => {
  const ask = (k: Builder): void => k.set(results.at(0), k.call(triggerAllCpuBacktrace).to(i32));

  it("come from everybody, by NMI", async () => {
    const bench = await after(ask);
    for (const cpu of [1, 2, 3]) {
      expect(bench.events(cpu).filter((event) => event.startsWith("handle"))).toEqual(["handle.backtrace"]);
      expect(bench.counts(cpu)).toEqual({ normal: 1 });
    }
    expect(bench.nmis(0)).toBe(0);
    expect(bench.read("test_results")).toBeGreaterThan(9990);
  });

  it("are waited for ten thousand milliseconds, and no longer", { timeout: 60_000 }, async () => {
    const bench = await after(ask, {
      document: { faults: { delivery: [{ cpus: "2", kind: "nmi", lost: 1 }] }, limitUs: 13_000_000 },
    });
    expect(bench.read("test_results")).toBe(0);
    expect(bench.events(2).filter((event) => event.startsWith("handle"))).toEqual([]);
    expect(bench.events(3)).toContain("handle.backtrace");
  });
});
