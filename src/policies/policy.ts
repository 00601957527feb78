// What a stop path is to the rest of the library: its guest side, the marks of its phases, and how they are to be read.

import type { Arm64Flavour, Binding, Callable } from "../asm/index.ts";
import type { Machine } from "../machine/machine.ts";
import type { Topology } from "../topology/index.ts";

/** A moment of the rendezvous that every captured CPU passes, in order. */
export interface Phase {
  readonly name: string;
  /** What has been reached when the last CPU has passed. */
  readonly reached: string;
  /** Passed by the target of the call only, where it isn't every captured CPU that passes. */
  readonly by?: "target";
}

/** Marks of the guest routines by what they tell. */
export interface PolicyMarks {
  /** The requester calls, and returns. */
  readonly call: string;
  readonly return: string;
  /** Local of the marks `call` and `return` that points to the request block. */
  readonly request: string;
  /** A CPU enters the rendezvous, acknowledges a state, leaves. */
  readonly enter: string;
  /**
   * Local of the mark `enter` that points into the memory of whoever calls: that tells concurrent calls apart. Not of a path that works
   * once per boot.
   */
  readonly caller?: string;
  /** The state: a local of the mark, or always the same one. Of a path that stops CPUs for good: how a CPU reports. */
  readonly acknowledge: { readonly mark: string; readonly state: string | number };
  /** Marks of later phases. */
  readonly further?: readonly { readonly mark: string; readonly state: number }[];
  /** Not of a path that stops CPUs for good. */
  readonly leave?: string;
  /** The function under test starts and ends on a CPU, where the path runs one. */
  readonly functionStart?: string;
  readonly functionEnd?: string;
  /** The requester's task is through with all rounds; or the path has come to where it never returns from. */
  readonly done: string;
  /** An exception that nobody handles. */
  readonly fatal: string;
}

/** What a path promises, as far as it can be judged by what was observed (measure/oracles). */
export interface Promises {
  /** Where every captured CPU but the requester is at the end: at what it did before, or stopped for good. */
  readonly end: "released" | "stopped";
  /** The longest that the requester may have to wait: the sum of the path's time limits, microseconds; undefined: none is documented. */
  readonly boundUs?: number;
  /** No NMI is handled on a CPU while the function runs there. */
  readonly uninterrupted?: true;
  /** Every stopped CPU leaves its registers in its crash note before it reports. */
  readonly crashNotes?: true;
}

/** An input of a path that is not a CPU: a constant of the guest's image. */
export interface PolicyOption {
  readonly what: string;
  readonly default: number;
  readonly least: number;
  readonly most: number;
}

/** How a scenario's requests come to be this call. */
export interface RequestKind {
  /** The guest routine that makes it from a request block. */
  readonly call: Callable;
  /** Least and most target CPUs. */
  readonly targets: readonly [least: number, most: number];
  /** Which ones, if the scenario names none. */
  readonly defaultTargets?: (online: readonly number[], requester: number) => readonly number[];
  /** Whether it takes a `cpus` argument: who of the captured runs the function. */
  readonly takesActive: boolean;
  /** CPUs that are held up, of those that are online. */
  readonly captured: (online: readonly number[], targets: readonly number[], topology: Topology) => readonly number[];
  /** Calls: as often as the scenario says, once per target, only once, or once with as many rounds of its own. */
  readonly rounds: "any" | "per target" | "one" | "inside";
  /** Rounds where the scenario says nothing; 1 if not given. */
  readonly defaultRounds?: number;
  /** CPUs that run the function, where it isn't the active ones of a call that takes them, nor the targets; none: there is no function. */
  readonly runners?: (captured: readonly number[], targets: readonly number[]) => readonly number[] | undefined;
  /** The mask in the request block: the `cpus` argument, the targets, or their cores' threads. */
  readonly mask: "active" | "targets" | "cores";
  /** The target comes up during the call; it waits in its start-up code until then. It makes a call on its way up, or comes quietly. */
  readonly startsTarget?: "calling" | "quietly";
}

/** A stop path: the guest code that it consists of, and how its runs are read and judged. One of one's own is given to `simulate()` as one of `policies`. */
export interface Policy {
  readonly name: string;
  readonly title: string;
  readonly architectures: readonly ("x86-64" | "arm64")[];
  /** Where it is described. */
  readonly source: string;
  readonly bindings: readonly Binding[];
  readonly request: RequestKind;
  readonly marks: PolicyMarks;
  /** arm64: how the image masks interrupts. */
  readonly flavour?: Partial<Arm64Flavour>;
  /** arm64: the machine has FEAT_NMI, unless the scenario says otherwise. */
  readonly featNmi?: true;
  /** States in the order in which they are acknowledged; state n of the guest is entry n - 1. */
  readonly phases: readonly Phase[];
  /** The state in which CPUs have interrupts off and do nothing of their own: the rendezvous. */
  readonly stoppedState: number;
  /** By default that CPUs are released, with no bound. */
  readonly promises?: Promises;
  /** By name of the image's option. */
  readonly options?: Readonly<Record<string, PolicyOption>>;
  /** Fills what the guest finds in memory of the machine that it runs on, before the first cycle. */
  readonly prepare?: (machine: Machine) => void;
  /** It stops nobody: what it measures is reported instead (measure/ipi-benchmark.ts). */
  readonly measures?: "interrupts";
}
