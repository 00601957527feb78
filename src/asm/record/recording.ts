// The state of a recording in progress: blocks, locals, reachability, and the rules on where a local or an effect may be used.

import { invalid } from "../failure.ts";
import type { SourceMark } from "../source.ts";
import type { ValueName } from "../types.ts";
import { conditionOf } from "./faces.ts";
import type { Condition } from "./faces.ts";
import { eachLocal, eachLocalOfAddress, eachLocalOfCondition, hasEffect } from "./expressions.ts";
import type {
  Address,
  Block,
  ConditionEffect,
  ConditionNode,
  Expression,
  FrameSlot,
  Local,
  Statement,
  StatementBody,
} from "./tree.ts";

interface OpenLoop {
  broken: boolean;
}

export class RecordingState {
  readonly name: string;
  readonly locals: Local[] = [];
  readonly frameSlots: FrameSlot[] = [];
  readonly body: Block;
  statementCount = 0;
  readonly #owner = {};
  /** Where statements go, and where locals are declared; they differ only inside the condition of a `while`. */
  #block: Block;
  #scope: Block;
  #loops: OpenLoop[] = [];
  /** A read-modify-write condition that the next statement must consume. */
  #pending: ConditionEffect | undefined;

  constructor(name: string) {
    this.name = name;
    this.body = this.#newBlock(undefined);
    this.#block = this.body;
    this.#scope = this.body;
  }

  #newBlock(parent: Block | undefined): Block {
    return { parent, statements: [], owner: this.#owner, reachable: true };
  }

  /** Error with the routine's name in front. */
  refuse(what: string, details: { value?: unknown; allowed?: string } = {}): Error {
    return invalid(`${this.name}: ${what}`, details);
  }

