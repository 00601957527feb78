// What a load comes to, from the CPUs' results (load_late_stop_cpus of arch/x86/kernel/cpu/microcode/core.c).

import { constant, i32, nothing, routine, u32, u64, x64, global, type Builder, type Value } from "../../asm/index.ts";
import { numOnlineCpus } from "../lib/cpumask.ts";
import { EIO } from "../lib/errno.ts";
import { forEachBootedCpu } from "./cpus.ts";
import { UcodeState, offlineInNmi, ucodeCtrl } from "./data.ts";
import { countOffline } from "./offline.ts";
import { say } from "./say.ts";

/** TAINT_CPU_OUT_OF_SPEC */
export const tainted = global("microcode_tainted", u32, { align: 64 });
const previousCaps = global("microcode_prev_info", u64, {});

/** store_cpu_caps(): a word of them. */
function cpuCaps(k: Builder): Value<"u64"> {
  return k.arch(
    {
      x64: (a) => {
        a.push(x64.rbx).mov(x64.eax, 1).xor(x64.ecx, x64.ecx).cpuid().pop(x64.rbx);
        a.shl(x64.rcx, 32).mov(x64.eax, x64.edx).or(x64.rax, x64.rcx);
      },
    },
    { uses: {}, result: u64, resultIn: { x64: "rax" }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
}

export const storeCpuCaps = routine("store_cpu_caps", [], nothing, (k) => {
  k.set(previousCaps, cpuCaps(k));
});

const microcodeCheck = routine("microcode_check", [], nothing, (k) => {
  const caps = k.let("caps", cpuCaps(k));
  k.if(caps.ne(previousCaps), () => {
    say(k, "cpu_features_changed", { caps });
    k.set(previousCaps, caps);
  });
});

/** Nothing was updated: why. */
const analyseFailure = routine(
  "microcode_nothing_updated",
  [{ failed: u32 }, { timed_out: u32 }, { offline: u32 }],
  i32,
  (k, { failed, timed_out: timedOut, offline }) => {
    const failures = k.let("failures", failed);
    const timeouts = k.let("timeouts", timedOut);
    k.if(failures.eq(0).and(timeouts.eq(0)), () => k.return(constant(i32, 0)));
    const wanted = k.let("nr_offl", k.call(countOffline));
    k.if(offline.lt(wanted), () => {
      const missing = k.let("missing", wanted.sub(k.readOnce(offlineInNmi)));
      say(k, "offline_did_not_respond", { missing });
      k.return(-EIO);
    });
    say(k, "update_failed", { failures, timeouts });
    k.return(-EIO);
  },
);

export const analyseResults = routine("microcode_analyse", { is_safe: u32 }, i32, (k, { is_safe: isSafe }) => {
  const updated = k.let("updated", 0, u32);
  const timedOut = k.let("timedout", 0, u32);
  const siblings = k.let("siblings", 0, u32);
  const offline = k.let("offline", 0, u32);
  const failed = k.let("failed", 0, u32);
  const increment = (counter: typeof updated) => () => k.set(counter, counter.add(1));
  forEachBootedCpu(k, (cpu) =>
    k.switch(
      ucodeCtrl.of(cpu).result,
      [
        [UcodeState.Updated, increment(updated)],
        [UcodeState.Timeout, increment(timedOut)],
        [UcodeState.Ok, increment(siblings)],
        [UcodeState.Offline, increment(offline)],
      ],
      increment(failed),
    ),
  );
  k.if(updated.eq(0), () => k.return(k.call(analyseFailure, failed, timedOut, offline)));
  const bad = k.let("bad", failed.add(timedOut));
  k.if(isSafe.eq(0).or(bad.ne(0)), () => k.set(tainted, 1));
  say(k, "updated", { updated, siblings });
  const done = k.let("done", updated.add(siblings));
  k.if(bad.ne(0), () => {
    const missing = k.let("missing", numOnlineCpus.sub(done));
    say(k, "incomplete", { missing });
  });
  k.call(microcodeCheck);
  k.if(done.eq(numOnlineCpus), () => k.return(constant(i32, 0)));
  k.return(-EIO);
});
