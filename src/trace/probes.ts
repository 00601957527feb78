// Probes that a trace is made of, and what their records mean: several things may be marked at one instruction.

import { TraceKind } from "../abi.ts";
import { parseObserved, type ObservedEvent } from "../guest/observe.ts";
import type { Machine } from "../machine/machine.ts";
import type { TraceRecord } from "../machine/trace-log.ts";
import type { Policy } from "../policies/index.ts";

/** What a mark says to the trace. */
export type Meaning =
  | { readonly kind: "event"; readonly event: ObservedEvent; readonly which: string | undefined; readonly mark: string }
  | { readonly kind: "rendezvous"; readonly step: RendezvousStep; readonly state?: number }
  | { readonly kind: "kernel"; readonly point: KernelPoint };

/** Marks of a policy. */
export type RendezvousStep = "call" | "return" | "enter" | "acknowledge" | "leave";

/** Marks at places of the kernel's tracepoints, whatever the routine they are in. */
export type KernelPoint = "sched_switch" | "sched_waking" | "preempt" | "irq_entry" | "irq_exit";

export interface Passed {
  readonly meaning: Meaning;
  /** Values of the locals that it wants, in their order. */
  readonly values: readonly bigint[];
}

const KERNEL_POINT = /:(sched_switch|sched_waking|preempt|irq_entry|irq_exit)$/;
/** The number of the interrupt is in one of these: x86-64, arm64. */
const ID_LOCALS = ["vector", "id"];

/** What the core tells of by itself, cache lines apart. */
export const coreEventKinds = [
  TraceKind.INTERRUPT_SENT,
  TraceKind.INTERRUPT_ARRIVED,
  TraceKind.INTERRUPT_TAKEN,
  TraceKind.INTERRUPT_LOST,
  TraceKind.EXCEPTION,
  TraceKind.WAIT,
  TraceKind.WAKE,
  TraceKind.CPU_STARTED,
  TraceKind.SMM_ENTERED,
  TraceKind.SMM_LEFT,
  TraceKind.INIT_TAKEN,
  TraceKind.SHUTDOWN,
  TraceKind.SUSPENDED,
];

interface Source {
  readonly meaning: Meaning;
  /** Which of a record's values are its own. */
  readonly places: readonly number[];
}

/** Sets all probes; @returns what a probe's record says */
export function probeAll(machine: Machine, policy: Policy): (record: TraceRecord) => Passed[] {
  machine.traceKinds(coreEventKinds);
  const sources = new Map<number, Source[]>();
  const set = (mark: string, locals: readonly string[], meaning: Meaning): void => {
    const { number, values } = machine.probe(mark, { values: locals, join: true });
    const source = { meaning, places: locals.map((local) => values.indexOf(local)) };
    sources.set(number, [...(sources.get(number) ?? []), source]);
  };
  if (policy.measures === undefined) probePolicy(policy, set);
  for (const { name, locals } of machine.image.marks) {
    const point = KERNEL_POINT.exec(name)?.[1] as KernelPoint | undefined;
    const parsed = parseObserved(name);
    const ids = locals.map((local) => local.name).filter((local) => ID_LOCALS.includes(local));
    if (point !== undefined) set(name, localsOf(point, ids), { kind: "kernel", point });
    if (parsed === undefined) continue;
    const { event, which } = parsed;
    const extra = event === "nmi_enter" ? ids : [];
    set(name, [...parsed.locals, ...extra], { kind: "event", event, which, mark: name });
  }
  return ({ subject, value, value2 }) =>
    (sources.get(subject) ?? []).map(({ meaning, places }) => ({
      meaning,
      values: places.map((place) => (place === 0 ? value : value2)),
    }));
}

function localsOf(point: KernelPoint, ids: readonly string[]): readonly string[] {
  if (point === "sched_switch") return ["prev", "next"];
  if (point === "sched_waking") return ["task"];
  return point === "irq_entry" ? ids : [];
}

function probePolicy(
  { marks }: Policy,
  set: (mark: string, locals: readonly string[], meaning: Meaning) => void,
): void {
  const { mark, state } = marks.acknowledge;
  set(marks.call, [marks.request], { kind: "rendezvous", step: "call" });
  set(marks.return, [marks.request], { kind: "rendezvous", step: "return" });
  set(marks.enter, marks.caller === undefined ? [] : [marks.caller], { kind: "rendezvous", step: "enter" });
  if (typeof state === "string") set(mark, [state], { kind: "rendezvous", step: "acknowledge" });
  else set(mark, [], { kind: "rendezvous", step: "acknowledge", state });
  for (const one of marks.further ?? [])
    set(one.mark, [], { kind: "rendezvous", step: "acknowledge", state: one.state });
  if (marks.leave !== undefined) set(marks.leave, [], { kind: "rendezvous", step: "leave" });
}
