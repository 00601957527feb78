// The function under test: what the CPUs run that a request names.

import { cast, i32, routine, u64 } from "../../asm/index.ts";
import { observed } from "../observe.ts";
import { Request, counters, load, local } from "../percpu.ts";
import { functionBreakpoint, functionTurns } from "./parameters.ts";
import { relaxFor } from "./work.ts";

/** Rounds from this one on have one bit of `result_rounds`. */
const LAST_ROUND = 63;

/** Counts its calls per CPU and for the request that `data` points to, notes how it was called, and takes its time. */
export const stoppedFunction = routine("stopped_function", { data: u64 }, i32, (k, { data }) => {
  k.mark(observed("function_start", { locals: ["data"] }));
  k.set(counters.here.calls, counters.here.calls.add(1));
  k.set(counters.here.called_with, local.here.preempt_count.shl(1).or(k.irqsDisabled()));
  k.atomicAdd(cast(data, Request).calls, 1);
  k.if(functionBreakpoint.ne(0), () => k.arch({ x64: (a) => void a.int3(), arm64: () => undefined }));
  relaxFor(k, functionTurns);
  const round = k.let("round", cast(data, Request).rounds_done);
  k.if(round.gt(LAST_ROUND), () => k.set(round, LAST_ROUND));
  const result = k.let("result", 0, i32);
  k.if(load.here.result_rounds.shr(round).and(1).ne(0), () => k.set(result, load.here.function_result.to(i32)));
  k.mark(observed("function_end", { locals: ["result"] }));
  k.return(result);
});
