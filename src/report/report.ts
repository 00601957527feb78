// The JSON report of a run: a documented shape that later versions only extend.

import type { Percentiles } from "../measure/distributions.ts";
import type { Cause } from "../measure/partition.ts";
import type { BenchmarkCase } from "../guest/smp/ipi-benchmark.ts";
import type { InterruptCase } from "../measure/ipi-benchmark.ts";
import type { PublishedInterrupts } from "../measure/published-interrupts.ts";
import type { OracleResult } from "../measure/oracles/index.ts";
import type { WaitReport } from "../measure/waits.ts";
import type { Spread } from "../measure/statistics.ts";
import type { Scenario } from "../scenario/document.ts";

/** The `format` of a report, with its version. */
export const REPORT_FORMAT = "allstop.report/1";

/**
 * `completed`: the call returned. `hang`: the limit was reached with the call under way. `stopped`: the machine met a fatal
 * event. `unhandled`: the guest met an exception or interrupt that its kernel doesn't handle.
 */
export type Verdict = "completed" | "hang" | "stopped" | "unhandled";

/** A CPU that did not arrive, and why. */
export interface MissingCpu {
  readonly cpu: number;
  /** First state that it has not acknowledged, or that it has not entered at all. */
  readonly missing: string;
  /** What it does instead: its load, and where it is. */
  readonly load: string;
  readonly at: string;
  readonly state: string;
  /** Whether it is at fault; false: it only waits for one that is. */
  readonly isCulprit: boolean;
  /** Where its time went from the call to the end of the run, the greatest part first; empty where no call was under way. */
  readonly causes: readonly CausePart[];
}

/** A part of a time, and what it went to. All parts of a time sum to it, in cycles exactly. */
export interface CausePart {
  readonly cause: Cause;
  readonly cycles: number;
  readonly ns: number;
  /** Of the cause `line`, in a run that measured lines: which one. */
  readonly line?: string;
}

/** A CPU that was among the last to arrive, and why. Times are nanoseconds; null: it has not happened. */
export interface Straggler {
  readonly cpu: number;
  readonly load: string;
  /** From the call to this CPU's arrival. */
  readonly enteredNs: number;
  /** Parts of that: until it was signalled, until it took the interrupt, until its stopper thread arrived. */
  readonly signalledNs: number | null;
  readonly interruptedNs: number | null;
  /** From the call until it woke, if it waited in an instruction such as MWAIT or WFI. */
  readonly wokenNs: number | null;
  /** From the call until it had interrupts off. */
  readonly stoppedNs: number;
  /** From the call until its signal had reached it: the message, or the store that it polls or watches. */
  readonly deliveredNs: number | null;
  /** The same as `stoppedNs`, or until the end of the run, in cycles; and what that went to, the greatest part first. */
  readonly latenessCycles: number;
  readonly causes: readonly CausePart[];
}

/** A boundary on the way of all captured CPUs: when the first and the last of them passed, from the call. */
export interface BoundaryReport {
  readonly name:
    | "signalled"
    | "delivered"
    | "taken"
    | "entered"
    | "stopped"
    | "functionStart"
    | "functionEnd"
    | "released"
    | "resumed";
  readonly firstNs: number;
  readonly lastNs: number;
  readonly lastCpu: number;
  /** CPUs that have passed. */
  readonly passed: number;
}

/** What a cause made of the lateness of all captured CPUs. */
export interface CauseReport {
  readonly cause: Cause;
  /** CPUs that lost any time to it, what they lost together, and who lost most. */
  readonly cpus: number;
  readonly totalNs: number;
  readonly maxNs: number;
  readonly maxCpu: number;
}

/** A step of the whole call: it ends when the last CPU passes a state, or with the return. The steps sum to the whole, in cycles exactly. */
export interface StepReport {
  /** A phase's name, or "return". */
  readonly name: string;
  /** The CPU that everybody waited for. */
  readonly cpu: number;
  readonly cycles: number;
  readonly ns: number;
  /** What that CPU's time went to; of the steps up to the rendezvous. */
  readonly causes?: readonly CausePart[];
}

/** Requests for a line, by what they were for. */
export interface RequestCount {
  readonly name: string;
  readonly requests: number;
}

/** Of one line, or of one line of what every CPU has. Times are sums over requests. */
export interface LineReport {
  /** The variable, or the struct on a stack, and whose it is. */
  readonly name: string;
  /** Address of the line in hexadecimal; of several, of the one that was waited for most. */
  readonly address: string;
  /** Lines that are summed up here: one, or one of each CPU's. */
  readonly lines: number;
  /** What was asked for in it, most often first. */
  readonly fields: readonly RequestCount[];
  /** Routines that asked, likewise; not of stores that had waited in a buffer. */
  readonly code: readonly RequestCount[];
  readonly transfers: number;
  readonly writes: number;
  readonly invalidations: number;
  readonly downgrades: number;
  /** From the requests until the line had come; the part of it in queues; the part in which CPUs stood still. */
  readonly waitNs: number;
  readonly queueNs: number;
  readonly blockedNs: number;
  /** Who waited longest for it, and when, from the first call. */
  readonly worst: { readonly cpu: number; readonly ns: number; readonly field: string; readonly atNs: number } | null;
}

