// Models of particular machines from published figures: instruction costs are put in as they are, line latencies and
// occupancies are solved from handoffs, since no machine's maker publishes them.

import type { LineLatencies, TimingModel } from "./model.ts";
import type { Sourced, TimingParameter } from "./parameters.ts";

/**
 * Medians of a CAS ping-pong between two CPUs, half a round trip, ns, by what the CPUs share. `farHome` is for two CPUs of
 * one package and different last-level caches when the line's home is in the other package.
 */
export interface Handoffs {
  /** The core. */
  readonly sibling?: number;
  /** The last-level cache. */
  readonly domain: number;
  /** The NUMA node, but not the last-level cache. */
  readonly node?: number;
  /** Of no use to solve for: here it comes out as `machine` does, as published figures do. */
  readonly farHome?: number;
  /** The package, but not the node. */
  readonly package?: number;
  /** Nothing but the machine. */
  readonly machine?: number;
  /** SLIT distance of the packages of the machine that was measured; 21 if not given. */
  readonly distance?: number;
  readonly source: string;
  /** What the solved latencies are worth: `fit` when the handoffs were measured. */
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

/** SLIT distance between packages that `lines.machine` stands for. */
export const MACHINE_DISTANCE = 21;
const LOCAL_DISTANCE = 10;
/** Where the last-level cache is the node's, a line's home is in the line's slice of it. */
const homeBesideCache: Sourced = {
  value: 2,
  source: "no published figure; a home beside its slice of the cache",
  confidence: "estimate",
  range: [0.5, 10],
};

function round(ns: number): number {
  return Math.round(ns * 10) / 10;
}

/** Puts published figures into a neutral model. */
export function derive(base: TimingModel, derivation: Derivation): TimingModel {
  const { name, title, clockMhz, handoffs, counterHz, parameters = {} } = derivation;
  const { lines, llcOccupancy, homeOccupancy } = solveLines(base, handoffs);
  return {
    ...base,
    name,
    title,
    clockMhz,
    counterHz: counterHz ?? {
      ...base.counterHz,
      value: base.architecture === "x86-64" ? clockMhz.value * 1e6 : base.counterHz.value,
    },
    lines,
    parameters: { ...base.parameters, ...solveSibling(handoffs), llcOccupancy, homeOccupancy, ...parameters },
  };
}

interface Solved {
  readonly lines: LineLatencies;
  readonly llcOccupancy: Sourced;
  readonly homeOccupancy: Sourced;
}

function solvedFrom({ source, confidence }: Handoffs, exact: number, from: string): Sourced {
  const value = Math.max(0.5, round(exact));
  const range = [round(0.7 * value), round(1.5 * value)] as const;
  const isEstimate = confidence === "estimate";
  return {
    value,
    confidence,
    source: `${from}; ${isEstimate ? "" : "fitted to "}${source}`,
    ...(isEstimate && { range }),
  };
}

/** A ping-pong between siblings takes what their stores take, if that is more than half an attempt of the one who waits. */
function solveSibling(handoffs: Handoffs): { readonly sibling?: Sourced } {
  if (handoffs.sibling === undefined) return {};
  return { sibling: solvedFrom(handoffs, handoffs.sibling, `the ${handoffs.sibling} ns handoff between siblings`) };
}

/**
 * Let a be the way between core and cache, n and m the hops within a node and between packages, L and H the occupancies of
 * cache and home. A line that nobody else asks for moves in 4a within a domain (request, recall, answer, fill), and in three
 * hops more between domains: to the home, to the owner, to whoever asked. In a ping-pong the one who has lost the line asks
 * for it at once, so that its request waits already when the other is served, and the home is busy until the requester has
 * told it that the line is there; then a handoff takes
 *
 *     domain   2a + L              node     2a + 3n + H
 *     machine  2a + n + 2m + H     farHome  2a + n + 2m + H
 *
 * Intel's latency checker finds 40 to 42 ns for a modified line of another core (Xeon E5-2660 v4), where the ping-pong
 * finds 43.5 ns (E5-2695 v4): the line that nobody else asks for takes as long. That gives the second equation of each pair:
 * 4a = domain, so L = 2a = H; three hops = what a domain more adds.
 */
function solveLines(base: TimingModel, handoffs: Handoffs): Solved {
  const { domain } = handoffs;
  const solved = (exact: number, from: string): Sourced => solvedFrom(handoffs, exact, from);
  const near = nearHandoff(handoffs);
  const node =
    handoffs.node === undefined
      ? homeBesideCache
      : solved((handoffs.node - domain) / 3, `a third of what ${handoffs.node} ns within a node add`);
  const far = solveFar(handoffs, node.value);
  const scale = ((handoffs.distance ?? MACHINE_DISTANCE) - LOCAL_DISTANCE) / (MACHINE_DISTANCE - LOCAL_DISTANCE);
  const betweenPackages =
    handoffs.machine === undefined
      ? atDistance(base.lines.machine, scale)
      : solved(far.hop / scale, `from ${handoffs.machine} ns between packages, at SLIT distance ${MACHINE_DISTANCE}`);
  return {
    lines: {
      cache: solved(domain / 4, `a quarter of the ${domain} ns handoff within a last-level cache`),
      node,
      package:
        handoffs.package === undefined
          ? node
          : solved(far.hop, `from ${handoffs.package} ns between nodes of a package`),
      machine: betweenPackages,
    },
    llcOccupancy: solved(domain / 2, `half of the ${domain} ns handoff: until the requester has the line and says so`),
    homeOccupancy:
      near === undefined
        ? base.parameters.homeOccupancy
        : solved(far.occupancy, `what ${near} ns between domains leave beside three hops`),
  };
}

/** A hop that is meant for the machine's own distance, brought to the one that `lines.machine` stands for. */
function atDistance(hop: Sourced, scale: number): Sourced {
  const { range, ...rest } = hop;
  return {
    ...rest,
    value: hop.value / scale,
    ...(range && { range: [range[0] / scale, range[1] / scale] as const }),
  };
}

/** The nearest handoff that crosses domains. */
function nearHandoff({ node, package: inPackage, machine }: Handoffs): number | undefined {
  return node ?? inPackage ?? machine;
}

/** The long hop, ns, and the occupancy of a home, ns. */
function solveFar(handoffs: Handoffs, node: number): { hop: number; occupancy: number } {
  const { domain } = handoffs;
  const total = handoffs.machine ?? handoffs.package ?? domain;
  return { hop: (total - domain - node) / 2, occupancy: domain / 2 };
}
