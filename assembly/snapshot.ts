// Copies of the machine: which pages of linear memory make it up, and what a copy needs before it can go on.

import { Acceleration, PAGE_BYTES, TRACE_RECORD_BYTES } from "../src/abi.ts";
import { attach } from "./build.ts";
import { Cpu, cpuAt } from "./cpu.ts";
import { machine } from "./machine.ts";
import { forgetCode } from "./memory/code.ts";
import { forgetAll } from "./memory/copies.ts";
import { takeAllApart } from "./memory/foreseen.ts";
import { catchUpAll } from "./time/run.ts";
import { NODE_BYTES } from "./time/wheel.ts";

/** First page at or behind `from` that a copy must have, or the end of what is reserved. */
export function nextPageInUse(from: usize): usize {
  const end = machine().top;
  let page = from;
  while (page < end) {
    const behind = behindUnused(page);
    if (behind != page) page = behind;
    else if (isZero(page)) page += PAGE_BYTES;
    else return page;
  }
  return end;
}

/** First page behind `from`, a page in use, that a copy may leave out: it is zero there. */
export function nextPageOutOfUse(from: usize): usize {
  const end = machine().top;
  let page = from;
  while (page < end && behindUnused(page) == page && !isZero(page)) page += PAGE_BYTES;
  return page;
}

/**
 * The first page, from `page` on, that isn't wholly in the unused rest of a pool: what lies there is zero, or is written
 * before it is read.
 */
function behindUnused(page: usize): usize {
  const m = machine();
  const scratchBytes = ((m.eventNodesEnd - m.eventNodesStart) / NODE_BYTES) << 2;
  const traceEnd = m.traceRing + <usize>m.traceCapacity * TRACE_RECORD_BYTES;
  let behind = skip(page, m.eventNodes, m.eventNodesEnd);
  behind = skip(behind, m.directoryNext, m.directoryEnd);
  behind = skip(behind, m.touched, m.touched + scratchBytes);
  behind = skip(behind, m.codeNext, m.codeEnd);
  return skip(behind, m.traceRing + <usize>m.traceCount * TRACE_RECORD_BYTES, traceEnd);
}

/** The page behind a range, if the whole of `page` lies in it, else `page`. */
function skip(page: usize, start: usize, end: usize): usize {
  if (page < start || page + PAGE_BYTES > end) return page;
  return end & ~(<usize>PAGE_BYTES - 1);
}

function isZero(page: usize): bool {
  for (let at = page; at < page + PAGE_BYTES; at += 64) {
    const low = v128.or(v128.load(at), v128.load(at, 16));
    const high = v128.or(v128.load(at, 32), v128.load(at, 48));
    if (v128.any_true(v128.or(low, high))) return false;
  }
  return true;
}

/** Linear memory has just been copied from another instance of this core: makes its machine this instance's. */
export function attachCopy(): void {
  attach();
  // The lines in the shadow's lookup are listed in globals of the other instance (time/shadow.ts).
  forgetAll(changetype<Cpu>(machine().shadow));
}

/** Changes what is accelerated between two runs. */
export function setAccelerations(accelerations: u32): void {
  const m = machine();
  if (accelerations == m.accelerations) return;
  catchUpAll();
  takeAllApart();
  if (((accelerations ^ m.accelerations) & Acceleration.DECODE_CACHE) != 0) forgetCode();
  m.accelerations = accelerations;
  // What is known of loops may say that elision is off.
  for (let index: u32 = 0; index < m.cpus; index++) cpuAt(index).loopPatience = 1;
  attach();
}
