// Laws 2 and 3 of the architecture: the state at any cycle is the same with every acceleration on or off, wherever the run
// is cut, whether or not it is traced, and whatever else exists beside the machine.

import { describe, expect, it } from "vitest";
import { Probe, StopReason, TraceKind, Counter, X86Vector } from "../../src/abi.ts";
import { lineMeasuring } from "../../src/measure/lines.ts";
import { accelerationNames, type Accelerations } from "../../src/machine/accelerations.ts";
import { R8, R9, RAX, RBX, RCX } from "../instructions/x86-64/code.ts";
import { A64 } from "../support/a64.ts";
import { BareMachine, PAGE_RW, PAGE_RX, type TraceRecord } from "../support/bare-machine.ts";
import { observe, sortedTrace, stateOf, type Observation } from "../support/observe.ts";
import { Random } from "../support/random.ts";
import {
  architectures,
  build,
  latencyFamilies,
  randomMachine,
  type Latencies,
  type MachineKind,
  type RandomMachine,
} from "../support/random-machine.ts";
import { X64 } from "../support/x64.ts";

/** All combinations; the last has all on. */
const combinations: readonly Accelerations[] = Array.from(
  { length: 2 ** accelerationNames.length },
  (_, bits) =>
    Object.fromEntries(accelerationNames.map((name, bit) => [name, ((bits >> bit) & 1) === 1])) as Accelerations,
);
const [none, all] = [combinations[0]!, combinations.at(-1)!];

/** Records of lines tell of what is stepped, so they hang on accelerations that don't step requests: see below. */
const allKinds = Object.values(TraceKind).filter(
  (kind): kind is TraceKind => typeof kind === "number" && kind !== TraceKind.LINE,
);

/** As many as fit a test run; ALLSTOP_SEEDS asks for more, ALLSTOP_FIRST_SEED for others. */
const seeds = Number(process.env["ALLSTOP_SEEDS"] ?? 12);
const firstSeed = Number(process.env["ALLSTOP_FIRST_SEED"] ?? 1);
/** Laws that cost several runs per seed take a share of the seeds. */
const fewer = Math.ceil(seeds / 8);

function untilOf(latencies: Latencies): number {
  return latencies === "tight" ? 6_000 : 20_000;
}

function cutsOf(random: Random, until: number, count = 6): number[] {
  const cuts = Array.from({ length: count }, () => random.between(2, until));
  return [...new Set([...cuts, until])].sort((a, b) => a - b);
}

/** Cuts as a nervous host makes them: close together, for a while. */
function manyCuts(random: Random, until: number): number[] {
  const cuts: number[] = [];
  for (let stretch = 0; stretch < 4; stretch++) {
    let at = random.between(1, until);
    for (let i = 0; i < 40; i++) cuts.push((at += random.between(1, 9)));
  }
  for (let i = 0; i < 30; i++) cuts.push(random.between(1, until));
  return cuts.filter((cut) => cut < until);
}

function alive(machine: BareMachine): void {
  expect(machine.counter(Counter.STOP_REASON)).toBe(BigInt(StopReason.NONE));
}

const families = architectures.flatMap((architecture) =>
  latencyFamilies.map((latencies) => ({ architecture, latencies, until: untilOf(latencies) })),
);

/** Calls `body` for each seed with a machine and a generator for the test's own choices. */
function eachSeed(
  { architecture, latencies }: (typeof families)[number],
  count: number,
  body: (machine: RandomMachine, random: Random, context: object) => void,
  options: MachineKind = {},
): void {
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const machine = randomMachine(architecture, seed, latencies, options);
    body(machine, new Random(seed ^ 0x5eed), { architecture, latencies, seed });
  }
}

/** Sets probes at random places; of `breaking`, the hits end the run. */
function setProbes(machine: BareMachine, places: readonly number[], breaking: number): void {
  places.forEach((place, index) => {
    const flags = index < breaking ? Probe.RECORD | Probe.BREAK : Probe.RECORD;
    machine.core.setProbe(BigInt(place), flags, 0x0301);
  });
}

