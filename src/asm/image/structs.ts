// Descriptions of the structs that an image's code and data use, for inspectors of guest memory.

import type { AnyStruct } from "../types.ts";
import type { Collected } from "./collect.ts";

/** The layout of a struct, for inspectors; offsets and sizes in bytes. */
export interface StructDescription {
  readonly name: string;
  readonly bytes: number;
  readonly fields: readonly {
    readonly name: string;
    readonly type: string;
    readonly offset: number;
    readonly bytes: number;
  }[];
}

/** Structs of globals, per-CPU variables, parameters and results, and what they contain or point to; by name. */
export function describeStructs({ units, perCpu }: Collected): StructDescription[] {
  const found = new Map<string, AnyStruct>();
  for (const unit of units) {
    if (unit.kind === "data") {
      visit(unit.type, found);
      continue;
    }
    const { parameters, result } = unit.symbol.signature;
    for (const { type } of parameters) visit(type, found);
    visit(result, found);
  }
  for (const { type } of perCpu) visit(type, found);
  return [...found.values()].sort((one, other) => (one.name < other.name ? -1 : 1)).map(describe);
}

/** The parts of any type that can lead to a struct. */
interface AnyType {
  readonly kind: string;
  readonly to?: unknown;
  readonly element?: unknown;
}

function visit(type: unknown, found: Map<string, AnyStruct>): void {
  const { kind, to, element } = type as AnyType;
  if (kind === "pointer") visit(to, found);
  else if (kind === "array") visit(element, found);
  if (kind !== "struct") return;
  const struct = type as AnyStruct;
  if (found.has(struct.name)) return;
  found.set(struct.name, struct);
  for (const field of Object.values(struct.fields)) visit(field, found);
}

function describe({ name, bytes, fields, offsets }: AnyStruct): StructDescription {
  return {
    name,
    bytes,
    fields: Object.entries(fields).map(([field, type]) => {
      const { name: typeName, bytes: size } = type as { name: string; bytes: number };
      return { name: field, type: typeName, offset: offsets.get(field) ?? 0, bytes: size };
    }),
  };
}
