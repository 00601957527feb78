// Backtraces of other CPUs, asked for by NMI (lib/nmi_backtrace.c; arch/x86/kernel/apic/hw_nmi.c): the other foreign source.

import {
  addressOf,
  cpuCount,
  global,
  i32,
  nothing,
  ptr,
  routine,
  slot,
  testBit,
  u32,
  u64,
  type Builder,
} from "../../asm/index.ts";
import { X86Vector } from "../../abi.ts";
import { X64Regs } from "../entry/regs.ts";
import { sendIpiMask } from "../irqchip/controller.ts";
import { cpumaskFirst, forEachCpu, onlineMaskPointer } from "../lib/cpumask.ts";
import { waitUpTo } from "../lib/delay.ts";
import { CpuMask } from "../lib/mask.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { NmiHandled } from "./data.ts";

/** backtrace_mask: who is still to answer. */
export const backtraceMask = global("backtrace_mask", CpuMask, { section: "arena", align: 64 });
/** backtrace_flag: one request at a time; others are dropped. */
const backtraceFlag = global("backtrace_flag", u64, { align: 64 });

/** What interrupts the CPUs of the mask: the `raise` that the architecture passes. */
export const raiseBacktrace = slot("raise_cpu_backtrace", { mask: ptr(CpuMask) }, nothing);

/** nmi_raise_cpu_backtrace() */
export const nmiRaiseCpuBacktrace = routine(
  "nmi_raise_cpu_backtrace",
  { mask: ptr(CpuMask) },
  nothing,
  (k, { mask }) => {
    k.call(sendIpiMask, mask, X86Vector.NMI);
  },
);

/** nmi_cpu_backtrace(): answers, if this CPU has been asked. @returns 1 if so */
export const nmiCpuBacktrace = routine("nmi_cpu_backtrace", [], u32, (k) => {
  const cpu = k.let("cpu", local.here.cpu);
  k.if(testBit(addressOf(backtraceMask), cpu).not(), () => k.return(0));
  k.mark(observed("say", { which: "backtrace", locals: ["cpu"] }));
  k.clearBit(addressOf(backtraceMask), cpu);
  k.mark(observed("handle", { which: "backtrace" }));
  k.return(1);
});

/** nmi_cpu_backtrace_handler(), in the list of NMI_LOCAL. */
export const nmiCpuBacktraceHandler = routine(
  "nmi_cpu_backtrace_handler",
  [{ type: u32 }, { regs: ptr(X64Regs) }],
  i32,
  (k) => {
    k.if(k.call(nmiCpuBacktrace).ne(0), () => k.return(NmiHandled.Handled));
    k.return(NmiHandled.Done);
  },
);

function raiseForEach(k: Builder): void {
  forEachCpu(k, addressOf(backtraceMask), () => k.mark(observed("raise", { which: "backtrace", locals: ["cpu"] })));
}

/** trigger_all_cpu_backtrace(): all online CPUs, this one by a call. Gives up on those that are silent for 10 s. @returns steps left */
export const triggerAllCpuBacktrace = routine("nmi_trigger_cpumask_backtrace", [], u32, (k) => {
  k.if(k.testAndSetBit(addressOf(backtraceFlag), 0), () => k.return(0));
  const mask = k.let("mask", addressOf(backtraceMask));
  k.for("i", 0, cpuCount.add(63).shr(6), (i) => k.set(mask.bits.at(i), onlineMaskPointer.bits.at(i)));
  k.if(testBit(mask, local.here.cpu), () => k.clearBit(mask, local.here.cpu));
  raiseForEach(k);
  k.mark(observed("say", { which: "own_backtrace" }));
  k.if(cpumaskFirst(k, mask).lt(cpuCount), () => k.call(raiseBacktrace, mask));
  const left = waitUpTo(k, "backtrace", { iterations: 10_000, stepUs: 1000 }, () => cpumaskFirst(k, mask).ge(cpuCount));
  k.clearBit(addressOf(backtraceFlag), 0);
  k.return(left);
});
