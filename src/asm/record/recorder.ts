// The builder `k` that a routine's body receives: locals, control flow, calls and architecture blocks. Effects are in effects.ts.
//
// A routine's callback runs once and only records. The result is a tree (tree.ts) that is lowered per architecture.

import { here } from "../source.ts";
import type { SourceMark } from "../source.ts";
import type {
  AnyStruct,
  CodeType,
  NothingType,
  OpaqueType,
  PointerType,
  ResultType,
  ScalarType,
  ValueName,
  ValueType,
} from "../types.ts";
import { opaque, ptr, roundUp, u64 } from "../types.ts";
import type { ArchBodies, ArchOptions, ArchUses } from "./arch.ts";
import { archUses } from "./arch.ts";
import type { ArgumentsFor, NamedType, Signature } from "./callable.ts";
import { Callable, registerType } from "./callable.ts";
import { EffectRecorder } from "./effects.ts";
import * as build from "./expressions.ts";
import type { Condition } from "./faces.ts";
import { nodeOf, operandFor, typeOf, unchecked, valueOf } from "./faces.ts";
import type { Expression, FrameSlot, Local as LocalVariable, Recording } from "./tree.ts";
import type {
  CodePlace,
  CodeValue,
  Local,
  LocalFor,
  Operand,
  OperandFor,
  Pointer,
  PointerLocal,
  ResultFor,
  Target,
  Unchecked,
  Value,
  ValueFor,
} from "./values.ts";

type Body = () => void;
type LoopCondition = Condition | (() => Condition);
/** One value or several that select the same case. */
export type Case = readonly [number | bigint | readonly (number | bigint)[], Body];
type ReturnArguments<R> = R extends NothingType ? [] : [value: OperandFor<R>];

/** The stack is aligned to this at calls by both ABIs. */
const STACK_ALIGN = 16;
const LINE_BYTES = 64;
/** Names stand in notes of ELF files, between blanks and equals signs. */
const LOCAL_NAME = /^[A-Za-z_$][\w$]*$/;
const NAME_RULE = "letters, digits, _ and $, not starting with a digit";

/**
 * What a routine's body receives as `k`. Each method records one statement at the caller's source line.
 * @throws ASSEMBLY_INVALID at that line, for mistakes that the static types can't exclude
 */
export class Recorder<R extends ResultType = ResultType> extends EffectRecorder {
  readonly #result: ResultType;
  readonly #parameters: LocalVariable[] = [];

  constructor(name: string, result: ResultType) {
    super(name);
    this.#result = result;
  }

  /** For the routine that owns the recording: the faces of its parameters. */
  declareParameters(parameters: readonly NamedType[]): Record<string, unknown> {
    const faces: Record<string, unknown> = {};
    for (const { name, type } of parameters) {
      const local = this.state.local(name, registerType(type), true);
      this.#parameters.push(local);
      faces[name] = valueOf({ kind: "local", type: local.type, local }, type);
    }
    return faces;
  }

  /** For the routine that owns the recording: the finished tree. */
  finish(): Recording {
    const hasResult = this.#result.kind !== "nothing";
    this.state.finish(hasResult);
    return {
      name: this.state.name,
      parameters: this.#parameters,
      result: this.#result.kind === "nothing" ? undefined : registerType(this.#result),
      locals: this.state.locals,
      frameSlots: this.state.frameSlots,
      body: this.state.body,
      statementCount: this.state.statementCount,
    };
  }

  // --- locals -------------------------------------------------------------------------------------------------------------------

  /** Declares a local with a start value: evaluates the expression here, once. A constant or null needs the type. */
  let<N extends ValueName>(name: string, value: Value<N>): Local<N>;
  let<P>(name: string, value: Pointer<P>): PointerLocal<P>;
  let(name: string, value: CodeValue): CodePlace;
  let<T extends ScalarType<ValueName> | PointerType | CodeType>(
    name: string,
    value: OperandFor<T>,
    type: T,
  ): LocalFor<T>;
  let(name: string, value: unknown, given?: ValueType): unknown {
    const type = given ?? typeOf(value);
    const node = this.state.checked(given === undefined ? nodeOf(value) : operandFor(given, value));
    return this.#declare(here(), name, node, type.kind === "scalar" ? promotedType(node) : type);
  }

