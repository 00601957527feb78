// Lowering of one routine: the walk over the recorded tree that both architectures share. Subclasses select instructions.

import type { CodeBuffer } from "../code-buffer.ts";
import { invalid, isStackOverflow, reportAt, unreachable } from "../failure.ts";
import type { Routine } from "../record/routine.ts";
import type { Address, Block, ConditionNode, Expression, Local, Statement } from "../record/tree.ts";
import { isWide } from "../record/tree.ts";
import type { ValueName } from "../types.ts";
import { allocate } from "./allocate.ts";
import { RoutineCode } from "./code.ts";
import { resolveStatement } from "./constants.ts";
import { defAny, registerOf } from "./instructions.ts";
import type { VirtualRegister } from "./instructions.ts";
import type { CallStatement, EffectStatement, LeafCondition, LoweredRoutine, LoweringOptions } from "./lowered.ts";
import type { Move } from "./moves.ts";

interface LoopLabels {
  readonly breakLabel: number;
  readonly continueLabel: number;
}

export abstract class RoutineLowering<A extends CodeBuffer> extends RoutineCode<A> {
  protected readonly options: LoweringOptions;
  readonly #registers = new Map<Local, VirtualRegister>();
  readonly #loops: LoopLabels[] = [];
  readonly #epilogue: number;

  constructor(routine: Routine, options: LoweringOptions) {
    super(routine);
    this.options = options;
    this.#epilogue = this.list.newLabel();
  }

  // --- what an architecture provides ------------------------------------------------------------------------------------------

  protected abstract readonly argumentRegisters: readonly number[];
  /** The value of an expression in a register: in `into`, or wherever it already is. */
  protected abstract value(expression: Expression, into?: VirtualRegister): VirtualRegister;
  protected abstract store(statement: Extract<Statement, { kind: "store" }>): void;
  protected abstract load(statement: Extract<Statement, { kind: "load" }>): void;
  /** Jumps to the label if the condition equals `sense`, else falls through. */
  protected abstract branchOn(condition: LeafCondition, label: number, sense: boolean): void;
  protected abstract boolOf(condition: LeafCondition, result: VirtualRegister): void;
  protected abstract setConstant(register: VirtualRegister, pattern: bigint): void;
  protected abstract call(statement: CallStatement): void;
  protected abstract returnValue(value: Expression): void;
  protected abstract effect(statement: EffectStatement): void;
  protected abstract jump(label: number): void;
  protected abstract moveParallel(assembler: A, moves: readonly Move[]): void;
  /** Clears what lies above 32 bits of a parameter that foreign code passes. */
  protected abstract clearUpper(assembler: A, register: number): void;

  // --- the walk ---------------------------------------------------------------------------------------------------------------

  lower(): LoweredRoutine {
    const before = reportAt(this.routine.source);
    try {
      return this.#lower();
    } catch (error) {
      if (!isStackOverflow(error)) throw error;
      throw invalid(`${this.recording.name}: an expression nests too deep`, {
        allowed: "intermediate results in locals",
        cause: error,
      });
    } finally {
      reportAt(before);
    }
  }

  #lower(): LoweredRoutine {
    this.#entry();
    this.#block(this.recording.body);
    this.list.label(this.#epilogue);
    reportAt(this.routine.source);
    if (this.recording.body.reachable) this.returns = true;
    this.#dropUnusedParameters();
    const allocation = allocate(this.list, this.file);
    this.layOutFrame(allocation);
    return { code: this.assemble(allocation), frame: this.frame, allocation };
  }

  protected registerFor(local: Local): VirtualRegister {
    let register = this.#registers.get(local);
    if (register === undefined) {
      register = this.list.newRegister(local.name);
      this.#registers.set(local, register);
    }
    return register;
  }

