// What kernel/panic.c binds where the architecture has nothing of its own.

import { bind, type Binding } from "../../asm/index.ts";
import { noCrashKernel } from "./kexec.ts";
import { panicOnTarget } from "./panic.ts";
import { panicThere, panicTryForceCpu, tryForceCpuMainline } from "./redirect.ts";
import { nmiPlainSelfStop, relaxForEver } from "./self-stop.ts";
import { kexecCrashImage, nmiPanicSelfStop, panicSmpSelfStop } from "./slots.ts";

export const panicBindings: readonly Binding[] = [
  bind(panicThere, panicOnTarget),
  bind(panicTryForceCpu, tryForceCpuMainline),
  bind(panicSmpSelfStop, relaxForEver),
  bind(nmiPanicSelfStop, nmiPlainSelfStop),
  bind(kexecCrashImage, noCrashKernel),
];
