// Steps through a run: by instructions of a CPU, by events, to places and times, and back. The run is the same as without looking.
//
// A machine stands at a cycle: everything before it has happened. Several instructions of a CPU can start in one cycle, so a position is
// a cycle, and how many of the instructions that start in it some CPUs have executed. What follows from where is found out on copies: one
// that is a cycle ahead tells how many instructions start in a cycle; one that is held in the middle of the cycle is what is shown.

import type { ElfFile } from "../asm/index.ts";
import { boardMachine, DEFAULT_LIMIT_CYCLES, type ExecOptions } from "../board/exec.ts";
import { AllstopError } from "../errors.ts";
import type { Injection } from "../faults/inject.ts";
import type { CpuView, Machine, MachineStop } from "../machine/machine.ts";
import { lineMeasuring } from "../measure/lines.ts";
import { ObjectNames, probeFrames } from "../measure/object-names.ts";
import type { TraceLog } from "../machine/trace-log.ts";
import { parseScenario, type ScenarioInput } from "../scenario/document.ts";
import { expandScenario } from "../scenario/expand.ts";
import { prepareMachine, type RunOptions } from "../scenario/run.ts";
import { cyclesOf, nsOf } from "../timing/index.ts";
import { formatCpuList } from "../topology/index.ts";
import { Course } from "./course.ts";
import { EventReader, type StepEvent } from "./events.ts";

/** Where a run stands. */
export interface StepPosition {
  /** Everything before this cycle has happened. */
  readonly cycle: number;
  /** By CPU: how many of the instructions that start in this cycle have been executed; none where nothing is said. */
  readonly instructions: ReadonlyMap<number, number>;
  /** The CPU that is stepped. */
  readonly focus: number;
}

/** Why stepping came to a stand. */
export interface StepEnd {
  /**
   * `stepped`: so many steps were made; `event`: the last of `events` is what was asked for; `reached`: the cycle; `limit`: the run's
   * limit came before; `stopped`: the machine has stopped for good, `stop` says why.
   */
  readonly kind: "stepped" | "event" | "reached" | "limit" | "stopped";
  readonly events: readonly StepEvent[];
  readonly stop?: MachineStop;
}

/** The run that is stepped through, and how. */
export interface StepperOptions {
  /** CPUs whose events are stepped by; the first of them is the one that is stepped by instructions. All, if not given. */
  readonly cpus?: readonly number[];
  /** Requests for lines of memory, grants and losses are events, too. Default false. */
  readonly lines?: boolean;
}

/** How a run is stepped through. */
export interface CourseOptions extends StepperOptions {
  /** What goes wrong on the way. */
  readonly injections?: readonly Injection[];
  /** Cycle at which the run ends; DEFAULT_LIMIT_CYCLES if not given. */
  readonly limit?: number;
  /** Marks at which `continue()` stands, whatever breakpoints there are, such as where the requester is through. */
  readonly endMarks?: readonly string[];
}

/** A bare-metal image: the CPUs are those that are stepped; the machine has `machineCpus`, 1 if not given. */
export interface StepImageOptions extends StepperOptions, Omit<ExecOptions, "cpus" | "onOutput" | "accelerations"> {
  readonly machineCpus?: number;
}

/** A place to stop at. */
export interface StepPlace {
  /** Symbol, mark "routine:mark", or address. */
  readonly place: string | number;
  /** Only this CPU; any of the chosen ones if not given. */
  readonly cpu?: number;
}

/** Copies are kept this far apart at least, and so many of them at the most. */
const CHECKPOINT_CYCLES = 20_000;
const MOST_CHECKPOINTS = 16;
/** Cycles in which a CPU does nothing, before they are passed over at once. */
const IDLE_CYCLES = 128;
/** Cycles between two looks at what happens: at first, and at the most. */
const LEAST_SLICE = 2_000;
const MOST_SLICE = 2_000_000;
/** Cycles that a CPU is held for in the middle of a cycle, in a copy: behind it nobody looks. */
const HELD_CYCLES = 2 ** 40;
const MOST_STEPS = 1_000_000;

