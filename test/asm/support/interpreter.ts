// Reference interpreter of recordings: the slow, plain meaning of every construct, used as oracle for the machine code.

import type { Image } from "../../../src/asm/index.ts";
import { Routine } from "../../../src/asm/index.ts";
import { evaluateBinary, evaluateCompare, evaluateUnary, wrap } from "../../../src/asm/record/expressions.ts";
import type { ImageOption } from "../../../src/asm/record/data.ts";
import { CPU_COUNT, PER_CPU_STRIDE } from "../../../src/asm/record/data.ts";
import type {
  Address,
  Block,
  ConditionEffect,
  ConditionNode,
  Expression,
  FrameSlot,
  Local,
  Recording,
  Statement,
  UpdateOperator,
} from "../../../src/asm/record/tree.ts";
import { bytesOf, isSigned } from "../../../src/asm/record/tree.ts";
import type { ScalarName, ValueName } from "../../../src/asm/types.ts";

/** Memory of an image with its initial content, and a stack. */
export class FlatMemory {
  readonly #regions: { start: number; bytes: Uint8Array }[] = [];

  add(start: number, bytes: Uint8Array): void {
    this.#regions.push({ start, bytes });
  }

  static ofImage(image: Image): FlatMemory {
    const memory = new FlatMemory();
    for (const { address, bytes, memoryBytes } of image.segments) {
      const content = new Uint8Array(memoryBytes);
      content.set(bytes);
      memory.add(address, content);
    }
    return memory;
  }

  view(address: number, bytes: number): Uint8Array {
    for (const { start, bytes: content } of this.#regions) {
      if (address >= start && address + bytes <= start + content.length) {
        return content.subarray(address - start, address - start + bytes);
      }
    }
    throw new Error(`access outside memory: ${bytes} bytes at 0x${address.toString(16)}`);
  }

  read(type: ScalarName, address: bigint): bigint {
    const bytes = this.view(Number(address), bytesOf(type));
    let value = 0n;
    for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
    return isSigned(type) ? BigInt.asIntN(8 * bytes.length, value) : value;
  }

  write(type: ScalarName, address: bigint, value: bigint): void {
    const bytes = this.view(Number(address), bytesOf(type));
    for (let i = 0; i < bytes.length; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn);
  }
}

type Leaving = "next" | "break" | "continue" | "return";

interface Activation {
  readonly locals: Map<Local, bigint>;
  readonly frame: Map<FrameSlot, bigint>;
  result: bigint | undefined;
}

type SequentialEffect = Extract<
  Statement,
  { kind: "update" | "setBit" | "clearBit" | "fetch" | "xchg" | "cmpxchg" | "interrupts" | "arch" }
>;

export interface InterpreterOptions {
  readonly cpu?: number;
  readonly stepLimit?: number;
  /** Values of image options. */
  readonly options?: Readonly<Record<string, bigint>>;
  /** Names of marks, in the order passed. */
  readonly onMark?: (name: string) => void;
  /** What a directly emitted routine does; throws if not given. */
  readonly direct?: (name: string, values: readonly bigint[]) => bigint | undefined;
  /** What an arch block does; throws if not given. */
  readonly arch?: (
    statement: Extract<Statement, { kind: "arch" }>,
    evaluate: (expression: Expression) => bigint,
  ) => bigint | undefined;
}

const STACK_START = 0x7000_0000;
const STACK_BYTES = 0x1_0000;

export class Interpreter {
  readonly memory: FlatMemory;
  readonly #image: Image;
  readonly #options: InterpreterOptions;
  readonly #routines = new Map<bigint, Routine>();
  #steps = 0;
  #stack = STACK_START;
  interruptsEnabled = true;

  constructor(image: Image, memory: FlatMemory, options: InterpreterOptions = {}) {
    this.#image = image;
    this.memory = memory;
    this.#options = options;
    memory.add(STACK_START, new Uint8Array(STACK_BYTES));
    for (const { unit, address } of image.units) {
      if (unit.kind === "code" && unit.symbol instanceof Routine) this.#routines.set(BigInt(address), unit.symbol);
    }
  }

