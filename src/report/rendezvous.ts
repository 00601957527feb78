// One call as pictures show it: what each CPU was in, from the call on, and when it passed which boundary. Plain data, which can be
// stored, sent to another thread or drawn in a browser.

import { causes } from "../measure/partition.ts";
import type { Topology } from "../topology/index.ts";
import type { CausePart } from "./report.ts";

/** What a CPU is in during a call: until its stop, what its time goes to (measure/partition.ts); from then on, these. */
export const cpuStates = {
  ...causes,
  stopped: "it had stopped and stood still",
  function: "it ran the function",
  released: "it was released, on its way out",
  resumed: "it was back at what it did before",
} as const;

/** A name of one of `cpuStates`. */
export type StretchState = keyof typeof cpuStates;

/** A state from one moment to another, nanoseconds from the call. */
export interface StateStretch {
  readonly state: StretchState;
  readonly fromNs: number;
  readonly untilNs: number;
}

/** A CPU that a call is to stop. Times are nanoseconds from the call; null: it has not happened. */
export interface RendezvousCpu {
  readonly cpu: number;
  readonly load: string;
  readonly signalledNs: number | null;
  readonly deliveredNs: number | null;
  readonly takenNs: number | null;
  readonly enteredNs: number | null;
  readonly stoppedNs: number | null;
  readonly functionStartNs: number | null;
  readonly functionEndNs: number | null;
  readonly releasedNs: number | null;
  readonly resumedNs: number | null;
  /** It has not stopped, and not because of others. */
  readonly isCulprit: boolean;
  /** What its time went to until it had stopped, or to the end of the run, the greatest part first. */
  readonly causes: readonly CausePart[];
  /** From the call to the end, without a gap. */
  readonly stretches: readonly StateStretch[];
}

/** One call of a stop path. */
export interface Rendezvous {
  readonly policy: string;
  /** What it is to be stopped, in the policy's words: "every CPU has stopped, interrupts off". */
  readonly stoppedMeans: string;
  readonly topology: Topology;
  readonly requester: number;
  /** Which of the run's calls, from 1 on, and how many there are. */
  readonly call: number;
  readonly calls: number;
  /** Until all had stopped, and until the call returned. */
  readonly stoppedNs: number | null;
  readonly returnedNs: number | null;
  /** When the last of all this happened; of a call that came to no end, the end of the run. */
  readonly endNs: number;
  /** In the order of their numbers. */
  readonly cpus: readonly RendezvousCpu[];
}
