// The x86 NMI handler: what comes before anybody is asked, who is asked in which order, and what becomes of an NMI that nobody knows
// (arch/x86/kernel/nmi.c: exc_nmi, default_do_nmi). Its first step, for guests under SEV-ES, has nothing to act on
// here: there is no hypervisor to be told that NMIs may come again.

import {
  addressOf,
  nothing,
  ptr,
  routine,
  slot,
  testBit,
  u32,
  u64,
  type Builder,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { X64Regs } from "../entry/regs.ts";
import { onlineMaskPointer } from "../lib/cpumask.ts";
import { ownPlace } from "../lib/keep.ts";
import { rawSpinTrylock, rawSpinUnlock } from "../lib/spinlock.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { NmiState, NmiType, ignoreNmis, nmi, nmiOfflineCheck } from "./data.ts";
import { nmiHandle } from "./handlers.ts";
import { nmiPanic, panicOnUnrecoveredNmi, unknownNmiPanic } from "./panic.ts";
import { NMI_REASON_MASK, getNmiReason, nmiReasonLock, serveReason } from "./reason.ts";

/** What a handler before the lists says of an NMI: not mine; mine, and nobody else is asked; mine, and others may have been meant, too. */
export const NmiClaim = { None: 0, Finish: 1, Continue: 2 } as const;

const claims = { regs: ptr(X64Regs) };
/** stop_machine()'s handler: asked first. NmiClaim. */
export const stopMachineNmiHandler = slot("stop_machine_nmi_handler", claims, u32);
/** That of microcode updates, which is asked next: 0, or 1 for an NMI of its own. */
export const microcodeNmiHandler = slot("microcode_nmi_handler", claims, u32);
/** The only one that runs on a CPU that is offline: 0, or 1 for an NMI of its own. */
export const microcodeOfflineNmiHandler = slot("microcode_offline_nmi_handler", {}, u32);
/**
 * Asked about an NMI that nobody has claimed, before it is called unknown, and about one that NmiClaim.Continue was said of and no other
 * claims: 1 for one that is accounted for.
 */
export const accountNmi = slot("account_nmi", claims, u32);
/** run_crash_ipi_callback(): what a CPU looks for while it waits for the reason port. */
export const pollCrashIpi = slot("run_crash_ipi_callback", claims, nothing);

/** Kernels without those parts. */
export const claimsNoNmi = routine("claims_no_nmi", claims, u32, (k) => k.return(0));
export const claimsNoOfflineNmi = routine("claims_no_offline_nmi", {}, u32, (k) => k.return(0));
export const noCrashIpi = routine("no_crash_ipi", claims, nothing, () => {
  // No CPU has crashed.
});

/** irqentry_nmi_enter() adds this to the preempt count: NMI_OFFSET + HARDIRQ_OFFSET (include/linux/preempt.h). */
const NMI_CONTEXT = (1 << 20) + (1 << 16);
const DR7_FIXED = 0x400;

function readCr2(k: Builder): Value<"u64"> {
  return k.arch({ x64: (a, { result }) => void a.movFromCr(result, 2) }, { uses: {}, result: u64 });
}

function writeCr2(k: Builder, value: Value<"u64">): void {
  k.arch({ x64: (a, { value: from }) => void a.movToCr(2, from) }, { uses: { value } });
}

function writeDr7(k: Builder, value: Value<"u64">): void {
  k.arch({ x64: (a, { value: from }) => void a.movToDr(7, from) }, { uses: { value } });
}

/** local_db_save(): no breakpoint is taken from here on. */
function disableBreakpoints(k: Builder): void {
  const dr7 = k.let("dr7", k.arch({ x64: (a, { result }) => void a.movFromDr(result, 7) }, { uses: {}, result: u64 }));
  k.set(dr7, dr7.and(~BigInt(DR7_FIXED) & 0xffff_ffff_ffff_ffffn));
  k.set(nmi.here.dr7, dr7);
  k.if(dr7.ne(0), () => writeDr7(k, k.let("none", 0, u64)));
}

/** local_db_restore() */
function restoreBreakpoints(k: Builder): void {
  const dr7 = k.let("dr7_before", nmi.here.dr7);
  k.if(dr7.ne(0), () => writeDr7(k, dr7));
}

type Regs = Pointer<typeof X64Regs>;

/** unknown_nmi_error() */
const unknownNmiError = routine("unknown_nmi_error", { regs: ptr(X64Regs) }, nothing, (k, { regs }) => {
  const handled = k.let("handled", k.call(nmiHandle, NmiType.Unknown, regs));
  k.if(handled.ne(0), () => {
    k.set(nmi.here.unknown, nmi.here.unknown.add(handled.to(u32)));
    k.return();
  });
  k.mark(observed("unknown"));
  k.set(nmi.here.unknown, nmi.here.unknown.add(1));
  k.mark(observed("say", { which: "unknown_nmi" }));
  ownPlace(k);
  k.if(unknownNmiPanic.ne(0).or(panicOnUnrecoveredNmi.ne(0)), () => k.call(nmiPanic, regs));
});

/** The second half of a handler's two events, which have come back to back as two NMIs; or one that somebody has announced. */
function swallowOrReport(k: Builder, regs: Regs, isBackToBack: Value<"u32">): void {
  const isExpected = k.let("is_expected", 1, u32);
  k.if(isBackToBack.eq(0).or(nmi.here.swallow_nmi.eq(0)), () => k.set(isExpected, k.call(accountNmi, regs)));
  k.if(
    isExpected.ne(0),
    () => {
      k.mark(observed("swallow"));
      k.set(nmi.here.swallow, nmi.here.swallow.add(1));
    },
    () => k.call(unknownNmiError, regs),
  );
}

/** Steps 2 to 4 of the dispatcher: those who know of their NMIs by themselves. `finish` is for when nobody else has to be asked. */
function askHandlers(k: Builder, regs: Regs, claim: Value<"u32">, finish: () => void): void {
  k.if(claim.eq(NmiClaim.Finish), finish);
  k.if(k.call(microcodeNmiHandler, regs).ne(0), finish);
  const handled = k.let("handled", k.call(nmiHandle, NmiType.Local, regs));
  k.set(nmi.here.normal, nmi.here.normal.add(handled.to(u32)));
  k.if(handled.gt(1), () => k.set(nmi.here.swallow_nmi, 1));
  k.if(
    claim.eq(NmiClaim.None),
    () => k.if(handled.ne(0), finish),
    () => {
      k.if(handled.eq(0), () => void k.call(accountNmi, regs));
      // The chipset's line is wired to the bootstrap processor: only there can it have become one with the NMI that was claimed.
      k.if(local.here.cpu.ne(0), finish);
    },
  );
}

/** default_do_nmi() */
const defaultDoNmi = routine("default_do_nmi", { regs: ptr(X64Regs) }, nothing, (k, { regs }) => {
  const rip = k.let("rip", regs.rip);
  const isBackToBack = k.let("b2b", k.bool(rip.eq(nmi.here.last_nmi_rip)));
  k.if(isBackToBack.eq(0), () => k.set(nmi.here.swallow_nmi, 0));
  k.set(nmi.here.last_nmi_rip, rip);
  const claim = k.let("claim", k.call(stopMachineNmiHandler, regs));
  askHandlers(k, regs, claim, () => k.return());
  k.mark("reason");
  const lock = addressOf(nmiReasonLock);
  const isLocked = k.let("is_locked", k.bool(rawSpinTrylock(k, lock)));
  k.while(isLocked.eq(0), () => {
    k.mark("busy");
    k.call(pollCrashIpi, regs);
    k.cpuRelax();
    k.set(isLocked, k.bool(rawSpinTrylock(k, lock)));
  });
  const reason = k.let("reason", getNmiReason(k));
  k.if(reason.and(NMI_REASON_MASK).ne(0), () => {
    serveReason(k, reason, regs);
    k.set(nmi.here.external, nmi.here.external.add(1));
    rawSpinUnlock(k, lock);
    k.return();
  });
  rawSpinUnlock(k, lock);
  k.if(claim.eq(NmiClaim.None), () => swallowOrReport(k, regs, isBackToBack));
});

/** What runs with breakpoints off and the context told; again, if another NMI has been latched meanwhile. */
function handleOnce(k: Builder, regs: Regs): void {
  k.writeOnce(nmi.here.idt_seq, nmi.here.idt_seq.add(1));
  disableBreakpoints(k);
  k.set(local.here.preempt_count, local.here.preempt_count.add(NMI_CONTEXT));
  k.if(
    k.readOnce(ignoreNmis).ne(0),
    () => k.writeOnce(nmi.here.idt_ignored, nmi.here.idt_ignored.add(1)),
    () => {
      k.writeOnce(nmi.here.idt_nmi_seq, nmi.here.idt_nmi_seq.add(1));
      k.call(defaultDoNmi, regs);
      k.writeOnce(nmi.here.idt_nmi_seq, nmi.here.idt_nmi_seq.add(1));
    },
  );
  k.set(local.here.preempt_count, local.here.preempt_count.sub(NMI_CONTEXT));
  restoreBreakpoints(k);
  const cr2 = k.let("cr2", nmi.here.cr2);
  k.if(cr2.ne(readCr2(k)), () => writeCr2(k, cr2));
  k.writeOnce(nmi.here.idt_seq, nmi.here.idt_seq.add(1));
}

/**
 * exc_nmi(): vector 2, on its own stack (entry/x64.ts). One that comes while another is handled, which takes an IRET in a handler, leaves a
 * note; any number of notes make the other run once more.
 */
export const excNmi = routine("exc_nmi", { regs: ptr(X64Regs) }, nothing, (k, { regs }) => {
  k.set(nmi.here.idt_calls, nmi.here.idt_calls.add(1));
  k.if(testBit(onlineMaskPointer, local.here.cpu).not().and(nmiOfflineCheck.ne(0)), () => {
    k.if(k.call(microcodeOfflineNmiHandler).ne(0), () => k.return());
    k.mark(observed("drop", { nth: 1 }));
    k.return();
  });
  k.if(nmi.here.state.ne(NmiState.NotRunning), () => {
    k.mark(observed("drop", { nth: 2 }));
    k.writeOnce(nmi.here.state, NmiState.Latched);
    k.return();
  });
  k.writeOnce(nmi.here.state, NmiState.Executing);
  k.set(nmi.here.cr2, readCr2(k));
  k.loop(() => {
    k.mark("restart");
    handleOnce(k, regs);
    k.if(k.decAndTest(nmi.here.state), () => k.break());
  });
});