describe.each(families)("random $architecture machines with $latencies latencies", (family) => {
  const { until } = family;

  const haveOneDigest = (kind: MachineKind): void => {
    const body = (machine: RandomMachine, random: Random, context: object): void => {
      const cuts = cutsOf(random, until);
      const look = (accelerations: Accelerations): Pick<Observation, "states" | "stop"> => {
        const built = build(machine, { accelerations });
        const { states, stop } = observe(built, cuts);
        alive(built);
        return { states, stop };
      };
      const reference = look(none);
      // Within a test run a machine has one rival: all accelerations, or some.
      const some = random.pick(combinations);
      for (const accelerations of seeds > 60 ? [all, some] : [random.chance(60) ? all : some]) {
        const details = { ...context, accelerations, cuts };
        expect({ ...details, ...look(accelerations) }).toEqual({ ...details, ...reference });
      }
    };
    eachSeed(family, seeds, body, kind);
  };

  it(`have one digest under every combination of accelerations (${seeds} seeds from ${firstSeed})`, () => {
    haveOneDigest({});
  });

  it.runIf(family.architecture === "arm64")(`do so when loads overlap (${seeds} seeds from ${firstSeed})`, () => {
    haveOneDigest({ loads: true });
  });

  it("come to user mode, and back", () => {
    const user = family.architecture === "arm64" ? 0 : 3;
    let [inside, outside] = [0, 0];
    eachSeed(family, 5, (machine, random) => {
      const built = build(machine);
      for (const cut of cutsOf(random, until, 12)) {
        built.run(BigInt(cut));
        for (const { number } of machine.topology.cpus) {
          if (built.privilege(number) === user) inside++;
          else outside++;
        }
      }
    });
    expect(Math.min(inside, outside)).toBeGreaterThan(5);
  });

  it("are not changed by being cut into pieces", () => {
    eachSeed(family, fewer, (machine, random, context) => {
      const looks = cutsOf(random, until, 2);
      const reference = observe(build(machine), looks);
      const accelerations = random.pick([all, random.pick(combinations)]);
      const inPieces = observe(build(machine, { accelerations }), looks, manyCuts(random, until));
      expect({ ...context, accelerations, ...inPieces }).toEqual({ ...context, accelerations, ...reference });
    });
  });

  it("are not changed by tracing and probes, and leave the same trace whatever the accelerations", () => {
    eachSeed(family, fewer, (machine, random, context) => {
      const looks = cutsOf(random, until, 2);
      const reference = observe(build(machine), looks).states;
      const places = Array.from({ length: random.between(0, 12) }, () => random.pick(machine.guest.marks));
      const traced = (accelerations: Accelerations, traceRecords: number): { states: string[]; trace: string[] } => {
        const built = build(machine, { accelerations, traceKinds: allKinds, traceRecords });
        setProbes(built, places, 0);
        const { states, trace } = observe(built, looks, random.chance(50) ? manyCuts(random, until) : []);
        expect(built.counter(Counter.TRACE_LOST)).toBe(0n);
        return { states, trace: sortedTrace(trace, until) };
      };
      const slow = traced(none, 1 << 16);
      const fast = traced(random.pick([all, random.pick(combinations)]), 1 << random.between(13, 16));
      expect({ ...context, states: slow.states }).toEqual({ ...context, states: reference });
      expect({ ...context, ...fast }).toEqual({ ...context, ...slow });
    });
  });

  it("leave the same records of lines whatever the accelerations that step every request", () => {
    eachSeed(family, fewer, (machine, random, context) => {
      const traced = (accelerations: Accelerations, cuts: readonly number[]): string[] => {
        const stepped = { ...accelerations, ...lineMeasuring };
        const built = build(machine, { accelerations: stepped, traceKinds: [TraceKind.LINE], traceRecords: 1 << 18 });
        const { trace } = observe(built, [until], cuts);
        expect(built.counter(Counter.TRACE_LOST)).toBe(0n);
        return sortedTrace(trace, until);
      };
      const slow = traced(none, []);
      const fast = traced(random.pick([all, random.pick(combinations)]), manyCuts(random, until));
      expect(slow.length).toBeGreaterThan(0);
      expect({ ...context, fast }).toEqual({ ...context, fast: slow });
    });
  });

  it("report each break once, at the same place whatever the accelerations and cuts", () => {
    eachSeed(family, fewer, (machine, random, context) => {
      const places = Array.from({ length: random.between(1, 4) }, () => random.pick(machine.guest.marks));
      const broken = (accelerations: Accelerations, cuts: readonly number[]): Observation => {
        const built = build(machine, { accelerations, traceRecords: 1 << 18 });
        setProbes(built, places, places.length);
        return observe(built, [until], cuts);
      };
      const reference = broken(none, []);
      for (const accelerations of [all, random.pick(combinations)]) {
        const { breaks, states } = broken(accelerations, random.chance(70) ? manyCuts(random, until) : []);
        expect({ ...context, accelerations, breaks, states }).toEqual({
          ...context,
          accelerations,
          breaks: reference.breaks,
          states: reference.states,
        });
      }
      const hits = reference.breaks.map(({ cpu, cycle }) => `${cpu} ${cycle}`);
      expect(new Set(hits).size).toBe(hits.length);
    });
  });

  it("stop at the same place, and for good, whatever the accelerations and cuts", () => {
    let stops = 0;
    const body = (machine: RandomMachine, random: Random, context: object): void => {
      const looks = [until, until + 1000];
      const reference = observe(build(machine, { accelerations: none }), looks);
      if (reference.stop !== undefined) stops++;
      for (const accelerations of [all, random.pick(combinations)]) {
        const cuts = random.chance(70) ? manyCuts(random, until) : [];
        const { stop, states } = observe(build(machine, { accelerations }), looks, cuts);
        expect({ ...context, accelerations, stop, states }).toEqual({
          ...context,
          accelerations,
          stop: reference.stop,
          states: reference.states,
        });
      }
    };
    eachSeed(family, fewer, body, { fatal: true });
    expect(stops).toBeGreaterThan(0);
  });

  it("are not disturbed by another machine in the process, nor by a CPU that never starts", () => {
    eachSeed(family, fewer, (machine, random, context) => {
      const looks = cutsOf(random, until, 3);
      const alone = build(machine);
      const reference = observe(alone, looks).states;
      const one = build(machine);
      const other = build(randomMachine(random.pick(architectures), random.next(), "tight"));
      const beside = looks.map((look) => {
        other.run(look);
        one.run(look);
        other.core.digest();
        return stateOf(one);
      });
      expect({ ...context, states: beside }).toEqual({ ...context, states: reference });

      const larger = build(machine, { topology: machine.extended() });
      larger.run(until);
      const ofCpus = (bare: BareMachine): string[] =>
        machine.guest.starts.map((_, cpu) => `${bare.core.cpuDigest(cpu).toString(16)} ${bare.clock(cpu)}`);
      expect({ ...context, cpus: ofCpus(larger) }).toEqual({ ...context, cpus: ofCpus(alone) });
    });
  });
});

