// Single constructs and known pitfalls, as written routines with known results: run on every machine and in the interpreter.

import { describe, expect, it } from "vitest";
import {
  addressOf,
  asInteger,
  asmRoutine,
  cast,
  code,
  codeOf,
  elementsOf,
  i32,
  i64,
  imageOption,
  inRegister,
  ptr,
  routine,
  same,
  signature,
  testBit,
  u16,
  u32,
  u64,
} from "../../src/asm/index.ts";
import { arm64, x64 } from "../../src/asm/index.ts";
import type { Parameter, Pointer, Recorder, ResultType, Routine, Value } from "../../src/asm/index.ts";
import type { ParameterLocals } from "../../src/asm/record/callable.ts";
import { expectSame, MACHINES, titleOf } from "./support/compare.ts";
import type { InterpreterOptions } from "./support/interpreter.ts";
import { programOf, TestBlock } from "./support/random-program.ts";

type Block = Pointer<typeof TestBlock>;
interface Case {
  readonly title: string;
  readonly routine: Routine;
  /** Arguments after the block, and the result. */
  readonly runs: readonly (readonly [readonly bigint[], bigint])[];
  readonly options?: InterpreterOptions;
}

const cases: Case[] = [];

function check<const P extends readonly Parameter[], R extends ResultType>(
  title: string,
  parameters: P,
  result: R,
  body: (k: Recorder<R>, p: Block, values: ParameterLocals<P>) => void,
  runs: Case["runs"],
  options?: InterpreterOptions,
): void {
  const name = `case_${cases.length}`;
  const all: readonly Parameter[] = [{ block: ptr(TestBlock) }, ...parameters];
  const target = routine(name, all, result, (k, faces) => {
    body(k, faces["block"] as unknown as Block, faces);
  });
  cases.push({ title, routine: target, runs, ...(options === undefined ? {} : { options }) });
}

const MINUS_ONE = 0xffff_ffff_ffff_ffffn;

// --- widths and signs ---------------------------------------------------------------------------------------------------------------

check(
  "narrowing clears the upper half even in one register (mov w,w is no no-op)",
  [{ a: u64 }],
  u64,
  (k, _p, { a }) => {
    const wide = a;
    const low = k.let("low", wide.to(u32));
    k.return(low.to(u64));
  },
  [
    [[0x1234_5678_9abc_def0n], 0x9abc_def0n],
    [[MINUS_ONE], 0xffff_ffffn],
  ],
);

check(
  "widening extends by the source's sign",
  [{ a: i32 }, { b: u32 }],
  u64,
  (k, _p, { a, b }) => {
    const signed = a;
    const unsigned = b;
    k.return(signed.to(u64).add(unsigned.to(i64).to(u64)));
  },
  [
    [[-1n, 0xffff_ffffn], BigInt.asUintN(64, -1n + 0xffff_ffffn)],
    [[-0x8000_0000n, 0n], 0xffff_ffff_8000_0000n],
  ],
);

check(
  "a 64-bit comparison with 0x8000_0000 does not sign-extend it",
  [{ a: u64 }],
  u32,
  (k, _p, { a }) => {
    k.return(k.bool(a.ge(0x8000_0000)));
  },
  [
    [[0x8000_0000n], 1n],
    [[0x7fff_ffffn], 0n],
    [[0xffff_ffff_8000_0000n], 1n],
    [[0xffff_ffff_7fff_ffffn], 1n],
  ],
);

check(
  "a 64-bit store of 0x8000_0000 keeps the upper half zero",
  [],
  u64,
  (k, p) => {
    k.set(p.a64, 0x8000_0000);
    k.set(p.longs.at(1), -0x8000_0000);
    k.return(p.a64.xor(p.longs.at(1).to(u64)));
  },
  [[[], 0xffff_ffff_0000_0000n]],
);

