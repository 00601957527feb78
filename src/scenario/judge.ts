// From a run that has ended to what oracles judge.

import { request as requestBlock } from "../guest/percpu.ts";
import type { History } from "../measure/observations.ts";
import type { Injected } from "../faults/inject.ts";
import {
  NO_SOURCE,
  judge,
  type ObservedRequest,
  type OracleResult,
  type RaisedSource,
} from "../measure/oracles/index.ts";
import type { Machine, RunEnd } from "../machine/machine.ts";
import type { ExpandedScenario } from "./expand.ts";
import { callerOf, type ExpandedRequest } from "./requests.ts";

/** Sources of NMIs that faults raise. */
const sourceOf: Readonly<Record<string, string>> = {
  pmu: "pmu",
  serr: "serr",
  iochk: "iochk",
  nmi: NO_SOURCE,
  lint1: NO_SOURCE,
};

export interface Judged {
  readonly expanded: ExpandedScenario;
  readonly machine: Machine;
  readonly end: RunEnd;
  readonly history: History;
  /** Sources of NMIs that were raised by other than the guest. */
  readonly raised: readonly RaisedSource[];
}

/** @param missing CPUs that keep the others waiting, of a run that did not complete */
export function judgeRun(
  { expanded, machine, end, history, raised }: Judged,
  missing: readonly number[],
): OracleResult[] {
  const { policy, timing, requests, online, topology } = expanded;
  return judge({
    machine,
    timing,
    end,
    completed: end.kind === "probe" && end.probe === policy.marks.done,
    promises: policy.promises ?? { end: "released" },
    requests: requests.map((request) => observedRequest(machine, expanded, request)),
    history,
    raised,
    cpus: topology.cpus.filter(({ state }) => state !== "absent").map(({ number }) => number),
    online,
    missing,
  });
}

/** What a fault has raised. */
export function raisedBy({ injection, cycle, cpus }: Injected): RaisedSource[] {
  const source = sourceOf[injection.act.kind];
  if (source === undefined || cycle === undefined) return [];
  return cpus.map((cpu) => ({ cycle, cpu, source }));
}

function observedRequest(machine: Machine, expanded: ExpandedScenario, request: ExpandedRequest): ObservedRequest {
  const { policy, requester, targets, active } = request;
  const { online, topology } = expanded;
  const captured = policy.request.captured(online, targets, topology);
  const runners = runnersOf(request, online, captured, active);
  return {
    requester,
    block: machine.image.perCpuStart + callerOf(request) * machine.image.perCpuStride + requestBlock.symbol.offset,
    active: runners === undefined ? undefined : new Set(runners),
    stopped: captured.filter((cpu) => cpu !== requester),
  };
}

/** Who has to run the function, if there is one. */
function runnersOf(
  { policy, targets }: ExpandedRequest,
  online: readonly number[],
  captured: readonly number[],
  active: readonly number[] | undefined,
): readonly number[] | undefined {
  const { runners, takesActive } = policy.request;
  if (policy.marks.functionStart === undefined) return undefined;
  if (runners !== undefined) return runners(captured, targets);
  if (takesActive) return active ?? online.slice(0, 1);
  return captured;
}
