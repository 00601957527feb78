// Operands of an architecture block: which registers its values come in, and which it destroys.

import { invalid } from "../failure.ts";
import type { ArchBlock } from "../record/arch.ts";
import type { Expression } from "../record/tree.ts";
import { widthOf } from "../record/tree.ts";
import { held, useAny } from "./instructions.ts";
import type { Location, OperandCode, RegisterSet, VirtualRegister } from "./instructions.ts";
import type { Move } from "./moves.ts";

export interface ArchOperands {
  readonly codes: readonly OperandCode[];
  /** Fixed operand registers and clobbers. */
  readonly clobbered: RegisterSet;
  readonly resultIn: number | undefined;
  /** Moves of the values with a fixed register. */
  moves(locations: readonly Location[]): Move[];
  /** The register of each operand by its name. */
  registers<R>(locations: readonly Location[], make: (number: number, width: 32 | 64) => R): Record<string, R>;
}

export function archOperands(
  routine: string,
  block: ArchBlock,
  architecture: "x64" | "arm64",
  numberOf: (name: string) => number,
  evaluate: (value: Expression) => VirtualRegister,
): ArchOperands {
  const uses = block.uses.map(({ name, value, fixed }) => {
    const registerName = fixed[architecture];
    const number = registerName === undefined ? undefined : numberOf(registerName);
    return { name, number, width: widthOf(value.type), register: evaluate(value) };
  });
  const fixedNumbers = uses.flatMap(({ number }) => (number === undefined ? [] : [number]));
  if (new Set(fixedNumbers).size !== fixedNumbers.length) {
    throw invalid(`${routine}: two operands of an arch block in one register`, {
      value: uses.flatMap(({ name, number }) => (number === undefined ? [] : [name])),
      allowed: "a register for each",
    });
  }
  const resultName = block.resultIn[architecture];
  const resultIn = resultName === undefined ? undefined : numberOf(resultName);
  const clobberNumbers = block.clobbers[architecture].map(numberOf);
  let clobbered = 0;
  for (const number of [...fixedNumbers, ...clobberNumbers]) clobbered |= 1 << number;
  if (resultIn !== undefined) clobbered |= 1 << resultIn;
  return {
    codes: uses.map(({ number, register }) => (number === undefined ? held(register) : useAny(register))),
    clobbered,
    resultIn,
    moves: (locations) =>
      uses.flatMap(({ number }, i) => (number === undefined ? [] : [{ to: number, from: locations[i] ?? 0 }])),
    registers: (locations, make) =>
      Object.fromEntries(uses.map(({ name, number, width }, i) => [name, make(number ?? locations[i] ?? 0, width)])),
  };
}
