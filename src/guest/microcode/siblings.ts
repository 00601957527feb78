// The threads of a core that are online: topology_sibling_cpumask(), which a CPU leaves when it goes offline.

import { testBit, u32, type Builder, type Local, type Operand, type Value } from "../../asm/index.ts";
import { onlineMaskPointer } from "../lib/cpumask.ts";
import { smtThread } from "./data.ts";

/** Runs the body for each other thread of a CPU's core, online or not, in a ring from the next one on. */
export function forEachOtherThread(k: Builder, cpu: Value<"u32">, body: (sibling: Local<"u32">) => void): void {
  const sibling = k.let("sibling", smtThread.of(cpu).next);
  k.while(sibling.ne(cpu), () => {
    body(sibling);
    k.set(sibling, smtThread.of(sibling).next);
  });
}

export function forEachOnlineSibling(k: Builder, cpu: Value<"u32">, body: (sibling: Local<"u32">) => void): void {
  forEachOtherThread(k, cpu, (sibling) => k.if(testBit(onlineMaskPointer, sibling), () => body(sibling)));
}

/** cpumask_first(topology_sibling_cpumask(cpu)) of a CPU that is online. */
export function firstSibling(k: Builder, cpu: Value<"u32">): Local<"u32"> {
  const first = k.let("first", cpu);
  forEachOnlineSibling(k, cpu, (sibling) => k.if(sibling.lt(first), () => k.set(first, sibling)));
  return first;
}

/** Number of threads of a CPU's core that are online. */
export function countSiblings(k: Builder, cpu: Value<"u32">): Local<"u32"> {
  const count = k.let("count", 1 as Operand<"u32">, u32);
  forEachOnlineSibling(k, cpu, () => k.set(count, count.add(1)));
  return count;
}
