// Encoding diagrams as the Arm ARM draws them: 32 characters, high bit first; 0 and 1 are fixed, each letter is a field
// (its bits in the order in which they stand, wherever they stand). Spaces are for the reader.

export type Fields = Readonly<Record<string, number | boolean>>;

interface Diagram {
  readonly fixed: number;
  /** Bit positions of each field, high bit first. */
  readonly fields: ReadonlyMap<string, readonly number[]>;
}

const parsed = new Map<string, Diagram>();

function parse(diagram: string): Diagram {
  const known = parsed.get(diagram);
  if (known !== undefined) return known;
  const characters = [...diagram.replaceAll(" ", "")];
  if (characters.length !== 32) throw new Error(`${characters.length} bits in ${diagram}`);
  let fixed = 0;
  const fields = new Map<string, number[]>();
  for (const [index, character] of characters.entries()) {
    const position = 31 - index;
    if (character === "1") fixed |= 1 << position;
    else if (character !== "0") fields.set(character, [...(fields.get(character) ?? []), position]);
  }
  const result = { fixed, fields };
  parsed.set(diagram, result);
  return result;
}

/** Names and widths of the fields of a diagram. */
export function fieldsOf(diagram: string): ReadonlyMap<string, number> {
  return new Map([...parse(diagram).fields].map(([name, positions]) => [name, positions.length]));
}

/**
 * The word that a diagram gives with the fields filled in: the low bits of each value.
 * A one-bit value in a field of several places (such as sf and N of the bitfield moves) fills them all.
 */
export function encode(diagram: string, values: Fields): number {
  const { fixed, fields } = parse(diagram);
  let word = fixed;
  for (const [name, positions] of fields) {
    const given = values[name];
    if (given === undefined) throw new Error(`field ${name} of ${diagram} is not given`);
    const value = typeof given === "boolean" ? (given ? -1 : 0) : given;
    for (const [index, position] of positions.entries()) {
      if (((value >> (positions.length - 1 - index)) & 1) !== 0) word |= 1 << position;
    }
  }
  return word >>> 0;
}

/** The mask that N:immr:imms of a logical immediate stands for, or undefined when reserved (DecodeBitMasks of the manual). */
export function bitmask(n: number, immr: number, imms: number, width: 32 | 64): bigint | undefined {
  const length = 31 - Math.clz32((n << 6) | (~imms & 63));
  if (length < 1 || (width === 32 && n === 1)) return undefined;
  const size = 1 << length;
  const ones = (imms & (size - 1)) + 1;
  if (ones === size) return undefined;
  const rotation = immr & (size - 1);
  let mask = 0n;
  for (let bit = 0; bit < width; bit++) {
    if (((bit % size) + rotation) % size < ones) mask |= 1n << BigInt(bit);
  }
  return mask;
}

const bitmasks = { 32: new Map<bigint, number>(), 64: new Map<bigint, number>() };

/** N:immr:imms of a mask. @throws when there is none */
export function encodeBitmask(mask: bigint, width: 32 | 64): number {
  const table = bitmasks[width];
  if (table.size === 0) {
    for (let code = 0; code < 1 << 13; code++) {
      const value = bitmask(code >> 12, (code >> 6) & 63, code & 63, width);
      if (value !== undefined && !table.has(value)) table.set(value, code);
    }
  }
  const code = table.get(mask);
  if (code === undefined) throw new Error(`0x${mask.toString(16)} is no logical immediate`);
  return code;
}
