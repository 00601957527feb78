// What each stopped CPU does: a core's first thread updates, the others wait for it (arch/x86/kernel/cpu/microcode/core.c).

import { constant, i32, nothing, routine, slot, u32, u64, type Builder, type Value } from "../../asm/index.ts";
import { observed } from "../observe.ts";
import { panic } from "../panic/panic.ts";
import { local } from "../percpu.ts";
import { touchNmiWatchdog } from "../stop/multi-stop.ts";
import { applyMicrocode } from "./apply.ts";
import { SiblingCtrl, UcodeState, lateCpusIn, saidTimedOut, ucodeCtrl } from "./data.ts";
import { countOffline, kickOfflineCpus, releaseOfflineCpus } from "./offline.ts";
import { say } from "./say.ts";
import { forEachOnlineSibling } from "./siblings.ts";
import { waitForCpus, waitForCtrl } from "./wait.ts";

/** "load: %d CPUs timed out", once, with one less than the counter shows: the speaker's own arrival is taken back. */
const sayTimedOut = routine("say_load_timed_out", [], nothing, (k) => {
  k.if(k.xchg(saidTimedOut, 1).eq(0), () => {
    const missing = k.let("missing", k.readOnce(lateCpusIn).sub(1));
    say(k, "timed_out", { missing });
  });
});

/** __load_primary */
const loadCore = routine("__load_primary", { cpu: u32 }, nothing, (k, { cpu }) => {
  k.mark(observed("hold_start"));
  const arrived = k.let("arrived", k.call(waitForCpus));
  k.mark(observed("hold_end"));
  k.if(arrived.eq(0), () => {
    k.set(ucodeCtrl.here.result, UcodeState.Timeout);
    k.call(sayTimedOut);
    // Its siblings are not told (H6).
    k.return();
  });
  const ret = k.let("ret", k.call(applyMicrocode));
  k.set(ucodeCtrl.here.result, ret);
  k.set(ucodeCtrl.here.ctrl, SiblingCtrl.Done);
  const ctrl = k.let("ctrl", SiblingCtrl.Done, u32);
  k.if(ret.eq(UcodeState.Updated).or(ret.eq(UcodeState.Ok)), () => k.set(ctrl, SiblingCtrl.Apply));
  forEachOnlineSibling(k, cpu, (sibling) => k.writeOnce(ucodeCtrl.of(sibling).ctrl, ctrl));
});

/** load_primary: CPU 0 also holds the threads that are offline, for all cores. */
export const loadPrimary = routine("load_primary", { cpu: u32 }, nothing, (k, { cpu }) => {
  const offline = k.let("nr_offl", k.call(countOffline));
  const proceed = k.let("proceed", 1, u32);
  k.if(cpu.eq(0).and(offline.ne(0)), () => k.set(proceed, k.call(kickOfflineCpus, offline)));
  k.if(proceed.ne(0), () => k.call(loadCore, cpu));
  k.if(cpu.eq(0).and(offline.ne(0)), () => k.call(releaseOfflineCpus));
});

/** panic("Microcode load: Primary CPU %d timed out"): nothing could be undone. The body comes between message and panic. */
export function panicForPrimary(k: Builder, primary: Value<"u32">, body: () => void = () => undefined): void {
  const cpu = k.let("cpu", primary);
  say(k, "primary_timed_out", { cpu });
  body();
  k.call(panic);
}

/** load_secondary_wait: 1 once the primary has finished. */
const waitForPrimary = routine("load_secondary_wait", { primary: u32 }, u32, (k, { primary }) => {
  k.mark(observed("hold_start"));
  k.if(k.call(waitForCpus).eq(0), () => {
    k.mark(observed("hold_end"));
    k.set(ucodeCtrl.here.result, UcodeState.Timeout);
    k.return(0);
  });
  k.if(k.call(waitForCtrl).eq(0), () => panicForPrimary(k, primary, () => k.mark(observed("hold_end", { nth: 2 }))));
  k.mark(observed("hold_end", { nth: 3 }));
  k.return(1);
});

/** What is left to do for a thread whose core has been updated. */
export function followPrimary(k: Builder, primary: Value<"u32">): void {
  const ret = k.let("ret", 0, u32);
  k.if(
    ucodeCtrl.here.ctrl.eq(SiblingCtrl.Apply),
    () => k.set(ret, k.call(applyMicrocode)),
    () => k.set(ret, ucodeCtrl.of(primary).result),
  );
  k.set(ucodeCtrl.here.result, ret);
}

export const loadSecondary = routine("load_secondary", { primary: u32 }, nothing, (k, { primary }) => {
  k.if(k.call(waitForPrimary, primary).eq(0), () => {
    k.call(sayTimedOut);
    k.return();
  });
  followPrimary(k, primary);
  k.set(ucodeCtrl.here.ctrl, SiblingCtrl.Done);
});

/** What a core's first thread does, and what its others do, who are given its number. */
export const primaryPart = slot("microcode_load_primary", { cpu: u32 }, nothing);
export const secondaryPart = slot("microcode_load_secondary", { primary: u32 }, nothing);

/** microcode_update_handler: with interrupts off, or in the NMI handler. */
export const microcodeUpdateHandler = routine("microcode_update_handler", { data: u64 }, i32, (k) => {
  k.mark(observed("function_start"));
  const cpu = k.let("cpu", local.here.cpu);
  const primary = k.let("ctrl_cpu", ucodeCtrl.here.ctrl_cpu);
  k.if(
    primary.eq(cpu),
    () => k.call(primaryPart, cpu),
    () => k.call(secondaryPart, primary),
  );
  k.call(touchNmiWatchdog);
  k.mark(observed("function_end"));
  k.return(constant(i32, 0));
});
