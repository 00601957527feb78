// Random statements of a routine: stores, atomics, calls, branches, loops.
//
// Loops count in a private local or a private memory cell, so that all programs end.

import { asInteger, cast, codeOf, ptr, signature, u32, u64 } from "../../../src/asm/index.ts";
import type { Condition, Local, Routine, Value } from "../../../src/asm/index.ts";
import type { Recorder } from "../../../src/asm/record/recorder.ts";
import type { Random } from "./random.ts";
import { Inner, TestBlock, TYPES, randomConstant } from "./random-memory.ts";
import type { Types, AnyValue } from "./random-memory.ts";
import { ExpressionGenerator } from "./random-expressions.ts";

const handlerSignature = signature([{ block: ptr(TestBlock) }, { value: u64 }], u64);

/** Records random statements. */
export class RoutineGenerator extends ExpressionGenerator {
  body(statements: number): void {
    // Many values that live long force spills.
    if (this.random.chance(0.3)) {
      for (let i = this.random.between(8, 20); i > 0; i--) this.let();
    }
    for (let i = 0; i < statements; i++) this.statement(2);
  }

  // --- statements -----------------------------------------------------------------------------------------------------------------

  protected let(): void {
    const type = this.random.pick(TYPES);
    const value = this.k.let(this.name(), this.value(type, this.random.between(0, 3)));
    this.addLocal(type, value, true);
  }

  protected statement(depth: number): void {
    const random = this.random;
    const choice = random.below(depth > 0 ? 27 : 15);
    switch (choice) {
      case 0:
      case 1:
        this.let();
        return;
      case 2:
      case 3:
        this.set();
        return;
      case 4:
      case 5:
        this.store();
        return;
      case 6:
        this.orderedAccess();
        return;
      case 7:
      case 8:
        this.update();
        return;
      case 9:
      case 10:
        this.exchange();
        return;
      case 11:
        this.bits();
        return;
      case 12:
        this.call();
        return;
      case 13:
        this.addLocalOf("u32", this.k.bool(this.condition(2)));
        return;
      case 14:
        this.fence();
        return;
      case 15:
      case 16:
      case 17:
        this.if(depth);
        return;
      case 18:
        this.effectCondition(depth);
        return;
      case 19:
      case 20:
        this.loop(depth);
        return;
      case 21:
        this.effectfulLoop(depth);
        return;
      case 22:
        this.switch(depth);
        return;
      case 23:
        this.stack();
        return;
      case 24:
        this.deepStore();
        return;
      case 25:
        this.ownAddress();
        return;
      default:
        if (random.chance(0.2)) this.k.if(this.condition(1), () => this.earlyReturn());
        else this.set();
    }
  }

  protected addLocalOf(type: Types, value: unknown): void {
    this.addLocal(type, value, false);
  }

  protected earlyReturn(): void {
    (this.k as unknown as Recorder<typeof u64>).return(this.digest());
  }

  protected set(): void {
    const targets = this.scopes.flat().filter(({ mutable }) => mutable);
    if (targets.length === 0) {
      this.let();
      return;
    }
    const { type, value } = this.random.pick(targets);
    this.k.set(value as Local<"u32">, this.value(type, this.random.between(0, 3)));
  }

  /** Stores with the type of the place: narrow ones take the promoted type. */
  protected store(): void {
    const place = this.place();
    const type = typeName(place);
    const value = this.random.chance(0.3)
      ? updateOf(place, this.random, () => this.value(type, 1))
      : this.value(type, 2);
    if (this.random.chance(0.7)) this.k.set(place as Local<"u32">, value as AnyValue);
    else if (this.random.chance(0.5)) this.k.writeOnce(place as Local<"u32">, value as AnyValue);
    else this.k.storeRelease(place as Local<"u32">, value as AnyValue);
  }

  /** An expression tree deeper than any machine has registers. */
  protected deepStore(): void {
    this.k.set(this.block.a64, this.value("u64", 6) as never);
  }

  /** A local that is set from what lies where it points to. */
  protected ownAddress(): void {
    const k = this.k;
    const local = k.let(this.name(), asInteger(this.block));
    const there = cast(local, TestBlock);
    const operand = this.value("u64", 1) as never;
    k.set(
      local,
      this.random.pick([
        () => constantZero(there.a64).add(operand).sub(there.a64),
        () => constantZero(there.a64).add(operand).add(there.a64),
        () => there.longs.at(2).to(u64).mul(there.a64),
        () => there.a64,
      ])(),
    );
    this.addLocal("u64", local, true);
  }

