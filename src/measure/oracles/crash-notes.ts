// Crash notes: what a stopped CPU leaves of itself for the crash kernel is what it was doing.

import { TraceKind } from "../../abi.ts";
import { byCpu, ofEvent, type ObservedRun, type Oracle } from "./run.ts";

/** Routines that handle interrupts, or stop the CPU: what they were doing is not what the CPU was doing. */
function handlersOf({ machine, history }: ObservedRun): (address: number) => boolean {
  const events = new Set(["nmi_enter", "handle", "ack", "note", "park", "drop"]);
  const own = history.observations.filter(({ event }) => events.has(event)).map(({ mark }) => mark.split(":")[0]);
  const entries = machine.image.symbols
    .filter(({ name }) => /vector|interrupt|handle_irq|handle_ipi|ipi_handler|cpu_stop|crash_stop|nmi/.test(name))
    .map(({ name }) => name);
  const names = new Set([...own, ...entries]);
  return (address) => names.has(machine.describe(address)?.split("+")[0] ?? "");
}

/** A crash note is written once, before its CPU reports, with the context that was interrupted. */
export const crashNotes: Oracle = {
  name: "crash-notes",
  rule: "each crash note was written once, before its CPU reported, with the context that was interrupted",
  judge: (run) => {
    const violations: string[] = [];
    const isHandler = handlersOf(run);
    const notes = byCpu(ofEvent(run, "note"));
    const acks = byCpu(ofEvent(run, "ack"));
    const taken = byCpu(run.history.records.filter(({ kind }) => kind === TraceKind.INTERRUPT_TAKEN));
    for (const [cpu, own] of notes) {
      if (own.length > 1) violations.push(`CPU ${cpu} wrote its note ${own.length} times`);
      const ack = acks.get(cpu)?.[0];
      for (const { cycle, which, values } of own) {
        const pc = Number(values[0]);
        if (ack !== undefined && ack.cycle < cycle) violations.push(`CPU ${cpu} reported before its note was written`);
        // The CPU that crashes saves where it is itself.
        if (which === "self") continue;
        const interrupted = taken
          .get(cpu)
          ?.filter((record) => record.cycle < cycle && !isHandler(Number(record.value)))
          .at(-1);
        if (interrupted === undefined || Number(interrupted.value) === pc) continue;
        const was = run.machine.describe(pc) ?? `0x${pc.toString(16)}`;
        const is = run.machine.describe(Number(interrupted.value)) ?? `0x${interrupted.value.toString(16)}`;
        violations.push(`CPU ${cpu}'s note has ${was}, but ${is} was interrupted`);
      }
    }
    if (run.promises.crashNotes) {
      const missing = [...acks.keys()].filter((cpu) => !notes.has(cpu));
      for (const cpu of missing) violations.push(`CPU ${cpu} stopped without a crash note`);
    }
    return { violations, judged: `${notes.size} notes` };
  },
};
