// What an image that booted by itself says in the end: one line, the same on every emulator.

import { cpuCount, nothing, routine, slot, u64 } from "../../asm/index.ts";
import { print, printField } from "../lib/console.ts";
import { numOnlineCpus } from "../lib/cpumask.ts";
import { outcome } from "../load/requester.ts";
import { counters } from "../percpu.ts";

/** Switches the machine off. */
export const powerOff = slot("machine_power_off", {}, nothing);

export const reportAndPowerOff = routine("report_and_power_off", [], nothing, (k) => {
  print(k, "stop_machine:");
  printField(k, "cpus", numOnlineCpus.to(u64));
  printField(k, "rounds", outcome.rounds_done.to(u64));
  printField(k, "returned", outcome.returned.to(u64));
  printField(k, "calls", outcome.calls);
  const callers = k.let("callers", 0, u64);
  k.for("cpu", 0, cpuCount, (cpu) => k.if(counters.of(cpu).calls.ne(0), () => k.set(callers, callers.add(1))));
  printField(k, "callers", callers);
  print(k, "\n");
  k.call(powerOff);
});
