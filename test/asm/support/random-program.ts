// Random typed programs by seed: routines that use every portable construct, and the calls to make on them.
//
// Operands are chosen to collide (equal values, 0, -1, limits of types, shift counts of width - 1), because a wrong comparison shows
// only on equal operands. Loops count in a private local or a private memory cell, so that all programs end.

import {
  addressOf,
  array,
  asInteger,
  cast,
  code,
  codeOf,
  global,
  i16,
  i32,
  i64,
  i8,
  imageOption,
  isNull,
  perCpu,
  ptr,
  routine,
  same,
  self,
  signature,
  struct,
  structAt,
  testBit,
  u16,
  u32,
  u64,
  u8,
} from "../../../src/asm/index.ts";
import type {
  Builder,
  Condition,
  Local,
  PlaceFor,
  Pointer,
  Routine,
  Value,
  ValueName,
} from "../../../src/asm/index.ts";
import type { Recorder } from "../../../src/asm/record/recorder.ts";
import { Random } from "./random.ts";

const Inner = struct("inner", { low: u32, high: i64, tag: u8 });

/** Memory that a routine works on: every scalar type, arrays, an embedded struct, a pointer to another block. */
export const TestBlock = struct("test_block", {
  a8: u8,
  b8: i8,
  a16: u16,
  b16: i16,
  a32: u32,
  b32: i32,
  a64: u64,
  b64: i64,
  next: ptr(self),
  inner: Inner,
  counter: u32,
  words: array(u32, 8),
  longs: array(i64, 4),
  bytes: array(u8, 8),
  shorts: array(i16, 8),
  inners: array(Inner, 3),
  bits: array(u64, 3),
  handler: code,
});

/** Known only when the image is built; small enough to be an index. */
const smallOption = imageOption("test_small_option", u32, 3);
const wideOption = imageOption("test_wide_option", i64, -0x1234_5678_9abcn);

type Block = Pointer<typeof TestBlock>;
type Types = "u32" | "i32" | "u64" | "i64";
const TYPES: readonly Types[] = ["u32", "i32", "u64", "i64"];
const SCALARS = { u32, i32, u64, i64 } as const;

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

const Shared = struct("shared_globals", { u: u32, s: i64, list: array(u64, 4), small: i8 });
const PerCpuArea = struct("test_percpu", { self: u64, number: u32, counter: u64, small: i16, list: array(u32, 4) });