const NMI_VECTOR: number = X86Vector.NMI;

/** What each CPU that had shut down met next, over all CPUs: how often. */
function leavingShutdown(trace: readonly TraceRecord[], until: number): Map<string, number> {
  const down = new Set<number>();
  const counts = new Map<string, number>();
  for (const { kind, subject, cpu, cycle } of trace.toSorted((a, b) => Number(a.cycle - b.cycle))) {
    if (Number(cycle) >= until) break;
    const by =
      kind === TraceKind.INTERRUPT_TAKEN && subject === NMI_VECTOR
        ? "NMI"
        : kind === TraceKind.SMM_ENTERED
          ? "SMI"
          : kind === TraceKind.INIT_TAKEN
            ? "INIT"
            : undefined;
    if (kind === TraceKind.SHUTDOWN) down.add(cpu);
    else if (by !== undefined && down.delete(cpu)) counts.set(by, (counts.get(by) ?? 0) + 1);
  }
  return counts;
}

describe("random x86-64 machines", () => {
  // They are no test of it if they hardly ever do.
  it("have CPUs that shut down, and leave that by NMI, SMI and INIT", () => {
    const total = new Map<string, number>();
    for (const latencies of latencyFamilies) {
      for (let seed = 1; seed <= 90; seed++) {
        const built = build(randomMachine("x86-64", seed, latencies), { traceKinds: allKinds, traceRecords: 1 << 18 });
        const { trace } = observe(built, [untilOf(latencies)]);
        for (const [by, count] of leavingShutdown(trace, untilOf(latencies))) {
          total.set(by, (total.get(by) ?? 0) + count);
        }
      }
    }
    for (const by of ["NMI", "SMI", "INIT"]) expect({ by, often: total.get(by) ?? 0 }).toSatisfy(isOften);
  });

  const isOften = ({ often }: { often: number }): boolean => often >= 20;
});

describe.each(architectures)("a probe on an access of %s that misses", (architecture) => {
  it.each([all, none])("is hit once", (accelerations) => {
    const base = architecture === "x86-64" ? 0x1_0000 : 0x4000_0000;
    const data = base + 0x1_0000;
    const { bytes, accesses, end } = architecture === "x86-64" ? x86Accesses(base, data) : arm64Accesses(base, data);
    const machine = new BareMachine({ architecture, cpus: 2, accelerations });
    machine.map(base, 0x1000, PAGE_RX);
    machine.map(data, 0x1000, PAGE_RW);
    machine.write(base, bytes);
    machine.core.setTraceMask(1 << TraceKind.PROBE);
    for (const place of [...accesses, end]) machine.core.setProbe(BigInt(place), Probe.RECORD, 0xffff);
    for (const cpu of [0, 1]) machine.start(cpu, base, { stack: data + 0x800 });
    machine.run(100_000);
    alive(machine);
    expect(machine.counter(Counter.MISSES)).toBeGreaterThanOrEqual(6n);
    const hits = machine.drain().filter(({ subject }) => subject < accesses.length);
    for (const cpu of [0, 1]) {
      expect(hits.filter((hit) => hit.cpu === cpu).map(({ subject }) => subject)).toEqual([...accesses.keys()]);
    }
  });
});

