// Late loading from its entry to its return (arch/x86/kernel/cpu/microcode/core.c).

import { constant, i32, nothing, routine, slot, u32 } from "../../asm/index.ts";
import { cpusReadLock, cpusReadUnlock } from "../hotplug/lock.ts";
import { numOnlineCpus } from "../lib/cpumask.ts";
import { relaxesPerMicrosecond } from "../lib/delay.ts";
import { EBADFD, EBUSY, EINVAL, ENOENT } from "../lib/errno.ts";
import { observed } from "../observe.ts";
import { analyseResults, storeCpuCaps } from "./analyse.ts";
import { setupCpus } from "./cpus.ts";
import {
  UcodeState,
  firmwareFound,
  lateCpusIn,
  loopsPerUsec,
  loopsPerUsecOption,
  offlineInNmi,
  reloadValue,
} from "./data.ts";
import { say } from "./say.ts";

/** Stops all CPUs for the update. What stop_machine() returns is thrown away. */
export const stopForUpdate = slot("microcode_stop_cpus", {}, nothing);

/** What comes before CPUs are stopped. Staging, where there is any, is first, and its failure is ignored: there is none here. */
export const beginLoad = routine("microcode_begin_load", { is_safe: u32 }, nothing, (k, { is_safe: isSafe }) => {
  k.if(isSafe.eq(0), () => say(k, "no_minimal_revision"));
  k.set(lateCpusIn, numOnlineCpus);
  k.set(offlineInNmi, 0);
  k.if(
    loopsPerUsecOption.eq(0),
    () => k.set(loopsPerUsec, relaxesPerMicrosecond),
    () => k.set(loopsPerUsec, loopsPerUsecOption),
  );
  k.call(storeCpuCaps);
});

export const loadLateStopCpus = routine("load_late_stop_cpus", { is_safe: u32 }, i32, (k, { is_safe: isSafe }) => {
  k.call(beginLoad, isSafe);
  k.call(stopForUpdate);
  k.return(k.call(analyseResults, isSafe));
});

/** What follows a firmware image that is new. */
export const loadNewImage = slot("microcode_load_new_image", { is_safe: u32 }, i32);

const loadLateLocked = routine("load_late_locked", [], i32, (k) => {
  k.if(k.call(setupCpus).eq(0), () => k.return(-EBUSY));
  k.switch(
    firmwareFound,
    [
      [UcodeState.New, () => k.return(k.call(loadNewImage, 0))],
      [UcodeState.NewSafe, () => k.return(k.call(loadNewImage, 1))],
      [UcodeState.NotFound, () => k.return(-ENOENT)],
      [UcodeState.Ok, () => k.return(constant(i32, 0))],
    ],
    () => k.return(-EBADFD),
  );
});

/** reload_store: what a write to /sys/devices/system/cpu/microcode/reload does. 0 where the kernel returns the number of bytes. */
export const reloadStore = routine("reload_store", [], i32, (k) => {
  k.if(reloadValue.ne(1), () => k.return(-EINVAL));
  k.call(cpusReadLock);
  k.mark(observed("call"));
  const ret = k.let("ret", k.call(loadLateLocked));
  k.mark(observed("return", { locals: ["ret"] }));
  k.call(cpusReadUnlock);
  k.return(ret);
});
