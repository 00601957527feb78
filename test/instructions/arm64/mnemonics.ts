// What the core's operations are called in assembly, and which mnemonics belong to extensions that it doesn't announce.

const widths = ["64", "32"];

function both(operation: string): string[] {
  return widths.map((width) => operation + width);
}

function entries(operations: readonly string[], mnemonics: string): [string, RegExp][] {
  return operations.map((operation) => [operation, new RegExp(`^(${mnemonics})$`)]);
}

const atomicOrder = "a?l?[bh]?";

const meanings = new Map<string, RegExp>([
  ...entries(["MOVE_IMMEDIATE"], "movz|movn|mrs"),
  ...entries(["ADR"], "adr"),
  ...entries(["ADRP"], "adrp"),
  ...entries(both("MOVK"), "movk"),
  ...entries(both("ADD_IMMEDIATE"), "add|sub"),
  ...entries([...both("ADDS_IMMEDIATE"), ...both("ADDS_REGISTER")], "adds"),
  ...entries([...both("SUBS_IMMEDIATE"), ...both("SUBS_REGISTER")], "subs"),
  ...entries(both("ADD_REGISTER"), "add"),
  ...entries(both("SUB_REGISTER"), "sub"),
  ...entries(["AND_IMMEDIATE", ...both("AND_REGISTER")], "and"),
  ...entries([...both("ORR_IMMEDIATE"), ...both("ORR_REGISTER")], "orr"),
  ...entries([...both("EOR_IMMEDIATE"), ...both("EOR_REGISTER")], "eor"),
  ...entries([...both("ANDS_IMMEDIATE"), ...both("ANDS_REGISTER")], "ands"),
  ...entries(["UBFX", "UBFIZ"], "ubfm"),
  ...entries(both("SBFX"), "sbfm"),
  ...entries(both("BFM"), "bfm"),
  ...entries(both("EXTR"), "extr"),
  ...["csel", "csinc", "csinv", "csneg", "madd", "msub"].flatMap((name) => entries(both(name.toUpperCase()), name)),
  ...["udiv", "sdiv", "lslv", "lsrv", "asrv", "rorv"].flatMap((name) => entries(both(name.toUpperCase()), name)),
  ...["smaddl", "smsubl", "umaddl", "umsubl", "smulh", "umulh"].flatMap((name) => entries([name.toUpperCase()], name)),
  ...entries(["CRC32"], "crc32c?[bhwx]"),
  ...entries(both("ARITHMETIC"), "adds?|subs?"),
  ...entries(both("LOGICAL"), "and|bic|orr|orn|eor|eon|ands|bics"),
  ...entries(both("ADD_WITH_CARRY"), "adcs?|sbcs?"),
  ...entries(both("CONDITIONAL_COMPARE_IMMEDIATE"), "ccmp|ccmn"),
  ...entries(both("CONDITIONAL_COMPARE_REGISTER"), "ccmp|ccmn"),
  ...entries(["ONE_SOURCE64"], "rbit|rev16|rev32|rev|clz|cls"),
  ...entries(["ONE_SOURCE32"], "rbit|rev16|rev|clz|cls"),

  ...entries(["B"], "b|b\\.al|b\\.nv"),
  ...entries(["BL"], "bl"),
  ...["eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"].flatMap((condition) =>
    entries([`B_${condition.toUpperCase()}`], `b\\.${condition}`),
  ),
  ...["cbz", "cbnz"].flatMap((name) => entries(both(name.toUpperCase()), name)),
  ...entries(["TBZ"], "tbz"),
  ...entries(["TBNZ"], "tbnz"),
  ...entries(["BR"], "br|ret"),
  ...entries(["BLR"], "blr"),

  ...entries(["LOAD64", "LOAD32"], "ldu?r|ldtr"),
  ...entries(["STORE64", "STORE32"], "stu?r|sttr"),
  ...entries(["LOAD16"], "ldu?rh|ldtrh"),
  ...entries(["LOAD8"], "ldu?rb|ldtrb"),
  ...entries(["STORE16"], "stu?rh|sttrh"),
  ...entries(["STORE8"], "stu?rb|sttrb"),
  ...["REGISTER", "INDEXED"].flatMap((mode) => [
    ...entries([`LOAD_${mode}64`, `LOAD_${mode}32`], "ldr"),
    ...entries([`LOAD_${mode}16`], "ldrh"),
    ...entries([`LOAD_${mode}8`], "ldrb"),
    ...entries([`STORE_${mode}64`, `STORE_${mode}32`], "str"),
    ...entries([`STORE_${mode}16`], "strh"),
    ...entries([`STORE_${mode}8`], "strb"),
  ]),
  ...entries(["LOAD"], "ld(r|ur|tr)s[bhw]"),
  ...entries(["STORE"], "(?!)"), // only what others are left to when they miss
  ...entries(["LOAD_PAIR64", "LOAD_PAIR32"], "ldn?p"),
  ...entries(["LOAD_PAIR"], "ldpsw"),
  ...entries(["STORE_PAIR64", "STORE_PAIR32"], "stn?p"),
  ...entries(["STORE_PAIR"], "(?!)"),
  ...entries(["LOAD_LITERAL"], "ldr|ldrsw"),
  ...entries(["LOAD_ACQUIRE"], "ldap?r[bh]?"),
  ...entries(["STORE_RELEASE"], "stlr[bh]?"),
  ...entries(["LOAD_EXCLUSIVE"], "lda?x(r[bh]?|p)"),
  ...entries(["STORE_EXCLUSIVE"], "stl?x(r[bh]?|p)"),
  ...entries(
    ["ATOMIC"],
    `(ldadd|ldclr|ldeor|ldset|ld[su]max|ld[su]min|swp)${atomicOrder}|(st(add|clr|eor|set|[su]max|[su]min))l?[bh]?`,
  ),
  ...entries(["COMPARE_AND_SWAP"], `cas${atomicOrder}`),
  ...entries(["COMPARE_AND_SWAP_PAIR"], "caspa?l?"),

  ...entries(["NOP"], "hint|prfu?m|sys|msr"),
  ...entries(["YIELD", "WFE", "WFI", "SEV", "SEVL"], "hint"),
  ...entries(["WFET"], "wfet"),
  ...entries(["WFIT"], "wfit"),
  ...entries(["DMB"], "dmb"),
  ...entries(["DSB"], "dsb|ssbb|pssbb"),
  ...entries(["ISB"], "isb"),
  ...entries(["CLREX"], "clrex"),
  ...entries(["MSR_IMMEDIATE", "MSR", "WRITE_STATE"], "msr"),
  ...entries(["MRS", "READ_STATE", "READ_EL1_STATE"], "mrs"),
  ...entries(["SYSTEM_NOP"], "sys|msr"),
  ...entries(["ZERO_LINE"], "sys"),
  ...entries(["UNSUPPORTED"], "mrs|msr|sys"),
  ...["svc", "hvc", "smc", "brk", "eret"].flatMap((name) => entries([name.toUpperCase()], name)),
  ["UNDEFINED", /^$/],
]);