/** Lines of memory from the first call to the last return. */
export interface LinesReport {
  /** Lines that were asked for. */
  readonly count: number;
  readonly transfers: number;
  readonly waitNs: number;
  readonly queueNs: number;
  /** Those that were waited for most, in that order. */
  readonly most: readonly LineReport[];
}

/** Over all CPUs and all calls; null where nothing of it has happened. */
export interface DistributionsReport {
  /** From the call until a CPU had stopped. */
  readonly stopNs: Percentiles | null;
  readonly frozenNs: Percentiles | null;
  /** From the first CPU's leaving of the rendezvous to each one's. */
  readonly releaseSkewNs: Percentiles | null;
}

/** A state of the protocol, over all CPUs that have to pass it. Times are nanoseconds from the call. */
export interface PhaseReport {
  readonly name: string;
  readonly reached: string;
  /** Whether it is the state in which CPUs stand still: `latency.rendezvousNs` is until the last CPU had passed it. */
  readonly isRendezvous: boolean;
  /** From the call, until the first and the last CPU had passed. */
  readonly firstNs: number;
  readonly lastNs: number;
  readonly lastCpu: number;
  /** CPUs that have passed, and that have to. */
  readonly passed: number;
  readonly expected: number;
}

export interface AlsoReport {
  readonly policy: string;
  readonly requester: number;
  /** Calls that have returned, and what the last one returned; null when the run did not end well. */
  readonly rounds: number;
  readonly returned: number | null;
}

/** A message that the kernel would have printed. */
export interface MessageReport {
  readonly name: string;
  readonly cpu: number;
  readonly ns: number;
  /** What it names, such as a CPU; null where it names nothing. */
  readonly value: number | null;
}

/** One call of several. Times are nanoseconds. */
export interface RoundReport {
  /** What the call returned; null for a path that doesn't tell. */
  readonly returned: number | null;
  readonly rendezvousNs: number;
  readonly totalNs: number;
}

export interface InterruptsReport {
  /** CPU that sends, and the one that single interrupts go to. */
  readonly sender: number;
  readonly target: number;
  /** How the kernel interrupts all others on this architecture: a case of `cases`. */
  readonly kernelsWay: BenchmarkCase;
  readonly cases: readonly InterruptCase[];
  /** What was published of other machines, on this architecture or none that is here. */
  readonly published: readonly PublishedInterrupts[];
}

/** Times are simulated nanoseconds unless the name says otherwise. `host` is the only part that differs between hosts. */
export interface Report {
  readonly format: typeof REPORT_FORMAT;
  readonly scenario: Scenario;
  readonly machine: {
    readonly name: string;
    readonly arch: "x86-64" | "arm64";
    readonly cpus: number;
    readonly online: number;
    readonly packages: number;
    readonly llcDomains: number;
    readonly nodes: number;
    readonly timing: string;
    /** arm64: the firmware's personality, and what was changed of it. */
    readonly firmware?: string;
    readonly clockHz: number;
  };
  readonly outcome: {
    readonly verdict: Verdict;
    /** What the call returned; null when it didn't. */
    readonly returned: number | null;
    /** One sentence. */
    readonly story: string;
    /** CPUs on which the function ran, and how often in all. */
    readonly calls: { readonly cpus: number; readonly total: number; readonly on: readonly number[] };
    /** CPUs that the kernel counts as online at the end. */
    readonly online: readonly number[];
    /** On a hang: who did not arrive. */
    readonly missing: readonly MissingCpu[];
    readonly missingCount: number;
    /** The calls that others made at the same time. */
    readonly also: readonly AlsoReport[];
  };
  /** Of the last round; null when the call did not get that far. */
  readonly latency: {
    /** From the call until every online CPU had stopped with interrupts off. */
    readonly rendezvousNs: number | null;
    /** From the call to its return. */
    readonly totalNs: number | null;
    /** Per CPU, from entering the rendezvous to leaving it. */
    readonly frozenNs: Spread | null;
  };
  readonly rounds: readonly RoundReport[];
  readonly phases: readonly PhaseReport[];
  /** What has to hold of every run of every path; empty of a policy that stops nobody. */
  readonly oracles: readonly OracleResult[];
  /** Waits with a time limit, in the order of their starts; times are durations. */
  readonly waits: readonly WaitReport[];
  /** Messages that the kernel would have printed, the first ones; times are from the start of the run. */
  readonly messages: readonly MessageReport[];
  /** The last CPUs to arrive, latest first. */
  readonly stragglers: readonly Straggler[];
  /** When all captured CPUs passed the boundaries on their way; those that nobody has passed are left out. */
  readonly boundaries: readonly BoundaryReport[];
  /** Where the time of the call went: on its longest way, step by step. Empty before it has returned. */
  readonly criticalPath: readonly StepReport[];
  /** Where the captured CPUs' time went until they had stopped, the cause that took most in all first. */
  readonly causes: readonly CauseReport[];
  readonly distributions: DistributionsReport;
  /** Of a run that measured lines. */
  readonly lines?: LinesReport;
  /** Of the policy `ipi-benchmark`, in the place of calls and phases; left out otherwise. */
  readonly interrupts?: InterruptsReport;
  /** State digest at the end. */
  readonly digest: string;
  /** Simulated time of the whole run. */
  readonly simulatedNs: number;
  /** Trace records lost to a full ring; 0 unless something is wrong. */
  readonly recordsLost: number;
  readonly host: {
    readonly wallMs: number;
    readonly guestInstructions: number;
    readonly events: number;
  };
}
