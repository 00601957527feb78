// x86-64 entry: one 16-byte stub per vector, and the path that they share (Intel SDM 3A 6.14 has the frame).

import { asmRoutine, nothing, slot, x64, type X64Assembler } from "../../asm/index.ts";
import { X86Vector } from "../../abi.ts";
import { STAY_BLOCKED } from "../nmi/data.ts";
import { GDT_OFFSET, NMI_STACK_BYTES } from "../percpu.ts";
import { x64Interrupt } from "./interrupt.ts";
import { X64Regs } from "./regs.ts";
import { KERNEL_STACK, exitToUserMode } from "./user.ts";

export const VECTORS = 256;
export const STUB_BYTES = 16;
/** Vectors for which the processor pushes an error code (SDM 3A table 6-1). */
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);
/** Pushed in this order: struct x64_regs from its top down. */
const SAVED = [
  x64.rdi,
  x64.rsi,
  x64.rdx,
  x64.rcx,
  x64.rax,
  x64.r8,
  x64.r9,
  x64.r10,
  x64.r11,
  x64.rbx,
  x64.rbp,
  x64.r12,
  x64.r13,
  x64.r14,
  x64.r15,
];
const VECTOR_OFFSET = X64Regs.offsets.get("vector") ?? 0;
const WORD = 8;
/** What the processor and a stub have pushed: vector, error code, RIP, CS, RFLAGS, RSP, SS. */
const FRAME_WORDS = 7;
/** Where CS stands among them. */
const CS_WORD = 3;
/** Kept free at the top of the NMI stack, where the processor pushes the frame of any NMI: its frame, and what moving it takes. */
const LANDING_BYTES = 128;
const MOVING = [x64.rax, x64.rcx, x64.rdx];
/** Ways behind the stubs that differ from the others'. */
const PATHS = new Map<number, string>([
  [X86Vector.NMI, "nmi"],
  [X86Vector.BREAKPOINT, "breakpoint"],
]);

/**
 * The processor pushes the frame of every NMI at the top of the NMI stack, so that one which interrupts a handler (after an IRET there has
 * unblocked NMIs) would overwrite the handler's own frame. Hence each moves its frame away at once, while NMIs are still blocked: below the
 * landing, or below whatever part of a handler it has interrupted.
 */
function moveNmiFrame(a: X64Assembler): void {
  const { rax, rcx, rdx, rsp } = x64;
  const scratch = MOVING.length * WORD;
  const words = FRAME_WORDS + MOVING.length;
  for (const register of MOVING) a.push(register);
  a.mov(rax, x64.at(rsp, scratch + 5 * WORD)).lea(rcx, x64.at(rsp, words * WORD));
  // From 1 to the stack's size: the interrupted stack pointer lies on this very stack.
  a.mov(rdx, rcx).sub(rdx, rax).dec(rdx).cmp(rdx, NMI_STACK_BYTES).jcc("b", "nested");
  a.lea(rax, x64.at(rcx, -LANDING_BYTES));
  a.label("nested");
  a.and(rax, -16);
  for (let word = 0; word < words; word++) {
    a.mov(rdx, x64.at(rsp, word * WORD)).mov(x64.at(rax, (word - words) * WORD), rdx);
  }
  a.lea(rsp, x64.at(rax, -words * WORD));
  for (const register of MOVING.toReversed()) a.pop(register);
}

/** Calls the handler with the interrupted registers saved. */
function handleSaved(a: X64Assembler, before?: () => void, behind?: () => void): void {
  for (const register of SAVED) a.push(register);
  before?.();
  a.mov(x64.rdi, x64.at(x64.rsp, VECTOR_OFFSET)).mov(x64.rsi, x64.rsp).cld().call(x64Interrupt);
  behind?.();
  for (const register of SAVED.toReversed()) a.pop(register);
}

/** Who was interrupted, at the beginning of a path: RPL of CS. */
function ifUser(a: X64Assembler, label: string): void {
  a.test(x64.at(x64.rsp, CS_WORD * WORD, 8), 3).jcc("ne", label);
}

