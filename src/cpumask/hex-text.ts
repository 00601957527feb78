// The bitmask format of masks, "ff,00000001": bitmap_parse() and %*pb (Linux lib/bitmap-str.c, lib/vsprintf.c; reference,
// section 13.3).

import { isEnd, isSeparator } from "./characters.ts";
import { CpuMaskError } from "./error.ts";

const CHUNK_BITS = 32;
const CHUNK_DIGITS = 8;

/** Chunks of 32 bits in a mask. */
export function chunksOf(bits: number): number {
  return Math.ceil(bits / CHUNK_BITS);
}

/** Bits of a chunk that the mask has. */
export function validBits(chunk: number, bits: number): number {
  const left = bits - chunk * CHUNK_BITS;
  return left >= CHUNK_BITS ? 0xffff_ffff : left <= 0 ? 0 : 2 ** left - 1;
}

/**
 * Reads a bitmask from its end, and hands over chunks as they are read, lowest first, without bits beyond the mask.
 * @returns how many chunks the text has; those above are to be cleared
 * @throws CpuMaskError EINVAL or EOVERFLOW, in the kernel's order
 */
export function parseHexText(text: string, bits: number, accept: (chunk: number, value: number) => void): number {
  let at = endOf(text) - 1;
  let beyond = false;
  for (let chunk = 0; ; chunk++) {
    while (at >= 0 && isSeparator(text.charCodeAt(at))) at--;
    if (at < 0) {
      if (beyond) throw new CpuMaskError("EOVERFLOW", "a bit beyond the mask", text, 0, `${bits} bits`);
      return chunk;
    }
    if (chunk === chunksOf(bits)) {
      throw new CpuMaskError("EOVERFLOW", "more chunks than the mask has", text, at, `${chunksOf(bits)} chunks`);
    }
    const { value, before } = readChunk(text, at);
    const valid = validBits(chunk, bits);
    beyond = value > valid;
    accept(chunk, (value & valid) >>> 0);
    at = before;
  }
}

function endOf(text: string): number {
  let at = 0;
  while (!isEnd(text.charCodeAt(at))) at++;
  return at;
}

/**
 * The chunk that ends at a position. A ninth hex digit is one too many; any other ninth character is swallowed, as
 * bitmap_parse() does [derived from the parser].
 */
function readChunk(text: string, last: number): { readonly value: number; readonly before: number } {
  let value = 0;
  let at = last;
  for (let digits = 0; digits < CHUNK_DIGITS; digits++) {
    const digit = hexDigit(text.charCodeAt(at));
    if (digit < 0) throw new CpuMaskError("EINVAL", "not a hex digit", text, at, "0-9, a-f, commas and blanks");
    value += digit * 16 ** digits;
    at--;
    if (at < 0 || isSeparator(text.charCodeAt(at))) return { value, before: at };
  }
  if (hexDigit(text.charCodeAt(at)) < 0) return { value, before: at - 1 };
  throw new CpuMaskError("EOVERFLOW", "a chunk of more than 32 bits", text, at, "at most 8 digits between commas");
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return code < 0x80 && letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** All chunks, the highest first; its digits are as many as the mask has bits there. */
export function formatHexText(chunks: Uint32Array, bits: number): string {
  const parts: string[] = [];
  for (let chunk = chunksOf(bits) - 1; chunk >= 0; chunk--) {
    const width = Math.min(CHUNK_BITS, bits - chunk * CHUNK_BITS);
    parts.push((chunks[chunk] ?? 0).toString(16).padStart(Math.ceil(width / 4), "0"));
  }
  return parts.join(",");
}
