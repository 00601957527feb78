// Random typed programs by seed: routines that use every portable construct, and the calls to make on them.

import { array, global, ptr, routine, u64 } from "../../../src/asm/index.ts";
import type { PlaceFor, Routine } from "../../../src/asm/index.ts";
import type { Recorder } from "../../../src/asm/record/recorder.ts";
import { Random } from "./random.ts";
import { TestBlock, TYPES, SCALARS, Shared, perCpuVariable, randomConstant, randomBlock } from "./random-memory.ts";
import type { Block, Types, Surroundings } from "./random-memory.ts";
import { RoutineGenerator } from "./random-statements.ts";

export interface ProgramCall {
  readonly routine: Routine;
  /** Block pointer first, then scalars. */
  readonly values: readonly bigint[];
}

export interface Program {
  readonly routines: readonly Routine[];
  readonly calls: readonly ProgramCall[];
  /** One block per call, in one array; call n gets block n. */
  readonly blocks: PlaceFor<ReturnType<typeof blocksType>, never>;
  /** Other memory that the routines change, to be compared too. */
  readonly shared: readonly object[];
  readonly perCpu: ReturnType<typeof perCpuVariable>;
}

function blocksType(count: number) {
  return array(TestBlock, count);
}

export interface ProgramOptions {
  readonly routines: number;
  readonly callsPerRoutine: number;
  readonly cpus: number;
}

/** A program of given routines, with one block of seeded content per call. */
export function programOf(
  routines: readonly Routine[],
  values: readonly { routine: Routine; values: readonly bigint[] }[],
  seed = 1,
): Program {
  const random = new Random(seed);
  const neighbour = global("test_neighbour", TestBlock, { initial: randomBlock(random), group: "compared", align: 64 });
  const initial = values.map(() => ({ ...randomBlock(random), next: neighbour }));
  const blocks = global("test_blocks", blocksType(values.length), { initial: initial, group: "compared", align: 64 });
  return { routines, calls: values, blocks, shared: [neighbour], perCpu: perCpuVariable() };
}

export function randomProgram(seed: number, options: ProgramOptions): Program {
  const random = new Random(seed);
  const callCount = options.routines * options.callsPerRoutine;
  // All blocks have one neighbour, so that two pointers lead to the same memory.
  const neighbour = global("test_neighbour", TestBlock, { initial: randomBlock(random), group: "compared", align: 64 });
  const initial = Array.from({ length: callCount }, () => ({ ...randomBlock(random), next: neighbour }));
  const blocks = global("test_blocks", blocksType(callCount), { initial: initial, group: "compared", align: 64 });
  const shared = global("test_shared", Shared, { initial: { u: 7, s: -9n }, group: "compared", align: 64 });
  const area = perCpuVariable();
  const routines: Routine[] = [];
  for (let i = 0; i < options.routines; i++) {
    routines.push(
      randomRoutine(`random_${seed}_${i}`, random.bits(), { callees: [...routines], shared, area, cpus: options.cpus }),
    );
  }
  const calls = routines.flatMap((target) =>
    Array.from({ length: options.callsPerRoutine }, () => ({
      routine: target,
      values: target.signature.parameters.slice(1).map(({ type }) => randomConstant(random, type.name as Types)),
    })),
  );
  return { routines, calls, blocks, shared: [shared, neighbour], perCpu: area };
}

function randomRoutine(name: string, seed: number, surroundings: Surroundings): Routine {
  const random = new Random(seed);
  const types = Array.from({ length: random.between(1, 4) }, () => random.pick(TYPES));
  // The first routine is the target of calls through pointers, so its signature is fixed.
  const isHandler = surroundings.callees.length === 0;
  const parameterTypes: readonly Types[] = isHandler ? ["u64"] : types;
  const parameters = [{ block: ptr(TestBlock) }, ...parameterTypes.map((type, i) => ({ [`p${i}`]: SCALARS[type] }))];
  const body = (k: Recorder<typeof u64>, faces: Readonly<Record<string, unknown>>): void => {
    const generator = new RoutineGenerator(k, random, surroundings, faces["block"] as Block);
    parameterTypes.forEach((type, i) => {
      generator.addLocal(type, faces[`p${i}`], true);
    });
    generator.body(isHandler ? 3 : random.between(3, 9));
    k.return(generator.digest());
  };
  return routine(name, parameters as never, u64, body as never);
}
