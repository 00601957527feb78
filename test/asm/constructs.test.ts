// Expressions and control flow, one construct at a time: widths and signs, addresses, liveness.

import {
  addressOf,
  asInteger,
  cast,
  i32,
  i64,
  imageOption,
  same,
  testBit,
  u16,
  u32,
  u64,
} from "../../src/asm/index.ts";
import type { Value } from "../../src/asm/index.ts";
import { mix, mixer } from "./fixtures/mixer.ts";
import { check, runCases } from "./support/constructs.ts";
import { TestBlock } from "./support/random-memory.ts";

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

runCases("expressions and control flow");
