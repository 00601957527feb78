// A machine on its way through a run, with what is to go wrong on that way: it can be brought to any later cycle, and copied.

import { FaultSchedule, type Injection } from "../faults/inject.ts";
import type { Machine, RunEnd } from "../machine/machine.ts";

export class Course {
  readonly machine: Machine;
  /** Cycle at which the run ends, whatever has become of it. */
  readonly limit: number;
  readonly #faults: FaultSchedule;

  private constructor(machine: Machine, limit: number, faults: FaultSchedule) {
    this.machine = machine;
    this.limit = limit;
    this.#faults = faults;
  }

  /** @throws NAME_UNKNOWN for a fault at a mark that the image doesn't have */
  static of(machine: Machine, limit: number, injections: readonly Injection[] = []): Course {
    return new Course(machine, limit, new FaultSchedule(machine, injections, limit));
  }

  /** Everything before this cycle has happened. */
  get cycle(): number {
    return this.machine.cycle;
  }

  /** Runs on to a cycle, or to the limit; faults on the way come as they are placed. A break ends it earlier. */
  runTo(cycle: number): RunEnd {
    const until = Math.min(cycle, this.limit);
    while (true) {
      const before = this.#faults.standsAt(this.machine);
      if (before === undefined || before > until) return this.#run(until);
      const end = this.#run(before);
      if (end.kind === "stopped" || end.kind === "probe") return end;
      this.#faults.apply(this.machine);
    }
  }

  #run(until: number): RunEnd {
    return until <= this.machine.cycle ? { kind: "reached" } : this.machine.run(until);
  }

  /** A second one from here, which goes on by itself. Costs the machine's memory in use. */
  fork(): Course {
    const machine = this.machine.fork();
    machine.trace.clear();
    return new Course(machine, this.limit, this.#faults.copy(machine));
  }
}
