// A local APIC as the manual describes it (Intel SDM 3A chapter 11, rev. 083), as simply as can be said in TypeScript: sets of
// vectors, exact fractions, one function per rule. What the core is compared with; it shares nothing with it.

export type Mode = "disabled" | "xapic" | "x2apic";

/** A message on its way. */
export interface Message {
  readonly to: number;
  readonly arrival: bigint;
  readonly vector: number;
  readonly mode: number;
  /** xAPIC's logical destination, which the receiver compares. */
  readonly logical?: number;
}

/** Of the machine, what a CPU can't know from itself. */
export interface Surroundings {
  /** APIC IDs in the order of CPUs. */
  readonly ids: readonly number[];
  readonly latency: bigint;
  readonly selfLatency: bigint;
  readonly gap: bigint;
  /** Cycles per crystal clock. */
  readonly crystal: { readonly cycles: bigint; readonly clocks: bigint };
}

const [FIXED, LOWEST, NMI, INIT] = [0, 1, 4, 5];
const ESR = { redirectable: 1 << 4, sendVector: 1 << 5, receiveVector: 1 << 6, register: 1 << 7 };
const MASKED = 1 << 16;
const ENABLED = 1 << 8;
const REMOTE_IRR = 1 << 14;
/** Offsets of the LVT's registers: software writes these bits; those it may name without being refused. */
const lvtBits: Readonly<Record<number, { written: number; defined: number }>> = {
  0x2f0: { written: 0x1_07ff, defined: 0x1_17ff },
  0x320: { written: 0x7_00ff, defined: 0x7_10ff },
  0x330: { written: 0x1_07ff, defined: 0x1_17ff },
  0x340: { written: 0x1_07ff, defined: 0x1_17ff },
  0x350: { written: 0x1_a7ff, defined: 0x1_f7ff },
  0x360: { written: 0x1_a7ff, defined: 0x1_f7ff },
  0x370: { written: 0x1_00ff, defined: 0x1_10ff },
};
export const lvtOffsets = Object.keys(lvtBits).map(Number);
const ERROR = 0x370;
const TIMER = 0x320;
const LINT0 = 0x350;
const PERFORMANCE = 0x340;

/** cycles / parts: an exact time. */
interface Time {
  readonly numerator: bigint;
}

export class ModelApic {
  readonly id: number;
  readonly cpu: number;
  readonly #around: Surroundings;
  mode: Mode;
  nmi = false;
  /** Cycle at which the next message may leave. */
  #free = 0n;
  tpr = 0;
  #svr = 0xff;
  #ldr = 0;
  #dfr = 0xffff_ffff;
  #esr = 0;
  #errors = 0;
  #told = false;
  #command = 0;
  #destination = 0;
  #lvt = new Map<number, number>();
  #irr = new Set<number>();
  #isr = new Set<number>();
  #tmr = new Set<number>();
  #spurious = false;
  #initial = 0;
  #divide = 0;
  #count: { readonly from: Time; readonly value: number } | undefined;
  #deadline = 0n;

  constructor(cpu: number, mode: Mode, around: Surroundings) {
    this.cpu = cpu;
    this.id = around.ids[cpu] ?? 0;
    this.mode = mode;
    this.#around = around;
    this.#reset();
  }

