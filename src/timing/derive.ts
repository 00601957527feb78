// Models of particular machines: a neutral model with the figures that are published for the machine put in.

import type { LineLatencies, TimingModel } from "./model.ts";
import type { Sourced, TimingParameter } from "./parameters.ts";

/** Medians of a CAS ping-pong between two cores, half a round trip, ns, by what they share. */
export interface Handoffs {
  /** The last-level cache. */
  readonly domain: number;
  /** The node, but not the last-level cache. */
  readonly node?: number;
  /** The package, but not the node. */
  readonly package?: number;
  /** Nothing but the machine. */
  readonly machine?: number;
  readonly source: string;
  readonly confidence: Sourced["confidence"];
}

interface Derivation {
  readonly name: string;
  readonly title: string;
  readonly clockMhz: Sourced;
  readonly handoffs: Handoffs;
  readonly counterHz?: Sourced;
  readonly parameters?: Partial<Record<TimingParameter, Sourced>>;
}

/**
 * Puts published figures into a neutral model. A handoff within a domain is the atomic itself and four times the way between
 * core and last-level cache; one between domains makes three hops more: to the home, to the owner, to whoever asked.
 */
export function derive(
  base: TimingModel,
  { name, title, clockMhz, handoffs, counterHz, parameters = {} }: Derivation,
): TimingModel {
  const merged = { ...base.parameters, ...parameters };
  const atomicNs = (merged.atomic.value * 1000) / clockMhz.value;
  return {
    ...base,
    name,
    title,
    clockMhz,
    counterHz: counterHz ?? {
      ...base.counterHz,
      value: base.architecture === "x86-64" ? clockMhz.value * 1e6 : base.counterHz.value,
    },
    lines: lineLatencies(base.lines, handoffs, atomicNs),
    parameters: merged,
  };
}

function lineLatencies(base: LineLatencies, handoffs: Handoffs, atomicNs: number): LineLatencies {
  const { domain, source, confidence } = handoffs;
  const figure = (value: number, from: string): Sourced => ({
    value: Math.max(0.5, value),
    source: `${from} (${source})`,
    confidence,
  });
  const cache = figure(
    (domain - atomicNs) / 4,
    `a quarter of the ${domain} ns handoff within a last-level cache, less the atomic`,
  );
  const node =
    handoffs.node === undefined
      ? base.node
      : figure((handoffs.node - domain) / 3, `a third of what ${handoffs.node} ns within a node adds`);
  // The home is on one of the two sides: two hops between nodes and one within.
  const between = (total: number | undefined, fallback: Sourced, what: string): Sourced =>
    total === undefined
      ? fallback
      : figure((total - domain - node.value) / 2, `half of what ${total} ns between ${what} adds`);
  return {
    cache,
    node,
    package: between(handoffs.package, node, "nodes of a package"),
    machine: between(handoffs.machine, base.machine, "packages"),
  };
}
