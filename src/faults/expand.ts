// Faults as a scenario document names them: which CPUs, what, when, with every figure checked against the machine.

import { AllstopError, placed } from "../errors.ts";
import { parseCpuList, type Topology } from "../topology/index.ts";
import type { TimingModel } from "../timing/index.ts";
import { actOf, deliveryAct, type ActFields } from "./act.ts";
import { deliveryIn, type DeliveryFault } from "./delivery.ts";
import type { Injection } from "./inject.ts";
import type { CpuLoad } from "./load.ts";
import type { Placement, PlacementFields } from "./placement.ts";

/** One entry of `faults.inject`. */
export interface InjectFault extends ActFields {
  readonly at: PlacementFields;
  readonly cpus?: string | undefined;
}

/** An injection, and where the document has it. */
export interface PlacedInjection extends Injection {
  readonly from: string;
}

interface Faults {
  readonly delivery?: readonly DeliveryFault[] | undefined;
  readonly inject?: readonly InjectFault[] | undefined;
}

/** All that happens on the way. @throws SCENARIO_INVALID, OPTION_INVALID, naming the entry */
export function expandInjections(faults: Faults, topology: Topology, timing: TimingModel): PlacedInjection[] {
  const injected = (faults.inject ?? []).map((fault, index): PlacedInjection => {
    const from = `faults.inject.${index}`;
    const at = placementOf(fault.at, `${from}.at`, topology);
    const cpus = fault.cpus === undefined ? undefined : cpusOf(fault.cpus, `${from}.cpus`, topology);
    const what = actOf(fault, from, timing, cpus);
    if (cpus === undefined && !("mark" in at) && needsCpus(fault.kind)) {
      throw new AllstopError("SCENARIO_INVALID", "the field is missing: nobody comes by", {
        at: `${from}.cpus`,
        allowed: "CPUs such as 0,4-7, or a place at a mark",
      });
    }
    return { at, act: what, from };
  });
  const delivered = (faults.delivery ?? []).flatMap((fault, index): PlacedInjection[] => {
    if (fault.at === undefined) return [];
    const from = `faults.delivery.${index}`;
    const at = placementOf(fault.at, `${from}.at`, topology);
    const cpus = cpusOf(fault.cpus, `${from}.cpus`, topology);
    return [{ at, act: deliveryAct(fault.kind, deliveryIn(fault, from, timing), cpus, from, timing), from }];
  });
  return [...injected, ...delivered];
}

/** Time that loads lose to the platform; all that lose alike do so at once. */
export function stolenByLoads(loads: readonly CpuLoad[], call: string): PlacedInjection[] {
  const groups = new Map<string, { readonly stolen: NonNullable<CpuLoad["stolen"]>; readonly cpus: number[] }>();
  loads.forEach(({ stolen }, cpu) => {
    if (stolen === undefined) return;
    const key = JSON.stringify(stolen);
    const group = groups.get(key) ?? { stolen, cpus: [] };
    group.cpus.push(cpu);
    groups.set(key, group);
  });
  return [...groups.values()].map(({ stolen: { kind, us, fromUs }, cpus }) => ({
    at: fromUs === undefined ? { mark: call } : { us: fromUs },
    act: { kind, us, cpus },
    from: "load",
  }));
}

function needsCpus(kind: ActFields["kind"]): boolean {
  return kind !== "serr" && kind !== "iochk" && kind !== "spi";
}

/** CPUs that are there, ascending. */
function cpusOf(text: string, at: string, topology: Topology): number[] {
  const cpus = [...parseCpuList(text, at, topology.cpus.length)].sort((a, b) => a - b);
  const absent = cpus.find((cpu) => topology.cpus[cpu]?.state === "absent");
  if (absent === undefined) return cpus;
  throw new AllstopError("SCENARIO_INVALID", "no such CPU", { at, value: absent, allowed: "present CPUs" });
}

const ofMarks = ["cpu", "hit", "instructions", "delayNs"] as const;

/** What of a place goes together. */
function placementOf(fields: PlacementFields, at: string, topology: Topology): Placement {
  const refuse = (what: string, field: string, value: unknown, allowed: string): AllstopError =>
    new AllstopError("SCENARIO_INVALID", what, { at: field === "" ? at : `${at}.${field}`, value, allowed });
  const named = (["us", "cycle", "mark"] as const).filter((name) => fields[name] !== undefined);
  if (named.length !== 1) throw refuse("not one place", "", named.join(", ") || "none", "one of us, cycle, mark");
  const { us, cycle, mark, cpu, hit, instructions, delayNs } = fields;
  if (mark === undefined) {
    const stray = ofMarks.find((name) => fields[name] !== undefined);
    if (stray !== undefined) throw refuse("only a place at a mark has this", stray, fields[stray], "no such field");
    return us === undefined ? { cycle: cycle ?? 0 } : { us };
  }
  if (instructions !== undefined && delayNs !== undefined) {
    throw refuse("behind the mark in two units", "delayNs", delayNs, "instructions or delayNs");
  }
  if (cpu !== undefined) placed(`${at}.cpu`, () => parseCpuList([cpu], `${at}.cpu`, topology.cpus.length));
  return { mark, cpu, hit, instructions, delayNs };
}
