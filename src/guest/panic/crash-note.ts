// crash_save_cpu() (kernel/vmcore_info.c): the registers of a CPU, where the crash kernel finds them. The ELF note around them is left
// out; how often it was written is kept, since a second time overwrites what the first saved.

import {
  addressOf,
  arm64,
  array,
  nothing,
  perCpu,
  ptr,
  routine,
  struct,
  u32,
  u64,
  x64,
  type Builder,
  type Operand,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { Arm64Regs, X64Regs } from "../entry/regs.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";

const REGISTERS = 31;

/** crash_notes of one CPU; general registers in the order of the architecture's entry code (entry/regs.ts). */
export const CrashNote = struct("crash_note", {
  writes: u32,
  cpu: u32,
  pc: u64,
  sp: u64,
  flags: u64,
  registers: array(u64, REGISTERS),
});

/** Written by the owner only. */
export const crashNotes = perCpu("crash_notes", CrashNote, { offset: 0x980 });

interface Context {
  readonly pc: Value<"u64">;
  readonly sp: Value<"u64">;
  readonly flags: Operand<"u64">;
}

function writeNote(
  k: Builder,
  context: Context,
  registers: (note: Pointer<typeof CrashNote>) => void,
  which?: "self",
): void {
  const note = k.let("note", addressOf(crashNotes.here));
  const pc = k.let("pc", context.pc);
  registers(note);
  k.set(note.sp, context.sp);
  k.set(note.flags, context.flags);
  k.set(note.cpu, local.here.cpu);
  k.set(note.writes, note.writes.add(1));
  k.mark(observed("note", { ...(which === undefined ? {} : { which }), locals: ["pc"] }));
  k.set(note.pc, pc);
}

/** Saves the context that an x86-64 interrupt or NMI has interrupted. */
export const x64CrashSaveCpu = routine("x64_crash_save_cpu", { regs: ptr(X64Regs) }, nothing, (k, { regs }) => {
  writeNote(k, { pc: regs.rip, sp: regs.rsp, flags: regs.rflags }, (note) => {
    k.for("i", 0, 15, (i) => k.set(note.registers.at(i), regs.saved.at(i)));
  });
});

/** The same on AArch64. */
export const arm64CrashSaveCpu = routine("arm64_crash_save_cpu", { regs: ptr(Arm64Regs) }, nothing, (k, { regs }) => {
  writeNote(k, { pc: regs.pc, sp: regs.sp, flags: regs.pstate }, (note) => {
    k.for("i", 0, REGISTERS, (i) => k.set(note.registers.at(i), regs.x.at(i)));
  });
});

/** crash_setup_regs() and then crash_save_cpu() for the CPU that crashes: where it is now. Callee-saved registers are not kept. */
export const crashSaveSelf = routine("crash_save_self", [], nothing, (k) => {
  const sp = k.arch(
    {
      x64: (a, { result }) => void a.mov(result, x64.rsp),
      arm64: (a, { result }) => void a.mov(result, arm64.sp),
    },
    { result: u64 },
  );
  const here = k.arch(
    {
      x64: (a, { result }) => void a.label("here").leaLabel(result, "here"),
      arm64: (a, { result }) => void a.label("here").adr(result, "here"),
    },
    { result: u64 },
  );
  writeNote(k, { pc: here, sp, flags: 0 }, () => undefined, "self");
});
