// What the firmware in EL3 of an arm64 machine is like: how it is called, what it offers, and in what implementations of SDEI
// are known to differ. The switches are the core's (src/abi.ts); here they have names.

import {
  FirmwareConduit,
  SDEI_MOST_PRIVATE,
  SDEI_MOST_SHARED,
  SdeiCompletion,
  SdeiMaskedSignal,
  SdeiOpenCpuOff,
  SdeiSignalCheck,
  SdeiUnreadySignal,
} from "../abi.ts";
import { AllstopError } from "../errors.ts";
import { personalities } from "./personalities.ts";

/** Instructions that reach EL3; another one is UNDEFINED. */
export const conduits = { both: FirmwareConduit.BOTH, smc: FirmwareConduit.SMC, hvc: FirmwareConduit.HVC } as const;
/** As SDEI_VERSION returns it: major << 16 | minor; none: every call of SDEI is NOT_SUPPORTED. */
export const sdeiVersions = { none: 0, "1.0": 0x1_0000, "1.1": 0x1_0001 } as const;
/** What EVENT_SIGNAL looks at: nothing, or whether its target is unmasked and has event 0 registered and enabled. */
export const signalChecks = { none: SdeiSignalCheck.NONE, ready: SdeiSignalCheck.READY } as const;
/** What becomes of event 0 at a masked PE: `wedge` leaves the PE without non-secure interrupts from then on. */
export const maskedSignals = {
  pending: SdeiMaskedSignal.PENDING,
  lost: SdeiMaskedSignal.LOST,
  wedge: SdeiMaskedSignal.WEDGE,
} as const;
/** What becomes of event 0 at an unmasked PE that has not registered it. */
export const unreadySignals = { pending: SdeiUnreadySignal.PENDING, lost: SdeiUnreadySignal.LOST } as const;
/** What EVENT_GET_INFO says of whether event 0 can be signalled: 1 as specified, or 0; of other events the opposite. */
export const signaledInfos = { specified: 1, inverted: 0 } as const;
/** What CPU_OFF does with an event open: ends it, leaves it so that later resets of SDEI hang, or hangs itself. */
export const openCpuOffs = {
  close: SdeiOpenCpuOff.CLOSE,
  dangle: SdeiOpenCpuOff.DANGLE,
  wedge: SdeiOpenCpuOff.WEDGE,
} as const;
/** What a completion leaves: nothing, resets of SDEI that hang, or a PE whose CPU_OFF hangs. */
export const completions = {
  clean: SdeiCompletion.CLEAN,
  dangle: SdeiCompletion.DANGLE,
  "break-cpu-off": SdeiCompletion.BREAK_CPU_OFF,
} as const;

/** Numbers of events of a kind; event 0 is there beside them. */
export interface EventCounts {
  readonly private: number;
  readonly shared: number;
}

/** The switches, each of which a machine may set by itself. */
export interface FirmwareSwitches {
  readonly conduit: keyof typeof conduits;
  readonly sdei: keyof typeof sdeiVersions;
  readonly signalCheck: keyof typeof signalChecks;
  readonly maskedSignal: keyof typeof maskedSignals;
  readonly unreadySignal: keyof typeof unreadySignals;
  readonly signaledInfo: keyof typeof signaledInfos;
  readonly openCpuOff: keyof typeof openCpuOffs;
  readonly completion: keyof typeof completions;
  /** Events that INTERRUPT_BIND can give out. */
  readonly boundEvents: EventCounts;
  /** Critical events that the platform has bound to interrupts. */
  readonly criticalEvents: EventCounts;
}

/** Named switches. */
export interface Personality extends FirmwareSwitches {
  readonly name: string;
  readonly title: string;
  readonly source: string;
}

/** A personality by name, or one with switches of one's own. */
export type FirmwareChoice = string | ({ readonly personality?: string | undefined } & Partial<Undefinable>);
type Undefinable = { readonly [K in keyof FirmwareSwitches]: FirmwareSwitches[K] | undefined };

/** Values of the switches that are words. */
export const firmwareSwitches = {
  conduit: conduits,
  sdei: sdeiVersions,
  signalCheck: signalChecks,
  maskedSignal: maskedSignals,
  unreadySignal: unreadySignals,
  signaledInfo: signaledInfos,
  openCpuOff: openCpuOffs,
  completion: completions,
} as const;

export const DEFAULT_PERSONALITY = "compliant";
/** Event 0 takes a place of the private ones. */
const mostEvents: EventCounts = { private: SDEI_MOST_PRIVATE - 1, shared: SDEI_MOST_SHARED };

/** @throws NAME_UNKNOWN */
export function findPersonality(name: string): Personality {
  const found = personalities.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new AllstopError("NAME_UNKNOWN", "no such firmware personality", {
    value: name,
    allowed: personalities.map((one) => one.name).join(", "),
  });
}

/**
 * The personality that is meant; one with switches of its own is named by them.
 * @throws NAME_UNKNOWN, OPTION_INVALID
 */
export function personalityOf(choice: FirmwareChoice = DEFAULT_PERSONALITY): Personality {
  if (typeof choice === "string") return findPersonality(choice);
  const { personality = DEFAULT_PERSONALITY, ...own } = choice;
  const base = findPersonality(personality);
  const changes = Object.entries(own).filter(([, value]) => value !== undefined);
  for (const [name, value] of changes) checkSwitch(name, value);
  const changed = { ...base, ...(Object.fromEntries(changes) as Partial<FirmwareSwitches>) };
  checkCounts(changed);
  if (changes.length === 0) return base;
  const written = changes.map(([name, value]) => `${name} ${writtenOut(value)}`);
  return { ...changed, name: `${base.name} with ${written.join(", ")}` };
}

function writtenOut(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function checkSwitch(name: string, value: unknown): void {
  if (name === "boundEvents" || name === "criticalEvents") return;
  const values = (firmwareSwitches as Readonly<Record<string, object>>)[name];
  if (values === undefined) {
    throw new AllstopError("OPTION_INVALID", "no such switch of the firmware", {
      value: name,
      allowed: [...Object.keys(firmwareSwitches), "boundEvents", "criticalEvents"].join(", "),
    });
  }
  if (typeof value === "string" && Object.hasOwn(values, value)) return;
  throw new AllstopError("OPTION_INVALID", `firmware switch ${name}`, {
    value,
    allowed: Object.keys(values).join(", "),
  });
}

function checkCounts({ boundEvents, criticalEvents }: FirmwareSwitches): void {
  for (const kind of ["private", "shared"] as const) {
    const counts: unknown[] = [boundEvents[kind], criticalEvents[kind]];
    const most = mostEvents[kind];
    const fit = counts.every((count) => typeof count === "number" && Number.isInteger(count) && count >= 0);
    if (fit && boundEvents[kind] + criticalEvents[kind] <= most) continue;
    throw new AllstopError("OPTION_INVALID", `${kind} SDEI events, bound and critical`, {
      value: counts,
      allowed: `whole numbers, up to ${most} together`,
    });
  }
}
