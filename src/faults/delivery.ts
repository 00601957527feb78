// Messages that come late or not at all, as a scenario document names them: which CPUs, which kind, by how much.

import { AllstopError, placed } from "../errors.ts";
import { deliveryKind, deliveryWords, type Delivery, type DeliveryKindName } from "../machine/delivery.ts";
import { cyclesOf, type TimingModel } from "../timing/index.ts";
import { parseCpuList, type Topology } from "../topology/index.ts";
import type { PlacementFields } from "./placement.ts";

/** One entry of `faults.delivery`. */
export interface DeliveryFault {
  readonly cpus: string;
  readonly kind: DeliveryKindName;
  /** By how much messages come later, in one unit or the other. */
  readonly delayNs?: number | undefined;
  readonly delayCycles?: number | undefined;
  /** From when on; from the start if not given. */
  readonly at?: PlacementFields | undefined;
  /** How many are lost, from the start of the run on. */
  readonly lost?: number | "all" | undefined;
}

/** What Machine.setDelivery() takes. */
export interface CpuDelivery {
  readonly cpu: number;
  readonly kind: DeliveryKindName;
  readonly delivery: Delivery;
}

/** What holds from the start. Later entries replace earlier ones of the same CPU and kind. @throws SCENARIO_INVALID, OPTION_INVALID, naming the entry */
export function expandDeliveries(
  faults: readonly DeliveryFault[],
  topology: Topology,
  timing: TimingModel,
): CpuDelivery[] {
  return faults.flatMap((fault, index) => {
    if (fault.at !== undefined) return [];
    const at = `faults.delivery.${index}`;
    placed(`${at}.kind`, () => deliveryKind(fault.kind, timing.architecture));
    const delivery = deliveryIn(fault, at, timing);
    placed(at, () => deliveryWords(delivery));
    const cpus = parseCpuList(fault.cpus, `${at}.cpus`, topology.cpus.length);
    return [...cpus].map((cpu) => ({ cpu, kind: fault.kind, delivery }));
  });
}

export function deliveryIn(
  { delayNs, delayCycles, lost = 0 }: DeliveryFault,
  at: string,
  timing: TimingModel,
): Delivery {
  if (delayNs !== undefined && delayCycles !== undefined) {
    throw new AllstopError("SCENARIO_INVALID", "a delay in two units", { at, allowed: "delayNs or delayCycles" });
  }
  if (delayNs === undefined && delayCycles === undefined && lost === 0) {
    throw new AllstopError("SCENARIO_INVALID", "a fault that changes nothing", {
      at,
      allowed: "delayNs, delayCycles or lost",
    });
  }
  return { delayCycles: delayCycles ?? (delayNs === undefined ? 0 : cyclesOf(timing, delayNs, 0)), lose: lost };
}
