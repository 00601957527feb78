// What happened in a run, by the guest's own events ($marks): for tests that need to know no routine.

import type { ProbeOptions } from "../../src/machine/machine.ts";
import { parseObserved } from "../../src/guest/observe.ts";
import type { StopRun } from "./stop-run.ts";

export interface Happening {
  /** Event and which: "say.panic", "ack". */
  readonly what: string;
  readonly cycle: number;
  readonly cpu: number;
  /** Of the first local that the event names. */
  readonly value: bigint;
}

/** Probes on every event of an image, by the mark's whole name. */
export function eventProbes(
  marks: readonly { readonly name: string }[],
): Record<string, { readonly place: string } & ProbeOptions> {
  const probes: Record<string, { readonly place: string } & ProbeOptions> = {};
  for (const { name } of marks) {
    const parsed = parseObserved(name);
    if (parsed !== undefined) probes[name] = { place: name, values: parsed.locals };
  }
  return probes;
}

/** All events of a run that was started with `events`, in the order of time. */
export function happenings(run: StopRun): readonly Happening[] {
  return run.inOrder().flatMap(({ name, cycle, cpu, value }) => {
    const parsed = parseObserved(name);
    if (parsed === undefined) return [];
    const what = parsed.which === undefined ? parsed.event : `${parsed.event}.${parsed.which}`;
    return [{ what, cycle, cpu, value }];
  });
}

/** "what cpu" of the events that are asked for, in the order of time. */
export function story(run: StopRun, ...whats: readonly string[]): string[] {
  return happenings(run)
    .filter(({ what }) => whats.includes(what))
    .map(({ what, cpu }) => `${what} ${cpu}`);
}
