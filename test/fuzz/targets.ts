// All fuzz targets, in the order in which a campaign lists them.

import { AllstopError } from "../../src/errors.ts";
import { arm64CodeTarget } from "./code/arm64.ts";
import { x86CodeTarget } from "./code/x86-64.ts";
import { cpulistTarget } from "./cpulists.ts";
import { hwlocTarget } from "./hwloc-xml.ts";
import { litmusTarget } from "./litmus.ts";
import { arm64RegisterTarget } from "./registers/arm64.ts";
import { firmwareTarget } from "./registers/firmware.ts";
import { x86RegisterTarget } from "./registers/x86-64.ts";
import { scenarioTarget } from "./scenarios.ts";
import { snapshotTarget } from "./snapshots.ts";
import type { Target } from "./target.ts";
import { topologyTarget } from "./topologies.ts";

/** The inputs of a target are its own business. */
export type AnyTarget = Target<unknown>;

export const targets: readonly AnyTarget[] = [
  x86CodeTarget,
  arm64CodeTarget,
  x86RegisterTarget,
  arm64RegisterTarget,
  firmwareTarget,
  topologyTarget,
  hwlocTarget,
  cpulistTarget,
  snapshotTarget,
  scenarioTarget,
  litmusTarget,
] as readonly unknown[] as AnyTarget[];

/** @throws NAME_UNKNOWN */
export function targetNamed(name: string): AnyTarget {
  const found = targets.find((target) => target.name === name);
  if (found !== undefined) return found;
  const allowed = targets.map((target) => target.name).join(", ");
  throw new AllstopError("NAME_UNKNOWN", "no such fuzz target", { value: name, allowed });
}
