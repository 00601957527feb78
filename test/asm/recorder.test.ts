// The rules of recording: what a routine's author may not write throws, with the routine's name in the message.

import { describe, expect, it } from "vitest";
import {
  addressOf,
  array,
  asmRoutine,
  codeOf,
  global,
  i32,
  i64,
  nothing,
  ptr,
  routine,
  signature,
  slot,
  struct,
  u16,
  u32,
  u64,
  u8,
} from "../../src/asm/index.ts";
import type { Builder, Local, Pointer, Recorder, Routine, Value } from "../../src/asm/index.ts";
import { printRecording } from "./support/print.ts";

const Cell = struct("cell", { value: u32, wide: u64, small: u8, half: u16, signed: i32, bits: array(u64, 2) });
type CellPointer = Pointer<typeof Cell>;
type AnyRoutine = Routine;

/** Records a routine over one pointer and a number. */
function recorded(body: (k: Recorder<typeof nothing>, p: CellPointer, n: Local<"u32">) => void): AnyRoutine {
  const target = routine("r", [{ p: ptr(Cell) }, { n: u32 }], nothing, (k, { p, n }) => {
    body(k, p, n);
  });
  void target.recording;
  return target;
}

function textOf(target: AnyRoutine): string {
  return printRecording(target.recording);
}

