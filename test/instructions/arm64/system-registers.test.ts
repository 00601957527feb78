// Which system registers and maintenance operations exist: every encoding there is, against the list of the manual.

import { describe, expect, it } from "vitest";
import { Decoder } from "./decoder.ts";
import { encode } from "./encodings.ts";
import { systemRegisters } from "./system-registers.ts";

const decoder = new Decoder();

const byEncoding = new Map([...systemRegisters].map(([name, register]) => [register.encoding, { name, ...register }]));

/** ID registers, CRn = 0 and CRm = 1 to 7 with op0 = 3 and op1 = 0: reserved ones read as zero (D24.1). */
function isIdentification(encoding: number): boolean {
  return encoding >= 0xc008 && encoding <= 0xc03f;
}

type Outcome = "done" | "UNDEFINED" | "UNSUPPORTED";

function outcome(word: number): Outcome {
  const operation = decoder.operation(word);
  return operation === "UNDEFINED" || operation === "UNSUPPORTED" ? operation : "done";
}

function complaints(write: boolean): string[] {
  const found: string[] = [];
  for (let encoding = 0x8000; encoding <= 0xffff; encoding++) {
    const register = byEncoding.get(encoding);
    const accessible = register?.nmi === true ? false : write ? register?.writable : register?.readable;
    let expected: Outcome = accessible === true ? "done" : "UNDEFINED";
    if (accessible === true && register?.unsupported === true) expected = "UNSUPPORTED";
    if (!write && isIdentification(encoding)) expected = "done";
    const word = encode("1101010100 l rrrrrrrrrrrrrrrr ttttt", { l: !write, r: encoding, t: 3 });
    if (outcome(word) !== expected)
      found.push(`${register?.name ?? encoding.toString(16)}: ${outcome(word)}, not ${expected}`);
  }
  return found;
}

// op1:CRn:CRm:op2 in octal and hexadecimal digits as the manual writes them: op1, CRn, CRm, op2.
const maintenance: readonly (readonly [string, number, number, number, number, Outcome?])[] = [
  ["IC IALLUIS", 0, 7, 1, 0],
  ["IC IALLU", 0, 7, 5, 0],
  ["IC IVAU", 3, 7, 5, 1],
  ["DC IVAC", 0, 7, 6, 1],
  ["DC ISW", 0, 7, 6, 2],
  ["DC CSW", 0, 7, 10, 2],
  ["DC CISW", 0, 7, 14, 2],
  ["DC ZVA", 3, 7, 4, 1],
  ["DC CVAC", 3, 7, 10, 1],
  ["DC CVAU", 3, 7, 11, 1],
  ["DC CIVAC", 3, 7, 14, 1],
  ["AT S1E1R", 0, 7, 8, 0, "UNSUPPORTED"],
  ["AT S1E1W", 0, 7, 8, 1, "UNSUPPORTED"],
  ["AT S1E0R", 0, 7, 8, 2, "UNSUPPORTED"],
  ["AT S1E0W", 0, 7, 8, 3, "UNSUPPORTED"],
  ...[3, 7].flatMap((crm) =>
    ([0, 1, 2, 3, 5, 7] as const).map((op2) => [`TLBI of EL1, ${crm}, ${op2}`, 0, 8, crm, op2] as const),
  ),
];

describe("the A64 decoder knows the system registers", () => {
  it("that can be read at EL1, and no others", () => {
    expect(complaints(false)).toEqual([]);
  });

  it("that can be written at EL1, and no others", () => {
    expect(complaints(true)).toEqual([]);
  });

  it("and the cache and TLB maintenance of EL1, and no other operation", () => {
    const expected = new Map(
      maintenance.map(([, p, n, m, q, special = "done"]) => [(1 << 14) | (p << 11) | (n << 7) | (m << 3) | q, special]),
    );
    for (let encoding = 0x4000; encoding <= 0x7fff; encoding++) {
      const word = encode("1101010100 0 rrrrrrrrrrrrrrrr ttttt", { r: encoding, t: 3 });
      expect({ encoding, outcome: outcome(word) }).toEqual({
        encoding,
        outcome: expected.get(encoding) ?? "UNDEFINED",
      });
    }
  });
});
