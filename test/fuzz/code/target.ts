// The target of machine code: any bytes on any of a few machines end in a run that reaches its cycle or in a named stop, in
// the same state whatever the accelerations.

import { PAGE_BYTES, Warmth } from "../../../src/abi.ts";
import { deviceWindows } from "../../../src/machine/platform.ts";
import { randomMachine } from "../../support/random-machine.ts";
import type { Topology } from "../../../src/topology/index.ts";
import type { Subject, Target } from "../target.ts";
import { drawInput, showInput, type CodeInput, type Dialect } from "./input.ts";
import { BLOCKS_PAGE, RAM_BYTES, ROUTINES_PAGE, TABLES, TABLES_PAGE, offsetOf, pages } from "./layout.ts";
import { ReusableMachine } from "./reusable-machine.ts";
import { compareAccelerations, runOnce } from "./trial.ts";

/** Seeds of random topologies and latencies: 2 to 12 CPUs of one to three packages, with and without siblings. */
const machineSeeds = [43, 15, 42, 8, 45, 17, 22];

/** One input in so many is run a second time, otherwise. */
const COMPARED = 64;

export function codeTarget(name: string, share: number, makeDialect: () => Dialect): Target<CodeInput> {
  return {
    name,
    what: "machine code, registers, rights of pages",
    share,
    refusals: [],
    open: (core) => Promise.resolve(openCode(makeDialect(), core)),
  };
}

export function openCode(dialect: Dialect, core: WebAssembly.Module): Subject<CodeInput> {
  const machines = machineSeeds.map((seed) => buildMachine(dialect, seed, core));
  const cpus = machines.map((machine) => machine.cpus);
  return {
    draw: (random) => drawInput(random, dialect, cpus),
    attempt(input, number) {
      const machine = machines[input.machine]?.reusable as ReusableMachine;
      const outcome = runOnce(machine, input);
      if (number % COMPARED === 0) compareAccelerations(machine, input);
      return outcome;
    },
    show: showInput,
  };
}

/** @param chosen the topology, if it isn't the seed that gives one */
export function buildMachine(
  dialect: Pick<Dialect, "architecture" | "ramBase" | "fixtures">,
  seed: number,
  core: WebAssembly.Module,
  chosen?: Topology,
): { readonly reusable: ReusableMachine; readonly cpus: number } {
  const { architecture, ramBase, fixtures } = dialect;
  const random = randomMachine(architecture, seed, "tight");
  const { timing, coreLatencies } = random;
  const topology = chosen ?? random.topology;
  const cpus = topology.cpus.length;
  const options = { architecture, topology, timing, coreLatencies, core, ramBytes: RAM_BYTES };
  const reusable = new ReusableMachine(options, (machine) => {
    for (const one of pages) machine.map(ramBase + offsetOf(one.page), one.pages * PAGE_BYTES, one.attributes);
    for (const { address, bytes, attributes } of deviceWindows(architecture, cpus)) {
      machine.map(address, bytes, attributes);
    }
    for (const { address, bytes } of fixtures) machine.write(address, bytes);
    const warm = [ROUTINES_PAGE, BLOCKS_PAGE, ...Array.from({ length: TABLES }, (_, index) => TABLES_PAGE + index)];
    for (const page of warm) {
      machine.core.warm(BigInt(ramBase + offsetOf(page)), BigInt(PAGE_BYTES), Warmth.SHARED);
    }
  });
  return { reusable, cpus };
}