describe("expressions", () => {
  it("are late: a place read twice is loaded twice, a local is loaded once", () => {
    const text = textOf(
      recorded((k, p) => {
        const place = p.value;
        k.set(p.wide, place.add(place).to(u64));
        const local = k.let("s", p.value);
        k.set(p.wide, local.add(local).to(u64));
      }),
    );
    expect(text.split("\n").map((line) => (line.match(/u32\[/g) ?? []).length)).toEqual([0, 2, 1, 0]);
  });

  it("of different types do not mix, even behind the compiler's back", () => {
    recorded((_k, p, n) => {
      expect(() => n.add(p.wide as unknown as Value<"u32">)).toThrow("operand of type u64 where u32 is needed");
      expect(() => n.add(p as unknown as Value<"u32">)).toThrow("no scalar value");
      expect(() => n.shl(p.signed as unknown as Value<"u32">)).toThrow("shift count of type i32");
    });
  });

  it("need a divisor that can't be zero", () => {
    recorded((k, p, n) => {
      expect(() => n.div(p.value as never)).toThrow("a divisor that could be 0");
      expect(() => n.rem(0)).toThrow("division by the constant 0");
      expect(n.div(k.unchecked(p.value))).toBeDefined();
    });
  });

  it("take null, not 0, for a pointer", () => {
    expect(() => recorded((k, p) => k.set(global("g", ptr(Cell)), p.value as never))).toThrow("not a pointer");
  });
});

describe("read-modify-write conditions", () => {
  it("must be consumed by the next statement", () => {
    const message = "r: the condition of addAndTest must be consumed by the next if, while or bool";
    expect(() =>
      recorded((k, p) => {
        k.decAndTest(p.value);
        k.set(p.value, 1);
      }),
    ).toThrow(message);
    expect(() => recorded((k, p) => void k.decAndTest(p.value))).toThrow(message);
    expect(() =>
      recorded((k, p) => {
        k.decAndTest(p.value);
        k.if(p.value.eq(1), () => undefined);
      }),
    ).toThrow(message);
    expect(() => recorded((k, p) => k.if(p.value.eq(1), () => void k.decAndTest(p.value)))).toThrow(message);
  });

  it("can be consumed once", () => {
    expect(() =>
      recorded((k, p) => {
        const condition = k.testAndSetBit(p.bits, 3);
        k.if(condition, () => undefined);
        k.if(condition, () => undefined);
      }),
    ).toThrow("was used before");
  });

  it("can be negated, and not combined", () => {
    recorded((k, p) => {
      k.if(k.decAndTest(p.value).not(), () => undefined);
    });
    expect(() => recorded((k, p) => k.if(k.decAndTest(p.value).and(p.value.eq(1)), () => undefined))).toThrow(
      "can't be combined",
    );
  });
});

describe("loop conditions", () => {
  it("with effects must be functions", () => {
    expect(() => recorded((k, p) => k.while(k.readOnce(p.value).ne(0), () => undefined))).toThrow(
      "would happen once only",
    );
    expect(() => recorded((k, p) => k.while(k.decAndTest(p.value), () => undefined))).toThrow("would happen once only");
    expect(() => recorded((k, p) => k.doWhile(() => undefined, k.readOnce(p.value).ne(0)))).toThrow(
      "would happen once only",
    );
    recorded((k, p) => {
      k.while(
        () => k.readOnce(p.value).ne(0),
        () => undefined,
      );
      k.while(
        () => k.testAndSetBit(p.bits, 1),
        () => undefined,
      );
    });
  });

  it("may use a named copy of an effect", () => {
    recorded((k, p) => {
      const limit = k.let("limit", k.readOnce(p.value));
      const i = k.let("i", 0, u32);
      k.while(i.lt(limit), () => k.set(i, i.add(1)));
    });
  });

  it("declare locals that the body and what follows may use, in a while", () => {
    recorded((k, p) => {
      let seen: Value<"u32"> | undefined;
      k.while(
        () => {
          seen = k.readOnce(p.value);
          return seen.eq(0);
        },
        () => k.set(p.wide, (seen as Value<"u32">).to(u64)),
      );
      k.set(p.value, seen as unknown as Value<"u32">);
    });
  });

  it("of a doWhile may use the locals of the body", () => {
    recorded((k, p) => {
      let seen: Value<"u32"> | undefined;
      k.doWhile(
        () => {
          seen = k.let("seen", p.value);
        },
        () => (seen as Value<"u32">).ne(0),
      );
    });
  });
});

describe("locals", () => {
  it("are visible in their block only", () => {
    expect(() =>
      recorded((k, p) => {
        let inner: Local<"u32"> | undefined;
        k.if(p.value.eq(0), () => {
          inner = k.let("inner", 1, u32);
        });
        k.set(p.value, inner as unknown as Local<"u32">);
      }),
    ).toThrow('r: local "inner" is used outside the block that declares it');
  });

  it("belong to one routine", () => {
    let leaked: Local<"u32"> | undefined;
    recorded((_k, _p, n) => {
      leaked = n;
    });
    expect(() => recorded((k, p) => k.set(p.value, leaked as unknown as Local<"u32">))).toThrow(
      "belongs to another routine",
    );
  });

  it("that hold the result of an effect can't be set", () => {
    expect(() => recorded((k, p) => k.set(k.readOnce(p.value) as Local<"u32">, 1))).toThrow(
      "the result of an effect can't be set",
    );
  });

  it("need a name", () => {
    expect(() => recorded((k) => k.let("", 1, u32))).toThrow("a local needs a name");
  });

  it("take the promoted type of what they copy", () => {
    recorded((k, p) => {
      const small = k.let("small", p.small);
      k.set(p.value, small.add(0x100));
    });
  });
});

describe("control flow", () => {
  it("refuses statements that can't be reached", () => {
    for (const end of [
      (k: Builder) => k.bug(),
      (k: Builder) => k.loop(() => undefined),
      (k: Builder, n: Local<"u32">) =>
        k.if(
          n.eq(1),
          () => k.bug(),
          () => k.bug(),
        ),
      (k: Builder) => k.call(routine("never", {}, nothing, (inner) => inner.bug(), { noReturn: true })),
      (k: Builder, n: Local<"u32">) => k.switch(n, [[1, () => k.bug()]], () => k.bug()),
    ]) {
      expect(() =>
        recorded((k, p, n) => {
          end(k, n);
          k.set(p.value, 1);
        }),
      ).toThrow("after a statement that never continues");
    }
  });

  it("continues behind a loop with a break", () => {
    recorded((k, p) => {
      k.loop(() => k.if(p.value.eq(1), () => k.break()));
      k.set(p.value, 2);
    });
  });

  it("demands a return on each path of a routine with a result", () => {
    const partial = routine("partial", { n: u32 }, u32, (k, { n }) => {
      k.if(n.eq(1), () => k.return(2));
    });
    expect(() => partial.recording).toThrow("partial: a path without k.return");
    const complete = routine("complete_paths", { n: u32 }, u32, (k, { n }) => {
      k.if(
        n.eq(1),
        () => k.return(2),
        () => k.return(3),
      );
    });
    expect(complete.recording.result).toBe("u32");
  });

  it("has break and continue in loops only", () => {
    expect(() => recorded((k) => k.break())).toThrow("break outside a loop");
    expect(() => recorded((k, _p, n) => k.switch(n, [[1, () => k.continue()]]))).toThrow("continue outside a loop");
  });

  it("checks the cases of a switch", () => {
    expect(() =>
      recorded((k, _p, n) =>
        k.switch(n, [
          [1, () => undefined],
          [[2, 1], () => undefined],
        ]),
      ),
    ).toThrow("two cases of one value");
    expect(() => recorded((k, _p, n) => k.switch(n, [[-1, () => undefined]]))).toThrow("out of the range of u32");
    expect(() => recorded((k, _p, n) => k.switch(n, [[[], () => undefined]]))).toThrow("a case without a value");
  });
});

function callUntyped(k: Builder, target: unknown, ...values: unknown[]): void {
  (k as unknown as { call(...all: unknown[]): void }).call(target, ...values);
}

describe("calls", () => {
  const target = slot("target", [{ a: u32 }, { p: ptr(Cell) }], i64);

  it("check what the compiler can't see", () => {
    expect(() => recorded((k, p) => callUntyped(k, target, p.value))).toThrow(
      "call of target with another number of arguments; found 1; allowed: 2",
    );
    expect(() => recorded((k, p) => callUntyped(k, target, p.wide, p))).toThrow("operand of type u64");
    expect(() =>
      recorded((k, p) => k.call(target, p.value, addressOf(global("o", struct("o", { x: u8 }))) as never)),
    ).toThrow("pointer to o where ptr(cell) is needed");
  });

  it("through a pointer need a code value", () => {
    recorded((k) => {
      k.callPointer(codeOf(target), signature([{ a: u32 }, { p: ptr(Cell) }], i64), 1, null);
    });
  });

  it("have up to six parameters with different names", () => {
    const seven = Array.from({ length: 7 }, (_, i) => ({ [`p${i}`]: u32 }));
    expect(() => routine("seven", seven, nothing, () => undefined)).toThrow("seven has too many parameters");
    expect(() => routine("twice", [{ a: u32 }, { a: u64 }], nothing, () => undefined)).toThrow(
      "two parameters of one name",
    );
    expect(() => routine("both", { a: u32, b: u32 } as never, nothing, () => undefined)).toThrow("without an order");
    expect(() => routine("bad name", {}, nothing, () => undefined)).toThrow("not a symbol name");
  });

  it("are recorded once, however many images are built", () => {
    let runs = 0;
    const counted = routine("counted", {}, nothing, () => {
      runs++;
    });
    void counted.recording;
    void counted.recording;
    expect(runs).toBe(1);
  });
});

describe("other mistakes", () => {
  it("are named", () => {
    expect(() => recorded((k, p) => k.atomicInc(p.small as never))).toThrow("atomics work on cells of 32 and 64 bits");
    expect(() => recorded((k) => k.stackStruct("s", Cell, { alignAt: 4 }))).toThrow(
      "stack struct s can't be aligned so",
    );
    expect(() => recorded((k) => k.stackStruct("s", struct("big", { a: u8 }, { align: 64 })))).toThrow(
      "more than 16-byte alignment",
    );
    expect(() => recorded((k, _p, n) => k.if(n as never, () => undefined))).toThrow("not a condition");
    expect(() => recorded((k, _p, n) => k.readOnce(n))).toThrow("not a place in memory");
    expect(() => recorded((k, p) => k.tryCmpxchg(p.value, p.value, 1))).toThrow("not a local");
    expect(() => asmRoutine("not a name", {})).toThrow("not a symbol name");
    expect(() => array(u8, -1)).toThrow("impossible length");
  });
});
