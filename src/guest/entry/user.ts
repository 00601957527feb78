// The ways to user mode: a task's first, and the last steps of every other (arch/x86/include/asm/entry-common.h, kernel/entry/common.c,
// arch/arm64/kernel/entry-common.c: exit_to_user_mode).

import { arm64, asmRoutine, code, nothing, routine, signature, u64, x64, type Builder } from "../../asm/index.ts";
import { TSS_OFFSET } from "../percpu.ts";
import { needResched, schedule } from "../sched/schedule.ts";
import { X64Regs } from "./regs.ts";

/** Selectors of the user's code and data (arch/x86/include/asm/segment.h). */
export const USER_DS = 0x2b;
export const USER_CS = 0x33;
const RFLAGS_USER = 0x202;
const MASK_ALL = 15;

/** RSP0 of the calling CPU's TSS: where the processor pushes the frame of what interrupts user mode. */
export const KERNEL_STACK = x64.memory(64, { segment: "gs", displacement: TSS_OFFSET + 4 });

/** To a task's user code for the first time, interrupts on, with its argument; the kernel stack counts as empty from here on. */
export const enterUserMode = asmRoutine(
  "ret_from_fork_user",
  {
    x64: (a) => {
      const { rax, rdx, rdi, rsi, rsp } = x64;
      a.cli().mov(rax, rsp).and(rax, -16).mov(KERNEL_STACK, rax);
      a.push(USER_DS).push(rdx).push(RFLAGS_USER).push(USER_CS).push(rdi);
      a.mov(rdi, rsi).swapgs().iretq();
    },
    arm64: (a) => {
      const { x0, x1, x2, xzr } = arm64;
      a.daifSet(MASK_ALL).msr("elr_el1", x0).msr("spsr_el1", xzr).msr("sp_el0", x2);
      a.mov(x0, x1).eret();
    },
  },
  { signature: signature([{ entry: code }, { argument: u64 }, { stack: u64 }], nothing), noReturn: true },
);

/** Opens interrupts for the time of a task switch, where the architecture's kernel does; arm64 has PSTATE and PMR as the handler left them. */
function withIrqsOn(k: Builder, body: () => void): void {
  k.arch({ x64: (a) => void a.sti(), arm64: () => undefined });
  body();
  k.arch({ x64: (a) => void a.cli(), arm64: () => undefined });
}

/**
 * Behind the handler of an interrupt that came from user mode, with IRQs off: whatever wants the CPU gets it first. A task may have come to
 * another CPU since, and it is that one's TSS which is to name its stack.
 */
export const exitToUserMode = routine("exit_to_user_mode_prepare", { regs: u64 }, nothing, (k, { regs }) => {
  k.while(
    () => needResched(k).ne(0),
    () => {
      k.mark("resched");
      withIrqsOn(k, () => schedule(k));
    },
  );
  const top = k.let("top", regs.add(X64Regs.bytes));
  k.arch({ x64: (a, { top: stack }) => void a.mov(KERNEL_STACK, stack), arm64: () => undefined }, { uses: { top } });
});
