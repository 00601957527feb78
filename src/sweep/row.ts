// One run of a sweep as a row: what it was, and what came out. A function of the scenario alone, so that rows of two hosts compare.

import { AllstopError, type ErrorCode } from "../errors.ts";
import type { Report, Verdict } from "../report/report.ts";
import type { FieldValue } from "../scenario/fields.ts";

/** Why a run has no report: an error of the library, a bug that threw something else, or a thread that ended. */
export type RowErrorCode = ErrorCode | "INTERNAL" | "WORKER_LOST";

/** What is kept of one run: a line of the journal. A function of the run's scenario alone. Times are simulated nanoseconds, null where the call did not get that far. */
export interface SweepRow {
  /** Hash of the expanded scenario without its seed and title, and of the core's build; then the seed. */
  readonly key: string;
  /** The varied fields. */
  readonly point: Readonly<Record<string, FieldValue>>;
  readonly seed: number;
  /** Complete CPUs of the machine. */
  readonly cpus: number;
  /** `failed`: the run threw. */
  readonly verdict: Verdict | "failed";
  readonly returned: number | null;
  /** Simulated nanoseconds, of the last call as in the report; null where it did not get that far. */
  readonly rendezvousNs: number | null;
  readonly totalNs: number | null;
  readonly frozenP50Ns: number | null;
  readonly frozenP99Ns: number | null;
  readonly frozenMaxNs: number | null;
  /** CPU that arrived last. */
  readonly lastCpu: number | null;
  /** Names of the oracles that do not hold. */
  readonly broken: readonly string[];
  readonly simulatedNs: number | null;
  /** State digest at the end. */
  readonly digest: string | null;
  readonly error: { readonly code: RowErrorCode; readonly message: string } | null;
}

/** What a row says of the run, as far as it is known before. */
export type RowHead = Pick<SweepRow, "key" | "point" | "seed" | "cpus">;

export function rowOf(head: RowHead, { outcome, latency, stragglers, oracles, simulatedNs, digest }: Report): SweepRow {
  return {
    ...head,
    verdict: outcome.verdict,
    returned: outcome.returned,
    rendezvousNs: latency.rendezvousNs,
    totalNs: latency.totalNs,
    frozenP50Ns: latency.frozenNs?.p50 ?? null,
    frozenP99Ns: latency.frozenNs?.p99 ?? null,
    frozenMaxNs: latency.frozenNs?.max ?? null,
    lastCpu: stragglers[0]?.cpu ?? null,
    broken: oracles.filter(({ held }) => !held).map(({ name }) => name),
    simulatedNs,
    digest,
    error: null,
  };
}

export function failedRow(head: RowHead, error: unknown): SweepRow {
  return lostRow(head, error instanceof AllstopError ? error.code : "INTERNAL", messageOf(error));
}

/** A row of a run of which there is nothing but an error. */
export function lostRow(head: RowHead, code: RowErrorCode, message: string): SweepRow {
  return {
    ...head,
    verdict: "failed",
    returned: null,
    rendezvousNs: null,
    totalNs: null,
    frozenP50Ns: null,
    frozenP99Ns: null,
    frozenMaxNs: null,
    lastCpu: null,
    broken: [],
    simulatedNs: null,
    digest: null,
    error: { code, message },
  };
}

function messageOf(error: unknown): string {
  if (error instanceof AllstopError) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
