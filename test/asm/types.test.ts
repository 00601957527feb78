// Layouts of structs, and what the TypeScript compiler must refuse: each @ts-expect-error line fails the type check if it compiles.
/* eslint @typescript-eslint/no-unsafe-argument: off, @typescript-eslint/no-unsafe-call: off -- the lines that must not compile have no type */

import { describe, expect, it } from "vitest";
import {
  addressOf,
  array,
  bind,
  buildImage,
  code,
  codeOf,
  containerOf,
  extend,
  global,
  i16,
  i32,
  i64,
  isNull,
  nothing,
  offsetOf,
  opaque,
  perCpu,
  ptr,
  routine,
  same,
  self,
  signature,
  slot,
  struct,
  table,
  u16,
  u32,
  u64,
  u8,
} from "../../src/asm/index.ts";
import type { Builder, Pointer, PointerLocal, Value } from "../../src/asm/index.ts";

const Node = struct("node", { next: ptr(self), count: u32, sum: i64, small: u8, mask: array(u64, 2), handler: code });
const Other = struct("other", { next: ptr(self), count: u32, sum: i64, small: u8, mask: array(u64, 2), handler: code });
const Longer = extend(Node, "longer", { extra: u32 });

describe("layouts", () => {
  it("follow the C rules", () => {
    const Mixed = struct("mixed", {
      a: u8,
      b: u32,
      c: i16,
      d: u64,
      e: array(u16, 3),
      f: struct("inner", { x: u8, y: u64 }),
    });
    expect(Object.fromEntries(Mixed.offsets)).toEqual({ a: 0, b: 4, c: 8, d: 16, e: 24, f: 32 });
    expect({ bytes: Mixed.bytes, align: Mixed.align }).toEqual({ bytes: 48, align: 8 });
  });

  it("throw when they drift from what is stated", () => {
    expect(() => struct("s", { a: u32, b: u64 }, { size: 12 })).toThrow("struct s has 16 bytes, not 12");
    expect(() => struct("s", { a: u32, b: u64 }, { at: { b: 4 } })).toThrow("struct s has b at 8, not at 4");
  });

  it("leave stated gaps", () => {
    const Gap = struct("gap", { a: u32, b: u32 }, { place: { b: 64 }, align: 64 });
    expect(offsetOf(Gap, "b")).toBe(64);
    expect(Gap.bytes).toBe(128);
    expect(() => struct("s", { a: u64, b: u32 }, { place: { b: 4 } })).toThrow("can't place b there");
    expect(() => struct("s", { a: u8, b: u32 }, { place: { b: 6 } })).toThrow("can't place b there");
  });

  it("of an extension start with those of its base", () => {
    expect(offsetOf(Longer, "count")).toBe(offsetOf(Node, "count"));
    expect(offsetOf(Longer, "extra")).toBe(Node.bytes);
    expect(() => extend(Node, "again", { count: u32 })).toThrow("repeats the field count");
  });

  it("put the pointee's own field at the right place", () => {
    const Outer = struct("outer", { head: u64, node: Node });
    const r = routine("container", { p: ptr(Node) }, ptr(Outer), (k, { p }) => {
      k.return(containerOf(p, Outer, "node"));
    });
    const image = buildImage({ architecture: "arm64", roots: [r] });
    // sub x0, x0, #8; ret
    expect(Buffer.from(image.segments[0]?.bytes ?? []).toString("hex")).toBe("002000d1c0035fd6");
  });
});

