// x86-64: an image that boots by itself on a PC: entered once in 32-bit protected mode by the PVH protocol, it goes to long mode and
// starts the other CPUs by INIT and SIPI, whose trampoline takes them from real mode straight to long mode (Intel SDM 3A 9.8.5, 8.4).
//
// What runs before long mode stands in one block at a fixed address, so that no instruction of it needs relocation:
//   0x10_0000  entry of the first CPU      0x10_0400  64-bit code of all CPUs
//   0x10_0800  trampoline of the other CPUs, copied to 0x8000 (SIPI vector 8), since firmware uses low memory until the entry
//   0x10_0f00  GDT      0x10_1000  PML4      0x10_2000  page directory pointers: 4 GiB as 1 GiB pages

import {
  PER_CPU_START,
  asmRoutine,
  codeOf,
  cpuCount,
  nothing,
  routine,
  x64,
  type X64Assembler,
} from "../../asm/index.ts";
import { X86_PORT_EXIT } from "../../abi.ts";
import { secondaryEntry } from "../boot/entry.ts";
import { XAPIC_BASE, XAPIC_ICR_LOW, XAPIC_ID, xapicRegister } from "../irqchip/xapic.ts";
import { requester } from "../load/requester.ts";
import { STACK_TOP, load } from "../percpu.ts";

const BASE = 0x10_0000;
const LONG_MODE_ENTRY = 0x10_0400;
const TRAMPOLINE = 0x10_0800;
const GDT = 0x10_0f00;
const GDT_POINTER = 0x10_0f20;
const PML4 = 0x10_1000;
const PDPT = 0x10_2000;
const END = 0x10_3000;

/** Where the trampoline runs; its own descriptor-table pointer lies behind it, within reach of 16-bit addresses. */
const TRAMPOLINE_COPY = 0x8000;
const TRAMPOLINE_POINTER_OFFSET = 0x80;
const TRAMPOLINE_BYTES = 0x90;

const CODE_SELECTOR = 8;
const CODE_DESCRIPTOR = 0x00af_9b00_0000_ffffn;
const CR4_PAE = 0x20;
const CR0_PG_PE = 0x8000_0001;
const MSR_EFER = 0xc000_0080;
const EFER_LME = 0x100;
/** Present, writable; and for an entry that is a page by itself, PS. */
const TABLE = 3n;
const LARGE_PAGE = 0x83n;

const ICR_INIT_ALL_BUT_SELF = 0xc_4500;
const ICR_STARTUP_ALL_BUT_SELF = 0xc_4600 | (TRAMPOLINE_COPY >> 12);
/** Turns between INIT and SIPI: the SDM asks for 10 ms of real processors; an emulator has the INIT done long before. */
const INIT_TURNS = 10_000;

const doubleWord = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const quadWord = (value: bigint): number[] => [
  ...doubleWord(Number(value & 0xffff_ffffn)),
  ...doubleWord(Number(value >> 32n)),
];

/** From 16-bit or 32-bit code to LONG_MODE_ENTRY; the operand-size prefix makes the same opcodes 32-bit in real mode. */
function enterLongMode(a: X64Assembler, mode: 16 | 32): void {
  const wide = mode === 16 ? [0x66] : [];
  const loadEax = (value: number): number[] => [...wide, 0xb8, ...doubleWord(value)];
  a.bytes(...loadEax(CR4_PAE), 0x0f, 0x22, 0xe0); // mov cr4, eax
  a.bytes(...loadEax(PML4), 0x0f, 0x22, 0xd8); // mov cr3, eax
  a.bytes(...wide, 0xb9, ...doubleWord(MSR_EFER), 0x0f, 0x32); // mov ecx, EFER; rdmsr
  a.bytes(...wide, 0x0d, ...doubleWord(EFER_LME), 0x0f, 0x30); // or eax, LME; wrmsr
  // lgdt [pointer]
  if (mode === 16)
    a.bytes(0x66, 0x0f, 0x01, 0x16, ...doubleWord(TRAMPOLINE_COPY + TRAMPOLINE_POINTER_OFFSET).slice(0, 2));
  else a.bytes(0x0f, 0x01, 0x15, ...doubleWord(GDT_POINTER));
  a.bytes(...loadEax(CR0_PG_PE), 0x0f, 0x22, 0xc0); // mov cr0, eax
  a.bytes(...wide, 0xea, ...doubleWord(LONG_MODE_ENTRY), CODE_SELECTOR, 0); // jmp far
}

