// The guest program that runs random programs one after the other, the same on the core and on QEMU's virt board: it sets
// up registers and memory, enters a program, catches its exceptions and writes down how it ended.

import { assemble } from "./assembler/index.ts";

// --- memory map ------------------------------------------------------------------------------------------------------

export const RUNNER = 0x4020_0000;
const RUNNER_BYTES = 0x2000;
/** Initial registers of each program, RECORD_BYTES each. */
export const RECORDS = 0x4021_0000;
export const PROGRAMS = 0x4040_0000;
/** Unmapped, two pages to read and write, one to read only, unmapped: what programs access. */
export const DATA = 0x4060_0000;
export const DATA_RW = DATA + 0x1000;
export const DATA_RW_BYTES = 0x2000;
export const DATA_RO = DATA + 0x3000;
export const DATA_END = DATA + 0x4000;
/** What the writable data pages hold when a program starts. */
export const TEMPLATE = 0x4061_0000;
/** The runner's own variables, and the translation tables that only QEMU uses. */
const VARIABLES = 0x4062_0000;
const TABLES = 0x4063_0000;
export const RESULTS = 0x4080_0000;
const RESULTS_END = 0x40c0_0000;
export const RAM_END = 0x4100_0000;

export interface Region {
  readonly address: number;
  readonly bytes: number;
  readonly rights: "rx" | "rw" | "ro";
}

/** Everything that is mapped; the pages between are not. */
export const regions: readonly Region[] = [
  { address: RUNNER, bytes: RUNNER_BYTES, rights: "rx" },
  { address: RECORDS, bytes: PROGRAMS - RECORDS, rights: "ro" },
  { address: PROGRAMS, bytes: DATA - PROGRAMS, rights: "rx" },
  { address: DATA_RW, bytes: DATA_RW_BYTES, rights: "rw" },
  { address: DATA_RO, bytes: DATA_END - DATA_RO, rights: "ro" },
  { address: TEMPLATE, bytes: 0x2000, rights: "ro" },
  { address: VARIABLES, bytes: 0x1000, rights: "rw" },
  { address: TABLES, bytes: 0x1_0000, rights: "rw" },
  { address: RESULTS, bytes: RESULTS_END - RESULTS, rights: "rw" },
];

// --- records ---------------------------------------------------------------------------------------------------------

/** A program's record: entry, SPSR, SP_EL0, SP_EL1, X0 to X30. */
export const RECORD_WORDS = 36;
/** A program's result: the slots below, then LOG_WORDS for each of the first exceptions. */
export const RESULT_WORDS = 128;
export const resultNames = [
  ...Array.from({ length: 31 }, (_, number) => `X${number}`),
  "SP_EL0",
  "SP_EL1",
  "SPSR",
  "exceptions",
  "memory",
  "TPIDR_EL0",
  "TPIDR_EL1",
  "ELR",
  "CONTEXTIDR_EL1",
];
export const LOG_START = resultNames.length;
export const RESULT_EXCEPTIONS = resultNames.indexOf("exceptions");
/** An exception: ESR with the vector's offset in bits 63:48, ELR, FAR, SPSR. */
export const LOG_WORDS = 4;
export const LOG_ENTRIES = (RESULT_WORDS - LOG_START) / LOG_WORDS;
/** A program that takes more exceptions than this is ended. */
const MOST_EXCEPTIONS = LOG_ENTRIES;

/** Ends a program. */
export const END_CALL = 0xffff;
export const MOST_PROGRAMS = (RESULTS_END - RESULTS) / (RESULT_WORDS * 8);

// Offsets of the variables.
const V_RESULT = 0;
const V_COUNT = 8;
const V_INDEX = 16;
const V_END = 24;
const V_QEMU = 32;
const V_SAVED = 64; // X1, X2, X3, X4, X5

// --- the program -----------------------------------------------------------------------------------------------------

