// Effects of a routine: ordered loads and stores, atomics, fences, interrupt state, waiting. Names are the kernel's.
//
// Each records one statement; results are fresh locals. Their lowering is in x64/lower.ts, arm64/lower.ts and arm64/atomics.ts.

import type {
  AtomicType,
  ConditionEffect,
  FenceKind,
  Local as LocalVariable,
  Ordering,
  UpdateOperator,
} from "./tree.ts";
import { bytesOf, isWide, promoted } from "./tree.ts";
import { here } from "../source.ts";
import type { SourceMark } from "../source.ts";
import type { CellType, CodeType, PointerType, ScalarName, ScalarType, ValueName, ValueType } from "../types.ts";
import { isSigned } from "./tree.ts";
import { u32, u64 } from "../types.ts";
import { wrap } from "./expressions.ts";
import { bitNode, cellOf, Condition, nodeOf, operandFor, valueOf } from "./faces.ts";
import * as build from "./expressions.ts";
import { RecordingState } from "./recording.ts";
import type { AggregatePlace, AnyPointer, OperandFor, Target, Value, ValueFor } from "./values.ts";

/** Cells that atomics work on. */
export type AtomicCell = ScalarType<"u32"> | ScalarType<"i32"> | ScalarType<"u64"> | ScalarType<"i64">;
export type SwappableCell = AtomicCell | PointerType | CodeType;
type Bitmap = AnyPointer | AggregatePlace<unknown>;
type BitNumber = number | Value<"u32"> | Value<"u64">;

const MARK_NAME = /^[\w.$+-]+$/;

/** Memory type of a cell: pointers and code addresses are u64. */
export function memoryOf(type: CellType): ScalarName {
  return type.kind === "scalar" ? type.name : "u64";
}

export class EffectRecorder {
  protected readonly state: RecordingState;

  constructor(name: string) {
    this.state = new RecordingState(name);
  }

  /** A fresh local for the result of an effect. */
  protected fresh(type: ValueType): { local: LocalVariable; value: unknown } {
    const local = this.state.local("", type.kind === "scalar" ? type.name : "u64", false);
    return { local, value: valueOf({ kind: "local", type: local.type, local }, type) };
  }

  // --- ordered loads and stores -------------------------------------------------------------------------------------------------

  /** READ_ONCE: one load, at this point. */
  readOnce<T extends CellType>(place: Target<T>): ValueFor<T> {
    return this.#load(here(), place, "once") as ValueFor<T>;
  }

  /** smp_load_acquire. */
  loadAcquire<T extends CellType>(place: Target<T>): ValueFor<T> {
    return this.#load(here(), place, "acquire") as ValueFor<T>;
  }

  /** WRITE_ONCE: one store, at this point. */
  writeOnce<T extends CellType>(place: Target<T>, value: OperandFor<T>): void {
    this.store(here(), place, value, "once");
  }

  /** smp_store_release. */
  storeRelease<T extends CellType>(place: Target<T>, value: OperandFor<T>): void {
    this.store(here(), place, value, "release");
  }

