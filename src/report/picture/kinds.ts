// Pictures of a run, by name.

import { AllstopError } from "../../errors.ts";
import type { RunResult } from "../../scenario/run.ts";
import { rendezvousOf } from "../make-rendezvous.ts";
import type { Rendezvous } from "../rendezvous.ts";
import { renderHeatMap } from "./heat-map.ts";
import { percentilesOf, renderPercentiles } from "./percentiles.ts";
import { renderTopology } from "./topology-map.ts";
import { renderWaterfall } from "./waterfall.ts";

const renderers = {
  "heat-map": (rendezvous: Rendezvous) => renderHeatMap(rendezvous),
  topology: (rendezvous: Rendezvous) => renderTopology(rendezvous),
  waterfall: (rendezvous: Rendezvous) => renderWaterfall(rendezvous),
  percentiles: (_rendezvous: Rendezvous, result: RunResult) => renderPercentiles(percentilesOf(result)),
} as const;

/** A name of one of `pictureKinds`. */
export type PictureKind = keyof typeof renderers;
/** The pictures that there are of a run. */
export const pictureKinds = Object.keys(renderers) as readonly PictureKind[];

/** A picture of the call that the report is about, as an SVG document. @throws OPTION_INVALID where the run came to no call */
export function renderPicture(kind: PictureKind, result: RunResult): string {
  const rendezvous = rendezvousOf(result);
  if (rendezvous !== undefined) return renderers[kind](rendezvous, result);
  const what =
    result.expanded.policy.measures === undefined ? "a run that came to no call" : "a path that makes no calls";
  throw new AllstopError("OPTION_INVALID", `there are no pictures of ${what}`, {
    at: "picture",
    value: kind,
    allowed: "a run with a call",
  });
}
