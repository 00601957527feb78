// The core's decoder, by itself: compiled by `asc assembly/testing.ts --target checked`.

import { instantiateSync } from "@assemblyscript/loader";
import { checkedCore } from "../../support/bare-machine.ts";
import { operationNames } from "../operation-names.ts";

type TestingExports = {
  decodedOperation(word: number): number;
};

export class Decoder {
  readonly #raw = instantiateSync<TestingExports>(checkedCore).exports;
  readonly #names = operationNames("arm64");

  /** All operations. */
  get operations(): string[] {
    return [...this.#names.values()];
  }

  /** What a word is decoded into. */
  operation(word: number): string {
    const number = this.#raw.decodedOperation(word);
    const name = this.#names.get(number);
    if (name === undefined) throw new Error(`operation ${number} has no name`);
    return name;
  }
}
