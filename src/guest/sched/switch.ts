// The context switch: callee-saved registers and the stack pointer, and the stack that a new task starts from.

import { arm64, asmRoutine, nothing, ptr, routine, signature, code, u64, x64 } from "../../asm/index.ts";
import { Task } from "../percpu.ts";

/** switch_to: saves what the ABI preserves on the old stack, goes on where the new task left off. */
export const switchTo = asmRoutine(
  "__switch_to_asm",
  {
    // System V: rbx, rbp, r12 to r15
    x64: (a) => {
      const saved = [x64.rbp, x64.rbx, x64.r12, x64.r13, x64.r14, x64.r15];
      for (const register of saved) a.push(register);
      a.mov(x64.at(x64.rdi), x64.rsp).mov(x64.rsp, x64.at(x64.rsi));
      a.mov(x64.at(x64.rdi, ON_CPU, 32), 0);
      for (const register of saved.toReversed()) a.pop(register);
      a.ret();
    },
    // AAPCS64: x19 to x28, x29, x30
    arm64: (a) => {
      const { sp, x0, x1, x9 } = arm64;
      const pairs = [0, 2, 4, 6, 8, 10].map(
        (index) => [arm64.armGpr(19 + index, 64), arm64.armGpr(20 + index, 64)] as const,
      );
      a.sub(sp, sp, SAVED_BYTES);
      pairs.forEach(([one, two], index) => a.stp(one, two, arm64.offset(sp, 16 * index)));
      a.mov(x9, sp).str(x9, arm64.offset(x0)).ldr(x9, arm64.offset(x1)).mov(sp, x9);
      a.add(x9, x0, ON_CPU).stlr(arm64.wzr, x9);
      pairs.forEach(([one, two], index) => a.ldp(one, two, arm64.offset(sp, 16 * index)));
      a.add(sp, sp, SAVED_BYTES).ret();
    },
  },
  { signature: signature([{ prev: ptr(Task) }, { next: ptr(Task) }], nothing) },
);

/** finish_task(): from here on another CPU may run the task, so its registers have to be seen first. */
const ON_CPU = Task.offsets.get("on_cpu") ?? 0;

/** x19 to x30. */
const SAVED_BYTES = 96;

/** Prepares a stack from which switchTo() "returns" into a task's entry point. */
export const prepareStack = routine(
  "copy_thread",
  [{ task: ptr(Task) }, { top: u64 }, { entry: code }],
  nothing,
  (k, { task, top, entry }) => {
    const stack = k.let("stack", top);
    k.arch(
      {
        // The return address, then six zeroed registers below; one word of padding keeps the entry's stack as after a call.
        x64: (a, { stack: to, entry: address }) => {
          a.mov(x64.r11, to).sub(x64.r11, 64);
          for (let offset = 0; offset < 48; offset += 8) a.mov(x64.at(x64.r11, offset, 64), 0);
          a.mov(x64.at(x64.r11, 48), address);
        },
        arm64: (a, { stack: to, entry: address }) => {
          a.sub(arm64.x16, to, SAVED_BYTES);
          for (let offset = 0; offset < SAVED_BYTES; offset += 16)
            a.stp(arm64.xzr, arm64.xzr, arm64.offset(arm64.x16, offset));
          a.str(address, arm64.offset(arm64.x16, SAVED_BYTES - 8));
        },
      },
      { uses: { stack, entry } },
    );
    k.arch(
      {
        x64: (a, { stack: to, task: address }) =>
          void a.mov(x64.r11, to).sub(x64.r11, 64).mov(x64.at(address), x64.r11),
        arm64: (a, { stack: to, task: address }) =>
          void a.sub(arm64.x16, to, SAVED_BYTES).str(arm64.x16, arm64.offset(address)),
      },
      { uses: { stack, task } },
    );
  },
);
