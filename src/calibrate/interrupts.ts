// Measures interrupts between CPUs, and what it adds when the target has to wake: guest program of interrupt-guest.ts.

import { AllstopError } from "../errors.ts";
import { IdleKind } from "../guest/sched/idle.ts";
import { kernelSymbols, perCpuOffsets } from "../guest/kernel.ts";
import { Machine } from "../machine/machine.ts";
import { spreadOf } from "../measure/statistics.ts";
import { cyclesOf, nsOf } from "../timing/index.ts";
import { onlineCpus } from "../topology/index.ts";
import { handlerMarks, interruptImage, interruptMarks, sends, type Send } from "./interrupt-guest.ts";
import type { Bench } from "./measure.ts";

/** What the CPUs that are interrupted do: count, or wait in one of the architecture's ways. */
export type TargetState = "busy" | "hlt" | "mwait" | "wfi";

export interface InterruptCosts {
  /** From before the send until the target's handler runs, ns; for "all" until the last one's does. */
  readonly run: Readonly<Record<Send, number>>;
  /** Until the sender goes on, ns. */
  readonly sent: Readonly<Record<Send, number>>;
}

const ROUNDS = 3;
/** Between two sends, ns: longer than any idle exit of the models. */
const SETTLE_NS = 20_000;
/** Bringing thousands of CPUs up takes that long. */
const LIMIT_NS = 50_000_000;

/** @throws OPTION_INVALID when the machine has no second CPU */
export function measureInterrupts(bench: Bench, target: number, state: TargetState): InterruptCosts {
  const { module, topology, timing } = bench;
  const online = onlineCpus(topology);
  const from = online[0];
  if (from === undefined || from === target || !online.includes(target)) {
    throw new AllstopError("OPTION_INVALID", "CPU to interrupt", {
      value: target,
      allowed: "an online CPU but the first",
    });
  }
  const image = interruptImage({
    architecture: timing.architecture,
    cpus: topology.cpus.length,
    online: online.length,
    target,
    settleTurns: Math.ceil(cyclesOf(timing, SETTLE_NS) / (timing.parameters.relax.value + 1)),
    rounds: ROUNDS,
  });
  const machine = Machine.build(module, { topology, timing, image });
  for (const cpu of online) {
    const block = image.perCpuStart + cpu * image.perCpuStride;
    const work = cpu === from ? interruptMarks.sender : state === "busy" ? kernelSymbols.busyWork : undefined;
    if (work !== undefined) machine.writeUint64(block + perCpuOffsets.work, BigInt(machine.address(work)));
    machine.writeUint32(block + perCpuOffsets.idle, state === "mwait" ? IdleKind.Mwait : IdleKind.Wait);
    machine.start(cpu, kernelSymbols.entry, { argument: BigInt(cpu) });
  }
  return readCosts(machine, { from, target, others: online.length - 1 });
}

function readCosts(machine: Machine, who: { from: number; target: number; others: number }): InterruptCosts {
  const { timing } = machine;
  machine.traceKinds([]);
  const places = new Map<number, { send: Send; when: "before" | "after" }>();
  for (const send of sends) {
    places.set(machine.probe(interruptMarks.before[send]).number, { send, when: "before" });
    places.set(machine.probe(interruptMarks.after[send]).number, { send, when: "after" });
  }
  const handler = machine.probe(handlerMarks[timing.architecture]).number;
  machine.probe(interruptMarks.fatal, { break: true });
  machine.probe(interruptMarks.done, { break: true });
  const end = machine.run(cyclesOf(timing, LIMIT_NS));
  if (end.kind !== "probe" || end.probe !== interruptMarks.done) {
    throw new AllstopError("CORE_TRAPPED", "an interrupt measurement that doesn't end", { value: end.kind });
  }
  const run: Record<Send, number[]> = { self: [], one: [], all: [] };
  const sent: Record<Send, number[]> = { self: [], one: [], all: [] };
  let current: { send: Send; cycle: number; handled: number } | undefined;
  for (const { cycle, cpu, subject } of machine.trace) {
    const place = places.get(subject);
    if (place?.when === "before") current = { send: place.send, cycle, handled: 0 };
    else if (current === undefined) continue;
    else if (place?.when === "after") sent[place.send].push(nsOf(timing, cycle - current.cycle));
    else if (subject === handler && isExpected(current.send, cpu, who)) {
      current.handled++;
      if (current.handled === (current.send === "all" ? who.others : 1)) {
        run[current.send].push(nsOf(timing, cycle - current.cycle));
      }
    }
  }
  return { run: medians(run), sent: medians(sent) };
}

function isExpected(send: Send, cpu: number, { from, target }: { from: number; target: number }): boolean {
  return send === "all" ? cpu !== from : cpu === (send === "self" ? from : target);
}

function medians(samples: Readonly<Record<Send, readonly number[]>>): Record<Send, number> {
  const median = (send: Send): number => spreadOf(samples[send])?.p50 ?? NaN;
  return { self: median("self"), one: median("one"), all: median("all") };
}
