// The objects behind the typed face of the recorded tree, and the free functions on pointers and places.
//
// Each wraps one tree expression. A place is a value whose expression is a load; a struct place and a pointer to that struct are the
// same object at run time and differ in their static type. The casts from the untyped tree to the typed face are all in this file.

import { invalid } from "../failure.ts";
import type {
  AnyStruct,
  ArrayType,
  CellType,
  Pointee,
  PointerType,
  ScalarType,
  ValueName,
  ValueType,
} from "../types.ts";
import { code, noField, pointsTo, ptr, u64 } from "../types.ts";
import * as build from "./expressions.ts";
import type { Address, BinaryOperator, Comparison, ConditionNode, Expression, UnaryOperator } from "./tree.ts";
import type {
  AggregatePlace,
  AnyPointer,
  CodeValue,
  Index,
  PlaceFor,
  Pointer,
  StructPlace,
  Target,
  Unchecked,
  Value,
  ValueFor,
} from "./values.ts";

/** The wrapped tree expression. */
export const NODE: unique symbol = Symbol("node");
/** The type of a scalar or code value; the pointee of a pointer; the type of a struct or array place. */
export const TYPE: unique symbol = Symbol("type");

/** A constant index must lie in the array; an array of length 0 stands for memory of unknown length, as in C. */
function checkIndex({ name, count }: ArrayType, index: Index): void {
  if (typeof index !== "number" || count === 0 || (index >= 0 && index < count)) return;
  throw invalid(`no such element of ${name}`, { value: index, allowed: `0 to ${count - 1}` });
}

/** Base of every object that stands for an expression. */
export class Face {
  readonly [NODE]: Expression;
  readonly [TYPE]: Pointee;

  constructor(node: Expression, type: Pointee) {
    this[NODE] = node;
    this[TYPE] = type;
  }
}

class CodeFace extends Face {}
class PointerFace extends Face {}

/** Pointer to scalars or pointers, pointer to an array, or the place of an array. */
class ElementsFace extends PointerFace {
  at(index: Index): unknown {
    const type = this[TYPE];
    if (type.kind === "array") checkIndex(type, index);
    const elementType = (type.kind === "array" ? type.element : type) as Exclude<Pointee, { kind: "opaque" }>;
    return faceAt(build.element(this[NODE], indexNode(index), elementType.bytes), elementType);
  }
}

class ScalarFace extends Face {
  add(other: unknown): unknown {
    return this.#binary("add", other);
  }
  sub(other: unknown): unknown {
    return this.#binary("sub", other);
  }
  mul(other: unknown): unknown {
    return this.#binary("mul", other);
  }
  and(other: unknown): unknown {
    return this.#binary("and", other);
  }
  or(other: unknown): unknown {
    return this.#binary("or", other);
  }
  xor(other: unknown): unknown {
    return this.#binary("xor", other);
  }
  div(divisor: unknown): unknown {
    return this.#divide("div", divisor);
  }
  rem(divisor: unknown): unknown {
    return this.#divide("rem", divisor);
  }
  shl(count: unknown): unknown {
    return this.#shift("shl", count);
  }
  shr(count: unknown): unknown {
    return this.#shift("shr", count);
  }
  neg(): unknown {
    return this.#unary("neg");
  }
  not(): unknown {
    return this.#unary("not");
  }
  ctz(): unknown {
    return this.#unary("ctz");
  }
  clz(): unknown {
    return this.#unary("clz");
  }
  eq(other: unknown): Condition {
    return this.#compare("eq", other);
  }
  ne(other: unknown): Condition {
    return this.#compare("ne", other);
  }
  lt(other: unknown): Condition {
    return this.#compare("lt", other);
  }
  le(other: unknown): Condition {
    return this.#compare("le", other);
  }
  gt(other: unknown): Condition {
    return this.#compare("gt", other);
  }
  ge(other: unknown): Condition {
    return this.#compare("ge", other);
  }
  to(type: ScalarType<ValueName>): unknown {
    return new ScalarFace(build.convert(type.name, this[NODE]), type);
  }

