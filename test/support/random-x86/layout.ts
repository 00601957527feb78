// Where everything lies in the memory of a random x86-64 machine.

import { RBP, type Memory } from "../../instructions/x86-64/code.ts";

export const CODE = 0x1_0000;
export const HANDLERS = 0xf_0000;
export const CODE_END = 0x10_0000;
export const TABLES = 0x10_0000;
export const GDT_POINTER = TABLES + 0x100;
export const IDT_POINTER = TABLES + 0x110;
/** Of limit 0: the next exception shuts the machine down. */
export const NO_IDT_POINTER = TABLES + 0x120;
/** Reaches up to NMIs: any other exception shuts its CPU down, an NMI brings it back. */
export const SHORT_IDT_POINTER = TABLES + 0x130;
export const IDT = TABLES + 0x1000;
export const GDT = TABLES + 0x2000;
const TSS = TABLES + 0x4000;
const TSS_BYTES = 128;
/** CPUs that the tables have room for. */
export const MOST_CPUS = 240;
export const TABLES_BYTES = 0x4000 + MOST_CPUS * TSS_BYTES;
/** Task state segment of a CPU. */
export const tssOf = (cpu: number): number => TSS + cpu * TSS_BYTES;
export const SHARED = 0x11_0000;
export const PRIVATE = 0x12_0000;
export const PRIVATE_BYTES = 512;
export const STACKS = 0x18_0000;
export const STACK_BYTES = 2048;
export const WRITABLE_CODE = 0x20_0000;

export const CODE_SELECTOR = 0x08;
export const DATA_SELECTOR = 0x10;
export const USER_DATA_SELECTOR = 0x1b;
export const USER_CODE_SELECTOR = 0x23;
export const tssSelector = (cpu: number): number => 0x28 + 16 * cpu;
/** The gate by which programs leave user mode. */
export const LEAVE_VECTOR = 31;

// Fixed roles: RBX points to the shared lines, RBP to the CPU's private ones, R15 bounds loops. Within the private lines:
export const INTERRUPTS = 64;
export const NMIS = 72;
export const EXCEPTIONS = 80;
export const COUNTERS = 128; // to 191
export const STRINGS = 256; // to 383

export const privately = (displacement: number): Memory => ({ base: RBP, displacement });
