// The guest's own cpumasks (lib/find_bit.c, include/linux/cpumask.h), sized by the number of CPU ids of the machine.

import {
  addressOf,
  array,
  asInteger,
  cast,
  constant,
  cpuCount,
  global,
  ptr,
  routine,
  u32,
  u64,
  type Builder,
  type Local,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { CpuMask } from "./mask.ts";

/** __cpu_online_mask (kernel/cpu.c). */
export const onlineMask = global("__cpu_online_mask", CpuMask, { section: "arena", align: 64 });
/** __num_online_cpus, the counter beside the mask. */
export const numOnlineCpus = global("__num_online_cpus", u32, { align: 64 });

/** __cpu_active_mask: CPUs that tasks may be put on. A CPU on its way up or down is online and not active. */
export const activeMask = global("__cpu_active_mask", CpuMask, { section: "arena", align: 64 });

const allOnes = constant(u64, 0xffff_ffff_ffff_ffffn);

/** Next set bit at or behind `start`; nr_cpu_ids or more when there is none. */
export const findNextBit = routine(
  "_find_next_bit",
  [{ mask: ptr(CpuMask) }, { size: u32 }, { start: u32 }],
  u32,
  (k, { mask, size, start }) => {
    k.if(start.ge(size), () => k.return(size));
    const index = k.let("index", start.shr(6));
    const word = k.let("word", mask.bits.at(index).and(allOnes.shl(start.and(63).to(u64))));
    k.while(word.eq(0), () => {
      k.set(index, index.add(1));
      k.if(index.shl(6).ge(size), () => k.return(size));
      k.set(word, mask.bits.at(index));
    });
    const bit = k.let("bit", index.shl(6).add(word.ctz().to(u32)));
    k.if(bit.gt(size), () => k.return(size));
    k.return(bit);
  },
);

/** cpumask_first(): the lowest member; nr_cpu_ids or more when there is none. */
export function cpumaskFirst(k: Builder, mask: Pointer<typeof CpuMask>): Value<"u32"> {
  return k.call(findNextBit, mask, cpuCount, 0);
}

/** for_each_cpu: runs the body with each member in ascending order. */
export function forEachCpu(k: Builder, mask: Pointer<typeof CpuMask>, body: (cpu: Local<"u32">) => void): void {
  const cpu = k.let("cpu", cpumaskFirst(k, mask));
  k.while(cpu.lt(cpuCount), () => {
    body(cpu);
    k.set(cpu, k.call(findNextBit, mask, cpuCount, cpu.add(1)));
  });
}

/** Hamming weight of a word without a population count instruction (lib/hweight.c). */
function weightOf(k: Builder, value: Value<"u64">): Local<"u64"> {
  const w = k.let("w", value.sub(value.shr(1).and(0x5555_5555_5555_5555n)));
  k.set(w, w.and(0x3333_3333_3333_3333n).add(w.shr(2).and(0x3333_3333_3333_3333n)));
  k.set(w, w.add(w.shr(4)).and(0x0f0f_0f0f_0f0f_0f0fn));
  k.set(w, w.mul(0x0101_0101_0101_0101n).shr(56));
  return w;
}

/** cpumask_weight(): the number of members. */
export const cpumaskWeight = routine("cpumask_weight", { mask: ptr(CpuMask) }, u32, (k, { mask }) => {
  const total = k.let("total", 0, u32);
  k.for("i", 0, cpuCount.add(63).shr(6), (i) => {
    const word = k.let("word", mask.bits.at(i));
    k.set(total, total.add(weightOf(k, word).to(u32)));
  });
  k.return(total);
});

/** The mask of CPUs that are online, as an argument. */
export const onlineMaskPointer = addressOf(onlineMask);
/** The mask of CPUs that tasks may be put on, as an argument. */
export const activeMaskPointer = addressOf(activeMask);

/** First member that is not `cpu`; nr_cpu_ids when there is none. */
export function cpumaskAnyBut(k: Builder, mask: Pointer<typeof CpuMask>, cpu: Value<"u32">): Local<"u32"> {
  const found = k.let("found", cpumaskFirst(k, mask));
  k.if(found.eq(cpu), () => k.set(found, k.call(findNextBit, mask, cpuCount, found.add(1))));
  return found;
}

/** cpu_bit_bitmap: row 1 + n starts with a word that has bit n; the words before it belong to the row above, and are zero. */
const cpuBitBitmap = global("cpu_bit_bitmap", array(CpuMask, 65), { section: "arena", align: 64 });

/** cpumask_of: the row's word is the mask's, so the mask starts as many words before it. Rows are filled at first use. */
export const cpumaskOf = routine("cpumask_of", { cpu: u32 }, ptr(CpuMask), (k, { cpu }) => {
  const row = k.let("row", addressOf(cpuBitBitmap.at(cpu.and(63).add(1))));
  const one = k.let("one", 1, u64);
  k.if(row.bits.at(0).eq(0), () => k.set(row.bits.at(0), one.shl(cpu.and(63).to(u64))));
  k.return(cast(asInteger(row).sub(cpu.shr(6).shl(3).to(u64)), CpuMask));
});

/** set_cpu_online: the mask, and the counter that spares everyone the weighing. */
export function setCpuOnline(k: Builder, cpu: Value<"u32">): void {
  k.setBit(onlineMaskPointer, cpu);
  k.atomicInc(numOnlineCpus);
}

/** A CPU that is offline already isn't counted again. */
export function clearCpuOnline(k: Builder, cpu: Value<"u32">): void {
  k.if(k.testAndClearBit(onlineMaskPointer, cpu), () => k.atomicDec(numOnlineCpus));
}
