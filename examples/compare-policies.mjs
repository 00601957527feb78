// Two stop paths side by side, on the same machines, loads and seeds: a table, and a picture in a folder of one's choice.
//
//   node examples/compare-policies.mjs [FOLDER]

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compare, comparisonLines, renderSweepChart } from "allstop";

const comparison = await compare({
  policies: ["stop_machine", "stop_machine_nmi_d"],
  machines: ["icelake-8375c", "epyc-7742", "epyc-9654"],
  scenario: { load: { common: "mixed" } },
  seeds: [1, 2, 3],
});
for (const line of comparisonLines(comparison)) console.log(line);

const [, , folder] = process.argv;
if (folder !== undefined) {
  const file = join(folder, "policies.svg");
  await writeFile(file, renderSweepChart(comparison.summary, { metric: "rendezvousNs", field: comparison.axis }));
  console.log(`\n${file}`);
}
