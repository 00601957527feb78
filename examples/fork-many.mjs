// One machine is warmed up once, then forked for twenty runs: in each, another CPU has its interrupts off for longer than
// the others when stop_machine() is called.
//
//   node examples/fork-many.mjs

import { SCENARIO_FORMAT, formatNs, parseScenario } from "allstop";
import { expandScenario, loadCore, buildMachine } from "allstop/machine";
import { perCpuOffsets } from "allstop/guest";

const CPUS = 512;
const RUNS = 20;
const expanded = expandScenario(
  parseScenario({
    format: SCENARIO_FORMAT,
    machine: { architecture: "arm64", cpus: CPUS },
    load: { common: "irqs-off" },
    policy: { rounds: 2 },
  }),
);
const { marks } = expanded.policy;
const cycles = (ns) => Math.round((ns * expanded.timing.clockMhz.value) / 1000);
const ns = (count) => (count * 1000) / expanded.timing.clockMhz.value;

/** Turns of the loop with interrupts off: a turn relaxes once. */
function delay(machine, cpu, turns) {
  const block = machine.image.perCpuStart + cpu * machine.image.perCpuStride;
  machine.writeUint64(block + perCpuOffsets.irqsOffTurns, BigInt(turns));
}

// Until the first call has returned: CPUs are up, caches are as they will be. The second call comes 50 us later.
let started = performance.now();
const warm = buildMachine(await loadCore(), expanded);
warm.probe(marks.return, { break: true });
warm.probe(marks.call);
console.log(warm.run(cycles(100e6)).kind, `after ${formatNs(ns(warm.cycle))} of simulated time`);
console.log(`warmed up in ${(performance.now() - started).toFixed(0)} ms\n`);

/** From the call of stop_machine() to its return, in a copy of the warm machine, as text. */
function latency(change) {
  const machine = warm.fork();
  machine.trace.clear();
  change(machine);
  const end = machine.run(machine.cycle + cycles(5e6));
  if (end.kind !== "probe") return "no answer within 5 ms";
  const [call] = machine.trace;
  return formatNs(ns(end.cycle - call.cycle));
}

started = performance.now();
console.log(`nobody      ${latency(() => {})}`);
for (let run = 1; run <= RUNS; run++) {
  const cpu = (run * 37) % CPUS;
  const turns = 20_000 * run;
  const taken = latency((machine) => delay(machine, cpu, turns));
  console.log(`CPU ${String(cpu).padStart(3)}  ${String(turns).padStart(6)} turns  ${taken}`);
}
console.log(`CPU 300  wedged  ${latency((machine) => delay(machine, 300, 2 ** 40))}`);
console.log(`\n${RUNS + 2} runs in ${(performance.now() - started).toFixed(0)} ms`);
