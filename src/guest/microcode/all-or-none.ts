// A late load of our own, on the data of the kernel's, in which what its protocol leaves open can't happen:
//
//   H1  A CPU that gives up and the last one that arrives settle by one compare-exchange on the counter: either all have arrived, or the
//       load is called off for all, at once. Nobody is both counted and gone.
//   H2, H5  CPUs that are offline are held before anybody is stopped, while the machine runs. If they don't come, nobody is stopped.
//   H3  They are released by the end of their own core's update, not by CPU 0's.
//   H4  And wait for that without a limit: they have nothing else to do. No thread leaves while its core may be updating.
//   H6  Where all or none have arrived, no thread waits for a primary that has given up.
//   S32 A primary that doesn't come back is reported by a CPU of another core, since its siblings must not execute anything else. What hangs
//       can't be helped.
//
// Threads that update for themselves, as AMD's do, also wait for each other at the end, so that none goes back to work beside another's update.

import {
  addressOf,
  constant,
  global,
  i32,
  nothing,
  perCpu,
  routine,
  struct,
  u32,
  u64,
  cast,
  type Builder,
  type Value,
} from "../../asm/index.ts";
import { forEachCpu, onlineMaskPointer } from "../lib/cpumask.ts";
import { EIO } from "../lib/errno.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { touchNmiWatchdog } from "../stop/multi-stop.ts";
import { analyseResults } from "./analyse.ts";
import { applyMicrocode } from "./apply.ts";
import { SiblingCtrl, UcodeState, lateCpusIn, offlineInNmi, ucodeCtrl } from "./data.ts";
import { beginLoad, stopForUpdate } from "./late-load.ts";
import { panicForPrimary } from "./load.ts";
import { countOffline, kickOfflineCpus, offlineMaskPointer, releaseOfflineCpus } from "./offline.ts";
import { say } from "./say.ts";
import { countSiblings, forEachOnlineSibling, forEachOtherThread } from "./siblings.ts";
import { waitSteps } from "./wait.ts";

/** In the counter of arrivals: the load is called off. */
const CALLED_OFF = 0x8000_0000;

/** In the block of a core's first thread: threads that haven't finished. */
const UcodeCore = struct("microcode_core", { threads_left: u32 });
const ucodeCore = perCpu("ucode_core", UcodeCore, { offset: 0x910 });

/** Cores that haven't finished, and who says so when they take too long. */
const coresLeft = global("microcode_cores_left", u32, { align: 64 });
const hasReported = global("microcode_has_reported", u32, {});

/** 1 once all have arrived, 0 if the load is called off. */
const arrive = routine("microcode_arrive", [], u32, (k) => {
  k.atomicDec(lateCpusIn);
  const seen = k.let("seen", k.readOnce(lateCpusIn));
  waitSteps(k, "microcode_cpus", () => {
    k.set(seen, k.readOnce(lateCpusIn));
    return seen.eq(0).or(seen.and(CALLED_OFF).ne(0));
  });
  k.loop(() => {
    k.if(seen.eq(0), () => k.return(1));
    k.if(seen.and(CALLED_OFF).ne(0), () => k.return(0));
    k.mark("call_off");
    // Fails, with what is there now, if anybody has arrived since.
    k.if(k.tryCmpxchg(lateCpusIn, seen, seen.or(CALLED_OFF)), () => k.return(0));
  });
});

/** A CPU is through, and waits for its core; the last one lets the core's threads go that are offline. */
const finish = routine("microcode_finish", [{ cpu: u32 }, { primary: u32 }], nothing, (k, { cpu, primary }) => {
  k.if(k.decAndTest(ucodeCore.of(primary).threads_left), () => {
    forEachOtherThread(k, cpu, (sibling) => k.writeOnce(ucodeCtrl.of(sibling).ctrl, SiblingCtrl.Done));
    k.atomicDec(coresLeft);
  });
  k.while(
    () => k.readOnce(ucodeCore.of(primary).threads_left).ne(0),
    () => k.cpuRelax(),
  );
});

/** Seconds by which a core may be later than others, before it is taken to hang. Nobody is harmed by waiting. */
const PATIENCE = 10;

/** Waits for the other cores. */
const waitForCores = routine("microcode_wait_for_cores", [], nothing, (k) => {
  k.for("second", 0, PATIENCE, () => {
    k.if(waitSteps(k, "microcode_cores", () => k.readOnce(coresLeft).eq(0)).ne(0), () => k.return());
  });
  k.if(k.xchg(hasReported, 1).eq(0), () =>
    forEachCpu(k, onlineMaskPointer, (cpu) =>
      k.if(k.readOnce(ucodeCore.of(cpu).threads_left).ne(0), () => panicForPrimary(k, cpu)),
    ),
  );
  k.while(
    () => k.readOnce(coresLeft).ne(0),
    () => k.cpuRelax(),
  );
});