  #reset(): void {
    this.tpr = this.#ldr = this.#esr = this.#errors = this.#command = this.#destination = 0;
    this.#svr = 0xff;
    this.#dfr = 0xffff_ffff;
    this.#told = this.#spurious = false;
    this.#lvt = new Map(lvtOffsets.map((offset) => [offset, MASKED]));
    this.#irr.clear();
    this.#isr.clear();
    this.#tmr.clear();
    this.#initial = this.#divide = 0;
    this.#count = undefined;
    this.#deadline = 0n;
  }

  // --- priorities (11.8) -------------------------------------------------------------------------------------------------

  get #ppr(): number {
    const service = Math.max(0, ...this.#isr) & 0xf0;
    return service > (this.tpr & 0xf0) ? service : this.tpr;
  }

  /** What the CPU would get now, if anything. */
  get due(): number | undefined {
    const best = Math.max(-1, ...this.#irr);
    if (best >= 0 && best >> 4 > this.#ppr >> 4) return best;
    return this.#spurious ? this.#svr & 0xff : undefined;
  }

  take(): void {
    const best = Math.max(-1, ...this.#irr);
    if (best >= 0 && best >> 4 > this.#ppr >> 4) {
      this.#irr.delete(best);
      this.#isr.add(best);
    }
    this.#spurious = false;
  }

  #endOfInterrupt(): void {
    if (this.#isr.size === 0) return;
    const done = Math.max(...this.#isr);
    this.#isr.delete(done);
    const pin = this.#entry(LINT0);
    if (this.#tmr.has(done) && (pin & 0xff) === done) this.#lvt.set(LINT0, pin & ~REMOTE_IRR);
  }

  #request(vector: number, level = false): void {
    this.#irr.add(vector);
    if (level) this.#tmr.add(vector);
    else this.#tmr.delete(vector);
  }

  // --- errors (11.5.3) ---------------------------------------------------------------------------------------------------

  #error(bit: number): void {
    this.#errors |= bit;
    if (this.#told || (this.#entry(ERROR) & MASKED) !== 0) return;
    this.#told = true;
    this.signal(ERROR);
  }

  // --- local sources (11.5.1) --------------------------------------------------------------------------------------------

  #entry(offset: number): number {
    return this.#lvt.get(offset) ?? MASKED;
  }

  signal(offset: number): void {
    const entry = this.#entry(offset);
    if ((entry & MASKED) !== 0) return;
    if (offset === PERFORMANCE) this.#lvt.set(offset, entry | MASKED);
    const [vector, mode] = [entry & 0xff, (entry >> 8) & 7];
    if (mode === NMI) this.nmi = true;
    if (mode !== FIXED) return;
    const isLevel = offset === LINT0 && (entry & (1 << 15)) !== 0;
    if (vector < 16) this.#error(ESR.receiveVector);
    else if (!isLevel) this.#request(vector);
    else if ((entry & REMOTE_IRR) === 0) {
      this.#lvt.set(offset, entry | REMOTE_IRR);
      this.#request(vector, true);
    }
  }

  /** A pulse or the like by the host: an LVT offset, or nothing for a spurious interrupt. */
  pulse(offset: number | undefined): void {
    if (this.mode === "disabled") {
      if (offset === 0x360) this.nmi = true;
    } else if (offset === undefined) this.#spurious = true;
    else this.signal(offset);
  }

  // --- timer (11.5.4) ----------------------------------------------------------------------------------------------------

  get #timerMode(): number {
    return (this.#entry(TIMER) >> 17) & 3;
  }

  /** Fractions of a cycle: all times are whole multiples. */
  #time(cycle: bigint): Time {
    return { numerator: cycle * this.#around.crystal.clocks };
  }

  #step(): bigint {
    const code = (this.#divide & 3) | ((this.#divide >> 1) & 4);
    return this.#around.crystal.cycles * BigInt(code === 7 ? 1 : 2 << code);
  }

  #end(): Time | undefined {
    return this.#count && { numerator: this.#count.from.numerator + BigInt(this.#count.value) * this.#step() };
  }

  /** First cycle at which the timer has something to say. */
  get nextExpiry(): bigint | undefined {
    if (this.#deadline !== 0n) return this.#deadline;
    const end = this.#end();
    const { clocks } = this.#around.crystal;
    return end && (end.numerator + clocks - 1n) / clocks;
  }

  expire(): void {
    if (this.#deadline !== 0n) this.#deadline = 0n;
    else if (this.#timerMode === 1 && this.#initial !== 0) {
      this.#count = { from: this.#end() as Time, value: this.#initial };
    } else this.#count = undefined;
    this.signal(TIMER);
  }

  #current(cycle: bigint): number {
    if (this.#count === undefined) return 0;
    const passed = (this.#time(cycle).numerator - this.#count.from.numerator) / this.#step();
    return this.#count.value - Number(passed);
  }

  #load(value: number, cycle: bigint): void {
    this.#count = value === 0 ? undefined : { from: this.#time(cycle), value };
  }

  get deadline(): bigint {
    return this.#deadline;
  }

  /** The TSC is the cycle. A deadline that has passed is due at once, behind the instruction. */
  writeDeadline(value: bigint, cycle: bigint): void {
    if (this.#timerMode !== 2) return;
    this.#deadline = value === 0n || value > cycle ? value : cycle + 1n;
  }

  // --- registers (tables 11-1, 11-6) ---------------------------------------------------------------------------------------

  #read(offset: number, cycle: bigint): number | undefined {
    const word = (set: ReadonlySet<number>, index: number): number =>
      [...set].reduce((bits, vector) => (vector >> 5 === index ? bits | (1 << (vector & 31)) : bits), 0) >>> 0;
    if (offset >= 0x100 && offset < 0x180) return word(this.#isr, (offset - 0x100) >> 4);
    if (offset >= 0x180 && offset < 0x200) return word(this.#tmr, (offset - 0x180) >> 4);
    if (offset >= 0x200 && offset < 0x280) return word(this.#irr, (offset - 0x200) >> 4);
    if (this.#lvt.has(offset)) return this.#entry(offset);
    const values: Record<number, number> = {
      0x30: 0x0106_0015,
      0x80: this.tpr,
      0xa0: this.#ppr,
      0xf0: this.#svr,
      0x280: this.#esr,
      0x380: this.#initial,
      0x390: this.#current(cycle),
      0x3e0: this.#divide,
    };
    return values[offset];
  }

  /** Bits of a writable register that aren't reserved. */
  #defined(offset: number): number | undefined {
    const simple: Record<number, number> = { 0x80: 0xff, 0xf0: 0x13ff, 0x280: 0, 0x380: 0xffff_ffff, 0x3e0: 0xb };
    return lvtBits[offset]?.defined ?? simple[offset];
  }

  #write(offset: number, value: number, cycle: bigint): void {
    if (this.#lvt.has(offset)) return this.#writeLvt(offset, value);
    switch (offset) {
      case 0x80:
        this.tpr = value;
        break;
      case 0xf0:
        this.#svr = value;
        if ((value & ENABLED) === 0) for (const [at, entry] of this.#lvt) this.#lvt.set(at, entry | MASKED);
        break;
      case 0x280:
        this.#esr = this.#errors;
        this.#errors = 0;
        this.#told = false;
        break;
      case 0x380:
        if (this.#timerMode === 2) break;
        this.#initial = value;
        if (this.#timerMode < 2) this.#load(value, cycle);
        break;
      case 0x3e0: {
        const left = this.#current(cycle);
        this.#divide = value;
        if (left !== 0) this.#load(left, cycle);
        break;
      }
    }
  }

  #writeLvt(offset: number, value: number): void {
    const before = this.#timerMode;
    const kept = this.#entry(offset) & REMOTE_IRR;
    const forced = (this.#svr & ENABLED) === 0 ? MASKED : 0;
    this.#lvt.set(offset, (value & (lvtBits[offset]?.written ?? 0)) | kept | forced);
    const after = this.#timerMode;
    if (before === after || (before < 2 && after < 2)) return;
    this.#count = undefined;
    this.#initial = 0;
    this.#deadline = 0n;
  }

  /** RDMSR. @returns undefined for #GP */
  readMsr(msr: number, cycle: bigint): bigint | undefined {
    if (this.mode !== "x2apic") return undefined;
    const logical = ((this.id >> 4) << 16) | (1 << (this.id & 15));
    const special: Record<number, bigint> = {
      0x802: BigInt(this.id),
      0x80d: BigInt(logical >>> 0),
      0x830: (BigInt(this.#destination >>> 0) << 32n) | BigInt(this.#command),
    };
    const value = special[msr] ?? this.#read((msr - 0x800) << 4, cycle);
    return value === undefined ? undefined : BigInt(value);
  }

  /** WRMSR. @returns messages, or undefined for #GP */
  writeMsr(msr: number, value: bigint, cycle: bigint): Message[] | undefined {
    if (this.mode !== "x2apic") return undefined;
    const low = Number(value & 0xffff_ffffn);
    const high = Number(value >> 32n);
    if (msr === 0x830) {
      if ((low & ~0xc_dfff) !== 0) return undefined;
      [this.#command, this.#destination] = [low & ~0x1000, high];
      return this.#send(low, high, cycle);
    }
    if (high !== 0) return undefined;
    if (msr === 0x83f) return low > 0xff ? undefined : this.#send(low | (1 << 18), 0, cycle);
    if (msr === 0x80b) {
      if (low !== 0) return undefined;
      this.#endOfInterrupt();
      return [];
    }
    const defined = this.#defined((msr - 0x800) << 4);
    if (defined === undefined || (low & ~defined) !== 0) return undefined;
    this.#write((msr - 0x800) << 4, low, cycle);
    return [];
  }

  /** A load of 32 bits from the page. */
  load(offset: number, cycle: bigint): number {
    if (this.mode !== "xapic" || offset % 16 !== 0) return 0xffff_ffff;
    const special: Record<number, number> = {
      0x20: (this.id << 24) >>> 0,
      0x90: 0,
      0xb0: 0,
      0xc0: 0,
      0xd0: this.#ldr,
      0xe0: this.#dfr,
      0x300: this.#command,
      0x310: this.#destination,
    };
    const value = special[offset] ?? this.#read(offset, cycle);
    if (value === undefined) this.#error(ESR.register);
    return value ?? 0;
  }

  /** A store of 32 bits to the page. @returns messages */
  store(offset: number, value: number, cycle: bigint): Message[] {
    if (this.mode !== "xapic" || offset % 16 !== 0) return [];
    const defined = this.#defined(offset);
    if (offset === 0xb0) this.#endOfInterrupt();
    else if (offset === 0xd0) this.#ldr = (value & 0xff00_0000) >>> 0;
    else if (offset === 0xe0) this.#dfr = (value | 0x0fff_ffff) >>> 0;
    else if (offset === 0x310) this.#destination = (value & 0xff00_0000) >>> 0;
    else if (offset === 0x300) {
      this.#command = value & 0xc_cfff;
      return this.#send(this.#command, this.#destination >>> 24, cycle);
    } else if (defined !== undefined) this.#write(offset, (value & defined) >>> 0, cycle);
    else if (![0x20, 0x90, 0xc0].includes(offset) && this.#read(offset, cycle) === undefined) this.#error(ESR.register);
    return [];
  }

  /** WRMSR of IA32_APIC_BASE (11.12.5.1). @returns whether it is legal */
  writeBase(value: bigint): boolean {
    const modes: readonly (Mode | undefined)[] = ["disabled", undefined, "xapic", "x2apic"];
    const to = modes[Number((value >> 10n) & 3n)];
    if (to === undefined || (value & ~0xffff_fd00n) !== 0n) return false;
    const legal = [`disabled xapic`, `xapic x2apic`].includes(`${this.mode} ${to}`);
    if (to !== this.mode && to !== "disabled" && !legal) return false;
    if (to === "disabled" && this.mode !== to) this.#reset();
    if (to === "x2apic" && this.mode === "xapic") {
      this.#ldr = this.#destination = 0;
      this.#dfr = 0xffff_ffff;
    }
    this.mode = to;
    return true;
  }

  // --- messages (11.6) -----------------------------------------------------------------------------------------------------

  #send(command: number, destination: number, cycle: bigint): Message[] {
    const [vector, mode, shorthand] = [command & 0xff, (command >> 8) & 7, (command >> 18) & 3];
    const isLogical = (command & 0x800) !== 0;
    if (mode === 3 || mode === 7 || (mode !== FIXED && (shorthand === 1 || shorthand === 2))) return [];
    if (mode === INIT && (command & 0xc000) === 0x8000) return [];
    const compared = this.mode === "xapic" && isLogical && shorthand === 0;
    if (compared && mode === LOWEST) {
      this.#error(ESR.redirectable);
      return [];
    }
    if (mode <= LOWEST && vector < 16) this.#error(ESR.sendVector);
    const { ids, latency, selfLatency, gap } = this.#around;
    const broadcast = this.mode === "xapic" ? 0xff : 0xffff_ffff;
    const isMeant = (id: number, cpu: number): boolean => {
      if (shorthand !== 0) return shorthand === 1 ? cpu === this.cpu : shorthand === 2 || cpu !== this.cpu;
      if (compared || destination === broadcast) return true;
      if (!isLogical) return id === destination;
      return id >> 4 === destination >>> 16 && ((destination >> (id & 15)) & 1) !== 0;
    };
    let targets = [...ids.keys()].filter((cpu) => isMeant(ids[cpu] ?? 0, cpu));
    if (mode === LOWEST && targets.length > 0) targets = [targets[vector % targets.length] ?? 0];
    const departs = cycle > this.#free ? cycle : this.#free;
    this.#free = departs + gap;
    return targets.map((to) => ({
      to,
      arrival: departs + (to === this.cpu ? selfLatency : latency),
      vector: mode === NMI ? 2 : mode === INIT || mode === 2 ? 0 : vector,
      mode,
      ...(compared && { logical: destination }),
    }));
  }

  receive({ vector, mode, logical }: Message): void {
    if (this.mode === "disabled" || (logical !== undefined && !this.#matches(logical))) return;
    if (mode === NMI) this.nmi = true;
    if (mode > LOWEST || (this.#svr & ENABLED) === 0) return;
    if (vector < 16) this.#error(ESR.receiveVector);
    else this.#request(vector);
  }

  #matches(destination: number): boolean {
    if (this.mode !== "xapic") return false;
    if (destination === 0xff) return true;
    const own = this.#ldr >>> 24;
    if (this.#dfr >>> 28 === 0xf) return (own & destination) !== 0;
    const cluster = destination >> 4;
    return (cluster === 0xf || cluster === own >> 4) && (own & destination & 0xf) !== 0;
  }
}
