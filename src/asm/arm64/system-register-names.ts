// The rest of AArch64's system registers and system instructions by name, for code written as text (Arm ARM DDI 0487 K.a, sections
// D19 and C5; GIC architecture specification, section 12). What the assembler's own routines use is in system-registers.ts.

/** name op0 op1 CRn CRm op2 */
const REGISTERS = `
  accdata_el1 3 0 13 0 5, actlr_el2 3 4 1 0 1, actlr_el3 3 6 1 0 1, afsr0_el12 3 5 5 1 0, afsr0_el2 3 4 5 1 0,
  afsr0_el3 3 6 5 1 0, afsr1_el12 3 5 5 1 1, afsr1_el2 3 4 5 1 1, afsr1_el3 3 6 5 1 1, aidr_el1 3 1 0 0 7,
  amair_el12 3 5 10 3 0, amair_el2 3 4 10 3 0, amair_el3 3 6 10 3 0, amcfgr_el0 3 3 13 2 1, amcg1idr_el0 3 3 13 2 6,
  amcgcr_el0 3 3 13 2 2, amcntenclr0_el0 3 3 13 2 4, amcntenclr1_el0 3 3 13 3 0, amcntenset0_el0 3 3 13 2 5,
  amcntenset1_el0 3 3 13 3 1, amcr_el0 3 3 13 2 0, amuserenr_el0 3 3 13 2 3, apdakeyhi_el1 3 0 2 2 1, apdakeylo_el1 3 0 2 2 0,
  apdbkeyhi_el1 3 0 2 2 3, apdbkeylo_el1 3 0 2 2 2, apgakeyhi_el1 3 0 2 3 1, apgakeylo_el1 3 0 2 3 0, apiakeyhi_el1 3 0 2 1 1,
  apiakeylo_el1 3 0 2 1 0, apibkeyhi_el1 3 0 2 1 3, apibkeylo_el1 3 0 2 1 2, ccsidr2_el1 3 1 0 0 2, cnthp_ctl_el2 3 4 14 2 1,
  cnthp_cval_el2 3 4 14 2 2, cnthp_tval_el2 3 4 14 2 0, cnthps_ctl_el2 3 4 14 5 1, cnthps_cval_el2 3 4 14 5 2,
  cnthps_tval_el2 3 4 14 5 0, cnthv_ctl_el2 3 4 14 3 1, cnthv_cval_el2 3 4 14 3 2, cnthv_tval_el2 3 4 14 3 0,
  cnthvs_ctl_el2 3 4 14 4 1, cnthvs_cval_el2 3 4 14 4 2, cnthvs_tval_el2 3 4 14 4 0, cntkctl_el12 3 5 14 1 0,
  cntp_ctl_el02 3 5 14 2 1, cntp_cval_el02 3 5 14 2 2, cntp_tval_el02 3 5 14 2 0, cntpctss_el0 3 3 14 0 5,
  cntpoff_el2 3 4 14 0 6, cntps_ctl_el1 3 7 14 2 1, cntps_cval_el1 3 7 14 2 2, cntps_tval_el1 3 7 14 2 0,
  cntv_ctl_el02 3 5 14 3 1, cntv_cval_el02 3 5 14 3 2, cntv_tval_el02 3 5 14 3 0, cntvctss_el0 3 3 14 0 6,
  contextidr_el12 3 5 13 0 1, contextidr_el2 3 4 13 0 1, cpacr_el12 3 5 1 0 2, cptr_el3 3 6 1 1 2, dacr32_el2 3 4 3 0 0,
  dbgauthstatus_el1 2 0 7 14 6, dbgclaimclr_el1 2 0 7 9 6, dbgclaimset_el1 2 0 7 8 6, dbgdtr_el0 2 3 0 4 0,
  dbgdtrrx_el0 2 3 0 5 0, dbgdtrtx_el0 2 3 0 5 0, dbgprcr_el1 2 0 1 4 4, dbgvcr32_el2 2 4 0 7 0, disr_el1 3 0 12 1 1,
  elr_el12 3 5 4 0 1, erridr_el1 3 0 5 3 0, errselr_el1 3 0 5 3 1, erxaddr_el1 3 0 5 4 3, erxctlr_el1 3 0 5 4 1,
  erxfr_el1 3 0 5 4 0, erxmisc0_el1 3 0 5 5 0, erxmisc1_el1 3 0 5 5 1, erxmisc2_el1 3 0 5 5 2, erxmisc3_el1 3 0 5 5 3,
  erxpfgcdn_el1 3 0 5 4 6, erxpfgctl_el1 3 0 5 4 5, erxpfgf_el1 3 0 5 4 4, erxstatus_el1 3 0 5 4 2, esr_el12 3 5 5 2 0,
  far_el12 3 5 6 0 0, far_el3 3 6 6 0 0, fpexc32_el2 3 4 5 3 0, gcr_el1 3 0 1 0 6, gmid_el1 3 1 0 0 4, gpccr_el3 3 6 2 1 6,
  gptbr_el3 3 6 2 1 4, hacr_el2 3 4 1 1 7, hafgrtr_el2 3 4 3 1 6, hcrx_el2 3 4 1 2 2, hdfgrtr_el2 3 4 3 1 4,
  hdfgwtr_el2 3 4 3 1 5, hfgitr_el2 3 4 1 1 6, hfgrtr_el2 3 4 1 1 4, hfgwtr_el2 3 4 1 1 5, icc_ap0r1_el1 3 0 12 8 5,
  icc_ap0r2_el1 3 0 12 8 6, icc_ap0r3_el1 3 0 12 8 7, icc_ap1r1_el1 3 0 12 9 1, icc_ap1r2_el1 3 0 12 9 2,
  icc_ap1r3_el1 3 0 12 9 3, ich_ap0r0_el2 3 4 12 8 0, ich_ap0r1_el2 3 4 12 8 1, ich_ap0r2_el2 3 4 12 8 2,
  ich_ap0r3_el2 3 4 12 8 3, ich_ap1r0_el2 3 4 12 9 0, ich_ap1r1_el2 3 4 12 9 1, ich_ap1r2_el2 3 4 12 9 2,
  ich_ap1r3_el2 3 4 12 9 3, ich_eisr_el2 3 4 12 11 3, ich_elrsr_el2 3 4 12 11 5, ich_hcr_el2 3 4 12 11 0,
  ich_misr_el2 3 4 12 11 2, ich_vmcr_el2 3 4 12 11 7, ich_vtr_el2 3 4 12 11 1, id_aa64afr0_el1 3 0 0 5 4,
  id_aa64afr1_el1 3 0 0 5 5, id_aa64dfr1_el1 3 0 0 5 1, id_aa64isar3_el1 3 0 0 6 3, id_aa64mmfr3_el1 3 0 0 7 3,
  id_aa64mmfr4_el1 3 0 0 7 4, id_aa64pfr2_el1 3 0 0 4 2, id_aa64smfr0_el1 3 0 0 4 5, id_aa64zfr0_el1 3 0 0 4 4,
  id_afr0_el1 3 0 0 1 3, id_dfr0_el1 3 0 0 1 2, id_dfr1_el1 3 0 0 3 5, id_isar0_el1 3 0 0 2 0, id_isar1_el1 3 0 0 2 1,
  id_isar2_el1 3 0 0 2 2, id_isar3_el1 3 0 0 2 3, id_isar4_el1 3 0 0 2 4, id_isar5_el1 3 0 0 2 5, id_isar6_el1 3 0 0 2 7,
  id_mmfr0_el1 3 0 0 1 4, id_mmfr1_el1 3 0 0 1 5, id_mmfr2_el1 3 0 0 1 6, id_mmfr3_el1 3 0 0 1 7, id_mmfr4_el1 3 0 0 2 6,
  id_mmfr5_el1 3 0 0 3 6, id_pfr0_el1 3 0 0 1 0, id_pfr1_el1 3 0 0 1 1, id_pfr2_el1 3 0 0 3 4, ifsr32_el2 3 4 5 0 1,
  lorc_el1 3 0 10 4 3, lorea_el1 3 0 10 4 1, lorid_el1 3 0 10 4 7, lorn_el1 3 0 10 4 2, lorsa_el1 3 0 10 4 0,
  mair_el12 3 5 10 2 0, mair_el2 3 4 10 2 0, mair_el3 3 6 10 2 0, mdccint_el1 2 0 0 2 0, mdccsr_el0 2 3 0 1 0,
  mdcr_el3 3 6 1 3 1, mdrar_el1 2 0 1 0 0, mfar_el3 3 6 6 0 5, mpam0_el1 3 0 10 5 1, mpam1_el1 3 0 10 5 0,
  mpam1_el12 3 5 10 5 0, mpam2_el2 3 4 10 5 0, mpam3_el3 3 6 10 5 0, mpamhcr_el2 3 4 10 4 0, mpamidr_el1 3 0 10 4 4,
  mpamsm_el1 3 0 10 5 3, mpamvpm0_el2 3 4 10 6 0, mpamvpm1_el2 3 4 10 6 1, mpamvpm2_el2 3 4 10 6 2, mpamvpm3_el2 3 4 10 6 3,
  mpamvpm4_el2 3 4 10 6 4, mpamvpm5_el2 3 4 10 6 5, mpamvpm6_el2 3 4 10 6 6, mpamvpm7_el2 3 4 10 6 7, mpamvpmv_el2 3 4 10 4 1,
  mvfr0_el1 3 0 0 3 0, mvfr1_el1 3 0 0 3 1, mvfr2_el1 3 0 0 3 2, osdtrrx_el1 2 0 0 0 2, osdtrtx_el1 2 0 0 3 2,
  oseccr_el1 2 0 0 6 2, pmbidr_el1 3 0 9 10 7, pmblimitr_el1 3 0 9 10 0, pmbptr_el1 3 0 9 10 1, pmbsr_el1 3 0 9 10 3,
  pmceid0_el0 3 3 9 12 6, pmceid1_el0 3 3 9 12 7, pmcntenclr_el0 3 3 9 12 2, pmmir_el1 3 0 9 14 6, pmovsset_el0 3 3 9 14 3,
  pmscr_el1 3 0 9 9 0, pmscr_el12 3 5 9 9 0, pmscr_el2 3 4 9 9 0, pmselr_el0 3 3 9 12 5, pmsevfr_el1 3 0 9 9 5,
  pmsfcr_el1 3 0 9 9 4, pmsicr_el1 3 0 9 9 2, pmsidr_el1 3 0 9 9 7, pmsirr_el1 3 0 9 9 3, pmslatfr_el1 3 0 9 9 6,
  pmsnevfr_el1 3 0 9 9 1, pmswinc_el0 3 3 9 12 4, pmxevcntr_el0 3 3 9 13 2, pmxevtyper_el0 3 3 9 13 1, rgsr_el1 3 0 1 0 5,
  rmr_el1 3 0 12 0 2, rmr_el2 3 4 12 0 2, rmr_el3 3 6 12 0 2, rndr 3 3 2 4 0, rndrrs 3 3 2 4 1, rvbar_el2 3 4 12 0 1,
  rvbar_el3 3 6 12 0 1, sctlr_el12 3 5 1 0 0, scxtnum_el0 3 3 13 0 7, scxtnum_el1 3 0 13 0 7, scxtnum_el12 3 5 13 0 7,
  scxtnum_el2 3 4 13 0 7, scxtnum_el3 3 6 13 0 7, sder32_el2 3 4 1 3 1, sder32_el3 3 6 1 1 1, smcr_el1 3 0 1 2 6,
  smcr_el12 3 5 1 2 6, smcr_el2 3 4 1 2 6, smcr_el3 3 6 1 2 6, smidr_el1 3 1 0 0 6, smpri_el1 3 0 1 2 4,
  smprimap_el2 3 4 1 2 5, spsr_abt 3 4 4 3 1, spsr_el12 3 5 4 0 0, spsr_fiq 3 4 4 3 3, spsr_irq 3 4 4 3 0, spsr_und 3 4 4 3 2,
  svcr 3 3 4 2 2, tcr_el12 3 5 2 0 2, tcr_el2 3 4 2 0 2, tcr_el3 3 6 2 0 2, tfsr_el1 3 0 5 6 0, tfsr_el12 3 5 5 6 0,
  tfsr_el2 3 4 5 6 0, tfsr_el3 3 6 5 6 0, tfsre0_el1 3 0 5 6 1, tpidr2_el0 3 3 13 0 5, tpidr_el3 3 6 13 0 2,
  trbbaser_el1 3 0 9 11 2, trbidr_el1 3 0 9 11 7, trblimitr_el1 3 0 9 11 0, trbmar_el1 3 0 9 11 4, trbptr_el1 3 0 9 11 1,
  trbsr_el1 3 0 9 11 3, trbtrg_el1 3 0 9 11 6, trfcr_el1 3 0 1 2 1, trfcr_el12 3 5 1 2 1, trfcr_el2 3 4 1 2 1,
  ttbr0_el12 3 5 2 0 0, ttbr0_el2 3 4 2 0 0, ttbr0_el3 3 6 2 0 0, ttbr1_el12 3 5 2 0 1, ttbr1_el2 3 4 2 0 1,
  vbar_el12 3 5 12 0 0, vdisr_el2 3 4 12 1 1, vncr_el2 3 4 2 2 0, vsesr_el2 3 4 5 2 3, vstcr_el2 3 4 2 6 2,
  vsttbr_el2 3 4 2 6 0, vtcr_el2 3 4 2 1 2, vttbr_el2 3 4 2 1 0, zcr_el1 3 0 1 2 0, zcr_el12 3 5 1 2 0, zcr_el2 3 4 1 2 0,
  zcr_el3 3 6 1 2 0
`;

