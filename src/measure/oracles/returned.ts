// Answers: what a call returns, and how long it takes for that.

import { nsOf } from "../../timing/index.ts";
import { answersOf, functionsOf } from "./exactly-once.ts";
import { asInt32, ofEvent, type Oracle } from "./run.ts";

/** What a call returns is what a function returned: an error where one did, 0 where none did. */
export const returnedError: Oracle = {
  name: "returned-error",
  rule: "the call returned 0 if every function did, else an error that one of them returned",
  judge: (run) => {
    const violations: string[] = [];
    let judged = 0;
    for (const request of run.requests) {
      const { active } = request;
      if (active === undefined) continue;
      const ends = functionsOf(run, request, "function_end").filter(({ values }) => values.length > 0);
      answersOf(run, request).forEach(({ asked, answered, result }, index) => {
        if (answered === Infinity) return;
        judged++;
        const during = ends.filter(({ cycle }) => cycle >= asked && cycle <= answered);
        const results = during.map(({ values }) => asInt32(values[0]));
        // Somebody may have to be told that a function did not run at all.
        const ran = new Set(during.map(({ cpu }) => cpu));
        const isMissing = [...active].some((cpu) => !ran.has(cpu));
        const errors = results.filter((error) => error !== 0);
        const call = `call ${index + 1} returned ${result}`;
        if (result !== 0 && !errors.includes(result) && !isMissing) {
          violations.push(`${call}, which no function did: ${results.join(", ")}`);
        }
        if (result === 0 && errors.length > 0) violations.push(`${call}; functions returned ${errors.join(", ")}`);
        if (result === 0 && isMissing) violations.push(`${call}; its function did not run on every target`);
      });
    }
    return { violations, judged: `${judged} calls` };
  },
};

/**
 * Loops that wait count iterations, not time, so that a limit is exceeded by what an iteration takes beside its delay. The dearest of the
 * built-in ones is x86-64's udelay(1), which leaves TPAUSE each time: a million take 1.17 s with timing generic-x86 (the report's `waits`).
 */
const OVERHEAD = 1.25;
/** What a path does beside its waits: sends, handlers, messages. */
const WORK_US = 2000;

/** The requester is held up no longer than the path's limits allow. */
export const bound: Oracle = {
  name: "bound",
  rule: "the call took no longer than the path's time limits allow",
  judge: ({ promises, ...run }) => {
    const { boundUs } = promises;
    if (boundUs === undefined) return { violations: [], judged: "this path has no time limit" };
    const allowedUs = boundUs * OVERHEAD + WORK_US;
    const violations: string[] = [];
    let longestUs = 0;
    const acks = ofEvent({ ...run, promises }, "ack");
    // A path may end where it never returns from, or its caller be stopped by another one.
    const over = run.completed && run.end.kind === "probe" ? run.end.cycle : run.machine.cycle;
    for (const request of run.requests) {
      const stopped = acks.find(({ cpu }) => cpu === request.requester)?.cycle ?? over;
      for (const { asked, answered } of answersOf({ ...run, promises }, request)) {
        const end = Math.min(answered, stopped);
        const tookUs = nsOf(run.timing, end - asked) / 1000;
        longestUs = Math.max(longestUs, tookUs);
        if (tookUs <= allowedUs) continue;
        const what = end === answered || run.completed ? "took" : "was not back after";
        violations.push(`the call ${what} ${tookUs.toFixed(0)} us, of ${boundUs} us`);
      }
    }
    return { violations, judged: `${longestUs.toFixed(0)} us of ${boundUs} us` };
  },
};
