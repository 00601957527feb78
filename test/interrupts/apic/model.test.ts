// The local APICs of a machine against a simple model of them (model.ts), over random programs: every value that is read,
// every #GP, and every interrupt that is taken, to the cycle.

import { describe, expect, it } from "vitest";
import { Counter, LocalInterrupt, Probe, StopReason, TraceKind } from "../../../src/abi.ts";
import { accelerationNames } from "../../../src/machine/accelerations.ts";
import { buildTopology } from "../../../src/topology/index.ts";
import { RAX, RDX } from "../../instructions/x86-64/code.ts";
import { BareMachine, PAGE_RW, PAGE_RX, type TraceRecord } from "../../support/bare-machine.ts";
import { plainTiming } from "../../support/plain-timing.ts";
import { Random } from "../../support/random.ts";
import { X64 } from "../../support/x64.ts";
import { ModelApic, type Message, type Mode, type Surroundings } from "./model.ts";
import { loadTables, writeTables } from "./tables.ts";
import { OperationWriter, emitHandlers, type Step } from "./random-operations.ts";

const CODE = 0x1_0000;
const CODE_BYTES = 0x2_0000;
const STACKS = 0x9_0000;
const UNTIL = 40_000;
const OPERATIONS = 50;
const SEEDS = Number(process.env["ALLSTOP_SEEDS"] ?? 40);
const NMI = 2;
const PROTECTION = 13;

const sources: readonly (readonly [LocalInterrupt, number | undefined])[] = [
  [LocalInterrupt.LINT0, 0x350],
  [LocalInterrupt.LINT1, 0x360],
  [LocalInterrupt.PERFORMANCE_COUNTER, 0x340],
  [LocalInterrupt.THERMAL, 0x330],
  [LocalInterrupt.CMCI, 0x2f0],
  [LocalInterrupt.SPURIOUS, undefined],
];

interface Pulse {
  readonly cycle: bigint;
  readonly cpu: number;
  readonly source: LocalInterrupt;
  readonly offset: number | undefined;
}

interface Experiment {
  readonly mode: Mode;
  readonly around: Surroundings;
  readonly pulses: readonly Pulse[];
  readonly steps: readonly (readonly Step[])[];
  readonly trace: readonly TraceRecord[];
  /** The probe of an address: its number is what records name. */
  readonly places: ReadonlyMap<number, number>;
}

function experiment(seed: number): Experiment {
  const random = new Random(seed);
  const mode = random.pick(["xapic", "x2apic"] as const);
  const apicIds = random.pick([
    [0, 1, 2],
    [0, 1, 18],
    [3, 5, 33, 34],
    [0, 0x40],
  ]);
  const crystalKhz = random.pick([1_000_000, 250_000, 333_000, 24_000]);
  const [latency, selfLatency, gap] = [random.between(5, 300), random.between(2, 60), random.between(1, 90)];
  const timing = plainTiming("x86-64", {
    ...{ interrupt: latency, selfInterrupt: selfLatency, interruptGap: gap },
    ...{ apicTimerClock: crystalKhz, exceptionEntry: random.between(1, 20), relax: random.between(1, 9) },
  });
  const topology = buildTopology({ packages: 1, coresPerLlc: apicIds.length, apicIds });
  // The same is to be seen whatever the accelerations.
  const accelerations = Object.fromEntries(accelerationNames.map((name) => [name, random.chance(75)]));
  const options = { topology, timing, accelerations, localApic: mode, traceRecords: 1 << 16 };
  const machine = new BareMachine({ architecture: "x86-64", ...options });
  // Without an APIC, LINT0 is the input of an 8259's interrupts, which this platform doesn't have.
  const mayDisable = random.chance(60);
  const steps = load(machine, random, apicIds, mode, mayDisable);
  const pulses = Array.from({ length: random.between(0, 25) }, (): Pulse => {
    const [source, offset] = random.pick(mayDisable ? sources.slice(1) : sources);
    return { cycle: BigInt(random.between(100, 8000)), cpu: random.between(0, apicIds.length - 1), source, offset };
  });
  for (const { cycle, cpu, source } of pulses) machine.core.signalLocalInterrupt(cpu, source, cycle);
  const places = setProbes(machine, steps.flat());
  machine.core.setTraceMask((1 << TraceKind.PROBE) | (1 << TraceKind.INTERRUPT_TAKEN) | (1 << TraceKind.EXCEPTION));
  machine.run(UNTIL);
  expect(machine.counter(Counter.STOP_REASON)).toBe(BigInt(StopReason.NONE));
  const around: Surroundings = {
    ids: apicIds,
    ...{ latency: BigInt(latency), selfLatency: BigInt(selfLatency), gap: BigInt(gap) },
    crystal: { cycles: 1_000_000n, clocks: BigInt(crystalKhz) },
  };
  return { mode, around, pulses, steps, trace: machine.drain(), places };
}

