// System registers at EL1 (Arm ARM DDI 0487 K.a, D24; Arm IHI 0069H, 12.2) by name: op0, op1, CRn, CRm, op2, and how they
// may be accessed on a PE without floating point, PMU, SVE and the like.

export interface SystemRegister {
  /** op0:op1:CRn:CRm:op2 */
  readonly encoding: number;
  readonly readable: boolean;
  readonly writable: boolean;
  /** Defined, but the core stops instead of modelling it. */
  readonly unsupported: boolean;
  /** Only there with FEAT_NMI. */
  readonly nmi: boolean;
}

const table = `
midr_el1          3 0 0 0 0   r
mpidr_el1         3 0 0 0 5   r
revidr_el1        3 0 0 0 6   r
ccsidr_el1        3 1 0 0 0   r
clidr_el1         3 1 0 0 1   r
aidr_el1          3 1 0 0 7   r
csselr_el1        3 2 0 0 0   rw
ctr_el0           3 3 0 0 1   r
dczid_el0         3 3 0 0 7   r
id_aa64pfr0_el1   3 0 0 4 0   r
id_aa64dfr0_el1   3 0 0 5 0   r
id_aa64isar0_el1  3 0 0 6 0   r
id_aa64isar1_el1  3 0 0 6 1   r
id_aa64mmfr0_el1  3 0 0 7 0   r
id_aa64mmfr1_el1  3 0 0 7 1   r
sctlr_el1         3 0 1 0 0   rw
actlr_el1         3 0 1 0 1   rw
cpacr_el1         3 0 1 0 2   rw
ttbr0_el1         3 0 2 0 0   rw
ttbr1_el1         3 0 2 0 1   rw
tcr_el1           3 0 2 0 2   rw
spsr_el1          3 0 4 0 0   rw
elr_el1           3 0 4 0 1   rw
sp_el0            3 0 4 1 0   rw
spsel             3 0 4 2 0   rw
currentel         3 0 4 2 2   r
allint            3 0 4 3 0   rw nmi
icc_pmr_el1       3 0 4 6 0   rw
afsr0_el1         3 0 5 1 0   rw
afsr1_el1         3 0 5 1 1   rw
esr_el1           3 0 5 2 0   rw
far_el1           3 0 6 0 0   rw
par_el1           3 0 7 4 0   rw
mair_el1          3 0 10 2 0  rw
amair_el1         3 0 10 3 0  rw
vbar_el1          3 0 12 0 0  rw
isr_el1           3 0 12 1 0  r
icc_iar0_el1      3 0 12 8 0  r
icc_eoir0_el1     3 0 12 8 1  w
icc_hppir0_el1    3 0 12 8 2  r
icc_bpr0_el1      3 0 12 8 3  rw
icc_ap0r0_el1     3 0 12 8 4  rw
icc_ap1r0_el1     3 0 12 9 0  rw
icc_nmiar1_el1    3 0 12 9 5  r  nmi
icc_dir_el1       3 0 12 11 1 w
icc_rpr_el1       3 0 12 11 3 r
icc_sgi1r_el1     3 0 12 11 5 w
icc_asgi1r_el1    3 0 12 11 6 w
icc_sgi0r_el1     3 0 12 11 7 w
icc_iar1_el1      3 0 12 12 0 r
icc_eoir1_el1     3 0 12 12 1 w
icc_hppir1_el1    3 0 12 12 2 r
icc_bpr1_el1      3 0 12 12 3 rw
icc_ctlr_el1      3 0 12 12 4 rw
icc_sre_el1       3 0 12 12 5 rw
icc_igrpen0_el1   3 0 12 12 6 rw
icc_igrpen1_el1   3 0 12 12 7 rw
contextidr_el1    3 0 13 0 1  rw
tpidr_el1         3 0 13 0 4  rw
cntkctl_el1       3 0 14 1 0  rw
nzcv              3 3 4 2 0   rw
daif              3 3 4 2 1   rw
tpidr_el0         3 3 13 0 2  rw
tpidrro_el0       3 3 13 0 3  rw
cntfrq_el0        3 3 14 0 0  r
cntpct_el0        3 3 14 0 1  r
cntvct_el0        3 3 14 0 2  r
cntp_tval_el0     3 3 14 2 0  rw
cntp_ctl_el0      3 3 14 2 1  rw
cntp_cval_el0     3 3 14 2 2  rw
cntv_tval_el0     3 3 14 3 0  rw
cntv_ctl_el0      3 3 14 3 1  rw
cntv_cval_el0     3 3 14 3 2  rw
osdtrrx_el1       2 0 0 0 2   rw unsupported
dbgbvr0_el1       2 0 0 0 4   rw unsupported
dbgbcr0_el1       2 0 0 0 5   rw unsupported
dbgwvr0_el1       2 0 0 0 6   rw unsupported
dbgwcr0_el1       2 0 0 0 7   rw unsupported
dbgbvr1_el1       2 0 0 1 4   rw unsupported
dbgbcr1_el1       2 0 0 1 5   rw unsupported
dbgwvr1_el1       2 0 0 1 6   rw unsupported
dbgwcr1_el1       2 0 0 1 7   rw unsupported
mdccint_el1       2 0 0 2 0   rw unsupported
mdscr_el1         2 0 0 2 2   rw
osdtrtx_el1       2 0 0 3 2   rw unsupported
oseccr_el1        2 0 0 6 2   rw unsupported
mdrar_el1         2 0 1 0 0   r  unsupported
oslar_el1         2 0 1 0 4   w
oslsr_el1         2 0 1 1 4   r
osdlr_el1         2 0 1 3 4   rw
dbgprcr_el1       2 0 1 4 4   rw unsupported
dbgclaimset_el1   2 0 7 8 6   rw unsupported
dbgclaimclr_el1   2 0 7 9 6   rw unsupported
dbgauthstatus_el1 2 0 7 14 6  r  unsupported
mdccsr_el0        2 3 0 1 0   r  unsupported
dbgdtr_el0        2 3 0 4 0   rw unsupported
dbgdtrrx_el0      2 3 0 5 0   rw unsupported
`;

function packed(fields: readonly number[]): number {
  const [op0 = 0, op1 = 0, crn = 0, crm = 0, op2 = 0] = fields;
  return (op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2;
}

export const systemRegisters: ReadonlyMap<string, SystemRegister> = new Map(
  table
    .trim()
    .split("\n")
    .map((line) => {
      const [name = "", ...rest] = line.split(/\s+/);
      const access = rest[5] ?? "";
      return [
        name,
        {
          encoding: packed(rest.slice(0, 5).map(Number)),
          readable: access.includes("r"),
          writable: access.includes("w"),
          unsupported: rest[6] === "unsupported",
          nmi: rest[6] === "nmi",
        },
      ];
    }),
);

/** op0:op1:CRn:CRm:op2 of a register given by name or as s3_0_c1_c2_3. @throws when there is none */
export function encodingOf(name: string): number {
  const generic = /^s([23])_([0-7])_c(\d+)_c(\d+)_([0-7])$/.exec(name);
  if (generic !== null) return packed(generic.slice(1).map(Number));
  const register = systemRegisters.get(name);
  if (register === undefined) throw new Error(`no system register ${name}`);
  return register.encoding;
}
