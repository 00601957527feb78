// Counting: functions run once per target and call, CPUs report once.

import { asInt32, byCpu, ofEvent, type ObservedRequest, type ObservedRun, type Oracle } from "./run.ts";

/** One call of a request: from its event `request` to `answer`; `answered` is infinite when it did not come back. */
export interface Answered {
  readonly asked: number;
  readonly answered: number;
  readonly result: number;
}

/** The calls of a request, in order. */
export function answersOf(run: ObservedRun, request: ObservedRequest): Answered[] {
  const mine = ({ values }: { readonly values: readonly bigint[] }): boolean => Number(values[0]) === request.block;
  const answers = ofEvent(run, "answer").filter(mine);
  return ofEvent(run, "request")
    .filter(mine)
    .map(({ cycle }, index) => ({
      asked: cycle,
      answered: answers[index]?.cycle ?? Infinity,
      result: asInt32(answers[index]?.values[1]),
    }));
}

/** Function starts or ends on behalf of a request: those that name its block, or name none. */
export function functionsOf(run: ObservedRun, request: ObservedRequest, event: "function_start" | "function_end") {
  const isOnly = run.requests.length === 1;
  const named = ofEvent(run, "function_start").some(({ values }) => Number(values[0]) === request.block);
  return ofEvent(run, event).filter(({ values }) =>
    event === "function_start" && named && !isOnly ? Number(values[0]) === request.block : true,
  );
}

/** Every requested function runs exactly once per target before its call returns, and on no other CPU. */
export const exactlyOnce: Oracle = {
  name: "exactly-once",
  rule: "every requested function ran exactly once per target before the call returned, and on no other CPU",
  judge: (run) => {
    const violations: string[] = [];
    let judged = 0;
    for (const request of run.requests) {
      const { active } = request;
      if (active === undefined) continue;
      const starts = functionsOf(run, request, "function_start");
      const calls = answersOf(run, request);
      const within = new Set<(typeof starts)[number]>();
      calls.forEach(({ asked, answered, result }, index) => {
        const during = starts.filter(({ cycle }) => cycle >= asked && cycle <= answered);
        for (const start of during) within.add(start);
        const perCpu = byCpu(during);
        for (const cpu of active) {
          const times = perCpu.get(cpu)?.length ?? 0;
          // A call that fails may have run nothing at all: it has been refused.
          const isOver = answered !== Infinity && (result === 0 || perCpu.size > 0);
          if (times > 1 || (times === 0 && isOver)) {
            violations.push(`call ${index + 1} ran its function ${times} times on CPU ${cpu}`);
          }
          judged += times;
        }
        for (const cpu of perCpu.keys()) {
          if (!active.has(cpu)) violations.push(`call ${index + 1} ran its function on CPU ${cpu}, no target`);
        }
      });
      for (const { cpu, cycle } of starts.filter((start) => !within.has(start))) {
        violations.push(`the function ran on CPU ${cpu} at cycle ${cycle}, outside of any call`);
      }
    }
    return { violations, judged: `${judged} functions` };
  },
};

/** Every CPU that has to stop reports once. */
export const acknowledgedOnce: Oracle = {
  name: "acknowledged-once",
  rule: "every CPU that stopped for good reported exactly once",
  judge: (run) => {
    const acks = byCpu(ofEvent(run, "ack"));
    const violations = [...acks]
      .filter(([, own]) => own.length > 1)
      .map(([cpu, own]) => `CPU ${cpu} reported ${own.length} times`);
    return { violations, judged: `${acks.size} CPUs reported` };
  },
};
