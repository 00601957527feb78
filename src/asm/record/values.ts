// The typed face of the recorded tree: values, places, pointers and conditions as a routine's author writes them.
//
// Types only; the objects are in faces.ts. What distinguishes the types stands under symbol keys, so that no struct field can collide
// with it.

import type {
  AnyStruct,
  ArrayType,
  CodeType,
  Lineage,
  NothingType,
  OpaqueType,
  PointerType,
  Promoted,
  ResultType,
  ScalarName,
  ScalarType,
  SelfType,
  StructType,
  ValueName,
} from "../types.ts";
import type { Condition } from "./faces.ts";

declare const VALUE: unique symbol;
declare const TARGET: unique symbol;
declare const POINTER: unique symbol;
declare const STRUCT: unique symbol;
declare const DIVISOR: unique symbol;

/** A value of scalar type in an expression: pure, evaluated at each use. */
export interface Value<N extends ValueName = ValueName> {
  readonly [VALUE]: N;
  add(other: Operand<N>): Value<N>;
  sub(other: Operand<N>): Value<N>;
  mul(other: Operand<N>): Value<N>;
  and(other: Operand<N>): Value<N>;
  or(other: Operand<N>): Value<N>;
  xor(other: Operand<N>): Value<N>;
  /** The divisor is a non-zero constant or wrapped in `unchecked`. */
  div(divisor: number | bigint | Unchecked<N>): Value<N>;
  rem(divisor: number | bigint | Unchecked<N>): Value<N>;
  /** Counts are taken modulo the width. */
  shl(count: number | Value<N> | Value<"u32">): Value<N>;
  /** Arithmetic for signed values, logical for unsigned ones. */
  shr(count: number | Value<N> | Value<"u32">): Value<N>;
  neg(): Value<N>;
  not(): Value<N>;
  /** Number of trailing or leading zero bits; the width for zero. */
  ctz(): Value<N>;
  clz(): Value<N>;
  eq(other: Operand<N>): Condition;
  ne(other: Operand<N>): Condition;
  lt(other: Operand<N>): Condition;
  le(other: Operand<N>): Condition;
  gt(other: Operand<N>): Condition;
  ge(other: Operand<N>): Condition;
  /** Widening extends by the sign of this value's type, narrowing keeps the low half. */
  to<M extends ValueName>(type: ScalarType<M>): Value<M>;
}

/** A value, or a constant in the range of its type. */
export type Operand<N extends ValueName> = Value<N> | number | bigint;

/** A divisor that the author knows to be non-zero, and not -1 under the smallest value. */
export interface Unchecked<N extends ValueName> {
  readonly [DIVISOR]: N;
}

/** What k.set may write: a place in memory or a local. */
export interface Target<T> {
  readonly [TARGET]: T;
}

/** A place of scalar type: reads as a plain load at each use. */
export interface ScalarPlace<N extends ScalarName> extends Value<Promoted<N>>, Target<ScalarType<N>> {}
/** A variable in a register (or spilled): read as a value, written by k.set. */
export type Local<N extends ValueName> = Value<N> & Target<ScalarType<N>>;

/** The address of a routine, for k.callPointer and places of type `code`. */
export interface CodeValue {
  readonly [VALUE]: "code";
}
/** A place or local that holds the address of a routine. */
export type CodePlace = CodeValue & Target<CodeType>;

interface PointerBrand<P> {
  readonly [POINTER]: P;
}

/** An array index: of any value type; signed ones are sign-extended. */
export type Index = number | Value;

type Members<P> =
  P extends StructType<Lineage, infer F>
    ? { readonly [K in keyof F]: PlaceFor<F[K], P> }
    : P extends ArrayType<infer E>
      ? { at(index: Index): PlaceFor<E, never> }
      : P extends ScalarType | PointerType | CodeType
        ? { at(index: Index): PlaceFor<P, never> }
        : unknown;

/** A pointer: only the pointee's fields, or `at(index)` for a pointer to scalars and arrays. Free functions do the rest. */
export type Pointer<P> = PointerBrand<P> & Members<P>;
/** A place that holds a pointer: reads as the pointer, k.set writes it. */
export type PointerPlace<P> = Pointer<P> & Target<PointerType<P>>;
/** A local that holds a pointer. */
export type PointerLocal<P> = PointerPlace<P>;
/** A whole struct in memory: its fields, and where it stands for its address. */
export type StructPlace<S> = AggregatePlace<S> & Members<S>;
/** A whole array in memory: `at(index)` is an element. A constant index must lie in the array. */
export type ArrayPlace<E> = AggregatePlace<ArrayType<E>> & { at(index: Index): PlaceFor<E, never> };

/** The place of a field or variable of type T; S is the struct that `self` stands for. */
export type PlaceFor<T, S> =
  T extends ScalarType<infer N>
    ? ScalarPlace<N>
    : T extends PointerType<infer P>
      ? PointerPlace<P extends SelfType ? S : P>
      : T extends CodeType
        ? CodePlace
        : T extends ArrayType<infer E>
          ? ArrayPlace<E>
          : T extends AnyStruct
            ? StructPlace<T>
            : never;

/** What reading a cell of type T yields. */
export type ValueFor<T> =
  T extends ScalarType<infer N>
    ? Value<Promoted<N>>
    : T extends PointerType<infer P>
      ? Pointer<P>
      : T extends CodeType
        ? CodeValue
        : never;

/** A local of type T. */
export type LocalFor<T> =
  T extends ScalarType<infer N>
    ? Local<Promoted<N>>
    : T extends PointerType<infer P>
      ? PointerLocal<P>
      : T extends CodeType
        ? CodePlace
        : never;

/** What may be given where a T is expected: constants for scalars, null or a struct's place for pointers. */
export type OperandFor<T> =
  T extends ScalarType<infer N>
    ? Operand<Promoted<N>>
    : T extends PointerType<infer P>
      ? PointerOperand<P> | null
      : T extends CodeType
        ? CodeValue | null
        : never;

/** A pointer, or the place of a whole struct or array, which stands for its address. */
type PointerOperand<P> = P extends OpaqueType
  ? AnyPointer | AggregatePlace<unknown>
  : PointerBrand<P> | AggregatePlace<P>;

/** What a call of a routine with that result type yields. */
export type ResultFor<R extends ResultType> = R extends NothingType ? void : ValueFor<R>;

/** Any pointer, whatever it points to. */
export type AnyPointer = PointerBrand<unknown>;
/** The place of a whole struct or array. */
export interface AggregatePlace<S> {
  readonly [STRUCT]: S;
}
