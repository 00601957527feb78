// What a fault does to a machine when its time has come.

import { AllstopError, placed } from "../errors.ts";
import { deliveryKind, deliveryWords, type Delivery, type DeliveryKindName } from "../machine/delivery.ts";
import type { Arrival, Machine } from "../machine/machine.ts";
import { cyclesOf, type TimingModel } from "../timing/index.ts";

type Architecture = "x86-64" | "arm64";

export interface ActDescription {
  readonly what: string;
  readonly architectures: readonly Architecture[];
  /** Fields that it takes beside where and when. */
  readonly needs?: readonly ActField[];
  /** Whose CPUs are not to be chosen. */
  readonly everywhere?: true;
}

/** Fields of a document's entry that some acts have. */
export type ActField = "vector" | "intid" | "us" | "event";

const x86 = ["x86-64"] as const;
const arm64 = ["arm64"] as const;
const both = ["x86-64", "arm64"] as const;

/** What can go wrong at a place. */
export const actKinds = {
  interrupt: { what: "an interrupt that nobody has sent: a vector", architectures: x86, needs: ["vector"] },
  sgi: { what: "an SGI or PPI that nobody has sent: INTID 0 to 31", architectures: arm64, needs: ["intid"] },
  spi: { what: "a pulse of a shared peripheral interrupt", architectures: arm64, needs: ["intid"], everywhere: true },
  nmi: { what: "an NMI that no source claims", architectures: x86 },
  pmu: { what: "a performance counter overflows: an NMI, where the guest's LVT says so", architectures: x86 },
  lint1: { what: "a pulse on LINT1, the wire of an NMI button", architectures: x86 },
  spurious: { what: "an interrupt that is gone when the CPU asks for its vector", architectures: x86 },
  serr: { what: "a system error: an NMI of CPU 0, with its reason in port 0x61", architectures: x86, everywhere: true },
  iochk: { what: "an I/O check, likewise", architectures: x86, everywhere: true },
  smi: { what: "system-management mode for some time", architectures: x86, needs: ["us"] },
  suspend: { what: "the CPU gets no time: a vCPU that is descheduled", architectures: both, needs: ["us"] },
  event: { what: "the interrupt of an SDEI event other than 0", architectures: arm64, needs: ["event"] },
} as const satisfies Record<string, ActDescription>;

/** What can happen to a CPU: a key of `actKinds`. */
export type ActKind = keyof typeof actKinds;

interface OnCpus {
  /** Undefined: whoever came by the mark. */
  readonly cpus?: readonly number[];
}

/** Of the platform as a whole. */
type PlatformAct =
  (OnCpus & { readonly kind: "spi"; readonly intid: number }) | (OnCpus & { readonly kind: "serr" | "iochk" });

type CpuAct =
  | (OnCpus & { readonly kind: "nmi" | "pmu" | "lint1" | "spurious" })
  | (OnCpus & { readonly kind: "interrupt"; readonly vector: number })
  | (OnCpus & { readonly kind: "sgi"; readonly intid: number })
  | (OnCpus & { readonly kind: "smi" | "suspend"; readonly us: number })
  | (OnCpus & { readonly kind: "event"; readonly event: number })
  | {
      readonly kind: "delivery";
      readonly of: DeliveryKindName;
      readonly delivery: Delivery;
      readonly cpus: readonly number[];
    };

/** An act with its figures. */
export type Act = PlatformAct | CpuAct;

/** Whether it reaches a CPU as a message of its own, which can wait for an instruction. */
export function canWait({ kind }: Act): boolean {
  return kind !== "spi" && kind !== "delivery" && kind !== "event";
}

/** Does it. @throws OPTION_INVALID */
export function act(machine: Machine, what: Act, cpus: readonly number[], arrival: Arrival): void {
  if (!isPlatformAct(what)) for (const cpu of cpus) actOn(machine, what, cpu, arrival);
  else if (what.kind === "spi") machine.changeLine(what.intid, "pulse", arrival.cycle);
  else machine.raiseSystemNmi(what.kind, arrival);
}

function isPlatformAct(what: Act): what is PlatformAct {
  return what.kind === "spi" || what.kind === "serr" || what.kind === "iochk";
}

