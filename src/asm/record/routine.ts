// Portable routines: a name, a signature and a body that is recorded once, when an image first needs it.

import { invalid, isStackOverflow, reportAt } from "../failure.ts";
import { here } from "../source.ts";
import type { SourceMark } from "../source.ts";
import type { ResultType } from "../types.ts";
import { Callable, parameterList, Signature } from "./callable.ts";
import type { CallableOptions, CheckedParameters, ParameterLocals, ParameterSpec } from "./callable.ts";
import { Recorder } from "./recorder.ts";
import type { Recording } from "./tree.ts";

/** Options of a portable routine. */
export interface RoutineOptions extends CallableOptions {
  /** Both ABIs leave the upper half of a 32-bit argument undefined; routines that C code calls clear it at entry. */
  readonly callableFromC?: boolean;
}

type RoutineBody = (k: Recorder, parameters: Record<string, unknown>) => void;

/** A portable routine: recorded once, lowered for each image. */
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
      this.#recording = this.#record();
    }
    return this.#recording;
  }

  /** A routine may be needed for the first time while another is lowered: its mistakes are its author's. */
  #record(): Recording {
    const before = reportAt(undefined);
    try {
      const recorder = new Recorder(this.name, this.signature.result);
      this.#body(recorder, recorder.declareParameters(this.signature.parameters));
      reportAt(this.source);
      return recorder.finish();
    } catch (error) {
      if (!isStackOverflow(error)) throw error;
      reportAt(this.source);
      throw invalid(`${this.name}: the recording never ends, or nests too deep`, {
        allowed: "inline functions that end; a routine may call itself with k.call",
        cause: error,
      });
    } finally {
      reportAt(before);
    }
  }
}

/**
 * Declares a routine of up to six parameters. The body is run once, when an image first needs it, and only records: it must be
 * deterministic.
 * @throws ASSEMBLY_INVALID for a name that is no symbol, or wrong parameters; mistakes of the body come out of buildImage
 */
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
