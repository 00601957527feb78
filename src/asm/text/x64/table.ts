// How a mnemonic is looked up: alone, or with a suffix for the width of its operands.

import type { Width } from "../../x64/registers.ts";
import { each as eachOf } from "../table.ts";
import type { TableEntry } from "../table.ts";
import type { X64Statement } from "./statement.ts";

export type Suffix = "b" | "w" | "l" | "q";
export const SUFFIX_WIDTHS: Readonly<Record<Suffix, Width>> = { b: 8, w: 16, l: 32, q: 64 };

export interface Entry extends TableEntry<X64Statement> {
  /** Suffixes that the mnemonic may have. */
  readonly suffixes: string;
  /** Whether LOCK may stand before it (SDM volume 2, LOCK). */
  readonly isLockable?: boolean;
  /** Whether a repeat prefix may stand before it. */
  readonly isRepeatable?: boolean;
  /** Whether its operand may be one that holds the place to go to: *%rax. */
  readonly isIndirect?: boolean;
}

export type Table = Readonly<Record<string, Entry>>;

/** The same entry under several names. */
export const each: <Name extends string>(names: readonly Name[], make: (name: Name) => Entry) => Table = eachOf;
