// Portable routines: a name, a signature and a body that is recorded once, when an image first needs it.

import { here } from "../source.ts";
import type { SourceMark } from "../source.ts";
import type { ResultType } from "../types.ts";
import { Callable, parameterList, Signature } from "./callable.ts";
import type { CallableOptions, CheckedParameters, ParameterLocals, ParameterSpec } from "./callable.ts";
import { Recorder } from "./recorder.ts";
import type { Recording } from "./tree.ts";

export interface RoutineOptions extends CallableOptions {
  /** Both ABIs leave the upper half of a 32-bit argument undefined; routines that C code calls clear it at entry. */
  readonly callableFromC?: boolean;
}

type RoutineBody = (k: Recorder, parameters: Record<string, unknown>) => void;

export class Routine<P = unknown, R extends ResultType = ResultType> extends Callable<P, R> {
  readonly kind = "routine";
  readonly callableFromC: boolean;
  /** Position of the declaration: the line of the prologue. */
  readonly source: SourceMark;
  readonly #body: RoutineBody;
  #recording: Recording | undefined;

  constructor(
    name: string,
    signature: Signature<P, R>,
    body: RoutineBody,
    source: SourceMark,
    options: RoutineOptions,
  ) {
    super(name, signature, options);
    this.callableFromC = options.callableFromC ?? false;
    this.source = source;
    this.#body = body;
  }

  get recording(): Recording {
    if (this.#recording === undefined) {
      const recorder = new Recorder(this.name, this.signature.result);
      this.#body(recorder, recorder.declareParameters(this.signature.parameters));
      this.#recording = recorder.finish();
    }
    return this.#recording;
  }
}

/** Declares a routine. The body is run once and must be deterministic: it only records. */
export function routine<const P extends ParameterSpec, R extends ResultType>(
  name: string,
  parameters: P & CheckedParameters<P>,
  result: R,
  body: (k: Recorder<R>, parameters: ParameterLocals<P>) => void,
  options: RoutineOptions = {},
): Routine<P, R> {
  const type = new Signature<P, R>(parameterList(name, parameters), result);
  return new Routine<P, R>(name, type, body as unknown as RoutineBody, here(), options);
}
