// A tiny A64 assembler for tests: words with labels. Encodings from the Arm ARM (DDI 0487), chapter C6; independent of the
// product's assembler and of the core's decoder.

export const SP = 31;
export const XZR = 31;

export const conditions = [
  "eq",
  "ne",
  "cs",
  "cc",
  "mi",
  "pl",
  "vs",
  "vc",
  "hi",
  "ls",
  "ge",
  "lt",
  "gt",
  "le",
  "al",
] as const;
export type Condition = (typeof conditions)[number];

type Fixup = (offset: number) => number;

/** Collects words; addresses are relative to the first. */
export class A64 {
  readonly words: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixups: { at: number; label: string; encode: Fixup }[] = [];
  #unique = 0;

  /** A label name that nobody else has. */
  fresh(): string {
    return `.${this.#unique++}`;
  }

  label(name: string): this {
    this.#labels.set(name, this.words.length * 4);
    return this;
  }

  offsetOf(name: string): number {
    const offset = this.#labels.get(name);
    if (offset === undefined) throw new Error(`no label ${name}`);
    return offset;
  }

  word(value: number): this {
    this.words.push(value >>> 0);
    return this;
  }

  #branch(label: string, encode: Fixup): this {
    this.#fixups.push({ at: this.words.length, label, encode });
    return this.word(0);
  }

  /** Pads to a multiple of bytes with NOPs. */
  align(bytes: number): this {
    while ((this.words.length * 4) % bytes !== 0) this.nop();
    return this;
  }

  finish(): Uint8Array {
    for (const { at, label, encode } of this.#fixups) this.words[at] = encode(this.offsetOf(label) - at * 4) >>> 0;
    return new Uint8Array(Uint32Array.from(this.words).buffer);
  }

  movz(rd: number, value: number, shift = 0): this {
    return this.word(0xd2800000 | ((shift / 16) << 21) | (value << 5) | rd);
  }
  movk(rd: number, value: number, shift = 0): this {
    return this.word(0xf2800000 | ((shift / 16) << 21) | (value << 5) | rd);
  }
  /** Any value of up to 64 bits. */
  mov(rd: number, value: number | bigint): this {
    const wide = BigInt.asUintN(64, BigInt(value));
    this.movz(rd, Number(wide & 0xffffn));
    for (const shift of [16, 32, 48]) {
      const part = Number((wide >> BigInt(shift)) & 0xffffn);
      if (part !== 0) this.movk(rd, part, shift);
    }
    return this;
  }
  movRegister(rd: number, rm: number): this {
    return this.word(0xaa0003e0 | (rm << 16) | rd);
  }
  addImmediate(rd: number, rn: number, value: number): this {
    return this.word(0x91000000 | (value << 10) | (rn << 5) | rd);
  }
  subImmediate(rd: number, rn: number, value: number): this {
    return this.word(0xd1000000 | (value << 10) | (rn << 5) | rd);
  }
  subsImmediate(rd: number, rn: number, value: number, wide = true): this {
    return this.word((wide ? 0xf1000000 : 0x71000000) | (value << 10) | (rn << 5) | rd);
  }
  addsImmediate(rd: number, rn: number, value: number, wide = true): this {
    return this.word((wide ? 0xb1000000 : 0x31000000) | (value << 10) | (rn << 5) | rd);
  }
  add(rd: number, rn: number, rm: number, wide = true): this {
    return this.word((wide ? 0x8b000000 : 0x0b000000) | (rm << 16) | (rn << 5) | rd);
  }
  sub(rd: number, rn: number, rm: number): this {
    return this.word(0xcb000000 | (rm << 16) | (rn << 5) | rd);
  }
  addShifted(rd: number, rn: number, rm: number, left: number): this {
    return this.word(0x8b000000 | (rm << 16) | (left << 10) | (rn << 5) | rd);
  }
  eor(rd: number, rn: number, rm: number): this {
    return this.word(0xca000000 | (rm << 16) | (rn << 5) | rd);
  }
  cmp(rn: number, rm: number, wide = true): this {
    return this.word((wide ? 0xeb00001f : 0x6b00001f) | (rm << 16) | (rn << 5));
  }
  cmpImmediate(rn: number, value: number, wide = true): this {
    return this.subsImmediate(XZR, rn, value, wide);
  }
  b(label: string): this {
    return this.#branch(label, (offset) => 0x14000000 | ((offset >> 2) & 0x3ffffff));
  }
  bl(label: string): this {
    return this.#branch(label, (offset) => 0x94000000 | ((offset >> 2) & 0x3ffffff));
  }
  adr(rd: number, label: string): this {
    return this.#branch(label, (offset) => 0x1000_0000 | (((offset >> 2) & 0x7_ffff) << 5) | rd);
  }
  bCondition(condition: Condition, label: string): this {
    const code = conditions.indexOf(condition);
    return this.#branch(label, (offset) => 0x54000000 | (((offset >> 2) & 0x7ffff) << 5) | code);
  }
  cbz(rt: number, label: string, wide = true): this {
    return this.#branch(label, (offset) => (wide ? 0xb4000000 : 0x34000000) | (((offset >> 2) & 0x7ffff) << 5) | rt);
  }
  cbnz(rt: number, label: string, wide = true): this {
    return this.#branch(label, (offset) => (wide ? 0xb5000000 : 0x35000000) | (((offset >> 2) & 0x7ffff) << 5) | rt);
  }
  /** Bits 0 to 31. */
  tbz(rt: number, bit: number, label: string): this {
    return this.#branch(label, (offset) => 0x36000000 | (bit << 19) | (((offset >> 2) & 0x3fff) << 5) | rt);
  }
  tbnz(rt: number, bit: number, label: string): this {
    return this.#branch(label, (offset) => 0x37000000 | (bit << 19) | (((offset >> 2) & 0x3fff) << 5) | rt);
  }
  ret(): this {
    return this.word(0xd65f03c0);
  }
  br(rn: number): this {
    return this.word(0xd61f0000 | (rn << 5));
  }
  /** Load of 8, 4, 2 or 1 bytes at base + offset (unsigned, scaled). */
  load(rt: number, rn: number, offset = 0, size = 8): this {
    const log2 = Math.log2(size);
    return this.word(((log2 << 30) | 0x39400000 | ((offset / size) << 10) | (rn << 5) | rt) >>> 0);
  }
  store(rt: number, rn: number, offset = 0, size = 8): this {
    const log2 = Math.log2(size);
    return this.word(((log2 << 30) | 0x39000000 | ((offset / size) << 10) | (rn << 5) | rt) >>> 0);
  }
  /** LDADDAL: rt = [rn], [rn] += rs */
  loadAdd(rs: number, rt: number, rn: number, wide = true): this {
    return this.word((wide ? 0xf8e00000 : 0xb8e00000) | (rs << 16) | (rn << 5) | rt);
  }
  swap(rs: number, rt: number, rn: number): this {
    return this.word(0xf8e08000 | (rs << 16) | (rn << 5) | rt);
  }
  /** CASAL: compares rs with [rn], stores rt when equal; rs = old */
  compareAndSwap(rs: number, rt: number, rn: number): this {
    return this.word(0xc8e0fc00 | (rs << 16) | (rn << 5) | rt);
  }
  /** LDADD, LDADDA, LDADDL, LDADDAL. */
  loadAddOrdered(rs: number, rt: number, rn: number, acquire: boolean, release: boolean): this {
    return this.word(0xf8200000 | (acquire ? 1 << 23 : 0) | (release ? 1 << 22 : 0) | (rs << 16) | (rn << 5) | rt);
  }
  /** LDXR, LDAXR */
  loadExclusive(rt: number, rn: number, acquire = false): this {
    return this.word(0xc85f7c00 | (acquire ? 1 << 15 : 0) | (rn << 5) | rt);
  }
  /** STXR, STLXR */
  storeExclusive(rs: number, rt: number, rn: number, release = false): this {
    return this.word(0xc8007c00 | (release ? 1 << 15 : 0) | (rs << 16) | (rn << 5) | rt);
  }
  /** LDAR, LDAPR */
  loadAcquire(rt: number, rn: number, processorConsistent = false): this {
    return this.word((processorConsistent ? 0xf8bfc000 : 0xc8dffc00) | (rn << 5) | rt);
  }
  /** STLR */
  storeRelease(rt: number, rn: number): this {
    return this.word(0xc89ffc00 | (rn << 5) | rt);
  }
  loadPair(rt: number, rt2: number, rn: number, offset: number): this {
    return this.word(0xa9400000 | (((offset / 8) & 0x7f) << 15) | (rt2 << 10) | (rn << 5) | rt);
  }
  storePair(rt: number, rt2: number, rn: number, offset: number): this {
    return this.word(0xa9000000 | (((offset / 8) & 0x7f) << 15) | (rt2 << 10) | (rn << 5) | rt);
  }
  hint(number: number): this {
    return this.word(0xd503201f | (number << 5));
  }
  nop(): this {
    return this.hint(0);
  }
  relax(): this {
    return this.hint(1);
  }
  wfe(): this {
    return this.hint(2);
  }
  wfi(): this {
    return this.hint(3);
  }
  wfet(rt: number): this {
    return this.word(0xd5031000 | rt);
  }
  wfit(rt: number): this {
    return this.word(0xd5031020 | rt);
  }
  sev(): this {
    return this.hint(4);
  }
  sevl(): this {
    return this.hint(5);
  }
  dmb(option: BarrierOption = "ish"): this {
    return this.word(0xd50330bf | (barrierOptions[option] << 8));
  }
  dsb(option: BarrierOption): this {
    return this.word(0xd503309f | (barrierOptions[option] << 8));
  }
  isb(): this {
    return this.word(0xd5033fdf);
  }
  daifset(bits: number): this {
    return this.word(0xd50340df | (bits << 8));
  }
  daifclr(bits: number): this {
    return this.word(0xd50340ff | (bits << 8));
  }
  mrs(rt: number, register: SystemRegister): this {
    return this.word(0xd5200000 | (systemRegisters[register] << 5) | rt);
  }
  msr(register: SystemRegister, rt: number): this {
    return this.word(0xd5000000 | (systemRegisters[register] << 5) | rt);
  }
  /** MSR ALLINT, #0 or #1. */
  allint(value: 0 | 1): this {
    return this.word(0xd501401f | (value << 8));
  }
  hvc(): this {
    return this.word(0xd4000002);
  }
  smc(): this {
    return this.word(0xd4000003);
  }
  svc(immediate = 0): this {
    return this.word(0xd4000001 | (immediate << 5));
  }
  eret(): this {
    return this.word(0xd69f03e0);
  }
}

