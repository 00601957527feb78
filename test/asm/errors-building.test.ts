// Mistakes that show when an image is built: typed errors with the value, what is allowed, and the author's source line.

import { describe, expect, it } from "vitest";
import {
  arm64,
  array,
  asmRoutine,
  bind,
  bindList,
  buildImage,
  global,
  i32,
  imageOption,
  inRegister,
  listSlot,
  routine,
  struct,
  u32,
  u8,
  writeElf,
} from "../../src/asm/index.ts";
import type { Callable, Pointer, Recorder, Value } from "../../src/asm/index.ts";
import { build, building, type Cell, declaring, hook, hooked, lower } from "./support/mistaken-code.ts";
import { expectMistakes, SourceFile } from "./support/refusal.ts";
import type { Mistake } from "./support/refusal.ts";

const own = new SourceFile(import.meta.url);

const answer = routine("errors_answer", { a: u32 }, i32, (k) => k.return(1));
const list = listSlot("errors_list", u32);

const ofBuilding: readonly Mistake[] = [
  {
    name: "a slot that nothing binds",
    make: () => build(hooked),
    message: "slot errors_hook, used by errors_hooked, is not bound",
    value: "errors_hook",
    allowed: "bind(errors_hook, …)",
    ...building,
  },
  {
    name: "a slot bound twice",
    make: () => build(hooked, { bindings: [bind(hook, answer), bind(hook, answer)] }),
    message: "slot errors_hook is bound to both",
    value: "errors_hook",
    allowed: "one binding",
    ...building,
  },
  {
    name: "a list slot bound twice",
    make: () => build(list, { bindings: [bindList(list, [1]), bindList(list, [2])] }),
    message: "list slot errors_list is bound twice",
    value: "errors_list",
    allowed: "one binding",
    ...building,
  },
  {
    name: "an option that does not exist",
    make: () => build(answer, { options: { errors_typo: 1 } }),
    message: "no loaded module declares this image option",
    value: "errors_typo",
    allowed: "names given to imageOption",
    ...building,
  },
  {
    name: "two symbols of one name",
    make: () => buildImage({ architecture: "arm64", roots: [global("same", u8), global("same", u8)] as object[] }),
    message: "two symbols of one name in an image",
    value: "same",
    allowed: "different names",
    line: "buildImage({",
  },
  {
    name: "a symbol that does not exist",
    make: () => buildImage({ architecture: "arm64", roots: [answer] }).symbol("errors_anwser"),
    message: "the image has no such symbol",
    value: "errors_anwser",
    allowed: "a name in image.symbols",
    code: "NAME_UNKNOWN",
  },
  {
    name: "a frame that is too large",
    make: () =>
      lower((k) => {
        k.stackStruct("big", struct("errors_frame", { bytes: array(u8, 5000) }));
      }),
    message: "r: stack frame too large",
    value: 5008,
    allowed: "up to 3840 bytes",
    ...declaring,
  },
  {
    name: "an expression that nests too deep",
    make: () =>
      lower((k, p, n) => {
        let sum: Value<"u32"> = n;
        for (let i = 0; i < 200_000; i++) sum = sum.xor(p.value);
        k.set(p.value, sum);
      }),
    message: "nests too deep",
    allowed: "",
  },
  {
    name: "a routine that is too long",
    make: () =>
      lower((k, p) => {
        for (let i = 0; i < 10_000; i++) k.set(p.wide, 0x1234_5678_9abc_def0n + BigInt(i));
      }),
    message: "routine r is too long",
    allowed: "below 32768 bytes",
    ...declaring,
  },
  {
    name: "two operands of an arch block in one register",
    make: () =>
      lower((k, _p, n) => {
        const uses = { a: inRegister(n, { x64: "rcx", arm64: "x0" }), b: inRegister(n, { x64: "rcx", arm64: "x0" }) };
        k.arch({ x64: (a) => a.nop(), arm64: (a) => a.nop() }, { uses });
      }),
    message: "r: two operands of an arch block in one register",
    value: ["a", "b"],
    allowed: "a register for each",
    line: "k.arch({ x64",
  },
  {
    name: "an immediate in an arch block",
    make: () =>
      lower((k) => {
        k.arch({
          x64: (a) => a.nop(),
          arm64: (a) => a.add(arm64.x16, arm64.x16, 0x1001),
        });
      }),
    message: "not an add/sub immediate",
    value: 0x1001n,
    allowed: "12 bits, optionally shifted left by 12",
    line: "a.add(arm64.x16, arm64.x16, 0x1001)",
  },
  {
    name: "an architecture without a body",
    make: () => build(asmRoutine("errors_arm_only", { arm64: (a) => a.ret() })),
    message: "errors_arm_only has no x86-64 body",
    value: ["arm64"],
    allowed: "a body for each architecture",
    line: 'asmRoutine("errors_arm_only"',
  },
  {
    name: "a label that is nowhere",
    make: () => build(asmRoutine("errors_lost", { x64: (a) => a.jmp("nowhere") })),
    message: "a label is used and never placed",
    value: "nowhere",
    allowed: "label(name) or place(label)",
    line: 'asmRoutine("errors_lost"',
  },
  {
    name: "a PVH entry on AArch64",
    make: () => writeElf(buildImage({ architecture: "arm64", roots: [answer] }), { pvhEntry: 1 }),
    message: "a PVH entry in an AArch64 image",
    value: 1,
    allowed: "x86-64 images",
    line: "writeElf(buildImage(",
  },
];

expectMistakes("mistakes in building", own, ofBuilding);

describe("what is no mistake", () => {
  it("a routine that calls itself", () => {
    const count: Callable<{ n: typeof u32 }, typeof u32> = routine("errors_count", { n: u32 }, u32, (k, { n }) => {
      k.if(n.eq(0), () => k.return(0));
      k.return(k.call(count, n.sub(1)));
    });
    expect(() => build(count as Callable)).not.toThrow();
  });

  it("more values at once than there are registers: they are spilled", () => {
    const crowded = (k: Recorder, p: Pointer<typeof Cell>): void => {
      const values = Array.from({ length: 60 }, (_, i) => k.let(`v${i}`, p.wide.add(i)));
      k.call(callee);
      k.set(
        p.wide,
        values.reduce<Value<"u64">>((sum, one) => sum.add(one), p.wide),
      );
    };
    const callee = asmRoutine("errors_callee", { x64: (a) => a.ret(), arm64: (a) => a.ret() });
    expect(() => lower(crowded)).not.toThrow();
  });

  it("an option that a module declares", () => {
    const limit = imageOption("errors_limit", u32, 3);
    const reader = routine("errors_reader", {}, u32, (k) => k.return(limit));
    expect(() => build(reader, { options: { errors_limit: 4 } })).not.toThrow();
  });
});
