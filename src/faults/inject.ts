// Lets things go wrong in a run, exactly where they are placed, whatever the accelerations.
//
// A machine that has come by a mark has gone on since. So a fork of it goes ahead and tells when the mark will be come by; then the
// machine itself runs up to right before that, and what is to happen there is sent in time.

import { TraceKind } from "../abi.ts";
import type { Machine, RunEnd } from "../machine/machine.ts";
import { cyclesOf } from "../timing/index.ts";
import { act, canWait, type Act } from "./act.ts";
import type { AtMark, Placement } from "./placement.ts";

/** Something that goes wrong, and where. */
export interface Injection {
  readonly at: Placement;
  readonly act: Act;
}

/** What became of an injection. */
export interface Injected {
  readonly injection: Injection;
  /** When it reached its CPUs, to the cycle in which the instruction starts that it comes before; undefined: the run was over before. */
  readonly cycle: number | undefined;
  /** Those CPUs. */
  readonly cpus: readonly number[];
}

/** How a run with faults ended, and when each took place. */
export interface FaultyRun {
  readonly end: RunEnd;
  /** In the order in which the injections were given. */
  readonly injected: readonly Injected[];
}

/** Runs a machine on to a cycle. */
export type Advance = (until: number) => RunEnd;

/** The same in steps: at each, the machine stands, and may be looked at. */
export type AdvanceBySteps = (until: number) => Generator<void, RunEnd>;

/**
 * Runs a machine as run() does, with injections on the way.
 * @param advance instead of machine.run(), such as one that tells of the progress
 * @throws NAME_UNKNOWN for a mark that the image doesn't have, and what the acts throw
 */
