// Routines written directly in instructions: vector stubs, boot code, trampolines, context switches.

import type { Arm64Assembler } from "./arm64/assembler.ts";
import { Callable, parameterList, Signature } from "./record/callable.ts";
import type { CallableOptions, ParameterSpec } from "./record/callable.ts";
import { here } from "./source.ts";
import type { SourceMark } from "./source.ts";
import type { NothingType, ResultType } from "./types.ts";
import { nothing } from "./types.ts";
import type { X64Assembler } from "./x64/assembler.ts";

/** The instructions per architecture; an image of an architecture without a body can't use the routine. */
export interface DirectBodies {
  readonly x64?: (assembler: X64Assembler) => void;
  readonly arm64?: (assembler: Arm64Assembler) => void;
}

/** Options of a routine of raw instructions. */
export interface DirectOptions extends CallableOptions {
  /** Linked at exactly this address, in a segment of its own, e.g. a trampoline page. */
  readonly address?: number;
}

/** A routine of raw instructions. */
export class DirectRoutine<P = unknown, R extends ResultType = ResultType> extends Callable<P, R> {
  readonly kind = "direct";
  readonly bodies: DirectBodies;
  readonly address: number | undefined;
  /** Position of the declaration: the line of all its code. */
  readonly source: SourceMark;

  constructor(
    name: string,
    signature: Signature<P, R>,
    bodies: DirectBodies,
    source: SourceMark,
    options: DirectOptions,
  ) {
    super(name, signature, options);
    this.bodies = bodies;
    this.address = options.address;
    this.source = source;
  }
}

/** A routine of raw instructions per architecture. With a signature (platform ABI) it can be called by k.call. */
export function asmRoutine<P extends ParameterSpec = Record<never, never>, R extends ResultType = NothingType>(
  name: string,
  bodies: DirectBodies,
  options: DirectOptions & { readonly signature?: Signature<P, R> } = {},
): DirectRoutine<P, R> {
  const type = options.signature ?? new Signature<P, R>(parameterList(name, []), nothing as unknown as R);
  return new DirectRoutine<P, R>(name, type, bodies, here(), options);
}
