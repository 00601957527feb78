// AArch64 system registers and system instructions by name (Arm ARM, sections D19 and C5; GIC architecture specification, section 12).

import { invalid } from "../failure.ts";
import { otherSystemRegister } from "./system-register-names.ts";

/** op0, op1, CRn, CRm, op2. */
export type SystemRegisterCode = readonly [number, number, number, number, number];

const registers = {
  actlr_el1: [3, 0, 1, 0, 1],
  afsr0_el1: [3, 0, 5, 1, 0],
  afsr1_el1: [3, 0, 5, 1, 1],
  allint: [3, 0, 4, 3, 0],
  amair_el1: [3, 0, 10, 3, 0],
  ccsidr_el1: [3, 1, 0, 0, 0],
  clidr_el1: [3, 1, 0, 0, 1],
  cntfrq_el0: [3, 3, 14, 0, 0],
  cnthctl_el2: [3, 4, 14, 1, 0],
  cntkctl_el1: [3, 0, 14, 1, 0],
  cntp_ctl_el0: [3, 3, 14, 2, 1],
  cntp_cval_el0: [3, 3, 14, 2, 2],
  cntp_tval_el0: [3, 3, 14, 2, 0],
  cntpct_el0: [3, 3, 14, 0, 1],
  cntv_ctl_el0: [3, 3, 14, 3, 1],
  cntv_cval_el0: [3, 3, 14, 3, 2],
  cntv_tval_el0: [3, 3, 14, 3, 0],
  cntvct_el0: [3, 3, 14, 0, 2],
  cntvoff_el2: [3, 4, 14, 0, 3],
  contextidr_el1: [3, 0, 13, 0, 1],
  cpacr_el1: [3, 0, 1, 0, 2],
  cptr_el2: [3, 4, 1, 1, 2],
  csselr_el1: [3, 2, 0, 0, 0],
  ctr_el0: [3, 3, 0, 0, 1],
  currentel: [3, 0, 4, 2, 2],
  daif: [3, 3, 4, 2, 1],
  dczid_el0: [3, 3, 0, 0, 7],
  dit: [3, 3, 4, 2, 5],
  dlr_el0: [3, 3, 4, 5, 1],
  dspsr_el0: [3, 3, 4, 5, 0],
  elr_el1: [3, 0, 4, 0, 1],
  elr_el2: [3, 4, 4, 0, 1],
  elr_el3: [3, 6, 4, 0, 1],
  esr_el1: [3, 0, 5, 2, 0],
  esr_el2: [3, 4, 5, 2, 0],
  esr_el3: [3, 6, 5, 2, 0],
  far_el1: [3, 0, 6, 0, 0],
  far_el2: [3, 4, 6, 0, 0],
  fpcr: [3, 3, 4, 4, 0],
  fpsr: [3, 3, 4, 4, 1],
  hcr_el2: [3, 4, 1, 1, 0],
  hpfar_el2: [3, 4, 6, 0, 4],
  hstr_el2: [3, 4, 1, 1, 3],
  icc_ap0r0_el1: [3, 0, 12, 8, 4],
  icc_ap1r0_el1: [3, 0, 12, 9, 0],
  icc_asgi1r_el1: [3, 0, 12, 11, 6],
  icc_bpr0_el1: [3, 0, 12, 8, 3],
  icc_bpr1_el1: [3, 0, 12, 12, 3],
  icc_ctlr_el1: [3, 0, 12, 12, 4],
  icc_ctlr_el3: [3, 6, 12, 12, 4],
  icc_dir_el1: [3, 0, 12, 11, 1],
  icc_eoir0_el1: [3, 0, 12, 8, 1],
  icc_eoir1_el1: [3, 0, 12, 12, 1],
  icc_hppir0_el1: [3, 0, 12, 8, 2],
  icc_hppir1_el1: [3, 0, 12, 12, 2],
  icc_iar0_el1: [3, 0, 12, 8, 0],
  icc_iar1_el1: [3, 0, 12, 12, 0],
  icc_igrpen0_el1: [3, 0, 12, 12, 6],
  icc_igrpen1_el1: [3, 0, 12, 12, 7],
  icc_igrpen1_el3: [3, 6, 12, 12, 7],
  icc_nmiar1_el1: [3, 0, 12, 9, 5],
  icc_pmr_el1: [3, 0, 4, 6, 0],
  icc_rpr_el1: [3, 0, 12, 11, 3],
  icc_sgi0r_el1: [3, 0, 12, 11, 7],
  icc_sgi1r_el1: [3, 0, 12, 11, 5],
  icc_sre_el1: [3, 0, 12, 12, 5],
  icc_sre_el2: [3, 4, 12, 9, 5],
  icc_sre_el3: [3, 6, 12, 12, 5],
  id_aa64dfr0_el1: [3, 0, 0, 5, 0],
  id_aa64isar0_el1: [3, 0, 0, 6, 0],
  id_aa64isar1_el1: [3, 0, 0, 6, 1],
  id_aa64isar2_el1: [3, 0, 0, 6, 2],
  id_aa64mmfr0_el1: [3, 0, 0, 7, 0],
  id_aa64mmfr1_el1: [3, 0, 0, 7, 1],
  id_aa64mmfr2_el1: [3, 0, 0, 7, 2],
  id_aa64pfr0_el1: [3, 0, 0, 4, 0],
  id_aa64pfr1_el1: [3, 0, 0, 4, 1],
  isr_el1: [3, 0, 12, 1, 0],
  mair_el1: [3, 0, 10, 2, 0],
  mdcr_el2: [3, 4, 1, 1, 1],
  mdscr_el1: [2, 0, 0, 2, 2],
  midr_el1: [3, 0, 0, 0, 0],
  mpidr_el1: [3, 0, 0, 0, 5],
  nzcv: [3, 3, 4, 2, 0],
  osdlr_el1: [2, 0, 1, 3, 4],
  oslar_el1: [2, 0, 1, 0, 4],
  oslsr_el1: [2, 0, 1, 1, 4],
  pan: [3, 0, 4, 2, 3],
  par_el1: [3, 0, 7, 4, 0],
  pmccfiltr_el0: [3, 3, 14, 15, 7],
  pmccntr_el0: [3, 3, 9, 13, 0],
  pmcntenset_el0: [3, 3, 9, 12, 1],
  pmcr_el0: [3, 3, 9, 12, 0],
  pmintenclr_el1: [3, 0, 9, 14, 2],
  pmintenset_el1: [3, 0, 9, 14, 1],
  pmovsclr_el0: [3, 3, 9, 12, 3],
  pmuserenr_el0: [3, 3, 9, 14, 0],
  revidr_el1: [3, 0, 0, 0, 6],
  rvbar_el1: [3, 0, 12, 0, 1],
  scr_el3: [3, 6, 1, 1, 0],
  sctlr_el1: [3, 0, 1, 0, 0],
  sctlr_el2: [3, 4, 1, 0, 0],
  sctlr_el3: [3, 6, 1, 0, 0],
  sp_el0: [3, 0, 4, 1, 0],
  sp_el1: [3, 4, 4, 1, 0],
  sp_el2: [3, 6, 4, 1, 0],
  spsel: [3, 0, 4, 2, 0],
  spsr_el1: [3, 0, 4, 0, 0],
  spsr_el2: [3, 4, 4, 0, 0],
  spsr_el3: [3, 6, 4, 0, 0],
  tcr_el1: [3, 0, 2, 0, 2],
  tpidr_el0: [3, 3, 13, 0, 2],
  tpidr_el1: [3, 0, 13, 0, 4],
  tpidr_el2: [3, 4, 13, 0, 2],
  tpidrro_el0: [3, 3, 13, 0, 3],
  ttbr0_el1: [3, 0, 2, 0, 0],
  ttbr1_el1: [3, 0, 2, 0, 1],
  uao: [3, 0, 4, 2, 4],
  vbar_el1: [3, 0, 12, 0, 0],
  vbar_el2: [3, 4, 12, 0, 0],
  vbar_el3: [3, 6, 12, 0, 0],
  vmpidr_el2: [3, 4, 0, 0, 5],
  vpidr_el2: [3, 4, 0, 0, 0],
} as const satisfies Record<string, SystemRegisterCode>;

