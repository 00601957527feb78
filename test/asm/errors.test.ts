// Mistakes of an author in recording and declaring: typed errors with the value, what is allowed, and the author's source line.

import {
  array,
  asmRoutine,
  bind,
  containerOf,
  extend,
  global,
  i32,
  nothing,
  offsetOf,
  perCpu,
  routine,
  struct,
  testBit,
  u32,
  u64,
} from "../../src/asm/index.ts";
import type { Recorder, Value } from "../../src/asm/index.ts";
import { build, Cell, declaring, hook, hooked, record } from "./support/mistaken-code.ts";
import { expectMistakes, SourceFile } from "./support/refusal.ts";
import type { Mistake } from "./support/refusal.ts";

const own = new SourceFile(import.meta.url);

let leaked: Value<"u32"> | undefined;

const ofRecording: readonly Mistake[] = [
  {
    name: "a value outside its routine",
    make: () => {
      record((k) => (leaked = k.let("leak", 1, u32)));
      record((k, p) => k.set(p.value, leaked as Value<"u32">));
    },
    message: 'r: local "leak" belongs to another routine',
    value: "leak",
    allowed: "locals and parameters of this routine",
    line: "k.set(p.value, leaked",
  },
  {
    name: "a value outside its block",
    make: () =>
      record((k, p, n) => {
        k.if(n.eq(1), () => (leaked = k.let("inner", 1, u32)));
        k.set(p.value, leaked as Value<"u32">);
      }),
    message: 'r: local "inner" is used outside the block that declares it',
    value: "inner",
    allowed: "declare it before the block",
    line: "k.set(p.value, leaked",
  },
  {
    name: "two widths",
    make: () => record((_k, p, n) => n.add(p.wide as never)),
    message: "operand of type u64 where u32 is needed",
    value: "u64",
    allowed: "convert with .to(u32)",
    line: "n.add(p.wide",
  },
  {
    name: "a pointer to something else",
    make: () => record((k, p) => k.set(p.next, p as never)),
    message: "pointer to errors_cell where ptr(u64) is needed",
    value: "ptr(errors_cell)",
    allowed: "ptr(u64); or cast(pointer, type)",
    line: "k.set(p.next, p",
  },
  {
    name: "a number for a pointer",
    make: () => record((k, p, n) => k.set(p.next, n as never)),
    message: "not a pointer where ptr(u64) is needed",
    value: "u32",
    allowed: "ptr(u64) or null",
    line: "k.set(p.next, n",
  },
  {
    name: "a constant out of range",
    make: () => record((k, p) => k.set(p.small, 256)),
    message: "constant out of the range of u8",
    value: 256,
    allowed: "0 to 255",
    line: "k.set(p.small, 256)",
  },
  {
    name: "an inexact constant",
    make: () => record((k, p) => k.set(p.wide, 2 ** 60)),
    message: "not an exact u64 constant",
    value: 2 ** 60,
    allowed: "safe integers, or a bigint",
    line: "k.set(p.wide, 2 ** 60)",
  },
  {
    name: "an element behind an array's end",
    make: () => record((k, p) => k.set(p.list.at(4), 1)),
    message: "no such element of u16[4]",
    value: 4,
    allowed: "0 to 3",
    line: "p.list.at(4)",
  },
  {
    name: "a divisor that could be zero",
    make: () => record((_k, _p, n) => n.div(n as never)),
    message: "a divisor that could be 0",
    value: "u32",
    allowed: "k.unchecked(value)",
    line: "n.div(n",
  },
  {
    name: "a missing return",
    make: () => record((k, p) => k.set(p.value, 1), i32),
    message: "r: a path without k.return",
    allowed: "k.return(value) at the end of every path",
    ...declaring,
  },
  {
    name: "a return without a value",
    make: () => record((k) => k.return(), i32),
    message: "r: a return without a value",
    allowed: "k.return(value) of type i32",
    line: "k.return()",
  },
  {
    name: "a statement that is never reached",
    make: () =>
      record((k, p) => {
        k.return();
        k.set(p.value, 1);
      }),
    message: "r: store after a statement that never continues",
    value: "store",
    allowed: "nothing behind break",
    line: "k.set(p.value, 1)",
  },
  {
    name: "a break outside a loop",
    make: () => record((k) => k.break()),
    message: "r: break outside a loop",
    value: "break",
    allowed: "in k.while",
    line: "k.break()",
  },
  {
    name: "a read-modify-write condition left alone",
    make: () =>
      record((k, p) => {
        k.decAndTest(p.value);
        k.smpMb();
      }),
    message: "r: the condition of addAndTest must be consumed",
    value: "addAndTest",
    allowed: "as the next statement",
    line: "k.smpMb()",
  },
  {
    name: "an atomic on a byte",
    make: () => record((k, p) => k.atomicInc(p.small as never)),
    message: "r: atomics work on cells of 32 and 64 bits",
    value: "u8",
    allowed: "u32, i32, u64, i64, pointers",
    line: "k.atomicInc(p.small",
  },
  {
    name: "no place in memory",
    make: () => record((k, _p, n) => k.readOnce(n)),
    message: "not a place in memory",
    value: "u32",
    allowed: "fields, globals",
    line: "k.readOnce(n)",
  },
  {
    name: "no value at all",
    make: () => record((k, p) => k.set(p.value, "7" as never)),
    message: "operand of u32 arithmetic is no scalar value",
    value: "7",
    allowed: "a u32 value or a constant",
    line: 'k.set(p.value, "7"',
  },
  {
    name: "no condition",
    make: () => record((k, _p, n) => k.if(n as never, () => undefined)),
    message: "not a condition",
    value: "u32",
    allowed: "comparisons such as",
    line: "k.if(n as never",
  },
  {
    name: "a bit number below zero",
    make: () => record((k, p) => k.if(testBit(p, -1), () => undefined)),
    message: "constant out of the range of u64",
    value: -1,
    allowed: "0 to 18446744073709551615",
    line: "testBit(p, -1)",
  },
  {
    name: "a call with too few arguments",
    make: () => record((k) => (k.call as (...values: unknown[]) => void)(asmRoutine("target", {}, {}), 1)),
    message: "r: call of target with another number of arguments",
    value: 1,
    allowed: "0",
    line: "k.call as",
  },
  {
    name: "a name of a local that files can't hold",
    make: () => record((k) => k.let("my local", 1, u32)),
    message: "r: a local needs a name",
    value: "my local",
    allowed: "letters, digits",
    line: 'k.let("my local"',
  },
  {
    name: "a name of a mark that files can't hold",
    make: () => record((k) => k.mark("here: now")),
    message: "r: not a name of a mark",
    value: "here: now",
    allowed: "letters, digits",
    line: 'k.mark("here: now")',
  },
  {
    name: "a case twice",
    make: () => record((k, _p, n) => k.switch(n, [[[1, 1], () => undefined]])),
    message: "r: two cases of one value",
    value: 1n,
    allowed: "different values",
    line: "k.switch(n, [[[1, 1]",
  },
  {
    name: "an inline function that never ends",
    make: () => {
      const again = (k: Recorder): void => k.if(testBit(global("g", u64) as never, 0), () => again(k));
      record(again);
    },
    message: "r: the recording never ends, or nests too deep",
    allowed: "inline functions that end",
    ...declaring,
  },
];

