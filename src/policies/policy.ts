// What a stop path is to the rest of the library: its guest side, the marks of its phases, and how they are to be read.

import type { Binding } from "../asm/index.ts";

/** A moment of the rendezvous that every captured CPU passes, in order. */
export interface Phase {
  readonly name: string;
  /** What has been reached when the last CPU has passed. */
  readonly reached: string;
}

/** Marks of the guest routines by what they tell. */
export interface PolicyMarks {
  /** The requester calls, and returns. */
  readonly call: string;
  readonly return: string;
  /** A CPU enters the rendezvous, acknowledges a state, leaves. */
  readonly enter: string;
  readonly acknowledge: { readonly mark: string; readonly state: string };
  readonly leave: string;
  /** The function under test starts and ends on a CPU. */
  readonly functionStart: string;
  readonly functionEnd: string;
  /** The requester's task is through with all rounds. */
  readonly done: string;
  /** An exception that nobody handles. */
  readonly fatal: string;
}

export interface Policy {
  readonly name: string;
  readonly title: string;
  readonly architectures: readonly ("x86-64" | "arm64")[];
  /** Where it is described. */
  readonly source: string;
  readonly bindings: readonly Binding[];
  readonly marks: PolicyMarks;
  /** States in the order in which they are acknowledged; state n of the guest is entry n - 1. */
  readonly phases: readonly Phase[];
  /** The state in which CPUs have interrupts off and do nothing of their own: the rendezvous. */
  readonly stoppedState: number;
}
