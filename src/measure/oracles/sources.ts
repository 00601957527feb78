// Sources of NMIs: what is raised for a CPU is what its handlers serve.

import { ofEvent, type ObservedRun, type Oracle } from "./run.ts";

interface Step {
  readonly kind: "raise" | "handle" | "unknown" | "ack";
  readonly cycle: number;
  readonly cpu: number;
  readonly source: string;
}

/** Of an NMI that no source claims: it may be called unknown. */
export const NO_SOURCE = "none";

/** In the order of time; a source that is raised and served in one cycle was raised before. */
function stepsOf(run: ObservedRun): Step[] {
  const steps: Step[] = run.raised.map(({ cycle, cpu, source }) => ({ kind: "raise", cycle, cpu, source }));
  for (const { event, cycle, cpu, which = "", values } of ofEvent(
    run,
    "raise",
    "broadcast",
    "handle",
    "unknown",
    "ack",
  )) {
    if (event === "raise") {
      steps.push({ kind: "raise", cycle, cpu: values.length === 0 ? cpu : Number(values[0]), source: which });
    } else if (event === "broadcast") {
      const others = run.online.filter((other) => other !== cpu);
      steps.push(...others.map((other) => ({ kind: "raise" as const, cycle, cpu: other, source: which })));
    } else if (event === "handle") steps.push({ kind: "handle", cycle, cpu, source: which });
    else if (event === "unknown" || event === "ack") steps.push({ kind: event, cycle, cpu, source: "" });
  }
  const rank = (step: Step): number => (step.kind === "raise" ? 0 : 1);
  return steps.sort((one, other) => one.cycle - other.cycle || rank(one) - rank(other));
}

/** What raised an NMI is what gets served, per CPU: nothing is lost, nothing served that nobody raised, no NMI unknown. */
export const sourcesServed: Oracle = {
  name: "sources-served",
  rule: "the sources of NMIs that were raised for a CPU are those that its handlers served",
  judge: (run) => {
    const violations: string[] = [];
    const pending = new Map<number, Map<string, number>>();
    const stopped = new Set<number>();
    let served = 0;
    for (const step of stepsOf(run)) {
      const { cpu, cycle } = step;
      const own = pending.get(cpu) ?? new Map<string, number>();
      pending.set(cpu, own);
      if (step.kind === "raise") own.set(step.source, own.get(step.source) ?? cycle);
      else if (step.kind === "unknown" && own.delete(NO_SOURCE)) served++;
      else if (step.kind === "unknown") violations.push(`an NMI on CPU ${cpu} was nobody's, cycle ${cycle}`);
      else if (step.kind === "ack") stopped.add(cpu);
      else if (own.delete(step.source)) served++;
      else violations.push(`CPU ${cpu} served ${step.source}, which nobody had raised, cycle ${cycle}`);
    }
    for (const [cpu, own] of pending) {
      // Nobody waits for what was raised for a CPU that has stopped for good.
      if (stopped.has(cpu)) continue;
      for (const [source, cycle] of own) {
        // Nobody can tell it from the second half of another one.
        if (source === NO_SOURCE) continue;
        violations.push(`${source}, raised for CPU ${cpu} at cycle ${cycle}, was never served`);
      }
    }
    return { violations, judged: `${served} served` };
  },
};