/** Programs, handlers and tables; starts the CPUs. */
function load(machine: BareMachine, random: Random, ids: readonly number[], mode: Mode, mayDisable: boolean): Step[][] {
  const code = new X64(CODE);
  emitHandlers(code);
  const writers = ids.map((_, cpu) => {
    code.label(`cpu${cpu}`);
    loadTables(code);
    const writer = new OperationWriter(code, random, cpu, ids, mode, mayDisable);
    writer.prepare();
    for (let left = OPERATIONS; left > 0; left--) writer.some();
    writer.dump();
    code.label(`end${cpu}`).jump(`end${cpu}`);
    return writer;
  });
  const bytes = code.finish();
  machine.map(CODE, CODE_BYTES, PAGE_RX);
  machine.map(STACKS, 0x8000, PAGE_RW);
  machine.write(CODE, bytes);
  writeTables(machine, code, (vector) => (vector === PROTECTION ? "protection" : "interrupt"));
  ids.forEach((_, cpu) =>
    machine.start(cpu, code.addressOf(`cpu${cpu}`), { stack: STACKS + (cpu + 1) * 0x1000, cycle: BigInt(1 + 7 * cpu) }),
  );
  return writers.map(({ steps }) => steps);
}

/** At each instruction under observation, and at the one behind it: RAX and RDX. */
function setProbes(machine: BareMachine, steps: readonly Step[]): Map<number, number> {
  const places = new Map<number, number>();
  for (const { address, operation } of steps) {
    for (const place of [address, address + lengthOf(operation)]) {
      places.set(machine.core.setProbe(BigInt(place), Probe.RECORD, RAX | (RDX << 8)), place);
    }
  }
  return places;
}

function lengthOf({ kind }: Step["operation"]): number {
  if (kind === "close") return 1;
  return kind === "read-cr8" || kind === "write-cr8" ? 4 : 2;
}

/** What happens by itself, in the order of time; of one cycle in any. */
class World {
  readonly apics: readonly ModelApic[];
  readonly #messages: Message[] = [];
  readonly #pulses: Pulse[];

  constructor({ around, mode, pulses }: Experiment) {
    this.apics = around.ids.map((_, cpu) => new ModelApic(cpu, mode, around));
    this.#pulses = pulses.toSorted((a, b) => Number(a.cycle - b.cycle));
  }

  /** Everything up to a cycle, that included: instructions of the cycle come behind. */
  advance(cycle: bigint): void {
    while (true) {
      const message = this.#messages.toSorted((a, b) => Number(a.arrival - b.arrival))[0];
      const pulse = this.#pulses[0];
      const timer = this.apics
        .filter(({ nextExpiry }) => nextExpiry !== undefined)
        .sort((a, b) => Number((a.nextExpiry ?? 0n) - (b.nextExpiry ?? 0n)))[0];
      const times = [message?.arrival, pulse?.cycle, timer?.nextExpiry].filter((time) => time !== undefined);
      const next = times.reduce<bigint | undefined>(
        (least, time) => (least === undefined || time < least ? time : least),
        undefined,
      );
      if (next === undefined || next > cycle) return;
      if (message?.arrival === next) {
        this.#messages.splice(this.#messages.indexOf(message), 1);
        this.apics[message.to]?.receive(message);
      } else if (pulse?.cycle === next) {
        this.#pulses.shift();
        this.apics[pulse.cpu]?.pulse(pulse.offset);
      } else timer?.expire();
    }
  }

  send(messages: readonly Message[]): void {
    this.#messages.push(...messages);
  }
}

