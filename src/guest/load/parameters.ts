// What an image's test run does: constants of the image, chosen when it is built.

import { imageOption, u32, u64 } from "../../asm/index.ts";

/** CPUs that come up before the request starts. */
export const onlineWanted = imageOption("onlineWanted", u32, 1);
/** Tasks that make requests: the run is over when all are through. */
export const requesters = imageOption("requesters", u32, 1);
/** Calls of stop_machine() in a row, where the request block doesn't say. */
export const rounds = imageOption("rounds", u32, 1);
/** Turns of cpu_relax() before the first call and between calls, so that all CPUs are back at what they do. */
export const settleTurns = imageOption("settleTurns", u64, 1000);
/** Turns of cpu_relax() that the stopped function takes. */
export const functionTurns = imageOption("functionTurns", u64, 0);
/** Who runs the function: see ActiveCpus. */
export const activeCpus = imageOption("activeCpus", u32, 0);

/** The `cpus` argument of stop_machine(): NULL, the online mask, or the mask in memory that the host has filled. */
export const ActiveCpus = { Null: 0, All: 1, Mask: 2 } as const;
/** 1: the function takes a breakpoint on its way, as code does that is being traced or patched. x86-64 only. */
export const functionBreakpoint = imageOption("functionBreakpoint", u32, 0);