  add(source: SourceMark, statement: StatementBody): Statement {
    this.#nothingPending();
    if (!this.#block.reachable)
      throw this.refuse(`${statement.kind} after a statement that never continues`, {
        value: statement.kind,
        allowed: "nothing behind break, continue, return, bug and calls that never return",
      });
    const complete: Statement = { ...statement, ordinal: this.statementCount++, source };
    this.#block.statements.push(complete);
    return complete;
  }

  local(name: string, type: ValueName, mutable: boolean): Local {
    const local = { index: this.locals.length, name, type, block: this.#scope, mutable };
    this.locals.push(local);
    return local;
  }

  /** Nothing can follow in the current block. */
  end(): void {
    this.#block.reachable = false;
  }

  /** Runs `record` with a new block as target. */
  inside(record: () => void): Block {
    this.#nothingPending();
    const outerBlock = this.#block;
    const outerScope = this.#scope;
    const block = this.#newBlock(outerScope);
    this.#block = block;
    this.#scope = block;
    try {
      record();
      this.#nothingPending();
    } finally {
      this.#block = outerBlock;
      this.#scope = outerScope;
    }
    return block;
  }

  /** The condition of a loop with its effects. Locals of a `while` condition stay visible behind the loop, since it always runs. */
  loopCondition(
    given: Condition | (() => Condition),
    form: "while" | "doWhile",
    body: Block | undefined,
  ): { prelude: Block; condition: ConditionNode } {
    const outerBlock = this.#block;
    const outerScope = this.#scope;
    const prelude = this.#newBlock(body ?? outerScope);
    if (typeof given !== "function") {
      const condition = conditionOf(given);
      this.#refuseSingleEvaluation(condition);
      this.#checkCondition(condition, body ?? outerScope);
      return { prelude, condition };
    }
    this.#nothingPending();
    this.#block = prelude;
    this.#scope = form === "while" ? outerScope : prelude;
    try {
      return { prelude, condition: this.consume(given()) };
    } finally {
      this.#block = outerBlock;
      this.#scope = outerScope;
    }
  }

  /** A condition given by value is recorded once, so its effects would happen once, before the loop. */
  #refuseSingleEvaluation(condition: ConditionNode): void {
    const hint = "pass a function: k.while(() => condition, …)";
    if (hasEffect(condition))
      throw this.refuse("a read-modify-write as loop condition would happen once only", {
        value: condition.kind,
        allowed: hint,
      });
    const fresh = new Set<Local>();
    for (let i = this.#block.statements.length - 1; i >= 0; i--) {
      const statement = this.#block.statements[i];
      const result = statement !== undefined && "result" in statement ? statement.result : undefined;
      if (result === undefined || result.name !== "") break;
      fresh.add(result);
    }
    eachLocalOfCondition(condition, ({ local }) => {
      if (fresh.has(local)) {
        throw this.refuse("the effect in this loop condition would happen once only", {
          value: local.type,
          allowed: `${hint}, or name it with k.let`,
        });
      }
    });
  }

  /** Announces a read-modify-write condition. */
  pend(effect: ConditionEffect): ConditionNode {
    this.#nothingPending();
    if (!this.#block.reachable)
      throw this.refuse(`${effect.kind} after a statement that never continues`, { value: effect.kind });
    this.#pending = effect;
    return { kind: "effect", effect };
  }

  /** The condition of the statement about to be recorded. */
  consume(given: Condition): ConditionNode {
    const condition = conditionOf(given);
    const root = condition.kind === "not" ? condition.operand : condition;
    if (root.kind === "effect") {
      if (root.effect !== this.#pending)
        throw this.refuse(`the condition of ${root.effect.kind} was used before`, {
          value: root.effect.kind,
          allowed: "one use; k.bool keeps its value",
        });
      this.#pending = undefined;
      return condition;
    }
    this.#nothingPending();
    this.#checkCondition(condition, this.#scope);
    return condition;
  }

  #nothingPending(): void {
    if (this.#pending === undefined) return;
    const { kind } = this.#pending;
    this.#pending = undefined;
    throw this.refuse(`the condition of ${kind} must be consumed by the next if, while or bool`, {
      value: kind,
      allowed: "k.if, k.while or k.bool as the next statement",
    });
  }

  inLoop(record: () => Block): { body: Block; broken: boolean } {
    const loop = { broken: false };
    this.#loops.push(loop);
    try {
      return { body: record(), broken: loop.broken };
    } finally {
      this.#loops.pop();
    }
  }

  leaveLoop(kind: "break" | "continue"): void {
    const loop = this.#loops.at(-1);
    if (loop === undefined)
      throw this.refuse(`${kind} outside a loop`, { value: kind, allowed: "in k.while, k.doWhile, k.loop and k.for" });
    if (kind === "break") loop.broken = true;
    this.end();
  }

  finish(hasResult: boolean): void {
    this.#nothingPending();
    if (hasResult && this.body.reachable) {
      throw this.refuse("a path without k.return, though the routine has a result", {
        allowed: "k.return(value) at the end of every path",
      });
    }
  }

  // --- scope --------------------------------------------------------------------------------------------------------------------

  /** The expression, once every local in it is known to be visible here. */
  checked(expression: Expression): Expression {
    eachLocal(expression, ({ local }) => {
      this.#visible(local, this.#scope);
    });
    return expression;
  }

  checkedAddress(address: Address): Address {
    eachLocalOfAddress(address, ({ local }) => {
      this.#visible(local, this.#scope);
    });
    return address;
  }

  #checkCondition(condition: ConditionNode, scope: Block): void {
    eachLocalOfCondition(condition, ({ local }) => {
      this.#visible(local, scope);
    });
  }

  #visible(local: Local, from: Block): void {
    if (local.block.owner !== this.#owner)
      throw this.refuse(`local "${local.name}" belongs to another routine`, {
        value: local.name,
        allowed: "locals and parameters of this routine",
      });
    for (let block: Block | undefined = from; block !== undefined; block = block.parent) {
      if (block === local.block) return;
    }
    throw this.refuse(`local "${local.name}" is used outside the block that declares it`, {
      value: local.name,
      allowed: "declare it before the block, and k.set it inside",
    });
  }
}
