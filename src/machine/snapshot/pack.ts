// Compaction of a machine's memory: repetitions of 32-bit words, near or far. CPUs' records resemble each other, and most of
// a page in use is zero. Packed: pairs of a run of literal words and a repetition, until all words are there:
//
//   literals   number of words, as a varint; then the words
//   length     words repeated, as a varint; 0 only at the end
//   distance   how many words back the repetition begins, as a varint; may be less than the length

/** A repetition of fewer words isn't worth its bytes. */
const LEAST_LENGTH = 3;
const HASH_BITS = 15;

/** What packWords() made is not that any more. */
export class PackedDamage extends Error {}

/** O(words). */
export function packWords(words: Uint32Array): Uint8Array {
  const packed = new PackedBytes(1024 + (words.length >>> 1));
  const seen = new Int32Array(1 << HASH_BITS).fill(-1);
  const last = words.length - LEAST_LENGTH;
  let literals = 0;
  let at = 0;
  while (at <= last) {
    const hash = hashOf(words, at);
    const candidate = seen[hash] as number;
    seen[hash] = at;
    const length = candidate < 0 ? 0 : commonLength(words, candidate, at);
    if (length < LEAST_LENGTH) {
      at++;
      continue;
    }
    packed.literals(words.subarray(literals, at));
    packed.varint(length);
    packed.varint(at - candidate);
    at += length;
    literals = at;
  }
  packed.literals(words.subarray(literals));
  packed.varint(0);
  return packed.finish();
}

function hashOf(words: Uint32Array, at: number): number {
  const mixed =
    Math.imul(words[at] as number, 0x9e3779b1) ^
    Math.imul(words[at + 1] as number, 0x85ebca77) ^
    Math.imul(words[at + 2] as number, 0xc2b2ae3d);
  return Math.imul(mixed ^ (mixed >>> 15), 0x27d4eb2f) >>> (32 - HASH_BITS);
}

function commonLength(words: Uint32Array, earlier: number, later: number): number {
  let length = 0;
  while (later + length < words.length && words[earlier + length] === words[later + length]) length++;
  return length;
}

/**
 * The words that were packed.
 * @throws PackedDamage for anything but a whole result of packWords() of `count` words
 */
export function unpackWords(packed: Uint8Array, count: number): Uint32Array<ArrayBuffer> {
  const source = new PackedSource(packed);
  const words = new Uint32Array(count);
  const bytes = new Uint8Array(words.buffer);
  let at = 0;
  while (true) {
    const literals = source.varint();
    if (literals > count - at) throw new PackedDamage("too many words");
    bytes.set(source.take(literals * 4), at * 4);
    at += literals;
    const length = source.varint();
    if (length === 0) break;
    const distance = source.varint();
    if (length > count - at || distance === 0 || distance > at) throw new PackedDamage("a repetition of nothing");
    repeat(words, at, distance, length);
    at += length;
  }
  if (at !== count || !source.isAtEnd) throw new PackedDamage("too few words");
  return words;
}

function repeat(words: Uint32Array, at: number, distance: number, length: number): void {
  if (distance >= length) words.copyWithin(at, at - distance, at - distance + length);
  else if (distance === 1) words.fill(words[at - 1] as number, at, at + length);
  else for (let i = at; i < at + length; i++) words[i] = words[i - distance] as number;
}

/** Grows as it is written. */
class PackedBytes {
  #bytes: Uint8Array;
  #used = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  #reserve(more: number): void {
    if (this.#used + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#used + more, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = grown;
  }

  /** Seven bits a byte, low ones first; numbers below 2^31. */
  varint(value: number): void {
    this.#reserve(5);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#used++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#used++] = rest;
  }

  literals(words: Uint32Array): void {
    this.varint(words.length);
    this.#reserve(words.byteLength);
    this.#bytes.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), this.#used);
    this.#used += words.byteLength;
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#used);
  }
}

class PackedSource {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new PackedDamage("a number without end");
  }

  take(bytes: number): Uint8Array {
    if (bytes > this.#bytes.length - this.#at) throw new PackedDamage("words are missing");
    this.#at += bytes;
    return this.#bytes.subarray(this.#at - bytes, this.#at);
  }
}
