// Saving, restoring and forking a machine that has made its first call of the stop path.

import { Machine, buildMachine, expandScenario, loadCore, type RestoreOptions } from "allstop/machine";
import { SCENARIO_FORMAT, parseScenario } from "allstop";
import type { Architecture } from "allstop/topology";
import { expectEqual, type Prepared, type RepeatedCase } from "../case.ts";

interface Warm {
  readonly module: WebAssembly.Module;
  readonly machine: Machine;
  readonly parts: RestoreOptions;
}

async function warm(architecture: Architecture, cpus: number): Promise<Warm> {
  const module = await loadCore();
  const document = {
    format: SCENARIO_FORMAT,
    machine: { architecture, cpus },
    load: { common: "mixed" },
    policy: { rounds: 2 },
  } as const;
  const expanded = expandScenario(parseScenario(document));
  const machine = buildMachine(module, expanded);
  machine.probe(expanded.policy.marks.return, { break: true, record: false });
  expectEqual(machine.run(4e9).kind, "probe", "the end of a call");
  const { topology, timing, image } = machine;
  return { module, machine, parts: { topology, timing, image } };
}

/** A copy must be as the machine is, now and after another call. */
function expectSame(copy: Machine, { machine }: Warm): void {
  expectEqual(copy.digest(), machine.digest(), "the digest of a copy");
  expectEqual(copy.run(8e9).kind, "probe", "the end of a copy's call");
  const twin = machine.fork();
  twin.run(8e9);
  expectEqual(copy.digest(), twin.digest(), "the digest of a copy that has run on");
}

/** A copy of each kind is made of a machine that stays as it is. */
const operations = {
  save: (of: Warm): Prepared => {
    let saved = of.machine.snapshot();
    return {
      run: () => {
        saved = of.machine.snapshot();
        return 1;
      },
      verify: () => expectSame(Machine.restoreOn(of.module, saved, of.parts), of),
    };
  },
  restore: (of: Warm): Prepared => {
    const saved = of.machine.snapshot();
    return copying(of, () => Machine.restoreOn(of.module, saved, of.parts));
  },
  fork: (of: Warm): Prepared => copying(of, () => of.machine.fork()),
};

function copying(of: Warm, copy: () => Machine): Prepared {
  let last = copy();
  return {
    run: () => {
      last = copy();
      return 1;
    },
    verify: () => expectSame(last, of),
  };
}

async function prepareSize(architecture: Architecture, cpus: number): Promise<Prepared> {
  const of = await warm(architecture, cpus);
  const saved = of.machine.snapshot();
  return {
    run: () => saved.length / cpus,
    verify: () => expectSame(Machine.restoreOn(of.module, saved, of.parts), of),
  };
}

const architectures = ["x86-64", "arm64"] as const;

export const snapshotCases: readonly RepeatedCase[] = architectures.flatMap((architecture) =>
  [64, 512, 4096].flatMap((cpus): RepeatedCase[] => [
    ...(Object.keys(operations) as (keyof typeof operations)[]).map((operation) => ({
      name: `snapshot/${operation}/${architecture}/${cpus}`,
      figure: "time" as const,
      unit: operation,
      prepare: async () => operations[operation](await warm(architecture, cpus)),
    })),
    {
      name: `snapshot/bytes-per-cpu/${architecture}/${cpus}`,
      figure: "size",
      unit: "bytes per CPU",
      prepare: () => prepareSize(architecture, cpus),
    },
  ]),
);
