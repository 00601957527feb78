// The encoding classes of A64 (Arm ARM DDI 0487 K.a, C4.1) as diagrams with every open bit free, narrow enough that random
// words of each meet all of its opcodes; and the sample of words that the decoder is judged by.

import { encode } from "./encodings.ts";
import { Random } from "../../support/random.ts";

export const encodingClasses: Readonly<Record<string, string>> = {
  anything: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
  reserved: "xxx0000xxxxxxxxxxxxxxxxxxxxxxxxx",
  UDF: "0000000000000000xxxxxxxxxxxxxxxx",
  "unallocated 0001": "xxx0001xxxxxxxxxxxxxxxxxxxxxxxxx",
  SVE: "xxx0010xxxxxxxxxxxxxxxxxxxxxxxxx",
  "unallocated 0011": "xxx0011xxxxxxxxxxxxxxxxxxxxxxxxx",
  "floating point and SIMD": "xxxx111xxxxxxxxxxxxxxxxxxxxxxxxx",

  "PC-relative": "xxx10000xxxxxxxxxxxxxxxxxxxxxxxx",
  "add/subtract immediate": "xxx100010xxxxxxxxxxxxxxxxxxxxxxx",
  "add/subtract immediate with tags, min/max": "xxx100011xxxxxxxxxxxxxxxxxxxxxxx",
  "logical immediate": "xxx100100xxxxxxxxxxxxxxxxxxxxxxx",
  "move wide": "xxx100101xxxxxxxxxxxxxxxxxxxxxxx",
  bitfield: "xxx100110xxxxxxxxxxxxxxxxxxxxxxx",
  extract: "xxx100111xxxxxxxxxxxxxxxxxxxxxxx",

  branches: "xxx101xxxxxxxxxxxxxxxxxxxxxxxxxx",
  "conditional branch": "0101010xxxxxxxxxxxxxxxxxxxxxxxxx",
  "exception generation": "11010100xxxxxxxxxxxxxxxxxxxxxxxx",
  "exception generation, first operands": "11010100xxx00000xxxxxxxxxxx000xx",
  "system with register argument": "110101010000001100xxxxxxxxxxxxxx",
  "system instructions": "1101010100xxxxxxxxxxxxxxxxxxxxxx",
  "system, op0 = 0": "1101010100x00xxxxxxxxxxxxxxxxxxx",
  PSTATE: "1101010100000xxx0100xxxxxxx11111",
  hints: "11010101000000110010xxxxxxx11111",
  barriers: "11010101000000110011xxxxxxx11111",
  SYSL: "1101010100101xxxxxxxxxxxxxxxxxxx",
  "system beyond": "1101010101xxxxxxxxxxxxxxxxxxxxxx",
  "branch to register": "1101011xxxxxxxxxxxxxxxxxxxxxxxxx",
  "branch to register, no authentication": "1101011xxxx11111000000xxxxx00000",
  "branch to register, authentication": "1101011xxxx1111100001xxxxxxxxxxx",
  "compare and branch": "x01101xxxxxxxxxxxxxxxxxxxxxxxxxx",
  "unconditional branch": "x00101xxxxxxxxxxxxxxxxxxxxxxxxxx",

  "loads and stores": "xxxx1x0xxxxxxxxxxxxxxxxxxxxxxxxx",
  "exclusive and ordered": "xx001000xxxxxxxxxxxxxxxxxxxxxxxx",
  "exclusive and ordered, no second register": "xx001000xxxxxxxxx11111xxxxxxxxxx",
  "exclusive and ordered, no registers": "xx001000xxx11111x11111xxxxxxxxxx",
  "load literal": "xx011x00xxxxxxxxxxxxxxxxxxxxxxxx",
  "unscaled ordered, tags": "xx011x01xxxxxxxxxxxxxxxxxxxxxxxx",
  pairs: "xx101xxxxxxxxxxxxxxxxxxxxxxxxxxx",
  "register: unscaled, indexed, unprivileged": "xx111000xx0xxxxxxxxxxxxxxxxxxxxx",
  "register: atomic, offset, authenticated": "xx111000xx1xxxxxxxxxxxxxxxxxxxxx",
  atomic: "xx111000xx1xxxxxxxxx00xxxxxxxxxx",
  "load-acquire RCpc": "xx111000xx111111xxxx00xxxxxxxxxx",
  "register offset": "xx111000xx1xxxxxxxxx10xxxxxxxxxx",
  "unsigned offset": "xx111001xxxxxxxxxxxxxxxxxxxxxxxx",
  "memory copy": "xx011x01xx0xxxxxxxxx01xxxxxxxxxx",

  "logical shifted": "xxx01010xxxxxxxxxxxxxxxxxxxxxxxx",
  "add/subtract shifted": "xxx01011xx0xxxxxxxxxxxxxxxxxxxxx",
  "add/subtract extended": "xxx01011xx1xxxxxxxxxxxxxxxxxxxxx",
  "add/subtract with carry, flag manipulation": "xxx11010000xxxxxxxxxxxxxxxxxxxxx",
  "conditional compare": "xxx11010010xxxxxxxxxxxxxxxxxxxxx",
  "conditional select": "xxx11010100xxxxxxxxxxxxxxxxxxxxx",
  "unallocated among register operations": "xxx11010xx1xxxxxxxxxxxxxxxxxxxxx",
  "two sources": "x0x11010110xxxxxxxxxxxxxxxxxxxxx",
  "one source": "x1x1101011000000xxxxxxxxxxxxxxxx",
  "one source, other opcodes": "x1x11010110xxxxxxxxxxxxxxxxxxxxx",
  "three sources": "xxx11011xxxxxxxxxxxxxxxxxxxxxxxx",
};

/** `count` random words of a class. */
export function sampleClass(name: string, count: number): Uint32Array {
  const diagram = encodingClasses[name];
  if (diagram === undefined) throw new Error(`no encoding class ${name}`);
  const random = new Random([...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) | 0, 7));
  const open = diagram.replaceAll("0", "1").replaceAll("x", "0");
  const fixed = encode(diagram.replaceAll("x", "0"), {});
  const mask = encode(open, {});
  return Uint32Array.from({ length: count }, () => ((random.next() & ~mask) | fixed) >>> 0);
}
