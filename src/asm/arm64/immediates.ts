// Immediate operands of A64: bitmask immediates of logical instructions, 12-bit arithmetic ones, and constants built by moves.

/** Fields N, immr and imms of a logical immediate. */
export interface BitmaskImmediate {
  readonly n: number;
  readonly immr: number;
  readonly imms: number;
}

/**
 * A bitmask immediate is an element of 2 to 64 bits, repeated; the element is a rotated run of ones that is neither empty nor full
 * (Arm ARM, DecodeBitMasks). Undefined if the value is none.
 */
export function bitmaskImmediate(value: bigint, width: 32 | 64): BitmaskImmediate | undefined {
  let element = BigInt.asUintN(width, value);
  let size = 64;
  if (width === 32) element |= element << 32n;
  if (element === 0n || element === 0xffff_ffff_ffff_ffffn) return undefined;
  for (; size > 2; size /= 2) {
    const half = BigInt(size / 2);
    if (BigInt.asUintN(size / 2, element) !== element >> half) break;
    element >>= half;
  }
  const run = element & 1n ? wrappedRun(element, size) : innerRun(element, size);
  if (run === undefined) return undefined;
  const imms = ((~(size - 1) << 1) & 0x3f) | (run.ones - 1);
  return { n: size === 64 ? 1 : 0, immr: run.rotation, imms };
}

interface Run {
  readonly ones: number;
  /** To the right. */
  readonly rotation: number;
}

/** Ones that do not touch bit 0. */
function innerRun(element: bigint, size: number): Run | undefined {
  const start = trailingZeros(element);
  const ones = lowOnes(element >> BigInt(start));
  return ones + start > size || element >> BigInt(start + ones) !== 0n
    ? undefined
    : { ones, rotation: (size - start) % size };
}

/** Ones from bit 0 on, possibly continued at the top. */
function wrappedRun(element: bigint, size: number): Run | undefined {
  const zeros = innerRun(BigInt.asUintN(size, ~element), size);
  if (zeros === undefined) return undefined;
  const ones = size - zeros.ones;
  const low = lowOnes(element);
  return { ones, rotation: ones - low };
}

function trailingZeros(value: bigint): number {
  let count = 0;
  for (let rest = value; (rest & 1n) === 0n; rest >>= 1n) count++;
  return count;
}

function lowOnes(value: bigint): number {
  let count = 0;
  for (let rest = value; (rest & 1n) === 1n; rest >>= 1n) count++;
  return count;
}

/** One instruction of a constant's construction. */
export type ConstantStep =
  | { readonly kind: "movz" | "movn" | "movk"; readonly halfword: number; readonly shift: number }
  | { readonly kind: "orr"; readonly value: bigint };

/** The shortest way to build a constant: movz or movn, then movk; or one orr with a bitmask immediate where that saves words. */
export function constantSteps(value: bigint, width: 32 | 64): readonly ConstantStep[] {
  const pattern = BigInt.asUintN(width, value);
  const halfwords = Array.from({ length: width / 16 }, (_, i) => Number((pattern >> BigInt(16 * i)) & 0xffffn));
  const zeros = halfwords.filter((halfword) => halfword === 0).length;
  const ones = halfwords.filter((halfword) => halfword === 0xffff).length;
  const inverted = ones > zeros;
  const steps = moveSteps(halfwords, inverted);
  return steps.length > 1 && bitmaskImmediate(pattern, width) !== undefined ? [{ kind: "orr", value: pattern }] : steps;
}

function moveSteps(halfwords: readonly number[], inverted: boolean): ConstantStep[] {
  const background = inverted ? 0xffff : 0;
  const steps: ConstantStep[] = [];
  halfwords.forEach((halfword, i) => {
    if (halfword === background) return;
    const shift = 16 * i;
    if (steps.length > 0) steps.push({ kind: "movk", halfword, shift });
    else if (inverted) steps.push({ kind: "movn", halfword: halfword ^ 0xffff, shift });
    else steps.push({ kind: "movz", halfword, shift });
  });
  return steps.length > 0 ? steps : [{ kind: inverted ? "movn" : "movz", halfword: 0, shift: 0 }];
}

/** imm12 of an add or sub, optionally shifted left by 12. Undefined if the (non-negative) value is none. */
export function arithmeticImmediate(value: bigint): { readonly imm12: number; readonly shifted: boolean } | undefined {
  if (value < 0n) return undefined;
  if (value < 0x1000n) return { imm12: Number(value), shifted: false };
  if (value < 0x100_0000n && (value & 0xfffn) === 0n) return { imm12: Number(value >> 12n), shifted: true };
  return undefined;
}
