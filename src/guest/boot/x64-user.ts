// x86-64: what a CPU needs for user mode besides what every kernel has: descriptors of its segments, a TSS without ports for it, and
// instructions for the base of GS (arch/x86/kernel/cpu/common.c).

import { asInteger, cast, nothing, perCpuBlock, routine, u16, u32, u64, x64 } from "../../asm/index.ts";
import { USER_CS, USER_DS } from "../entry/user.ts";
import { GDT_OFFSET, TSS_OFFSET } from "../percpu.ts";
import { KERNEL_GDT_LIMIT, initX64, loadTable } from "./x64.ts";

/** 64-bit code and data, present, ring 3, flat. */
const CODE_DESCRIPTOR = 0x00af_fb00_0000_ffffn;
const DATA_DESCRIPTOR = 0x00cf_f300_0000_ffffn;
const GDT_LIMIT = KERNEL_GDT_LIMIT + 16;
/** Of the TSS: where its I/O permission bitmap begins; beyond its limit there is none. */
const IO_MAP_BASE = 102;
const NO_IO_MAP = 104;
const CR4_FSGSBASE = 1 << 16;

export const initX64User = routine("cpu_init_x64_user", { cpu: u32 }, nothing, (k, { cpu }) => {
  k.call(initX64, cpu);
  const block = k.let("block", asInteger(perCpuBlock(cpu)));
  const gdt = cast(block.add(GDT_OFFSET), u64);
  k.set(gdt.at(USER_DS >> 3), DATA_DESCRIPTOR);
  k.set(gdt.at(USER_CS >> 3), CODE_DESCRIPTOR);
  k.set(cast(block.add(TSS_OFFSET + IO_MAP_BASE), u16).at(0), NO_IO_MAP);
  loadTable(k, block, block.add(GDT_OFFSET), GDT_LIMIT, "gdt");
  k.arch(
    { x64: (a) => void a.movFromCr(x64.rax, 4).or(x64.rax, CR4_FSGSBASE).movToCr(4, x64.rax) },
    { clobbers: { x64: ["rax"] } },
  );
});
