// The tables of a run's page: each is nothing where the report has nothing of it.

import { interruptLines } from "../interrupts-text.ts";
import type { Report } from "../report.ts";
import { causesText, formatCount, formatNs, plain, plural } from "../text.ts";
import { paragraph, preformatted, table, tag, text, type Html } from "./elements.ts";

const figureColumns = [{ title: "" }, { title: "time", isFigure: true }, { title: "" }] as const;

export function figuresTable({ latency, outcome, simulatedNs }: Report): Html {
  const { rendezvousNs, totalNs, frozenNs } = latency;
  const returned =
    outcome.returned === null ? "has not returned" : `from the call to its return; returned ${outcome.returned}`;
  return table(figureColumns, [
    ...(rendezvousNs === null
      ? []
      : [["rendezvous", formatNs(rendezvousNs), "from the call until all CPUs had stopped"]]),
    ...(totalNs === null ? [] : [["whole call", formatNs(totalNs), returned]]),
    ...(frozenNs === null
      ? []
      : [
          [
            "CPUs frozen",
            formatNs(frozenNs.p50),
            `median; least ${formatNs(frozenNs.min)}, 99 % ${formatNs(frozenNs.p99)}, most ${formatNs(frozenNs.max)}`,
          ],
        ]),
    ["simulated", formatNs(simulatedNs), "the whole run"],
  ]);
}

const MOST_ROUNDS = 100;

export function roundsTable({ rounds: all }: Report): Html {
  if (all.length < 2) return "";
  const rows = all
    .slice(0, MOST_ROUNDS)
    .map(({ rendezvousNs, totalNs, returned }, index) => [
      formatCount(index + 1),
      formatNs(rendezvousNs),
      formatNs(totalNs),
      returned === null ? "" : String(returned),
    ]);
  const more = all.length > MOST_ROUNDS ? paragraph(`and ${formatCount(all.length - MOST_ROUNDS)} more`, "faint") : "";
  const columns = ["call", "rendezvous", "whole call", "returned"].map((title) => ({ title, isFigure: true }) as const);
  return table(columns, rows) + more;
}

export function rulesTable({ oracles }: Report): Html {
  const broken = oracles.filter(({ held }) => !held);
  if (oracles.length === 0) return "";
  if (broken.length === 0) return tag("p", { class: "good" }, text(`All rules hold (${oracles.length} oracles).`));
  return table(
    [{ title: "broken" }, { title: "", isText: true }],
    broken.map(({ name, detail }) => [name, detail]),
  );
}

export function missingTable({ outcome, scenario }: Report): Html {
  if (outcome.missingCount === 0) return "";
  const rows = outcome.missing.map(({ cpu, load, at, state, missing: phase, isCulprit, causes: parts }) => [
    `CPU ${cpu}`,
    load,
    `${state} at ${at}`,
    phase,
    isCulprit ? "at fault" : "waits for others",
    causesText(parts, cpu === scenario.policy.requester),
  ]);
  const columns = [
    ...["", "load", "where it is", "missing", ""].map((title) => ({ title })),
    { title: "where its time went", isText: true } as const,
  ];
  const more = outcome.missingCount - outcome.missing.length;
  return (
    paragraph(`${plural(outcome.missingCount, "CPU")} did not arrive:`, "bad") +
    table(columns, rows) +
    (more > 0 ? paragraph(`and ${formatCount(more)} more`, "faint") : "")
  );
}

export function stragglersTable({ stragglers: all, scenario }: Report): Html {
  const columns = [
    { title: "last to arrive" },
    { title: "load" },
    { title: "arrived", isFigure: true },
    { title: "stopped", isFigure: true },
    { title: "why", isText: true },
  ] as const;
  const rows = all.map(({ cpu, load, enteredNs, stoppedNs, causes: parts }) => [
    `CPU ${cpu}`,
    load,
    formatNs(enteredNs),
    formatNs(stoppedNs),
    causesText(parts, cpu === scenario.policy.requester),
  ]);
  return table(columns, rows);
}

