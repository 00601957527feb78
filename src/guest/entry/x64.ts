// x86-64 entry: one 16-byte stub per vector, and the path that they share (Intel SDM 3A 6.14 has the frame).

import { asmRoutine, x64 } from "../../asm/index.ts";
import { x64Interrupt } from "./interrupt.ts";
import { X64Regs } from "./regs.ts";

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

/** Stub n stands at STUB_BYTES * n. */
export const x64VectorStubs = asmRoutine(
  "x64_vector_stubs",
  {
    x64: (a) => {
      for (let vector = 0; vector < VECTORS; vector++) {
        if (!WITH_ERROR_CODE.has(vector)) a.push(0);
        a.push(vector).jmp("common").align(STUB_BYTES);
      }
      a.label("common");
      for (const register of SAVED) a.push(register);
      a.mov(x64.rdi, x64.at(x64.rsp, VECTOR_OFFSET)).cld().call(x64Interrupt);
      for (const register of SAVED.toReversed()) a.pop(register);
      a.add(x64.rsp, 16).iretq();
    },
  },
  { section: "vectors", align: 2048 },
);
