// Random expressions, places and conditions of a routine.
//
// Operands are chosen to collide (equal values, 0, -1, limits of types, shift counts of width - 1), because a wrong comparison shows
// only on equal operands.

import { addressOf, asInteger, cast, i32, i64, isNull, same, structAt, testBit, u64 } from "../../../src/asm/index.ts";
import type { Builder, Condition, Value, ValueName } from "../../../src/asm/index.ts";
import type { Random } from "./random.ts";
import { Inner, smallOption, wideOption, TYPES, SCALARS, randomConstant } from "./random-memory.ts";
import type { Block, Types, Surroundings, KnownLocal, AnyValue } from "./random-memory.ts";

/** Records random expressions. The generator is untyped inside: it knows each value's type by name. */
export class ExpressionGenerator {
  protected readonly k: Builder;
  protected readonly random: Random;
  protected readonly surroundings: Surroundings;
  protected readonly block: Block;
  /** Innermost scope last. */
  protected readonly scopes: KnownLocal[][] = [[]];
  protected names = 0;
  protected loopDepth = 0;
  protected loopKinds: ("counted" | "other")[] = [];

  constructor(k: Builder, random: Random, surroundings: Surroundings, block: Block) {
    this.k = k;
    this.random = random;
    this.surroundings = surroundings;
    this.block = block;
  }

  addLocal(type: Types, value: unknown, mutable: boolean): void {
    this.scopes.at(-1)?.push({ type, value: value as Value<ValueName>, mutable });
  }

  protected name(): string {
    return `v${this.names++}`;
  }

  /** Everything that lives at the end, folded into one number. */
  digest(): Value<"u64"> {
    let sum = this.convert("u64", this.value("u64", 1));
    for (const { type, value } of this.scopes.flat()) {
      void type;
      sum = sum.mul(31).add((value as AnyValue).to(u64));
    }
    return sum;
  }

  protected inScope(record: () => void): void {
    this.scopes.push([]);
    record();
    this.scopes.pop();
  }

  // --- expressions ----------------------------------------------------------------------------------------------------------------

  protected convert<T extends Types>(type: T, value: unknown): Value<T> {
    return (value as AnyValue).to(SCALARS[type]) as unknown as Value<T>;
  }

  protected value(type: Types, depth: number): AnyValue {
    return (depth <= 0 || this.random.chance(0.15) ? this.leaf(type) : this.operation(type, depth)) as AnyValue;
  }

  protected leaf(type: Types): Value<ValueName> {
    const random = this.random;
    const locals = this.scopes.flat();
    switch (random.below(4)) {
      case 0:
        return this.constantLike(type);
      case 1:
        return this.convert(type, this.place());
      default: {
        const exact = locals.filter((local) => local.type === type);
        if (exact.length > 0 && random.chance(0.8)) return random.pick(exact).value;
        return locals.length > 0 ? this.convert(type, random.pick(locals).value) : this.constantLike(type);
      }
    }
  }

  /** A constant in a form that the builder accepts as first operand. */
  protected constantLike(type: Types): Value<ValueName> {
    if (this.random.chance(0.2)) return this.convert(type, this.random.pick([smallOption, wideOption]));
    const zero = this.convert(type, this.block.a32.to(u64)).and(0);
    return (zero as AnyValue).add(randomConstant(this.random, type));
  }

  /** A place of the block, of a neighbour, of a global or of a per-CPU area. */
  protected place(): unknown {
    const random = this.random;
    const { shared, area, cpus } = this.surroundings;
    const block = random.chance(0.2) ? this.block.next : this.block;
    const index = (limit: number): Value<"u32"> =>
      random.chance(0.1) && limit > 3
        ? smallOption
        : this.convert("u32", this.value(random.pick(TYPES), 1)).and(limit - 1);
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

  protected operation(type: Types, depth: number): Value<ValueName> {
    const random = this.random;
    const width = type.endsWith("32") ? 32 : 64;
    const left = this.value(type, depth - 1);
    const operand = (): never =>
      (random.chance(0.35)
        ? randomConstant(random, type)
        : random.chance(0.15)
          ? left
          : this.value(type, depth - 1)) as never;
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
        return left.shl(this.count(width));
      case 9:
        return left.shr(this.count(width));
      case 10:
        return this.division(type, left);
      case 11:
        return random.chance(0.5) ? left.neg() : left.not();
      case 12:
        return random.chance(0.5) ? left.ctz() : left.clz();
      case 13:
        return this.convert(type, this.value(random.pick(TYPES), depth - 1));
      case 14:
        return left.and(this.value(type, depth - 1).not());
      case 15:
        return left.add(this.value(type, depth - 1).mul(this.value(type, depth - 2)));
      default:
        return this.convert(
          type,
          asInteger(addressOf(this.block.inner))
            .sub(asInteger(this.block))
            .add(this.value("u64", 1) as never),
        );
    }
  }

  protected count(width: number): never {
    const random = this.random;
    if (random.chance(0.5)) return random.pick([0, 1, 3, width - 1, width, width + 3]) as never;
    return this.value("u32", 1) as never;
  }

  protected division(type: Types, left: AnyValue): Value<ValueName> {
    const random = this.random;
    const operator = random.chance(0.5) ? "div" : "rem";
    if (random.chance(0.5)) {
      const constant = randomConstant(random, type);
      return left[operator](constant === 0n ? 10n : constant);
    }
    // Odd and below 128: neither 0 nor -1.
    const divisor = this.value(type, 1).and(0x7f).or(1);
    return left[operator](this.k.unchecked(divisor));
  }

  protected condition(depth: number): Condition {
    const random = this.random;
    if (depth > 0 && random.chance(0.4)) {
      const left = this.condition(depth - 1);
      switch (random.below(3)) {
        case 0:
          return left.and(this.condition(depth - 1));
        case 1:
          return left.or(this.condition(depth - 1));
        default:
          return left.not();
      }
    }
    switch (random.below(8)) {
      case 0:
        return testBit(this.block.bits, random.chance(0.5) ? random.below(192) : this.bitNumber());
      case 1:
        return random.chance(0.5) ? isNull(this.block.next) : same(this.block.next, this.block);
      case 2: {
        const mask = 1n << BigInt(random.below(31));
        const value = this.value("u32", 1).and(mask);
        return random.chance(0.5) ? value.eq(0) : value.ne(0);
      }
      default:
        return this.comparison(random.pick(TYPES));
    }
  }

  protected comparison(type: Types): Condition {
    const random = this.random;
    // Constants on the left are turned round.
    const left = (random.chance(0.15) ? this.constantLike(type) : this.value(type, random.below(3))) as AnyValue;
    // A place that compares with itself, or with a neighbour of the same value.
    const right = random.chance(0.4)
      ? randomConstant(random, type)
      : random.chance(0.2)
        ? left
        : this.value(type, random.below(2));
    const operator = random.pick(["eq", "ne", "lt", "le", "gt", "ge"] as const);
    return left[operator](right);
  }

  protected bitNumber(): Value<"u32"> {
    return this.value("u32", 1).and(127);
  }
}