export function pathTable({ criticalPath, scenario }: Report): Html {
  if (criticalPath.length < 2) return "";
  const columns = [
    { title: "step" },
    { title: "took", isFigure: true },
    { title: "whom everybody waited for, and why", isText: true },
  ] as const;
  const rows = criticalPath.map(({ name, cpu, ns, causes: parts = [] }) => {
    const why = parts.length === 0 ? "" : `: ${causesText(parts, cpu === scenario.policy.requester)}`;
    return [name, formatNs(ns), `CPU ${cpu}${why}`];
  });
  return table(columns, rows);
}

export function causesTable({ causes: all }: Report): Html {
  const columns = [
    { title: "cause" },
    { title: "CPUs", isFigure: true },
    { title: "in all", isFigure: true },
    { title: "most", isFigure: true },
    { title: "" },
  ] as const;
  const rows = all.map(({ cause, cpus, totalNs, maxNs, maxCpu }) => [
    cause,
    formatCount(cpus),
    formatNs(totalNs),
    formatNs(maxNs),
    `CPU ${maxCpu}`,
  ]);
  return table(columns, rows);
}

export function boundariesTable({ boundaries: all }: Report): Html {
  const columns = [
    { title: "boundary" },
    { title: "first CPU", isFigure: true },
    { title: "last CPU", isFigure: true },
    { title: "" },
    { title: "CPUs", isFigure: true },
  ] as const;
  const rows = all.map(({ name, firstNs, lastNs, lastCpu, passed }) => [
    name,
    formatNs(firstNs),
    formatNs(lastNs),
    `CPU ${lastCpu}`,
    formatCount(passed),
  ]);
  return table(columns, rows);
}

export function distributionsTable({ distributions: { stopNs, frozenNs, releaseSkewNs } }: Report): Html {
  const named = [
    ["call to stop", stopNs],
    ["frozen", frozenNs],
    ["release skew", releaseSkewNs],
  ] as const;
  const titles = ["count", "least", "median", "90 %", "99 %", "99.9 %", "most"];
  const columns = [{ title: "over CPUs and calls" }, ...titles.map((title) => ({ title, isFigure: true }) as const)];
  const rows = named.flatMap(([name, values]) => {
    if (values === null) return [];
    const { count, min, p50, p90, p99, p99_9, max } = values;
    return [[name, formatCount(count), ...[min, p50, p90, p99, p99_9, max].map(formatNs)]];
  });
  return table(columns, rows);
}

export function linesTable({ lines: report }: Report): Html {
  if (report === undefined) return "";
  const titles = ["requests", "writes", "copies taken", "waited", "queued"];
  const columns = [
    { title: "line", isText: true as const },
    ...titles.map((title) => ({ title, isFigure: true }) as const),
    { title: "worst wait" },
  ];
  const rows = report.most.map(({ name, fields, transfers, writes, invalidations, waitNs, queueNs, worst }) => [
    fields.length === 0 ? name : `${name}: ${fields.map((field) => field.name).join(", ")}`,
    ...[transfers, writes, invalidations].map(formatCount),
    formatNs(waitNs),
    formatNs(queueNs),
    worst === null ? "" : `${formatNs(worst.ns)}, CPU ${worst.cpu}`,
  ]);
  return table(columns, rows);
}

export function interruptsTable(report: Report): Html {
  const told = interruptLines(report, plain);
  return told.length === 0 ? "" : preformatted(told.join("\n"));
}

export function waitsTable({ waits: all }: Report): Html {
  const columns = ["wait", "", "iterations", "limit", "", "took"].map((title) => ({ title }));
  const rows = all.map(({ name, cpu, iterations, limit, expired, ns }) => [
    name,
    `CPU ${cpu}`,
    formatCount(iterations),
    formatCount(limit),
    ns === null ? "goes on" : expired ? "given up" : "ended well",
    formatNs(ns),
  ]);
  return table(columns, rows);
}

export function messagesTable({ messages: all }: Report): Html {
  const columns = ["message", "", "", "at"].map((title) => ({ title }));
  const rows = all.map(({ name, value, cpu, ns }) => [
    name,
    value === null ? "" : String(value),
    `CPU ${cpu}`,
    formatNs(ns),
  ]);
  return table(columns, rows);
}