/** Mnemonics that an operation may stand for. @throws when the operation is not known here */
export function mnemonicsOf(operation: string): RegExp {
  const meaning = meanings.get(operation);
  if (meaning === undefined) throw new Error(`what does ${operation} stand for?`);
  return meaning;
}

/** Mnemonics of extensions beyond the core's: Armv8.0 integer instructions, FEAT_CRC32, FEAT_LSE, FEAT_LRCPC, FEAT_WFxT. */
const otherExtensions = new RegExp(
  `^(${[
    "abs|cnt|ctz|[su]max|[su]min", // FEAT_CSSC
    "addg|subg|subps?|gmi|irg|ldg|ldgm|stg|stgm|stgp|st2g|stz2g|stzg|stzgm", // FEAT_MTE
    "aut[id][ab]z?|aut[id]z[ab]|pac[id]z?[ab]|pacga|xpac[id]|braaz?|brabz?|blraaz?|blrabz?|retaa|retab|eretaa|eretab|ldraa|ldrab", // FEAT_PAuth
    "axflag|xaflag|cfinv|rmif|setf8|setf16", // FEAT_FlagM, FEAT_FlagM2
    "bc\\.\\w\\w", // FEAT_HBC
    "cpy\\w+|set[epmg]\\w*", // FEAT_MOPS
    "ld64b|st64b|st64bv|st64bv0", // FEAT_LS64
    "ldapur\\w*|stlur[bh]?", // FEAT_LRCPC2
    "ldlar[bh]?|stllr[bh]?", // FEAT_LOR
    "sb|tstart|ttest|tcommit|tcancel|smstart|smstop", // FEAT_SB, FEAT_TME, FEAT_SME
    "sysl",
    "dcps[123]|drps|hlt", // of Debug state, and of an external debugger
  ].join("|")})$`,
);

/** Whether a word belongs to an extension that the core doesn't announce. */
export function notAnnounced(word: number, mnemonic: string): boolean {
  const group = (word >>> 25) & 15;
  const isVector = (group & 0b0101) === 0b0100 && (word & (1 << 26)) !== 0;
  // SME, SVE, and floating point and SIMD, whose mnemonics are partly those of integer instructions
  if (group === 0b0000 || group === 0b0010 || (group & 0b0111) === 0b0111 || isVector) return true;
  if (mnemonic === "dsb") return ((word >>> 5) & 7) === 1; // FEAT_XS
  if (mnemonic === "msr" && isImmediateMsr(word))
    return !announcedFields.has(((word >>> 13) & 0x38) | ((word >>> 5) & 7));
  return otherExtensions.test(mnemonic);
}

/** MSR (immediate): PSTATE fields. */
function isImmediateMsr(word: number): boolean {
  return (word & 0xfff8_f01f) >>> 0 === 0xd500_401f;
}

/** op1:op2 of SPSel, DAIFSet, DAIFClr */
const announcedFields = new Set([0o05, 0o36, 0o37]);

/**
 * Words about which objdump can't be the judge: system registers and maintenance operations (it disassembles unallocated
 * ones; system-registers.test.ts has the list), and CONSTRAINED UNPREDICTABLE forms, which it calls undefined.
 */
export function notDecidable(word: number, mnemonic: string): boolean {
  const systemAccess = (word & 0xffc0_0000) >>> 0 === 0xd500_0000 && ((word >>> 19) & 3) !== 0;
  if (systemAccess) return mnemonic !== "sysl";
  if (mnemonic !== "undefined") return false;
  const data = [word & 31, (word >>> 10) & 31];
  const loadPair =
    (word & 0x3e40_0000) >>> 0 === 0x2840_0000 && (data[0] === data[1] || data.includes((word >>> 5) & 31));
  const orderedWithOperand = (word & 0x3fa0_0000) >>> 0 === 0x0880_0000;
  const acquireWithOperand = (word & 0x3fe0_fc00) >>> 0 === 0x38a0_c000;
  // MSR SPSel, #imm: objdump wants 0 or 1, the manual looks at bit 0 only.
  const stackSelection = (word & 0xffff_f0ff) >>> 0 === 0xd500_40bf;
  return loadPair || orderedWithOperand || acquireWithOperand || stackSelection;
}
