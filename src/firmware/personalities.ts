// Firmware by name. Sources are named as the field names them; where only an effect was observed, the title says so.

import type { FirmwareSwitches, Personality } from "./personality.ts";

const specified: FirmwareSwitches = {
  conduit: "both",
  sdei: "1.1",
  signalCheck: "none",
  maskedSignal: "pending",
  unreadySignal: "pending",
  signaledInfo: "specified",
  openCpuOff: "close",
  completion: "clean",
  boundEvents: { private: 3, shared: 3 },
  criticalEvents: { private: 1, shared: 1 },
};

/** Trusted Firmware-A, whose SDEI is of version 1.0. */
const trustedFirmware: FirmwareSwitches = {
  ...specified,
  conduit: "smc",
  sdei: "1.0",
  maskedSignal: "wedge",
  unreadySignal: "lost",
  signaledInfo: "inverted",
  openCpuOff: "dangle",
};

const sdeiSources = "Trusted Firmware-A, services/std_svc/sdei";

/** The firmware that an arm64 machine can have in EL3: a compliant one, and some with known defects. */
export const personalities: readonly Personality[] = [
  {
    ...specified,
    name: "compliant",
    title: "as PSCI and SDEI specify; a signal to a masked PE stays pending",
    source: "Arm DEN 0022F.b, DEN 0054C",
  },
  {
    ...trustedFirmware,
    name: "tf-a-2.12",
    title: "Trusted Firmware-A before v2.13: signals anybody; a masked target goes deaf",
    source: sdeiSources,
  },
  {
    ...trustedFirmware,
    signalCheck: "ready",
    name: "tf-a-2.13",
    title: "Trusted Firmware-A v2.13 and later: refuses targets that aren't ready, unless they mask in between",
    source: sdeiSources,
  },
  {
    ...trustedFirmware,
    signalCheck: "ready",
    completion: "dangle",
    name: "dangling-dispatch",
    title: "a dispatch that was completed, or left by CPU_OFF, makes later resets of SDEI hang",
    source: "observed with Trusted Firmware-A on QEMU, kexec of a crash kernel, mailing list, June 2026 (S24)",
  },
  {
    ...trustedFirmware,
    signalCheck: "ready",
    openCpuOff: "close",
    completion: "break-cpu-off",
    name: "complete-breaks",
    title: "CPU_OFF of a PE that has completed an event hangs",
    source: "observed on NVIDIA Grace, mailing list, June 2026 (S24)",
  },
  {
    ...specified,
    conduit: "hvc",
    sdei: "none",
    name: "qemu-virt",
    title: "what QEMU's virt board offers without firmware: PSCI by HVC",
    source: "QEMU target/arm/psci.c",
  },
];
