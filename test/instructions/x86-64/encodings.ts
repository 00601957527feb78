// Encodings from all of the opcode maps: opcodes, prefixes, and the ways in which ModRM can go on.

export type Encodings = readonly (readonly number[])[];

const bytes = Array.from({ length: 256 }, (_, byte) => byte);

/** Prefixes in front of the escape bytes; 66, F2 and F3 are a part of the opcode in many places, REX comes last. */
const prefixes = [
  [],
  [0x66],
  [0xf3],
  [0xf2],
  [0x48],
  [0x4f],
  [0x66, 0x48],
  [0x66, 0xf2],
  [0xf3, 0x4f],
  [0x67],
] as const;

/** Every extension with a register and with memory; every form of an address. */
const modRms: Encodings = [
  ...Array.from({ length: 8 }, (_, extension) => [0xc0 | (extension << 3)]),
  ...Array.from({ length: 8 }, (_, extension) => [0x03 | (extension << 3)]),
  [0x04, 0x25],
  [0x04, 0xe5],
  [0x05],
  [0x44, 0x24],
  [0x45],
  [0x84, 0xc8],
  [0x87],
  [0xc7],
];

/** Opcodes whose ModRM.rm says which instruction it is. */
const registerForms: Encodings = Array.from({ length: 64 }, (_, low) => [0xc0 | low]);

function isPrefix(opcode: number): boolean {
  return [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(opcode) || opcode >> 4 === 4;
}

/** VEX and EVEX have classes of their own, 9B is a part of some mnemonics, 0F leads to the other maps. */
function isInOneByteMap(opcode: number): boolean {
  return !isPrefix(opcode) && ![0x0f, 0x62, 0x8f, 0x9b, 0xc4, 0xc5].includes(opcode);
}

function combine(escape: readonly number[], opcodes: readonly number[], tails: Encodings): Encodings {
  return prefixes.flatMap((prefix) =>
    opcodes.flatMap((opcode) => tails.map((tail) => [...prefix, ...escape, opcode, ...tail])),
  );
}

/** VEX with every map, pp, W and L. */
function vexEncodings(): Encodings {
  const maps = [1, 2, 3];
  const last = [0, 1, 2, 3, 4, 5, 0x80, 0x83, 0x87].map((bits) => bits | 0x70);
  return maps.flatMap((map) =>
    last.flatMap((byte) => {
      const opcodes = map === 2 ? [0, 0x18, ...bytes.slice(0xf0)] : map === 3 ? [0, 0x46, ...bytes.slice(0xf0)] : bytes;
      return opcodes.flatMap((opcode) =>
        modRms.filter((_, index) => index % 3 === 0).map((tail) => [0xc4, 0xe0 | map, byte, opcode, ...tail]),
      );
    }),
  );
}

/** Several prefixes, in orders that compilers don't use. A REX prefix counts only directly before the opcode. */
function prefixOrders(): Encodings {
  const sets = [
    [0x48, 0x66],
    [0x66, 0x66, 0x66],
    [0xf2, 0xf3],
    [0xf3, 0xf2],
    [0xf2, 0x66, 0x48],
    [0x2e, 0x66],
    [0x64, 0x67],
    [0x65, 0x48],
    [0x67, 0x66, 0x41],
    [0x36, 0x3e, 0x26],
  ];
  const opcodes: Encodings = [
    ...[0x01, 0x03, 0x50, 0x58, 0x89, 0x8b, 0x8d, 0x90, 0x91, 0x98, 0x99, 0xa4, 0xa5, 0xab, 0xaf, 0xc1, 0xc3, 0xd3].map(
      (opcode) => [opcode],
    ),
    ...[0xe8, 0xe9, 0xeb, 0xe3, 0xf6, 0xf7, 0xfe, 0xff, 0x05, 0x68, 0x69, 0x6a, 0x81, 0x83, 0xa1, 0xb8, 0xc7, 0xc8].map(
      (opcode) => [opcode],
    ),
    ...[0xaf, 0xb6, 0xb8, 0xbc, 0xbd, 0xc7, 0xc8, 0xa3, 0xba, 0xae, 0x1e, 0x44, 0x84, 0xb1].map((opcode) => [
      0x0f,
      opcode,
    ]),
    [0x0f, 0x38, 0xf0],
    [0x0f, 0x38, 0xf1],
    [0x0f, 0x38, 0xf6],
  ];
  return sets.flatMap((set) =>
    opcodes.flatMap((opcode) => [[0xc1], [0x43, 0x12], [0xf1]].map((tail) => [...set, ...opcode, ...tail])),
  );
}

/** By class: what is to be decoded. Each is followed by NOPs, which serve as displacement and immediate. */
export const encodingClasses: Readonly<Record<string, Encodings>> = {
  "one byte": combine([], bytes.filter(isInOneByteMap), modRms),
  "0F": combine(
    [0x0f],
    bytes.filter((opcode) => opcode !== 0x38 && opcode !== 0x3a),
    modRms,
  ),
  "0F 38": combine([0x0f, 0x38], bytes, modRms),
  "0F 3A": combine([0x0f, 0x3a], bytes, modRms),
  "0F 01, 0F 1E, 0F AE and 0F C7 with registers": combine([0x0f], [0x01, 0x1e, 0xae, 0xc7], registerForms),
  VEX: vexEncodings(),
  "several prefixes": prefixOrders(),
};
