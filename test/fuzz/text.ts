// Changes to texts and bytes, as damage and as people who type make them.

import type { Random } from "../support/random.ts";

const strange = [
  "\0",
  "\x1b",
  "\x7f",
  "\x85",
  "\xa0",
  "\u0661",
  "\u200b",
  "\u2028",
  "\ufeff",
  "\ufffe",
  "\ud800",
  "\udfff",
  "😀",
  "ﬀ",
  "İ",
  "-",
  "+",
  ".",
  "e",
  "0x",
  "1e9",
  "NaN",
  "Infinity",
  "__proto__",
  "constructor",
  "\n",
  "\r\n",
  "\t",
  " ",
  ",",
  ":",
  "/",
  '"',
  "'",
  "<",
  ">",
  "&",
  "&amp;",
  "&#0;",
  "&#x110000;",
  "]]>",
  "<!--",
  "-->",
  "<![CDATA[",
  "<?",
  "?>",
  "{",
  "}",
  "[",
  "]",
  "\\",
  "\\u0000",
] as const;

const numbers = [
  "0",
  "1",
  "2",
  "7",
  "8",
  "31",
  "32",
  "63",
  "64",
  "127",
  "128",
  "255",
  "256",
  "1023",
  "1024",
  "4095",
  "4096",
  "65535",
  "65536",
  "65537",
  "2147483647",
  "2147483648",
  "4294967295",
  "4294967296",
  "9007199254740993",
  "18446744073709551616",
  "-1",
  "00",
  "007",
] as const;

/** A number that stands at an edge of something, or a small one, as text. */
export function someNumber(random: Random): string {
  return random.chance(60) ? String(random.between(0, 20)) : random.pick(numbers);
}

/** One change to a text: something is added, taken away, doubled, moved or replaced. */
export function changedText(random: Random, text: string): string {
  const at = random.between(0, text.length);
  const end = Math.min(text.length, at + random.between(1, 8));
  const [before, part, behind] = [text.slice(0, at), text.slice(at, end), text.slice(end)];
  switch (random.between(0, 8)) {
    case 0:
      return before + behind;
    case 1:
      return before + part + part + behind;
    case 2:
      return before + random.pick(strange) + part + behind;
    case 3:
      return before + random.pick(strange) + behind;
    case 4:
      return before + String.fromCharCode(random.next() & (random.chance(70) ? 0x7f : 0xffff)) + behind;
    case 5:
      return random.chance(50) ? before : part + behind;
    case 6: {
      const to = random.between(0, text.length);
      return before + text.slice(to, to + random.between(1, 40)) + behind;
    }
    default:
      return changedNumber(random, text);
  }
}

/** One of the numbers in a text becomes another. */
function changedNumber(random: Random, text: string): string {
  const found = [...text.matchAll(/\d+/g)];
  if (found.length === 0) return text + someNumber(random);
  const { 0: digits, index } = random.pick(found);
  return text.slice(0, index) + someNumber(random) + text.slice(index + digits.length);
}

/** Up to so many changes. */
export function muchChangedText(random: Random, text: string, most: number): string {
  let changed = text;
  for (let left = random.between(0, most); left > 0; left--) changed = changedText(random, changed);
  return changed;
}

export function randomBytes(random: Random, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 4) {
    const word = random.next();
    bytes[at] = word;
    bytes[at + 1] = word >>> 8;
    bytes[at + 2] = word >>> 16;
    bytes[at + 3] = word >>> 24;
  }
  return bytes;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}
