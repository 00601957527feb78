// What can be called: signatures, and the common face of routines, slots and directly emitted routines.

import { invalid } from "../failure.ts";
import type { ResultType, ValueName, ValueType } from "../types.ts";
import { code } from "../types.ts";
import { valueOf } from "./faces.ts";
import { nextOrdinal } from "./ordinal.ts";
import type { CodeValue, LocalFor, OperandFor } from "./values.ts";

/** One named parameter: an object with one key. */
export type Parameter = Readonly<Record<string, ValueType>>;
/** Parameters in order: `[{ msdata: ptr(X) }, { newstate: u32 }]`; one or none also as a plain object. */
export type ParameterSpec = Parameter | readonly Parameter[];

export type ParameterTuple<P> = P extends readonly unknown[] ? P : keyof P extends never ? readonly [] : readonly [P];

type OperandsFor<L extends readonly unknown[]> = { -readonly [I in keyof L]: OperandFor<L[I][keyof L[I]]> };
/** Types of the arguments of a call, in order. */
export type ArgumentsFor<P> = OperandsFor<ParameterTuple<P>>;

type Keys<U> = U extends unknown ? keyof U : never;
type Member<U, K extends PropertyKey> = U extends unknown ? (K extends keyof U ? U[K] : never) : never;
type Element<P> = ParameterTuple<P> extends readonly (infer U)[] ? U : never;

/** What a routine's body receives: each parameter as a local under its name. */
export type ParameterLocals<P> = { readonly [K in Keys<Element<P>>]: LocalFor<Member<Element<P>, K>> };

/** An object with two keys has no order: it can't be a parameter list. */
type IsUnion<T, U = T> = T extends unknown ? ([U] extends [T] ? false : true) : never;
type HasSeveralKeys<P> = true extends IsUnion<keyof P> ? true : false;
export type CheckedParameters<P> = P extends readonly unknown[]
  ? unknown
  : HasSeveralKeys<P> extends true
    ? "several parameters are a list of objects with one key each: [{ a: u32 }, { b: u64 }]"
    : unknown;

/** System V passes six integers in registers; AAPCS64 eight. */
export const MAXIMUM_PARAMETERS = 6;

/** A parameter. */
export interface NamedType {
  readonly name: string;
  readonly type: ValueType;
}

export function parameterList(routine: string, spec: ParameterSpec): readonly NamedType[] {
  const objects: readonly Parameter[] = Array.isArray(spec) ? (spec as readonly Parameter[]) : [spec as Parameter];
  const list = objects.flatMap((object) => Object.entries(object).map(([name, type]) => ({ name, type })));
  if (objects.length > 0 && list.length > objects.length) {
    throw invalid(`parameters of ${routine} without an order`, {
      value: list.map(({ name }) => name),
      allowed: "a list of objects with one key each",
    });
  }
  if (list.length > MAXIMUM_PARAMETERS) {
    throw invalid(`${routine} has too many parameters`, { value: list.length, allowed: `up to ${MAXIMUM_PARAMETERS}` });
  }
  if (new Set(list.map(({ name }) => name)).size !== list.length)
    throw invalid(`${routine} has two parameters of one name`, {
      value: list.map(({ name }) => name),
      allowed: "different names",
    });
  return list;
}

/** Pointers and code addresses travel as u64. */
export function registerType(type: ValueType): ValueName {
  return type.kind === "scalar" ? type.name : "u64";
}

declare const SIGNATURE: unique symbol;

/** Parameters and result, for calls through a pointer. */
export class Signature<P = unknown, R extends ResultType = ResultType> {
  declare readonly [SIGNATURE]: { readonly parameters: P; readonly result: R };
  readonly parameters: readonly NamedType[];
  readonly result: R;

  constructor(parameters: readonly NamedType[], result: R) {
    this.parameters = parameters;
    this.result = result;
  }
}

/**
 * Parameters and result of what a pointer to code leads to.
 * @throws ASSEMBLY_INVALID for more than six parameters, or two of one name
 */