check(
  "8-bit immediates above 127 keep their meaning",
  [],
  u32,
  (k, p) => {
    k.set(p.a8, 200);
    k.set(p.a8, p.a8.add(100));
    k.set(p.bytes.at(0), 0x80);
    const isSame = k.bool(p.bytes.at(0).eq(0x80));
    const isAbove = k.bool(p.bytes.at(0).gt(0x7f));
    k.return(p.a8.to(u32).add(isSame.shl(8)).add(isAbove.shl(9)));
  },
  [[[], 44n + 256n + 512n]],
);

check(
  "8 and 16-bit registers are the low ones (spl, bpl, sil, dil)",
  [{ a: u32 }, { b: u32 }, { c: u32 }, { d: u32 }],
  u32,
  (k, p, { a, b, c, d }) => {
    // Values in every argument register, stored as bytes.
    [a, b, c, d].forEach((value, i) => k.set(p.bytes.at(i), value));
    k.return(p.bytes.at(0).add(p.bytes.at(1).shl(8)).add(p.bytes.at(2).shl(16)).add(p.bytes.at(3).shl(24)));
  },
  [[[0x11n, 0xff22n, 0x1_0033n, 0x44n], 0x4433_2211n]],
);

check(
  "shift counts are taken modulo the width",
  [{ a: u32 }, { n: u32 }],
  u64,
  (k, _p, { a, n }) => {
    const value = a;
    const count = n;
    k.return(value.shl(count).to(u64).shl(32).or(value.to(u64).shr(count)));
  },
  [
    [[0x8000_0001n, 33n], (2n << 32n) | (0x8000_0001n >> 33n)],
    [[0x8000_0001n, 31n], (0x8000_0000n << 32n) | 1n],
  ],
);

check(
  "signed division rounds towards zero, by -1 too",
  [{ a: i64 }, { b: i64 }],
  i64,
  (k, _p, { a, b }) => {
    const value = a;
    k.return(
      value
        .div(7)
        .add(value.rem(7))
        .add(value.div(-1))
        .add(value.rem(-1))
        .add(value.div(k.unchecked(b))),
    );
  },
  [
    [[-20n, 3n], BigInt.asUintN(64, -2n + -6n + 20n + 0n + -6n)],
    [[-(1n << 63n), 2n], BigInt.asUintN(64, -1317624576693539401n + -1n + -(1n << 63n) + -(1n << 62n))],
  ],
);

check(
  "the zero counts of zero are the width",
  [{ a: u32 }, { b: u64 }],
  u32,
  (k, _p, { a, b }) => {
    const narrow = a;
    const wide = b;
    k.return(narrow.ctz().add(narrow.clz().shl(8)).add(wide.ctz().to(u32).shl(16)).add(wide.clz().to(u32).shl(24)));
  },
  [
    [[0n, 0n], 0x4040_2020n],
    [[8n, 1n << 63n], 0x003f_1c03n],
  ],
);

// --- addresses ------------------------------------------------------------------------------------------------------------------------

check(
  "bit numbers reach beyond the first word, constant or not",
  [{ n: u32 }],
  u64,
  (k, p, { n }) => {
    for (const word of [0, 1, 2]) k.set(p.bits.at(word), 0);
    k.setBit(p.bits, n);
    k.setBit(p.bits, 130);
    const was = k.bool(k.testAndSetBit(p.bits, 65));
    const is = k.bool(testBit(p.bits, 65));
    const other = k.bool(testBit(p.bits, n));
    k.return(
      p.bits
        .at(0)
        .add(p.bits.at(1).mul(3))
        .add(p.bits.at(2).mul(5))
        .add(was.to(u64))
        .add(is.to(u64).mul(7))
        .add(other.to(u64).mul(11)),
    );
  },
  [
    [[5n], 32n + 2n * 3n + 4n * 5n + 7n + 11n],
    [[64n], 3n * 3n + 4n * 5n + 7n + 11n],
    [[191n], BigInt.asUintN(64, 2n * 3n + ((1n << 63n) + 4n) * 5n + 7n + 11n)],
  ],
);