  #declare(source: SourceMark, name: string, value: Expression, type: ValueType): unknown {
    if (!LOCAL_NAME.test(name)) throw this.state.refuse("a local needs a name", { value: name, allowed: NAME_RULE });
    const local = this.state.local(name, value.type, true);
    this.state.add(source, { kind: "set", local, value });
    return valueOf({ kind: "local", type: local.type, local }, type);
  }

  /** Assigns to a local, or stores plainly to a place in memory. */
  set<T>(target: Target<T>, value: OperandFor<T>): void {
    const node = nodeOf(target);
    if (node.kind === "load") {
      this.store(here(), target, value, "plain");
      return;
    }
    const local = this.mutableLocal(target);
    this.state.add(here(), { kind: "set", local, value: this.state.checked(operandFor(typeOf(target), value)) });
  }

  /** The condition as 1 or 0. */
  bool(condition: Condition): Value<"u32"> {
    const source = here();
    const node = this.state.consume(condition);
    const { local, value } = this.fresh(scalarU32);
    this.state.add(source, { kind: "bool", result: local, condition: node });
    return value as Value<"u32">;
  }

  /** Room in this routine's stack frame. `alignAt` puts it that many bytes behind a 64-byte line boundary. */
  stackStruct<S extends AnyStruct>(
    name: string,
    type: S,
    options: { readonly alignAt?: number } = {},
  ): PointerLocal<S> {
    const { alignAt } = options;
    const source = here();
    const aligned = alignAt === undefined;
    if (alignAt !== undefined && (alignAt % type.align !== 0 || alignAt < 0 || alignAt >= LINE_BYTES)) {
      throw this.state.refuse(`stack struct ${name} can't be aligned so`, {
        value: alignAt,
        allowed: `multiples of ${type.align} below ${LINE_BYTES}`,
      });
    }
    if (type.align > STACK_ALIGN)
      throw this.state.refuse(`stack struct ${name} needs more than ${STACK_ALIGN}-byte alignment`, {
        value: type.align,
        allowed: `up to ${STACK_ALIGN}`,
      });
    const slot: FrameSlot = {
      index: this.state.frameSlots.length,
      name,
      bytes: roundUp(type.bytes, 8) + (aligned ? 0 : LINE_BYTES),
      align: STACK_ALIGN,
    };
    this.state.frameSlots.push(slot);
    const start = { base: { kind: "frame", slot }, index: undefined, scale: 1, offset: 0 } as const;
    const pointer = aligned ? build.addressValue(start) : alignedWithin(build.addressValue(start), alignAt);
    // A local even where the address is a constant distance from sp, so that a mark shows where the block lies.
    return this.#declare(source, name, pointer, ptr(type)) as PointerLocal<S>;
  }

  /** Where this CPU's per-CPU block starts, for several accesses in a row. */
  perCpuBase(): Pointer<OpaqueType> {
    const base = { kind: "thisCpu", variable: undefined } as const;
    const value = build.addressValue({ base, index: undefined, scale: 1, offset: 0 });
    return this.#declare(here(), "percpu", value, ptr(opaque)) as Pointer<OpaqueType>;
  }

  /** The author vouches that the divisor is not 0 (and not -1 under the smallest value). */
  unchecked<N extends ValueName>(divisor: Value<N>): Unchecked<N> {
    return unchecked(divisor);
  }

  // --- control flow -------------------------------------------------------------------------------------------------------------

  if(condition: Condition, then: Body, otherwise?: Body): void {
    const source = here();
    const node = this.state.consume(condition);
    const thenBlock = this.state.inside(then);
    const otherBlock = otherwise === undefined ? undefined : this.state.inside(otherwise);
    this.state.add(source, { kind: "if", condition: node, then: thenBlock, otherwise: otherBlock });
    if (!thenBlock.reachable && otherBlock?.reachable === false) this.state.end();
  }

  /** Tests before each turn. A condition with effects must be a function. */
  while(condition: LoopCondition, body: Body): void {
    const source = here();
    const test = this.state.loopCondition(condition, "while", undefined);
    const { body: block } = this.state.inLoop(() => this.state.inside(body));
    this.state.add(source, { kind: "loop", form: "while", ...test, body: block, step: undefined });
  }

  /** Tests after each turn. The condition may use locals of the body. */
  doWhile(body: Body, condition: LoopCondition): void {
    const source = here();
    const { body: block } = this.state.inLoop(() => this.state.inside(body));
    const test = this.state.loopCondition(condition, "doWhile", block);
    this.state.add(source, { kind: "loop", form: "doWhile", ...test, body: block, step: undefined });
  }

  /** Repeats until a break or a return. */
  loop(body: Body): void {
    const source = here();
    const { body: block, broken } = this.state.inLoop(() => this.state.inside(body));
    const prelude = this.state.inside(() => undefined);
    const condition = { kind: "literal", value: true } as const;
    this.state.add(source, { kind: "loop", form: "forever", prelude, condition, body: block, step: undefined });
    if (!broken) this.state.end();
  }

  /** Counts from `from` while below `limit`, which is evaluated anew before each turn. */
  for<N extends ValueName = "u32">(
    name: string,
    from: Operand<N>,
    limit: Operand<N>,
    body: (index: Local<N>) => void,
    options: { readonly step?: number } = {},
  ): void {
    const source = here();
    const type = counterType(from) ?? counterType(limit) ?? "u32";
    const scalar = { ...scalarU32, name: type };
    const start = this.state.checked(operandFor(scalar, from));
    const index = this.#declare(source, name, start, scalar) as Local<N>;
    const local = this.mutableLocal(index);
    const node = nodeOf(index);
    const end = this.state.checked(operandFor(scalar, limit));
    const condition = build.compare("lt", node, end);
    const { body: block } = this.state.inLoop(() =>
      this.state.inside(() => {
        body(index);
      }),
    );
    const step = this.state.inside(() => {
      const value = build.binary("add", node, build.constant(type, options.step ?? 1));
      this.state.add(source, { kind: "set", local, value });
    });
    const prelude = this.state.inside(() => undefined);
    // Constant bounds that allow a first turn need no test before it.
    const entersOnce = start.kind === "constant" && end.kind === "constant" && start.value < end.value;
    const form = entersOnce ? "doWhile" : "while";
    this.state.add(source, { kind: "loop", form, prelude, condition, body: block, step });
  }

  break(): void {
    this.state.add(here(), { kind: "break" });
    this.state.leaveLoop("break");
  }
  continue(): void {
    this.state.add(here(), { kind: "continue" });
    this.state.leaveLoop("continue");
  }

  /** Runs the first case that has the value; cases do not fall through. */
  switch<N extends ValueName>(value: Value<N>, cases: readonly Case[], otherwise?: Body): void {
    const source = here();
    const node = this.state.checked(nodeOf(value));
    const seen = new Set<bigint>();
    const recorded = cases.map(([given, body]) => {
      const values = (Array.isArray(given) ? (given as (number | bigint)[]) : [given as number | bigint]).map((one) =>
        build.checkedConstant(node.type, one),
      );
      if (values.length === 0)
        throw this.state.refuse("a case without a value", { value: given, allowed: "one value or several" });
      for (const one of values) {
        if (seen.has(one))
          throw this.state.refuse("two cases of one value", { value: one, allowed: "different values" });
        seen.add(one);
      }
      return { values, body: this.state.inside(body) };
    });
    const otherBlock = otherwise === undefined ? undefined : this.state.inside(otherwise);
    this.state.add(source, { kind: "switch", value: node, cases: recorded, otherwise: otherBlock });
    if (otherBlock?.reachable === false && recorded.every(({ body }) => !body.reachable)) this.state.end();
  }

  return(...value: ReturnArguments<R>): void {
    const source = here();
    const given: unknown = value[0];
    if (this.#result.kind === "nothing") {
      if (given !== undefined) {
        throw this.state.refuse("a return value in a routine without a result", {
          value: typeof given,
          allowed: "k.return()",
        });
      }
      this.state.add(source, { kind: "return", value: undefined });
    } else {
      if (given === undefined) {
        throw this.state.refuse("a return without a value", {
          allowed: `k.return(value) of type ${this.#result.name}`,
        });
      }
      this.state.add(source, { kind: "return", value: this.state.checked(operandFor(this.#result, given)) });
    }
    this.state.end();
  }

  // --- calls --------------------------------------------------------------------------------------------------------------------

  call<P, T extends ResultType>(target: Callable<P, T>, ...values: ArgumentsFor<P>): ResultFor<T> {
    const result = this.#call(here(), target.name, target, target.signature, values);
    if (target.noReturn) this.state.end();
    return result as ResultFor<T>;
  }

  /** Calls what a place or value of type `code` holds. */
  callPointer<P, T extends ResultType>(
    target: CodeValue,
    as: Signature<P, T>,
    ...values: ArgumentsFor<P>
  ): ResultFor<T> {
    return this.#call(here(), "the pointer", this.state.checked(nodeOf(target)), as, values) as ResultFor<T>;
  }

  #call(
    source: SourceMark,
    name: string,
    target: Callable | Expression,
    type: Signature,
    values: readonly unknown[],
  ): unknown {
    if (values.length !== type.parameters.length) {
      throw this.state.refuse(`call of ${name} with another number of arguments`, {
        value: values.length,
        allowed: `${type.parameters.length}`,
      });
    }
    const nodes = type.parameters.map((parameter, i) => this.state.checked(operandFor(parameter.type, values[i])));
    const fresh = type.result.kind === "nothing" ? undefined : this.fresh(type.result);
    this.state.add(source, {
      kind: "call",
      target,
      parameters: type.parameters.map((parameter) => registerType(parameter.type)),
      arguments: nodes,
      result: fresh?.local,
      returns: !(target instanceof Callable && target.noReturn),
    });
    return fresh?.value;
  }

  // --- one architecture only ----------------------------------------------------------------------------------------------------

  /** Direct instructions, per architecture. An image of an architecture without a body here can't be built. */
  arch<const U extends ArchUses = Record<never, never>, T extends ValueType = ValueType>(
    bodies: ArchBodies<keyof U & string>,
    options: ArchOptions<U, T> & { readonly result: T },
  ): ValueFor<T>;
  arch<const U extends ArchUses = Record<never, never>>(
    bodies: ArchBodies<keyof U & string>,
    options?: ArchOptions<U, undefined>,
  ): void;
  arch(bodies: ArchBodies<string>, options: ArchOptions<ArchUses, ValueType | undefined> = {}): unknown {
    const source = here();
    const uses = archUses(options.uses ?? {});
    for (const { value } of uses) this.state.checked(value);
    const fresh = options.result === undefined ? undefined : this.fresh(options.result);
    this.state.add(source, {
      kind: "arch",
      block: {
        x64: bodies.x64,
        arm64: bodies.arm64,
        uses,
        result: fresh?.local,
        resultIn: options.resultIn ?? {},
        clobbers: { x64: options.clobbers?.x64 ?? [], arm64: options.clobbers?.arm64 ?? [] },
        calls: options.calls ?? false,
      },
    });
    return fresh?.value;
  }
}

const scalarU32: ScalarType<ValueName> = { kind: "scalar", name: "u32", bytes: 4, align: 4, signed: false };

function promotedType(node: Expression): ScalarType<ValueName> {
  return { ...scalarU32, name: node.type };
}

function counterType(operand: unknown): ValueName | undefined {
  return typeof operand === "number" || typeof operand === "bigint" ? undefined : nodeOf(operand).type;
}

/** The lowest address from `start` on that lies `distance` bytes behind a line boundary. */
function alignedWithin(start: Expression, distance: number): Expression {
  const line = BigInt(LINE_BYTES);
  const offset = BigInt(distance);
  const raised = build.binary("add", start, build.constant(u64.name, line - 1n - offset));
  const boundary = build.binary("and", raised, build.constant(u64.name, BigInt.asUintN(64, -line)));
  return build.binary("add", boundary, build.constant(u64.name, offset));
}

/** The type of `k` in inline functions that routines of any result share. */
export type Builder = Recorder<never>;
