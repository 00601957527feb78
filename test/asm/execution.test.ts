// Random programs: machine code run as a process must do exactly what the interpreter of the recording does.
//
// ALLSTOP_ASM_PROGRAMS and ALLSTOP_ASM_FIRST choose how many programs, and from which seed on.

import { describe, it } from "vitest";
import { expectSame, MACHINES, titleOf } from "./support/compare.ts";
import { randomProgram } from "./support/random-program.ts";

const CPUS = 2;
const count = Number(process.env["ALLSTOP_ASM_PROGRAMS"] ?? 12);
const first = Number(process.env["ALLSTOP_ASM_FIRST"] ?? 1);
const seeds = Array.from({ length: count }, (_, i) => first + i);

describe.for(MACHINES)("code does what the recording means", (machine) => {
  it.skipIf(!machine.isThere).for(seeds)(`${titleOf(machine)}, random program %i`, (seed) => {
    expectSame(randomProgram(seed, { routines: 20, callsPerRoutine: 4, cpus: CPUS }), machine, CPUS);
  });
});
