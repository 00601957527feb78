// The target of machine code: any bytes on any of a few machines end in a run that reaches its cycle or in a named stop, in
// the same state whatever the accelerations.

import { Counter, PAGE_BYTES, RunStatus, StopReason, Warmth } from "../../../src/abi.ts";
import { accelerationBits } from "../../../src/machine/accelerations.ts";
import { deviceWindows } from "../../../src/machine/platform.ts";
import { randomMachine } from "../../support/random-machine.ts";
import { stateOf } from "../../support/observe.ts";
import { BrokenProperty, expectSame, expectThat, type Subject, type Target } from "../target.ts";
import { drawInput, showInput, type CodeInput, type Dialect } from "./input.ts";
import { BLOCKS_PAGE, RAM_BYTES, ROUTINES_PAGE, TABLES, TABLES_PAGE, offsetOf, pages } from "./layout.ts";
import { ReusableMachine } from "./reusable-machine.ts";

/** Seeds of random topologies and latencies: 2 to 12 CPUs of one to three packages, with and without siblings. */
const machineSeeds = [43, 15, 42, 8, 45, 17, 22];

/** One input in so many is run a second time, otherwise. */
const COMPARED = 64;

export function codeTarget(name: string, share: number, makeDialect: () => Dialect): Target<CodeInput> {
  return {
    name,
    what: "machine code, registers, rights of pages",
    share,
    refusals: [],
    open: (core) => Promise.resolve(openCode(makeDialect(), core)),
  };
}

export function openCode(dialect: Dialect, core: WebAssembly.Module): Subject<CodeInput> {
  const machines = machineSeeds.map((seed) => buildMachine(dialect, seed, core));
  const cpus = machines.map((machine) => machine.cpus);
  return {
    draw: (random) => drawInput(random, dialect, cpus),
    attempt(input, number) {
      const machine = machines[input.machine]?.reusable as ReusableMachine;
      const outcome = runOnce(machine, input, input.cycles.slice(-1));
      if (number % COMPARED === 0) compare(machine, input);
      return outcome;
    },
    show: showInput,
  };
}

export function buildMachine(
  dialect: Dialect,
  seed: number,
  core: WebAssembly.Module,
): { readonly reusable: ReusableMachine; readonly cpus: number } {
  const { architecture, ramBase, fixtures } = dialect;
  const { topology, timing, coreLatencies } = randomMachine(architecture, seed, "tight");
  const cpus = topology.cpus.length;
  const options = { architecture, topology, timing, coreLatencies, core, ramBytes: RAM_BYTES };
  const reusable = new ReusableMachine(options, (machine) => {
    for (const one of pages) machine.map(ramBase + offsetOf(one.page), one.pages * PAGE_BYTES, one.attributes);
    for (const { address, bytes, attributes } of deviceWindows(architecture, cpus)) {
      machine.map(address, bytes, attributes);
    }
    for (const { address, bytes } of fixtures) machine.write(address, bytes);
    const warm = [ROUTINES_PAGE, BLOCKS_PAGE, ...Array.from({ length: TABLES }, (_, index) => TABLES_PAGE + index)];
    for (const page of warm) {
      machine.core.warm(BigInt(ramBase + offsetOf(page)), BigInt(PAGE_BYTES), Warmth.SHARED);
    }
  });
  return { reusable, cpus };
}

/** Puts the machine back, and the input into it. */
export function load(machine: ReusableMachine, { rights, contents, starts }: CodeInput): void {
  machine.restore();
  const { bare } = machine;
  for (const { page, attributes } of rights) bare.map(bare.ramBase + offsetOf(page), PAGE_BYTES, attributes);
  const end = bare.ramBase + RAM_BYTES;
  for (const { address, bytes } of contents) bare.write(address, bytes.subarray(0, end - address));
  for (const { cpu, pc, stack, argument, cycle } of starts) {
    bare.core.startCpu(cpu, { pc, stack, argument, cycle: BigInt(cycle) });
  }
}

/** @returns in a word how it ended */
function runOnce(machine: ReusableMachine, input: CodeInput, cycles: readonly number[]): string {
  load(machine, input);
  const { bare } = machine;
  const end = cycles.at(-1) ?? 0;
  let status: RunStatus = RunStatus.REACHED;
  for (const cycle of cycles) status = bare.run(cycle);
  bare.core.catchUp();
  const now = Number(bare.counter(Counter.NOW));
  const reason = StopReason[Number(bare.counter(Counter.STOP_REASON))];
  switch (status) {
    case RunStatus.STOPPED:
      expectThat("a stopped machine says why", reason !== undefined && reason !== "NONE");
      expectThat("a stopped machine stands before its end", now <= end);
      return reason as string;
    case RunStatus.REACHED:
    case RunStatus.QUIESCENT:
      expectThat("time stands where it was to go", now === end);
      return RunStatus[status];
    case RunStatus.BREAK:
    case RunStatus.TRACE_FULL:
      throw new BrokenProperty(`the run ended with ${RunStatus[status]}, though nobody asked for that`);
  }
}

/** Where the machine stands, all that it counts, and why it stopped. */
function finalState({ bare }: ReusableMachine): string {
  const stop = [Counter.STOP_REASON, Counter.STOP_CPU, Counter.STOP_PC, Counter.STOP_CYCLE, Counter.STOP_DETAIL];
  return `${stateOf(bare)}, stop ${stop.map((which) => bare.counter(which)).join(" ")}`;
}

/** What the host has room for is no part of the machine. */
function ranOutOfRoom({ bare }: ReusableMachine): boolean {
  return Number(bare.counter(Counter.STOP_REASON)) >= Number(StopReason.EVENT_POOL_EXHAUSTED);
}

/** Runs an input, which has just been run, once more in another way. */
function compare(machine: ReusableMachine, input: CodeInput): void {
  if (ranOutOfRoom(machine)) return;
  const whole = finalState(machine);
  load(machine, input);
  machine.bare.core.setAccelerations(accelerationBits(input.off));
  for (const cycle of input.cycles) machine.bare.run(cycle);
  if (ranOutOfRoom(machine)) return;
  const off = Object.keys(input.off).join(", ") || "nothing";
  expectSame(`state with ${off} off, cut in three`, finalState(machine), whole);
}
