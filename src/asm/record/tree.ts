// The recorded tree: what a routine does, independent of the architecture. Recorder in, lowerings and interpreter out.
//
// Pointers and code addresses are u64 here; their pointee types live in the typed layer above (values.ts).

import type { ScalarName, ValueName } from "../types.ts";
import type { SourceMark } from "../source.ts";
import type { Callable } from "./callable.ts";
import type { DataSymbol, ImageOption, PerCpuSymbol } from "./data.ts";
import type { ArchBlock } from "./arch.ts";

/** A register-sized variable of a routine. */
export interface Local {
  /** Number within the routine, in order of declaration. */
  readonly index: number;
  /** Empty for the result of an effect that was never named. */
  readonly name: string;
  readonly type: ValueName;
  readonly block: Block;
  /** Results of effects can't be set again. */
  readonly mutable: boolean;
}

/** Aligned room in the stack frame. */
export interface FrameSlot {
  readonly index: number;
  readonly name: string;
  readonly bytes: number;
  readonly align: number;
}

export type Base =
  | { readonly kind: "value"; readonly value: Expression }
  | { readonly kind: "symbol"; readonly symbol: DataSymbol | Callable }
  | { readonly kind: "thisCpu"; readonly variable: PerCpuSymbol | undefined }
  | { readonly kind: "otherCpu"; readonly variable: PerCpuSymbol | undefined; readonly cpu: Expression }
  | { readonly kind: "frame"; readonly slot: FrameSlot };

/** base + index * scale + offset. `index` has 64 bits. `scale` is any positive number of bytes. */
export interface Address {
  readonly base: Base;
  readonly index: Expression | undefined;
  readonly scale: number;
  readonly offset: number;
}

export type BinaryOperator = "add" | "sub" | "mul" | "and" | "or" | "xor" | "shl" | "shr" | "div" | "rem";
export type UnaryOperator = "neg" | "not" | "ctz" | "clz";

/** Pure: has no effect, may be evaluated any number of times. `convert` extends by the sign of its operand's type. */
export type Expression =
  | { readonly kind: "constant"; readonly type: ValueName; readonly value: bigint }
  | { readonly kind: "option"; readonly type: ValueName; readonly option: ImageOption }
  | { readonly kind: "local"; readonly type: ValueName; readonly local: Local }
  | { readonly kind: "load"; readonly type: ValueName; readonly memory: ScalarName; readonly address: Address }
  | { readonly kind: "address"; readonly type: "u64"; readonly address: Address }
  | {
      readonly kind: "binary";
      readonly type: ValueName;
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: "unary"; readonly type: ValueName; readonly operator: UnaryOperator; readonly operand: Expression }
  | { readonly kind: "convert"; readonly type: ValueName; readonly operand: Expression };

export type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

/** `compare` is signed or unsigned by the type of its left side. `bit` reads bit number `bit` of the bitmap at `address`. */
export type ConditionNode =
  | {
      readonly kind: "compare";
      readonly operator: Comparison;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: "bit"; readonly address: Address; readonly bit: Expression }
  | { readonly kind: "and" | "or"; readonly left: ConditionNode; readonly right: ConditionNode }
  | { readonly kind: "not"; readonly operand: ConditionNode }
  | { readonly kind: "literal"; readonly value: boolean }
  | { readonly kind: "effect"; readonly effect: ConditionEffect };

/** Full ordering unless stated otherwise; the memory operand has 32 or 64 bits. */
export type Ordering = "relaxed" | "acquire" | "release" | "full";
export type AtomicType = "u32" | "i32" | "u64" | "i64";

/** A read-modify-write that yields a condition; consumed by the statement that follows it directly. */
export type ConditionEffect =
  | { readonly kind: "addAndTest"; readonly address: Address; readonly memory: AtomicType; readonly addend: bigint }
  | {
      readonly kind: "tryCmpxchg";
      readonly address: Address;
      readonly memory: AtomicType;
      readonly expected: Local;
      readonly desired: Expression;
      readonly ordering: Ordering;
    }
  | {
      readonly kind: "testAndSetBit" | "testAndClearBit";
      readonly address: Address;
      readonly bit: Expression;
      readonly ordering: Ordering;
    };

export type FenceKind = "smp_mb" | "smp_wmb" | "smp_rmb" | "mb" | "wmb" | "rmb" | "interprocessor" | "instruction";
export type UpdateOperator = "add" | "or" | "and";

export interface Block {
  readonly parent: Block | undefined;
  readonly statements: Statement[];
  /** Number of the routine's recording, to recognise locals of another routine. */
  readonly owner: object;
  /** False once a statement has been recorded after which nothing can follow. */
  reachable: boolean;
}

