// Runs an input on a reusable machine: as it is, then for a sample in other ways that must leave the same state, with
// accelerations off and cut in pieces, and on a copy that is made in the middle.

import { Counter, PAGE_BYTES, RunStatus, StopReason } from "../../../src/abi.ts";
import type { Core } from "../../../src/core/core.ts";
import { accelerationBits } from "../../../src/machine/accelerations.ts";
import { stateOf } from "../../support/observe.ts";
import { BrokenProperty, expectSame, expectThat } from "../target.ts";
import type { CodeInput, Start } from "./input.ts";
import { RAM_BYTES } from "./layout.ts";
import type { ReusableMachine } from "./reusable-machine.ts";

/** Puts the machine back, and the input into it. */
export function load(machine: ReusableMachine, { rights, contents, starts }: CodeInput): void {
  machine.restore();
  const { bare } = machine;
  for (const { page, attributes } of rights) bare.map(bare.ramBase + page * PAGE_BYTES, PAGE_BYTES, attributes);
  const end = bare.ramBase + RAM_BYTES;
  for (const { address, bytes } of contents) bare.write(address, bytes.subarray(0, end - address));
  for (const start of starts) {
    startCpu(bare.core, start, start.cycle);
    if (bare.architecture === "x86-64") bare.core.setStartupEntry(start.cpu, start); // after INIT, too
  }
}

function startCpu(core: Core, { cpu, pc, stack, argument }: Start, cycle: number): void {
  core.startCpu(cpu, { pc, stack, argument, cycle: BigInt(cycle) });
}

/** Runs from one cycle to a later one; what the host does on the way is part of the input, at `from` too, at `to` not. */
function runBetween(core: Core, { calls = [] }: CodeInput, from: number, to: number): RunStatus {
  for (const { at, start } of calls) {
    if (at < from || at >= to) continue;
    const status = core.run(BigInt(at));
    if (status === RunStatus.STOPPED) return status;
    startCpu(core, start, at + start.cycle);
  }
  return core.run(BigInt(to));
}

/** Runs from 0 through each of the cycles. */
function runThrough(core: Core, input: CodeInput, cycles: readonly number[]): RunStatus {
  let status: RunStatus = RunStatus.REACHED;
  let from = 0;
  for (const cycle of cycles) {
    status = runBetween(core, input, from, cycle);
    from = cycle;
  }
  return status;
}

/** @returns in a word how it ended */
export function runOnce(machine: ReusableMachine, input: CodeInput): string {
  load(machine, input);
  const { core } = machine.bare;
  const cycles = input.cycles.slice(-1);
  const end = cycles.at(-1) ?? 0;
  const status = runThrough(core, input, cycles);
  core.catchUp();
  const now = Number(core.counter(Counter.NOW));
  const reason = StopReason[Number(core.counter(Counter.STOP_REASON))];
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
function finalState(core: Core): string {
  const stop = [Counter.STOP_REASON, Counter.STOP_CPU, Counter.STOP_PC, Counter.STOP_CYCLE, Counter.STOP_DETAIL];
  const counter = (which: Counter): bigint => core.counter(which);
  return `${stateOf({ core, counter })}, stop ${stop.map(counter).join(" ")}`;
}

/** What the host has room for is no part of the machine. */
function ranOutOfRoom(core: Core): boolean {
  return Number(core.counter(Counter.STOP_REASON)) >= Number(StopReason.EVENT_POOL_EXHAUSTED);
}

/** Runs an input, which has just been run, once more with accelerations off and cut at its cycles. */
export function compareAccelerations(machine: ReusableMachine, input: CodeInput): void {
  const { core } = machine.bare;
  if (ranOutOfRoom(core)) return;
  const whole = finalState(core);
  load(machine, input);
  core.setAccelerations(accelerationBits(input.off));
  runThrough(core, input, input.cycles);
  if (ranOutOfRoom(core)) return;
  const off = Object.keys(input.off).join(", ") || "nothing";
  expectSame(`state with ${off} off, cut in three`, finalState(core), whole);
}

/** Runs an input, which has just been run, once more up to the first cut, and a copy of the machine from there. */
export function compareCopy(machine: ReusableMachine, input: CodeInput): void {
  const { core } = machine.bare;
  if (ranOutOfRoom(core)) return;
  const whole = finalState(core);
  const [middle = 0] = input.cycles;
  load(machine, input);
  runBetween(core, input, 0, middle);
  const copy = core.fork();
  runBetween(copy, input, middle, input.cycles.at(-1) ?? middle);
  if (ranOutOfRoom(copy)) return;
  expectSame(`state of a copy made at cycle ${middle}`, finalState(copy), whole);
}
