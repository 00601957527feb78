// What the mnemonics of A64 are looked up in.

import { each as eachOf } from "../table.ts";
import type { TableEntry } from "../table.ts";
import type { Arm64Statement } from "./statement.ts";

export type Entry = TableEntry<Arm64Statement>;
export type Table = Readonly<Record<string, Entry>>;

/** The same entry under several names. */
export const each: <Name extends string>(names: readonly Name[], make: (name: Name) => Entry) => Table = eachOf;
