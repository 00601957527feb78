// The local APICs of a machine against a simple model of them (model.ts), over random programs: every value that is read,
// every #GP, and every interrupt that is taken, to the cycle.

import { describe, expect, it } from "vitest";
import { Counter, LocalInterrupt, Probe, StopReason, TraceKind } from "../../../src/abi.ts";
import { accelerationNames } from "../../../src/machine/accelerations.ts";
import { buildTopology } from "../../../src/topology/index.ts";
import { RAX, RDX } from "../../instructions/x86-64/code.ts";
import { TextGuest } from "../../instructions/x86-64/text-guest.ts";
import type { TraceRecord } from "../../support/bare-machine.ts";
import { plainTiming } from "../../support/plain-timing.ts";
import { Random } from "../../support/random.ts";
import { ModelApic, type Message, type Mode, type Surroundings } from "./model.ts";
import { OperationWriter, type Operation, type Step } from "./random-operations.ts";

const UNTIL = 40_000;
const OPERATIONS = 50;
const SEEDS = Number(process.env["ALLSTOP_SEEDS"] ?? 20);
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

/** An operation, where it is, and where the instruction behind it is. */
interface Placed {
  readonly operation: Operation;
  readonly address: number;
  readonly behind: number;
}

interface Experiment {
  readonly mode: Mode;
  readonly around: Surroundings;
  readonly pulses: readonly Pulse[];
  readonly steps: readonly Placed[];
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
  const member = random.between(0, 9);
  const timing = plainTiming("x86-64", {
    ...{ interrupt: latency, selfInterrupt: selfLatency, interruptGap: gap, interruptMember: member },
    ...{ apicTimerClock: crystalKhz, exceptionEntry: random.between(1, 20), relax: random.between(1, 9) },
  });
  const topology = buildTopology({ packages: 1, coresPerLlc: apicIds.length, apicIds });
  // The same is to be seen whatever the accelerations.
  const accelerations = Object.fromEntries(accelerationNames.map((name) => [name, random.chance(75)]));
  const options = { topology, timing, accelerations, localApic: mode, traceRecords: 1 << 16 };
  // Without an APIC, LINT0 is the input of an 8259's interrupts, which this platform doesn't have.
  const mayDisable = random.chance(60);
  const writers = apicIds.map((_, cpu) => written(random, cpu, apicIds, mode, mayDisable));
  const guest = new TextGuest({
    ...options,
    enableApic: false,
    codeBytes: 0x8000,
    // They don't begin in one cycle.
    programs: writers.map(({ text }, cpu) => `.rept ${7 * cpu}; nop; .endr; ${text}`),
    handlers: { gp: { raw: "add $8, %rsp; addq $2, (%rsp); iretq" }, nmi: { raw: "iretq" }, others: { raw: "iretq" } },
  });
  const { machine } = guest;
  const steps = writers.flatMap((writer, cpu) => writer.steps.map((step) => placed(guest, cpu, step)));
  const pulses = Array.from({ length: random.between(0, 25) }, (): Pulse => {
    const [source, offset] = random.pick(mayDisable ? sources.slice(1) : sources);
    return { cycle: BigInt(random.between(100, 8000)), cpu: random.between(0, apicIds.length - 1), source, offset };
  });
  for (const { cycle, cpu, source } of pulses) machine.core.signalLocalInterrupt(cpu, source, cycle);
  const places = setProbes(guest, steps);
  machine.core.setTraceMask((1 << TraceKind.PROBE) | (1 << TraceKind.INTERRUPT_TAKEN) | (1 << TraceKind.EXCEPTION));
  machine.run(UNTIL);
  expect(machine.counter(Counter.STOP_REASON)).toBe(BigInt(StopReason.NONE));
  const around: Surroundings = {
    ids: apicIds,
    ...{ latency: BigInt(latency), selfLatency: BigInt(selfLatency), gap: BigInt(gap), member: BigInt(member) },
    crystal: { cycles: 1_000_000n, clocks: BigInt(crystalKhz) },
  };
  return { mode, around, pulses, steps, trace: machine.drain(), places };
}

/** A CPU's program. */
function written(
  random: Random,
  cpu: number,
  ids: readonly number[],
  mode: Mode,
  mayDisable: boolean,
): OperationWriter {
  const writer = new OperationWriter(random, cpu, ids, mode, mayDisable);
  writer.prepare();
  for (let left = OPERATIONS; left > 0; left--) writer.some();
  writer.dump();
  return writer;
}

function placed(guest: TextGuest, cpu: number, { operation, label }: Step): Placed {
  const [address, behind] = [label, `${label}Behind`].map((name) => Number(guest.address(`program${cpu}`, name)));
  return { operation, address: address ?? 0, behind: behind ?? 0 };
}

/** At each instruction under observation, and at the one behind it: RAX and RDX. */
function setProbes({ machine }: TextGuest, steps: readonly Placed[]): Map<number, number> {
  const places = new Map<number, number>();
  for (const { address, behind } of steps) {
    for (const place of [address, behind]) {
      places.set(machine.core.setProbe(BigInt(place), Probe.RECORD, RAX | (RDX << 8)), place);
    }
  }
  return places;
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
function perform(
  world: World,
  apic: ModelApic,
  { operation }: Placed,
  record: TraceRecord,
): bigint | "#GP" | undefined {
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

function result({ kind }: Operation, { value: rax, value2: rdx }: TraceRecord): bigint {
  return kind === "rdmsr" ? (rdx << 32n) | rax : rax;
}

/** Goes through what the machine has recorded, and says the same of the model. */
function compare(run: Experiment): { found: string[]; expected: string[] } {
  const world = new World(run);
  const stepAt = new Map(run.steps.map((step) => [step.address, step]));
  const pending = new Map<number, { step: Placed; expected: bigint | "#GP" | undefined }>();
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
      if (before !== undefined && place === before.step.behind) {
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
