// The JSON report of a run: a documented shape that later versions only extend.

import type { BenchmarkCase } from "../guest/smp/ipi-benchmark.ts";
import type { InterruptCase } from "../measure/ipi-benchmark.ts";
import type { PublishedInterrupts } from "../measure/published-interrupts.ts";
import type { OracleResult } from "../measure/oracles/index.ts";
import type { WaitReport } from "../measure/waits.ts";
import type { Spread } from "../measure/statistics.ts";
import type { Scenario } from "../scenario/document.ts";

export const REPORT_FORMAT = "allstop.report/1";

/**
 * `completed`: the call returned. `hang`: the limit was reached with the call under way. `stopped`: the machine met a fatal
 * event. `unhandled`: the guest met an exception or interrupt that its kernel doesn't handle.
 */
export type Verdict = "completed" | "hang" | "stopped" | "unhandled";

export interface MissingCpu {
  readonly cpu: number;
  /** First state that it has not acknowledged, or that it has not entered at all. */
  readonly missing: string;
  /** What it does instead: its load, and where it is. */
  readonly load: string;
  readonly at: string;
  readonly state: string;
}

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
}

export interface PhaseReport {
  readonly name: string;
  readonly reached: string;
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
