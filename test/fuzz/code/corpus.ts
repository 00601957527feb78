// Pieces of code: of real programs, those that the emulator is compared with QEMU on and those of the laws of time, and of
// what is drawn once and used many times.

import { Random } from "../../support/random.ts";

export interface Piece {
  readonly bytes: Uint8Array;
  /** Offsets at which instructions begin, ascending. */
  readonly starts: readonly number[];
}

/** A few instructions in a row of one of the programs. */
export function somePiece(random: Random, corpus: readonly Piece[]): Uint8Array {
  const { bytes, starts } = random.pick(corpus);
  const index = random.between(0, starts.length - 1);
  const end = starts[index + random.between(1, 12)] ?? bytes.length;
  return bytes.subarray(starts[index], end);
}

const DRAWN = 4096;

/** Drawing costs more than running, so each of many templates is drawn often, but once for all inputs. */
export function drawPieces(templates: readonly ((random: Random) => Uint8Array)[]): Uint8Array[] {
  const random = new Random(DRAWN);
  return Array.from({ length: DRAWN }, () => random.pick(templates)(random));
}

/** Bytes put together; what goes beyond its end is left out. */
export class Bytes {
  readonly #bytes: Uint8Array;
  length = 0;

  constructor(most: number) {
    this.#bytes = new Uint8Array(most);
  }

  byte(value: number): void {
    if (this.length < this.#bytes.length) this.#bytes[this.length++] = value;
  }

  word(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.byte(value >>> shift);
  }

  piece(bytes: Uint8Array): void {
    const fitting = bytes.subarray(0, this.#bytes.length - this.length);
    this.#bytes.set(fitting, this.length);
    this.length += fitting.length;
  }

  /** A view: good until more is put in. */
  get all(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}
