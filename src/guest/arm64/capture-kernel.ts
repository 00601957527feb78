// What a crash kernel finds that boots on the CPU that crashed: which CPUs the firmware lets it bring up, and whether SDEI can be set up
// anew (case S24). It keeps what came out where a host can read it.

import {
  addressOf,
  arm64,
  array,
  asInteger,
  asmRoutine,
  codeOf,
  cpuCount,
  global,
  nothing,
  routine,
  struct,
  u32,
  type Builder,
  type Value,
} from "../../asm/index.ts";
import { cpuLogicalMap } from "../irqchip/gicv3.ts";
import { waitUpTo } from "../lib/delay.ts";
import { NR_CPUS } from "../lib/mask.ts";
import { markEvent, observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { psciAffinityInfo, psciCpuOn } from "../psci/calls.ts";
import {
  SOFTWARE_EVENT,
  eventEnable,
  eventRegister,
  peMask,
  peUnmask,
  privateReset,
  sharedReset,
} from "../sdei/calls.ts";
import { sdeiAsmHandler } from "../sdei/entry.ts";

/** Of one CPU; results are signed. */
const CaptureOutcome = struct("capture_outcome", {
  /** 1: the capture kernel has looked at it. */
  seen: u32,
  /** It runs the capture kernel's code. */
  alive: u32,
  affinity_info: u32,
  /** What CPU_ON has returned. */
  cpu_on: u32,
});

export const captureOutcomes = global("capture_outcomes", array(CaptureOutcome, NR_CPUS), {
  section: "arena",
  align: 64,
});

/** How far it came: CaptureStep. */
export const captureStep = global("capture_step", u32, { align: 64 });
export const CaptureStep = { NotStarted: 0, BringingUp: 1, ResettingSdei: 2, RegisteringSdei: 3, Booted: 4 } as const;
/** What setting up SDEI has returned; 0 if all is well. */
export const captureSdeiError = global("capture_sdei_error", u32, { align: 64 });

/** CPU bring-up is waited for 5 s. */
const BRING_UP_MS = 5000;

/** secondary_entry of the capture kernel: X0 is the CPU's outcome. */
const captureSecondaryEntry = asmRoutine("capture_secondary_entry", {
  arm64: (a) => {
    const { x0, x1, offset } = arm64;
    a.movConstant(x1, 1).str(arm64.armWithWidth(x1, 32), offset(x0, CaptureOutcome.offsets.get("alive") ?? 0));
    a.label("idle").wfi().b("idle");
  },
});

/** Brings up one CPU, or notes why not. */
function bringUp(k: Builder, cpu: Value<"u32">): void {
  const outcome = k.let("outcome", addressOf(captureOutcomes.at(cpu)));
  const mpidr = k.let("mpidr", cpuLogicalMap.at(cpu));
  k.set(outcome.seen, 1);
  k.set(outcome.affinity_info, psciAffinityInfo(k, mpidr).to(u32));
  const entry = k.let("entry", asInteger(codeOf(captureSecondaryEntry)));
  k.set(outcome.cpu_on, psciCpuOn(k, mpidr, entry, asInteger(outcome)).to(u32));
  k.if(
    outcome.cpu_on.eq(0),
    () => {
      waitUpTo(k, "bring_up", { iterations: BRING_UP_MS, stepUs: 1000 }, () => k.readOnce(outcome.alive).ne(0));
    },
    () => markEvent(k, "say", { which: "cpu_not_brought_up", locals: ["cpu"] }),
  );
}

/** sdei_probe() and sdei_nmi_init(): a reset first, whoever ran before. */
function setUpSdei(k: Builder): void {
  k.writeOnce(captureStep, CaptureStep.ResettingSdei);
  k.mark(observed("phase", { which: "capture_sdei_reset" }));
  privateReset(k);
  sharedReset(k);
  k.writeOnce(captureStep, CaptureStep.RegisteringSdei);
  const entry = k.let("entry", asInteger(codeOf(sdeiAsmHandler)));
  const failed = k.let("failed", eventRegister(k, SOFTWARE_EVENT, entry, 0));
  k.if(failed.eq(0), () => k.set(failed, eventEnable(k, SOFTWARE_EVENT)));
  peUnmask(k);
  // Nobody signals it, so the handler's argument needs no event behind it; and nobody shall.
  peMask(k);
  k.set(captureSdeiError, failed.to(u32));
}

/** start_kernel() of the capture kernel, as far as other CPUs and the firmware matter. Those that never came up have no MPIDR here. */
export const captureKernel = routine("capture_start_kernel", [], nothing, (k) => {
  k.mark(observed("phase", { which: "capture_kernel" }));
  k.daifMask();
  k.writeOnce(captureStep, CaptureStep.BringingUp);
  k.for("cpu", 0, cpuCount, (cpu) => {
    const isKnown = k.let("known", k.bool(cpu.eq(0).or(cpuLogicalMap.at(cpu).ne(0))));
    k.if(isKnown.ne(0).and(cpu.ne(local.here.cpu)), () => bringUp(k, cpu));
  });
  setUpSdei(k);
  k.writeOnce(captureStep, CaptureStep.Booted);
  k.mark(observed("phase", { which: "capture_booted" }));
});