/** What the model says of an instruction: that it raises #GP, or what it reads; undefined when it reads nothing. */
function perform(world: World, apic: ModelApic, { operation }: Step, record: TraceRecord): bigint | "#GP" | undefined {
  const { cycle, value: rax, value2: rdx } = record;
  const written = ((rdx & 0xffff_ffffn) << 32n) | (rax & 0xffff_ffffn);
  const sent = (messages: Message[] | undefined): "#GP" | undefined => {
    world.send(messages ?? []);
    return messages === undefined ? "#GP" : undefined;
  };
  switch (operation.kind) {
    case "rdmsr":
      return operation.msr === 0x6e0 ? apic.deadline : (apic.readMsr(operation.msr, cycle) ?? "#GP");
    case "wrmsr":
      if (operation.msr === 0x1b) return apic.writeBase(written) ? undefined : "#GP";
      if (operation.msr === 0x6e0) return void apic.writeDeadline(written, cycle);
      return sent(apic.writeMsr(operation.msr, written, cycle));
    case "load":
      return BigInt(apic.load(operation.offset, cycle));
    case "store":
      return sent(apic.store(operation.offset, Number(rax & 0xffff_ffffn), cycle));
    case "read-cr8":
      return BigInt(apic.tpr >> 4);
    case "write-cr8":
      apic.tpr = Number(rax & 15n) << 4;
      return undefined;
    case "close":
      // Interrupts are open when CLI starts: what can be taken has been, which compare() looks at.
      return undefined;
  }
}

function result({ kind }: Step["operation"], { value: rax, value2: rdx }: TraceRecord): bigint {
  return kind === "rdmsr" ? (rdx << 32n) | rax : rax;
}

/** Goes through what the machine has recorded, and says the same of the model. */
function compare(run: Experiment): { found: string[]; expected: string[] } {
  const world = new World(run);
  const stepAt = new Map(run.steps.flatMap((steps) => steps.map((step) => [step.address, step] as const)));
  const pending = new Map<number, { step: Step; expected: bigint | "#GP" | undefined }>();
  const found: string[] = [];
  const expected: string[] = [];
  for (const record of run.trace) {
    const { cpu, cycle, kind, subject } = record;
    const apic = world.apics[cpu];
    if (apic === undefined) throw new Error("no such CPU");
    world.advance(cycle);
    const note = (what: string, value: unknown, wanted: unknown): void => {
      found.push(`${what} ${String(value)}, CPU ${cpu}, cycle ${cycle}`);
      expected.push(`${what} ${String(wanted)}, CPU ${cpu}, cycle ${cycle}`);
    };
    const before = pending.get(cpu);
    const place = run.places.get(subject);
    if (kind === TraceKind.INTERRUPT_TAKEN && subject === NMI) {
      note("NMI", true, apic.nmi);
      apic.nmi = false;
    } else if (kind === TraceKind.INTERRUPT_TAKEN) {
      note("interrupt", subject, apic.due);
      apic.take();
    } else if (kind === TraceKind.EXCEPTION) {
      note("exception", subject, before?.expected === "#GP" ? PROTECTION : `none at ${JSON.stringify(before?.step)}`);
      pending.delete(cpu);
    } else {
      if (before !== undefined && place === before.step.address + lengthOf(before.step.operation)) {
        const value = before.expected === undefined ? undefined : result(before.step.operation, record);
        note(`${JSON.stringify(before.step.operation)} ${apic.mode}`, value, before.expected);
        pending.delete(cpu);
      }
      const step = stepAt.get(place ?? -1);
      if (step?.operation.kind === "close") note("interrupts left when they are closed:", undefined, apic.due);
      if (step !== undefined) pending.set(cpu, { step, expected: perform(world, apic, step, record) });
    }
  }
  return { found, expected };
}

describe("random programs about the local APIC", () => {
  it(`read, raise and take what the model says, to the cycle (${SEEDS} seeds)`, () => {
    const all: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { found, expected } = compare(experiment(seed));
      expect(found, `seed ${seed}`).toEqual(expected);
      all.push(...found);
    }
    // Enough of everything has been compared.
    const count = (what: string): number => all.filter((line) => line.startsWith(what)).length;
    expect(Math.min(count("NMI"), count("interrupt "), count("exception"))).toBeGreaterThan(3 * SEEDS);
    expect(count("{")).toBeGreaterThan(100 * SEEDS);
  });
});
