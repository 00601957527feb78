// A64 instructions of the corpus, and the dependencies that they carry (Arm ARM DDI 0487, B2.3.2: dependencies).

import { canonicalRegister } from "../litmus.ts";
import { constant } from "../trace.ts";
import type { Marks, Step, ThreadState, Value } from "../trace.ts";

const LOADS: Readonly<Record<string, Marks>> = { LDR: {}, LDAR: { A: true }, LDAPR: { Q: true } };
const STORES: Readonly<Record<string, Marks>> = { STR: {}, STLR: { L: true } };
const ARITHMETIC: Readonly<Record<string, (one: bigint, other: bigint) => bigint>> = {
  ADD: (one, other) => one + other,
  SUB: (one, other) => one - other,
  AND: (one, other) => one & other,
  ORR: (one, other) => one | other,
  EOR: (one, other) => one ^ other,
};
const ATOMIC: typeof ARITHMETIC = {
  ADD: (one, other) => one + other,
  CLR: (one, other) => one & ~other,
  SET: (one, other) => one | other,
  EOR: (one, other) => one ^ other,
};

function join(bits: bigint, ...sources: readonly Value[]): Value {
  return {
    bits,
    basic: sources.reduce((sum, { basic }) => sum | basic, 0),
    pick: sources.reduce((sum, { pick }) => sum | pick, 0),
  };
}

function widthOf(register: string): number {
  return register.startsWith("X") ? 64 : 32;
}

class Instruction {
  readonly #state: ThreadState;
  readonly #text: string;
  readonly name: string;
  readonly operands: readonly string[];

  constructor(state: ThreadState, text: string) {
    this.#state = state;
    this.#text = text;
    const [, name = "", rest = ""] = /^(\S+)\s*(.*)$/.exec(text.toUpperCase()) ?? [];
    this.name = name;
    this.operands = rest.match(/\[[^\]]*\]|[^,\s][^,]*/g)?.map((operand) => operand.trim()) ?? [];
  }

  refuse(): never {
    throw new Error(`litmus reference: no such A64 instruction: ${this.#text}`);
  }

  operand(position: number): string {
    return this.operands[position] ?? this.refuse();
  }

  register(position: number): string {
    const name = this.operand(position);
    return /^[WX](\d+|ZR)$/.test(name) ? name : this.refuse();
  }

  /** A register or an immediate. */
  value(position: number): Value {
    const text = this.operand(position);
    if (text.startsWith("#")) return constant(BigInt(text.slice(1)));
    const register = this.register(position);
    if (register.endsWith("ZR")) return constant(0n);
    const value = this.#state.get(canonicalRegister(register, "AArch64"));
    return { ...value, bits: BigInt.asUintN(widthOf(register), value.bits) };
  }

  set(position: number, value: Value, isResult = false): void {
    const register = this.register(position);
    if (register.endsWith("ZR")) return;
    const name = canonicalRegister(register, "AArch64");
    const sized = { ...value, bits: BigInt.asUintN(widthOf(register), value.bits) };
    if (isResult) this.#state.result(name, sized);
    else this.#state.set(name, sized);
  }

  address(position: number): Value {
    const [base = "", index, extension = ""] = this.operand(position)
      .slice(1, -1)
      .split(",")
      .map((part) => part.trim());
    const parts = new Instruction(this.#state, `ADDRESS ${base}, ${index ?? "#0"}`);
    if (!["", "SXTW", "UXTW", "LSL #0"].includes(extension)) this.refuse();
    const [one, other] = [parts.value(0), parts.value(1)];
    return join(one.bits + (extension === "SXTW" ? BigInt.asIntN(32, other.bits) : other.bits), one, other);
  }

  /** Accesses are as wide as locations, which have 32 bits. */
  checkWidth(position: number): void {
    if (widthOf(this.register(position)) !== 32) this.refuse();
  }
}

function exclusive(state: ThreadState, i: Instruction, marks: Marks): void {
  i.checkWidth(1);
  const isMonitored = state.monitor !== undefined && state.events[state.monitor]?.address === i.address(2).bits;
  const isSuccess = isMonitored && state.choose(2) === 1;
  if (isSuccess) state.store(i.address(2), i.value(1), marks, { rmwOf: state.monitor ?? 0 });
  state.monitor = undefined;
  // What depends on the status doesn't depend on the loads before it.
  i.set(0, constant(isSuccess ? 0n : 1n), true);
}

/** The letters behind the name of an atomic; one that doesn't return what it loads has no acquire semantics. */
function atomicMarks(letters: string, isReturned: boolean): { load: Marks; store: Marks } {
  return {
    load: { A: isReturned && letters.includes("A"), NoRet: !isReturned },
    store: { L: letters.includes("L") },
  };
}