  #binary(operator: BinaryOperator, other: unknown): unknown {
    return new ScalarFace(build.binary(operator, this[NODE], scalarOperand(this[NODE].type, other)), this[TYPE]);
  }
  #unary(operator: UnaryOperator): unknown {
    return new ScalarFace(build.unary(operator, this[NODE]), this[TYPE]);
  }
  #compare(operator: Comparison, other: unknown): Condition {
    return new Condition(build.compare(operator, this[NODE], scalarOperand(this[NODE].type, other)));
  }
  #divide(operator: "div" | "rem", divisor: unknown): unknown {
    if (divisor instanceof UncheckedFace) return this.#binary(operator, divisor.divisor);
    if (typeof divisor !== "number" && typeof divisor !== "bigint") {
      throw invalid("a divisor that could be 0 traps on one architecture only", {
        value: describe(divisor),
        allowed: "a constant, or k.unchecked(value)",
      });
    }
    if (BigInt(divisor) === 0n) throw invalid("division by the constant 0", { value: 0, allowed: "other constants" });
    return this.#binary(operator, divisor);
  }
  #shift(operator: "shl" | "shr", count: unknown): unknown {
    const { type } = this[NODE];
    const node = typeof count === "number" ? build.constant("u64", count) : nodeOf(count);
    if (node.kind !== "constant" && node.type !== type && node.type !== "u32") {
      throw invalid(`shift count of type ${node.type} for a value of type ${type}`, {
        value: node.type,
        allowed: `number, u32 or ${type}`,
      });
    }
    return new ScalarFace(build.binary(operator, this[NODE], build.convert(type, node)), this[TYPE]);
  }
}

/** A truth value: consumed by k.if, k.while and k.bool. `and` and `or` evaluate their right side only if needed. */
export class Condition {
  readonly [NODE]: ConditionNode;

