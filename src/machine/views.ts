// What a machine shows of itself, and what it is told to watch.

import type { CpuState, StopReason, WaitKind } from "../abi.ts";

/** What ended a run. */
export type RunEnd =
  | { readonly kind: "reached" }
  /** Nothing can ever happen again; time stands at the requested cycle. */
  | { readonly kind: "quiescent" }
  /** A break probe was hit: `probe` says which. */
  | { readonly kind: "probe"; readonly probe: string; readonly cpu: number; readonly cycle: number }
  | { readonly kind: "stopped"; readonly stop: MachineStop };

/** A fatal event, with the CPU that met it. */
export interface MachineStop {
  readonly reason: keyof typeof StopReason;
  readonly cpu: number;
  readonly pc: number;
  /** Symbol and offset of the pc, where the image has one. */
  readonly at: string | undefined;
  readonly cycle: number;
  readonly detail: bigint;
}

/** A CPU as it is at this moment. */
export interface CpuView {
  readonly state: keyof typeof CpuState;
  readonly waitsIn: keyof typeof WaitKind;
  /** x86-64: CPL, 3 in user programs; arm64: exception level, 0 in user programs. */
  readonly privilege: number;
  readonly pc: number;
  readonly at: string | undefined;
  /** Start cycle of the next instruction. */
  readonly cycle: number;
  readonly retired: number;
}

/** A probe that was set. */
export interface ProbeHandle {
  readonly name: string;
  readonly number: number;
  readonly address: number;
  /** What its records carry. */
  readonly values: readonly string[];
  /** Whether it ends a run. */
  readonly breaks: boolean;
}

/** What happens where a probe is passed. */
export interface ProbeOptions {
  /** Append a trace record at each hit; default true. */
  readonly record?: boolean;
  /** End the run at the first hit; default false. */
  readonly break?: boolean;
  /** Up to two locals of the mark, or registers, whose values the records carry. */
  readonly values?: readonly string[];
  /** Keep what a probe at this place does already, and add to it; default false: this one replaces it. */
  readonly join?: boolean;
}
