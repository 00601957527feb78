// The stop path of two-level-ack.mjs: judged by all oracles on both architectures, then laid beside mainline's stop_machine().
//
//   node examples/own-policy/run.mjs

import { compare, comparisonLines, formatNs, simulate } from "allstop";
import { stopMachineInGroups } from "./two-level-ack.mjs";

const policies = [stopMachineInGroups];

for (const architecture of ["x86-64", "arm64"]) {
  for (const name of ["stop_machine", stopMachineInGroups.name]) {
    const scenario = {
      machine: { architecture, cpus: 256 },
      policy: { name, active: "all" },
      load: { common: "mixed" },
    };
    const { report, passed } = await simulate(scenario, { policies, lines: true });
    const broken = report.oracles.filter(({ held }) => !held).map(({ name, detail }) => `${name}: ${detail}`);
    const verdict = passed ? `all ${report.oracles.length} oracles hold` : broken.join("; ");
    const state = report.lines.most.find(({ name }) => name.startsWith("multi_stop_data"));
    console.log(
      `${architecture.padEnd(6)}  ${name.padEnd(22)}  ${verdict}; all CPUs' waits for the state: ${formatNs(state.waitNs)}`,
    );
  }
}

const comparison = await compare({
  policies: ["stop_machine", stopMachineInGroups],
  cpus: [64, 256, 1024],
  seeds: [1, 2, 3],
  scenario: { load: { common: "mixed" } },
});
console.log();
for (const line of comparisonLines(comparison)) console.log(line);
