// Effects, one construct at a time: architecture blocks, foreign callers, the stack, atomics.

import {
  arm64,
  asInteger,
  asmRoutine,
  code,
  codeOf,
  elementsOf,
  i32,
  i64,
  inRegister,
  ptr,
  routine,
  same,
  signature,
  u32,
  u64,
  x64,
} from "../../src/asm/index.ts";
import type { Value } from "../../src/asm/index.ts";
import { mixer } from "./fixtures/mixer.ts";
import { check, runCases } from "./support/constructs.ts";
import { TestBlock } from "./support/random-memory.ts";

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

runCases("effects");
