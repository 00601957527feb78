/**
 * The code that runs execute: disassembled beside its source, and stepped through, forwards and back.
 *
 * @module code
 */

// First, since the order in which guest modules load is the order of routines in an image.
import "../guest/kernel.ts";
export {
  DISASSEMBLY_FORMAT,
  Disassembler,
  disassemble,
  imageOfElfFile,
  routinesOf,
  type CodeImage,
  type Disassembly,
  type ListedInstruction,
  type ListedRoutine,
} from "../disassembly/disassemble.ts";
export {
  DECODER_PACKAGE,
  loadDecoder,
  type DecodedInstruction,
  type InstructionDecoder,
} from "../disassembly/decoder.ts";
export type { SourceLine } from "../disassembly/source-lines.ts";
export { disassemblyLines } from "../disassembly/text.ts";

export {
  Stepper,
  type CourseOptions,
  type StepEnd,
  type StepImageOptions,
  type StepPlace,
  type StepPosition,
  type StepperOptions,
} from "../stepping/stepper.ts";
export type { StepEvent, StepEventKind } from "../stepping/events.ts";
export { Pictures, type CpuPicture, type TouchedLine } from "../stepping/picture.ts";
export { StepSession, stepCommands, type CommandResult } from "../stepping/session.ts";
export { screenLines, type ScreenSize } from "../stepping/screen.ts";
export type { ApicInterrupts, CpuInterrupts, GicInterrupts } from "../inspect/interrupts.ts";
export type { BlockedFor, LineHolders, LineLetter, WaitingStore } from "../inspect/lines.ts";