check(
  "a base register that needs a displacement byte or a SIB byte works (rbp, r12, r13, rsp)",
  [{ a: u64 }],
  u64,
  (k, p, { a }) => {
    // Many pointers alive at once, so that every register is a base.
    const pointers = Array.from({ length: 12 }, (_, i) => k.let(`q${i}`, addressOf(p.words.at(i % 8))));
    pointers.forEach((pointer, i) => k.set(pointer.at(0), i));
    let sum: Value<"u64"> = a;
    pointers.forEach((pointer, i) => {
      sum = sum.add(
        pointer
          .at(0)
          .to(u64)
          .mul(i + 1),
      );
    });
    k.return(sum);
  },
  [
    [
      [100n],
      100n + [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].reduce((sum, i) => sum + BigInt((i < 4 ? i + 8 : i) * (i + 1)), 0n),
    ],
  ],
);

check(
  "elements of odd sizes are found, with signed and unsigned indexes",
  [{ n: u32 }, { m: i32 }],
  u64,
  (k, p, { n, m }) => {
    k.set(p.inners.at(2).low, 77);
    k.set(p.inners.at(0).high, -5);
    const middle = k.let("middle", addressOf(p.inners.at(1)));
    const before = k.let("before", cast(asInteger(middle).sub(24), u64));
    k.set(p.shorts.at(3), -7);
    const halves = k.let("halves", cast(addressOf(p.shorts.at(5)), u16));
    k.return(p.inners.at(n).low.to(u64).add(before.at(1)).add(halves.at(m).to(u64)));
  },
  [[[2n, -2n], BigInt.asUintN(64, 77n - 5n + 0xfff9n)]],
);

check(
  "large displacements are reached",
  [],
  u64,
  (k, p) => {
    const far = k.let("far", cast(asInteger(p).sub(0x12_3456), TestBlock));
    const near = cast(asInteger(far).add(0x12_3456), TestBlock);
    k.set(near.a64, 9);
    k.set(cast(asInteger(p).sub(3000), u64).at(375 + TestBlock.bytes / 8 - 1), 1);
    k.return(p.a64.add(k.bool(same(near, p)).to(u64)));
  },
  [[[], 10n]],
);

// --- liveness -------------------------------------------------------------------------------------------------------------------------

check(
  "what a while condition computes lives into the body and behind the loop",
  [{ n: u32 }],
  u64,
  (k, p, { n }) => {
    k.set(p.counter, n);
    const total = k.let("total", 0, u64);
    let seen: Value<"u32"> | undefined;
    k.while(
      () => {
        seen = k.let("seen", k.fetchSub(p.counter, 1));
        return seen.ne(0);
      },
      () => {
        // Temporaries at the top of the body must not take its register.
        const mixed = k.let("mixed", p.a64.mul(3).xor(p.a64.shl(7)).add(p.a64.shr(3)));
        const zero = k.let("zero", mixed.and(0).add(p.a64.sub(p.a64)));
        k.set(total, total.add((seen as Value<"u32">).to(u64)).add(zero));
      },
    );
    k.return(total.mul(100).add((seen as unknown as Value<"u32">).to(u64)));
  },
  [
    [[4n], 1000n],
    [[0n], 0n],
  ],
);

check(
  "the result of cmpxchg in a loop condition is alive until the branch (the spinlock that never opened)",
  [{ n: u32 }],
  u32,
  (k, p, { n }) => {
    k.set(p.counter, n);
    const turns = k.let("turns", 0, u32);
    k.while(
      () => k.cmpxchg(p.counter, 0, 1, "acquire").ne(0),
      () => {
        k.while(
          () => k.fetchSub(p.counter, 1).ne(1),
          () => k.set(turns, turns.add(1)),
        );
        k.set(turns, turns.add(100));
      },
    );
    k.return(turns.add(p.counter));
  },
  [
    [[0n], 1n],
    [[3n], 103n],
  ],
);

