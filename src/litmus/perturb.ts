// Perturbation: the machine varies how long stores and loads take, by a seed, to visit more of what the architecture allows.

import type { Machine } from "../machine/machine.ts";

interface Perturbable {
  setPerturbation(seed: number): void;
}

/** From now on, by this seed; 0 is none. Nothing for a machine whose memory has one order only. */
export function perturb(machine: Machine | (Machine & Perturbable), seed: number): void {
  if ("setPerturbation" in machine) machine.setPerturbation(seed);
}
