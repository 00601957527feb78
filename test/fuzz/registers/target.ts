// The targets of register accesses: CPUs of a small machine each run a program of operations on interrupt controllers,
// timers, devices and firmware, while handlers of all sorts answer what that brings about. Each operation first says where
// to go on if it faults and counts itself, so that a fault costs no more than the operation.

import { PAGE_BYTES } from "../../../src/abi.ts";
import { buildTopology, type Topology, type TopologyParameters } from "../../../src/topology/index.ts";
import type { Architecture } from "../../support/random-machine.ts";
import type { Random } from "../../support/random.ts";
import { drawOff, showInput, type CodeInput, type Content, type HostCall, type Start } from "../code/input.ts";
import { CODE_PAGE, offsetOf } from "../code/layout.ts";
import type { ReusableMachine } from "../code/reusable-machine.ts";
import { buildMachine } from "../code/target.ts";
import { compareAccelerations, compareCopy, runOnce } from "../code/trial.ts";
import type { Subject, Target } from "../target.ts";
import { drawRecklessness } from "./operations.ts";

/** Of each CPU. */
const CODE_BYTES = PAGE_BYTES;
/** Longer than any operation. */
const MOST_OPERATION_BYTES = 256;
/** Operations of a CPU's program. */
const LEAST_OPERATIONS = 8;
const MOST_OPERATIONS = 64;

/** One input in so many is run a second time, with accelerations off. */
const COMPARED = 16;
/** One input in so many is run a second time, on a copy from the middle on. */
const COPIED = 256;

/** What a program may know of its machine. */
export interface Place {
  readonly topology: Topology;
  /** Whose program it is. */
  readonly cpu: number;
  /** Address of its first instruction. */
  readonly entry: number;
  /** Percent of operations that are reckless. */
  readonly reckless: number;
}

/** A program that is being written. */
export interface Writer {
  /** Bytes so far. */
  readonly length: number;
  /** One more operation. */
  operation(random: Random): void;
  /** Goes round, or sleeps. */
  end(random: Random): Uint8Array;
}

export interface RegisterDialect {
  readonly architecture: Architecture;
  readonly ramBase: number;
  readonly fixtures: readonly Content[];
  readonly shapes: readonly TopologyParameters[];
  /** Percent of the CPUs but the first that nobody starts before the machine runs. */
  readonly startedLater: number;
  /** A program behind what it needs to begin with. */
  begin(random: Random, place: Place): Writer;
  /** The register that counts operations. */
  readonly countRegister: number;
}

export function registerTarget(name: string, what: string, makeDialect: () => RegisterDialect): Target<CodeInput> {
  const open = (core: WebAssembly.Module) => Promise.resolve(openRegisters(makeDialect(), core));
  return { name, what, share: 100_000, refusals: [], open };
}

interface RegisterMachine {
  readonly reusable: ReusableMachine;
  readonly topology: Topology;
}

/** Seeds of latencies, one for each shape in turn. */
const timingSeeds = [43, 15, 42, 8, 45, 17, 22];

export function openRegisters(dialect: RegisterDialect, core: WebAssembly.Module): Subject<CodeInput> {
  const machines = dialect.shapes.map((shape, index): RegisterMachine => {
    const topology = buildTopology({ architecture: dialect.architecture, ...shape });
    return { topology, reusable: buildMachine(dialect, timingSeeds[index] ?? index, core, topology).reusable };
  });
  let operations = 0;
  return {
    draw: (random) => drawInput(random, dialect, machines),
    attempt(input, number) {
      const { reusable, topology } = machines[input.machine] as RegisterMachine;
      const outcome = runOnce(reusable, input);
      operations = countOperations(reusable, topology.cpus.length, dialect.countRegister);
      if (number % COMPARED === 0) compareAccelerations(reusable, input);
      if (number % COPIED === 1) compareCopy(reusable, input);
      return outcome;
    },
    operations: () => operations,
    show: showInput,
  };
}

/** A CPU that was reset has forgotten its own, and one that went astray holds anything. */
function countOperations({ bare }: ReusableMachine, cpus: number, register: number): number {
  let sum = 0;
  for (let cpu = 0; cpu < cpus; cpu++) {
    const count = Number(bare.register(cpu, register));
    if (count < 100_000) sum += count;
  }
  return sum;
}

// --- drawing -----------------------------------------------------------------------------------------------------------------

function drawInput(random: Random, dialect: RegisterDialect, machines: readonly RegisterMachine[]): CodeInput {
  const machine = random.between(0, machines.length - 1);
  const { topology } = machines[machine] as RegisterMachine;
  const reckless = drawRecklessness(random);
  const contents: Content[] = [];
  const starts: Start[] = [];
  const calls: HostCall[] = [];
  const cycles = drawCycles(random);
  const end = cycles.at(-1) ?? 0;
  for (const { number: cpu, state } of topology.cpus) {
    if (state === "absent") continue;
    const entry = entryOf(dialect.ramBase, cpu);
    contents.push({ address: entry, bytes: drawProgram(random, dialect, { topology, cpu, entry, reckless }) });
    const start = { cpu, pc: BigInt(entry), stack: 0n, argument: 0n, cycle: random.between(1, 9) };
    if (cpu === 0 || !random.chance(dialect.startedLater)) starts.push(start);
    else if (random.chance(50)) calls.push({ at: random.between(0, end), start });
  }
  calls.sort((a, b) => a.at - b.at);
  return { machine, rights: [], contents, starts, calls, cycles, off: drawOff(random) };
}

/** Where a CPU's program begins. */
export function entryOf(ramBase: number, cpu: number): number {
  return ramBase + offsetOf(CODE_PAGE) + cpu * CODE_BYTES;
}

function drawProgram(random: Random, dialect: RegisterDialect, place: Place): Uint8Array {
  const program = dialect.begin(random, place);
  const operations = random.between(LEAST_OPERATIONS, MOST_OPERATIONS);
  for (let left = operations; left > 0 && program.length < CODE_BYTES - MOST_OPERATION_BYTES; left--) {
    program.operation(random);
  }
  return program.end(random);
}

/** Timers may fire every few cycles, so that time is what bounds an input. */
function drawCycles(random: Random): number[] {
  const end = random.between(400, random.chance(80) ? 4000 : 12_000);
  return [random.between(1, end), random.between(1, end), end].sort((a, b) => a - b);
}