check(
  "a value used only behind a loop lives through it, and one used at its start lives to its end",
  [{ n: u32 }, { a: u64 }],
  u64,
  (k, p, { n, a }) => {
    const late = k.let("late", a.mul(3));
    const early = k.let("early", a.add(1));
    const sum = k.let("sum", 0, u64);
    k.for("i", 0, n, (i) => {
      k.set(sum, sum.add(early));
      const busy = k.let("busy", p.a64.mul(p.a64).add(i.to(u64)).xor(p.a64.mul(p.a64)));
      k.set(p.b64, busy.to(i64));
      k.if(i.eq(2), () => k.set(late, late.add(7)));
    });
    k.return(sum.mul(1000).add(late));
  },
  [
    [[0n, 5n], 15n],
    [[4n, 5n], 24n * 1000n + 15n + 7n],
  ],
);

check(
  "continue runs the step of a for, and break does not",
  [{ n: u32 }],
  u64,
  (k, _p, { n }) => {
    const sum = k.let("sum", 0, u64);
    k.for("i", 0, 100, (i) => {
      k.if(i.and(1).eq(1), () => k.continue());
      k.if(i.gt(n), () => k.break());
      k.set(sum, sum.add(i.to(u64)));
    });
    k.return(sum);
  },
  [
    [[10n], 30n],
    [[0n], 0n],
  ],
);

check(
  "arguments change places without losing one",
  [{ a: u64 }, { b: u64 }, { c: u64 }],
  u64,
  (k, p, { a, b, c }) => {
    const [x, y, z] = [a, b, c];
    const first = k.call(mixer, p, x, y, z, 5);
    const second = k.call(mixer, p, z, x, y, first);
    k.return(k.call(mixer, p, y, x, second, z));
  },
  [[[1n, 2n, 3n], mix(2n, 1n, mix(3n, 1n, 2n, mix(1n, 2n, 3n, 5n)), 3n)]],
);

const mixer = routine(
  "mixer",
  [{ block: ptr(TestBlock) }, { a: u64 }, { b: u64 }, { c: u64 }, { d: u64 }],
  u64,
  (k, { a, b, c, d }) => {
    k.return(a.mul(1000).add(b.mul(100)).add(c.mul(10)).add(d));
  },
);

function mix(a: bigint, b: bigint, c: bigint, d: bigint): bigint {
  return a * 1000n + b * 100n + c * 10n + d;
}

check(
  "a switch without a default falls through to what follows, and one over a constant is decided",
  [{ n: u32 }],
  u32,
  (k, _p, { n }) => {
    const result = k.let("result", 1, u32);
    k.switch(n, [
      [3, () => k.set(result, 30)],
      [[4, 5], () => k.set(result, 45)],
      [0xffff_ffff, () => k.return(99)],
    ]);
    k.switch(decided, [[6, () => k.set(result, result.add(1000))]], () => k.set(result, 0));
    k.if(decided.eq(7), () => k.set(result, 0));
    k.return(result);
  },
  [
    [[3n], 1030n],
    [[5n], 1045n],
    [[6n], 1001n],
    [[0xffff_ffffn], 99n],
  ],
);

const decided = imageOption("constructs_decided", u32, 6);

// --- architecture blocks and foreign callers --------------------------------------------------------------------------------------------

