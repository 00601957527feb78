// Quiet: a CPU that has reported does nothing more, and a function that must not be interrupted is not.

import { byCpu, ofEvent, type Oracle } from "./run.ts";
import type { Observation } from "../observations.ts";

/** What a CPU may still do that has reported: come to where it stays, and turn away NMIs at entry. */
const ALLOWED: ReadonlySet<Observation["event"]> = new Set(["park", "drop", "nmi_enter", "nmi_leave"] as const);

/** A CPU that reports that it has stopped does nothing any more. */
export const quiescence: Oracle = {
  name: "quiescence",
  rule: "a CPU that reported having stopped did nothing after that",
  judge: (run) => {
    const violations: string[] = [];
    let judged = 0;
    for (const [cpu, events] of byCpu(run.history.observations)) {
      const ack = events.findIndex(({ event }) => event === "ack");
      if (ack < 0) continue;
      judged++;
      for (const [place, { event, which, mark, cycle }] of events.slice(ack + 1).entries()) {
        const isDropped = event !== "nmi_enter" || events[ack + 2 + place]?.event === "drop";
        if ((ALLOWED.has(event) && isDropped) || event === "ack") continue;
        const what = which === undefined ? event : `${event} ${which}`;
        violations.push(`CPU ${cpu} had reported, then came by ${what} (${mark.split(":")[0]}), cycle ${cycle}`);
        break;
      }
    }
    return { violations, judged: `${judged} CPUs that reported` };
  },
};

/** No NMI is handled on a CPU between start and end of a function that must not be interrupted. */
export const uninterrupted: Oracle = {
  name: "uninterrupted",
  rule: "no NMI was handled while the function ran on that CPU",
  judge: (run) => {
    if (run.promises.uninterrupted === undefined) return { violations: [], judged: "not promised by this path" };
    const violations: string[] = [];
    const events = byCpu(ofEvent(run, "function_start", "function_end", "nmi_enter"));
    let judged = 0;
    for (const [cpu, own] of events) {
      let isInside = false;
      for (const { event, cycle } of own) {
        if (event === "nmi_enter") {
          if (isInside) violations.push(`CPU ${cpu} took an NMI inside the function, cycle ${cycle}`);
        } else {
          isInside = event === "function_start";
          judged += isInside ? 1 : 0;
        }
      }
    }
    return { violations, judged: `${judged} functions` };
  },
};