function actOn(machine: Machine, what: CpuAct, cpu: number, arrival: Arrival): void {
  switch (what.kind) {
    case "interrupt":
      machine.sendInterrupt(cpu, { kind: "fixed", vector: what.vector }, arrival);
      return;
    case "sgi":
      machine.sendInterrupt(cpu, { kind: "private", intid: what.intid }, arrival);
      return;
    case "nmi":
      machine.sendInterrupt(cpu, { kind: "nmi" }, arrival);
      return;
    case "pmu":
      machine.signalLocalInterrupt(cpu, "performance-counter", arrival);
      return;
    case "lint1":
    case "spurious":
      machine.signalLocalInterrupt(cpu, what.kind, arrival);
      return;
    case "smi":
      machine.sendSmi(cpu, { ...arrival, durationCycles: cyclesOf(machine.timing, what.us * 1000) });
      return;
    case "suspend":
      machine.suspend(cpu, { ...arrival, durationCycles: cyclesOf(machine.timing, what.us * 1000) });
      return;
    case "event":
      machine.triggerEvent(cpu, what.event, arrival);
      return;
    case "delivery":
      machine.setDelivery(cpu, what.of, what.delivery);
      return;
  }
}

/** What a document says of an act, beside when. */
export interface ActFields {
  readonly kind: ActKind;
  readonly vector?: number | undefined;
  readonly intid?: number | undefined;
  readonly us?: number | undefined;
  readonly event?: number | undefined;
}

/** Refuses what the architecture doesn't have, and fields that are missing or too many. @throws SCENARIO_INVALID, naming the field */
export function actOf(fields: ActFields, at: string, timing: TimingModel, cpus: readonly number[] | undefined): Act {
  const { kind } = fields;
  const description: ActDescription = actKinds[kind];
  if (!description.architectures.includes(timing.architecture)) {
    const allowed = Object.entries<ActDescription>(actKinds)
      .filter(([, one]) => one.architectures.includes(timing.architecture))
      .map(([name]) => name);
    throw new AllstopError("SCENARIO_INVALID", `${timing.architecture} machines don't have this`, {
      at: `${at}.kind`,
      value: kind,
      allowed: allowed.join(", "),
    });
  }
  const needs = description.needs ?? [];
  for (const field of ["vector", "intid", "us", "event"] as const) {
    const value = fields[field];
    const isNeeded = needs.includes(field);
    if (isNeeded === (value !== undefined)) continue;
    throw new AllstopError("SCENARIO_INVALID", isNeeded ? "the field is missing" : `${kind} takes no such field`, {
      at: `${at}.${field}`,
      ...(value === undefined ? {} : { value }),
      allowed: isNeeded ? fieldAllowed[field] : ["kind", "at", "cpus", ...needs].join(", "),
    });
  }
  if (description.everywhere === true && cpus !== undefined) {
    throw new AllstopError("SCENARIO_INVALID", `${kind} has no CPUs to choose`, {
      at: `${at}.cpus`,
      allowed: "no such field",
    });
  }
  checkIntid(fields, at);
  const { vector = 0, intid = 0, us = 0, event = 0 } = fields;
  return { kind, vector, intid, us, event, ...(cpus === undefined ? {} : { cpus }) };
}

export const fieldAllowed = {
  vector: "a vector from 16 to 255",
  intid: "0 to 31 of an sgi, 32 to 287 of an spi",
  us: "microseconds",
  event: "the number of an SDEI event",
} as const satisfies Record<ActField, string>;

function checkIntid({ kind, intid }: ActFields, at: string): void {
  if (intid === undefined || (kind === "sgi" ? intid < 32 : intid >= 32)) return;
  throw new AllstopError("SCENARIO_INVALID", "INTID of another kind of interrupt", {
    at: `${at}.intid`,
    value: intid,
    allowed: kind === "sgi" ? "0 to 31" : "32 to 287",
  });
}

/** A fault of delivery that begins on the way. */
export function deliveryAct(
  of: DeliveryKindName,
  delivery: Delivery,
  cpus: readonly number[],
  at: string,
  timing: TimingModel,
): Act {
  placed(`${at}.kind`, () => deliveryKind(of, timing.architecture));
  placed(at, () => deliveryWords(delivery));
  return { kind: "delivery", of, delivery, cpus };
}