/** CRm of DMB and DSB. */
export const barrierOptions = { sy: 15, st: 14, ld: 13, ish: 11, ishst: 10, ishld: 9 } as const;
export type BarrierOption = keyof typeof barrierOptions;

function encoding(op0: number, op1: number, crn: number, crm: number, op2: number): number {
  return (op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2;
}

/** op0:op1:CRn:CRm:op2, as in the manual's register pages. */
export const systemRegisters = {
  vbar_el1: encoding(3, 0, 12, 0, 0),
  elr_el1: encoding(3, 0, 4, 0, 1),
  spsr_el1: encoding(3, 0, 4, 0, 0),
  esr_el1: encoding(3, 0, 5, 2, 0),
  far_el1: encoding(3, 0, 6, 0, 0),
  daif: encoding(3, 3, 4, 2, 1),
  nzcv: encoding(3, 3, 4, 2, 0),
  tpidr_el1: encoding(3, 0, 13, 0, 4),
  mpidr_el1: encoding(3, 0, 0, 0, 5),
  sp_el0: encoding(3, 0, 4, 1, 0),
  cntvct_el0: encoding(3, 3, 14, 0, 2),
  sctlr_el1: encoding(3, 0, 1, 0, 0),
  isr_el1: encoding(3, 0, 12, 1, 0),
  allint: encoding(3, 0, 4, 3, 0),
  cntkctl_el1: encoding(3, 0, 14, 1, 0),
  cntp_tval_el0: encoding(3, 3, 14, 2, 0),
  cntp_ctl_el0: encoding(3, 3, 14, 2, 1),
  cntp_cval_el0: encoding(3, 3, 14, 2, 2),
  cntv_tval_el0: encoding(3, 3, 14, 3, 0),
  cntv_ctl_el0: encoding(3, 3, 14, 3, 1),
  cntv_cval_el0: encoding(3, 3, 14, 3, 2),
  icc_pmr_el1: encoding(3, 0, 4, 6, 0),
  icc_iar0_el1: encoding(3, 0, 12, 8, 0),
  icc_eoir0_el1: encoding(3, 0, 12, 8, 1),
  icc_hppir0_el1: encoding(3, 0, 12, 8, 2),
  icc_bpr0_el1: encoding(3, 0, 12, 8, 3),
  icc_ap0r0_el1: encoding(3, 0, 12, 8, 4),
  icc_ap1r0_el1: encoding(3, 0, 12, 9, 0),
  icc_nmiar1_el1: encoding(3, 0, 12, 9, 5),
  icc_dir_el1: encoding(3, 0, 12, 11, 1),
  icc_rpr_el1: encoding(3, 0, 12, 11, 3),
  icc_sgi1r_el1: encoding(3, 0, 12, 11, 5),
  icc_sgi0r_el1: encoding(3, 0, 12, 11, 7),
  icc_iar1_el1: encoding(3, 0, 12, 12, 0),
  icc_eoir1_el1: encoding(3, 0, 12, 12, 1),
  icc_hppir1_el1: encoding(3, 0, 12, 12, 2),
  icc_bpr1_el1: encoding(3, 0, 12, 12, 3),
  icc_ctlr_el1: encoding(3, 0, 12, 12, 4),
  icc_igrpen0_el1: encoding(3, 0, 12, 12, 6),
  icc_igrpen1_el1: encoding(3, 0, 12, 12, 7),
} as const;
export type SystemRegister = keyof typeof systemRegisters;