/** Interrupts and exceptions of user mode: on the task's kernel stack, with the user's GS base to be put aside. */
function handleUser(a: X64Assembler): void {
  a.swapgs();
  handleSaved(a, undefined, () => a.mov(x64.rdi, x64.rsp).call(exitToUserMode));
  a.add(x64.rsp, 2 * WORD)
    .swapgs()
    .iretq();
}

/**
 * An NMI of user mode leaves the NMI stack at once, which the next one is to find free, and goes on as an interrupt does; no task is
 * switched on its way back (asm_exc_nmi).
 */
function handleUserNmi(a: X64Assembler): void {
  const { rdx, rsp } = x64;
  a.swapgs().push(rdx).mov(rdx, rsp).mov(rsp, KERNEL_STACK);
  // SS, RSP, RFLAGS, CS, RIP, error code, vector: below them lies RDX.
  for (let word = FRAME_WORDS; word > 0; word--) a.push(x64.at(rdx, word * WORD));
  a.mov(rdx, x64.at(rdx));
  handleSaved(a);
  a.add(rsp, 2 * WORD)
    .swapgs()
    .iretq();
}

/**
 * An NMI of the kernel may have come where the user's GS base is in place, before one SWAPGS or behind the other: it sets its own whatever
 * is there, and puts that back (paranoid_entry, where FSGSBASE is there). The GDT, which lies in the CPU's block, tells where that is.
 */
function handleParanoid(a: X64Assembler): void {
  const { rax, rbx, rsp } = x64;
  const ownBlock = (): void => {
    a.sub(rsp, 2 * WORD)
      .sgdt(x64.at(rsp, WORD - 2))
      .mov(rax, x64.at(rsp, WORD))
      .add(rsp, 2 * WORD);
    a.sub(rax, GDT_OFFSET).rdgsbase(rbx).wrgsbase(rax);
  };
  handleSaved(a, ownBlock, () => a.wrgsbase(rbx));
  a.add(rsp, 2 * WORD).iretq();
}

/**
 * Returns to the same code segment, stack segment and privilege by POPFQ and RET: RFLAGS and RIP move below the interrupted stack pointer,
 * where the frame's own SS and RSP may lie, which have been read by then. NMIs stay blocked, as only IRET lets them in.
 */
function returnWithoutIret(a: X64Assembler): void {
  const { rax, rcx, rsp } = x64;
  const pushed = (word: number) => x64.at(rsp, (2 + word) * WORD);
  a.push(rax).push(rcx);
  a.mov(rax, pushed(5)).sub(rax, 2 * WORD);
  a.mov(rcx, pushed(2)).mov(x64.at(rax, WORD), rcx);
  a.mov(rcx, pushed(4)).mov(x64.at(rax), rcx);
  a.mov(pushed(0), rax);
  a.pop(rcx).pop(rax).pop(rsp).popfq().ret();
}

/** What the image's gates lead to. */
export const vectorStubs = slot("vector_stubs", {}, nothing);

/** Stub n stands at STUB_BYTES * n. Kernels without user mode, where GS is always their own, don't look who was interrupted. */
function stubs(name: string, hasUserMode: boolean) {
  return asmRoutine(
    name,
    {
      x64: (a) => {
        for (let vector = 0; vector < VECTORS; vector++) {
          if (!WITH_ERROR_CODE.has(vector)) a.push(0);
          a.push(vector)
            .jmp(PATHS.get(vector) ?? "common")
            .align(STUB_BYTES);
        }
        a.label("nmi");
        if (hasUserMode) ifUser(a, "user_nmi");
        moveNmiFrame(a);
        if (hasUserMode) handleParanoid(a);
        a.label("common");
        if (hasUserMode) ifUser(a, "user");
        handleSaved(a);
        a.add(x64.rsp, 2 * WORD).iretq();
        a.label("breakpoint");
        handleSaved(a);
        a.cmp(STAY_BLOCKED, 0).jcc("ne", "blocked");
        a.add(x64.rsp, 2 * WORD).iretq();
        a.label("blocked");
        returnWithoutIret(a);
        if (!hasUserMode) return;
        a.label("user");
        handleUser(a);
        a.label("user_nmi");
        handleUserNmi(a);
      },
    },
    { section: "vectors", align: 2048 },
  );
}

export const x64VectorStubs = stubs("x64_vector_stubs", false);
export const x64UserVectorStubs = stubs("x64_user_vector_stubs", true);
