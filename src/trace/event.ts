// What a trace consists of, whatever its format: slices that nest on tracks of CPUs, instants, and flows of messages between them.

/**
 * Tracks of a CPU. `phases`: its way through the rendezvous. `execution`: what it runs: tasks, in them interrupts, waits and the like.
 * `calls`: the requests that its task makes. `stolen`: time in which it runs nothing, as in system-management mode.
 */
export const trackKinds = ["phases", "execution", "calls", "stolen"] as const;
export type TrackKind = (typeof trackKinds)[number];

/** A task of the guest, as ftrace tells of it. */
export interface Task {
  readonly comm: string;
  readonly pid: number;
  readonly prio: number;
}

/** An event of the kernel's that is the same as an event of the trace: its name, and what the kernel prints behind that. */
export interface KernelEvent {
  readonly name: string;
  /** A function, where it is long: not every format asks for it. */
  readonly text: string | (() => string);
}

interface Common {
  readonly cycle: number;
  readonly cpu: number;
  readonly track: TrackKind;
  readonly name: string;
  /** Events of the kernel's that say the same; none: it says nothing there; undefined: it has no words for this. */
  readonly kernel?: readonly KernelEvent[];
}

export interface Details {
  readonly category: Category;
  readonly values?: Readonly<Record<string, string | number>>;
  /** Messages that begin or pass here; that end here. */
  readonly flows?: readonly number[];
  readonly endingFlows?: readonly number[];
}

export type Category = "phase" | "task" | "interrupt" | "nmi" | "wait" | "event" | "fault" | "call";

export interface SliceBegin extends Common, Details {
  readonly type: "begin";
  /** The slice is this task's turn on the CPU. */
  readonly task?: Task;
}

/** Of the innermost slice that is open on the track; `name` is its name. */
export interface SliceEnd extends Common {
  readonly type: "end";
}

export interface Instant extends Common, Details {
  readonly type: "instant";
}

export type TraceEvent = SliceBegin | SliceEnd | Instant;

/** Where events go: called in the order of cycles. */
export type Emit = (event: TraceEvent) => void;