function applyFirst(k: Builder, cpu: Value<"u32">): void {
  const ret = k.let("ret", k.call(applyMicrocode));
  k.set(ucodeCtrl.here.result, ret);
  const ctrl = k.let("ctrl", SiblingCtrl.Done, u32);
  k.if(ret.eq(UcodeState.Updated).or(ret.eq(UcodeState.Ok)), () => k.set(ctrl, SiblingCtrl.Apply));
  forEachOnlineSibling(k, cpu, (sibling) => k.writeOnce(ucodeCtrl.of(sibling).ctrl, ctrl));
}

function applyBehind(k: Builder, primary: Value<"u32">): void {
  k.while(
    () => k.readOnce(ucodeCtrl.here.ctrl).eq(SiblingCtrl.Wait),
    () => k.cpuRelax(),
  );
  const ret = k.let("ret", ucodeCtrl.of(primary).result);
  k.if(ucodeCtrl.here.ctrl.eq(SiblingCtrl.Apply), () => k.set(ret, k.call(applyMicrocode)));
  k.set(ucodeCtrl.here.result, ret);
}

/** What each stopped CPU does. It is held until its core has finished: what it executes meanwhile is all here. */
export const updateAllOrNone = routine("microcode_update_all_or_none", { data: u64 }, i32, (k) => {
  const cpu = k.let("cpu", local.here.cpu);
  k.mark(observed("function_start"));
  const primary = k.let("ctrl_cpu", ucodeCtrl.here.ctrl_cpu);
  k.mark(observed("hold_start"));
  k.if(k.call(arrive).eq(0), () => {
    k.mark(observed("hold_end"));
    k.set(ucodeCtrl.here.result, UcodeState.Timeout);
    k.mark(observed("function_end"));
    k.return(constant(i32, 0));
  });
  k.if(
    primary.eq(cpu),
    () => applyFirst(k, cpu),
    () => applyBehind(k, primary),
  );
  k.call(finish, cpu, primary);
  k.mark(observed("hold_end", { nth: 2 }));
  k.call(waitForCores);
  k.call(touchNmiWatchdog);
  k.mark(observed("function_end", { nth: 2 }));
  k.return(constant(i32, 0));
});

/** nmi_enabled is taken by one of two: the CPU that is offline, or who has waited for it long enough. */
function takeArming(k: Builder, cpu?: Value<"u32">): Value<"u32"> {
  const ctrl = cpu === undefined ? ucodeCtrl.here : ucodeCtrl.of(cpu);
  return k.xchg(cast(addressOf(ctrl.nmi_enabled), u32).at(0), 0);
}

/** What an NMI does on a CPU that is offline: holds it until its core has finished. */
export const holdUntilReleased = routine("microcode_hold_until_released", {}, u32, (k) => {
  k.if(takeArming(k).eq(0), () => k.return(0));
  k.mark(observed("handle", { which: "kick" }));
  k.set(ucodeCtrl.here.result, UcodeState.Offline);
  k.mark(observed("hold_start"));
  k.atomicInc(offlineInNmi);
  k.while(
    () => k.readOnce(ucodeCtrl.here.ctrl).eq(SiblingCtrl.Wait),
    () => k.cpuRelax(),
  );
  k.mark(observed("hold_end"));
  k.return(1);
});

/** 1 once every thread that is offline is held. One that doesn't come in time finds its arming taken, and isn't held later. */
const holdOfflineThreads = routine("microcode_hold_offline_threads", [], u32, (k) => {
  const wanted = k.let("nr_offl", k.call(countOffline));
  k.if(wanted.eq(0), () => k.return(1));
  k.if(k.call(kickOfflineCpus, wanted).ne(0), () => k.return(1));
  forEachCpu(k, offlineMaskPointer, (cpu) => void takeArming(k, cpu));
  const missing = k.let("missing", wanted.sub(k.readOnce(offlineInNmi)));
  say(k, "offline_did_not_respond", { missing });
  k.call(releaseOfflineCpus);
  k.return(0);
});

const countCores = routine("microcode_count_cores", [], nothing, (k) => {
  k.set(coresLeft, 0);
  k.set(hasReported, 0);
  forEachCpu(k, onlineMaskPointer, (cpu) => {
    const threads = k.let("threads", 0, u32);
    k.if(ucodeCtrl.of(cpu).ctrl_cpu.eq(cpu), () => {
      k.set(threads, countSiblings(k, cpu));
      k.set(coresLeft, coresLeft.add(1));
    });
    k.set(ucodeCore.of(cpu).threads_left, threads);
  });
});

/** Takes the place of load_late_stop_cpus. */
export const loadAllOrNone = routine("microcode_load_all_or_none", { is_safe: u32 }, i32, (k, { is_safe: isSafe }) => {
  k.call(beginLoad, isSafe);
  k.call(countCores);
  k.if(k.call(holdOfflineThreads).eq(0), () => k.return(-EIO));
  k.call(stopForUpdate);
  // Called off: nobody has updated, so nobody has let them go.
  k.call(releaseOfflineCpus);
  k.return(k.call(analyseResults, isSafe));
});
