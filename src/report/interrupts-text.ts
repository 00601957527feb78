// The benchmark of interrupts as a person wants to read it: in the form of the kernel's module, then what a broadcast is made of,
// then what was published of other machines.

import type { InterruptCase } from "../measure/ipi-benchmark.ts";
import type { PublishedCall, PublishedInterrupts } from "../measure/published-interrupts.ts";
import type { BenchmarkCase } from "../guest/smp/ipi-benchmark.ts";
import type { InterruptsReport, Report } from "./report.ts";
import { formatNs, type Palette } from "./text.ts";

/** What the module prints, in its words and order. */
const modulesLines = [
  ["dry", "Dry-run"],
  ["self", "Self-IPI"],
  ["one", "Normal IPI"],
  ["all", "Broadcast IPI"],
  ["lock", "Broadcast lock"],
] as const satisfies readonly (readonly [BenchmarkCase, string])[];
/** NTIMES */
const MODULES_ROUNDS = 100_000;

const ways = {
  broadcast: { "x86-64": "all-but-self shorthand, one write", arm64: "ICC_SGI1R_EL1.IRM, one write" },
  lists: { "x86-64": "one write per x2APIC cluster", arm64: "one write per target list" },
  each: { "x86-64": "one write per CPU", arm64: "one write per CPU" },
} as const;

export function interruptLines({ interrupts, machine }: Report, palette: Palette): string[] {
  if (interrupts === undefined || interrupts.cases.length === 0) return [];
  return [
    ...moduleLines(interrupts, palette),
    ...["", ...singleLines(interrupts, palette)],
    ...["", ...wayLines(interrupts, machine.arch, palette)],
    ...["", ...publishedLines(interrupts, palette)],
  ];
}

function caseOf({ cases }: InterruptsReport, name: BenchmarkCase): InterruptCase | undefined {
  return cases.find((one) => one.case === name);
}

/** As the module prints it: until the functions had run, and in all, summed over its rounds. */
function moduleLines(interrupts: InterruptsReport, palette: Palette): string[] {
  const sum = (ns: number | null): string => String(Math.round((ns ?? 0) * MODULES_ROUNDS)).padStart(18);
  return [
    palette.faint(
      `  ipi_benchmark: ${MODULES_ROUNDS} times each, scaled up from ${interrupts.cases[0]?.rounds ?? 0}; CPU ${interrupts.sender} sends, CPU ${interrupts.target} is the other`,
    ),
    ...modulesLines.flatMap(([name, title]) => {
      const found = caseOf(interrupts, name);
      return found === undefined ? [] : [`  ${`${title}:`.padEnd(16)}${sum(found.runNs)}, ${sum(found.returnNs)} ns`];
    }),
  ];
}

function singleLines(interrupts: InterruptsReport, palette: Palette): string[] {
  const row = (name: string, run: string, back: string, what: string): string =>
    `  ${name.padEnd(36)}${run.padStart(16)}${back.padStart(18)}   ${palette.faint(what)}`.trimEnd();
  const singles = [
    ["self", "self", "a call without an interrupt"],
    ["one", `CPU ${interrupts.target}`, ""],
    ["nmi", `CPU ${interrupts.target}, NMI`, "not in the module"],
  ] as const;
  return [
    palette.faint(row("one function call", "until it runs", "until it returns", "")),
    ...singles.flatMap(([name, title, what]) => {
      const found = caseOf(interrupts, name);
      return found === undefined ? [] : [row(title, formatNs(found.runNs), formatNs(found.returnNs), what)];
    }),
    ...modulesLines.slice(3).flatMap(([name, title]) => {
      const found = caseOf(interrupts, name);
      return found === undefined ? [] : [row(`all others, ${title}`, "-", formatNs(found.returnNs), "")];
    }),
  ];
}

/** All others, by each way of sending. */
function wayLines(interrupts: InterruptsReport, arch: Report["machine"]["arch"], palette: Palette): string[] {
  const row = (name: string, cells: readonly string[]): string =>
    `  ${name.padEnd(36)}${cells.map((cell) => cell.padStart(10)).join("")}`;
  return [
    palette.faint(row("a function on all others, by", ["sent", "first", "half", "last", "returned"])),
    ...(["broadcast", "lists", "each"] as const).flatMap((name) => {
      const found = caseOf(interrupts, name);
      if (found === undefined || found.fanOut === null) return [];
      const { sendNs, firstNs, medianNs, lastNs } = found.fanOut;
      const line = row(
        ways[name][arch],
        [sendNs, firstNs, medianNs, lastNs, found.returnNs].map((ns) => formatNs(ns)),
      );
      return [name === interrupts.kernelsWay ? `${line}   ${palette.faint("as the kernel does")}` : line];
    }),
  ];
}

function range(ns: readonly [number, number] | undefined): string {
  if (ns === undefined) return "-";
  const [least, most] = ns;
  return least === most ? formatNs(least) : `${formatNs(least)}-${formatNs(most)}`;
}

function both(call: PublishedCall | undefined): string {
  return call === undefined ? "-" : `${range(call.runNs)} / ${range(call.returnNs)}`;
}

/** What others measured with the module, and which of it says nothing about machines without a hypervisor. */
function publishedLines({ published }: InterruptsReport, palette: Palette): string[] {
  const row = (name: string, self: string, one: string, all: string, rest: string): string =>
    `  ${name.padEnd(46)}${self.padStart(18)}${one.padStart(34)}${all.padStart(19)}   ${rest}`.trimEnd();
  const verdicts: Readonly<Record<PublishedInterrupts["where"], string>> = {
    "bare metal": "bare metal",
    guest: "guest: not comparable",
    "not stated": "guest or not: not stated",
  };
  return [
    palette.faint(row("published, until it runs / returns", "self", "one other CPU", "all others", "")),
    ...published.map(({ machine, architecture, where, self, one, all, unit, source, confidence }) => {
      const foreign = architecture === "ppc64" ? ", another architecture" : "";
      const rest = `${verdicts[where]}${foreign} ${palette.faint(`(${source}; ${confidence}${unit === undefined ? "" : `; ${unit}`})`)}`;
      return row(machine, both(self), both(one), range(all?.returnNs), rest);
    }),
    palette.faint("  None of them is a machine of the timing models: orders of magnitude, no targets."),
  ];
}
