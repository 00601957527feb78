// Every A64 mnemonic of the text front end in several forms, for GNU as.

function forms(names: readonly string[], ...texts: readonly string[]): string[] {
  return names.flatMap((name) => texts.map((text) => text.replaceAll("@", name)));
}

const CONDITIONS = ["eq", "ne", "hs", "cs", "lo", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"];
const ORDERINGS = ["", "a", "l", "al"];
const OPERATORS = ["add", "clr", "eor", "set", "smax", "smin", "umax", "umin"];
const suffixed = (stem: string, suffixes: readonly string[]): string[] => suffixes.map((suffix) => `${stem}${suffix}`);

export const ARM64_CASES: readonly string[] = [
  // addition
  ...forms(
    ["add", "sub"],
    "@ x0, x1, #1", "@ w0, w1, 4095", "@ sp, sp, #16", "@ x0, sp, #1, lsl #12", "@ x0, x1, #0x1000", "@ x0, x1, #-1", "@ x0, x1, x2",
    "@ x0, x1, x2, lsl #3", "@ w0, w1, w2, asr #31", "@ x0, sp, x1", "@ sp, x0, x1, lsl #2", "@ x0, x1, w2, uxtw #2", "@ x0, x1, w2, sxtb",
    "@ w0, w1, w2, uxth #4", "@ x0, x1, x2, sxtx", "@ xzr, x1, x2, lsr #1", "@ wsp, wsp, #4", "@ x0, sp, w2, uxtb #1",
  ),
  ...forms(["adds", "subs"], "@ x0, x1, #1", "@ xzr, sp, #2", "@ w0, w1, w2, lsl #3", "@ x0, x1, w2, sxtw #1", "@ x0, x1, #-4"),
  ...forms(["cmp", "cmn"], "@ x0, #1", "@ w0, w1", "@ sp, x1", "@ x1, x2, asr #4", "@ x1, w2, sxth #1", "@ x0, #-1", "@ sp, #1, lsl #12"),
  ...forms(["neg", "negs"], "@ x0, x1", "@ w0, w1, lsl #2"),
  ...forms(["adc", "adcs", "sbc", "sbcs"], "@ x0, x1, x2", "@ w0, w1, wzr"),
  ...forms(["ngc", "ngcs"], "@ x0, x1", "@ w0, w1"),
  // logic and moves
  ...forms(
    ["and", "orr", "eor", "ands"],
    "@ x0, x1, #0xff", "@ w0, w1, #0xfffffffe", "@ x0, x1, #0x5555555555555555", "@ x0, x1, x2", "@ w0, w1, w2, ror #5", "@ xzr, x1, x2, lsr #63",
  ),
  ...forms(["and", "orr", "eor"], "@ sp, x0, #0xf0"),
  ...forms(["bic", "orn", "eon", "bics"], "@ x0, x1, x2", "@ w0, w1, w2, asr #3"), "bic x0, x1, #0xff", "bic w0, w1, #0xf0",
  "tst x0, #1", "tst w0, w1", "tst x0, x1, lsl #4", "mvn x0, x1", "mvn w0, w1, ror #8", "mov x0, x1", "mov w0, wzr", "mov x0, sp", "mov sp, x1",
  "mov w0, wsp", "mov x0, #0", "mov x0, #0xffff", "mov x0, #0xffff0000", "mov x0, #-1", "mov w0, #-2", "mov w0, #0xffffffff", "mov w1, #0x12340000",
  "mov x0, #0x5555555555555555", "mov sp, #0xff00", "mov x0, #0xffffffffffff1234", "mov w0, 0xff00ff", "mov x1, lr", "mov x0, 1 << 40",
  ...forms(["movz", "movn", "movk"], "@ x0, #1", "@ x0, #0xffff, lsl #48", "@ w0, #0x1234, lsl #16"),
  // products, bit fields
  ...forms(["mul", "mneg", "udiv", "sdiv", "lslv", "lsrv", "asrv", "rorv"], "@ x0, x1, x2", "@ w0, w1, w2"),
  ...forms(["smull", "umull", "smnegl", "umnegl"], "@ x0, w1, w2"), ...forms(["smulh", "umulh"], "@ x0, x1, x2"),
  ...forms(["madd", "msub"], "@ x0, x1, x2, x3", "@ w0, w1, w2, wzr"), ...forms(["smaddl", "smsubl", "umaddl", "umsubl"], "@ x0, w1, w2, x3"),
  ...forms(["lsl", "lsr", "asr", "ror"], "@ x0, x1, #3", "@ w0, w1, #31", "@ x0, x1, x2", "@ w0, w1, w2", "@ x0, x1, #0"),
  ...forms(["ubfx", "sbfx", "bfi", "bfxil", "ubfiz", "sbfiz"], "@ x0, x1, #4, #8", "@ w0, w1, #31, #1"),
  ...forms(["sbfm", "ubfm", "bfm"], "@ x0, x1, #4, #8", "@ w0, w1, #31, #1"), "bfc x0, #4, #8", "bfc w0, #0, #5",
  ...forms(["sxtb", "sxth"], "@ x0, w1", "@ w0, w1"), "sxtw x0, w1", ...forms(["uxtb", "uxth"], "@ w0, w1"), "extr x0, x1, x2, #5", "extr w0, w1, w2, #31",
  ...forms(["rbit", "rev", "rev16", "clz", "cls"], "@ x0, x1", "@ w0, w1"), "rev32 x0, x1", "rev64 x0, x1",
  ...forms(["crc32b", "crc32h", "crc32w", "crc32cb", "crc32ch", "crc32cw"], "@ w0, w1, w2"), ...forms(["crc32x", "crc32cx"], "@ w0, w1, x2"),
  ...forms(["csel", "csinc", "csinv", "csneg"], "@ x0, x1, x2, eq", "@ w0, w1, wzr, cs"), ...forms(["cset", "csetm"], "@ x0, ne", "@ w0, cc"),
  ...forms(["cinc", "cinv", "cneg"], "@ x0, x1, lt", "@ w0, w1, hi"), ...forms(["ccmp", "ccmn"], "@ x0, #31, #15, eq", "@ w0, w1, #0, le"),
  // branches
  ...forms(["b", "bl", ...CONDITIONS.map((name) => `b.${name}`), ...CONDITIONS.map((name) => `b${name}`), "b.al"], "1: @ 1b", "@ 1f; nop; 1:"),
  ...forms(["cbz", "cbnz"], "1: @ x0, 1b", "@ w1, 1f; 1:"), ...forms(["tbz", "tbnz"], "1: @ x0, #63, 1b", "@ w1, #3, 1f; nop; 1:"),
  "br x0", "blr x30", "ret", "ret x1", "eret", "1: adr x0, 1b", "adr x1, 1f + 8; nop; 1:", "b . + 8", "adr x0, .",
  "1: adrp x0, 1b", "1: add x0, x0, :lo12:1b", "1: add x0, x0, #:lo12:1b + 4", "1: ldr x0, [x1, :lo12:1b]", "1: strb w0, [x1, #:lo12:1b]",
  // accesses
  ...forms(
    ["ldr x0", "str x0", "ldr w0", "str w0", "ldrb w0", "strb w0", "ldrh w0", "strh w0", "ldrsb x0", "ldrsb w0", "ldrsh x0", "ldrsh w0", "ldrsw x0"],
    "@, [x1]", "@, [sp, #8]", "@, [x1, #-3]", "@, [x1, #8]!", "@, [x1], #-16", "@, [x1, x2]", "@, [x1, w2, uxtw]", "@, [x1, w2, sxtw]", "@, [x1, x2, sxtx]",
  ),
  "ldr x0, [x1, x2, lsl #3]", "str w0, [x1, w2, sxtw #2]", "ldrh w0, [x1, x2, lsl #1]", "ldrb w0, [x1, x2, lsl #0]", "ldr x0, [x1, #32760]",
  "1: ldr x0, 1b", "ldr w0, 1f; 1:", "ldrsw x0, 1f; nop; 1:", "ldr x0, =0x123456789abcdef0", "ldr w0, =0x12345678; ldr x0, =5; ldr x1, =5",
  "ldr x0, =1f; 1: nop", "ldr x0, =7; b 1f; .ltorg; 1: ldr x0, =7", "ldr w1, =1; .pool",
  ...forms(["ldur", "stur", "ldtr", "sttr", "ldapur", "stlur"], "@ x0, [x1]", "@ w0, [sp, #-256]"),
  ...forms(["ldurb", "sturb", "ldurh", "sturh", "ldtrb", "sttrb", "ldtrh", "sttrh", "ldapurb", "stlurb", "ldapurh", "stlurh"], "@ w0, [x1, #255]"),
  ...forms(["ldursb", "ldursh", "ldtrsb", "ldtrsh", "ldapursb", "ldapursh"], "@ x0, [x1, #1]", "@ w0, [x1]"),
  ...forms(["ldursw", "ldtrsw", "ldapursw"], "@ x0, [x1, #4]"),
  ...forms(["ldp", "stp"], "@ x0, x1, [sp]", "@ x29, x30, [sp, #-16]!", "@ w0, w1, [x2], #8", "@ x0, xzr, [x3, #504]"),
  ...forms(["ldnp", "stnp"], "@ x0, x1, [sp, #16]", "@ w0, w1, [x2]"), "ldpsw x0, x1, [x2]", "ldpsw x0, x1, [x2, #4]!", "ldpsw x0, x1, [x2], #-8",
  "1: prfm pldl1keep, 1b", "prfm pldl1keep, [x0]", "prfm pstl2strm, [x0, #8]", "prfm #7, [x0, x1]", "prfm plil3keep, [sp, w1, uxtw #3]",
  // ordered, exclusive, atomic
  ...forms([...suffixed("ldar", [""]), "stlr", "ldapr", "ldxr", "ldaxr"], "@ x0, [x1]", "@ w0, [sp]"),
  ...forms(["ldar", "stlr", "ldapr", "ldxr", "ldaxr"].flatMap((name) => suffixed(name, ["b", "h"])), "@ w0, [x1]"),
  ...forms(["stxr", "stlxr"], "@ w0, x1, [x2]", "@ w0, w1, [sp]"), ...forms(["stxrb", "stxrh", "stlxrb", "stlxrh"], "@ w0, w1, [x2, #0]"),
  ...forms(["ldxp", "ldaxp"], "@ x0, x1, [x2]", "@ w0, w1, [x2]"), ...forms(["stxp", "stlxp"], "@ w3, x0, x1, [x2]", "@ w3, w0, w1, [sp]"),
  ...forms(["cas", "swp", ...suffixed("ld", OPERATORS)].flatMap((name) => suffixed(name, ORDERINGS)), "@ x0, x1, [x2]", "@ w0, w1, [sp]"),
  ...forms(["cas", "swp", ...suffixed("ld", OPERATORS)].flatMap((name) => suffixed(name, ORDERINGS)).flatMap((name) => suffixed(name, ["b", "h"])), "@ w0, w1, [x2]"),
  ...forms(suffixed("st", OPERATORS).flatMap((name) => suffixed(name, ["", "l"])), "@ x0, [x2]", "@ w0, [sp]"),
  ...forms(suffixed("st", OPERATORS).flatMap((name) => suffixed(name, ["b", "h", "lb", "lh"])), "@ w0, [x2]"),
  ...forms(suffixed("casp", ORDERINGS), "@ x0, x1, x2, x3, [x4]", "@ w0, w1, w2, w3, [sp]"),
  // system
  ...forms(["dmb", "dsb"], ...suffixed("@ ", ["sy", "st", "ld", "ish", "ishst", "ishld", "nsh", "nshst", "nshld", "osh", "oshst", "oshld", "#11"])),
  "dsb synxs", "dsb ishnxs", "dsb oshnxs", "dsb nshnxs", "isb", "isb sy", "isb #3", "ssbb", "pssbb", "sb", "clrex", "clrex #3", "nop", "yield", "wfe", "wfi", "sev", "sevl", "dgh", "xpaclri", "pacia1716", "pacib1716",
  "autia1716", "autib1716", "esb", "csdb", "paciaz", "paciasp", "pacibz", "pacibsp", "autiaz", "autiasp", "autibz", "autibsp", "hint #17", "hint #127",
  "psb csync", "tsb csync", "bti", "bti c", "bti j", "bti jc", "wfet x0", "wfit x1",
  ...forms(["svc", "hvc", "smc", "brk", "hlt", "udf"], "@ #0", "@ #0xffff"), "mrs x0, icc_iar1_el1", "mrs x1, s3_0_c12_c11_5", "mrs x0, CurrentEL",
  "msr icc_sgi1r_el1, x0", "msr daifset, #15", "msr daifclr, #2", "msr allint, #1", "msr allint, x0", "msr spsel, #0", "msr pan, #1", "msr ssbs, #1",
  "msr s3_3_c13_c0_2, xzr", "mrs x0, pmevcntr7_el0", "msr dbgbvr3_el1, x1", "mrs x2, ich_lr9_el2", "mrs x3, cnthp_ctl_el2",
  "tlbi vmalle1is", "tlbi vae1, x0", "tlbi vaale1is, x1", "dc civac, x0", "dc zva, x1", "dc cvap, x1", "ic iallu", "ic ivau, x0", "at s1e1r, x0", "at s12e0w, x2",
  "cfp rctx, x0", "dvp rctx, x1", "cpp rctx, x2", "sys #3, c7, c5, #1, x0", "sys #0, c8, c7, #0", "sysl x0, #3, c7, c5, #1",
  // directives
  ".byte 1, -1", ".hword 0x1234; .align 2", ".word 0x12345678, -1", ".quad 1, -1", ".xword 2", "1: .quad 1b", "1: nop; .word . - 1b", ".inst 0xd503201f",
  "nop; .align 3; nop", ".byte 1; .align 3; nop", "nop; .balign 16; nop", "nop; .p2align 4; nop", "nop; .balign 16, 0xff; nop", ".asciz \"abc\"; .align 2; nop",
  "nop; .space 4, 0xaa; nop", "1: nop; .space 16 - (. - 1b)", "x = 3; mov x0, #x * 8", ".set y, 64; ldr x0, [x1, #y]", "LDR X0, [X1, #8]!", "MOV W0, #1", "nop // comment",
]; // prettier-ignore
