// Address arithmetic that both lowerings share.

import { powerOfTwo } from "../record/expressions.ts";
import type { Address, Expression } from "../record/tree.ts";

/** base + index without further parts: takes one `add` of two variable values apart, so that it becomes an addressing mode. */
export function withSplitBase(address: Address): Address {
  if (address.base.kind !== "value" || address.index !== undefined) return address;
  const { value } = address.base;
  if (value.kind !== "binary" || value.operator !== "add" || value.right.kind === "constant") return address;
  return { base: { kind: "value", value: value.left }, index: value.right, scale: 1, offset: address.offset };
}

/** log2 of the scale if it is a power of two. */
export function scaleShift(scale: number): number | undefined {
  const shift = powerOfTwo(BigInt(scale));
  return shift === undefined ? undefined : Number(shift);
}

/** index * scale as an expression. */
export function scaledIndex(index: Expression, scale: number): Expression {
  const shift = scaleShift(scale);
  const right = (value: number): Expression => ({ kind: "constant", type: index.type, value: BigInt(value) });
  if (shift === 0) return index;
  return shift === undefined
    ? { kind: "binary", type: index.type, operator: "mul", left: index, right: right(scale) }
    : { kind: "binary", type: index.type, operator: "shl", left: index, right: right(shift) };
}
