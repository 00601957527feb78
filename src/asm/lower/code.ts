// From selected instructions to the code of a routine: the stack frame, then bytes, lines and marks.

import type { CodeBuffer } from "../code-buffer.ts";
import { invalid, reportAt } from "../failure.ts";
import type { Routine } from "../record/routine.ts";
import type { FrameSlot, Recording, Statement } from "../record/tree.ts";
import { roundUp } from "../types.ts";
import type { Allocation, RegisterFile } from "./allocate.ts";
import { InstructionList, isSlot, registerOf, slotOf } from "./instructions.ts";
import { AT_USE, POSITIONS } from "./intervals.ts";
import type { Frame, LocalPlace, LoweredMark, LoweredRoutine } from "./lowered.ts";

const SLOT_BYTES = 8;
/** Kernel stacks are 4 KiB, and every frame offset must have an immediate form. */
const MAXIMUM_FRAME_BYTES = 3840;
const STACK_ALIGN = 16;

export abstract class RoutineCode<A extends CodeBuffer> {
  protected readonly list = new InstructionList<A>();
  protected readonly routine: Routine;
  protected readonly recording: Recording;
  /** Set while code is written, once the frame is known. */
  protected frame: Frame = { bytes: 0, saved: [], hasCalls: false };
  protected hasCalls = false;
  /** True once a path to the epilogue is known. */
  protected returns = false;
  readonly #frameSlotOffsets: number[] = [];

  constructor(routine: Routine) {
    this.routine = routine;
    this.recording = routine.recording;
  }

  protected abstract readonly file: RegisterFile<A>;
  protected abstract newAssembler(): A;
  /** Bytes between the stack pointer and the frame's slots and structs, once the frame is known. */
  protected abstract get areaOffset(): number;
  protected abstract prologue(assembler: A): void;
  protected abstract epilogue(assembler: A): void;

  protected layOutFrame(allocation: Allocation): void {
    let bytes = allocation.slots * SLOT_BYTES;
    for (const slot of this.recording.frameSlots) {
      bytes = roundUp(bytes, slot.align);
      this.#frameSlotOffsets[slot.index] = bytes;
      bytes += slot.bytes;
    }
    if (this.recording.frameSlots.length > 0) bytes = roundUp(bytes, STACK_ALIGN);
    if (bytes > MAXIMUM_FRAME_BYTES) {
      throw invalid(`${this.recording.name}: stack frame too large`, {
        value: bytes,
        allowed: `up to ${MAXIMUM_FRAME_BYTES} bytes`,
      });
    }
    const saved = this.returns ? this.file.allocatable.filter((register) => (allocation.saved >>> register) & 1) : [];
    this.frame = { bytes, saved, hasCalls: this.hasCalls };
  }

  /** Bytes from the stack pointer; valid while code is written. */
  protected frameOffset(slot: FrameSlot): number {
    return this.#frameSlotOffsets[slot.index] ?? 0;
  }

  protected slotOffset(slot: number): number {
    return slot * SLOT_BYTES;
  }

  protected assemble(allocation: Allocation): LoweredRoutine["code"] {
    const assembler = this.newAssembler();
    // Labels of the list and of the assembler are the same numbers.
    for (let i = 0; i < this.list.labelCount; i++) assembler.newLabel();
    const { instructions } = this.list;
    let line: Statement | undefined;
    assembler.line(undefined);
    this.prologue(assembler);
    instructions.forEach((instruction, number) => {
      if (instruction.label !== undefined) assembler.place(instruction.label);
      if (instruction.mark !== undefined) assembler.markHere(this.#markAt(instruction.mark, number, allocation));
      if (instruction.emit === undefined) return;
      if (instruction.jump !== undefined && this.#followsDirectly(instruction.jump, number)) return;
      if (instruction.statement !== line) {
        line = instruction.statement;
        assembler.line(line);
      }
      reportAt(instruction.statement?.source ?? this.routine.source);
      const locations = instruction.operands.map((operand) => allocation.locations[registerOf(operand)] ?? 0);
      instruction.emit(assembler, locations);
    });
    reportAt(this.routine.source);
    if (this.returns) {
      assembler.line(undefined);
      this.epilogue(assembler);
    }
    return assembler.finish() as LoweredRoutine["code"];
  }

  #followsDirectly(label: number, number: number): boolean {
    for (let i = number + 1; i < this.list.instructions.length; i++) {
      const next = this.list.instructions[i];
      if (next?.label === label) return true;
      if (next?.emit !== undefined) return false;
    }
    return false;
  }

  #markAt(name: string, number: number, allocation: Allocation): LoweredMark {
    const position = number * POSITIONS + AT_USE;
    const locals: LocalPlace[] = [];
    for (const { register, start, end } of allocation.intervals) {
      const localName = this.list.registers[register]?.name ?? "";
      const location = allocation.locations[register];
      if (localName === "" || location === undefined || start > position || end < position) continue;
      locals.push(
        isSlot(location)
          ? { name: localName, register: undefined, stackOffset: this.areaOffset + this.slotOffset(slotOf(location)) }
          : { name: localName, register: location, stackOffset: undefined },
      );
    }
    return { name, locals };
  }
}
