// Ends: the call comes to one, and every CPU is then where the path promises.

import { byCpu, ofEvent, type ObservedRun, type Oracle } from "./run.ts";

/** Where a CPU is, for people. */
function placeOf({ machine }: ObservedRun, cpu: number): string {
  const { state, waitsIn, at, pc } = machine.cpu(cpu);
  const where = at ?? `0x${pc.toString(16)}`;
  return state === "WAITING" ? `waits in ${waitsIn} at ${where}` : `is ${state.toLowerCase()} at ${where}`;
}

/** At the end each CPU is where the path promises. */
export const endState: Oracle = {
  name: "end-state",
  rule: "at the end each CPU was in the state that the path promises",
  judge: (run) => {
    const violations: string[] = [];
    const acks = byCpu(ofEvent(run, "ack"));
    const parks = byCpu(ofEvent(run, "park"));
    if (run.promises.end === "released") {
      for (const cpu of parks.keys()) violations.push(`CPU ${cpu} has stopped for good`);
      return { violations, judged: `${run.online.length} CPUs go on` };
    }
    const targets = new Set(run.requests.flatMap(({ stopped }) => stopped));
    // Of several that stop each other one is left: the one that came to the path's end.
    const survivor =
      run.completed && run.end.kind === "probe"
        ? run.end.cpu
        : run.requests.find(({ requester }) => !acks.has(requester))?.requester;
    if (survivor !== undefined) targets.delete(survivor);
    for (const cpu of targets) {
      const { state } = run.machine.cpu(cpu);
      if (!acks.has(cpu)) violations.push(`CPU ${cpu} has not stopped: ${placeOf(run, cpu)}`);
      else if (!parks.has(cpu) || state === "RUNNING") {
        violations.push(`CPU ${cpu} reported, but ${placeOf(run, cpu)}`);
      }
    }
    return { violations, judged: `${targets.size} CPUs stopped` };
  },
};

/** The call comes to its end; a hang names who did not arrive, and where it is. */
export const completion: Oracle = {
  name: "completion",
  rule: "the call came to its end",
  judge: (run) => {
    if (run.completed) return { violations: [], judged: "completed" };
    const { end } = run;
    if (end.kind === "stopped")
      return { violations: [`machine stop ${end.stop.reason} on CPU ${end.stop.cpu}`], judged: "" };
    if (end.kind === "probe") return { violations: [`CPU ${end.cpu} met what its kernel doesn't handle`], judged: "" };
    const missing = run.missing.map((cpu) => `CPU ${cpu} ${placeOf(run, cpu)}`);
    return { violations: missing.length > 0 ? missing : ["the call is not back; every CPU arrived"], judged: "" };
  },
};
