// What a fault may do to messages on their way to a CPU, as a host names it.

import { DeliveryKind, LOSE_ALL } from "../abi.ts";
import { AllstopError } from "../errors.ts";
import { checkWhole } from "./checks.ts";

type Architecture = "x86-64" | "arm64";

interface DeliveryKindDescription {
  readonly index: DeliveryKind;
  readonly architectures: readonly Architecture[];
  readonly what: string;
}

/** The kinds of messages that can be held up or lost. */
export const deliveryKinds = {
  interrupt: of(DeliveryKind.INTERRUPT, ["x86-64", "arm64"], "fixed and lowest-priority interrupts; SGIs and PPIs"),
  nmi: of(DeliveryKind.NMI, ["x86-64"], "NMIs"),
  smi: of(DeliveryKind.SMI, ["x86-64"], "system-management interrupts"),
  init: of(DeliveryKind.INIT, ["x86-64"], "INIT"),
  "start-up": of(DeliveryKind.STARTUP, ["x86-64", "arm64"], "SIPI; power-on by CPU_ON or by the host"),
  el3: of(DeliveryKind.EL3, ["arm64"], "interrupts that firmware in EL3 takes"),
  event: of(DeliveryKind.EVENT, ["arm64"], "SEV of another PE"),
} as const satisfies Record<string, DeliveryKindDescription>;

/** A key of `deliveryKinds`. */
export type DeliveryKindName = keyof typeof deliveryKinds;

function of(index: DeliveryKind, architectures: readonly Architecture[], what: string): DeliveryKindDescription {
  return { index, architectures, what };
}

/** What is done to messages of one kind to one CPU. */
export interface Delivery {
  /** Cycles by which they arrive later than the timing model says; 0 if not given. */
  readonly delayCycles?: number;
  /** How many of them are lost from now on; those that would arrive in one cycle count as one. 0 if not given. */
  readonly lose?: number | "all";
}

/** The core's number of a kind. @throws NAME_UNKNOWN, OPTION_INVALID for one that the architecture doesn't have */
export function deliveryKind(name: DeliveryKindName, architecture: Architecture): DeliveryKind {
  const kinds: Readonly<Record<string, DeliveryKindDescription>> = deliveryKinds;
  const found = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  const allowed = Object.entries(kinds)
    .filter(([, kind]) => kind.architectures.includes(architecture))
    .map(([one]) => one)
    .join(", ");
  if (found === undefined) throw new AllstopError("NAME_UNKNOWN", "no such kind of message", { value: name, allowed });
  if (found.architectures.includes(architecture)) return found.index;
  throw new AllstopError("OPTION_INVALID", `kind of message that ${architecture} doesn't have`, {
    value: name,
    allowed,
  });
}

/** As the core takes it. @throws OPTION_INVALID */
export function deliveryWords({ delayCycles = 0, lose = 0 }: Delivery): { delay: bigint; lose: number } {
  checkWhole("cycles by which messages are delayed", delayCycles, 0, Number.MAX_SAFE_INTEGER);
  if (lose !== "all") checkWhole("messages to lose", lose, 0, LOSE_ALL - 1);
  return { delay: BigInt(delayCycles), lose: lose === "all" ? LOSE_ALL : lose };
}

/** What the core says. */
export function deliveryOf({ delay, lose }: { delay: bigint; lose: number }): Required<Delivery> {
  return { delayCycles: Number(delay), lose: lose === LOSE_ALL ? "all" : lose };
}