  protected orderedAccess(): void {
    const place = this.place();
    const type = typeName(place);
    const result = this.random.chance(0.5)
      ? this.k.readOnce(place as Local<"u32">)
      : this.k.loadAcquire(place as Local<"u32">);
    this.addLocalOf(type, result);
  }

  /** A cell that atomics may work on. */
  protected cell(): { type: Types; place: Local<"u32"> } {
    const random = this.random;
    const block = this.block;
    const { shared, area } = this.surroundings;
    const index = (): Value<"u32"> => this.value("u32", 1).and(3);
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

  protected update(): void {
    const k = this.k;
    const { type, place } = this.cell();
    const value = (this.random.chance(0.4) ? randomConstant(this.random, type) : this.value(type, 2)) as AnyValue;
    this.random.pick([
      () => k.atomicAdd(place, value),
      () => k.atomicSub(place, value),
      () => k.atomicOr(place, value),
      () => k.atomicAnd(place, value),
      () => k.atomicInc(place),
      () => k.atomicDec(place),
    ])();
  }

  protected exchange(): void {
    const k = this.k;
    const { type, place } = this.cell();
    const value = (this.random.chance(0.3) ? randomConstant(this.random, type) : this.value(type, 2)) as AnyValue;
    // Sometimes expects what is there.
    const expected = this.random.chance(0.5) ? place : this.value(type, 1);
    const ordering = this.random.pick(["full", "acquire", "release", "relaxed"] as const);
    const result = this.random.pick([
      () => k.fetchAdd(place, value, ordering),
      () => k.fetchSub(place, value, ordering),
      () => k.fetchOr(place, value, ordering),
      () => k.fetchAnd(place, value, ordering),
      () => k.xchg(place, value, ordering),
      () => k.cmpxchg(place, expected, value, ordering),
    ])();
    if (this.random.chance(0.8)) this.addLocalOf(type, result);
  }

  protected bits(): void {
    const bit = this.random.chance(0.5) ? this.random.below(192) : this.bitNumber();
    if (this.random.chance(0.5)) this.k.setBit(this.block.bits, bit);
    else this.k.clearBit(this.block.bits, bit);
  }

  protected call(): void {
    const k = this.k;
    const random = this.random;
    const { callees } = this.surroundings;
    if (callees.length === 0) {
      this.let();
      return;
    }
    if (random.chance(0.25)) {
      const handler = callees[0];
      if (handler === undefined) return;
      k.set(this.block.handler, codeOf(handler));
      this.addLocalOf(
        "u64",
        k.callPointer(this.block.handler, handlerSignature, this.block, this.value("u64", 1) as never),
      );
      return;
    }
    // Callees do the heavy work; in loops only the smallest one is called.
    const target = this.loopDepth > 0 ? callees[0] : random.pick(callees.slice(-3));
    if (target === undefined) return;
    const values = target.signature.parameters.slice(1).map(({ type }) => {
      const name = type.name as Types;
      return random.chance(0.3) ? randomConstant(random, name) : this.value(name, 1);
    });
    this.addLocalOf(
      "u64",
      (k.call as (target: Routine, ...all: unknown[]) => unknown).call(k, target, this.block, ...values),
    );
  }

  protected fence(): void {
    const k = this.k;
    this.random.pick([
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
        const { place, type } = this.cell();
        k.relaxedCmpWait(place, this.value(type, 1));
      },
    ])();
  }

  protected some(depth: number): () => void {
    const count = this.random.between(1, 3);
    return () => {
      this.inScope(() => {
        for (let i = 0; i < count; i++) this.statement(depth - 1);
      });
    };
  }

  protected if(depth: number): void {
    this.k.if(this.condition(2), this.some(depth), this.random.chance(0.5) ? this.some(depth) : undefined);
  }

  protected effectCondition(depth: number): void {
    const condition = this.readModifyWrite();
    if (this.random.chance(0.3))
      this.addLocalOf("u32", this.k.bool(this.random.chance(0.3) ? condition.not() : condition));
    else this.k.if(condition, this.some(depth), this.random.chance(0.5) ? this.some(depth) : undefined);
  }