check(
  "arch blocks read, give and destroy what they say",
  [{ a: u64 }, { b: u32 }],
  u64,
  (k, p, { a, b }) => {
    const kept = Array.from({ length: 8 }, (_, i) =>
      k.let(
        `kept${i}`,
        p.longs
          .at(i % 4)
          .to(u64)
          .add(i),
      ),
    );
    const sum = k.arch(
      {
        x64: (s, r) => s.mov(r.result, r.one).add(r.result, x64.withWidth(r.two, 64)),
        arm64: (s, r) => s.mov(r.result, r.one).add(r.result, r.result, arm64.armWithWidth(r.two, 64)),
      },
      { uses: { one: a, two: b }, result: u64 },
    );
    const product = k.arch(
      {
        x64: (s) => s.mul(x64.rcx).mov(x64.r8, 1),
        arm64: (s) => s.mul(arm64.x0, arm64.x0, arm64.x1).movz(arm64.x5, 1),
      },
      {
        uses: { one: inRegister(sum, { x64: "rax", arm64: "x0" }), two: inRegister(a, { x64: "rcx", arm64: "x1" }) },
        result: u64,
        resultIn: { x64: "rax", arm64: "x0" },
        clobbers: { x64: ["rdx", "r8"], arm64: ["x5"] },
      },
    );
    let total: Value<"u64"> = product;
    kept.forEach((value, i) => {
      total = total.add(value.sub(p.longs.at(i % 4).to(u64)).mul(1000));
    });
    k.return(total);
  },
  [[[5n, 7n], 60n + 28_000n]],
  {
    arch: (statement, evaluate) => {
      const values = statement.block.uses.map(({ value }) => evaluate(value));
      const [one = 0n, two = 0n] = values;
      return statement.block.resultIn.x64 === undefined ? one + two : one * two;
    },
  },
);

const cSum = routine(
  "c_sum",
  [{ block: ptr(TestBlock) }, { a: u32 }, { b: i32 }],
  u64,
  (k, { a, b }) => {
    k.return(a.to(u64).add(b.to(u64)));
  },
  { callableFromC: true },
);

/** Passes 32-bit arguments as C may: with anything above bit 31. */
const dirty = asmRoutine(
  "dirty_caller",
  {
    x64: (a) => {
      const { r11, rsi, rdx } = x64;
      a.movabs(r11, 0xdead_beef_0000_0000n).or(rsi, r11).or(rdx, r11).jmpTo(cSum);
    },
    arm64: (a) => {
      const { x1, x2, x16 } = arm64;
      a.movConstant(x16, 0xdead_beef_0000_0000n).orr(x1, x1, x16).orr(x2, x2, x16).jumpTo(cSum);
    },
  },
  { signature: signature([{ block: ptr(TestBlock) }, { a: u32 }, { b: i32 }], u64) },
);

check(
  "a routine callable from C clears what lies above its 32-bit arguments",
  [{ a: u32 }, { b: i32 }],
  u64,
  (k, p, { a, b }) => {
    k.return(k.call(dirty, p, a, b));
  },
  [[[5n, -7n], BigInt.asUintN(64, -2n)]],
  { direct: (_name, [, a = 0n, b = 0n]) => BigInt.asUintN(64, a + b) },
);

check(
  "routines are called through pointers in memory",
  [{ a: u64 }],
  u64,
  (k, p, { a }) => {
    k.set(p.handler, codeOf(mixer));
    const type = signature([{ block: ptr(TestBlock) }, { a: u64 }, { b: u64 }, { c: u64 }, { d: u64 }], u64);
    const held = k.let("held", p.handler);
    const again = k.let("again", codeOf(mixer), code);
    const one = k.callPointer(p.handler, type, p, a, 2, 3, 4);
    k.return(one.add(k.callPointer(held, type, p, 0, 0, 0, one)).add(k.callPointer(again, type, p, 0, 0, 0, 1)));
  },
  [[[1n], 2n * 1234n + 1n]],
);

// --- stack, atomics -----------------------------------------------------------------------------------------------------------------------