/** name op1 CRn CRm op2; the instruction, with its comma turned into a space. */
const INSTRUCTIONS = `
  at s12e0r 4 7 8 6, at s12e0w 4 7 8 7, at s12e1r 4 7 8 4, at s12e1w 4 7 8 5, at s1e0r 0 7 8 2, at s1e0w 0 7 8 3,
  at s1e1rp 0 7 9 0, at s1e1wp 0 7 9 1, at s1e2r 4 7 8 0, at s1e2w 4 7 8 1, at s1e3r 6 7 8 0, at s1e3w 6 7 8 1,
  cfp rctx 3 7 3 4, cpp rctx 3 7 3 7, dc cgdsw 0 7 10 6, dc cgdvac 3 7 10 5, dc cgdvadp 3 7 13 5, dc cgdvap 3 7 12 5,
  dc cgsw 0 7 10 4, dc cgvac 3 7 10 3, dc cgvadp 3 7 13 3, dc cgvap 3 7 12 3, dc cigdpapa 6 7 14 5, dc cigdsw 0 7 14 6,
  dc cigdvac 3 7 14 5, dc cigsw 0 7 14 4, dc cigvac 3 7 14 3, dc cipapa 6 7 14 1, dc csw 0 7 10 2, dc cvadp 3 7 13 1,
  dc cvap 3 7 12 1, dc gva 3 7 4 3, dc gzva 3 7 4 4, dc igdsw 0 7 6 6, dc igdvac 0 7 6 5, dc igsw 0 7 6 4, dc igvac 0 7 6 3,
  dvp rctx 3 7 3 5, tlbi alle1is 4 8 3 4, tlbi alle1os 4 8 1 4, tlbi alle2 4 8 7 0, tlbi alle2is 4 8 3 0, tlbi alle2os 4 8 1 0,
  tlbi alle3 6 8 7 0, tlbi alle3is 6 8 3 0, tlbi alle3os 6 8 1 0, tlbi aside1 0 8 7 2, tlbi aside1os 0 8 1 2,
  tlbi ipas2e1 4 8 4 1, tlbi ipas2e1is 4 8 0 1, tlbi ipas2e1os 4 8 4 0, tlbi ipas2le1 4 8 4 5, tlbi ipas2le1is 4 8 0 5,
  tlbi ipas2le1os 4 8 4 4, tlbi paall 6 8 7 4, tlbi paallos 6 8 1 4, tlbi ripas2e1 4 8 4 2, tlbi ripas2e1is 4 8 0 2,
  tlbi ripas2e1os 4 8 4 3, tlbi ripas2le1 4 8 4 6, tlbi ripas2le1is 4 8 0 6, tlbi ripas2le1os 4 8 4 7, tlbi rpalos 6 8 4 7,
  tlbi rpaos 6 8 4 3, tlbi rvaae1 0 8 6 3, tlbi rvaae1is 0 8 2 3, tlbi rvaae1os 0 8 5 3, tlbi rvaale1 0 8 6 7,
  tlbi rvaale1is 0 8 2 7, tlbi rvaale1os 0 8 5 7, tlbi rvae1 0 8 6 1, tlbi rvae1is 0 8 2 1, tlbi rvae1os 0 8 5 1,
  tlbi rvae2 4 8 6 1, tlbi rvae2is 4 8 2 1, tlbi rvae2os 4 8 5 1, tlbi rvae3 6 8 6 1, tlbi rvae3is 6 8 2 1,
  tlbi rvae3os 6 8 5 1, tlbi rvale1 0 8 6 5, tlbi rvale1is 0 8 2 5, tlbi rvale1os 0 8 5 5, tlbi rvale2 4 8 6 5,
  tlbi rvale2is 4 8 2 5, tlbi rvale2os 4 8 5 5, tlbi rvale3 6 8 6 5, tlbi rvale3is 6 8 2 5, tlbi rvale3os 6 8 5 5,
  tlbi vaae1 0 8 7 3, tlbi vaae1os 0 8 1 3, tlbi vaale1 0 8 7 7, tlbi vaale1is 0 8 3 7, tlbi vaale1os 0 8 1 7,
  tlbi vae1os 0 8 1 1, tlbi vae2 4 8 7 1, tlbi vae2is 4 8 3 1, tlbi vae2os 4 8 1 1, tlbi vae3 6 8 7 1, tlbi vae3is 6 8 3 1,
  tlbi vae3os 6 8 1 1, tlbi vale1 0 8 7 5, tlbi vale1os 0 8 1 5, tlbi vale2 4 8 7 5, tlbi vale2is 4 8 3 5,
  tlbi vale2os 4 8 1 5, tlbi vale3 6 8 7 5, tlbi vale3is 6 8 3 5, tlbi vale3os 6 8 1 5, tlbi vmalle1os 0 8 1 0,
  tlbi vmalls12e1 4 8 7 6, tlbi vmalls12e1is 4 8 3 6, tlbi vmalls12e1os 4 8 1 6
`;

