// x86-64: descriptor tables of a CPU (Intel SDM 3A 3.4.5, 6.14, 8.7).

import {
  addressOf,
  array,
  asInteger,
  cast,
  codeOf,
  global,
  nothing,
  perCpuBlock,
  routine,
  u16,
  u32,
  u64,
  x64,
  type Builder,
  type Value,
} from "../../asm/index.ts";
import { STUB_BYTES, VECTORS, vectorStubs } from "../entry/x64.ts";
import { GDT_OFFSET, STACK_TOP, TSS_OFFSET } from "../percpu.ts";
import { initLocalApic } from "../irqchip/controller.ts";
import { once, onceGuard } from "../lib/once.ts";
import { registerBuiltinNmiHandlers } from "../nmi/builtin.ts";

const KERNEL_CS = 0x08;
const KERNEL_DS = 0x10;
const TSS_SELECTOR = 0x18;
/** 64-bit code and data, present, ring 0, flat. */
const CODE_DESCRIPTOR = 0x00af_9b00_0000_ffffn;
const DATA_DESCRIPTOR = 0x00cf_9300_0000_ffffn;
const TSS_LIMIT = 103;
/** Present, 64-bit TSS, available. */
const TSS_TYPE = 0x89n;
export const KERNEL_GDT_LIMIT = 5 * 8 - 1;
const IDT_LIMIT = VECTORS * 16 - 1;
/** Present, ring 0, interrupt gate. */
const GATE_TYPE = 0x8en;
/** Vectors with a stack of their own: NMI, double fault, machine check. */
const STACKS = [
  [2, STACK_TOP.nmi],
  [8, STACK_TOP.doubleFault],
  [18, STACK_TOP.machineCheck],
] as const;

/** The interrupt descriptor table, shared by all CPUs. */
const idt = global("idt_table", array(u64, VECTORS * 2), { section: "arch", align: 4096 });

const idtBuilt = onceGuard("idt_built");

/** Scratch of LGDT and LIDT: limit in the upper 16 bits of one word, base in the next. */
const PSEUDO_DESCRIPTOR = TSS_OFFSET + 0x70;

function buildIdt(k: Builder): void {
  const stubs = k.let("stubs", asInteger(codeOf(vectorStubs)));
  k.for("vector", 0, VECTORS, (vector) => {
    const address = k.let("address", stubs.add(vector.to(u64).mul(STUB_BYTES)));
    const low = address
      .and(0xffff)
      .or(KERNEL_CS << 16)
      .or(GATE_TYPE << 40n);
    k.set(idt.at(vector.mul(2)), low.or(address.shr(16).and(0xffff).shl(48)));
    k.set(idt.at(vector.mul(2).add(1)), address.shr(32));
  });
  STACKS.forEach(([vector], index) => {
    k.set(idt.at(2 * vector), idt.at(2 * vector).or(BigInt(index + 1) << 32n));
  });
}

/** GDT with a TSS descriptor for this CPU, and the TSS with its interrupt stacks. */
function buildTables(k: Builder, block: Value<"u64">): void {
  const gdt = cast(block.add(GDT_OFFSET), u64);
  const tss = k.let("tss", block.add(TSS_OFFSET));
  k.set(gdt.at(1), CODE_DESCRIPTOR);
  k.set(gdt.at(2), DATA_DESCRIPTOR);
  const base = tss.and(0xff_ffff).shl(16).or(tss.shr(24).and(0xff).shl(56));
  k.set(gdt.at(3), base.or((TSS_TYPE << 40n) | BigInt(TSS_LIMIT)));
  k.set(gdt.at(4), tss.shr(32));
  STACKS.forEach(([, top], index) => {
    // IST1 stands at byte 36 of the TSS: two halves of 32 bits, since it isn't aligned to 8.
    const stack = k.let(`ist${index + 1}`, block.add(top));
    const ist = cast(tss.add(36 + 8 * index), u32);
    k.set(ist.at(0), stack.to(u32));
    k.set(ist.at(1), stack.shr(32).to(u32));
  });
}

/** LGDT or LIDT of a table; the pseudo-descriptor is built in the per-CPU block. */
export function loadTable(
  k: Builder,
  block: Value<"u64">,
  base: Value<"u64">,
  limit: number,
  which: "gdt" | "idt",
): void {
  const pseudo = k.let("pseudo", block.add(PSEUDO_DESCRIPTOR));
  k.set(cast(pseudo, u16).at(3), limit);
  k.set(cast(pseudo, u64).at(1), base);
  k.arch(
    {
      x64: (a, { pseudo: at }) => {
        const operand = x64.at(at, 6);
        if (which === "gdt") a.lgdt(operand);
        else a.lidt(operand);
      },
    },
    { uses: { pseudo } },
  );
}

/** Reloads CS by a far return, SS, and the task register. */
function loadSegments(k: Builder): void {
  k.arch(
    {
      x64: (a) => {
        a.push(KERNEL_CS).leaLabel(x64.rax, "reloaded").push(x64.rax).retfq();
        a.label("reloaded");
        a.mov(x64.eax, KERNEL_DS).movToSegment("ss", x64.eax);
        a.mov(x64.eax, TSS_SELECTOR).ltr(x64.ax);
      },
    },
    { clobbers: { x64: ["rax"] } },
  );
}

export const initX64 = routine("cpu_init_x64", { cpu: u32 }, nothing, (k, { cpu }) => {
  once(k, idtBuilt, () => {
    buildIdt(k);
    k.call(registerBuiltinNmiHandlers);
  });
  const block = k.let("block", asInteger(perCpuBlock(cpu)));
  buildTables(k, block);
  loadTable(k, block, block.add(GDT_OFFSET), KERNEL_GDT_LIMIT, "gdt");
  loadTable(k, block, asInteger(addressOf(idt)), IDT_LIMIT, "idt");
  loadSegments(k);
  k.call(initLocalApic, cpu);
});
