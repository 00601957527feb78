// x86 instructions of the corpus, in AT&T syntax (X86_64) or Intel's (X86). x86-TSO knows no dependencies.

import { canonicalRegister } from "../litmus.ts";
import type { Dialect } from "../litmus.ts";
import { constant } from "../trace.ts";
import type { Step, ThreadState, Value } from "../trace.ts";

const ARITHMETIC: Readonly<Record<string, (one: bigint, other: bigint) => bigint>> = {
  add: (one, other) => one + other,
  sub: (one, other) => one - other,
  and: (one, other) => one & other,
  or: (one, other) => one | other,
  xor: (one, other) => one ^ other,
};
const FENCES: readonly string[] = ["mfence", "sfence", "lfence"];

type Addresses = ReadonlyMap<string, bigint>;

class Instruction {
  readonly #state: ThreadState;
  readonly #dialect: Dialect;
  readonly #addresses: Addresses;
  readonly #text: string;
  readonly #isLocked: boolean;
  readonly name: string;
  /** The destination first. */
  readonly operands: readonly string[];

  constructor(state: ThreadState, text: string, dialect: Dialect, addresses: Addresses) {
    this.#state = state;
    this.#dialect = dialect;
    this.#addresses = addresses;
    this.#text = text;
    const [, lock, name = "", rest = ""] = /^(lock[\s;]+)?(\w+)\s*(.*)$/i.exec(text) ?? [];
    this.#isLocked = lock !== undefined;
    const isSized = /^(?:mov|xchg|xadd|cmpxchg|add|sub|and|or|xor|inc|dec|cmp|test)l$/.test(name);
    this.name = (dialect === "X86_64" && isSized ? name.slice(0, -1) : name).toLowerCase();
    const operands = rest.split(",").map((operand) => operand.trim());
    this.operands = dialect === "X86_64" ? operands.reverse() : operands;
  }

  refuse(): never {
    throw new Error(`litmus reference: no such x86 instruction: ${this.#text}`);
  }

  operand(position: number): string {
    return this.operands[position] ?? this.refuse();
  }

  isMemory(position: number): boolean {
    return /^[[(]/.test(this.operands[position] ?? "");
  }

  #register(text: string): string {
    return /^%?[er]([abcd]x|[sd]i)$/i.test(text) ? canonicalRegister(text, this.#dialect) : this.refuse();
  }

  #address(text: string): Value {
    const inner = text.slice(1, -1);
    const known = this.#addresses.get(inner);
    return known === undefined ? this.#state.get(this.#register(inner)) : constant(known);
  }

  /** Reads an operand. @returns the number of the load too, if it is in memory */
  read(position: number, locked = this.#isLocked): { readonly value: bigint; readonly load?: number } {
    const text = this.operand(position);
    if (text.startsWith("$")) return { value: BigInt(text.slice(1)) };
    if (!this.isMemory(position)) return { value: this.#state.get(this.#register(text)).bits };
    const { value, load } = this.#state.load(this.#address(text), { locked });
    return { value: value.bits, load };
  }

  write(
    position: number,
    bits: bigint,
    { load, locked = this.#isLocked }: { load?: number | undefined; locked?: boolean },
  ): void {
    const text = this.operand(position);
    const value = constant(BigInt.asUintN(32, bits));
    if (!this.isMemory(position)) this.#state.set(this.#register(text), value);
    else {
      const isAtomic = locked && load !== undefined;
      this.#state.store(this.#address(text), value, { locked }, isAtomic ? { rmwOf: load, isAmo: true } : {});
    }
  }

  /** A register that memory decides about. */
  result(position: number, bits: bigint): void {
    this.#state.result(this.#register(this.operand(position)), constant(bits));
  }
}

function move(i: Instruction): void {
  const { value } = i.read(1);
  if (i.isMemory(1)) i.result(0, value);
  else i.write(0, value, {});
}

/** With memory, exchanges are locked with or without the prefix (SDM volume 3A, 9.1.2.1). */
function exchange(i: Instruction): void {
  const [memory, register] = i.isMemory(0) ? [0, 1] : [1, 0];
  const old = i.read(memory, true);
  i.write(memory, i.read(register).value, { load: old.load, locked: true });
  i.result(register, old.value);
}

function exchangeAndAdd(i: Instruction): void {
  const old = i.read(0);
  i.write(0, old.value + i.read(1).value, { load: old.load });
  i.result(1, old.value);
}

/** Writes in any case: what was there, if it isn't what the accumulator holds (SDM volume 2, CMPXCHG). */
function compareAndExchange(state: ThreadState, i: Instruction, accumulator: string): void {
  const old = i.read(0);
  const isEqual = old.value === state.get(accumulator).bits;
  i.write(0, isEqual ? i.read(1).value : old.value, { load: old.load });
  state.isEqual = constant(isEqual ? 1n : 0n);
  state.result(accumulator, constant(old.value));
}

function calculate(state: ThreadState, i: Instruction, operation: (one: bigint, other: bigint) => bigint): void {
  const other = i.operands.length > 1 ? i.read(1).value : 1n;
  const old = i.read(0);
  const value = BigInt.asUintN(32, operation(old.value, other));
  i.write(0, value, { load: old.load });
  state.isEqual = constant(value === 0n ? 1n : 0n);
}

export function stepX86(dialect: Dialect, addresses: Addresses): Step {
  return (state, text) => {
    const i = new Instruction(state, text, dialect, addresses);
    const operation = ARITHMETIC[i.name];
    if (operation !== undefined) calculate(state, i, operation);
    else if (FENCES.includes(i.name)) state.fence(i.name);
    // Serialising: stores before it are done (SDM volume 3A, 9.3).
    else if (i.name === "cpuid") state.fence("mfence");
    else if (i.name === "mov") move(i);
    else if (i.name === "xchg") exchange(i);
    else if (i.name === "xadd") exchangeAndAdd(i);
    else if (i.name === "cmpxchg") compareAndExchange(state, i, canonicalRegister("eax", dialect));
    else if (i.name === "inc") calculate(state, i, (one) => one + 1n);
    else if (i.name === "dec") calculate(state, i, (one) => one - 1n);
    else if (i.name === "cmp") state.isEqual = constant(i.read(0).value === i.read(1).value ? 1n : 0n);
    else if (i.name === "je") return state.isEqual.bits === 1n ? i.operand(0) : undefined;
    else if (i.name === "jne") return state.isEqual.bits === 0n ? i.operand(0) : undefined;
    else if (i.name !== "nop") i.refuse();
    return undefined;
  };
}