function perCpuVariable() {
  return perCpu("test_area", PerCpuArea, { offset: 0 });
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

const LIMITS: Readonly<Record<Types, readonly [bigint, bigint]>> = {
  u32: [0n, 0xffff_ffffn],
  i32: [-0x8000_0000n, 0x7fff_ffffn],
  u64: [0n, 0xffff_ffff_ffff_ffffn],
  i64: [-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
};

/** Mostly values that collide with each other and with the edges of immediate fields. */
function randomConstant(random: Random, type: Types): bigint {
  const [low, high] = LIMITS[type];
  const bits = type.endsWith("32") ? 32 : 64;
  const interesting = [
    0n,
    1n,
    2n,
    3n,
    -1n,
    7n,
    127n,
    128n,
    255n,
    256n,
    4095n,
    4096n,
    0x7fff_ffffn,
    0x8000_0000n,
    0xffff_ffffn,
    low,
    high,
  ];
  const raw = random.chance(0.7) ? random.pick(interesting) : random.bits64() >> BigInt(random.below(63));
  return type.startsWith("i") ? BigInt.asIntN(bits, raw) : BigInt.asUintN(bits, raw);
}

function randomBlock(random: Random): object {
  const small = (type: Types, count: number): bigint[] =>
    Array.from({ length: count }, () => randomConstant(random, type));
  const inner = (): object => ({
    low: randomConstant(random, "u32"),
    high: randomConstant(random, "i64"),
    tag: random.below(256),
  });
  return {
    a8: random.pick([0, 1, 127, 128, 255]),
    b8: random.pick([0, 1, 127, -128, -1]),
    a16: random.pick([0, 1, 0x7fff, 0x8000, 0xffff]),
    b16: random.pick([0, 1, 0x7fff, -0x8000, -1]),
    a32: randomConstant(random, "u32"),
    b32: randomConstant(random, "i32"),
    a64: randomConstant(random, "u64"),
    b64: randomConstant(random, "i64"),
    inner: inner(),
    counter: random.below(5),
    words: small("u32", 8),
    longs: small("i64", 4),
    bytes: Array.from({ length: 8 }, () => random.below(256)),
    shorts: Array.from({ length: 8 }, () => random.between(-0x8000, 0x7fff)),
    inners: [inner(), inner(), inner()],
    bits: small("u64", 3),
  };
}

interface Surroundings {
  readonly callees: readonly Routine[];
  readonly shared: PlaceFor<typeof Shared, never>;
  readonly area: ReturnType<typeof perCpuVariable>;
  readonly cpus: number;
}

const handlerSignature = signature([{ block: ptr(TestBlock) }, { value: u64 }], u64);

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

interface KnownLocal {
  readonly type: Types;
  readonly value: Value<ValueName>;
  readonly mutable: boolean;
}

/** A value whose type is known only by name; the static one is a stand-in. */
type AnyValue = Value<"u32">;

/** Records random statements. The generator is untyped inside: it knows each value's type by name. */
class RoutineGenerator {
  readonly #k: Builder;
  readonly #random: Random;
  readonly #surroundings: Surroundings;
  readonly #block: Block;
  /** Innermost scope last. */
  readonly #scopes: KnownLocal[][] = [[]];
  #names = 0;
  #loopDepth = 0;
  #loopKinds: ("counted" | "other")[] = [];

  constructor(k: Builder, random: Random, surroundings: Surroundings, block: Block) {
    this.#k = k;
    this.#random = random;
    this.#surroundings = surroundings;
    this.#block = block;
  }

  addLocal(type: Types, value: unknown, mutable: boolean): void {
    this.#scopes.at(-1)?.push({ type, value: value as Value<ValueName>, mutable });
  }

  #name(): string {
    return `v${this.#names++}`;
  }

  /** Everything that lives at the end, folded into one number. */
  digest(): Value<"u64"> {
    let sum = this.#convert("u64", this.#value("u64", 1));
    for (const { type, value } of this.#scopes.flat()) {
      void type;
      sum = sum.mul(31).add((value as AnyValue).to(u64));
    }
    return sum;
  }

  body(statements: number): void {
    // Many values that live long force spills.
    if (this.#random.chance(0.3)) {
      for (let i = this.#random.between(8, 20); i > 0; i--) this.#let();
    }
    for (let i = 0; i < statements; i++) this.#statement(2);
  }

  #inScope(record: () => void): void {
    this.#scopes.push([]);
    record();
    this.#scopes.pop();
  }

  // --- expressions ----------------------------------------------------------------------------------------------------------------

  #convert<T extends Types>(type: T, value: unknown): Value<T> {
    return (value as AnyValue).to(SCALARS[type]) as unknown as Value<T>;
  }

  #value(type: Types, depth: number): AnyValue {
    return (depth <= 0 || this.#random.chance(0.15) ? this.#leaf(type) : this.#operation(type, depth)) as AnyValue;
  }

  #leaf(type: Types): Value<ValueName> {
    const random = this.#random;
    const locals = this.#scopes.flat();
    switch (random.below(4)) {
      case 0:
        return this.#constantLike(type);
      case 1:
        return this.#convert(type, this.#place());
      default: {
        const exact = locals.filter((local) => local.type === type);
        if (exact.length > 0 && random.chance(0.8)) return random.pick(exact).value;
        return locals.length > 0 ? this.#convert(type, random.pick(locals).value) : this.#constantLike(type);
      }
    }
  }

  /** A constant in a form that the builder accepts as first operand. */
  #constantLike(type: Types): Value<ValueName> {
    if (this.#random.chance(0.2)) return this.#convert(type, this.#random.pick([smallOption, wideOption]));
    const zero = this.#convert(type, this.#block.a32.to(u64)).and(0);
    return (zero as AnyValue).add(randomConstant(this.#random, type));
  }

  /** A place of the block, of a neighbour, of a global or of a per-CPU area. */
  #place(): unknown {
    const random = this.#random;
    const { shared, area, cpus } = this.#surroundings;
    const block = random.chance(0.2) ? this.#block.next : this.#block;
    const index = (limit: number): Value<"u32"> =>
      random.chance(0.1) && limit > 3
        ? smallOption
        : this.#convert("u32", this.#value(random.pick(TYPES), 1)).and(limit - 1);
    switch (random.below(20)) {
      case 0:
        return block.a8;
      case 1:
        return block.b8;
      case 2:
        return block.a16;
      case 3:
        return block.b16;
      case 4:
        return block.a32;
      case 5:
        return block.b32;
      case 6:
        return block.a64;
      case 7:
        return block.b64;
      case 8:
        return block.inner.low;
      case 9:
        return block.inner.high;
      case 10:
        return block.words.at(random.chance(0.5) ? random.below(8) : index(8));
      case 11:
        return block.longs.at(random.chance(0.3) ? random.below(4) : index(4).to(random.chance(0.5) ? u64 : i64));
      case 12:
        return block.bytes.at(index(8));
      case 13:
        return block.shorts.at(index(8).to(i32));
      case 14:
        return block.inners.at(index(2)).high;
      case 15:
        return structAt(cast(addressOf(block.inners), Inner), index(2)).tag;
      case 16:
        return random.chance(0.5) ? shared.u : shared.s;
      case 17:
        return random.chance(0.5) ? shared.list.at(index(4)) : shared.small;
      case 18:
        return random.chance(0.5) ? area.here.counter : area.here.list.at(index(4));
      default: {
        const cpu = random.chance(0.5) ? random.below(cpus) : index(cpus);
        return random.chance(0.5) ? area.of(cpu).small : area.of(cpu).list.at(index(4));
      }
    }
  }

  #operation(type: Types, depth: number): Value<ValueName> {
    const random = this.#random;
    const width = type.endsWith("32") ? 32 : 64;
    const left = this.#value(type, depth - 1);
    const operand = (): never =>
      (random.chance(0.35)
        ? randomConstant(random, type)
        : random.chance(0.15)
          ? left
          : this.#value(type, depth - 1)) as never;
    switch (random.below(17)) {
      case 0:
      case 1:
        return left.add(operand());
      case 2:
      case 3:
        return left.sub(operand());
      case 4:
        return left.mul(operand());
      case 5:
        return left.and(operand());
      case 6:
        return left.or(operand());
      case 7:
        return left.xor(operand());
      case 8:
        return left.shl(this.#count(width));
      case 9:
        return left.shr(this.#count(width));
      case 10:
        return this.#division(type, left);
      case 11:
        return random.chance(0.5) ? left.neg() : left.not();
      case 12:
        return random.chance(0.5) ? left.ctz() : left.clz();
      case 13:
        return this.#convert(type, this.#value(random.pick(TYPES), depth - 1));
      case 14:
        return left.and(this.#value(type, depth - 1).not());
      case 15:
        return left.add(this.#value(type, depth - 1).mul(this.#value(type, depth - 2)));
      default:
        return this.#convert(
          type,
          asInteger(addressOf(this.#block.inner))
            .sub(asInteger(this.#block))
            .add(this.#value("u64", 1) as never),
        );
    }
  }

  #count(width: number): never {
    const random = this.#random;
    if (random.chance(0.5)) return random.pick([0, 1, 3, width - 1, width, width + 3]) as never;
    return this.#value("u32", 1) as never;
  }

  #division(type: Types, left: AnyValue): Value<ValueName> {
    const random = this.#random;
    const operator = random.chance(0.5) ? "div" : "rem";
    if (random.chance(0.5)) {
      const constant = randomConstant(random, type);
      return left[operator](constant === 0n ? 10n : constant);
    }
    // Odd and below 128: neither 0 nor -1.
    const divisor = this.#value(type, 1).and(0x7f).or(1);
    return left[operator](this.#k.unchecked(divisor));
  }

  #condition(depth: number): Condition {
    const random = this.#random;
    if (depth > 0 && random.chance(0.4)) {
      const left = this.#condition(depth - 1);
      switch (random.below(3)) {
        case 0:
          return left.and(this.#condition(depth - 1));
        case 1:
          return left.or(this.#condition(depth - 1));
        default:
          return left.not();
      }
    }
    switch (random.below(8)) {
      case 0:
        return testBit(this.#block.bits, random.chance(0.5) ? random.below(192) : this.#bitNumber());
      case 1:
        return random.chance(0.5) ? isNull(this.#block.next) : same(this.#block.next, this.#block);
      case 2: {
        const mask = 1n << BigInt(random.below(31));
        const value = this.#value("u32", 1).and(mask);
        return random.chance(0.5) ? value.eq(0) : value.ne(0);
      }
      default:
        return this.#comparison(random.pick(TYPES));
    }
  }

  #comparison(type: Types): Condition {
    const random = this.#random;
    // Constants on the left are turned round.
    const left = (random.chance(0.15) ? this.#constantLike(type) : this.#value(type, random.below(3))) as AnyValue;
    // A place that compares with itself, or with a neighbour of the same value.
    const right = random.chance(0.4)
      ? randomConstant(random, type)
      : random.chance(0.2)
        ? left
        : this.#value(type, random.below(2));
    const operator = random.pick(["eq", "ne", "lt", "le", "gt", "ge"] as const);
    return left[operator](right);
  }

  #bitNumber(): Value<"u32"> {
    return this.#value("u32", 1).and(127);
  }

  // --- statements -----------------------------------------------------------------------------------------------------------------

  #let(): void {
    const type = this.#random.pick(TYPES);
    const value = this.#k.let(this.#name(), this.#value(type, this.#random.between(0, 3)));
    this.addLocal(type, value, true);
  }

  #statement(depth: number): void {
    const random = this.#random;
    const choice = random.below(depth > 0 ? 27 : 15);
    switch (choice) {
      case 0:
      case 1:
        this.#let();
        return;
      case 2:
      case 3:
        this.#set();
        return;
      case 4:
      case 5:
        this.#store();
        return;
      case 6:
        this.#orderedAccess();
        return;
      case 7:
      case 8:
        this.#update();
        return;
      case 9:
      case 10:
        this.#exchange();
        return;
      case 11:
        this.#bits();
        return;
      case 12:
        this.#call();
        return;
      case 13:
        this.#addLocalOf("u32", this.#k.bool(this.#condition(2)));
        return;
      case 14:
        this.#fence();
        return;
      case 15:
      case 16:
      case 17:
        this.#if(depth);
        return;
      case 18:
        this.#effectCondition(depth);
        return;
      case 19:
      case 20:
        this.#loop(depth);
        return;
      case 21:
        this.#effectfulLoop(depth);
        return;
      case 22:
        this.#switch(depth);
        return;
      case 23:
        this.#stack();
        return;
      case 24:
        this.#deepStore();
        return;
      case 25:
        this.#ownAddress();
        return;
      default:
        if (random.chance(0.2)) this.#k.if(this.#condition(1), () => this.#earlyReturn());
        else this.#set();
    }
  }

  #addLocalOf(type: Types, value: unknown): void {
    this.addLocal(type, value, false);
  }

  #earlyReturn(): void {
    (this.#k as unknown as Recorder<typeof u64>).return(this.digest());
  }

  #set(): void {
    const targets = this.#scopes.flat().filter(({ mutable }) => mutable);
    if (targets.length === 0) {
      this.#let();
      return;
    }
    const { type, value } = this.#random.pick(targets);
    this.#k.set(value as Local<"u32">, this.#value(type, this.#random.between(0, 3)));
  }

  /** Stores with the type of the place: narrow ones take the promoted type. */
  #store(): void {
    const place = this.#place();
    const type = typeName(place);
    const value = this.#random.chance(0.3)
      ? updateOf(place, this.#random, () => this.#value(type, 1))
      : this.#value(type, 2);
    if (this.#random.chance(0.7)) this.#k.set(place as Local<"u32">, value as AnyValue);
    else if (this.#random.chance(0.5)) this.#k.writeOnce(place as Local<"u32">, value as AnyValue);
    else this.#k.storeRelease(place as Local<"u32">, value as AnyValue);
  }

  /** An expression tree deeper than any machine has registers. */
  #deepStore(): void {
    this.#k.set(this.#block.a64, this.#value("u64", 6) as never);
  }

  /** A local that is set from what lies where it points to. */
  #ownAddress(): void {
    const k = this.#k;
    const local = k.let(this.#name(), asInteger(this.#block));
    const there = cast(local, TestBlock);
    const operand = this.#value("u64", 1) as never;
    k.set(
      local,
      this.#random.pick([
        () => constantZero(there.a64).add(operand).sub(there.a64),
        () => constantZero(there.a64).add(operand).add(there.a64),
        () => there.longs.at(2).to(u64).mul(there.a64),
        () => there.a64,
      ])(),
    );
    this.addLocal("u64", local, true);
  }

  #orderedAccess(): void {
    const place = this.#place();
    const type = typeName(place);
    const result = this.#random.chance(0.5)
      ? this.#k.readOnce(place as Local<"u32">)
      : this.#k.loadAcquire(place as Local<"u32">);
    this.#addLocalOf(type, result);
  }

  /** A cell that atomics may work on. */
  #cell(): { type: Types; place: Local<"u32"> } {
    const random = this.#random;
    const block = this.#block;
    const { shared, area } = this.#surroundings;
    const index = (): Value<"u32"> => this.#value("u32", 1).and(3);
    const place: unknown = random.pick([
      () => block.a32,
      () => block.b32,
      () => block.a64,
      () => block.b64,
      () => block.words.at(index()),
      () => block.longs.at(index()),
      () => block.inner.high,
      () => shared.u,
      () => shared.list.at(index()),
      () => area.here.counter,
      () => area.of(index().and(1)).list.at(index()),
    ])();
    return { type: typeName(place), place: place as Local<"u32"> };
  }

  #update(): void {
    const k = this.#k;
    const { type, place } = this.#cell();
    const value = (this.#random.chance(0.4) ? randomConstant(this.#random, type) : this.#value(type, 2)) as AnyValue;
    this.#random.pick([
      () => k.atomicAdd(place, value),
      () => k.atomicSub(place, value),
      () => k.atomicOr(place, value),
      () => k.atomicAnd(place, value),
      () => k.atomicInc(place),
      () => k.atomicDec(place),
    ])();
  }

  #exchange(): void {
    const k = this.#k;
    const { type, place } = this.#cell();
    const value = (this.#random.chance(0.3) ? randomConstant(this.#random, type) : this.#value(type, 2)) as AnyValue;
    // Sometimes expects what is there.
    const expected = this.#random.chance(0.5) ? place : this.#value(type, 1);
    const ordering = this.#random.pick(["full", "acquire", "release", "relaxed"] as const);
    const result = this.#random.pick([
      () => k.fetchAdd(place, value, ordering),
      () => k.fetchSub(place, value, ordering),
      () => k.fetchOr(place, value, ordering),
      () => k.fetchAnd(place, value, ordering),
      () => k.xchg(place, value, ordering),
      () => k.cmpxchg(place, expected, value, ordering),
    ])();
    if (this.#random.chance(0.8)) this.#addLocalOf(type, result);
  }

  #bits(): void {
    const bit = this.#random.chance(0.5) ? this.#random.below(192) : this.#bitNumber();
    if (this.#random.chance(0.5)) this.#k.setBit(this.#block.bits, bit);
    else this.#k.clearBit(this.#block.bits, bit);
  }

  #call(): void {
    const k = this.#k;
    const random = this.#random;
    const { callees } = this.#surroundings;
    if (callees.length === 0) {
      this.#let();
      return;
    }
    if (random.chance(0.25)) {
      const handler = callees[0];
      if (handler === undefined) return;
      k.set(this.#block.handler, codeOf(handler));
      this.#addLocalOf(
        "u64",
        k.callPointer(this.#block.handler, handlerSignature, this.#block, this.#value("u64", 1) as never),
      );
      return;
    }
    // Callees do the heavy work; in loops only the smallest one is called.
    const target = this.#loopDepth > 0 ? callees[0] : random.pick(callees.slice(-3));
    if (target === undefined) return;
    const values = target.signature.parameters.slice(1).map(({ type }) => {
      const name = type.name as Types;
      return random.chance(0.3) ? randomConstant(random, name) : this.#value(name, 1);
    });
    this.#addLocalOf(
      "u64",
      (k.call as (target: Routine, ...all: unknown[]) => unknown).call(k, target, this.#block, ...values),
    );
  }

  #fence(): void {
    const k = this.#k;
    this.#random.pick([
      () => k.smpMb(),
      () => k.smpWmb(),
      () => k.smpRmb(),
      () => k.mb(),
      () => k.wmb(),
      () => k.rmb(),
      () => k.interprocessorFence(),
      () => k.instructionFence(),
      () => k.cpuRelax(),
      () => {
        const { place, type } = this.#cell();
        k.relaxedCmpWait(place, this.#value(type, 1));
      },
    ])();
  }

  #some(depth: number): () => void {
    const count = this.#random.between(1, 3);
    return () => {
      this.#inScope(() => {
        for (let i = 0; i < count; i++) this.#statement(depth - 1);
      });
    };
  }

  #if(depth: number): void {
    this.#k.if(this.#condition(2), this.#some(depth), this.#random.chance(0.5) ? this.#some(depth) : undefined);
  }

  #effectCondition(depth: number): void {
    const condition = this.#readModifyWrite();
    if (this.#random.chance(0.3))
      this.#addLocalOf("u32", this.#k.bool(this.#random.chance(0.3) ? condition.not() : condition));
    else this.#k.if(condition, this.#some(depth), this.#random.chance(0.5) ? this.#some(depth) : undefined);
  }

  #readModifyWrite(): Condition {
    const k = this.#k;
    const random = this.#random;
    switch (random.below(5)) {
      case 0:
        return k.decAndTest(this.#cell().place);
      case 1:
        return k.incAndTest(this.#cell().place);
      case 2:
        return k.testAndSetBit(this.#block.bits, random.chance(0.5) ? random.below(192) : this.#bitNumber());
      case 3:
        return k.testAndClearBit(this.#block.bits, random.chance(0.5) ? random.below(192) : this.#bitNumber());
      default: {
        const { type, place } = this.#cell();
        const expected = k.let(this.#name(), random.chance(0.5) ? place : this.#value(type, 1));
        this.addLocal(type, expected, true);
        return k.tryCmpxchg(place, expected, this.#value(type, 1), random.pick(["full", "acquire"] as const));
      }
    }
  }

  #insideLoop(kind: "counted" | "other", record: () => void): void {
    this.#loopDepth++;
    this.#loopKinds.push(kind);
    record();
    this.#loopKinds.pop();
    this.#loopDepth--;
  }

  #loop(depth: number): void {
    if (this.#loopDepth >= 2) {
      this.#set();
      return;
    }
    const turns = this.#random.between(0, 3);
    const statements = this.#some(depth);
    const leave = this.#random.chance(0.3) ? this.#random.pick(["break", "continue"] as const) : undefined;
    this.#k.for(this.#name(), 0, turns, (index) => {
      this.#insideLoop("counted", () => {
        this.#inScope(() => {
          this.#addLocalOf("u32", index);
          if (leave !== undefined) this.#k.if(this.#condition(1), () => this.#k[leave]());
          statements();
        });
      });
    });
  }

  /** A condition with effects, bounded by a private counter; as while or doWhile. */
  #effectfulLoop(depth: number): void {
    if (this.#loopDepth >= 2) {
      this.#set();
      return;
    }
    const k = this.#k;
    const turns = k.let(this.#name(), 0, u32);
    const limit = this.#random.between(1, 4);
    const inMemory = this.#random.chance(0.3);
    const condition = (): Condition => {
      k.set(turns, turns.add(1));
      const bounded = turns.le(limit);
      switch (this.#random.below(4)) {
        case 0: {
          const { place, type } = this.#cell();
          const seen: AnyValue = k.readOnce(place);
          return bounded.and(seen[this.#random.pick(["ne", "lt", "ge"] as const)](randomConstant(this.#random, type)));
        }
        case 1: {
          const { place, type } = this.#cell();
          const old: AnyValue = k.cmpxchg(place, this.#value(type, 1), this.#value(type, 1));
          // Locals of a `while` condition are visible in its body and behind the loop.
          this.#addLocalOf(type, old);
          return bounded.and(old.ne(this.#value(type, 1)));
        }
        case 2: {
          const found = k.bool(this.#readModifyWrite());
          return bounded.and(inMemory ? found.ne(2) : found.eq(0));
        }
        default: {
          const inner = k.let(this.#name(), this.#value("u32", 2));
          this.addLocal("u32", inner, true);
          return bounded.and(inner.ge(1)).or(turns.lt(2));
        }
      }
    };
    const body = (): void => {
      this.#insideLoop("other", this.#some(depth));
    };
    if (this.#random.chance(0.5)) {
      k.while(condition, body);
      return;
    }
    k.doWhile(body, () => {
      // What the condition of a doWhile declares ends with it.
      this.#scopes.push([]);
      const result = condition();
      this.#scopes.pop();
      return result;
    });
  }

  #switch(depth: number): void {
    const random = this.#random;
    const type = random.pick(TYPES);
    const value = random.chance(0.7) ? this.#value(type, 1).and(3) : this.#value(type, 1);
    const cases = [0, 1, [2, 3]].slice(0, random.between(1, 3)).map((key) => [key, this.#some(depth)] as const);
    this.#k.switch(value, cases, random.chance(0.5) ? this.#some(depth) : undefined);
  }

  /** A struct in the frame: its address never leaves the routine, since it differs between runs. */
  #stack(): void {
    const k = this.#k;
    const alignAt = this.#random.chance(0.5) ? this.#random.pick([0, 8, 40, 56]) : undefined;
    const local = k.stackStruct(this.#name(), Inner, alignAt === undefined ? {} : { alignAt });
    k.set(local.low, this.#value("u32", 1));
    k.set(local.high, this.#value("i64", 1) as never);
    k.atomicAdd(local.high, this.#value("i64", 1) as never);
    k.set(local.tag, local.low);
    this.#addLocalOf("u32", k.let(this.#name(), local.tag));
    this.#addLocalOf("i64", k.readOnce(local.high));
    if (alignAt !== undefined) this.#addLocalOf("u64", k.let(this.#name(), asInteger(local).and(63)));
  }
}

/** 0, so that what is added to it stands on the left. */
function constantZero(like: Value<"u64">): Value<"u64"> {
  return like.and(0);
}

function typeName(place: unknown): Types {
  const { type } = (place as { [key: symbol]: { type: Types } })[nodeKey(place)] ?? { type: "u64" };
  return type;
}

/** The symbol under which a face keeps its expression. */
function nodeKey(place: unknown): symbol {
  const key = Object.getOwnPropertySymbols(place).find((symbol) => symbol.description === "node");
  if (key === undefined) throw new Error("not a place");
  return key;
}

/** x op y for a store to x: becomes one instruction on memory where the architecture has it. */
function updateOf(place: unknown, random: Random, other: () => unknown): unknown {
  const operator = random.pick(["add", "sub", "and", "or", "xor"] as const);
  const right = random.chance(0.5) ? random.pick([1, 2, 127, 128]) : other();
  return (place as AnyValue)[operator](right as never);
}
