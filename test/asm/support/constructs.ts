// Written routines with known results, run on every machine and in the interpreter.

import { describe, expect, it } from "vitest";
import { ptr, routine } from "../../../src/asm/index.ts";
import type { Parameter, Pointer, Recorder, ResultType, Routine } from "../../../src/asm/index.ts";
import type { ParameterLocals } from "../../../src/asm/record/callable.ts";
import { expectSame, MACHINES, titleOf } from "./compare.ts";
import type { InterpreterOptions } from "./interpreter.ts";
import { TestBlock } from "./random-memory.ts";
import { programOf } from "./random-program.ts";

export type Block = Pointer<typeof TestBlock>;
interface Case {
  readonly title: string;
  readonly routine: Routine;
  /** Arguments after the block, and the result. */
  readonly runs: readonly (readonly [readonly bigint[], bigint])[];
  readonly options?: InterpreterOptions;
}

const cases: Case[] = [];

/** Adds a case; its routine gets a block of memory first. */
export function check<const P extends readonly Parameter[], R extends ResultType>(
  title: string,
  parameters: P,
  result: R,
  body: (k: Recorder<R>, p: Block, values: ParameterLocals<P>) => void,
  runs: Case["runs"],
  options?: InterpreterOptions,
): void {
  const name = `case_${cases.length}`;
  const all: readonly Parameter[] = [{ block: ptr(TestBlock) }, ...parameters];
  const target = routine(name, all, result, (k, faces) => {
    body(k, faces["block"] as unknown as Block, faces);
  });
  cases.push({ title, routine: target, runs, ...(options === undefined ? {} : { options }) });
}

/** Declares the tests, one per machine, of all cases of the file. */
export function runCases(title: string): void {
  describe.for(MACHINES)(title, (machine) => {
    it.skipIf(machine.missing !== undefined)(titleOf(machine), () => {
      for (const { title, routine: target, runs, options } of cases) {
        const program = programOf(
          [target],
          runs.map(([values]) => ({ routine: target, values })),
        );
        const results = expectSame(program, machine, 1, options);
        expect(results, title).toEqual(runs.map(([, result]) => result));
      }
    });
  });
}
