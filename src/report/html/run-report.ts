// A run as a page: verdict, figures, who was late and why, pictures, and what it takes to run it again.

import { renderHeatMap } from "../picture/heat-map.ts";
import { renderPercentiles, type PercentilePlot } from "../picture/percentiles.ts";
import { renderTopology } from "../picture/topology-map.ts";
import { renderWaterfall } from "../picture/waterfall.ts";
import type { Rendezvous } from "../rendezvous.ts";
import type { Report } from "../report.ts";
import { formatCount, plural } from "../text.ts";
import { figure, paragraph, preformatted, section, tag, text, type Html } from "./elements.ts";
import { page } from "./page.ts";
import {
  boundariesTable,
  causesTable,
  distributionsTable,
  figuresTable,
  interruptsTable,
  linesTable,
  messagesTable,
  missingTable,
  pathTable,
  roundsTable,
  rulesTable,
  stragglersTable,
  waitsTable,
} from "./run-tables.ts";

/** What a page shows, all of it of one run. */
export interface HtmlReportInput {
  /** Of the run. */
  readonly report: Report;
  /** rendezvousOf() of the same run: without it there are no pictures of the call. */
  readonly rendezvous?: Rendezvous | undefined;
  /** percentilesOf() of the same run. */
  readonly percentiles?: PercentilePlot | undefined;
  /** The command that makes this report; by default one that runs the scenario in it. */
  readonly command?: string | undefined;
}

/**
 * A report as one HTML file without references to others: it can be mailed, archived and printed. A function of its input: nothing that
 * differs between hosts is in it.
 */
export function renderHtmlReport(input: HtmlReportInput): string {
  const { report } = input;
  const { machine, scenario } = report;
  return page(
    `${scenario.title ?? scenario.policy.name} on ${machine.name}`,
    headline(report),
    section("Figures", figuresTable(report), roundsTable(report)),
    section("Rules", rulesTable(report)),
    section("Who was late, and why", missingTable(report), stragglersTable(report), pathTable(report)),
    section("Pictures of the call", ...pictures(input)),
    section("Where the time went", causesTable(report), boundariesTable(report), distributionsTable(report)),
    section("Contended lines of memory", linesTable(report)),
    section("Interrupts", interruptsTable(report)),
    section("Waits and messages", waitsTable(report), messagesTable(report)),
    section("To run it again", ...again(input)),
  );
}

function headline({ outcome, machine, scenario }: Report): Html {
  const isGood = outcome.verdict === "completed";
  const domains = `${plural(machine.packages, "package")}, ${plural(machine.llcDomains, "LLC domain")}`;
  const firmware = machine.firmware === undefined ? "" : `, firmware ${machine.firmware}`;
  return tag(
    "header",
    {},
    tag("h1", {}, text(`${scenario.title ?? scenario.policy.name} on ${machine.name}`)),
    tag(
      "p",
      {},
      tag("span", { class: isGood ? "good" : "bad" }, text(isGood ? "OK" : outcome.verdict.toUpperCase())),
      text(` ${outcome.story}`),
    ),
    paragraph(
      `${machine.name}: ${formatCount(machine.online)} of ${formatCount(machine.cpus)} CPUs online, ${machine.arch}, ${domains}, timing ${machine.timing}${firmware}`,
      "faint",
    ),
    paragraph(
      `${scenario.policy.name}, load ${scenario.load.common}, seed ${scenario.seed}. Times are simulated.`,
      "faint",
    ),
    ...outcome.also.map(({ policy, requester, returned }) =>
      paragraph(
        `Meanwhile ${policy} from CPU ${requester}, ${returned === null ? "under way" : `returned ${returned}`}.`,
        "faint",
      ),
    ),
  );
}

function pictures({ rendezvous, percentiles }: HtmlReportInput): Html[] {
  return [
    ...(rendezvous === undefined
      ? []
      : [
          figure(
            renderWaterfall(rendezvous),
            "CPU by CPU, in the order of their arrivals, with the causes of lateness.",
          ),
          figure(renderHeatMap(rendezvous), "What all CPUs are in over time, grouped as the machine is."),
          figure(renderTopology(rendezvous), "When each CPU arrived, at its place in the machine."),
        ]),
    ...(percentiles === undefined || percentiles.curves.every(({ points }) => points.length === 0)
      ? []
      : [figure(renderPercentiles(percentiles), "How long it took the CPUs: the share of all that took no longer.")]),
  ];
}

function again({ report, command }: HtmlReportInput): Html[] {
  const { scenario, digest, recordsLost } = report;
  return [
    preformatted(command ?? "allstop run scenario.json"),
    paragraph(
      `State digest at the end of the run: ${digest}. The scenario below, saved as scenario.json, gives the same.`,
    ),
    recordsLost === 0 ? "" : paragraph(`${formatCount(recordsLost)} trace records were lost.`, "bad"),
    tag(
      "details",
      { open: "" },
      tag("summary", {}, text("The scenario with every choice written out")),
      preformatted(JSON.stringify(scenario, null, 2)),
    ),
  ];
}
