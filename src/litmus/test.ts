// A litmus test as it was read: threads, what they start with, and what is asked of the final states.

import type { Condition, Prop } from "./condition.ts";
import type { Place } from "./failure.ts";

/** The dialects of the herd tools that are understood, by the first word of a test. */
export type DialectName = "AArch64" | "X86_64" | "X86";

/** Where a value is at the end: in a register of a thread, or in memory. */
export type LitmusLocation = RegisterLocation | MemoryLocation;

export interface RegisterLocation {
  readonly kind: "register";
  readonly thread: number;
  readonly name: string;
  /** Where the test names it. */
  readonly place: Place;
}

export interface MemoryLocation {
  readonly kind: "memory";
  readonly name: string;
  readonly place: Place;
}

/** A number, or the address of a memory location by its name. */
export type LitmusValue = bigint | string;

/** How a value is kept and shown: so many bits, and with or without a sign; `address` takes 64 bits. */
export interface ValueType {
  readonly name: string;
  readonly bits: 8 | 16 | 32 | 64;
  readonly isSigned: boolean;
}

/** What a register or a memory location starts with. */
export interface Initial {
  readonly location: LitmusLocation;
  /** Undefined where the test doesn't say; memory is an `int` then, or an address where it starts with one. */
  readonly type: ValueType | undefined;
  readonly value: LitmusValue;
}

/** One cell of the table of threads: a label, an instruction, both, or neither. */
export interface Cell {
  readonly text: string;
  readonly place: Place;
}

/** A test that has been read: its threads, what holds at first, and its condition. */
export interface LitmusTest {
  readonly dialect: DialectName;
  readonly name: string;
  /** The quoted line below the name. */
  readonly doc: string | undefined;
  /** Lines Key=value before the initial state, in order. */
  readonly info: readonly (readonly [key: string, value: string])[];
  readonly initial: readonly Initial[];
  /** By thread: its column. */
  readonly threads: readonly (readonly Cell[])[];
  /** Of `locations [...]`: shown besides what the condition names. */
  readonly shown: readonly { readonly location: LitmusLocation; readonly type: ValueType | undefined }[];
  /** Final states that it doesn't hold of are not counted. */
  readonly filter: Prop | undefined;
  readonly condition: Condition;
}

/** `0:X1`, `[x]`: as the herd tools print it. */
export function formatLocation(location: LitmusLocation): string {
  return location.kind === "register" ? `${location.thread}:${location.name}` : `[${location.name}]`;
}