  protected readModifyWrite(): Condition {
    const k = this.k;
    const random = this.random;
    switch (random.below(5)) {
      case 0:
        return k.decAndTest(this.cell().place);
      case 1:
        return k.incAndTest(this.cell().place);
      case 2:
        return k.testAndSetBit(this.block.bits, random.chance(0.5) ? random.below(192) : this.bitNumber());
      case 3:
        return k.testAndClearBit(this.block.bits, random.chance(0.5) ? random.below(192) : this.bitNumber());
      default: {
        const { type, place } = this.cell();
        const expected = k.let(this.name(), random.chance(0.5) ? place : this.value(type, 1));
        this.addLocal(type, expected, true);
        return k.tryCmpxchg(place, expected, this.value(type, 1), random.pick(["full", "acquire"] as const));
      }
    }
  }

  protected insideLoop(kind: "counted" | "other", record: () => void): void {
    this.loopDepth++;
    this.loopKinds.push(kind);
    record();
    this.loopKinds.pop();
    this.loopDepth--;
  }

  protected loop(depth: number): void {
    if (this.loopDepth >= 2) {
      this.set();
      return;
    }
    const turns = this.random.between(0, 3);
    const statements = this.some(depth);
    const leave = this.random.chance(0.3) ? this.random.pick(["break", "continue"] as const) : undefined;
    this.k.for(this.name(), 0, turns, (index) => {
      this.insideLoop("counted", () => {
        this.inScope(() => {
          this.addLocalOf("u32", index);
          if (leave !== undefined) this.k.if(this.condition(1), () => this.k[leave]());
          statements();
        });
      });
    });
  }

  /** A condition with effects, bounded by a private counter; as while or doWhile. */
  protected effectfulLoop(depth: number): void {
    if (this.loopDepth >= 2) {
      this.set();
      return;
    }
    const k = this.k;
    const turns = k.let(this.name(), 0, u32);
    const limit = this.random.between(1, 4);
    const inMemory = this.random.chance(0.3);
    const condition = (): Condition => {
      k.set(turns, turns.add(1));
      const bounded = turns.le(limit);
      switch (this.random.below(4)) {
        case 0: {
          const { place, type } = this.cell();
          const seen: AnyValue = k.readOnce(place);
          return bounded.and(seen[this.random.pick(["ne", "lt", "ge"] as const)](randomConstant(this.random, type)));
        }
        case 1: {
          const { place, type } = this.cell();
          const old: AnyValue = k.cmpxchg(place, this.value(type, 1), this.value(type, 1));
          // Locals of a `while` condition are visible in its body and behind the loop.
          this.addLocalOf(type, old);
          return bounded.and(old.ne(this.value(type, 1)));
        }
        case 2: {
          const found = k.bool(this.readModifyWrite());
          return bounded.and(inMemory ? found.ne(2) : found.eq(0));
        }
        default: {
          const inner = k.let(this.name(), this.value("u32", 2));
          this.addLocal("u32", inner, true);
          return bounded.and(inner.ge(1)).or(turns.lt(2));
        }
      }
    };
    const body = (): void => {
      this.insideLoop("other", this.some(depth));
    };
    if (this.random.chance(0.5)) {
      k.while(condition, body);
      return;
    }
    k.doWhile(body, () => {
      // What the condition of a doWhile declares ends with it.
      this.scopes.push([]);
      const result = condition();
      this.scopes.pop();
      return result;
    });
  }

  protected switch(depth: number): void {
    const random = this.random;
    const type = random.pick(TYPES);
    const value = random.chance(0.7) ? this.value(type, 1).and(3) : this.value(type, 1);
    const cases = [0, 1, [2, 3]].slice(0, random.between(1, 3)).map((key) => [key, this.some(depth)] as const);
    this.k.switch(value, cases, random.chance(0.5) ? this.some(depth) : undefined);
  }

  /** A struct in the frame: its address never leaves the routine, since it differs between runs. */
  protected stack(): void {
    const k = this.k;
    const alignAt = this.random.chance(0.5) ? this.random.pick([0, 8, 40, 56]) : undefined;
    const local = k.stackStruct(this.name(), Inner, alignAt === undefined ? {} : { alignAt });
    k.set(local.low, this.value("u32", 1));
    k.set(local.high, this.value("i64", 1) as never);
    k.atomicAdd(local.high, this.value("i64", 1) as never);
    k.set(local.tag, local.low);
    this.addLocalOf("u32", k.let(this.name(), local.tag));
    this.addLocalOf("i64", k.readOnce(local.high));
    if (alignAt !== undefined) this.addLocalOf("u64", k.let(this.name(), asInteger(local).and(63)));
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
