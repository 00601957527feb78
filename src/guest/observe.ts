// Events: marks whose names say what happens there, so that whoever judges a run needs to know no routine. Like every mark they cost
// the guest nothing. A mark's name is `$event`, then `.which`, then `+local` for up to two locals (kept in registers), then `-n` where a
// routine has the same event more than once: "$access+msdata-2".

import type { Builder } from "../asm/index.ts";

/** What events mean. Locals, in their order, are in parentheses. */
export const observedEvents = {
  /** A task makes the request that its CPU's block holds; it has come back: (request), and (result) of the answer. */
  request: "a task makes a request",
  answer: "the request is through, with its result",
  /** Inside of a request, as often as it enters a path. */
  call: "a CPU enters a stop path",
  return: "it leaves the path",
  /** (address, bytes): memory that other CPUs are given a pointer to, such as a request block in the requester's frame. */
  alive: "a request block or mask comes to life",
  dead: "a request block or mask is given back: (address)",
  access: "a CPU is about to use a request block: (address)",
  /** What was asked for: (request) tells requests apart, if there can be several. */
  function_start: "the requested function starts on this CPU",
  function_end: "it ends there, with its (result)",
  /** Which: the source's name. (cpu): whom for. A source is counted once until it is handled. */
  raise: "this CPU makes a source of NMIs pending for another, or for itself",
  /** The same for all others that are online. */
  broadcast: "this CPU makes a source of NMIs pending for all others",
  handle: "this CPU's NMI handler has served a source",
  nmi_enter: "the NMI handler, or what takes its place, starts",
  nmi_leave: "it ends",
  unknown: "nobody claims the NMI: the kernel prints its message about unknown NMIs",
  swallow: "nobody claims the NMI, which counts as the second half of the one before",
  drop: "the NMI is dropped at entry: this CPU is offline, or another one is being handled",
  /** What the requester takes as the sign that this CPU has stopped. */
  ack: "this CPU reports that it has stopped",
  /** Which: what; such as writing back caches, which has to be over before a CPU reports. */
  work_start: "this CPU starts some work that it must end before it may count as stopped",
  work_end: "it ends that work",
  /** (cpu): whom for. Whether that takes an interrupt is the sender's to know; who polls sees a store. */
  signal: "this CPU tells another that it is wanted",
  /** Which: `hlt`, `wfi`, `off`, `spin`. */
  park: "this CPU has come to where it stays",
  /** A rendezvous of which nothing may leave: microcode updates. */
  hold_start: "this CPU starts to wait for others in a rendezvous, where it does nothing else",
  hold_end: "it leaves that wait",
  update_start: "this CPU starts a microcode update",
  update_end: "it ends the update",
  /** (pc): of the interrupted context. Which: `self`, where the CPU saves its own. */
  note: "this CPU has saved its registers in its crash note",
  /** Which: the wait's name. (left): iterations that are left. */
  wait: "a wait with a time limit starts",
  waited: "it ends",
  /** Which: the message's name; (value): what it names, such as a CPU. */
  say: "the kernel would print a message",
  /** (others): how many it has been told of. */
  look: "this CPU is about to look who has not stopped yet: for the messages and signals that follow",
  /** Which: the phase's name. */
  phase: "the path enters a phase of its own",
} as const;

/** A key of `observedEvents`. */
export type ObservedEvent = keyof typeof observedEvents;

/** What an event is about. */
export interface EventDetails {
  readonly which?: string;
  readonly locals?: readonly string[];
  /** Tells several marks of one routine apart. */
  readonly nth?: number;
}

/** The name of an event's mark. */
export function observed(event: ObservedEvent, { which, locals = [], nth }: EventDetails = {}): string {
  const qualified = which === undefined ? `$${event}` : `$${event}.${which}`;
  return [qualified, ...locals].join("+") + (nth === undefined ? "" : `-${nth}`);
}

/**
 * The mark of an event with an instruction behind it: at the end of a branch the mark alone would stand where those come by, too, who
 * have not taken the branch.
 */
export function markEvent(k: Builder, event: ObservedEvent, details: EventDetails = {}): void {
  k.mark(observed(event, details));
  k.arch({ x64: (a) => void a.nop(), arm64: (a) => void a.nop() });
}

/** What a mark says, of its whole name "routine:mark"; undefined for a mark that is no event. */
export function parseObserved(
  name: string,
): { readonly event: ObservedEvent; readonly which?: string; readonly locals: readonly string[] } | undefined {
  const [, event = "", which, locals = ""] = /:\$(\w+)(?:\.(\w+))?((?:\+\w+)*)(?:-\d+)?$/.exec(name) ?? [];
  if (!Object.hasOwn(observedEvents, event)) return undefined;
  return {
    event: event as ObservedEvent,
    ...(which === undefined ? {} : { which }),
    locals: locals.split("+").slice(1),
  };
}