interface Accesses {
  readonly bytes: Uint8Array;
  readonly accesses: readonly number[];
  /** A loop that all end in. */
  readonly end: number;
}

/** Loads, stores and both, each of a line of its own, and one across two lines. */
function x86Accesses(origin: number, data: number): Accesses {
  const code = new X64(origin).set(RBX, data).set(RCX, 1);
  code.mark().load(8, RAX, { base: RBX });
  code.mark().store(8, { base: RBX, displacement: 64 }, RAX);
  code.mark().increment(4, { base: RBX, displacement: 128 });
  code.mark().xadd(8, { base: RBX, displacement: 192 }, RCX);
  code.mark().store(8, { base: RBX, displacement: 316 }, RCX);
  const accesses = [...code.marks];
  const end = code.here;
  return { bytes: code.label("end").pause().jump("end").finish(), accesses, end };
}

function arm64Accesses(origin: number, data: number): Accesses {
  const a = new A64().mov(1, data);
  const offsets: number[] = [];
  const mark = (): A64 => {
    offsets.push(a.words.length * 4);
    return a;
  };
  mark().load(2, 1);
  mark().store(2, 1, 64);
  a.addImmediate(1, 1, 128).mov(3, 1);
  mark().loadAdd(3, 4, 1);
  mark().storePair(3, 4, 1, 56);
  const end = a.words.length * 4;
  a.label("end").relax().b("end");
  return { bytes: a.finish(), accesses: offsets.map((offset) => origin + offset), end: origin + end };
}

/** Starts of R8 and R9 such that their difference soon changes its sign, carries or overflows, in 32 or in 64 bits. */
const closeToWraps: readonly (readonly [bigint, bigint])[] = [
  [0n, 40n],
  [0x7fffffe0n, 0n],
  [0xffffffe0n, 7n],
  [0x3fffffe0n, -0x3fffffe0n],
  [-0x40000010n, 0x3fffffd8n],
  [0x3fffffffffffffe0n, -0x3fffffffffffffe0n],
  [-0x4000000000000010n, 0x3fffffffffffffd8n],
  [0x7fffffffffffffe0n, 1n],
  [-0x20n, 3n],
];

describe("x86-64 loops that compare on every condition", () => {
  it.each([4, 8] as const)("are elided no further than the condition holds (%i bytes)", (width) => {
    for (const [start, other] of closeToWraps) {
      for (const step of [1, -3]) {
        const registers = [none, all].map((accelerations) => {
          const machine = new BareMachine({ architecture: "x86-64", cpus: 64, accelerations });
          machine.map(0x1_0000, 0x1_0000, PAGE_RX);
          for (let cpu = 0; cpu < 64; cpu++) {
            const code = new X64(0x1_0000 + 256 * cpu).movImmediate(R8, start).movImmediate(R9, other).set(RCX, 90);
            code.label("head").decrement(4, RCX).jumpIf(4, "out").opImmediate("add", width, R8, step);
            // Some look at the flags of the addition itself.
            if (cpu < 16) code.op("cmp", width, R8, R9);
            else if (cpu >= 32) code.test(cpu < 48 ? 4 : 8, R8, R8);
            machine.write(
              code.origin,
              code
                .jumpIf(cpu & 15, "head")
                .label("out")
                .cli()
                .hlt()
                .finish(),
            );
            machine.start(cpu, code.origin);
          }
          machine.run(20_000);
          return Array.from({ length: 64 }, (_, cpu) => [machine.register(cpu, RCX), machine.register(cpu, R8)]);
        });
        expect({ start, other, step, registers: registers[1] }).toEqual({
          start,
          other,
          step,
          registers: registers[0],
        });
      }
    }
  });
});

describe("x86-64 machines with siblings and locked accesses across two lines", () => {
  // An attempt that a sibling holds up has not been made yet: the pauses between attempts must not count it.
  it("have one digest with and without spin elision", () => {
    for (const latencies of latencyFamilies) {
      for (let seed = 1; seed <= 40; seed++) {
        const machine = randomMachine("x86-64", seed, latencies);
        const until = untilOf(latencies);
        const reference = observe(build(machine, { accelerations: { spinElision: false } }), [until]).states;
        expect({ seed, latencies, states: observe(build(machine), [until]).states }).toEqual({
          seed,
          latencies,
          states: reference,
        });
      }
    }
  });
});
