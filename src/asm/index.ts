/**
 * The assembler: portable routines recorded in TypeScript, lowered to x86-64 and AArch64 machine code, linked into images.
 *
 * @module asm
 */

export {
  array,
  code,
  extend,
  i16,
  i32,
  i64,
  i8,
  nothing,
  offsetOf,
  opaque,
  ptr,
  self,
  struct,
  u16,
  u32,
  u64,
  u8,
} from "./types.ts";
export type {
  AnyStruct,
  ArrayType,
  CodeType,
  FieldType,
  NothingType,
  OpaqueType,
  Pointee,
  PointerType,
  ResultType,
  ScalarName,
  ScalarType,
  StructOptions,
  StructType,
  ValueName,
  ValueType,
} from "./types.ts";

export {
  addressOf,
  asCode,
  asInteger,
  cast,
  Condition,
  constant,
  containerOf,
  elementsOf,
  isNull,
  same,
  structAt,
  testBit,
} from "./record/faces.ts";
export type {
  AggregatePlace,
  AnyPointer,
  ArrayPlace,
  CodePlace,
  CodeValue,
  Index,
  Local,
  LocalFor,
  Operand,
  OperandFor,
  PlaceFor,
  Pointer,
  PointerLocal,
  PointerPlace,
  ResultFor,
  ScalarPlace,
  StructPlace,
  Target,
  Value,
  ValueFor,
} from "./record/values.ts";

export { bind, Binding, Callable, codeOf, signature, Signature, slot, Slot } from "./record/callable.ts";
export type { CallableOptions, CodeSection, Parameter, ParameterSpec } from "./record/callable.ts";
export { routine, Routine } from "./record/routine.ts";
export type { RoutineOptions } from "./record/routine.ts";
export type { Builder, Case as SwitchCase } from "./record/recorder.ts";
export { Recorder } from "./record/recorder.ts";
export type { Ordering } from "./record/tree.ts";
export { inRegister } from "./record/arch.ts";
export type { ArchBodies, ArchOptions, RegisterChoice } from "./record/arch.ts";

export {
  bindList,
  cpuCount,
  global,
  imageOption,
  LINE_BYTES,
  ListBinding,
  listSlot,
  ListSlot,
  perCpu,
  perCpuBlock,
  perCpuStrideBytes,
  table,
  text,
} from "./record/data.ts";
export type { DataSection, GlobalOptions, InitialFor, PerCpu } from "./record/data.ts";

export { asmRoutine, DirectRoutine } from "./direct.ts";
export type { DirectBodies, DirectOptions } from "./direct.ts";
export { PER_CPU_START } from "./code-buffer.ts";
export type { Label, LinkSymbol } from "./code-buffer.ts";
export { X64Assembler } from "./x64/assembler.ts";
/** Registers, memory operands and conditions of x86-64. */
export * as x64 from "./x64/registers.ts";
export { Arm64Assembler } from "./arm64/assembler.ts";
/** Registers, addressing modes and conditions of AArch64. */
export * as arm64 from "./arm64/registers.ts";
export type { Arm64Flavour } from "./arm64/operands.ts";

export { buildImage, Image, recordPositions } from "./image/image.ts";
export type { ImageOptions, ImageRoot } from "./image/image.ts";
export type { ImageLine, ImageMark, ImageSection, ImageSegment, ImageSymbol, MarkedLocal } from "./image/tables.ts";
export type { Architecture } from "./image/collect.ts";
export type { StructDescription } from "./image/structs.ts";
export { writeElf } from "./elf/write.ts";
export type { ElfOptions } from "./elf/write.ts";
export { parseElf } from "./elf/read.ts";
export type { ElfFile, ElfMark, ElfSegment, ElfSymbol } from "./elf/read.ts";
export { listing } from "./listing.ts";
export type { ListingOptions } from "./listing.ts";
export type { PositionTable, SourcePosition } from "./source.ts";
export { assembleText } from "./text/assemble.ts";
export type { AssembledText, TextLine, TextOptions } from "./text/assemble.ts";