const vectors = `
vectors:
${[0x000, 0x080, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380]
  .map(
    (offset) => `
  .align 128
  msr tpidrro_el0, x0
  li x0, #${VARIABLES}
  str x1, [x0, #${V_SAVED}]
  mov x1, #${offset}
  b caught`,
  )
  .join("")}
  .align 2048
`;

/** Saves what the handler uses, logs the exception, steps over what raised it. */
const handler = `
caught:
  stp x2, x3, [x0, #${V_SAVED + 8}]
  stp x4, x5, [x0, #${V_SAVED + 24}]
  ldp x2, x3, [x0, #${V_RESULT}]
  mrs x4, esr_el1
  li x5, #${0x5600_0000 + END_CALL}           // SVC #0xffff
  cmp x4, x5
  b.eq ended
  add x5, x2, x3, lsl #5
  add x5, x5, #${LOG_START * 8}
  orr x4, x4, x1, lsl #48
  mrs x1, elr_el1
  stp x4, x1, [x5]
  mrs x4, far_el1
  mrs x1, spsr_el1
  stp x4, x1, [x5, #16]
  add x3, x3, #1
  str x3, [x0, #${V_COUNT}]
  cmp x3, #${MOST_EXCEPTIONS}
  b.hs ended
  mrs x4, esr_el1
  lsr x4, x4, #26
  cmp x4, #0x15                               // SVC: ELR is right already
  b.eq resume
  cmp x4, #0x0e                               // illegal state: clear SPSR.IL
  b.ne abort
  li x5, #0x100000
  bic x1, x1, x5
  msr spsr_el1, x1
  b resume
abort:
  mrs x1, elr_el1
  add x1, x1, #4
  cmp x4, #0x21                               // nothing to execute there: go where the caller wants to go on
  csel x1, x30, x1, eq
  cmp x4, #0x22
  csel x1, x30, x1, eq
  msr elr_el1, x1
resume:
  ldp x2, x3, [x0, #${V_SAVED + 8}]
  ldp x4, x5, [x0, #${V_SAVED + 24}]
  ldr x1, [x0, #${V_SAVED}]
  mrs x0, tpidrro_el0
  eret
`;

/** Writes the result of the program that has ended: x0 = variables, x2 = result; x0 to x5 are saved. */
const ended = `
ended:
  stp x6, x7, [x2, #48]
${Array.from({ length: 11 }, (_, i) => `  stp x${8 + 2 * i}, x${9 + 2 * i}, [x2, #${64 + 16 * i}]`).join("\n")}
  str x30, [x2, #240]
  mrs x3, tpidrro_el0
  ldr x4, [x0, #${V_SAVED}]
  stp x3, x4, [x2]
  ldp x3, x4, [x0, #${V_SAVED + 8}]
  stp x3, x4, [x2, #16]
  ldp x3, x4, [x0, #${V_SAVED + 24}]
  stp x3, x4, [x2, #32]
  mrs x3, sp_el0
  mov x4, sp
  stp x3, x4, [x2, #248]
  mrs x3, spsr_el1
  ldr x4, [x0, #${V_COUNT}]
  str x3, [x2, #264]
  str x4, [x2, #272]
  mrs x3, tpidr_el0
  mrs x4, tpidr_el1
  stp x3, x4, [x2, #288]
  mrs x3, elr_el1
  mrs x4, contextidr_el1
  stp x3, x4, [x2, #304]
  // A hash of the writable pages: h = ror(h ^ word, 27) * odd
  li x3, #${DATA_RW}
  li x4, #${DATA_RW + DATA_RW_BYTES}
  li x5, #0x9e3779b1
  mov w6, #0
hash:
  ldr w7, [x3], #4
  eor w6, w6, w7
  mov w7, w6
  lsr w6, w7, #27
  orr w6, w6, w7, lsl #5
  mul w6, w6, w5
  cmp x3, x4
  b.ne hash
  str x6, [x2, #280]
  ldr x19, [x0, #${V_INDEX}]
  add x19, x19, #1
  b next
`;

const start = `
// x0: index of the first program, in bits 63:32 that behind the last. Zero, as QEMU starts: the header holds them, the MMU
// must be set up, and the results are sent at the end.
entry:
  li x10, #${VARIABLES}
  lsr x1, x0, #32
  mov w0, w0
  mov x2, #0
  cbnz x1, started
  adr x3, header
  ldp x0, x1, [x3]
  mov x2, #1
started:
  str x2, [x10, #${V_QEMU}]
  mov x19, x0
  str x1, [x10, #${V_END}]
  cbz x2, mapped
  bl translate
mapped:
  li x1, #${RUNNER}
  msr vbar_el1, x1
  isb
next:
  li x0, #${VARIABLES}
  ldr x20, [x0, #${V_END}]
  cmp x19, x20
  b.hs finish
  str x19, [x0, #${V_INDEX}]
  li x1, #${RESULTS}
  add x1, x1, x19, lsl #10
  str x1, [x0, #${V_RESULT}]
  str xzr, [x0, #${V_COUNT}]
  // data pages
  li x1, #${TEMPLATE}
  li x2, #${DATA_RW}
  li x3, #${DATA_RW + DATA_RW_BYTES}
copy:
  ldp x4, x5, [x1], #16
  ldp x6, x7, [x1], #16
  stp x4, x5, [x2], #16
  stp x6, x7, [x2], #16
  cmp x2, x3
  b.ne copy
  // registers
  li x0, #${RECORDS}
  mov x1, #${RECORD_WORDS * 8}
  madd x0, x19, x1, x0
  ldp x1, x2, [x0], #16
  msr elr_el1, x1
  msr spsr_el1, x2
  ldp x1, x2, [x0], #16
  msr sp_el0, x1
  mov sp, x2
  msr far_el1, xzr
  msr esr_el1, xzr
  msr tpidr_el0, xzr
  msr tpidr_el1, xzr
  msr contextidr_el1, xzr
  clrex
${Array.from({ length: 14 }, (_, i) => `  ldp x${2 + 2 * i}, x${3 + 2 * i}, [x0, #${16 + 16 * i}]`).join("\n")}
  ldr x30, [x0, #240]
  ldp x0, x1, [x0]
  eret
finish:
  ldr x2, [x0, #${V_QEMU}]
  cbz x2, off
  adr x3, header
  ldr x4, [x3]
  li x5, #${RESULTS}
  add x4, x5, x4, lsl #10
  add x5, x5, x20, lsl #10
  li x6, #0x09000000
send:
  ldrb w7, [x4], #1
  str w7, [x6]
  cmp x4, x5
  b.ne send
off:
  li x0, #0x84000008                          // PSCI SYSTEM_OFF
  hvc #0
  b off
  .align 16
header:
  .quad 0, 0
`;

// --- translation tables (QEMU only) ----------------------------------------------------------------------------------
//
// 39-bit addresses, 4 KiB granule: level 1 at TABLES; level 2 for the first and second GiB; level 3 for the first 2 MiB
// (all invalid, so that a null pointer faults at level 3) and for the 16 MiB of RAM in use.

const LEVEL2_LOW = TABLES + 0x1000;
const LEVEL2_RAM = TABLES + 0x2000;
const LEVEL3_LOW = TABLES + 0x3000;
const LEVEL3_RAM = TABLES + 0x4000;
const LEVEL3_RAM_PAGES = (RAM_END - 0x4000_0000) / 0x20_0000;

/** Descriptor bits: access flag, inner shareable, AP, execute-never; AttrIndx 0 is normal memory, 1 device memory. */
const VALID_PAGE = 0x703n;
const NEVER_EXECUTE = (1n << 54n) | (1n << 53n);
const READ_ONLY = 1n << 7n;
/** Also for EL0, so that the unprivileged accesses at EL1 may. */
const UNPRIVILEGED = 1n << 6n;

function descriptor(rights: Region["rights"]): bigint {
  if (rights === "rx") return VALID_PAGE | READ_ONLY;
  return VALID_PAGE | NEVER_EXECUTE | UNPRIVILEGED | (rights === "ro" ? READ_ONLY : 0n);
}

const translate = `
translate:
  li x0, #${TABLES}
  li x1, #0x10000
clear:
  str xzr, [x0], #8
  subs x1, x1, #8
  b.ne clear
  li x0, #${TABLES}
  li x1, #${LEVEL2_LOW | 3}
  str x1, [x0]
  li x1, #${LEVEL2_RAM | 3}
  str x1, [x0, #8]
  li x0, #${LEVEL2_LOW}
  li x1, #${LEVEL3_LOW | 3}
  str x1, [x0]
  li x1, #${0x0900_0000n | 0x405n | NEVER_EXECUTE}
  str x1, [x0, #${(0x0900_0000 >> 21) * 8}]
  li x0, #${LEVEL2_RAM}
  li x1, #${LEVEL3_RAM | 3}
  mov x2, #${LEVEL3_RAM_PAGES}
table:
  str x1, [x0], #8
  add x1, x1, #1, lsl #12
  subs x2, x2, #1
  b.ne table
  adr x5, regions
region:
  ldp x1, x2, [x5], #16                       // first and end
  cbz x2, enable
  ldr x3, [x5], #8                            // descriptor bits
  li x4, #${LEVEL3_RAM}
  li x6, #0x40000000
  sub x6, x1, x6
  lsr x6, x6, #9
  add x4, x4, x6
page:
  orr x6, x1, x3
  str x6, [x4], #8
  add x1, x1, #1, lsl #12
  cmp x1, x2
  b.ne page
  b region
enable:
  mov x0, #0x00ff                             // normal write-back; device-nGnRnE
  msr mair_el1, x0
  li x0, #${(25n << 0n) | (1n << 8n) | (1n << 10n) | (3n << 12n) | (1n << 23n) | (2n << 32n)}
  msr tcr_el1, x0
  li x0, #${TABLES}
  msr ttbr0_el1, x0
  dsb sy
  sys #0, #8, #7, #0                          // TLBI VMALLE1
  dsb sy
  isb
  li x0, #0x30d01805                          // RES1 bits, I, C, M; no alignment checks
  msr sctlr_el1, x0
  isb
  ret
  .align 16
regions:
${regions.map(({ address, bytes, rights }) => `  .quad ${address}, ${address + bytes}, ${descriptor(rights)}`).join("\n")}
  .quad 0, 0
`;

/** The runner's words at RUNNER; execution begins at `entry`, and `header` holds the range of programs for QEMU. */
export const runner = assemble(vectors + start + handler + ended + translate, RUNNER);

if (runner.bytes.length > RUNNER_BYTES) throw new Error("the runner outgrew its pages");