  #load(source: SourceMark, place: unknown, order: "once" | "acquire"): unknown {
    const { address, type } = cellOf(place);
    const memory = memoryOf(type);
    const { local, value } = this.fresh(resultType(type));
    this.state.add(source, { kind: "load", result: local, address: this.state.checkedAddress(address), memory, order });
    return value;
  }

  protected store(source: SourceMark, place: unknown, value: unknown, order: "plain" | "once" | "release"): void {
    const { address, type } = cellOf(place);
    this.state.add(source, {
      kind: "store",
      address: this.state.checkedAddress(address),
      memory: memoryOf(type),
      value: this.state.checked(operandFor(type, value)),
      order,
    });
  }

  // --- atomic updates without a result: relaxed ---------------------------------------------------------------------------------

  atomicAdd<T extends AtomicCell>(place: Target<T>, value: OperandFor<T>): void {
    this.#update(here(), "add", place, value);
  }
  atomicSub<T extends AtomicCell>(place: Target<T>, value: OperandFor<T>): void {
    const { type } = cellOf(place);
    this.#update(here(), "add", place, valueOf(build.unary("neg", operandFor(type, value)), type as ValueType));
  }
  atomicInc(place: Target<AtomicCell>): void {
    this.#update(here(), "add", place, 1);
  }
  atomicDec(place: Target<AtomicCell>): void {
    this.#update(here(), "add", place, minusOne(place));
  }
  atomicOr<T extends AtomicCell>(place: Target<T>, value: OperandFor<T>): void {
    this.#update(here(), "or", place, value);
  }
  atomicAnd<T extends AtomicCell>(place: Target<T>, value: OperandFor<T>): void {
    this.#update(here(), "and", place, value);
  }

  #update(source: SourceMark, operator: UpdateOperator, place: unknown, value: unknown): void {
    const { address, memory, type } = this.#atomicCell(place);
    const operand = this.state.checked(operandFor(type, value));
    this.state.add(source, { kind: "update", operator, address, memory, operand });
  }

  /** Sets one bit of a bitmap atomically. */
  setBit(bitmap: Bitmap, bit: BitNumber): void {
    this.state.add(here(), { kind: "setBit", ...this.#bitOf(bitmap, bit) });
  }
  clearBit(bitmap: Bitmap, bit: BitNumber): void {
    this.state.add(here(), { kind: "clearBit", ...this.#bitOf(bitmap, bit) });
  }

  #bitOf(
    bitmap: Bitmap,
    bit: BitNumber,
  ): { address: ReturnType<typeof build.pointedTo>; bit: ReturnType<typeof bitNode> } {
    const address = this.state.checkedAddress(build.pointedTo(nodeOf(bitmap)));
    return { address, bit: this.state.checked(bitNode(bit)) };
  }

  // --- atomics with a result: fully ordered unless told otherwise ---------------------------------------------------------------

  fetchAdd<T extends AtomicCell>(place: Target<T>, value: OperandFor<T>, ordering: Ordering = "full"): ValueFor<T> {
    return this.#fetch(here(), "add", place, value, ordering) as ValueFor<T>;
  }
  fetchSub<T extends AtomicCell>(place: Target<T>, value: OperandFor<T>, ordering: Ordering = "full"): ValueFor<T> {
    const { type } = cellOf(place);
    const negative = valueOf(build.unary("neg", operandFor(type, value)), type as ValueType);
    return this.#fetch(here(), "add", place, negative, ordering) as ValueFor<T>;
  }
  fetchOr<T extends AtomicCell>(place: Target<T>, value: OperandFor<T>, ordering: Ordering = "full"): ValueFor<T> {
    return this.#fetch(here(), "or", place, value, ordering) as ValueFor<T>;
  }
  fetchAnd<T extends AtomicCell>(place: Target<T>, value: OperandFor<T>, ordering: Ordering = "full"): ValueFor<T> {
    return this.#fetch(here(), "and", place, value, ordering) as ValueFor<T>;
  }

  #fetch(source: SourceMark, operator: UpdateOperator, place: unknown, value: unknown, ordering: Ordering): unknown {
    const { address, memory, type } = this.#atomicCell(place);
    const operand = this.state.checked(operandFor(type, value));
    const { local, value: result } = this.fresh(resultType(type));
    this.state.add(source, { kind: "fetch", operator, address, memory, operand, result: local, ordering });
    return result;
  }

  /** Returns the old value. */
  xchg<T extends SwappableCell>(place: Target<T>, value: OperandFor<T>, ordering: Ordering = "full"): ValueFor<T> {
    const { address, memory, type } = this.#atomicCell(place);
    const operand = this.state.checked(operandFor(type, value));
    const { local, value: result } = this.fresh(resultType(type));
    this.state.add(here(), { kind: "xchg", address, memory, operand, result: local, ordering });
    return result as ValueFor<T>;
  }

  /** Stores `desired` if the cell holds `expected`; returns the old value. A failed one orders nothing on LL/SC images. */
  cmpxchg<T extends SwappableCell>(
    place: Target<T>,
    expected: OperandFor<T>,
    desired: OperandFor<T>,
    ordering: Ordering = "full",
  ): ValueFor<T> {
    const { address, memory, type } = this.#atomicCell(place);
    const expectedNode = this.state.checked(operandFor(type, expected));
    const desiredNode = this.state.checked(operandFor(type, desired));
    const { local, value: result } = this.fresh(resultType(type));
    this.state.add(here(), {
      kind: "cmpxchg",
      address,
      memory,
      expected: expectedNode,
      desired: desiredNode,
      result: local,
      ordering,
    });
    return result as ValueFor<T>;
  }

  // --- read-modify-write conditions: consumed by the next if, while or bool -----------------------------------------------------

  /** True if the cell became zero. */
  decAndTest(place: Target<AtomicCell>): Condition {
    return this.#addAndTest(place, -1n);
  }
  incAndTest(place: Target<AtomicCell>): Condition {
    return this.#addAndTest(place, 1n);
  }

  #addAndTest(place: unknown, addend: bigint): Condition {
    const { address, memory } = this.#atomicCell(place);
    return this.#pend({ kind: "addAndTest", address, memory, addend });
  }

  /** True if the swap happened; if not, `expected` holds what was found. */
  tryCmpxchg<T extends SwappableCell>(
    place: Target<T>,
    expected: Target<T>,
    desired: OperandFor<T>,
    ordering: Ordering = "full",
  ): Condition {
    const { address, memory, type } = this.#atomicCell(place);
    const local = this.mutableLocal(expected);
    const desiredNode = this.state.checked(operandFor(type, desired));
    return this.#pend({ kind: "tryCmpxchg", address, memory, expected: local, desired: desiredNode, ordering });
  }

  /** The bit's old value. */
  testAndSetBit(bitmap: Bitmap, bit: BitNumber, ordering: Ordering = "full"): Condition {
    return this.#pend({ kind: "testAndSetBit", ...this.#bitOf(bitmap, bit), ordering });
  }
  testAndClearBit(bitmap: Bitmap, bit: BitNumber, ordering: Ordering = "full"): Condition {
    return this.#pend({ kind: "testAndClearBit", ...this.#bitOf(bitmap, bit), ordering });
  }

  #pend(effect: ConditionEffect): Condition {
    return new Condition(this.state.pend(effect));
  }

  #atomicCell(place: unknown): { address: ReturnType<typeof build.pointedTo>; memory: AtomicType; type: CellType } {
    const { address, type } = cellOf(place);
    const memory = memoryOf(type);
    if (bytesOf(memory) < 4)
      throw this.state.refuse("atomics work on cells of 32 and 64 bits", {
        value: memory,
        allowed: "u32, i32, u64, i64, pointers",
      });
    return { address: this.state.checkedAddress(address), memory: promoted(memory), type };
  }

  protected mutableLocal(target: unknown): LocalVariable {
    const node = nodeOf(target);
    if (node.kind !== "local")
      throw this.state.refuse("not a local", { value: node.kind, allowed: "what k.let returned, or a parameter" });
    if (!node.local.mutable)
      throw this.state.refuse("the result of an effect can't be set", {
        value: node.type,
        allowed: "a copy made with k.let",
      });
    this.state.checked(node);
    return node.local;
  }

  // --- fences; the mark names it in the image option `without` ------------------------------------------------------------------

  smpMb(mark?: string): void {
    this.#fence(here(), "smp_mb", mark);
  }
  smpWmb(mark?: string): void {
    this.#fence(here(), "smp_wmb", mark);
  }
  smpRmb(mark?: string): void {
    this.#fence(here(), "smp_rmb", mark);
  }
  mb(mark?: string): void {
    this.#fence(here(), "mb", mark);
  }
  wmb(mark?: string): void {
    this.#fence(here(), "wmb", mark);
  }
  rmb(mark?: string): void {
    this.#fence(here(), "rmb", mark);
  }
  /** Orders stores before the message that interrupts another CPU: x2APIC WRMSR, ICC_SGI1R_EL1, SMC. */
  interprocessorFence(mark?: string): void {
    this.#fence(here(), "interprocessor", mark);
  }
  /** ISB on AArch64, e.g. after the last ICC_SGI1R_EL1 write; nothing on x86-64. */
  instructionFence(mark?: string): void {
    this.#fence(here(), "instruction", mark);
  }

  #fence(source: SourceMark, fence: FenceKind, mark: string | undefined): void {
    this.state.add(source, { kind: "fence", fence, mark });
  }

  // --- interrupt state ----------------------------------------------------------------------------------------------------------

  /** local_irq_save: disables and returns the previous state. */
  irqSave(): Value<"u64"> {
    const { local, value } = this.fresh(u64);
    this.state.add(here(), { kind: "interrupts", action: "save", result: local });
    return value as Value<"u64">;
  }
  irqRestore(flags: Value<"u64">): void {
    this.state.add(here(), { kind: "interrupts", action: "restore", flags: this.state.checked(nodeOf(flags)) });
  }
  irqDisable(): void {
    this.state.add(here(), { kind: "interrupts", action: "disable" });
  }
  irqEnable(): void {
    this.state.add(here(), { kind: "interrupts", action: "enable" });
  }
  /** irqs_disabled: 1 or 0. */
  irqsDisabled(): Value<"u32"> {
    const { local, value } = this.fresh(u32);
    this.state.add(here(), { kind: "interrupts", action: "areDisabled", result: local });
    return value as Value<"u32">;
  }
  /** local_daif_mask: excludes everything, pseudo-NMIs too. x86-64 has nothing beyond irqDisable, and gets that. */
  daifMask(): void {
    this.state.add(here(), { kind: "interrupts", action: "maskAll" });
  }

  // --- waiting and trapping -----------------------------------------------------------------------------------------------------

  cpuRelax(): void {
    this.state.add(here(), { kind: "relax" });
  }
  /** Waits for an interrupt; entered and left with interrupts disabled on AArch64, left with them enabled on both. */
  idleWait(): void {
    this.state.add(here(), { kind: "idle" });
  }
  /** Waits until the cell may differ from `seen`: WFE armed by an exclusive load on AArch64, PAUSE on x86-64. */
  relaxedCmpWait<T extends AtomicCell>(place: Target<T>, seen: OperandFor<T>): void {
    const { address, memory, type } = this.#atomicCell(place);
    this.state.add(here(), { kind: "cmpWait", address, memory, seen: this.state.checked(operandFor(type, seen)) });
  }
  /** BUG(): an undefined instruction or breakpoint that never continues. */
  bug(): void {
    this.state.add(here(), { kind: "bug" });
    this.state.end();
  }
  /** A zero-byte label "routine:name" that carries the locations of the live locals. */
  mark(name: string): void {
    if (!MARK_NAME.test(name)) {
      throw this.state.refuse("not a name of a mark", { value: name, allowed: "letters, digits and _ . $ + -" });
    }
    this.state.add(here(), { kind: "mark", name });
  }
}

/** Loads promote 8 and 16 bits. */
function resultType(type: CellType): ValueType {
  return type.kind === "scalar" ? scalarOf(promoted(type.name)) : type;
}

export function scalarOf(name: ValueName): ScalarType<ValueName> {
  const bytes = isWide(name) ? 8 : 4;
  return { kind: "scalar", name, bytes, align: bytes, signed: isSigned(name) };
}

function minusOne(place: unknown): bigint {
  const type = promoted(memoryOf(cellOf(place).type));
  return wrap(type, -1n);
}
