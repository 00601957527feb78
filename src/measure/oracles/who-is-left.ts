// Lists: who is named as left had not reported when somebody looked.

import { ofEvent, type Oracle } from "./run.ts";

interface Look {
  readonly cycle: number;
  /** How many CPUs its CPU has been told of. */
  readonly others: bigint;
}

/** A list of CPUs that are left is not older than what has made somebody look. */
export const whoIsLeft: Oracle = {
  name: "who-is-left",
  rule: "no list of CPUs that are left names one that had reported before anybody looked",
  judge: (run) => {
    const violations: string[] = [];
    const reported = new Map<number, number>();
    const looks = new Map<number, Look>();
    let judged = 0;
    for (const { event, which, cpu, cycle, values } of ofEvent(run, "ack", "look", "say")) {
      const [value] = values;
      const look = looks.get(cpu);
      if (event === "ack") reported.set(cpu, reported.get(cpu) ?? cycle);
      else if (event === "look") looks.set(cpu, { cycle, others: value ?? 0n });
      else if (look !== undefined && value !== undefined) {
        judged++;
        const before = look.cycle - (reported.get(Number(value)) ?? look.cycle);
        const told = `${before} cycles before CPU ${cpu} looked for ${look.others}`;
        if (before > 0) violations.push(`${which} names CPU ${value}, which had reported ${told}`);
      }
    }
    return { violations, judged: `${judged} CPUs listed` };
  },
};