export type SystemRegisterName = keyof typeof registers;
/** A name from the table, or any register by its encoding as s<op0>_<op1>_c<CRn>_c<CRm>_<op2>. */
export type SystemRegister =
  SystemRegisterName | `s${number}_${number}_c${number}_c${number}_${number}` | SystemRegisterCode;

export const SYSTEM_REGISTER_NAMES = Object.keys(registers) as readonly SystemRegisterName[];

export function systemRegister(register: SystemRegister): SystemRegisterCode {
  if (typeof register !== "string") return register;
  const known: Readonly<Record<string, SystemRegisterCode | undefined>> = registers;
  const code = known[register] ?? (otherSystemRegister(register) as SystemRegisterCode | undefined);
  if (code !== undefined) return code;
  const match = /^s([23])_([0-7])_c(\d+)_c(\d+)_([0-7])$/.exec(register);
  const fields = match?.slice(1).map(Number);
  if (fields === undefined || (fields[2] ?? 16) > 15 || (fields[3] ?? 16) > 15) {
    throw invalid("no such system register", { value: register, allowed: "a known name, or s3_0_c12_c11_5" });
  }
  return fields as unknown as SystemRegisterCode;
}

/** Fields of MSR (immediate): op1 and op2. */
export const PSTATE_FIELDS = {
  uao: [0, 3],
  pan: [0, 4],
  spsel: [0, 5],
  allint: [1, 0],
  dit: [3, 2],
  ssbs: [3, 1],
  tco: [3, 4],
  daifset: [3, 6],
  daifclr: [3, 7],
} as const;
export type PstateField = keyof typeof PSTATE_FIELDS;