function atomic(state: ThreadState, i: Instruction, operator: string, letters: string, isStore: boolean): void {
  const place = isStore ? 1 : 2;
  const { load: loadMarks, store } = atomicMarks(letters, !isStore && i.register(1) !== "WZR");
  const address = i.address(place);
  const operand = i.value(0);
  i.checkWidth(0);
  const { value: old, load } = state.load(address, loadMarks);
  const calculate = operator === "SWP" ? undefined : ATOMIC[operator];
  const data =
    calculate === undefined ? operand : join(BigInt.asUintN(32, calculate(old.bits, operand.bits)), old, operand);
  state.store(address, data, store, { rmwOf: load, isAmo: true });
  if (!isStore) i.set(1, old, true);
}

function compareAndSwap(state: ThreadState, i: Instruction, letters: string): void {
  i.checkWidth(0);
  const { load: loadMarks, store } = atomicMarks(letters, i.register(0) !== "WZR");
  const address = i.address(2);
  const [expected, data] = [i.value(0), i.value(1)];
  const { value: old, load } = state.load(address, loadMarks);
  const isEqual = old.bits === expected.bits;
  if (isEqual) state.store(address, data, store, { rmwOf: load, isAmo: true, on: expected });
  // A successful CAS returns what the register holds already: only a Pick dependency leads out of it.
  i.set(0, isEqual ? { bits: old.bits, basic: 0, pick: old.basic } : old, true);
}

function compare(state: ThreadState, one: Value, other: Value): void {
  state.isEqual = join(one.bits === other.bits ? 1n : 0n, one, other);
}

function branch(state: ThreadState, on: Value, isTaken: boolean, label: string): string | undefined {
  state.branch(on);
  return isTaken ? label : undefined;
}

/** Labels keep their case. */
function labelOf(text: string): string {
  return /(\w+)$/.exec(text)?.[1] ?? "";
}

function memory(state: ThreadState, i: Instruction): boolean {
  const load = LOADS[i.name];
  const store = STORES[i.name];
  const exclusiveLoad = /^LD(A?)XR$/.exec(i.name);
  const [isOperation, kind, operator = "", letters = ""] = /^(LD|ST)(ADD|CLR|EOR|SET)(AL?|L)?$/.exec(i.name) ?? [];
  const swap = /^SWP(AL?|L)?$/.exec(i.name);
  const cas = /^CAS(AL?|L)?$/.exec(i.name);
  if (load !== undefined) {
    i.checkWidth(0);
    i.set(0, state.load(i.address(1), load).value, true);
  } else if (store !== undefined) {
    i.checkWidth(0);
    state.store(i.address(1), i.value(0), store);
  } else if (exclusiveLoad !== null) {
    i.checkWidth(0);
    const result = state.load(i.address(1), { A: exclusiveLoad[1] === "A" });
    state.monitor = result.load;
    i.set(0, result.value, true);
  } else if (i.name === "STXR" || i.name === "STLXR") exclusive(state, i, { L: i.name === "STLXR" });
  else if (isOperation !== undefined) atomic(state, i, operator, letters, kind === "ST");
  else if (swap !== null) atomic(state, i, "SWP", swap[1] ?? "", false);
  else if (cas !== null) compareAndSwap(state, i, cas[1] ?? "");
  else return false;
  return true;
}

export const stepAArch64: Step = (state, text) => {
  const i = new Instruction(state, text);
  const calculate = ARITHMETIC[i.name];
  const label = labelOf(text);
  if (memory(state, i)) return undefined;
  if (calculate !== undefined) {
    if (![undefined, "SXTW", "UXTW"].includes(i.operands[3])) i.refuse();
    const [one, other] = [i.value(1), i.value(2)];
    i.set(0, join(calculate(one.bits, other.bits), one, other));
    return undefined;
  }
  switch (i.name) {
    case "MOV":
      i.set(0, i.value(1));
      return undefined;
    case "CMP":
      compare(state, i.value(0), i.value(1));
      return undefined;
    case "CBZ":
      return branch(state, i.value(0), i.value(0).bits === 0n, label);
    case "CBNZ":
      return branch(state, i.value(0), i.value(0).bits !== 0n, label);
    case "B.EQ":
      return branch(state, state.isEqual, state.isEqual.bits === 1n, label);
    case "B.NE":
      return branch(state, state.isEqual, state.isEqual.bits === 0n, label);
    case "B":
      return label;
    case "DMB":
    case "DSB":
      state.fence(`${i.name}.${i.operand(0)}`.toLowerCase());
      return undefined;
    case "ISB":
      state.fence("isb");
      return undefined;
    case "NOP":
      return undefined;
    default:
      return i.refuse();
  }
};
