// Lifetimes: memory that is handed to other CPUs is used only while it lives.

import { ofEvent, type Oracle } from "./run.ts";

interface Life {
  readonly start: number;
  readonly bytes: number;
  readonly from: number;
  until: number;
}

/** Nobody uses a request block, or the frame that it lies in, after it is dead. */
export const lifetime: Oracle = {
  name: "lifetime",
  rule: "nobody used a request block or frame that was dead, or none at all",
  judge: (run) => {
    const lives: Life[] = [];
    const violations: string[] = [];
    let judged = 0;
    // In the order of (cycle, CPU), a use in the cycle of a death counts as before it.
    for (const { event, cycle, cpu, values, mark } of ofEvent(run, "alive", "dead", "access")) {
      const address = Number(values[0]);
      if (event === "alive") {
        lives.push({ start: address, bytes: Number(values[1] ?? 1n), from: cycle, until: Infinity });
      } else if (event === "dead") {
        const life = lives.findLast(({ start, until }) => start === address && until === Infinity);
        if (life !== undefined) life.until = cycle;
      } else {
        judged++;
        const life = lives.findLast(({ start, bytes }) => address >= start && address < start + bytes);
        const at = `CPU ${cpu} used 0x${address.toString(16)} at ${mark.split(":")[0]}, cycle ${cycle}`;
        if (life === undefined) violations.push(`${at}: nothing lives there`);
        else if (life.until < cycle) violations.push(`${at}: dead since ${life.until}`);
      }
    }
    return { violations, judged: `${judged} uses` };
  },
};
