// Verdicts that others published: whether the architecture allows the outcome that a litmus test asks for. Facts only: names and
// verdicts. The tests of these names are our own, or written by test/litmus/cycles from the name.

import type { Dialect } from "../reference/litmus.ts";

export interface Published {
  /** Who says so. */
  readonly source: string;
  readonly dialect: Dialect;
  /** Names, separated by blanks. */
  readonly allowed: string;
  readonly forbidden: string;
  /** What stands before each name. */
  readonly prefix?: string;
}

const HERD_AARCH64 = "herd/herdtools7, catalogue/aarch64/tests/kinds.txt at 34b4e3e";
const HERD_X86_64 = "herd/herdtools7, catalogue/x86_64/kinds.txt at a15e97b";
/** Herd's results for the tests of the diy suite, as Dartagnan's regression tests have them. */
const dat3m = (folder: string): string =>
  `hernanponcedeleon/Dat3M, dartagnan/src/test/resources/ARM8-expected.csv at 006dde0, litmus/AARCH64/${folder}`;

export const PUBLISHED: readonly Published[] = [
  {
    source: HERD_AARCH64,
    dialect: "AArch64",
    allowed: `2+2W+dmb.sy+po 2+2W LB+dmb.sy+po LB MP+dmb.sy+po MP+po+dmb.sy MP R+dmb.sy+po R+po+dmb.sy R S+dmb.sy+po
      S+po+dmb.sy S SB+dmb.sy+po SB LB+rel+BEQ3 MP+rel+CAS-ok-MRs-addr MP+rel+CASnoret-ok-dmb.ld MP+rel+CASacq-noret-ok
      MP+rel+LDADDnoret-dmb.ld MP+rel+SWPacq-noret MP+rel+SWPnoret-dmb.ld LB+SWP-RsRt-addr+rel SB+dmb.sy+rel-acqpc
      MP+rel+addr-po-loc-addr MP+rel+ctrl-lrs-acq LB+rel+CAS-ok-RsRs-addr`,
    forbidden: `2+2W+dmb.sys LB+dmb.sys MP+dmb.sys R+dmb.sys S+dmb.sys SB+dmb.sys LB+rel+CAS LB+rel+LDADD LB+rel+STADD
      MP+rel+CAS-ok-dmb.ld MP+rel+CASacq-ok MP+rel+LDADD-dmb.ld MP+rel+SWPacq MP+rel+SWP-dmb.ld CoRR CoRW1 CoRW2 CoWR CoWW
      SB+dmb.sy+rel-acq MP+rel+acq MP+rel+acqpc MP+rel+swp-acqpc MP+rel+addr-lrs-acq MP+rel+data-lrs-acq
      MP+rel+rmw-lrs-acq LB+dmb.sy+data-amo.swp`,
  },
  {
    source: dat3m("Fence2"),
    dialect: "AArch64",
    allowed: `2+2W+dmb.ld+dmb.st 2+2W+dmb.ld+dmb.sy 2+2W+dmb.ld+po 2+2W+dmb.lds 2+2W+dmb.st+po 2+2W+dmb.sy+po 2+2W
      LB+dmb.ld+dmb.st LB+dmb.ld+po LB+dmb.st+dmb.sy LB+dmb.st+po LB+dmb.sts LB+dmb.sy+po LB MP+dmb.ld+dmb.st MP+dmb.ld+dmb.sy
      MP+dmb.ld+po MP+dmb.lds MP+dmb.st+po MP+dmb.sts MP+dmb.sy+dmb.st MP+dmb.sy+po MP+po+dmb.ld MP+po+dmb.st MP+po+dmb.sy MP
      R+dmb.ld+dmb.st R+dmb.ld+dmb.sy R+dmb.ld+po R+dmb.lds R+dmb.st+dmb.ld R+dmb.st+po R+dmb.sts R+dmb.sy+dmb.ld
      R+dmb.sy+dmb.st R+dmb.sy+po R+po+dmb.ld R+po+dmb.st R+po+dmb.sy R S+dmb.ld+dmb.st S+dmb.ld+dmb.sy S+dmb.ld+po S+dmb.lds
      S+dmb.st+po S+dmb.sts S+dmb.sy+dmb.st S+dmb.sy+po S+po+dmb.ld S+po+dmb.st S+po+dmb.sy S SB+dmb.ld+dmb.st SB+dmb.ld+dmb.sy
      SB+dmb.ld+po SB+dmb.lds SB+dmb.st+dmb.sy SB+dmb.st+po SB+dmb.sts SB+dmb.sy+po SB`,
    forbidden: `2+2W+dmb.st+dmb.sy 2+2W+dmb.sts 2+2W+dmb.sys LB+dmb.ld+dmb.sy LB+dmb.lds LB+dmb.sys MP+dmb.st+dmb.ld
      MP+dmb.st+dmb.sy MP+dmb.sy+dmb.ld MP+dmb.sys R+dmb.st+dmb.sy R+dmb.sys S+dmb.st+dmb.ld S+dmb.st+dmb.sy S+dmb.sy+dmb.ld
      S+dmb.sys SB+dmb.sys`,
  },
  {
    source: dat3m("FenceLA"),
    dialect: "AArch64",
    allowed: "",
    forbidden: `2+2W+dmb.sy+dmb.sylp 2+2W+dmb.sy+poll 2+2W+dmb.sylp+poll 2+2W+dmb.sylps 2+2W+polls 3.2W+dmb.sy+dmb.sy+poll
      3.2W+polls 3.LB+dmb.sy+dmb.sy+poal 3.LB+poals 3.SB+dmb.sy+dmb.sy+pola 3.SB+dmb.sy+pola+pola 3.SB+dmb.sypas 3.SB+polas
      IRIW+dmb.sy+dmb.sypa IRIW+dmb.sy+poaa IRIW+dmb.sypas IRIW+poaas IRRWIW+dmb.sy+poal IRRWIW+poaa+dmb.sy IRRWIW+poaa+poal
      IRWIW+dmb.sy+poal IRWIW+poals ISA2+dmb.sy+poal+poaa ISA2+poll+dmb.sy+poaa ISA2+poll+poal+poaa LB+dmb.sy+poal LB+poals
      MP+dmb.sy+poaa MP+dmb.sylp+poaa MP+poll+dmb.sypa MP+poll+poaa R+dmb.sy+dmb.sylp R+dmb.sy+pola R+poll+dmb.sy R+poll+pola
      RWC+dmb.sy+pola RWC+poaa+dmb.sy RWC+poaa+pola S+dmb.sy+poal S+poll+dmb.sy S+poll+poal SB+dmb.sy+dmb.sylp SB+dmb.sy+pola
      SB+dmb.sylp+pola SB+polas`,
  },
  {
    source: dat3m("SYS"),
    dialect: "AArch64",
    allowed: `LB+dmb.stap+po LB+dmb.stpl+po LB+dmb.syal+po LB+dmb.sypl+po LB+po+poal LB+po+poap LB+po+popl MP+dmb.ld+addr
      MP+dmb.ld+addraa MP+dmb.ld+addrpa MP+dmb.ld+dmb.stap MP+dmb.ld+poaa MP+dmb.ld+popa MP+dmb.ldll+dmb.st MP+dmb.ldll+popa
      MP+dmb.ldlp+addr MP+dmb.ldlp+dmb.sy MP+dmb.ldlp+poaa MP+dmb.ldpl+po MP+dmb.st+dmb.stpa MP+dmb.st+popa MP+dmb.stpl+dmb.st
      MP+dmb.sy+dmb.stpa MP+dmb.sy+popa MP+dmb.syll+po MP+dmb.sylp+popa MP+po+addr MP+po+addraa MP+po+poaa MP+po+poap MP+po+popa`,
    forbidden: `LB+dmb.stals LB+dmb.stap+data LB+dmb.stap+dataal LB+dmb.stap+poal LB+dmb.stpl+datapl LB+dmb.stpl+dmb.sy
      LB+dmb.stpls LB+dmb.sy+data LB+dmb.sy+poap LB+dmb.sy+popl LB+dmb.syap+data LB+dmb.sypl+popl LB+poap+poal LB+poaps
      LB+popl+poal LB+popl+poap LB+popls MP+dmb.ldll+addr MP+dmb.ldll+poap MP+dmb.ldpl+addrpa MP+dmb.ldpl+dmb.ld MP+dmb.ldpl+poaa
      MP+dmb.st+addr MP+dmb.st+addrap MP+dmb.st+dmb.ldpa MP+dmb.st+dmb.stap MP+dmb.st+poap MP+dmb.stlp+poap MP+dmb.sy+addraa
      MP+dmb.sy+addrpa MP+dmb.sy+dmb.staa MP+dmb.sy+poaa MP+dmb.sy+poap MP+dmb.sylp+addr MP+dmb.sypl+poap MP+poll+addr
      MP+poll+dmb.ld`,
  },
  {
    source: dat3m("PPO"),
    dialect: "AArch64",
    prefix: "MP+dmb.sy+",
    allowed: `addr-pos-ctrl-addr addr-pos-ctrl-pos-addr addr-pos-ctrl-pos addr-pos-ctrl-rfi-addr addr-pos-ctrl addr-pos-data-rfi-addr
      addr-pos-fri-rfi-ctrl addr-pos-data-[ws-rf]-ctrl addr-rfi-[fr-rf]-ctrl addr-rfi-addr-[fr-rf]-ctrl addr-rfi-addr-ctrl-addr
      addr-rfi-addr-ctrl addr-rfi-addr-pos-addr addr-rfi-addr-rfi-ctrl addr-rfi-ctrl-[fr-rf] addr-rfi-ctrl-rfi-addr addr-rfi-ctrl
      addr-rfi-data-rfi-ctrl addr-rfi-pos-ctrl addr-wsi-rfi-addr addr-wsi-rfi-ctrl addr-wsi-rfi-pos-addr ctrl-[fr-rf]-addr
      ctrl-[fr-rf]-ctrl ctrl-[fr-rf]-data-rfi-addr ctrl-[fr-rf] ctrl-[ws-rf]-addr-ctrl ctrl-[ws-rf]-ctrl ctrl-[ws-rf]-data-rfi-ctrl
      pos-ctrl-addr pos-ctrl-addr-rfi-addr pos-ctrl-ctrl-rfi-addr pos-ctrl-data-rfi-ctrl pos-ctrl-fri-rfi-addr pos-ctrl-pos
      pos-ctrl-rfi-addr pos-ctrl-rfi-ctrl pos-ctrl-wsi-rfi-addr pos-ctrl pos-data-[ws-rf]-ctrl pos-data-rfi-addr-ctrl
      pos-data-rfi-ctrl pos-data-wsi-rfi-addr pos-data-wsi-rfi-ctrlisb pos-fri-rfi-addr pos-fri-rfi-ctrl pos-fri-rfi-ctrlisb
      pos-fri-rfi-addr-ctrlisb pos-fri-rfi-data-rfi pos-fri-rfi-pos-addr addr-ctrl addr-ctrl-addr addr-ctrl-pos addr-ctrl-rfi-addr
      addr-ctrl-wsi-rfi-addr addr-ctrl-addr-[fr-rf] addr-data-rfi-ctrl addr-data-wsi-rfi-addr addr-fri-rfi-addr addr-fri-rfi-ctrl
      addr-fri-[ws-rf]-ctrl addr-pos-addr addr-pos-addr-pos addr-pos-[fr-rf]-ctrl [fr-rf]-ctrl [fr-rf]-ctrl-addr
      [fr-rf]-data-rfi-ctrl [fr-rf]-data-wsi-rfi-ctrlisb addr-[fr-rf]-ctrl addr-[ws-rf]-addr-ctrl addr-addr-rfi-ctrl
      addr-addr-wsi-rfi-addr addr-[fr-rf]-fri-rfi-addr`,
    forbidden: `addr-pos-ctrl-addr-rfi addr-pos-ctrl-ctrlisb addr-pos-ctrl-pos-ctrlisb addr-pos-ctrl-rfi-pos addr-pos-ctrlisb
      addr-pos-data-[ws-rf]-addr addr-pos-data-rfi addr-pos-fri-rfi addr-pos addr-rfi-[fr-rf]-addr addr-rfi-addr
      addr-rfi-addr-[fr-rf] addr-rfi-addr-rfi-addr addr-rfi-addr-pos addr-rfi-ctrlisb addr-rfi-ctrl-[ws-rf]-addr
      addr-rfi-ctrl-data-rfi addr-rfi-data-rfi-addr addr-rfi-pos-addr addr-rfi addr-wsi-rfi-ctrlisb addr-wsi-rfi-data-rfi
      ctrl-[fr-rf]-ctrlisb ctrl-[fr-rf]-data-rfi ctrl-[fr-rf]-fri-rfi-ctrlisb ctrl-[ws-rf]-addr ctrl-[ws-rf]-addr-pos
      ctrl-[ws-rf]-ctrlisb ctrl-[ws-rf]-data-rfi pos-ctrl-addr-rfi pos-ctrl-addr-ctrlisb pos-ctrl-ctrl-rfi pos-ctrl-ctrlisb
      pos-ctrl-data-rfi pos-ctrl-fri-rfi pos-ctrl-rfi-pos pos-ctrl-rfi pos-ctrl-wsi-rfi-ctrlisb pos-ctrlisb pos-ctrlisb-[fr-rf]
      pos-data-[ws-rf]-addr pos-data-rfi-addr pos-data-rfi-addr-rfi pos-data-rfi-ctrlisb pos-data-rfi-pos pos-data-rfi addr-ctrl-rfi
      addr-ctrl-ctrlisb addr-ctrl-wsi-rfi-ctrlisb addr-ctrlisb addr-data-rfi-addr addr-data-rfi addr-data-wsi-rfi-ctrlisb
      addr-fri-rfi addr-fri-rfi-ctrlisb addr-fri-[ws-rf]-addr addr-pos-addr-rfi addr-pos-[fr-rf]-addr addr-pos-[fr-rf]
      [fr-rf]-ctrl-ctrlisb [fr-rf]-ctrl-rfi [fr-rf]-ctrlisb [fr-rf]-data-rfi-addr [fr-rf]-data-rfi addr-[fr-rf]-addr
      addr-[fr-rf] addr-[ws-rf]-addr addr-[ws-rf]-data-rfi addr-addr-rfi addr-addr-rfi-addr`,
  },
  {
    source:
      "herd/herdtools7, pull requests 322 (atomics with acquire and release) and 325 (Atomic-ordered-before), issue 418",
    dialect: "AArch64",
    allowed: "MP+rel+ctrl-rfi-rmw-rfiXA-R",
    forbidden: "SB+CASALs SB+LDSETALs",
  },
  {
    source: HERD_X86_64,
    dialect: "X86_64",
    allowed: `R R+po+po-rfi-po R+po+rfi-po RWC RWC+po+rfi-po SB SB+mfence+po SB+mfence+po-rfi-po SB+mfence+rfi-po SB+po+po-rfi-po
      SB+po+rfi-po SB+rfi-po+po-rfi-po SB+rfi-pos WRW+WR WRW+WR+po+rfi-po`,
    forbidden: `2+2W LB MP MP+po+po-rfi-po R+po+mfence RWC+po+mfence S SB+mfences WRC WRR+2W WRW+2W WRW+WR+po+mfence WWC`,
  },
  {
    // Tests of the examples in order: MP, LB, SB, CoWR0, SB+rfi-pos, WRC, IRIW, IRIW+xchgs, SB+xchgs, MP+xchg+po.
    source: "Intel SDM volume 3A, 9.2.3.2 to 9.2.3.9 (8.2.3.2 to 8.2.3.9 before revision 078), examples 9-1 to 9-10",
    dialect: "X86_64",
    allowed: "SB SB+rfi-pos",
    forbidden: "MP LB CoWR0 WRC IRIW IRIW+xchgs SB+xchgs MP+xchg+po",
  },
  {
    source:
      "Sewell, Sarkar, Owens, Zappa Nardelli, Myreen: x86-TSO, Communications of the ACM 53(7), 2010, sections 2 and 3.2",
    dialect: "X86_64",
    allowed: "SB n6 amd3",
    forbidden: "MP LB WRC IRIW n4b n5",
  },
  {
    source: "Intel SDM volume 3A, 9.1.2 (locked operations are atomic) and 9.2.5 (SFENCE orders stores, LFENCE loads)",
    dialect: "X86_64",
    allowed: "SB+sfences SB+lfences SB+mfence+sfence",
    forbidden: "INC+lock.incs INC+lock.xadds INC+lock.cmpxchgs XCHG+xchgs",
  },
  {
    source: "Arm ARM DDI 0487, B2.3 (Atomicity requirement) and B2.12 (synchronization and semaphores)",
    dialect: "AArch64",
    allowed: "INC+exclusive+ldr-str",
    forbidden:
      "ATOM ATOM+obs INC+exclusives INC+LDAXR-STLXRs INC+exclusive+LDADD INC+LDADDs SWP+SWPs STXR-alone STXR-twice",
  },
];