/** Steps through a run, forwards and back, by instruction, event, place and time. Stepping changes nothing of the run. */
export class Stepper {
  readonly cpus: readonly number[];
  readonly #lines: boolean;
  readonly #endMarks: readonly string[];
  /** Stands at the beginning. */
  readonly #first: Course;
  /** In the order of cycles, that one the first. */
  #checkpoints: Course[];
  /** Stands at the position's cycle. */
  #now: Course;
  /** One cycle further, or more. */
  #ahead: Course | undefined;
  #focus: number;
  #instructions = new Map<number, number>();
  /** The machine as it is in the middle of a cycle, if the position is there and somebody has looked. */
  #shown: Machine | undefined;
  /** Events of the position's cycle that have been told. */
  #told = new Set<string>();
  #stops: StepPosition[] = [];
  readonly #breakpoints = new Map<string, StepPlace>();
  /** Structs in frames of stacks that have been met, by address; and what finds them. */
  readonly #frames = new Map<number, string>();
  #names: ObjectNames | undefined;
  readonly #readFrames: (trace: TraceLog) => ReadonlyMap<number, string>;

  private constructor(course: Course, options: CourseOptions) {
    const { topology } = course.machine;
    const present = topology.cpus.filter(({ state }) => state !== "absent").map(({ number }) => number);
    this.cpus = options.cpus ?? present;
    const unknown = this.cpus.find((cpu) => !present.includes(cpu));
    if (unknown !== undefined || this.cpus.length === 0) {
      const allowed = `CPUs of the machine: ${formatCpuList(present)}`;
      throw new AllstopError("OPTION_INVALID", "no such CPU to step", { at: "cpus", value: unknown ?? [], allowed });
    }
    this.#focus = this.cpus[0] as number;
    this.#lines = options.lines ?? false;
    this.#endMarks = (options.endMarks ?? []).filter((mark) =>
      course.machine.image.marks.some(({ name }) => name === mark),
    );
    this.#now = course;
    this.#readFrames = probeFrames(course.machine);
    this.#first = course.fork();
    this.#checkpoints = [this.#first];
    // What is shown in the middle of a cycle comes from a copy that stands before it; in the very first one nothing starts.
    if (course.cycle > 0) course.runTo(course.cycle + 1);
  }

  /** Steps a machine from the cycle behind where it stands; it is the stepper's from now on. @throws OPTION_INVALID, NAME_UNKNOWN */
  static ofMachine(machine: Machine, options: CourseOptions = {}): Stepper {
    machine.trace.clear();
    return new Stepper(Course.of(machine, options.limit ?? DEFAULT_LIMIT_CYCLES, options.injections), options);
  }

  /** Steps a scenario from its first cycle. @throws SCENARIO_INVALID, OPTION_INVALID and what building throws */
  static async ofScenario(
    document: ScenarioInput,
    options: StepperOptions & Pick<RunOptions, "topology" | "core"> = {},
  ): Promise<Stepper> {
    const expanded = expandScenario(parseScenario(document), options.topology);
    const { core, ...rest } = options;
    // So that lines and their requests stand as they are at every cycle; the run is the same.
    const machine = await prepareMachine(expanded, {
      accelerations: lineMeasuring,
      ...(core === undefined ? {} : { core }),
    });
    const { marks } = expanded.policy;
    return Stepper.ofMachine(machine, {
      ...rest,
      injections: expanded.injections,
      limit: cyclesOf(expanded.timing, expanded.scenario.limitUs * 1000),
      endMarks: [marks.done, marks.fatal],
    });
  }

  /** Steps a bare-metal image as execImage() runs it. @throws as boardMachine() */
  static async ofImage(file: Uint8Array | ElfFile, options: StepImageOptions = {}): Promise<Stepper> {
    const { cpus, lines, machineCpus, limitCycles = DEFAULT_LIMIT_CYCLES, ...rest } = options;
    const size = machineCpus === undefined ? {} : { cpus: machineCpus };
    const machine = await boardMachine(file, { ...rest, ...size, accelerations: lineMeasuring });
    return Stepper.ofMachine(machine, {
      ...(cpus === undefined ? {} : { cpus }),
      ...(lines === undefined ? {} : { lines }),
      limit: limitCycles,
    });
  }

  // --- where it stands --------------------------------------------------------------------------------------------------------

  get position(): StepPosition {
    return { cycle: this.#now.cycle, instructions: new Map(this.#instructions), focus: this.#focus };
  }

  /** Simulated time, nanoseconds. */
  get ns(): number {
    return nsOf(this.#now.machine.timing, this.#now.cycle);
  }

  /** Cycle at which the run ends. */
  get limit(): number {
    return this.#now.limit;
  }

  /** The CPU that stepInstruction() steps. */
  get focus(): number {
    return this.#focus;
  }

  set focus(cpu: number) {
    this.#checkCpu(cpu);
    this.#focus = cpu;
  }

  #checkCpu(cpu: number): void {
    const one = this.#now.machine.topology.cpus[cpu];
    if (one !== undefined && one.state !== "absent") return;
    throw new AllstopError("OPTION_INVALID", "no such CPU", { value: cpu, allowed: "present CPUs" });
  }

  /** Why the machine has stopped for good, if it has. */
  get stop(): MachineStop | undefined {
    return this.#now.machine.stop;
  }

  /**
   * The machine as it is at the position: to be looked at only. In the middle of a cycle it is a copy in which CPUs have executed so many
   * of the instructions that start in this cycle, and what arrives in it has arrived.
   */
  get machine(): Machine {
    if (this.#instructions.size === 0) return this.#now.machine;
    return (this.#shown ??= this.#middle());
  }

  /** What a CPU is doing at the position; `cycle` is the start of its next instruction, where that is known. */
  cpu(number: number): CpuView {
    const view = this.machine.cpu(number);
    // There it is held in the middle of the cycle.
    const { cycle } = this.#instructions.has(number) ? this.#now : this.#now.machine.cpu(number);
    return { ...view, cycle };
  }

  /** Names of addresses: also of structs in frames of stacks that CPUs have come by with a pointer to. */
  get names(): ObjectNames {
    const { trace, image } = this.#now.machine;
    if (this.#names !== undefined && trace.length === 0) return this.#names;
    for (const [address, struct] of this.#readFrames(trace)) this.#frames.set(address, struct);
    trace.clear();
    return (this.#names = new ObjectNames(image, this.#frames));
  }

  /** Digest of the whole state at the position's cycle, before the instructions that start in it. */
  digest(): string {
    return this.#now.machine.digest();
  }

  /**
   * A copy of the machine with CPUs held in the middle of the cycle. What a fill completes comes before they can be: that is an
   * instruction less to count then.
   */
  #middle(): Machine {
    const behind = new Map(this.#instructions);
    while (true) {
      const machine = this.#heldBehind(behind);
      const early = [...this.#instructions].filter(([cpu, instructions]) => {
        const least = this.#now.machine.cpu(cpu).retired + instructions;
        return machine.cpu(cpu).retired > least && (behind.get(cpu) ?? 0) > 0;
      });
      if (early.length === 0) return machine;
      for (const [cpu] of early) behind.set(cpu, (behind.get(cpu) ?? 1) - 1);
    }
  }

  /** @param instructions how many each CPU executes before it is held */
  #heldBehind(instructions: ReadonlyMap<number, number>): Machine {
    const { cycle } = this.#now;
    // What reaches a CPU in a cycle has to be sent before it.
    const { machine } = this.#courseAt(cycle - 1);
    for (const { number, state } of machine.topology.cpus) {
      if (state === "absent") continue;
      const at = { place: 0, instructions: instructions.get(number) ?? 0 };
      machine.suspend(number, { cycle, durationCycles: HELD_CYCLES, at });
    }
    machine.run(cycle + 1);
    return machine;
  }

  /** A course of its own at a cycle that has been passed. */
  #courseAt(cycle: number): Course {
    const from = this.#checkpoints.findLast((one) => one.cycle <= cycle) ?? this.#first;
    const course = from.fork();
    course.runTo(cycle);
    return course;
  }

  // --- stepping ---------------------------------------------------------------------------------------------------------------

  /**
   * Lets a CPU make steps: an instruction, or the taking of an interrupt or exception, is one. What else happens meanwhile does. Then
   * time stands where its next instruction starts.
   * @throws OPTION_INVALID
   */
  stepInstruction(steps = 1, cpu = this.#focus): StepEnd {
    checkSteps(steps);
    this.#checkCpu(cpu);
    this.#remember();
    return this.#advance(cpu, steps);
  }

  #advance(cpu: number, steps: number): StepEnd {
    let left = steps + (this.#instructions.get(cpu) ?? 0);
    let idle = 0;
    while (true) {
      const { cycle, machine } = this.#now;
      const view = machine.cpu(cpu);
      if (view.state === "RUNNING" && view.cycle > cycle) {
        const end = this.#moveTo(view.cycle);
        if (end !== undefined) return end;
        continue;
      }
      const count = this.#stepsInCycle(cpu);
      if (count > left) {
        this.#instructions.set(cpu, left);
        this.#shown = undefined;
        return this.#arrived({ kind: "stepped", events: [] });
      }
      left -= count;
      idle = count === 0 ? idle + 1 : 0;
      const end = idle > IDLE_CYCLES ? this.#passOver(cpu) : this.#moveTo(cycle + 1);
      if (idle > IDLE_CYCLES) idle = 0;
      if (end !== undefined) return end;
      if (left === 0) return this.#rest(cpu);
    }
  }

  /** Its next instruction starts at the position, if it is known when that is. */
  #rest(cpu: number): StepEnd {
    const view = this.#now.machine.cpu(cpu);
    if (view.state === "RUNNING" && view.cycle > this.#now.cycle) {
      const end = this.#moveTo(view.cycle);
      if (end !== undefined) return end;
    }
    return this.#arrived({ kind: "stepped", events: [] });
  }

  /** Instructions of a CPU that start in the present cycle and are done at once; or 1 for an interrupt that it takes. */
  #stepsInCycle(cpu: number): number {
    const { cycle, machine } = this.#now;
    if (this.#ahead === undefined || this.#ahead.cycle > cycle + 1) this.#ahead = this.#now.fork();
    this.#ahead.runTo(cycle + 1);
    const [before, after] = [machine.cpu(cpu), this.#ahead.machine.cpu(cpu)];
    const retired = after.retired - before.retired;
    return retired > 0 ? retired : after.pc === before.pc ? 0 : 1;
  }

  /** Goes on to a later cycle. @returns an end if it can't be reached */
  #moveTo(cycle: number): StepEnd | undefined {
    this.#leaveCycle();
    const end = this.#now.runTo(cycle);
    if (end.kind === "stopped") return this.#arrived({ kind: "stopped", events: [], stop: end.stop });
    if (this.#now.cycle < cycle) return this.#arrived({ kind: "limit", events: [] });
    return undefined;
  }

  #leaveCycle(): void {
    this.#instructions.clear();
    this.#told.clear();
    this.#shown = undefined;
  }

  /** The CPU waits: goes on to shortly before it does something again. */
  #passOver(cpu: number): StepEnd | undefined {
    const scout = this.#now.fork();
    const before = scout.machine.cpu(cpu);
    for (let step = IDLE_CYCLES; ; step *= 2) {
      const from = scout.cycle;
      const end = scout.runTo(from + step);
      const after = scout.machine.cpu(cpu);
      const isSame = after.state === before.state && after.pc === before.pc && after.retired === before.retired;
      if (isSame && end.kind !== "stopped" && scout.cycle < scout.limit) continue;
      if (isSame) return this.#moveTo(scout.limit + 1);
      return from > this.#now.cycle ? this.#moveTo(from) : undefined;
    }
  }

  /**
   * Goes on to the next event, or the n-th, of the chosen CPUs. At a mark, the CPU that comes by stands at it; of anything else, the cycle
   * in which it happens is over, and `events` ends with all that has happened in it. That CPU is stepped by instructions from then on.
   * @throws OPTION_INVALID
   */
  stepEvent(events = 1): StepEnd {
    checkSteps(events);
    this.#remember();
    return this.#goToEvent(() => true, events, []);
  }

  /** Goes on to a place, a cycle or a time, nanoseconds from the start; or until the run's end. @throws OPTION_INVALID, NAME_UNKNOWN */
  runUntil(target: StepPlace | { readonly cycle: number } | { readonly ns: number }): StepEnd {
    if ("place" in target) {
      this.#now.machine.address(target.place);
      if (target.cpu !== undefined) this.#checkCpu(target.cpu);
      this.#remember();
      return this.#goToEvent((event) => matches(target, event), 1, [target.place], target.cpu !== undefined);
    }
    const cycle = "cycle" in target ? target.cycle : cyclesOf(this.#now.machine.timing, target.ns, 0);
    if (!Number.isSafeInteger(cycle) || cycle < this.#now.cycle) {
      throw new AllstopError("OPTION_INVALID", "a cycle that has passed: see back()", {
        value: cycle,
        allowed: `from ${this.#now.cycle} on`,
      });
    }
    this.#remember();
    return this.#moveTo(cycle) ?? this.#arrived({ kind: "reached", events: [] });
  }

  /** Goes on to the next breakpoint, or to where the run's requester is through, or something fatal happens. */
  continue(): StepEnd {
    this.#remember();
    const places = [...this.#breakpoints.values(), ...this.#endMarks.map((place) => ({ place }))];
    const isWanted = (event: StepEvent): boolean => places.some((place) => matches(place, event));
    return this.#goToEvent(
      isWanted,
      1,
      places.map(({ place }) => place),
      true,
    );
  }

  /** @param ofAll whether CPUs that aren't chosen count, too */
  #goToEvent(
    isWanted: (event: StepEvent) => boolean,
    count: number,
    places: readonly (string | number)[],
    ofAll = false,
  ): StepEnd {
    const scout = this.#now.fork();
    const reader = new EventReader(scout.machine, { places, lines: this.#lines });
    const chosen = new Set(this.cpus);
    const found: StepEvent[] = [];
    for (let slice = LEAST_SLICE; ; slice = Math.min(MOST_SLICE, 2 * slice)) {
      const end = scout.runTo(scout.cycle + slice);
      const wanted = reader.take().filter((event) => {
        if (event.cycle < this.#now.cycle || this.#told.has(keyOf(event)) || !isWanted(event)) return false;
        return ofAll || chosen.has(event.cpu);
      });
      const last = wanted[count - found.length - 1];
      if (last !== undefined) {
        const isOver = last.kind !== "mark";
        const passed = wanted.filter(
          (event, index) => index < count - found.length || (isOver && event.cycle === last.cycle),
        );
        return this.#standAt(last, [...found, ...passed]);
      }
      found.push(...wanted);
      if (end.kind === "stopped" || scout.cycle >= scout.limit) break;
    }
    const end = this.#moveTo(scout.machine.stop === undefined ? scout.limit : scout.limit + 1);
    return end === undefined ? this.#arrived({ kind: "limit", events: found }) : { ...end, events: found };
  }

  #standAt(event: StepEvent, found: readonly StepEvent[]): StepEnd {
    const isMark = event.kind === "mark";
    const told = new Set(found.filter(({ cycle }) => cycle === event.cycle).map(keyOf));
    if (this.#now.cycle === event.cycle) for (const key of this.#told) told.add(key);
    const kept = this.#now.cycle === event.cycle ? this.#instructions : new Map<number, number>();
    const end = this.#moveTo(isMark ? event.cycle : event.cycle + 1);
    if (end !== undefined) return { ...end, events: found };
    this.#focus = event.cpu;
    if (isMark) {
      this.#told = told;
      this.#instructions = new Map(kept);
      this.#alignTo(event.cpu, this.#now.machine.address(placeOf(event)));
    }
    return this.#arrived({ kind: "event", events: found });
  }

  /** Executes instructions of the present cycle until the CPU stands at an address. */
  #alignTo(cpu: number, address: number): void {
    const most = this.#stepsInCycle(cpu);
    const from = this.#instructions.get(cpu) ?? 0;
    for (let instructions = from; instructions <= most; instructions++) {
      if (instructions > 0) this.#instructions.set(cpu, instructions);
      this.#shown = undefined;
      if (this.machine.cpu(cpu).pc === address) return;
    }
    this.#instructions.delete(cpu);
    this.#shown = undefined;
  }

  // --- breakpoints ------------------------------------------------------------------------------------------------------------

  /** Where continue() stops; a place that has one already gets the new one's CPU. @throws NAME_UNKNOWN, OPTION_INVALID */
  setBreakpoint(place: StepPlace): void {
    this.#now.machine.address(place.place);
    if (place.cpu !== undefined) this.#checkCpu(place.cpu);
    this.#breakpoints.set(String(place.place), place);
  }

  /** @returns whether there was one */
  removeBreakpoint(place: string | number): boolean {
    return this.#breakpoints.delete(String(place));
  }

  get breakpoints(): readonly StepPlace[] {
    return [...this.#breakpoints.values()];
  }

  // --- back -------------------------------------------------------------------------------------------------------------------

  /** Positions that back() leads to, the last one first. */
  get stops(): readonly StepPosition[] {
    return [...this.#stops].reverse();
  }

  /** Back to where the last command began, or the n-th last: the run is run again up to there. @returns false when there is none */
  back(stops = 1): boolean {
    const index = this.#stops.length - stops;
    const position = this.#stops[index];
    if (position === undefined) return false;
    this.#stops.length = index;
    this.#returnTo(position);
    return true;
  }

  /** Back to any cycle that has been passed. @throws OPTION_INVALID */
  backTo(cycle: number): void {
    const first = this.#first.cycle;
    if (!Number.isSafeInteger(cycle) || cycle < first || cycle > this.#now.cycle) {
      const allowed = `from ${first} to ${this.#now.cycle}`;
      throw new AllstopError("OPTION_INVALID", "no cycle that has been passed", { value: cycle, allowed });
    }
    this.#remember();
    this.#returnTo({ cycle, instructions: new Map(), focus: this.#focus });
  }

  #returnTo({ cycle, instructions, focus }: StepPosition): void {
    this.#leaveCycle();
    this.#now = this.#courseAt(cycle);
    this.#ahead = undefined;
    this.#instructions = new Map(instructions);
    this.#focus = focus;
  }

  /** Before a command that moves. */
  #remember(): void {
    this.#stops.push(this.position);
  }

  /** A command is through: a copy is kept now and then, so that the way back is short. */
  #arrived(end: StepEnd): StepEnd {
    const last = this.#checkpoints.findLast((one) => one.cycle <= this.#now.cycle)?.cycle ?? 0;
    if (this.#now.cycle - last < CHECKPOINT_CYCLES) return end;
    const index = this.#checkpoints.findLastIndex((one) => one.cycle <= this.#now.cycle);
    this.#checkpoints.splice(index + 1, 0, this.#now.fork());
    if (this.#checkpoints.length > MOST_CHECKPOINTS) {
      this.#checkpoints = this.#checkpoints.filter((_, place) => place % 2 === 0);
    }
    return end;
  }
}

function checkSteps(steps: number): void {
  if (Number.isSafeInteger(steps) && steps >= 1 && steps <= MOST_STEPS) return;
  throw new AllstopError("OPTION_INVALID", "a number of steps", { value: steps, allowed: `1 to ${MOST_STEPS}` });
}

function matches({ place, cpu }: StepPlace, event: StepEvent): boolean {
  return event.place === String(place) && (cpu === undefined || cpu === event.cpu);
}

/** As it was named: numbers are addresses. */
function placeOf({ place = "" }: StepEvent): string | number {
  return /^\d+$/.test(place) ? Number(place) : place;
}

function keyOf({ cycle, cpu, kind, text }: StepEvent): string {
  return `${cycle} ${cpu} ${kind} ${text}`;
}
