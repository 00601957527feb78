// Sections of an image, in the order of its addresses, and which of them a routine or variable goes to.

import type { DirectRoutine } from "../direct.ts";
import type { Callable, CodeSection } from "../record/callable.ts";
import type { DataSection } from "../record/data.ts";

export const PAGE_BYTES = 4096;

export interface Rights {
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
}

export interface SectionKind extends Rights {
  readonly name: string;
  readonly align: number;
  /** False for memory that starts as zero and takes no bytes. */
  readonly hasBytes: boolean;
}

const CODE = { readable: true, writable: false, executable: true, hasBytes: true } as const;
const CONSTANT = { readable: true, writable: false, executable: false, hasBytes: true } as const;
const DATA = { readable: true, writable: true, executable: false, hasBytes: true } as const;
const ZERO = { ...DATA, hasBytes: false } as const;

/** Where rights change, a page begins. Policy code comes last, so that shared code keeps its addresses between variants. */
export const SECTIONS: readonly SectionKind[] = [
  { name: ".head", align: PAGE_BYTES, ...CODE },
  { name: ".vectors", align: 2048, ...CODE },
  { name: ".text", align: PAGE_BYTES, ...CODE },
  { name: ".text.policy", align: 64, ...CODE },
  { name: ".rodata", align: PAGE_BYTES, ...CONSTANT },
  { name: ".data", align: PAGE_BYTES, ...DATA },
  { name: ".data.read_mostly", align: 64, ...DATA },
  { name: ".data.arch", align: PAGE_BYTES, ...DATA },
  { name: ".percpu", align: 16384, ...ZERO },
  { name: ".arena", align: 64, ...ZERO },
];

const CODE_SECTIONS: Readonly<Record<CodeSection, string>> = {
  head: ".head",
  vectors: ".vectors",
  text: ".text",
  policy: ".text.policy",
};

const DATA_SECTIONS: Readonly<Record<DataSection, string>> = {
  rodata: ".rodata",
  data: ".data",
  readMostly: ".data.read_mostly",
  arch: ".data.arch",
  arena: ".arena",
};

export function sectionOfData(section: DataSection): string {
  return DATA_SECTIONS[section];
}

export function sectionOfCode(routine: Callable): string {
  return CODE_SECTIONS[routine.section];
}

/** A routine with an address of its own has a section of its own. */
export function fixedSection(routine: DirectRoutine): SectionKind {
  return { name: `.fixed.${routine.name}`, align: routine.align, ...CODE };
}
