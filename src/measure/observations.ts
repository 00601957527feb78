// What a run's events say (guest/observe.ts): probes on every event of the image, and the records that they left, with what the core
// itself traces of interrupts and waits.

import { TraceKind } from "../abi.ts";
import { parseObserved, type ObservedEvent } from "../guest/observe.ts";
import type { Machine } from "../machine/machine.ts";
import type { TraceRecord } from "../machine/trace-log.ts";

/** An event that a CPU came by. */
export interface Observation {
  readonly cycle: number;
  readonly cpu: number;
  readonly event: ObservedEvent;
  /** What the event is about, such as the name of a wait. */
  readonly which: string | undefined;
  /** Values of its locals, in their order. */
  readonly values: readonly bigint[];
  /** The mark: "routine:$event…". */
  readonly mark: string;
}

interface Source {
  readonly event: ObservedEvent;
  readonly which: string | undefined;
  readonly mark: string;
  /** Which of a record's values are the event's. */
  readonly places: readonly number[];
}

/** Kinds that the oracles look at besides probes, and those that tell where time went. */
const TRACED = [
  TraceKind.INTERRUPT_SENT,
  TraceKind.INTERRUPT_ARRIVED,
  TraceKind.INTERRUPT_TAKEN,
  TraceKind.INTERRUPT_LOST,
  TraceKind.EXCEPTION,
  TraceKind.WAKE,
  TraceKind.SMM_ENTERED,
  TraceKind.SUSPENDED,
] as const;

/** Everything that happened in a run, in the order of (cycle, CPU). */
export interface History {
  readonly observations: readonly Observation[];
  /** Records of the core: interrupts, exceptions, waits. */
  readonly records: readonly TraceRecord[];
}

export interface ObserveOptions {
  /** Trace what lines of memory do, too (lines.ts): those records are many, and no part of the history. */
  readonly lines?: boolean;
}

/** Sets the probes; returns what reads them when the run is over. Probes that are there already keep what they record. */
export function observeEvents(machine: Machine, options: ObserveOptions = {}): () => History {
  const isUpdate = machine.image.marks.some(({ name }) => parseObserved(name)?.event === "update_start");
  // Only there it matters when CPUs sleep.
  const waits = isUpdate ? [TraceKind.WAIT] : [];
  const lines = options.lines ? [TraceKind.LINE] : [];
  machine.traceKinds([...TRACED, ...waits, ...lines]);
  const sources = new Map<number, Source[]>();
  for (const { name } of machine.image.marks) {
    const parsed = parseObserved(name);
    if (parsed === undefined) continue;
    const { event, which, locals } = parsed;
    const { number, values } = machine.probe(name, { values: locals, join: true });
    const places = locals.map((local) => values.indexOf(local));
    sources.set(number, [...(sources.get(number) ?? []), { event, which, mark: name, places }]);
  }
  return () => readHistory(machine, sources);
}

const ALL_BUT_LINES = ~(1 << TraceKind.LINE);

function readHistory(machine: Machine, sources: ReadonlyMap<number, readonly Source[]>): History {
  const observations: Observation[] = [];
  const records: TraceRecord[] = [];
  for (const record of machine.trace.ofKinds(ALL_BUT_LINES)) {
    if (record.kind !== TraceKind.PROBE) {
      if (record.kind !== TraceKind.CONSOLE) records.push(record);
      continue;
    }
    const { cycle, cpu } = record;
    for (const { event, which, mark, places } of sources.get(record.subject) ?? []) {
      const values = places.map((place) => (place === 0 ? record.value : record.value2));
      observations.push({ cycle, cpu, event, which, values, mark });
    }
  }
  return { observations, records };
}