export function runWithFaults(
  machine: Machine,
  injections: readonly Injection[],
  limit: number,
  advance: Advance = (until) => machine.run(until),
): FaultyRun {
  const steps = stepWithFaults(machine, injections, limit, function* (until) {
    return advance(until);
  });
  while (true) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** runWithFaults() in the steps of `advance`. */
export function* stepWithFaults(
  machine: Machine,
  injections: readonly Injection[],
  limit: number,
  advance: AdvanceBySteps,
): Generator<void, FaultyRun> {
  const schedule = new FaultSchedule(machine, injections, limit);
  let end: RunEnd | undefined;
  while (end === undefined) {
    const before = schedule.standsAt(machine);
    const reached = before !== undefined && before <= machine.cycle ? STANDS : yield* advance(before ?? limit);
    if (before === undefined || (reached.kind !== "reached" && reached.kind !== "quiescent")) end = reached;
    else schedule.apply(machine);
  }
  return { end, injected: injections.map((injection) => schedule.resultOf(injection)) };
}

/** What is still to go wrong with a machine; a copy of it goes with a copy of the machine. */
export class FaultSchedule {
  readonly #limit: number;
  #waiting: Waiting[];
  #results: Map<Injection, Injected>;
  /** The next one, until it has been applied: null when there is none before the limit, undefined when that isn't known. */
  #next: Due | null | undefined;

  /** @throws NAME_UNKNOWN for a mark that the image doesn't have */
  constructor(machine: Machine, injections: readonly Injection[], limit: number) {
    this.#limit = limit;
    this.#waiting = injections.map((injection) => waitingOf(machine, injection));
    this.#results = new Map();
  }

  copy(machine: Machine): FaultSchedule {
    const copy = new FaultSchedule(machine, [], this.#limit);
    const copies = new Map(this.#waiting.map((one) => [one, { ...one }]));
    copy.#waiting = [...copies.values()];
    copy.#results = new Map(this.#results);
    const waiting = this.#next ? copies.get(this.#next.waiting) : undefined;
    copy.#next = this.#next && waiting !== undefined ? { ...this.#next, waiting } : this.#next;
    return copy;
  }

  /**
   * The cycle at which the machine has to stand for the next one to be applied; undefined when none is left. Looks ahead from where
   * the machine stands, which must not be behind it.
   */
  standsAt(machine: Machine): number | undefined {
    if (this.#next === undefined) this.#next = nextInjection(machine, this.#waiting, this.#limit) ?? null;
    return this.#next === null ? undefined : standsAt(this.#next);
  }

  /** Applies it, to a machine that stands there. */
  apply(machine: Machine): void {
    const next = this.#next;
    if (!next) return;
    this.#waiting.splice(this.#waiting.indexOf(next.waiting), 1);
    this.#results.set(next.waiting.injection, apply(machine, next));
    this.#next = undefined;
  }

  resultOf(injection: Injection): Injected {
    return this.#results.get(injection) ?? { injection, cycle: undefined, cpus: [] };
  }
}

const STANDS: RunEnd = { kind: "reached" };

/** Where the machine has to stand: what is sent arrives a cycle later at the earliest; what is set holds at once. */
function standsAt({ waiting, cycle }: Due): number {
  return waiting.injection.act.kind === "delivery" ? cycle : cycle - 1;
}

/** An injection that is still to come. */
interface Waiting {
  readonly injection: Injection;
  /** Where that is known. */
  cycle: number | undefined;
  mark: AtMark | undefined;
  /** Times that CPUs come by the mark until it is due. */
  left: number;
  /** Who came by. */
  hitBy: number | undefined;
}

/** One whose time is known. */
interface Due {
  readonly waiting: Waiting;
  readonly cycle: number;
}

function waitingOf(machine: Machine, injection: Injection): Waiting {
  const { at } = injection;
  const waiting = { injection, cycle: undefined, mark: undefined, left: 0, hitBy: undefined };
  if ("mark" in at) {
    machine.address(at.mark);
    return { ...waiting, mark: at, left: at.hit ?? 1 };
  }
  return { ...waiting, cycle: "cycle" in at ? at.cycle : cyclesOf(machine.timing, at.us * 1000, 0) };
}

/** The first that comes before the limit. */
function nextInjection(machine: Machine, waiting: readonly Waiting[], limit: number): Due | undefined {
  while (true) {
    let known: Due | undefined;
    for (const one of waiting) {
      if (one.cycle === undefined) continue;
      const cycle = Math.max(one.cycle, machine.cycle + 1);
      if (cycle < (known?.cycle ?? limit)) known = { waiting: one, cycle };
    }
    const marked = waiting.filter(({ cycle }) => cycle === undefined);
    if (marked.length === 0) return known;
    const found = lookAhead(machine, marked, known, limit);
    if (found === undefined) return known;
    // Later than the mark: something else may come between.
    if (found.waiting.cycle === undefined) return found;
  }
}

interface Hit {
  readonly cycle: number;
  readonly cpu: number;
  readonly place: string;
}

/** The first injection that a mark lets happen before a cycle; what is so much behind its mark has its cycle then. */
function lookAhead(
  machine: Machine,
  marked: readonly Waiting[],
  known: Due | undefined,
  limit: number,
): Due | undefined {
  const until = known?.cycle ?? limit;
  const hits: Hit[] = [];
  for (const hit of hitsAhead(machine, new Set(marked.map(({ mark }) => mark?.mark ?? "")), until)) {
    hits.push(hit);
    const due = marked.find(
      (one) => counts(one, hit) && hits.filter((other) => counts(one, other)).length === one.left,
    );
    if (due === undefined) continue;
    due.hitBy = hit.cpu;
    const delayNs = due.mark?.delayNs ?? 0;
    const found = { waiting: due, cycle: hit.cycle };
    if (delayNs !== 0) due.cycle = hit.cycle + cyclesOf(machine.timing, delayNs);
    else if (due.injection.act.kind === "delivery") due.cycle = settingCycle(machine, due, hit);
    else consume(marked, hits, standsAt(found));
    return found;
  }
  if (known !== undefined) consume(marked, hits, standsAt(known));
  return undefined;
}

/** When what is set, and not sent, has to hold: from the cycle of the instruction on. */
function settingCycle(machine: Machine, { mark }: Waiting, { cpu, cycle, place }: Hit): number {
  if (cycle <= machine.cycle) return cycle;
  return boundaryOf(machine, cpu, cycle, { place, instructions: mark?.instructions ?? 0 }) ?? cycle;
}

function counts({ mark }: Waiting, { cpu, place }: Hit): boolean {
  return mark?.mark === place && (mark.cpu === undefined || mark.cpu === cpu);
}

/** The machine will have passed what was before a cycle: the next look ahead doesn't see it. */
function consume(marked: readonly Waiting[], hits: readonly Hit[], before: number): void {
  for (const one of marked) one.left -= hits.filter((hit) => hit.cycle < before && counts(one, hit)).length;
}

/** What a machine's CPUs will come by before a cycle, in the order of (cycle, CPU), as far as nothing is done to it. */
function* hitsAhead(machine: Machine, places: ReadonlySet<string>, until: number): Generator<Hit> {
  const ahead = machine.fork();
  const placeOf = new Map<number, string>();
  for (const place of places) placeOf.set(ahead.probe(place, { break: true, join: true }).number, place);
  let from = machine.cycle;
  while (true) {
    ahead.trace.clear();
    const end = ahead.run(until);
    for (const { kind, subject, cycle, cpu } of ahead.trace) {
      const place = kind === TraceKind.PROBE ? placeOf.get(subject) : undefined;
      if (place !== undefined && cycle >= from && cycle < until) yield { cycle, cpu, place };
    }
    from = ahead.cycle;
    if (end.kind !== "probe" || !places.has(end.probe) || from >= until) return;
  }
}

/** The machine stands right before it. */
function apply(machine: Machine, { waiting, cycle }: Due): Injected {
  const { injection, mark, hitBy } = waiting;
  const cpus = injection.act.cpus ?? (hitBy === undefined ? [] : [hitBy]);
  if (mark === undefined || hitBy === undefined || waiting.cycle !== undefined) {
    act(machine, injection.act, cpus, { cycle });
    return { injection, cycle, cpus };
  }
  const at = { place: mark.mark, instructions: mark.instructions ?? 0 };
  const boundary = boundaryOf(machine, hitBy, cycle, at);
  // Who came by gets it at the very instruction; others in the cycle in which that starts.
  const isOwn = canWait(injection.act) && cpus.length === 1 && cpus[0] === hitBy;
  act(machine, injection.act, cpus, isOwn ? { cycle, at } : { cycle: Math.max(cycle, boundary ?? cycle) });
  return { injection, cycle: boundary, cpus };
}

/** The cycle in which the instruction starts: a fork finds out by losing a cycle there. */
function boundaryOf(
  machine: Machine,
  cpu: number,
  cycle: number,
  at: { readonly place: string; readonly instructions: number },
): number | undefined {
  const ahead = machine.fork();
  ahead.traceKinds([TraceKind.SUSPENDED]);
  ahead.trace.clear();
  ahead.suspend(cpu, { cycle, at, durationCycles: 1 });
  for (let step = BOUNDARY_STEP; step <= BOUNDARY_MOST; step *= 2) {
    const end = ahead.run(cycle + step);
    for (const record of ahead.trace) {
      if (record.kind === TraceKind.SUSPENDED && record.cpu === cpu) return record.cycle;
    }
    if (end.kind !== "reached" && end.kind !== "probe") return undefined;
  }
  return undefined;
}

/** Cycles that an instruction is looked for, doubled each time. */
const BOUNDARY_STEP = 4096;
const BOUNDARY_MOST = 2 ** 34;
