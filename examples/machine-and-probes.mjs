// A machine under one's own control: the kernel's image, a break at a mark, registers, memory and masks.
//
//   node examples/machine-and-probes.mjs

import { SCENARIO_FORMAT, parseScenario } from "allstop";
import { expandScenario, prepareMachine } from "allstop/machine";

const expanded = expandScenario(
  parseScenario({ format: SCENARIO_FORMAT, machine: { architecture: "arm64", cpus: 16 }, load: { common: "mixed" } }),
);
const machine = await prepareMachine(expanded);

// Stop when the first CPU enters the stopper's loop.
machine.probe(expanded.policy.marks.enter, { break: true });
const end = machine.run(10_000_000);
console.log(end);
console.log("online:", machine.readMask("__cpu_online_mask").join(","));

// What is every CPU doing at that moment?
for (let cpu = 0; cpu < 16; cpu++) {
  const { state, at, retired } = machine.cpu(cpu);
  console.log(`CPU ${String(cpu).padStart(2)}  ${state.padEnd(8)} ${at}  ${retired} instructions`);
}
console.log("digest", machine.digest());