/** Never called: only compiled. */
function refusedByTheCompiler(
  k: Builder,
  wide: Value<"u64">,
  signed: Value<"i32">,
  narrow: Value<"u32">,
  node: PointerLocal<typeof Node>,
  other: Pointer<typeof Other>,
  longer: Pointer<typeof Longer>,
): void {
  const takesNode = routine("takes_node", [{ p: ptr(Node) }, { n: u32 }], u32, (inner, { n }) => {
    inner.return(n);
  });
  const noResult = routine("no_result", { n: u32 }, nothing, () => undefined);
  const wants = slot("wants", { n: u32 }, u32);

  // @ts-expect-error unknown field
  k.set(node.missing, 1);
  // @ts-expect-error u32 with u64
  narrow.add(wide);
  // @ts-expect-error signed with unsigned of one width
  narrow.add(signed);
  // @ts-expect-error a u64 in a field of u32
  k.set(node.count, wide);
  // @ts-expect-error a signed value in an unsigned field
  k.set(node.count, signed);
  // @ts-expect-error a value compared with one of another width
  narrow.eq(wide);
  // @ts-expect-error wrong pointer
  k.set(node.next, other);
  // @ts-expect-error pointer as number
  k.set(node.count, node);
  // @ts-expect-error number as pointer
  k.set(node.next, 4096);
  // @ts-expect-error pointer arithmetic goes through cast and asInteger
  node.add(8);
  // @ts-expect-error a pointer to a struct has no index
  node.at(1);
  // @ts-expect-error first argument is a pointer
  k.call(takesNode, narrow, narrow);
  // @ts-expect-error second argument is a u32
  k.call(takesNode, node, wide);
  // @ts-expect-error wrong pointer as argument
  k.call(takesNode, other, narrow);
  // @ts-expect-error too few arguments
  k.call(takesNode, node);
  // @ts-expect-error too many arguments
  k.call(takesNode, node, narrow, narrow);
  // @ts-expect-error nothing is no value
  k.call(noResult, narrow).add(1);
  // @ts-expect-error a condition is no value
  k.set(node.count, narrow.eq(1));
  // @ts-expect-error a value is no condition
  k.if(narrow, () => undefined);
  // @ts-expect-error division needs a constant or unchecked
  narrow.div(narrow);
  // @ts-expect-error a value that is no place can't be set
  k.set(narrow.add(1), 2);
  // @ts-expect-error a constant needs a type
  k.let("c", 5);
  // @ts-expect-error atomics need 32 or 64 bits
  k.atomicInc(node.small);
  // @ts-expect-error a load of 8 bits is a u32
  k.let("s", node.small).add(wide);
  // @ts-expect-error a struct place is no place of a cell
  k.readOnce(global("g", Node));
  // @ts-expect-error no address of a constant expression
  addressOf(narrow.add(1));
  // @ts-expect-error two pointers of different types
  same(node, other);
  // @ts-expect-error a base where its extension is wanted
  takesLonger(node);
  // @ts-expect-error the slot wants another result
  bind(wants, noResult);
  // @ts-expect-error a code value is not a pointer to data
  k.set(node.next, codeOf(noResult));
  // @ts-expect-error signature without the argument
  k.callPointer(node.handler, signature({ n: u32 }, u32));
  // @ts-expect-error a table of numbers holds no text
  table("t", u32, ["x"]);
  // @ts-expect-error a struct without that field
  global("h", Node, { initial: { missing: 1 } });
  // @ts-expect-error only fields of the struct
  containerOf(node, Other, "missing");
  // @ts-expect-error per-CPU variables live at an offset
  perCpu("p", u32);
  // @ts-expect-error two parameters need an order
  routine("unordered", { a: u32, b: u32 }, nothing, () => undefined);
  // @ts-expect-error the result type is u32
  routine("returns", { a: u64 }, u32, (inner, { a }) => inner.return(a));
  // @ts-expect-error a routine without a result returns no value
  routine("returns_nothing", { a: u64 }, nothing, (inner, { a }) => inner.return(a));
  // @ts-expect-error the result is missing
  routine("returns_something", { a: u64 }, u64, (inner) => inner.return());

  // What must compile.
  k.set(node.next, null);
  k.set(node.next, longer);
  k.set(node.next, global("whole", Node));
  k.call(takesNode, longer, 5);
  k.let("o", narrow.to(u64).add(wide));
  k.let("i", signed.to(i64));
  k.if(isNull(node.next).or(narrow.lt(3)), () => k.set(node.handler, codeOf(noResult)));
  k.set(node.mask.at(narrow), 1n);
  k.let("opaque", null, ptr(opaque));
  function takesLonger(p: Pointer<typeof Longer>): void {
    k.set(p.extra, i32.bytes);
  }
}

describe("what the compiler refuses", () => {
  it("is checked by the type check of this file", () => {
    expect(refusedByTheCompiler).toBeTypeOf("function");
  });
});