  constructor(node: ConditionNode) {
    this[NODE] = node;
  }
  and(other: Condition): Condition {
    return new Condition(build.both("and", this.#pure(), other.#pure()));
  }
  or(other: Condition): Condition {
    return new Condition(build.both("or", this.#pure(), other.#pure()));
  }
  not(): Condition {
    return new Condition(build.not(this[NODE]));
  }
  #pure(): ConditionNode {
    if (build.hasEffect(this[NODE]))
      throw invalid("a read-modify-write condition can't be combined", { allowed: "nested k.if" });
    return this[NODE];
  }
}

class UncheckedFace {
  readonly divisor: unknown;
  constructor(divisor: unknown) {
    this.divisor = divisor;
  }
}

export function unchecked<N extends ValueName>(divisor: Value<N>): Unchecked<N> {
  return new UncheckedFace(divisor) as unknown as Unchecked<N>;
}

// --- making faces ---------------------------------------------------------------------------------------------------------------

/** Field getters of each struct, made once. */
const structFaces = new WeakMap<AnyStruct, typeof PointerFace>();

function structFace(type: AnyStruct): typeof PointerFace {
  let face = structFaces.get(type);
  if (face === undefined) {
    face = class extends PointerFace {};
    for (const [name, fieldType] of Object.entries(type.fields)) {
      const offset = type.offsets.get(name) ?? 0;
      Object.defineProperty(face.prototype, name, {
        enumerable: true,
        get(this: PointerFace) {
          return faceAt(build.pointedTo(this[NODE], offset), resolveSelf(fieldType as Pointee, type));
        },
      });
    }
    structFaces.set(type, face);
  }
  return face;
}

function resolveSelf(type: Pointee, owner: AnyStruct): Pointee {
  return type.kind === "pointer" && (type.to as { kind: string }).kind === "self" ? ptr(owner as Pointee) : type;
}

/** The object for a pointer whose value is `node`. */
function pointerFace(node: Expression, to: Pointee): PointerFace {
  switch (to.kind) {
    case "struct":
      return new (structFace(to))(node, to);
    case "opaque":
      return new PointerFace(node, to);
    case "scalar":
    case "pointer":
    case "code":
    case "array":
      return new ElementsFace(node, to);
  }
}

/** The object for what lies at an address. */
function faceAt(address: Address, type: Pointee): Face {
  switch (type.kind) {
    case "scalar":
      return new ScalarFace(build.load(type.name, address), type);
    case "pointer":
      return pointerFace(build.load("u64", address), type.to as Pointee);
    case "code":
      return new CodeFace(build.load("u64", address), type);
    case "struct":
    case "array":
      return aggregateFace(address, type);
    case "opaque":
      throw invalid("nothing of opaque type has a place", { value: type.kind, allowed: "a cast to another type" });
  }
}

/** Always an address expression, which tells the place of a struct from the place of a pointer to it. */
function aggregateFace(address: Address, type: Pointee): PointerFace {
  return pointerFace({ kind: "address", type: "u64", address }, type);
}

export function placeAt<T extends Pointee>(address: Address, type: T): PlaceFor<T, never> {
  return faceAt(address, type) as unknown as PlaceFor<T, never>;
}

export function pointerTo<T extends Pointee>(address: Address, to: T): Pointer<T> {
  return pointerFace(build.addressValue(address), to) as unknown as Pointer<T>;
}

export function valueOf<T extends ValueType>(node: Expression, type: T): ValueFor<T> {
  const face =
    type.kind === "scalar"
      ? new ScalarFace(node, type)
      : type.kind === "code"
        ? new CodeFace(node, type)
        : pointerFace(node, type.to as Pointee);
  return face as unknown as ValueFor<T>;
}

// --- reading faces --------------------------------------------------------------------------------------------------------------

/** What a wrong operand is, for messages: its type if it is a value of the assembler. */
function describe(operand: unknown): unknown {
  if (operand instanceof Condition) return "a condition";
  if (operand instanceof PointerFace) return `ptr(${operand[TYPE].name})`;
  if (operand instanceof Face) return operand[TYPE].name;
  return typeof operand === "object" || typeof operand === "function" ? typeof operand : operand;
}

/** The wrapped expression of a value, place or pointer. */
export function nodeOf(face: unknown): Expression {
  if (face instanceof Face) return face[NODE];
  throw invalid("not a value of the assembler", {
    value: describe(face),
    allowed: "values, places, pointers; constants where a type is given",
  });
}

/** The type of the cell or value that a face stands for. */
export function typeOf(face: unknown): ScalarType | PointerType | typeof code {
  if (face instanceof PointerFace) return ptr(face[TYPE]);
  if (face instanceof Face) return face[TYPE] as ScalarType | typeof code;
  throw invalid("not a value of the assembler", { value: describe(face), allowed: "values, places, pointers" });
}

export function conditionOf(condition: Condition): ConditionNode {
  if (condition instanceof Condition) return condition[NODE];
  throw invalid("not a condition", {
    value: describe(condition),
    allowed: "comparisons such as x.eq(0), isNull(p), testBit(mask, n)",
  });
}

function scalarOperand(type: ValueName, operand: unknown): Expression {
  if (typeof operand === "number" || typeof operand === "bigint") return build.constant(type, operand);
  if (!(operand instanceof ScalarFace))
    throw invalid(`operand of ${type} arithmetic is no scalar value`, {
      value: describe(operand),
      allowed: `a ${type} value or a constant`,
    });
  const node = operand[NODE];
  if (node.type !== type)
    throw invalid(`operand of type ${node.type} where ${type} is needed`, {
      value: node.type,
      allowed: `${type}; convert with .to(${type})`,
    });
  return node;
}

function indexNode(index: Index): Expression {
  return typeof index === "number" ? build.constant("u64", index) : nodeOf(index);
}

/** The address of a cell that a load, store or atomic acts on. */
export function cellOf(place: unknown): { address: Address; type: CellType } {
  const node = nodeOf(place);
  if (node.kind !== "load")
    throw invalid("not a place in memory", {
      value: describe(place),
      allowed: "fields, globals, per-CPU variables, array elements",
    });
  return { address: node.address, type: typeOf(place) };
}

/** The expression of an operand given where a value of `type` is expected; checks what the static types can't. */
export function operandFor(type: CellType, operand: unknown): Expression {
  if (type.kind === "scalar") {
    if (typeof operand === "number" || typeof operand === "bigint") return build.constant(type.name, operand);
    const promoted: ValueName = build.constant(type.name, 0).type;
    return scalarOperand(promoted, operand);
  }
  if (operand === null) return build.constant("u64", 0);
  if (type.kind === "code") {
    if (operand instanceof CodeFace) return operand[NODE];
    throw invalid("not a code address", {
      value: describe(operand),
      allowed: "codeOf(routine), a place of type code, or null",
    });
  }
  if (!(operand instanceof PointerFace))
    throw invalid(`not a pointer where ${type.name} is needed`, {
      value: describe(operand),
      allowed: `${type.name} or null`,
    });
  if (!pointsTo(operand[TYPE], type.to)) {
    throw invalid(`pointer to ${operand[TYPE].name} where ${type.name} is needed`, {
      value: `ptr(${operand[TYPE].name})`,
      allowed: `${type.name}; or cast(pointer, type)`,
    });
  }
  return operand[NODE];
}

// --- free functions on pointers and places --------------------------------------------------------------------------------------

/** The address of a place. */
export function addressOf<S>(place: AggregatePlace<S>): Pointer<S>;
/** The address of a place in memory; locals have none. */
export function addressOf<T>(place: Target<T>): Pointer<T>;
export function addressOf(place: unknown): unknown {
  const node = nodeOf(place);
  if (place instanceof PointerFace && node.kind === "address") return place;
  const { address, type } = cellOf(place);
  return pointerFace(build.addressValue(address), type);
}

/** True if the pointer or code address is 0. */
export function isNull(pointer: AnyPointer | CodeValue): Condition {
  return new Condition(build.compare("eq", nodeOf(pointer), build.constant("u64", 0)));
}

/** True if both point to the same address. */
export function same<P extends AnyPointer | AggregatePlace<unknown> | CodeValue>(one: P, other: P): Condition {
  return new Condition(build.compare("eq", nodeOf(one), nodeOf(other)));
}

/** The same address seen as a pointer to another type; also from a u64 that holds an address. */
export function cast<T extends Pointee>(pointer: AnyPointer | CodeValue | Value<"u64">, to: T): Pointer<T> {
  const node = nodeOf(pointer);
  if (node.type !== "u64") {
    throw invalid("only pointers, code addresses and u64 values can be cast to a pointer", {
      value: node.type,
      allowed: "u64",
    });
  }
  return pointerFace(node, to) as unknown as Pointer<T>;
}

/** The address as a number. */
export function asInteger(pointer: AnyPointer | CodeValue): Value<"u64"> {
  return valueOf(nodeOf(pointer), u64);
}

/** The u64 as the address of a routine. */
export function asCode(address: Value<"u64">): CodeValue {
  return valueOf(nodeOf(address), code);
}

/** The struct whose field `field` the pointer points to. */
export function containerOf<S extends AnyStruct>(
  pointer: AnyPointer,
  type: S,
  field: keyof S["fields"] & string,
): Pointer<S> {
  const offset = type.offsets.get(field);
  if (offset === undefined) throw noField(type, field);
  return pointerFace(build.addressValue(build.pointedTo(nodeOf(pointer), -offset)), type) as unknown as Pointer<S>;
}

/** Struct number `index` of an array that starts at the pointer. */
export function structAt<S extends AnyStruct>(pointer: Pointer<S>, index: Index): StructPlace<S> {
  const type = (pointer as unknown as Face)[TYPE] as S;
  return aggregateFace(build.element(nodeOf(pointer), indexNode(index), type.bytes), type) as unknown as StructPlace<S>;
}

/** The place of the array's or struct's bytes as elements of another scalar type. */
export function elementsOf<T extends CellType>(place: AggregatePlace<ArrayType> | AnyPointer, type: T): Pointer<T> {
  return pointerFace(nodeOf(place), type) as unknown as Pointer<T>;
}

/** Bit `bit` of the bitmap that starts there: 64-bit words, least significant bit first. A plain load. */
export function testBit(
  bitmap: AnyPointer | AggregatePlace<unknown>,
  bit: number | Value<"u32"> | Value<"u64">,
): Condition {
  return new Condition({ kind: "bit", address: build.pointedTo(nodeOf(bitmap)), bit: bitNode(bit) });
}

/** Bit numbers are handled as 64-bit values, as the architectures do. */
export function bitNode(bit: number | Value<"u32"> | Value<"u64">): Expression {
  if (typeof bit === "number") return build.constant("u64", bit);
  return build.convert("u64", nodeOf(bit));
}

/** A constant of a given type, where no other operand gives it one. */
export function constant<N extends ValueName>(type: ScalarType<N>, value: number | bigint): Value<N> {
  return new ScalarFace(build.constant(type.name, value), type) as unknown as Value<N>;
}