export function signature<const P extends ParameterSpec, R extends ResultType>(
  parameters: P & CheckedParameters<P>,
  result: R,
): Signature<P, R> {
  return new Signature<P, R>(parameterList("a signature", parameters), result);
}

/** Sections of code in the order of the image. `policy` comes last, so that shared code keeps its addresses between variants. */
export type CodeSection = "head" | "vectors" | "text" | "policy";

/** Where a routine is placed, and what callers know of it. */
export interface CallableOptions {
  readonly section?: CodeSection;
  /** In bytes; 16 if not given. */
  readonly align?: number;
  /** Never returns: nothing may follow a call of it. */
  readonly noReturn?: boolean;
  /** Checked against buildImage({ imports }). */
  readonly module?: string;
}

/** A named thing that can be called and whose address can be taken. */
export abstract class Callable<P = unknown, R extends ResultType = ResultType> {
  abstract readonly kind: "routine" | "slot" | "direct";
  readonly ordinal = nextOrdinal();
  readonly name: string;
  readonly signature: Signature<P, R>;
  readonly section: CodeSection;
  readonly align: number;
  readonly noReturn: boolean;
  readonly module: string | undefined;

  constructor(name: string, signature: Signature<P, R>, options: CallableOptions) {
    if (!/^[A-Za-z_.$][\w.$]*$/.test(name))
      throw invalid("not a symbol name", { value: name, allowed: "letters, digits, _ . $" });
    this.name = name;
    this.signature = signature;
    this.section = options.section ?? "text";
    this.align = options.align ?? 16;
    this.noReturn = options.noReturn ?? false;
    this.module = options.module;
  }
}

/** A typed routine name without a body; each image binds it to one implementation. */
export class Slot<P = unknown, R extends ResultType = ResultType> extends Callable<P, R> {
  readonly kind = "slot";
}

/**
 * Declares a routine that each image binds (`bind`) to an implementation.
 * @throws ASSEMBLY_INVALID for a name that is no symbol, or wrong parameters
 */
export function slot<const P extends ParameterSpec, R extends ResultType>(
  name: string,
  parameters: P & CheckedParameters<P>,
  result: R,
  options: Pick<CallableOptions, "noReturn" | "module"> = {},
): Slot<P, R> {
  return new Slot<P, R>(name, new Signature<P, R>(parameterList(name, parameters), result), options);
}

/** The choice of one image for one slot. */
export class Binding {
  readonly slot: Slot;
  readonly routine: Callable;

  constructor(slot: Slot, routine: Callable) {
    this.slot = slot;
    this.routine = routine;
  }
}

/**
 * Binds a slot to a routine of the same signature.
 * @throws ASSEMBLY_INVALID if they differ
 */
export function bind<P, R extends ResultType>(slot: Slot<P, R>, routine: Callable<NoInfer<P>, NoInfer<R>>): Binding {
  const wanted = slot.signature.parameters;
  const given = routine.signature.parameters;
  const fits = wanted.length === given.length && wanted.every(({ type }, i) => given[i]?.type.name === type.name);
  if (!fits || slot.signature.result.name !== routine.signature.result.name) {
    throw invalid(`slot ${slot.name} and routine ${routine.name} differ in their signatures`, {
      value: describe(routine.signature),
      allowed: describe(slot.signature),
    });
  }
  return new Binding(slot, routine);
}

/** A signature as text, e.g. "(u32, ptr(cell)) → i32". */
function describe({ parameters, result }: Signature): string {
  return `(${parameters.map(({ type }) => type.name).join(", ")}) → ${result.name}`;
}

/** The address of a routine as a value. */
export function codeOf(routine: Callable): CodeValue {
  const base = { kind: "symbol", symbol: routine } as const;
  return valueOf({ kind: "address", type: "u64", address: { base, index: undefined, scale: 1, offset: 0 } }, code);
}
