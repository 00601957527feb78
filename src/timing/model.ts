// A timing model: a named set of sourced parameters, and its translation into the core's cycles.

import { Timing } from "../abi.ts";
import { AllstopError } from "../errors.ts";
import { timingParameters, type ParameterDescription, type Sourced, type TimingParameter } from "./parameters.ts";

/**
 * One-way latencies of cache-line messages, ns. A line that one core has modified and another asks for crosses `cache` four
 * times within a domain (request, recall, answer, fill); between domains it hops three times more (to the home, to the
 * owner, to whoever asked). derive.ts has what that means for published handoffs.
 */
export interface LineLatencies {
  /** Core to its last-level cache. */
  readonly cache: Sourced;
  /** Between last-level caches, or between one and a home, of one NUMA node. */
  readonly node: Sourced;
  /** Between nodes of one package. */
  readonly package: Sourced;
  /** Between packages whose nodes are at SLIT distance 21 or less; farther ones in proportion. */
  readonly machine: Sourced;
}

/** What things take on a machine, each with where that comes from. */
export interface TimingModel {
  readonly name: string;
  readonly title: string;
  readonly architecture: "x86-64" | "arm64";
  readonly clockMhz: Sourced;
  /** Simple instructions that share a cycle: 1, 2, 4 or 8. */
  readonly issueWidth: Sourced;
  /** Generic timer or TSC: Hz of CNTFRQ_EL0; on x86 the TSC runs with the reference clock. */
  readonly counterHz: Sourced;
  readonly lines: LineLatencies;
  readonly parameters: Readonly<Record<TimingParameter, Sourced>>;
}

/** Whole cycles of a duration, at least `least`. */
export function cyclesOf(model: TimingModel, ns: number, least = 1): number {
  return Math.max(least, Math.round((ns * model.clockMhz.value) / 1000));
}

export function nsOf(model: TimingModel, cycles: number | bigint): number {
  return (Number(cycles) * 1000) / model.clockMhz.value;
}

/** Ticks of a microsecond of the counter that software reads: the TSC, or CNTVCT_EL0. */
export function counterMhz({ architecture, clockMhz, counterHz }: TimingModel): number {
  return architecture === "x86-64" ? clockMhz.value : counterHz.value / 1e6;
}

/** The core's table of Timing.COUNT words. @throws OPTION_INVALID for values that no machine has */
export function timingTable(model: TimingModel): Uint32Array {
  const table = new Uint32Array(Timing.COUNT);
  const shift = Math.log2(model.issueWidth.value);
  if (!Number.isInteger(shift) || shift > 3) {
    throw new AllstopError("OPTION_INVALID", "issue width", { value: model.issueWidth.value, allowed: "1, 2, 4 or 8" });
  }
  table[Timing.ISSUE_SHIFT] = shift;
  for (const [name, { index, unit, least, most = Infinity, leastCycles }] of Object.entries<ParameterDescription>(
    timingParameters,
  )) {
    const { value } = model.parameters[name as TimingParameter];
    if (!Number.isFinite(value) || value < least || value > most) {
      throw new AllstopError("OPTION_INVALID", `timing parameter ${name}`, {
        value,
        allowed: most === Infinity ? `${least} ${unit} or more` : `${least} to ${most} ${unit}`,
      });
    }
    const whole =
      unit === "ticks"
        ? Math.round(value)
        : unit === "cycles"
          ? Math.round(value * 2 ** shift)
          : unit === "kHz" || unit === "stores"
            ? Math.round(value)
            : cyclesOf(model, value, leastCycles);
    if (whole >= 2 ** 32) {
      throw new AllstopError("OPTION_INVALID", `timing parameter ${name}`, {
        value,
        allowed: `below 2^32 cycles, in ${unit}`,
      });
    }
    table[index] = whole;
  }
  return table;
}

/** One-way latency of a hop between two nodes, cycles. `distance` as in ACPI's SLIT. */
export function hopCycles(model: TimingModel, samePackage: boolean, sameNode: boolean, distance: number): number {
  const { node, package: inPackage, machine } = model.lines;
  if (sameNode) return cyclesOf(model, node.value);
  if (samePackage) return cyclesOf(model, inPackage.value);
  return cyclesOf(model, machine.value * Math.max(1, (distance - 10) / 11));
}
