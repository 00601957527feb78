// allstop in a page: a machine and a load chosen in a form, the report as text, and a small sweep as a picture. No server takes part.
//
//   npx vite examples/browser            # or: npx vite build examples/browser

import { compare, loadKinds, reportLines, simulate, renderSweepChart } from "allstop";
import { presets } from "allstop/topology";

const form = document.querySelector("form");
const report = document.querySelector("#report");
form.topology.append(...presets.map(({ name, title }) => new Option(`${name}: ${title}`, name)));
form.load.append(...Object.keys(loadKinds).map((kind) => new Option(kind)));

async function stop() {
  const scenario = {
    machine: { topology: form.topology.value },
    load: { common: form.load.value },
    seed: form.seed.valueAsNumber,
  };
  const simulation = await simulate(scenario).catch((error) => ({ report: undefined, error }));
  // Mistakes, such as a load that the architecture doesn't have, are texts that say what is allowed.
  report.textContent =
    simulation.report === undefined ? simulation.error.message : reportLines(simulation.report).join("\n");
  document.body.dataset.digest = simulation.digest ?? "";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void stop();
});
await stop();

const { summary } = await compare({ policies: ["stop_machine", "cpu_offline"], cpus: [16, 32, 64], seeds: [1, 2] });
document.querySelector("#picture").innerHTML = renderSweepChart(summary, {
  metric: "rendezvousNs",
  field: "machine.cpus",
});
document.body.dataset.done = "yes";