/** SYS aliases: op1, CRn, CRm, op2. */
export const SYSTEM_INSTRUCTIONS = {
  "at s1e1r": [0, 7, 8, 0],
  "at s1e1w": [0, 7, 8, 1],
  "dc civac": [3, 7, 14, 1],
  "dc cisw": [0, 7, 14, 2],
  "dc cvac": [3, 7, 10, 1],
  "dc cvau": [3, 7, 11, 1],
  "dc isw": [0, 7, 6, 2],
  "dc ivac": [0, 7, 6, 1],
  "dc zva": [3, 7, 4, 1],
  "ic iallu": [0, 7, 5, 0],
  "ic ialluis": [0, 7, 1, 0],
  "ic ivau": [3, 7, 5, 1],
  "tlbi alle1": [4, 8, 7, 4],
  "tlbi aside1is": [0, 8, 3, 2],
  "tlbi vaae1is": [0, 8, 3, 3],
  "tlbi vae1": [0, 8, 7, 1],
  "tlbi vae1is": [0, 8, 3, 1],
  "tlbi vale1is": [0, 8, 3, 5],
  "tlbi vmalle1": [0, 8, 7, 0],
  "tlbi vmalle1is": [0, 8, 3, 0],
} as const;
export type SystemInstruction = keyof typeof SYSTEM_INSTRUCTIONS;

/** Domain and type of a barrier, CRm. */
export const BARRIERS = {
  sy: 15,
  st: 14,
  ld: 13,
  ish: 11,
  ishst: 10,
  ishld: 9,
  nsh: 7,
  nshst: 6,
  nshld: 5,
  osh: 3,
  oshst: 2,
  oshld: 1,
} as const;
/** DSBs that don't wait for accesses with the XS attribute (FEAT_XS), imm2. */
export const NXS_BARRIERS = { oshnxs: 0, nshnxs: 1, ishnxs: 2, synxs: 3 } as const;
export type Barrier = keyof typeof BARRIERS;
