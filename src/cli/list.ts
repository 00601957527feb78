// allstop list: what there is to choose from.

import { firmwareSwitches, personalities, type Personality } from "../firmware/index.ts";
import { loadKinds } from "../faults/load.ts";
import { policies } from "../policies/index.ts";
import {
  timingModels,
  timingParameters,
  type Sourced,
  type TimingModel,
  type TimingParameter,
} from "../timing/index.ts";
import { presets } from "../topology/index.ts";
import { palette, print } from "./terminal.ts";

export const listable = ["topologies", "timings", "policies", "loads", "firmware"] as const;
export type Listable = (typeof listable)[number];

export interface ListArguments {
  readonly verbose?: true;
  readonly json?: true;
}

/** Prints one list, or all. */
export function list(what: Listable | undefined, options: ListArguments): number {
  const chosen = what === undefined ? listable : [what];
  if (options.json) {
    const data = Object.fromEntries(chosen.map((name) => [name, contents[name]()]));
    print(JSON.stringify(what === undefined ? data : data[what], null, 2));
    return 0;
  }
  chosen.forEach((name, index) => {
    if (index > 0) print("");
    if (chosen.length > 1) print(palette().strong(name));
    for (const line of lines[name](options.verbose === true)) print(line);
  });
  return 0;
}

const contents: Record<Listable, () => unknown> = {
  topologies: () => presets.map(({ name, title, source }) => ({ name, title, source })),
  timings: () => timingModels,
  policies: () =>
    policies.map(({ name, title, architectures, source, phases }) => ({ name, title, architectures, source, phases })),
  loads: () => Object.entries(loadKinds).map(([name, title]) => ({ name, title })),
  firmware: () => personalities,
};

const lines: Record<Listable, (verbose: boolean) => string[]> = {
  topologies: (verbose) =>
    presets.flatMap(({ name, title, source }) => [row(name, title), ...(verbose ? [detail(source)] : [])]),
  timings: (verbose) =>
    timingModels.flatMap((model) => [row(model.name, model.title), ...(verbose ? timingDetails(model) : [])]),
  policies: (verbose) =>
    policies.flatMap(({ name, title, source, architectures }) => [
      row(name, title),
      ...(verbose ? [detail(`${architectures.join(", ")}; ${source}`)] : []),
    ]),
  loads: () => Object.entries(loadKinds).map(([name, title]) => row(name, title)),
  firmware: (verbose) =>
    personalities.flatMap((one) => [row(one.name, one.title), ...(verbose ? firmwareDetails(one) : [])]),
};

/** Room for the longest name of a policy. */
const NAME_COLUMNS = 30;

function row(name: string, title: string): string {
  return `  ${name.padEnd(NAME_COLUMNS)} ${title}`;
}

function detail(text: string): string {
  return `  ${"".padEnd(NAME_COLUMNS)} ${palette().faint(text)}`;
}

/** Where a personality is from, and every switch. */
function firmwareDetails(one: Personality): string[] {
  const switches = Object.keys(firmwareSwitches).map((name) => `${name} ${one[name as keyof typeof firmwareSwitches]}`);
  const { boundEvents: bound, criticalEvents: critical } = one;
  const events = `events to bind ${bound.private} private, ${bound.shared} shared; critical ${critical.private} private, ${critical.shared} shared`;
  return [one.source, switches.join(", "), events].map(detail);
}

/** Every parameter with value, unit, confidence and source. */
function timingDetails(model: TimingModel): string[] {
  const figure = (name: string, { value, confidence, source, range }: Sourced, unit: string, what: string): string => {
    const bounds = range === undefined ? "" : ` (${range[0]} to ${range[1]})`;
    return `    ${name.padEnd(18)} ${String(Math.round(value * 100) / 100).padStart(9)} ${unit.padEnd(7)}${bounds.padEnd(22)} ${confidence.padEnd(9)} ${what} ${palette().faint(`- ${source}`)}`;
  };
  const { lines: lineLatencies, parameters } = model;
  return [
    figure("clock", model.clockMhz, "MHz", "reference clock"),
    figure("issueWidth", model.issueWidth, "", "simple instructions per cycle"),
    figure("counter", model.counterHz, "Hz", "TSC or generic timer"),
    figure("lines.cache", lineLatencies.cache, "ns", "core to last-level cache, one way"),
    figure("lines.node", lineLatencies.node, "ns", "hop within a NUMA node"),
    figure("lines.package", lineLatencies.package, "ns", "hop between nodes of a package"),
    figure("lines.machine", lineLatencies.machine, "ns", "hop between packages"),
    ...Object.entries(timingParameters).map(([name, { unit, what }]) =>
      figure(name, parameters[name as TimingParameter], unit, what),
    ),
  ];
}