  /** Calls a routine; pointers are addresses of the image. */
  call(routine: Routine, values: readonly bigint[]): bigint | undefined {
    const { recording } = routine;
    const activation: Activation = { locals: new Map(), frame: new Map(), result: undefined };
    recording.parameters.forEach((local, i) => activation.locals.set(local, wrap(local.type, values[i] ?? 0n)));
    const stack = this.#stack;
    this.#allocateFrame(recording, activation);
    this.#block(recording.body, activation, recording.name);
    this.#stack = stack;
    return activation.result;
  }

  #allocateFrame({ frameSlots }: Recording, activation: Activation): void {
    for (const slot of frameSlots) {
      this.#stack = Math.ceil(this.#stack / slot.align) * slot.align;
      activation.frame.set(slot, BigInt(this.#stack));
      this.#stack += slot.bytes;
    }
  }

  #tick(where: string): void {
    if (++this.#steps > (this.#options.stepLimit ?? 200_000)) throw new Error(`step limit reached in ${where}`);
  }

  // --- expressions ----------------------------------------------------------------------------------------------------------------

  #value(expression: Expression, activation: Activation): bigint {
    switch (expression.kind) {
      case "constant":
        return expression.value;
      case "option":
        return this.#option(expression.option);
      case "local": {
        const value = activation.locals.get(expression.local);
        if (value === undefined) throw new Error(`local ${expression.local.name} is read before it is written`);
        return value;
      }
      case "load":
        return this.memory.read(expression.memory, this.#address(expression.address, activation));
      case "address":
        return this.#address(expression.address, activation);
      case "binary": {
        const left = this.#value(expression.left, activation);
        return evaluateBinary(expression.operator, expression.type, left, this.#value(expression.right, activation));
      }
      case "unary":
        return evaluateUnary(expression.operator, expression.type, this.#value(expression.operand, activation));
      case "convert":
        return wrap(expression.type, this.#value(expression.operand, activation));
    }
  }

  #option(option: ImageOption): bigint {
    if (option === CPU_COUNT) return BigInt(this.#image.cpus);
    if (option === PER_CPU_STRIDE) return BigInt(this.#image.perCpuStride);
    return this.#options.options?.[option.name] ?? this.#image.options[option.name] ?? option.initial;
  }

  #address({ base, index, scale, offset }: Address, activation: Activation): bigint {
    const scaled = index === undefined ? 0n : this.#value(index, activation) * BigInt(scale);
    return BigInt.asUintN(64, this.#base(base, activation) + scaled + BigInt(offset));
  }

  #base(base: Address["base"], activation: Activation): bigint {
    const { perCpuStart, perCpuStride } = this.#image;
    switch (base.kind) {
      case "value":
        return this.#value(base.value, activation);
      case "symbol":
        return BigInt(
          base.symbol.kind === "data" ? this.#dataAddress(base.symbol.name) : this.#image.addressOf(base.symbol),
        );
      case "thisCpu":
        return BigInt(perCpuStart + (this.#options.cpu ?? 0) * perCpuStride);
      case "otherCpu":
        return BigInt(perCpuStart) + this.#value(base.cpu, activation) * BigInt(perCpuStride);
      case "frame": {
        const address = activation.frame.get(base.slot);
        if (address === undefined) throw new Error("frame slot of another routine");
        return address;
      }
    }
  }

  #dataAddress(name: string): number {
    return this.#image.symbol(name).address;
  }

  // --- conditions -----------------------------------------------------------------------------------------------------------------

  #holds(condition: ConditionNode, activation: Activation): boolean {
    switch (condition.kind) {
      case "literal":
        return condition.value;
      case "not":
        return !this.#holds(condition.operand, activation);
      case "and":
        return this.#holds(condition.left, activation) && this.#holds(condition.right, activation);
      case "or":
        return this.#holds(condition.left, activation) || this.#holds(condition.right, activation);
      case "compare": {
        const left = this.#value(condition.left, activation);
        return evaluateCompare(condition.operator, left, this.#value(condition.right, activation));
      }
      case "bit": {
        const { word, mask } = this.#bit(condition.address, condition.bit, activation);
        return (this.memory.read("u64", word) & mask) !== 0n;
      }
      case "effect":
        return this.#conditionEffect(condition.effect, activation);
    }
  }

  #bit(address: Address, bit: Expression, activation: Activation): { word: bigint; mask: bigint } {
    const number = this.#value(bit, activation);
    return { word: this.#address(address, activation) + (number >> 6n) * 8n, mask: 1n << (number & 63n) };
  }

  #conditionEffect(effect: ConditionEffect, activation: Activation): boolean {
    switch (effect.kind) {
      case "addAndTest":
        return (
          wrap(
            effect.memory,
            this.#update(effect.address, effect.memory, (old) => old + effect.addend, activation) + effect.addend,
          ) === 0n
        );
      case "tryCmpxchg": {
        const expected = wrap(effect.memory, activation.locals.get(effect.expected) ?? 0n);
        const desired = this.#value(effect.desired, activation);
        const old = this.#update(
          effect.address,
          effect.memory,
          (found) => (found === expected ? desired : found),
          activation,
        );
        activation.locals.set(effect.expected, old);
        return old === expected;
      }
      case "testAndSetBit":
      case "testAndClearBit": {
        const { word, mask } = this.#bit(effect.address, effect.bit, activation);
        const old = this.memory.read("u64", word);
        this.memory.write("u64", word, effect.kind === "testAndSetBit" ? old | mask : old & ~mask);
        return (old & mask) !== 0n;
      }
    }
  }

  /** Returns the old value. */
  #update(address: Address, type: ValueName, change: (old: bigint) => bigint, activation: Activation): bigint {
    const at = this.#address(address, activation);
    const old = this.memory.read(type, at);
    this.memory.write(type, at, wrap(type, change(old)));
    return old;
  }

  // --- statements -----------------------------------------------------------------------------------------------------------------

  #block(block: Block, activation: Activation, routine: string): Leaving {
    for (const statement of block.statements) {
      this.#tick(routine);
      const leaving = this.#statement(statement, activation, routine);
      if (leaving !== "next") return leaving;
    }
    return "next";
  }

  #statement(statement: Statement, activation: Activation, routine: string): Leaving {
    const value = (expression: Expression): bigint => this.#value(expression, activation);
    switch (statement.kind) {
      case "set":
        activation.locals.set(statement.local, value(statement.value));
        return "next";
      case "store": {
        const stored = value(statement.value);
        this.memory.write(statement.memory, this.#address(statement.address, activation), stored);
        return "next";
      }
      case "load":
        activation.locals.set(
          statement.result,
          this.memory.read(statement.memory, this.#address(statement.address, activation)),
        );
        return "next";
      case "bool":
        activation.locals.set(statement.result, this.#holds(statement.condition, activation) ? 1n : 0n);
        return "next";
      case "if": {
        const taken = this.#holds(statement.condition, activation) ? statement.then : statement.otherwise;
        return taken === undefined ? "next" : this.#block(taken, activation, routine);
      }
      case "loop":
        return this.#loop(statement, activation, routine);
      case "break":
      case "continue":
        return statement.kind;
      case "switch": {
        const selector = value(statement.value);
        const taken = statement.cases.find(({ values }) => values.includes(selector))?.body ?? statement.otherwise;
        return taken === undefined ? "next" : this.#block(taken, activation, routine);
      }
      case "call":
        this.#call(statement, activation);
        return "next";
      case "return":
        activation.result = statement.value === undefined ? undefined : value(statement.value);
        return "return";
      case "mark":
        this.#options.onMark?.(`${routine}:${statement.name}`);
        return "next";
      case "bug":
        throw new Error(`BUG in ${routine}`);
      case "update":
      case "setBit":
      case "clearBit":
      case "fetch":
      case "xchg":
      case "cmpxchg":
      case "interrupts":
      case "arch":
        this.#effect(statement, activation);
        return "next";
      case "fence":
      case "relax":
      case "idle":
      case "cmpWait":
        // Nothing that one CPU alone could see.
        return "next";
    }
  }

  #loop(statement: Extract<Statement, { kind: "loop" }>, activation: Activation, routine: string): Leaving {
    const { form, prelude, condition, body, step } = statement;
    const test = (): boolean => {
      this.#tick(routine);
      this.#block(prelude, activation, routine);
      return this.#holds(condition, activation);
    };
    for (let first = true; ; first = false) {
      if ((form === "while" || !first) && !test()) return "next";
      const leaving = this.#block(body, activation, routine);
      if (leaving === "return") return leaving;
      if (leaving === "break") return "next";
      if (step !== undefined) this.#block(step, activation, routine);
    }
  }

  #call(statement: Extract<Statement, { kind: "call" }>, activation: Activation): void {
    const address =
      "signature" in statement.target
        ? this.#image.addressOf(statement.target)
        : this.#value(statement.target, activation);
    const target = this.#routines.get(BigInt(address));
    const values = statement.arguments.map((argument) => this.#value(argument, activation));
    const result = target === undefined ? this.#direct(BigInt(address), values) : this.call(target, values);
    if (statement.result !== undefined) activation.locals.set(statement.result, result ?? 0n);
  }

  #direct(address: bigint, values: readonly bigint[]): bigint | undefined {
    const symbol = this.#image.symbolAt(Number(address));
    if (symbol === undefined || this.#options.direct === undefined)
      throw new Error(`call of 0x${address.toString(16)}, which is no routine`);
    return this.#options.direct(symbol.name, values);
  }

  #effect(statement: SequentialEffect, activation: Activation): void {
    const value = (expression: Expression): bigint => this.#value(expression, activation);
    switch (statement.kind) {
      case "update": {
        const operand = value(statement.operand);
        this.#update(
          statement.address,
          statement.memory,
          (old) => combine(statement.operator, old, operand),
          activation,
        );
        return;
      }
      case "fetch": {
        const operand = value(statement.operand);
        const old = this.#update(
          statement.address,
          statement.memory,
          (found) => combine(statement.operator, found, operand),
          activation,
        );
        activation.locals.set(statement.result, old);
        return;
      }
      case "xchg": {
        const operand = value(statement.operand);
        activation.locals.set(
          statement.result,
          this.#update(statement.address, statement.memory, () => operand, activation),
        );
        return;
      }
      case "cmpxchg": {
        const expected = value(statement.expected);
        const desired = value(statement.desired);
        const change = (old: bigint): bigint => (old === expected ? desired : old);
        activation.locals.set(statement.result, this.#update(statement.address, statement.memory, change, activation));
        return;
      }
      case "setBit":
      case "clearBit": {
        const { word, mask } = this.#bit(statement.address, statement.bit, activation);
        const old = this.memory.read("u64", word);
        this.memory.write("u64", word, statement.kind === "setBit" ? old | mask : old & ~mask);
        return;
      }
      case "interrupts":
        this.#interrupts(statement, activation);
        return;
      case "arch": {
        if (this.#options.arch === undefined) throw new Error("arch block without a model");
        const result = this.#options.arch(statement, value);
        if (statement.block.result !== undefined) activation.locals.set(statement.block.result, result ?? 0n);
        return;
      }
    }
  }

  #interrupts(statement: Extract<Statement, { kind: "interrupts" }>, activation: Activation): void {
    switch (statement.action) {
      case "save":
        activation.locals.set(statement.result, this.interruptsEnabled ? 1n : 0n);
        this.interruptsEnabled = false;
        return;
      case "restore":
        this.interruptsEnabled = this.#value(statement.flags, activation) !== 0n;
        return;
      case "areDisabled":
        activation.locals.set(statement.result, this.interruptsEnabled ? 0n : 1n);
        return;
      case "enable":
        this.interruptsEnabled = true;
        return;
      case "disable":
      case "maskAll":
        this.interruptsEnabled = false;
    }
  }
}

function combine(operator: UpdateOperator, old: bigint, operand: bigint): bigint {
  if (operator === "add") return old + operand;
  return operator === "or" ? old | operand : old & operand;
}
