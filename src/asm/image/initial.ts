// Initial values of globals as bytes and relocations.

import { invalid } from "../failure.ts";
import { Callable } from "../record/callable.ts";
import type { DataSymbol } from "../record/data.ts";
import { symbolicAddress } from "../record/data.ts";
import { checkedConstant } from "../record/expressions.ts";
import { noField } from "../types.ts";
import type { ArrayType, FieldType, AnyStruct } from "../types.ts";

export interface DataRelocation {
  readonly offset: number;
  readonly symbol: DataSymbol | Callable;
  readonly addend: number;
}

export interface InitialBytes {
  readonly bytes: Uint8Array;
  readonly relocations: readonly DataRelocation[];
}

export function initialBytes(name: string, type: FieldType, initial: unknown): InitialBytes {
  const writer = new InitialWriter(name, type.bytes);
  if (initial !== undefined) writer.write(type, 0, initial);
  return { bytes: writer.bytes, relocations: writer.relocations };
}

class InitialWriter {
  readonly bytes: Uint8Array;
  readonly relocations: DataRelocation[] = [];
  readonly #name: string;

  constructor(name: string, bytes: number) {
    this.#name = name;
    this.bytes = new Uint8Array(bytes);
  }

  write(type: FieldType, at: number, initial: unknown): void {
    switch (type.kind) {
      case "scalar":
        this.#scalar(type.bytes, at, checkedConstant(type.name, this.#number(initial)));
        return;
      case "pointer":
      case "code":
        this.#address(at, initial);
        return;
      case "array":
        this.#array(type, at, initial);
        return;
      case "struct":
        this.#struct(type, at, initial);
    }
  }

  #number(initial: unknown): number | bigint {
    if (typeof initial === "number" || typeof initial === "bigint") return initial;
    throw invalid(`${this.#name}: initial value is no number`, { value: initial, allowed: "numbers and bigints" });
  }

  #scalar(bytes: number, at: number, value: bigint): void {
    const pattern = BigInt.asUintN(64, value);
    for (let i = 0; i < bytes; i++) this.bytes[at + i] = Number((pattern >> BigInt(8 * i)) & 0xffn);
  }

  #address(at: number, initial: unknown): void {
    if (initial === null) return;
    if (initial instanceof Callable) {
      this.relocations.push({ offset: at, symbol: initial, addend: 0 });
      return;
    }
    const target = symbolicAddress(initial);
    if (target === undefined)
      throw invalid(`${this.#name}: initial address is no constant of the image`, {
        value: typeof initial,
        allowed: "routines, places of globals, null",
      });
    this.relocations.push({ offset: at, symbol: target.symbol, addend: target.offset });
  }

  #array(type: ArrayType, at: number, initial: unknown): void {
    const element = type.element as FieldType;
    const content = typeof initial === "string" ? new TextEncoder().encode(initial) : initial;
    if (content instanceof Uint8Array) {
      if (element.bytes !== 1 || content.length > type.bytes)
        throw invalid(`${this.#name}: bytes do not fit ${type.name}`, {
          value: content.length,
          allowed: element.bytes === 1 ? `up to ${type.bytes} bytes` : "a list of entries",
        });
      this.bytes.set(content, at);
      return;
    }
    if (!Array.isArray(content) || content.length > type.count) {
      throw invalid(`${this.#name}: initial value of ${type.name} is no list of up to ${type.count} entries`, {
        value: Array.isArray(content) ? content.length : content,
        allowed: `lists of up to ${type.count} entries`,
      });
    }
    content.forEach((entry: unknown, i) => {
      this.write(element, at + i * element.bytes, entry);
    });
  }

  #struct(type: AnyStruct, at: number, initial: unknown): void {
    if (typeof initial !== "object" || initial === null)
      throw invalid(`${this.#name}: initial value of ${type.name} is no object`, {
        value: initial,
        allowed: "an object with some of its fields",
      });
    for (const [field, value] of Object.entries(initial)) {
      const offset = type.offsets.get(field);
      if (offset === undefined) throw noField(type, field, `${this.#name}: `);
      if (value !== undefined) this.write(type.fields[field] as FieldType, at + offset, value);
    }
  }
}
