// The core's decoder, by itself: what assembly/x86/testing.ts adds to the checked core.

import { instantiateSync } from "@assemblyscript/loader";
import { checkedCore } from "../../support/bare-machine.ts";
import { operationNames } from "../operation-names.ts";

interface TestingExports extends Record<string, unknown> {
  readonly memory: WebAssembly.Memory;
  bytesAddress(): number;
  decodeBytes(available: number): number;
}

export interface DecodedBytes {
  readonly operation: string;
  readonly length: number;
}

export class Decoder {
  readonly #raw = instantiateSync<TestingExports>(checkedCore).exports;
  readonly #names = operationNames("x86");

  /** All operations. */
  get operations(): string[] {
    return [...this.#names.values()];
  }

  /** What bytes are decoded into, of which the first `available` can be fetched; undefined when more are needed. */
  decode(bytes: readonly number[], available = 15): DecodedBytes | undefined {
    const window = new Uint8Array(this.#raw.memory.buffer, this.#raw.bytesAddress(), 15);
    window.fill(FILLER).set(bytes.slice(0, 15));
    const answer = this.#raw.decodeBytes(available);
    if (answer === 0) return undefined;
    const operation = this.#names.get(answer & 0xffff);
    if (operation === undefined) throw new Error(`operation ${answer & 0xffff} has no name`);
    return { operation, length: answer >>> 16 };
  }
}

/** Behind the bytes of an encoding: NOP. */
export const FILLER = 0x90;
