// The data of a batch of iterations, as the host writes it before and reads it afterwards.

import type { SeededRandom } from "../random.ts";
import type { LitmusProgram } from "./harness.ts";
import { Meeting, Record, memoryOffset } from "./layout.ts";
import type { LitmusLayout } from "./layout.ts";
import type { MemoryCell } from "./plan.ts";

/** Longest delays of a batch, in turns of a loop: from threads that begin together to ones that miss each other. */
const DELAYS: readonly (readonly [weight: number, most: number])[] = [[1, 0], [2, 8], [3, 32], [4, 128], [4, 512], [2, 1500]]; // prettier-ignore

/** Weights of what a thread does with a location before it begins: nothing, read it, write back what it holds. */
const TOUCHES: readonly (readonly [weight: number, bits: number])[] = [[2, 0], [1, 0b01], [1, 0b10]]; // prettier-ignore

export class Batch {
  /** All of the data from the start of the blocks on. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #layout: LitmusLayout;
  readonly #threads: number;
  readonly #memory: readonly MemoryCell[];
  readonly #offsets: ReadonlyMap<string, number>;

  constructor({ layout, plan }: LitmusProgram) {
    this.bytes = new Uint8Array(layout.dataBytes - Meeting.END);
    this.#view = new DataView(this.bytes.buffer);
    this.#layout = layout;
    this.#threads = plan.test.threads.length;
    this.#memory = plan.memory;
    this.#offsets = new Map(plan.memory.map(({ name }, i) => [name, memoryOffset(layout, this.#threads, i)] as const));
  }

  /** @param number of the batch, from 0 */
  prepare(number: number, iterations: number, random: SeededRandom): void {
    this.bytes.fill(0);
    const most = random.choose(DELAYS);
    for (let iteration = 0; iteration < iterations; iteration++) {
      this.#prepareMemory(iteration);
      for (let thread = 0; thread < this.#threads; thread++) {
        const record = this.#record(iteration, thread);
        this.#put(record + Record.TARGET, (iteration + 1) * this.#threads);
        this.#put(record + Record.DELAY, random.next() % (most + 1));
        this.#put(record + Record.LAST_DELAY, random.next() % (2 * most + 1));
        this.#put(record + Record.TOUCH, this.#touches(random), this.#touches(random));
      }
    }
    for (let thread = 0; thread < this.#threads; thread++) {
      this.#put(this.#record(iterations, thread) + Record.DELAY, number);
    }
  }

  /** Of up to 16 locations. */
  #touches(random: SeededRandom): number {
    let bits = 0;
    for (let i = 0; i < Math.min(16, this.#memory.length); i++) bits |= random.choose(TOUCHES) << (2 * i);
    return bits >>> 0;
  }

  #prepareMemory(iteration: number): void {
    const block = iteration * this.#layout.blockBytes;
    for (const { name, type, value } of this.#memory) {
      const at = block + (this.#offsets.get(name) ?? 0);
      const bits = typeof value === "string" ? BigInt(this.#address(iteration, value)) : value;
      this.#view.setBigUint64(at, BigInt.asUintN(type.bits, bits), true);
    }
  }

  /** In guest memory. */
  #address(iteration: number, name: string): number {
    const { dataBase, blockBytes } = this.#layout;
    return dataBase + Meeting.END + iteration * blockBytes + (this.#offsets.get(name) ?? 0);
  }

  #record(iteration: number, thread: number): number {
    return iteration * this.#layout.blockBytes + thread * this.#layout.recordBytes;
  }

  #put(offset: number, low: number, high = 0): void {
    this.#view.setUint32(offset, low, true);
    this.#view.setUint32(offset + 4, high, true);
  }
}

/** Where an observable is in a block, and what an address in it is the address of. */
export interface BlockPlace {
  readonly offset: number;
  readonly bits: 8 | 16 | 32 | 64;
}

/** Reads what a batch left: for each iteration one key, which is the same for the same values. */
export class Harvest {
  readonly #layout: LitmusLayout;
  readonly #places: readonly BlockPlace[];

  constructor(layout: LitmusLayout, places: readonly BlockPlace[]) {
    this.#layout = layout;
    this.#places = places;
  }

  /** Adds how often each key came to `counts`. A key is hexadecimal words, or @offset for an address in the block. */
  count(bytes: Uint8Array, iterations: number, counts: Map<string, number>): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const { blockBytes, dataBase } = this.#layout;
    for (let iteration = 0; iteration < iterations; iteration++) {
      const block = iteration * blockBytes;
      let key = "";
      for (const place of this.#places) key += this.#word(view, block, place, dataBase + Meeting.END + block);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }

  #word(view: DataView, block: number, { offset, bits }: BlockPlace, address: number): string {
    const at = block + offset;
    if (bits === 8) return `${view.getUint8(at).toString(16)},`;
    if (bits === 16) return `${view.getUint16(at, true).toString(16)},`;
    const low = view.getUint32(at, true);
    if (bits === 32) return `${low.toString(16)},`;
    const high = view.getUint32(at + 4, true);
    const distance = low - address;
    if (high !== 0) return `${high.toString(16)}${low.toString(16).padStart(8, "0")},`;
    return distance >= 0 && distance < this.#layout.blockBytes ? `@${distance.toString(16)},` : `${low.toString(16)},`;
  }
}
