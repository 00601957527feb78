// Which CPU holds up stop_machine() most often? Runs twenty seeds on a machine with mixed loads.
//
//   node examples/slowest-cpu.mjs

import { formatNs, simulate } from "allstop";

const last = new Map();
const latencies = [];
for (let seed = 1; seed <= 20; seed++) {
  const { report } = await simulate({
    machine: { topology: "icelake-8375c" },
    load: { common: "mixed" },
    seed,
  });
  const { latency, stragglers } = report;
  latencies.push(latency.rendezvousNs);
  const { cpu, load } = stragglers[0];
  const key = `CPU ${cpu} (${load})`;
  last.set(key, (last.get(key) ?? 0) + 1);
}

console.log(`rendezvous ${formatNs(Math.min(...latencies))} to ${formatNs(Math.max(...latencies))}`);
for (const [cpu, times] of [...last].sort((a, b) => b[1] - a[1])) console.log(`last ${times} times: ${cpu}`);
