// Loops that compare what moves by a constant, counted in TypeScript: spin elision foresees each of them to its last turn, or
// leaves it alone. Starts lie around the places where comparisons change: equality, the wraps, the signs.

import { expect, it } from "vitest";
import { Counter } from "../../src/abi.ts";
import { A64, conditions, type Condition } from "../support/a64.ts";
import { BareMachine, PAGE_RW, PAGE_RX } from "../support/bare-machine.ts";

const CODE = 0x4000_0000;
/** Turns that a loop may take; those that take more are another test's. */
const MOST_TURNS = 300;
const FAR = 10_000_000;
const RESULTS = 0x4010_0000;

interface Loop {
  readonly wide: boolean;
  readonly condition: Condition;
  readonly step: number;
  readonly start: bigint;
  readonly bound: bigint;
  /** What the bound moves by itself. */
  readonly boundStep?: number;
}

/** CMP's flags (Arm ARM C6.2.63) and what conditions say of them (table C1-1). */
function holds(condition: Condition, a: bigint, b: bigint, bits: number): boolean {
  const difference = BigInt.asUintN(bits, a - b);
  const sign = (value: bigint): boolean => value >> BigInt(bits - 1) === 1n;
  const [n, z, c] = [sign(difference), difference === 0n, a >= b];
  const v = sign(a) !== sign(b) && sign(difference) !== sign(a);
  switch (condition) {
    case "eq":
      return z;
    case "ne":
      return !z;
    case "cs":
      return c;
    case "cc":
      return !c;
    case "mi":
      return n;
    case "pl":
      return !n;
    case "vs":
      return v;
    case "vc":
      return !v;
    case "hi":
      return c && !z;
    case "ls":
      return !c || z;
    case "ge":
      return n === v;
    case "lt":
      return n !== v;
    case "gt":
      return !z && n === v;
    case "le":
      return z || n !== v;
    case "al":
      return true;
  }
}

/** X1 and the number of turns at the end; undefined when that is too far. */
function counted({ wide, condition, step, start, bound, boundStep = 0 }: Loop): [bigint, bigint] | undefined {
  const bits = wide ? 64 : 32;
  let value = BigInt.asUintN(bits, start);
  let other = BigInt.asUintN(bits, bound);
  for (let turn = 1; turn <= MOST_TURNS; turn++) {
    value = BigInt.asUintN(bits, value + BigInt(step));
    other = BigInt.asUintN(bits, other + BigInt(boundStep));
    if (!holds(condition, value, other, bits)) return [value, BigInt(turn)];
  }
  return undefined;
}

/** The loop, between moves of its operands into registers and of X1 and the number of turns to memory. */
function emit(code: A64, { wide, condition, step, start, bound, boundStep = 0 }: Loop, index: number): void {
  const again = `again${index}`;
  code
    .mov(1, BigInt.asUintN(wide ? 64 : 32, start))
    .mov(2, bound)
    .mov(3, 0)
    .mov(4, BigInt(step))
    .mov(5, BigInt(boundStep));
  code
    .label(again)
    .addImmediate(3, 3, 1)
    .add(1, 1, 4, wide)
    .add(2, 2, 5, wide)
    .cmp(1, 2, wide)
    .bCondition(condition, again);
  code.store(1, 0).store(3, 0, 8).addImmediate(0, 0, 16);
}

const places = [0n, 100n, 1n << 31n, 1n << 32n, 1n << 63n, 1n << 64n];

function loopsOf(condition: Condition): Loop[] {
  const loops: Loop[] = [];
  for (const wide of [true, false]) {
    for (const place of places) {
      for (const distance of [-40n, -6n, -5n, -2n, -1n, 0n, 1n, 5n, 40n]) {
        for (const step of [1, -1, 3]) {
          loops.push({ wide, condition, step, start: place, bound: place + distance });
          loops.push({ wide, condition, step, start: place + distance, bound: 50n });
          loops.push({ wide, condition, step, start: 50n, bound: place + distance, boundStep: -step });
        }
      }
    }
  }
  return loops;
}

it.each(conditions.filter((condition) => condition !== "al"))("b.%s", (condition) => {
  const loops = loopsOf(condition).filter((loop) => counted(loop) !== undefined);
  expect(loops.length).toBeGreaterThan(50);
  const code = new A64();
  loops.forEach((loop, index) => emit(code, loop, index));
  const machine = new BareMachine({ architecture: "arm64" });
  machine.map(CODE, RESULTS - CODE, PAGE_RX);
  machine.map(RESULTS, 0x1_0000, PAGE_RW);
  machine.write(CODE, code.label("park").b("park").finish());
  machine.start(0, CODE, { argument: BigInt(RESULTS) });
  machine.run(FAR);
  const text = ({ wide, step, start, bound, boundStep = 0 }: Loop): string =>
    `${wide ? 64 : 32} bits, ${start} by ${step} to ${bound} by ${boundStep}`;
  const found = loops.map((loop, index) => [
    text(loop),
    machine.read64(RESULTS + 16 * index),
    machine.read64(RESULTS + 16 * index + 8),
  ]);
  expect(found).toEqual(loops.map((loop) => [text(loop), ...(counted(loop) ?? [])]));
  expect(machine.counter(Counter.PARKINGS)).toBeGreaterThan(0n);
});