export type StatementBody =
  | { readonly kind: "set"; readonly local: Local; readonly value: Expression }
  | {
      readonly kind: "store";
      readonly address: Address;
      readonly memory: ScalarName;
      readonly value: Expression;
      readonly order: "plain" | "once" | "release";
    }
  | {
      readonly kind: "load";
      readonly result: Local;
      readonly address: Address;
      readonly memory: ScalarName;
      readonly order: "once" | "acquire";
    }
  | { readonly kind: "bool"; readonly result: Local; readonly condition: ConditionNode }
  | {
      readonly kind: "if";
      readonly condition: ConditionNode;
      readonly then: Block;
      readonly otherwise: Block | undefined;
    }
  | {
      /** `prelude` holds the effects of the condition and runs before each test. `step` runs before it, also on continue. */
      readonly kind: "loop";
      readonly form: "while" | "doWhile" | "forever";
      readonly prelude: Block;
      readonly condition: ConditionNode;
      readonly body: Block;
      readonly step: Block | undefined;
    }
  | { readonly kind: "break" | "continue" }
  | {
      readonly kind: "switch";
      readonly value: Expression;
      readonly cases: readonly { readonly values: readonly bigint[]; readonly body: Block }[];
      readonly otherwise: Block | undefined;
    }
  | {
      readonly kind: "call";
      readonly target: Callable | Expression;
      readonly parameters: readonly ValueName[];
      readonly arguments: readonly Expression[];
      readonly result: Local | undefined;
      readonly returns: boolean;
    }
  | { readonly kind: "return"; readonly value: Expression | undefined }
  | {
      readonly kind: "update";
      readonly operator: UpdateOperator;
      readonly address: Address;
      readonly memory: AtomicType;
      readonly operand: Expression;
    }
  | { readonly kind: "setBit" | "clearBit"; readonly address: Address; readonly bit: Expression }
  | {
      readonly kind: "fetch";
      readonly operator: UpdateOperator;
      readonly address: Address;
      readonly memory: AtomicType;
      readonly operand: Expression;
      readonly result: Local;
      readonly ordering: Ordering;
    }
  | {
      readonly kind: "xchg";
      readonly address: Address;
      readonly memory: AtomicType;
      readonly operand: Expression;
      readonly result: Local;
      readonly ordering: Ordering;
    }
  | {
      readonly kind: "cmpxchg";
      readonly address: Address;
      readonly memory: AtomicType;
      readonly expected: Expression;
      readonly desired: Expression;
      readonly result: Local;
      readonly ordering: Ordering;
    }
  | { readonly kind: "fence"; readonly fence: FenceKind; readonly mark: string | undefined }
  | { readonly kind: "interrupts"; readonly action: "save"; readonly result: Local }
  | { readonly kind: "interrupts"; readonly action: "restore"; readonly flags: Expression }
  | { readonly kind: "interrupts"; readonly action: "disable" | "enable" | "maskAll" }
  | { readonly kind: "interrupts"; readonly action: "areDisabled"; readonly result: Local }
  | { readonly kind: "relax" | "idle" | "bug" }
  | { readonly kind: "cmpWait"; readonly address: Address; readonly memory: AtomicType; readonly seen: Expression }
  | { readonly kind: "mark"; readonly name: string }
  | { readonly kind: "arch"; readonly block: ArchBlock };

export type Statement = StatementBody & {
  /** Position among the routine's statements in recorded order, from 0: the key of recorded source positions. */
  readonly ordinal: number;
  readonly source: SourceMark;
};

/** A finished recording. */
export interface Recording {
  readonly name: string;
  readonly parameters: readonly Local[];
  readonly result: ValueName | undefined;
  readonly locals: readonly Local[];
  readonly frameSlots: readonly FrameSlot[];
  readonly body: Block;
  readonly statementCount: number;
}

export function isWide(type: ScalarName): boolean {
  return type === "u64" || type === "i64";
}

export function isSigned(type: ScalarName): boolean {
  return type.startsWith("i");
}

export function widthOf(type: ValueName): 32 | 64 {
  return isWide(type) ? 64 : 32;
}

export function promoted(memory: ScalarName): ValueName {
  switch (memory) {
    case "u8":
    case "u16":
      return "u32";
    case "i8":
    case "i16":
      return "i32";
    case "u32":
    case "i32":
    case "u64":
    case "i64":
      return memory;
  }
}

export function bytesOf(memory: ScalarName): 1 | 2 | 4 | 8 {
  switch (memory) {
    case "u8":
    case "i8":
      return 1;
    case "u16":
    case "i16":
      return 2;
    case "u32":
    case "i32":
      return 4;
    case "u64":
    case "i64":
      return 8;
  }
}
