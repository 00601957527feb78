// The core's decoder, by itself: compiled by `asc assembly/testing.ts --target checked`.

import { readFileSync } from "node:fs";
import { instantiateSync } from "@assemblyscript/loader";

type TestingExports = {
  decodedOperation(word: number): number;
};

/** Names of the members of `Op`, by number; read from the source, which only asc can compile. */
function operationNames(): string[] {
  const source = readFileSync(new URL("../../../assembly/arm64/operations.ts", import.meta.url), "utf8");
  const special = readFileSync(new URL("../../../assembly/memory/code.ts", import.meta.url), "utf8");
  const first = Number(/SPECIAL_KINDS: i32 = (\d+)/.exec(special)?.[1]);
  const body = /export enum Op \{([^}]*)\}/.exec(source)?.[1] ?? "";
  const members = body
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "")
    .split(",")
    .map((member) => member.trim())
    .filter((member) => member !== "");
  const names: string[] = [];
  let number = first;
  for (const member of members) {
    const [name = "", value] = member.split(/\s*=\s*/);
    if (value === "SPECIAL_KINDS") number = first;
    else if (value !== undefined) number = names.indexOf(value); // an alias
    names[number++] = name;
  }
  return names;
}

export class Decoder {
  readonly #raw: TestingExports;
  readonly #names = operationNames();

  constructor(module: WebAssembly.Module) {
    this.#raw = instantiateSync<TestingExports>(module).exports;
  }

  /** All operations. */
  get operations(): string[] {
    return this.#names.filter((name) => (name as string | undefined) !== undefined);
  }

  /** What a word is decoded into. */
  operation(word: number): string {
    const number = this.#raw.decodedOperation(word);
    const name = this.#names[number];
    if (name === undefined) throw new Error(`operation ${number} has no name`);
    return name;
  }
}