/** What the first CPU does before it becomes like the others. */
const startOthers = routine("boot_all_cpus", [], nothing, (k) => {
  k.set(load.of(0).work, codeOf(requester));
  k.if(cpuCount.gt(1), () => {
    k.writeOnce(xapicRegister(XAPIC_ICR_LOW), ICR_INIT_ALL_BUT_SELF);
    k.for("turn", 0, INIT_TURNS, () => k.cpuRelax());
    k.writeOnce(xapicRegister(XAPIC_ICR_LOW), ICR_STARTUP_ALL_BUT_SELF);
  });
});

const gdtPointer = [15, 0, ...doubleWord(GDT)];

function copyTrampoline(a: X64Assembler): void {
  a.mov(x64.esi, TRAMPOLINE)
    .mov(x64.edi, TRAMPOLINE_COPY)
    .mov(x64.ecx, TRAMPOLINE_BYTES / 8)
    .cld()
    .repMovsq();
}

/** Firmware leaves the timer running behind the two 8259s: all of their inputs are masked. */
function maskLegacyInterrupts(a: X64Assembler): void {
  a.mov(x64.eax, 0xff).bytes(0xe6, 0x21, 0xe6, 0xa1); // out 0x21, al; out 0xa1, al
}

/** Entered at its first byte. EBP tells the first CPU, which has to start the others, from them; APIC ids are CPU numbers. */
export const selfEntryX64 = asmRoutine(
  "self_entry",
  {
    x64: (a) => {
      a.bytes(0xfa, 0xbd, ...doubleWord(1)); // cli; mov ebp, 1
      enterLongMode(a, 32);
      a.padTo(LONG_MODE_ENTRY - BASE);
      a.test(x64.ebp, x64.ebp).jcc("e", "number");
      maskLegacyInterrupts(a);
      copyTrampoline(a);
      a.movAddress(x64.rsp, PER_CPU_START, STACK_TOP.idle).call(startOthers);
      a.label("number");
      a.mov(x64.eax, XAPIC_BASE + XAPIC_ID)
        .mov(x64.edi, x64.at(x64.rax, 0, 32))
        .shr(x64.edi, 24)
        .jmpTo(secondaryEntry);
      a.padTo(TRAMPOLINE - BASE);
      a.bytes(0xfa, 0x66, 0x31, 0xed); // cli; xor ebp, ebp
      enterLongMode(a, 16);
      a.padTo(TRAMPOLINE + TRAMPOLINE_POINTER_OFFSET - BASE, 0).bytes(...gdtPointer);
      a.padTo(GDT - BASE, 0).bytes(...quadWord(0n), ...quadWord(CODE_DESCRIPTOR));
      a.padTo(GDT_POINTER - BASE, 0).bytes(...gdtPointer);
      a.padTo(PML4 - BASE, 0).bytes(...quadWord(BigInt(PDPT) | TABLE));
      a.padTo(PDPT - BASE, 0);
      for (let gigabyte = 0n; gigabyte < 4n; gigabyte++) a.bytes(...quadWord((gigabyte << 30n) | LARGE_PAGE));
      a.padTo(END - BASE, 0);
    },
  },
  { address: BASE },
);

/** isa-debug-exit: QEMU ends with status (value << 1) | 1. */
export const powerOffX64 = routine("debug_exit", [], nothing, (k) => {
  k.arch({ x64: (a) => void a.xor(x64.eax, x64.eax).bytes(0xe6, X86_PORT_EXIT) }, { clobbers: { x64: ["rax"] } });
});
