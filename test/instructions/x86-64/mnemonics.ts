// What GNU objdump calls the operations of the core's decoder, and where the two differ for a reason.

const conditions = ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"];

/** Operations whose name doesn't begin with the mnemonic. */
const special: Readonly<Record<string, RegExp>> = {
  MOV: /^mov(abs)?$/,
  MOV_RI: /^mov(abs)?$/,
  MOVZX_R16: /^movzx$/,
  MOVZX_R8: /^movzx$/,
  MOVSXD_R: /^movsxd$/,
  LOAD64: /^mov(abs)?$/,
  LOAD32: /^mov(abs)?$/,
  LOAD16: /^movzx$/,
  LOAD8: /^movzx$/,
  LOAD_SIGNED32: /^movsxd$/,
  STORE64: /^mov(abs|nti)?$/,
  STORE32: /^mov(abs|nti)?$/,
  STORE16: /^mov(abs)?$/,
  STORE8: /^mov(abs)?$/,
  STORE_I64: /^mov$/,
  STORE_I32: /^mov$/,
  STORE_I8: /^mov$/,
  LEA64: /^lea$/,
  LEA32: /^lea$/,
  LEA16: /^lea$/,
  ALU: /^(add|or|adc|sbb|and|sub|xor|cmp)$/,
  ALU_RM64: /^(add|or|adc|sbb|and|sub|xor)$/,
  ALU_RM32: /^(add|or|adc|sbb|and|sub|xor)$/,
  CMOV: new RegExp(`^cmov(${conditions.join("|")})$`),
  CMOV_RR64: new RegExp(`^cmov(${conditions.join("|")})$`),
  CMOV_RR32: new RegExp(`^cmov(${conditions.join("|")})$`),
  SETCC: new RegExp(`^set(${conditions.join("|")})$`),
  SETCC_R8: new RegExp(`^set(${conditions.join("|")})$`),
  PUSH: /^pushw?$/,
  PUSH_SEGMENT: /^pushw?$/,
  POP_SEGMENT: /^popw?$/,
  PUSHF: /^pushfw?$/,
  POPF: /^popfw?$/,
  ENTER: /^enterw?$/,
  LEAVE: /^leavew?$/,
  RET_I: /^ret$/,
  LOOP: /^(loopne|loope|loop|jrcxz|jecxz)$/,
  CALL_FAR: /^(call|rex\.W call)$/,
  RET_FAR: /^retf[wq]?$/,
  IRET: /^iret[wq]?$/,
  SYSRET: /^sysret[dq]$/,
  // Hints, and what extensions that are not announced have made of NOPs (SDM 2B NOP, 2A 2.2.1).
  NOP: /^(nop|xchg|pause|prefetch\w*|cldemote|endbr64|endbr32|bnd\w+|rdssp[dq])$/,
  // 90 with REX.B is an exchange with R8, whatever stands before (SDM 2B PAUSE: F3 90 alone).
  XCHG: /^(xchg|pause)$/,
  MOVSX: /^movsxd?$/,
  CONVERT: /^(cbw|cwde|cdqe)$/,
  EXTEND: /^(cwd|cdq|cqo)$/,
  CARRY: /^(cmc|clc|stc)$/,
  DIRECTION: /^(cld|std)$/,
  SHIFT: /^(rol|ror|rcl|rcr|shl|shr|sar)$/,
  DOUBLE_SHIFT: /^sh[lr]d$/,
  BMI_SHIFT: /^(rorx|sarx|shlx|shrx)$/,
  BIT_TEST: /^bt[src]?$/,
  BMI: /^(andn|blsr|blsmsk|blsi|bzhi|pext|pdep|bextr)$/,
  ADD_CHAINED: /^(adcx|adox)$/,
  CMPXCHG_PAIR: /^cmpxchg(8|16)b$/,
  MOV_FROM_SEGMENT: /^mov$/,
  MOV_TO_SEGMENT: /^mov$/,
  LOAD_FAR_POINTER: /^l[sfg]s$/,
  FENCE: /^([lms]fence|serialize)$/,
  CLFLUSH: /^(clflush|clflushopt|clwb)$/,
  ICEBP: /^int1$/,
  MOV_FROM_CR: /^mov$/,
  MOV_TO_CR: /^mov$/,
  MOV_FROM_DR: /^mov$/,
  MOV_TO_DR: /^mov$/,
  // WBNOINVD without its extension is WBINVD (SDM 2D WBNOINVD).
  WBINVD: /^(invd|wbinvd|wbnoinvd)$/,
  READ_BASE: /^rd[fg]sbase$/,
  WRITE_BASE: /^wr[fg]sbase$/,
  ACCESS_CHECK: /^(clac|stac)$/,
  X87: /^f\w+(\(8087)?$/,
  MMX: /^(p\w+|movd|movq|maskmovq|movntq|emms|cvt\w+)$/,
  SSE: /^(?!v)\w+(?<!w64)$/,
  FWAIT: /^fwait$/,
  UNSUPPORTED: /^(ins|outs)$/,
  UNDEFINED: /^\(bad\)$/,
  TOO_LONG: /^\(bad\)$/,
  FETCH_FAULT: /^\(bad\)$/,
};

/** What an operation is called. */
export function mnemonicsOf(operation: string): RegExp {
  return special[operation] ?? new RegExp(`^${operation.replace(/_.*/, "").toLowerCase()}$`);
}

/** Instructions of extensions that CPUID doesn't announce: #UD. RSM outside SMM, UD0, UD1 and UD2 as well. */
const notAnnounced = new RegExp(
  `^(${[
    "ud[012]|rsm|femms|pf\\w+|sysenter|sysexit[dq]|getsec",
    // virtualization, enclaves, trust domains
    "vm(run|read|write|ptrld|ptrst|clear|xon|xoff|call|launch|resume|func|mcall|load|save|gexit)",
    "encl[suv]|stgi|clgi|skinit|invlpg[ab]|tlbsync|invept|invvpid|psmash|pvalidate|rmp\\w+|td\\w+|seam\\w+|pconfig",
    // VIA, AMD
    "montmul|xsha\\w+|xstore-rng|xcrypt-\\w+|monitorx|mwaitx|clzero|rdpru|mcommit|extrq|insertq|movnts[sd]",
    // extended state, transactions, random numbers, protection keys, control flow, and newer ones
    "xsave\\w*|xrstor\\w*|xbeginw?|xabort|xend|xtest|xsusldtrk|xresldtrk|rdrand|rdseed|rdpkru|wrpkru",
    "setssbsy|rstorssp|clrssbsy|saveprevssp|incssp[dq]|wru?ss[dq]|ptwrite|hreset",
    "(send)?uipi|senduipi|uiret|testui|clui|stui|(wr|rd)msrlist|wrmsrns|movdiri|movdir64b|enqcmds?",
    "a(add|and|or|xor)|aes\\w+(128|256)kl|loadiwkey|encodekey(128|256)",
    // AVX and AVX-512: VEX-encoded instructions other than those of BMI
    "v\\w+|k(and|or|xor|xnor|add|unpck|andn|not|mov|shift|ortest|test)\\w*",
  ].join("|")})$`,
);

export function isNotAnnounced(mnemonic: string): boolean {
  return notAnnounced.test(mnemonic);
}

function opcodeOf(encoding: readonly number[]): { escape: boolean; opcode: number; modRm: number; prefixes: number[] } {
  const isPrefix = (byte: number): boolean =>
    [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(byte) || byte >> 4 === 4;
  const first = encoding.findIndex((byte) => !isPrefix(byte));
  const escape = encoding[first] === 0x0f;
  const at = escape ? first + 1 : first;
  return {
    escape,
    opcode: encoding[at] ?? 0,
    modRm: encoding[at + 1] ?? 0x90,
    prefixes: encoding.slice(0, first),
  };
}

/** Whether bytes that objdump has a name for raise #UD all the same. */
export function isUndefinedAllTheSame(encoding: readonly number[], mnemonic: string): boolean {
  const { escape, opcode, modRm, prefixes } = opcodeOf(encoding);
  const reg = (modRm >> 3) & 7;
  const isExtended = (prefixes.at(-1) ?? 0) >> 2 === 0b010011; // REX.W.R…: bit 2 set
  const hasMandatory = [0x66, 0xf2, 0xf3].some((prefix) => prefixes.includes(prefix));
  if (!escape) {
    // Segment registers 6 and 7; CS can't be loaded (SDM 2B MOV). TEST of group 3 with /1 is not among these.
    if (opcode === 0x8c) return reg > 5;
    return opcode === 0x8e && (reg > 5 || reg === 1);
  }
  // Control registers 1, 5, 6, 7 and from 9 on; debug registers from 8 on (SDM 2B MOV).
  if (opcode === 0x20 || opcode === 0x22) return isExtended ? reg !== 0 : ![0, 2, 3, 4].includes(reg);
  if (opcode === 0x21 || opcode === 0x23) return isExtended;
  // Where the manual has NP in front of the opcode, 66, F2 and F3 make it another one, or none (SDM 2A 3.1.1.1).
  const plainOnly =
    /^(monitor|mwait|clac|stac|xgetbv|xsetbv|serialize|[lms]fence|fxsave(64)?|fxrstor(64)?|(ld|st)mxcsr)$/;
  if (plainOnly.test(mnemonic)) return hasMandatory;
  return mnemonic === "pmovmskb" && (prefixes.includes(0xf2) || prefixes.includes(0xf3));
}

/** Whether bytes that objdump has no name for are an instruction all the same. */
export function isDefinedAllTheSame(encoding: readonly number[], operation: string): boolean {
  const { escape, opcode, modRm, prefixes } = opcodeOf(encoding);
  switch (operation) {
    case "X87":
      return !escape; // escapes to the coprocessor: which of them are reserved is not told apart
    case "NOP":
      // PREFETCHW of a register does nothing on Intel's processors; what MPX left undefined of its opcodes were NOPs before.
      return (opcode === 0x0d && modRm >= 0xc0) || opcode === 0x1a || opcode === 0x1b;
    case "FENCE":
      return opcode === 0xae && modRm > 0xe8; // the rm field is ignored (SDM 2A LFENCE, MFENCE, 2B SFENCE)
    case "BSF":
    case "BSR":
      return prefixes.includes(0xf2); // no mandatory prefix of theirs
    case "WBINVD":
      return prefixes.includes(0x66) || prefixes.includes(0xf2);
    default:
      return false;
  }
}