const Entry = struct("errors_entry", { at: u32, size: u32 });

const ofDeclaring: readonly Mistake[] = [
  {
    name: "a struct whose size drifts",
    make: () => struct("s", { a: u32, b: u64 }, { size: 12 }),
    message: "struct s has 16 bytes, not 12",
    value: 12,
    allowed: "16",
    line: 'struct("s"',
  },
  {
    name: "a field placed over another",
    make: () => struct("s", { a: u64, b: u32 }, { place: { b: 4 } }),
    message: "struct s can't place b there",
    value: 4,
    allowed: "multiples of 4 from 8",
    line: 'struct("s"',
  },
  {
    name: "a field twice",
    make: () => extend(Cell, "twice", { value: u32 }),
    message: "struct twice repeats the field value of errors_cell",
    value: "value",
    allowed: "names that the base does not have",
    line: "extend(Cell",
  },
  {
    name: "a field that does not exist",
    make: () => offsetOf(Cell, "valeu" as never),
    message: "struct errors_cell has no field valeu",
    value: "valeu",
    allowed: "value, wide, small, list, next, bits",
    line: "offsetOf(Cell",
  },
  {
    name: "a container's field that does not exist",
    make: () => record((_k, p) => containerOf(p, Cell, "lists" as never)),
    message: "struct errors_cell has no field lists",
    value: "lists",
    allowed: "value, wide, small, list, next, bits",
    line: "containerOf(p",
  },
  {
    name: "a name that is no symbol",
    make: () => routine("bad name", {}, nothing, () => undefined),
    message: "not a symbol name",
    value: "bad name",
    allowed: "letters, digits, _ . $",
    line: 'routine("bad name"',
  },
  {
    name: "parameters of one name",
    make: () => routine("twice", [{ a: u32 }, { a: u64 }], nothing, () => undefined),
    message: "twice has two parameters of one name",
    value: ["a", "a"],
    allowed: "different names",
    line: 'routine("twice"',
  },
  {
    name: "another signature in a slot",
    make: () => bind(hook, hooked as never),
    message: "slot errors_hook and routine errors_hooked differ in their signatures",
    value: "() → i32",
    allowed: "(u32) → i32",
    line: "bind(hook",
  },
  {
    name: "an initial value that does not fit",
    make: () => build(global("errors_big", Entry, { initial: { at: 2 ** 32 } })),
    message: "constant out of the range of u32",
    value: 2 ** 32,
    allowed: "0 to 4294967295",
    line: 'global("errors_big"',
  },
  {
    name: "an initial field that does not exist",
    make: () => build(global("errors_typo", Entry, { initial: { sizes: 1 } as never })),
    message: "errors_typo: struct errors_entry has no field sizes",
    value: "sizes",
    allowed: "at, size",
    line: 'global("errors_typo"',
  },
  {
    name: "too long an initial list",
    make: () => build(global("errors_long", array(u32, 2), { initial: [1, 2, 3] })),
    message: "errors_long: initial value of u32[2] is no list of up to 2 entries",
    value: 3,
    allowed: "lists of up to 2 entries",
    line: 'global("errors_long"',
  },
  {
    name: "a per-CPU variable off its alignment",
    make: () => perCpu("errors_area", u64, { offset: 4 }),
    message: "per-CPU variable errors_area can't lie there",
    value: 4,
    allowed: "multiples of 8",
    line: 'perCpu("errors_area"',
  },
];

expectMistakes("mistakes in recording", own, ofRecording);
expectMistakes("mistakes in declaring", own, ofDeclaring);
