// Where masks live: slots in the memory of one engine, taken in slabs and reused by size. An engine's memory only ever
// grows, so what is given back is kept for the next mask of that size; a mask that is forgotten gives its slot back when
// the garbage collector finds it.

import type { MaskOperations } from "../core/mask-operations.ts";

/** An address space with the operations on it: an instance of the WebAssembly core, or plain TypeScript. */
export interface MaskEngine {
  /** All of the memory; another buffer once `allocate` has made it grow. */
  readonly buffer: ArrayBuffer;
  /** Reserves zeroed bytes for ever. @returns their address, a multiple of 16 @throws CAPACITY_EXCEEDED */
  allocate(bytes: number): number;
  readonly masks: MaskOperations;
}

/** Room for one mask. */
export interface Slot {
  readonly address: number;
  readonly bytes: number;
}

const SLAB_BYTES = 65_536;
const SLOT_ALIGN = 16;
const SCRATCH_NUMBERS = 1024;

export class MaskMemory {
  readonly #engine: MaskEngine;
  readonly operations: MaskOperations;
  /** All of the memory as 32-bit words. */
  words: Uint32Array;
  readonly #free = new Map<number, number[]>();
  readonly #forgotten = new FinalizationRegistry<Slot>((slot) => this.#give(slot.address, slot.bytes));
  #slab = 0;
  #slabEnd = 0;
  #scratch = 0;

  constructor(engine: MaskEngine) {
    this.#engine = engine;
    this.operations = engine.masks;
    this.words = new Uint32Array(engine.buffer);
  }

  /** Room for `bits` bits, all of them 0, until `owner` releases it or is no more. @throws CAPACITY_EXCEEDED */
  take(owner: object, bits: number): Slot {
    const bytes = Math.ceil(bits / (8 * SLOT_ALIGN)) * SLOT_ALIGN;
    const slot = { address: this.#free.get(bytes)?.pop() ?? this.#carve(bytes), bytes };
    this.words.fill(0, slot.address >>> 2, (slot.address + bytes) >>> 2);
    this.#forgotten.register(owner, slot, owner);
    return slot;
  }

  release(owner: object, slot: Slot): void {
    this.#forgotten.unregister(owner);
    this.#give(slot.address, slot.bytes);
  }

  /** Numbers of all set bits of a mask, ascending. */
  collect(mask: number, bits: number): number[] {
    this.#scratch ||= this.#allocate(4 * SCRATCH_NUMBERS);
    const first = this.#scratch >>> 2;
    const numbers: number[] = [];
    for (let from = 0; from < bits;) {
      const count = this.operations.maskCollect(mask, bits, from, this.#scratch, SCRATCH_NUMBERS);
      for (let index = first; index < first + count; index++) numbers.push(this.words[index]!);
      from = count < SCRATCH_NUMBERS ? bits : numbers[numbers.length - 1]! + 1;
    }
    return numbers;
  }

  #give(address: number, bytes: number): void {
    const slots = this.#free.get(bytes);
    if (slots === undefined) this.#free.set(bytes, [address]);
    else slots.push(address);
  }

  #carve(bytes: number): number {
    if (this.#slabEnd - this.#slab < bytes) {
      if (this.#slabEnd > this.#slab) this.#give(this.#slab, this.#slabEnd - this.#slab);
      this.#slab = this.#slabEnd = 0;
      this.#slab = this.#allocate(SLAB_BYTES);
      this.#slabEnd = this.#slab + SLAB_BYTES;
    }
    const address = this.#slab;
    this.#slab += bytes;
    return address;
  }

  /** Views on memory die when it grows, so they are made anew. */
  #allocate(bytes: number): number {
    const address = this.#engine.allocate(bytes);
    this.words = new Uint32Array(this.#engine.buffer);
    return address;
  }
}