check(
  "a stack struct lies where alignAt says, and survives calls",
  [{ a: u64 }],
  u64,
  (k, p, { a }) => {
    const one = k.stackStruct("one", TestBlock, { alignAt: 48 });
    const two = k.stackStruct("two", TestBlock, { alignAt: 0 });
    const three = k.stackStruct("three", TestBlock);
    k.set(one.a64, a);
    k.set(two.a64, 2);
    k.set(three.a64, 3);
    void k.call(mixer, p, 1, 2, 3, 4);
    k.atomicAdd(one.a64, 1);
    const places = asInteger(one).and(63).mul(100).add(asInteger(two).and(63)).add(asInteger(three).and(15));
    k.return(places.mul(1000).add(one.a64).add(two.a64).add(three.a64));
  },
  [[[10n], 4_800_000n + 11n + 2n + 3n]],
);

check(
  "atomics return the old value and leave the new one",
  [{ a: u64 }],
  u64,
  (k, p, { a }) => {
    const value = a;
    k.set(p.a64, 10);
    const old = [
      k.fetchAdd(p.a64, value),
      k.fetchSub(p.a64, 3),
      k.fetchOr(p.a64, 0x100),
      k.fetchAnd(p.a64, 0xff),
      k.xchg(p.a64, 50),
      k.cmpxchg(p.a64, 49, 1),
      k.cmpxchg(p.a64, 50, 60),
    ];
    let sum: Value<"u64"> = p.a64;
    for (const one of old) sum = sum.mul(3).add(one);
    k.return(sum);
  },
  [[[5n], [10n, 15n, 12n, 12n + 256n, 12n, 50n, 50n].reduce((sum, one) => sum * 3n + one, 60n)]],
);

check(
  "tryCmpxchg leaves what it found in the expected value",
  [{ a: u32 }],
  u32,
  (k, p, { a }) => {
    k.set(p.counter, 8);
    const expected = k.let("expected", a);
    k.if(
      k.tryCmpxchg(p.counter, expected, 9),
      () => k.return(expected.add(100)),
      () => k.return(expected.add(p.counter.shl(8))),
    );
  },
  [
    [[8n], 108n],
    [[7n], 8n + (8n << 8n)],
  ],
);

check(
  "decAndTest is true exactly when the cell becomes zero, incAndTest too",
  [{ a: u32 }],
  u32,
  (k, p, { a }) => {
    k.set(p.counter, a);
    const first = k.bool(k.decAndTest(p.counter));
    const second = k.bool(k.incAndTest(p.counter));
    k.set(p.b32, -1);
    const third = k.bool(k.incAndTest(p.b32));
    k.return(first.add(second.shl(1)).add(third.shl(2)));
  },
  [
    [[1n], 5n],
    [[2n], 4n],
    [[0n], 6n],
  ],
);

check(
  "loads of 8 and 16 bits extend by their sign, with acquire too",
  [],
  u64,
  (k, p) => {
    k.set(elementsOf(p.bytes, u64).at(0), 0xfedc_ba98_7654_3210n);
    k.set(p.b8, -2);
    k.set(p.b16, -3);
    const low = k.loadAcquire(p.b8).to(i64).add(k.loadAcquire(p.b16).to(i64)).to(u64);
    const high = k.readOnce(p.bytes.at(7)).to(u64);
    k.return(low.add(high.mul(0x100)));
  },
  [[[], BigInt.asUintN(64, -5n + 0xfe00n)]],
);

check(
  "a 64-bit xchg works on pointers",
  [],
  u32,
  (k, p) => {
    const old = k.xchg(p.next, p);
    const back = k.cmpxchg(p.next, p, old);
    k.return(k.bool(same(back, p)).add(k.bool(same(p.next, old)).shl(1)));
  },
  [[[], 3n]],
);

describe.for(MACHINES)("constructs", (machine) => {
  it.skipIf(machine.missing !== undefined)(titleOf(machine), () => {
    for (const { title, routine: target, runs, options } of cases) {
      const program = programOf(
        [target],
        runs.map(([values]) => ({ routine: target, values })),
      );
      const results = expectSame(program, machine, 1, options);
      expect(results, title).toEqual(runs.map(([, result]) => result));
    }
  });
});
