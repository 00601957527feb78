// What a host says of the local APICs of an x86-64 machine: the mode in which they are handed over, and their local interrupts.

import { LocalInterrupt } from "../abi.ts";
import { AllstopError } from "../errors.ts";

/** Modes in which firmware hands over local APICs: accessed as memory, or as MSRs. */
export type LocalApicMode = "xapic" | "x2apic";

const SOURCES = {
  lint0: LocalInterrupt.LINT0,
  lint1: LocalInterrupt.LINT1,
  "performance-counter": LocalInterrupt.PERFORMANCE_COUNTER,
  thermal: LocalInterrupt.THERMAL,
  cmci: LocalInterrupt.CMCI,
  spurious: LocalInterrupt.SPURIOUS,
} as const;

/** Sources of a CPU's own that a host can make signal (Intel SDM 3A 11.5.1, 11.9). */
export type LocalInterruptSource = keyof typeof SOURCES;

interface ApicChoice {
  readonly image: { readonly architecture: "x86-64" | "arm64" };
  readonly localApic?: LocalApicMode;
}

/** @throws OPTION_INVALID */
export function checkedApicMode({ image, localApic = "x2apic" }: ApicChoice): LocalApicMode {
  // Callers without types may say anything.
  const mode = localApic as string;
  if (mode !== "x2apic" && (mode !== "xapic" || image.architecture !== "x86-64")) {
    throw new AllstopError("OPTION_INVALID", "mode of the local APICs", {
      value: localApic,
      allowed: image.architecture === "x86-64" ? "xapic or x2apic" : "none: the machine is arm64",
    });
  }
  return localApic;
}

/** @throws OPTION_INVALID */
export function localInterruptOf(architecture: "x86-64" | "arm64", source: LocalInterruptSource): LocalInterrupt {
  if (architecture !== "x86-64") {
    throw new AllstopError("OPTION_INVALID", "local interrupts are those of an x86-64 CPU", {
      value: architecture,
      allowed: "a machine with an x86-64 image",
    });
  }
  if (!Object.hasOwn(SOURCES, source)) {
    throw new AllstopError("OPTION_INVALID", "no such local interrupt", {
      value: source,
      allowed: Object.keys(SOURCES).join(", "),
    });
  }
  return SOURCES[source];
}
