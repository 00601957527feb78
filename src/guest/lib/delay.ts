// udelay(), and the loops that wait for something a counted number of steps: iterations are counted, not time.

import {
  arm64,
  imageOption,
  nothing,
  routine,
  u32,
  u64,
  x64,
  type Builder,
  type Condition,
  type Operand,
  type Value,
} from "../../asm/index.ts";
import { observed } from "../observe.ts";

/** Counter ticks of a microsecond: of the TSC, or of CNTVCT_EL0. */
export const ticksPerMicrosecond = imageOption("ticksPerMicrosecond", u32, 1000);

/** Turns of a cpu_relax() loop that come to a microsecond. */
export const relaxesPerMicrosecond = imageOption("relaxesPerMicrosecond", u32, 60);

/**
 * __udelay(): TPAUSE on x86-64, in C0.2 (arch/x86/lib/delay.c: delay_halt_tpause), and where an interrupt, masked or not, ends it early,
 * PAUSE and RDTSC for the rest (delay_tsc): the kernel halts again, which a masked interrupt that stays pending makes a busy loop as
 * well. WFET on arm64 (arch/arm64/lib/delay.c), again while it ends early, as an interrupt or event makes it.
 */
export const udelay = routine("__udelay", { microseconds: u32 }, nothing, (k, { microseconds }) => {
  const ticks = k.let("ticks", microseconds.mul(ticksPerMicrosecond).to(u64));
  k.arch(
    {
      x64: (a, { ticks: count }) => {
        a.rdtsc().shl(x64.rdx, 32).or(x64.rax, x64.rdx).add(x64.rax, count).mov(x64.rsi, x64.rax).xor(x64.ecx, x64.ecx);
        a.mov(x64.rdx, x64.rsi).shr(x64.rdx, 32).tpause(x64.ecx).jmp("look");
        a.label("wait").pause();
        a.label("look").rdtsc().shl(x64.rdx, 32).or(x64.rax, x64.rdx).cmp(x64.rax, x64.rsi).jcc("b", "wait");
      },
      arm64: (a, { ticks: count }) => {
        a.isb().mrs(arm64.x16, "cntvct_el0").add(arm64.x16, arm64.x16, count);
        a.label("wait");
        a.wfet(arm64.x16).isb().mrs(arm64.x17, "cntvct_el0").cmp(arm64.x17, arm64.x16).bcond("lo", "wait");
      },
    },
    { uses: { ticks }, clobbers: { x64: ["rax", "rcx", "rdx", "rsi"] } },
  );
});

/** How long a wait lasts at the most. */
export interface Patience {
  /** Steps until the wait is given up. */
  readonly iterations: Operand<"u32">;
  readonly stepUs: Operand<"u32">;
  /** What each step does before it lets the time pass. */
  readonly inStep?: () => void;
}

/**
 * Waits until a condition holds, at most so many steps: `while (!condition && timeout--) udelay(step)`. The events `wait` and `waited` tell
 * a report the iterations and the time.
 * @returns steps that are left: 0 when the wait was given up
 */
export function waitUpTo(k: Builder, name: string, patience: Patience, condition: () => Condition): Value<"u32"> {
  const { iterations, stepUs, inStep } = patience;
  const left = k.let("left", iterations, u32);
  k.mark(observed("wait", { which: name, locals: ["left"] }));
  k.while(
    () => left.ne(0),
    () => {
      k.if(condition(), () => k.break());
      inStep?.();
      k.call(udelay, stepUs);
      k.set(left, left.sub(1));
    },
  );
  k.mark(observed("waited", { which: name, locals: ["left"] }));
  // An instruction of the mark's own, which is passed by nobody else, and for which the local is still in its register.
  k.arch({ x64: (a) => void a.nop(), arm64: (a) => void a.nop() }, { uses: { left } });
  return left;
}

/** `while (!condition) udelay(step)`: what a wait is whose caller wants no time limit. */
export function waitWithoutLimit(k: Builder, stepUs: Operand<"u32">, condition: () => Condition): void {
  k.while(
    () => condition().not(),
    () => k.call(udelay, stepUs),
  );
}
