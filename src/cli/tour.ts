// allstop without a command: stop_machine() on a few machines of both architectures, from 64 to 4,096 CPUs, as a table.

import { formatCount, formatNs } from "../report/text.ts";
import type { ScenarioInput } from "../scenario/document.ts";
import { simulate } from "../simulate.ts";
import type { Report } from "../report/report.ts";
import type { LoadKind } from "../faults/load.ts";
import { ProgressBar, palette, print } from "./terminal.ts";

interface Stop {
  readonly title: string;
  readonly machine: NonNullable<ScenarioInput["machine"]>;
  readonly load: LoadKind;
}

const stops: readonly Stop[] = [
  { title: "Graviton 2", machine: { topology: "graviton2" }, load: "idle" },
  { title: "2x Xeon 8375C", machine: { topology: "icelake-8375c" }, load: "mixed" },
  { title: "2x Kunpeng 920", machine: { topology: "kunpeng-920" }, load: "busy" },
  { title: "2x EPYC 9654", machine: { topology: "epyc-9654" }, load: "idle" },
  { title: "SGI UV, 768", machine: { topology: "sgi-uv-768" }, load: "mixed" },
  { title: "1,024 x arm64", machine: { architecture: "arm64", cpus: 1024 }, load: "mixed" },
  { title: "4,096 x arm64", machine: { architecture: "arm64", cpus: 4096 }, load: "idle" },
  { title: "SGI UV, 4,096", machine: { topology: "sgi-uv-4096" }, load: "idle" },
];

const columns = [
  "machine",
  "arch",
  "CPUs",
  "load",
  "rendezvous",
  "whole call",
  "frozen p50",
  "frozen max",
  "last",
  "instructions",
  "host",
] as const;
const widths = [14, 6, 5, 5, 10, 10, 10, 10, 5, 14, 8] as const;
const leftAligned = new Set(["machine", "arch", "load"]);

function tableRow(cells: readonly string[]): string {
  return cells
    .map((cell, index) =>
      leftAligned.has(columns[index] as string)
        ? cell.padEnd(widths[index] as number)
        : cell.padStart(widths[index] as number),
    )
    .join("  ");
}

function cellsOf({ title, load }: Stop, { machine, latency, stragglers, host }: Report): string[] {
  return [
    title,
    machine.arch,
    formatCount(machine.online),
    load,
    formatNs(latency.rendezvousNs),
    formatNs(latency.totalNs),
    formatNs(latency.frozenNs?.p50 ?? null),
    formatNs(latency.frozenNs?.max ?? null),
    String(stragglers[0]?.cpu ?? "-"),
    formatCount(host.guestInstructions),
    `${(host.wallMs / 1000).toFixed(2)} s`,
  ];
}

/** @returns the exit code: 1 if any call did not complete */
export async function tour(): Promise<number> {
  const { strong, faint, bad } = palette();
  print(strong("stop_machine(): how long does a machine take to stop all of its CPUs?"));
  print(faint("Every CPU executes a small kernel's real machine code; times are simulated, host is this computer's."));
  print("");
  print(faint(tableRow(columns)));
  let failures = 0;
  for (const stop of stops) {
    const bar = new ProgressBar(stop.title.padEnd(14));
    const scenario = { machine: stop.machine, load: { common: stop.load } };
    const { report } = await simulate(scenario, { onProgress: bar.update }).finally(() => {
      bar.end();
    });
    print(tableRow(cellsOf(stop, report)));
    if (report.outcome.verdict !== "completed") {
      failures++;
      print(bad(`  ${report.outcome.story}`));
    }
  }
  print("");
  print(
    faint("rendezvous: from the call until every CPU has stopped; frozen: what one CPU loses; last: who arrived last."),
  );
  print(
    faint(
      "One machine in detail: allstop run --topology epyc-9654. Your own: allstop run --topology FILE.xml (lstopo FILE.xml).",
    ),
  );
  return failures === 0 ? 0 : 1;
}