  /** Instruction 0: brings the parameters to their places. Those that turn out to be unused are dropped from it. */
  #entry(): void {
    const parameters = this.recording.parameters.map((local) => this.registerFor(local));
    parameters.forEach((register, i) => {
      this.list.hint(register, this.argumentRegisters[i] ?? 0);
    });
    const clears = this.routine.callableFromC
      ? this.recording.parameters.flatMap(({ type }, i) => (isWide(type) ? [] : [this.argumentRegisters[i] ?? 0]))
      : [];
    this.list.push(parameters.map(defAny), (assembler, locations) => {
      for (const register of clears) this.clearUpper(assembler, register);
      const sources =
        this.list.instructions[0]?.operands.map((operand) => parameters.indexOf(registerOf(operand))) ?? [];
      const moves = locations.map((to, i) => ({ to, from: this.argumentRegisters[sources[i] ?? 0] ?? 0 }));
      this.moveParallel(assembler, moves);
    });
  }

  #dropUnusedParameters(): void {
    const [entry, ...rest] = this.list.instructions;
    if (entry === undefined) return;
    const occurring = new Set(rest.flatMap(({ operands }) => operands.map(registerOf)));
    entry.operands = entry.operands.filter((operand) => occurring.has(registerOf(operand)));
  }

  #block(block: Block): void {
    for (const statement of block.statements) {
      this.list.startStatement(statement);
      reportAt(statement.source);
      this.#statement(resolveStatement(statement, this.options.option));
    }
  }

  #statement(statement: Statement): void {
    switch (statement.kind) {
      case "set":
        this.value(statement.value, this.registerFor(statement.local));
        return;
      case "store":
        this.store(statement);
        return;
      case "load":
        this.load(statement);
        return;
      case "bool":
        this.#bool(statement.condition, this.registerFor(statement.result));
        return;
      case "if":
        this.#if(statement);
        return;
      case "loop":
        this.#loop(statement);
        return;
      case "break":
      case "continue":
        this.jump(this.#loopLabel(statement.kind));
        return;
      case "switch":
        this.#switch(statement);
        return;
      case "call":
        this.hasCalls = true;
        this.call(statement);
        return;
      case "return":
        if (statement.value !== undefined) this.returnValue(statement.value);
        this.returns = true;
        this.jump(this.#epilogue);
        return;
      case "mark":
        this.list.mark(statement.name);
        return;
      case "fence":
        if (!this.#isLeftOut(statement.mark)) this.effect(statement);
        return;
      case "update":
      case "setBit":
      case "clearBit":
      case "fetch":
      case "xchg":
      case "cmpxchg":
      case "interrupts":
      case "relax":
      case "idle":
      case "bug":
      case "cmpWait":
      case "arch":
        this.effect(statement);
    }
  }

  #isLeftOut(mark: string | undefined): boolean {
    if (mark === undefined) return false;
    const fence = `${this.recording.name}:${mark}`;
    this.options.seen({ fence });
    return this.options.without.has(fence);
  }

  /** For the address selection: remembers which variable is used. */
  protected seesPerCpu(base: Address["base"]): void {
    if ((base.kind === "thisCpu" || base.kind === "otherCpu") && base.variable !== undefined)
      this.options.seen(base.variable);
  }

  #loopLabel(kind: "break" | "continue"): number {
    const labels = this.#loops.at(-1);
    if (labels === undefined) throw unreachable(`${kind} outside a loop`);
    return kind === "break" ? labels.breakLabel : labels.continueLabel;
  }

  // --- conditions -------------------------------------------------------------------------------------------------------------

  /** Short-circuit evaluation into branches: to the label if the condition equals `sense`, else on. */
  #branch(condition: ConditionNode, label: number, sense: boolean): void {
    switch (condition.kind) {
      case "literal":
        if (condition.value === sense) this.jump(label);
        return;
      case "not":
        this.#branch(condition.operand, label, !sense);
        return;
      case "and":
      case "or": {
        // `and` that must be false, or `or` that must be true: either side alone decides.
        if ((condition.kind === "or") === sense) {
          this.#branch(condition.left, label, sense);
          this.#branch(condition.right, label, sense);
          return;
        }
        const skip = this.list.newLabel();
        this.#branch(condition.left, skip, !sense);
        this.#branch(condition.right, label, sense);
        this.list.label(skip);
        return;
      }
      case "compare":
      case "bit":
      case "effect":
        this.branchOn(condition, label, sense);
    }
  }

  #bool(condition: ConditionNode, result: VirtualRegister): void {
    switch (condition.kind) {
      case "compare":
      case "bit":
      case "effect":
        this.boolOf(condition, result);
        return;
      case "literal":
        this.setConstant(result, condition.value ? 1n : 0n);
        return;
      case "not":
      case "and":
      case "or": {
        const end = this.list.newLabel();
        this.setConstant(result, 0n);
        this.#branch(condition, end, false);
        this.setConstant(result, 1n);
        this.list.label(end);
      }
    }
  }

  // --- control flow -----------------------------------------------------------------------------------------------------------

  #if(statement: Extract<Statement, { kind: "if" }>): void {
    const { condition, then, otherwise } = statement;
    if (condition.kind === "literal") {
      const taken = condition.value ? then : otherwise;
      if (taken !== undefined) this.#block(taken);
      return;
    }
    const [only] = then.statements;
    if (then.statements.length === 1 && (only?.kind === "break" || only?.kind === "continue")) {
      this.#branch(condition, this.#loopLabel(only.kind), true);
      if (otherwise !== undefined) this.#block(otherwise);
      return;
    }
    const elseLabel = this.list.newLabel();
    this.#branch(condition, elseLabel, false);
    this.#block(then);
    if (otherwise === undefined) {
      this.list.label(elseLabel);
      return;
    }
    const end = this.list.newLabel();
    if (then.reachable) this.jump(end);
    this.list.label(elseLabel);
    this.#block(otherwise);
    this.list.label(end);
  }

  /** `while` jumps to a test at the bottom, so that each turn takes one branch. */
  #loop(statement: Extract<Statement, { kind: "loop" }>): void {
    const { form, prelude, condition, body, step } = statement;
    const top = this.list.newLabel();
    const labels = { breakLabel: this.list.newLabel(), continueLabel: this.list.newLabel() };
    // Locals of the condition are written at the bottom and read above: they must exist from before the loop.
    if (form === "while") this.list.declare(this.#declaredIn(prelude));
    const first = this.list.next;
    const test = this.list.newLabel();
    if (form === "while") this.jump(test);
    this.list.label(top);
    this.#loops.push(labels);
    this.#block(body);
    this.list.label(labels.continueLabel);
    if (step !== undefined) this.#block(step);
    this.#loops.pop();
    this.list.label(test);
    this.#block(prelude);
    this.list.startStatement(statement);
    if (form === "forever") {
      if (body.reachable || body.statements.length === 0 || this.#continues(body)) this.jump(top);
    } else {
      this.#branch(condition, top, true);
    }
    this.list.closeLoop(first);
    this.list.label(labels.breakLabel);
  }

  #declaredIn(block: Block): VirtualRegister[] {
    return block.statements.flatMap((statement) => {
      if (statement.kind === "set") return [this.registerFor(statement.local)];
      const result =
        "result" in statement ? statement.result : statement.kind === "arch" ? statement.block.result : undefined;
      return result === undefined ? [] : [this.registerFor(result)];
    });
  }

  /** True if a `continue` of this loop, not of an inner one, is somewhere in the block. */
  #continues(block: Block): boolean {
    return block.statements.some((statement) => {
      if (statement.kind === "continue") return true;
      if (statement.kind !== "if" && statement.kind !== "switch") return false;
      const inner = statement.kind === "if" ? [statement.then] : statement.cases.map(({ body }) => body);
      if (statement.otherwise !== undefined) inner.push(statement.otherwise);
      return inner.some((one) => this.#continues(one));
    });
  }

  /** A chain of comparisons in case order: a jump table would be an indirect branch, which the kernel avoids too. */
  #switch(statement: Extract<Statement, { kind: "switch" }>): void {
    const { cases, otherwise } = statement;
    const value = this.#inLocal(statement.value);
    if (value.kind === "constant") {
      const taken = cases.find(({ values }) => values.includes(value.value))?.body ?? otherwise;
      if (taken !== undefined) this.#block(taken);
      return;
    }
    const end = this.list.newLabel();
    const defaultLabel = otherwise === undefined ? end : this.list.newLabel();
    const labels = cases.map(() => this.list.newLabel());
    const last = cases.length - 1;
    // The last comparison falls into its own case; the other cases follow, then the default.
    cases.forEach(({ values }, i) => {
      values.forEach((one, n) => {
        const isLast = i === last && n === values.length - 1;
        const right: Expression = { kind: "constant", type: value.type, value: one };
        const comparison = { kind: "compare", operator: "eq", left: value, right } as const;
        this.branchOn(comparison, isLast ? defaultLabel : (labels[i] ?? end), !isLast);
      });
    });
    const bodies = cases.map(({ body }, i) => ({ body, label: labels[i] ?? end }));
    const inOrder = [...bodies.slice(-1), ...bodies.slice(0, -1)];
    if (otherwise !== undefined) inOrder.push({ body: otherwise, label: defaultLabel });
    inOrder.forEach(({ body, label }, i) => {
      this.list.label(label);
      this.#block(body);
      this.list.startStatement(statement);
      if (body.reachable && i < inOrder.length - 1) this.jump(end);
    });
    this.list.label(end);
  }

  /** The value as an expression that costs nothing to evaluate again. */
  #inLocal(value: Expression): Extract<Expression, { kind: "local" | "constant" }> {
    if (value.kind === "local" || value.kind === "constant") return value;
    const register = this.list.newRegister();
    this.value(value, register);
    return this.anonymous(value.type, register);
  }

  /** An expression that stands for a virtual register. */
  protected anonymous(type: ValueName, register: VirtualRegister): Extract<Expression, { kind: "local" }> {
    const local: Local = { index: -1, name: "", type, block: this.recording.body, mutable: false };
    this.#registers.set(local, register);
    return { kind: "local", type, local };
  }
}
