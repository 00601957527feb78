// A checksum of 64 bits against damage: any change within one 32-bit word is found for certain, others with odds of 2^64.

/**
 * Checksum of bytes, of which there are a multiple of four, aligned to four.
 * @returns two 32-bit words
 */
export function checksum(bytes: Uint8Array): readonly [number, number] {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  let a = 0x9e3779b9 ^ words.length;
  let b = 0x85ebca6b;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as number;
    // Each step is a bijection of (a, b), and for a given (a, b) tells all words apart.
    a = Math.imul(a ^ word, 0x9e3779b1);
    a = (a << 13) | (a >>> 19);
    b = Math.imul((b + a) | 0, 0x85ebca77);
    b = (b << 11) | (b >>> 21);
  }
  return [finished(a ^ (b << 7)), finished(b)];
}

function finished(value: number): number {
  let z = value ^ (value >>> 16);
  z = Math.imul(z, 0x85ebca6b);
  z ^= z >>> 13;
  z = Math.imul(z, 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}

/** Checksum of a text, in hexadecimal: an identity, where nobody forges. */
export function textIdentity(text: string): string {
  const content = new TextEncoder().encode(text);
  const padded = new Uint8Array(roundToWords(content.length));
  padded.set(content);
  return checksum(padded)
    .map((word) => word.toString(16).padStart(8, "0"))
    .join("");
}

export function roundToWords(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
