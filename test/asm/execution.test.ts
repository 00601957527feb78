// Random programs: machine code must do exactly what the interpreter of the recording does.
//
// A program is a random routine with those it calls; 20 of them share an image. ALLSTOP_ASM_PROGRAMS and ALLSTOP_ASM_FIRST choose how
// many images, and from which seed on.

import { describe, it } from "vitest";
import { expectSame, OUTSIDE_MACHINES, OWN_CORE, titleOf } from "./support/compare.ts";
import { randomProgram } from "./support/random-program.ts";

const CPUS = 2;
const ROUTINES = 20;
const first = Number(process.env["ALLSTOP_ASM_FIRST"] ?? 1);

function seeds(images: number): number[] {
  const count = Number(process.env["ALLSTOP_ASM_PROGRAMS"] ?? images);
  return Array.from({ length: count }, (_, i) => first + i);
}

for (const machine of OWN_CORE) {
  describe(`${machine.name}, code does what the recording means`, () => {
    it.for(seeds(26))(`${ROUTINES} random programs of seed %i`, (seed) => {
      expectSame(randomProgram(seed, { routines: ROUTINES, callsPerRoutine: 2, cpus: CPUS }), machine, CPUS);
    });
  });
}

for (const machine of OUTSIDE_MACHINES) {
  describe(`${titleOf(machine)}, other implementations agree`, () => {
    it.skipIf(machine.missing !== undefined).for(seeds(6))(`${ROUTINES} random programs of seed %i`, (seed) => {
      expectSame(randomProgram(seed, { routines: ROUTINES, callsPerRoutine: 4, cpus: CPUS }), machine, CPUS);
    });
  });
}