/** Instructions that take no register: they are about everything. */
const WITHOUT_REGISTER = /^(ic iallu(is)?|tlbi (vmalle1|alle[123]|vmalls12e1|paall)(is|os)?)$/;

function parse(table: string): ReadonlyMap<string, readonly number[]> {
  return new Map(
    table
      .trim()
      .split(/,\s+/)
      .map((entry) => {
        const [, name = "", numbers = ""] = /^(\D.*?)((?: \d+)+)$/.exec(entry.trim()) ?? [];
        return [name, numbers.trim().split(" ").map(Number)];
      }),
  );
}

const registers = parse(REGISTERS);
const instructions = parse(INSTRUCTIONS);

/** Registers of which there are many: name, how many, and the encoding of number n. */
const NUMBERED: readonly (readonly [RegExp, number, (n: number) => readonly number[]])[] = [
  [/^dbgbvr(\d+)_el1$/, 16, (n) => [2, 0, 0, n, 4]],
  [/^dbgbcr(\d+)_el1$/, 16, (n) => [2, 0, 0, n, 5]],
  [/^dbgwvr(\d+)_el1$/, 16, (n) => [2, 0, 0, n, 6]],
  [/^dbgwcr(\d+)_el1$/, 16, (n) => [2, 0, 0, n, 7]],
  [/^pmevcntr(\d+)_el0$/, 31, (n) => [3, 3, 14, 8 + (n >> 3), n & 7]],
  [/^pmevtyper(\d+)_el0$/, 31, (n) => [3, 3, 14, 12 + (n >> 3), n & 7]],
  [/^ich_lr(\d+)_el2$/, 16, (n) => [3, 4, 12, 12 + (n >> 3), n & 7]],
];

/** op0, op1, CRn, CRm, op2 of a register that system-registers.ts doesn't have. */
export function otherSystemRegister(name: string): readonly number[] | undefined {
  for (const [pattern, count, encode] of NUMBERED) {
    const n = Number(pattern.exec(name)?.[1]);
    if (n < count) return encode(n);
  }
  return registers.get(name);
}

/** op1, CRn, CRm, op2 of a system instruction that system-registers.ts doesn't have: "tlbi vaale1". */
export function otherSystemInstruction(name: string): readonly number[] | undefined {
  return instructions.get(name);
}

export function takesRegister(instruction: string): boolean {
  return !WITHOUT_REGISTER.test(instruction);
}

export const OTHER_SYSTEM_REGISTERS: readonly string[] = [...registers.keys()];
export const OTHER_SYSTEM_INSTRUCTIONS: readonly string[] = [...instructions.keys()];
