// A GICv3 with one security state, written from the manual (Arm IHI 0069H 4.1, 4.3, 4.8, 12.2, 12.9, 12.11) and from nothing
// else: everything happens at once, interrupts are objects, active priorities a stack. What the core's model is compared with.

export const SPURIOUS = 1023n;
const NON_MASKABLE = 1022n;
const NMI_FLAG = 1n << 63n;

interface Interrupt {
  readonly id: number;
  group: 0 | 1;
  enabled: boolean;
  /** Pending by an edge or by software. */
  latched: boolean;
  /** Its line; for SPIs, what GICD_SETSPI_NSR has set. */
  line: boolean;
  active: boolean;
  priority: number;
  edge: boolean;
  nmi: boolean;
  /** Number of the PE that an SPI is routed to. */
  route: number;
}

interface Active {
  readonly group: 0 | 1;
  readonly priority: number;
  readonly nmi: boolean;
}

interface Pe {
  readonly own: readonly Interrupt[];
  asleep: boolean;
  pmr: number;
  bpr: [number, number];
  enables: [boolean, boolean];
  cbpr: boolean;
  eoiMode: boolean;
  /** The most urgent last. */
  active: Active[];
  sctlrNmi: boolean;
  lastAcknowledged: number;
}

/** Kinds of registers with one bit per INTID. */
export type BitRegister = "group" | "enable" | "disable" | "pend" | "unpend" | "activate" | "deactivate" | "nmi";

function interrupt(id: number): Interrupt {
  return {
    id,
    group: 0,
    enabled: false,
    latched: false,
    line: false,
    active: false,
    priority: 0,
    edge: id < 16,
    nmi: false,
    route: 0,
  };
}

export class ReferenceGic {
  readonly pes: readonly Pe[];
  readonly #shared = Array.from({ length: 256 }, (_, index) => interrupt(32 + index));
  readonly #featNmi: boolean;
  /** GICD_CTLR: enables of the groups. */
  groups: [boolean, boolean] = [false, false];

  constructor(pes: number, featNmi: boolean) {
    this.#featNmi = featNmi;
    this.pes = Array.from({ length: pes }, () => ({
      own: Array.from({ length: 32 }, (_, id) => interrupt(id)),
      asleep: false,
      pmr: 0,
      bpr: [2, 3],
      enables: [false, false],
      cbpr: false,
      eoiMode: false,
      active: [],
      sctlrNmi: false,
      lastAcknowledged: 0,
    }));
  }

  #pe(pe: number): Pe {
    const found = this.pes[pe];
    if (found === undefined) throw new Error("no such PE");
    return found;
  }

  /** An interrupt of a PE, or an SPI. */
  #interrupt(pe: number, id: number): Interrupt {
    const found = id < 32 ? this.#pe(pe).own[id] : this.#shared[id - 32];
    if (found === undefined) throw new Error("no such interrupt");
    return found;
  }

  // --- registers in memory ------------------------------------------------------------------------------------------

  /** Writes a word of bits for `first` to `first` + 31, of a PE's redistributor or of the distributor. */
  writeBits(pe: number, register: BitRegister, first: number, value: number): void {
    for (let bit = 0; bit < 32; bit++) {
      const one = this.#interrupt(pe, first + bit);
      const set = ((value >>> bit) & 1) !== 0;
      if (register === "group") one.group = set ? 1 : 0;
      else if (register === "nmi") one.nmi = set && this.#featNmi;
      else if (!set) continue;
      else if (register === "enable" || register === "disable") one.enabled = register === "enable";
      else if (register === "pend" || register === "unpend") one.latched = register === "pend";
      else one.active = register === "activate";
    }
  }

  readBits(pe: number, register: BitRegister, first: number): bigint {
    let value = 0n;
    for (let bit = 0; bit < 32; bit++) {
      const one = this.#interrupt(pe, first + bit);
      const values: Record<BitRegister, boolean> = {
        group: one.group === 1,
        nmi: one.nmi,
        enable: one.enabled,
        disable: one.enabled,
        pend: isPending(one),
        unpend: isPending(one),
        activate: one.active,
        deactivate: one.active,
      };
      if (values[register]) value |= 1n << BigInt(bit);
    }
    return value;
  }

  setPriority(pe: number, id: number, priority: number): void {
    this.#interrupt(pe, id).priority = priority & 0xf8;
  }

  priority(pe: number, id: number): bigint {
    return BigInt(this.#interrupt(pe, id).priority);
  }

  /** GICR_ICFGR1, GICD_ICFGR: sixteen interrupts from `first`. */
  configure(pe: number, first: number, value: number): void {
    for (let i = 0; i < 16; i++) this.#interrupt(pe, first + i).edge = ((value >>> (2 * i + 1)) & 1) !== 0;
  }

  route(id: number, pe: number): void {
    this.#interrupt(0, id).route = pe;
  }

  /** GICD_SETSPI_NSR, GICD_CLRSPI_NSR. */
  message(id: number, set: boolean): void {
    const one = this.#interrupt(0, id);
    if (one.edge) one.latched = set;
    else one.line = set;
  }

  // --- the CPU interface --------------------------------------------------------------------------------------------

  /** The highest priority pending interrupt that is forwarded to a PE, of the groups that it has enabled. */
  #highest(pe: number): Interrupt | undefined {
    const { own, asleep, enables } = this.#pe(pe);
    if (asleep) return undefined;
    const mine = [...own, ...this.#shared.filter(({ route }) => route === pe)];
    const candidates = mine.filter(
      (one) => isPending(one) && one.enabled && !one.active && this.groups[one.group] && enables[one.group],
    );
    return candidates.sort((a, b) => urgency(a) - urgency(b) || Number(isNmi(b)) - Number(isNmi(a)) || a.id - b.id)[0];
  }

  /** Bits of a priority that decide about preemption, for a group. */
  #groupMask(pe: number, group: 0 | 1): number {
    const { bpr, cbpr } = this.#pe(pe);
    const dropped = group === 1 && !cbpr ? bpr[1] : bpr[0] + 1;
    return 0xf8 & ~(2 ** dropped - 1);
  }

  #running(pe: number): Active | undefined {
    return this.#pe(pe).active.at(-1);
  }

  /** The interrupt that is signalled to a PE. */
  #signalled(pe: number): Interrupt | undefined {
    const one = this.#highest(pe);
    if (one === undefined) return undefined;
    if (!isNmi(one) && one.priority >= this.#pe(pe).pmr) return undefined;
    const running = this.#running(pe);
    if (running === undefined) return one;
    const mask = this.#groupMask(pe, one.group);
    const [candidate, against] = [urgency(one) & mask, running.priority & mask];
    const preempts = candidate < against || (isNmi(one) && !running.nmi && candidate === against);
    return preempts ? one : undefined;
  }

  /** ISR_EL1. */
  status(pe: number): bigint {
    const one = this.#signalled(pe);
    if (one === undefined) return 0n;
    if (one.group === 0) return 0x40n;
    return isNmi(one) && this.#pe(pe).sctlrNmi ? 0x480n : 0x80n;
  }

  highestPending(pe: number, group: 0 | 1): bigint {
    const one = this.#highest(pe);
    return one?.group === group ? BigInt(one.id) : SPURIOUS;
  }

  acknowledge(pe: number, group: 0 | 1, nmiRegister = false): bigint {
    const one = this.#signalled(pe);
    if (one?.group !== group || (nmiRegister && !isNmi(one))) return SPURIOUS;
    if (isNmi(one) && !nmiRegister && this.#pe(pe).sctlrNmi) return NON_MASKABLE;
    one.active = true;
    one.latched = false;
    const priority = urgency(one) & this.#groupMask(pe, group);
    this.#pe(pe).active.push({ group, priority, nmi: isNmi(one) });
    this.#pe(pe).lastAcknowledged = one.id;
    return BigInt(one.id);
  }

  /** A write that is UNPREDICTABLE is treated as by QEMU. */
  endOfInterrupt(pe: number, group: 0 | 1, id: number): void {
    const { active, eoiMode } = this.#pe(pe);
    if (id >= 288 || active.at(-1)?.group !== group) return;
    active.pop();
    if (!eoiMode) this.#interrupt(pe, id).active = false;
  }

  deactivate(pe: number, id: number): void {
    if (id < 288 && this.#pe(pe).eoiMode) this.#interrupt(pe, id).active = false;
  }

  runningPriority(pe: number): bigint {
    const running = this.#running(pe);
    if (running === undefined) return 0xffn;
    return running.nmi ? NMI_FLAG : BigInt(running.priority);
  }

  activePriorities(pe: number, group: 0 | 1): bigint {
    return this.#pe(pe)
      .active.filter((one) => one.group === group)
      .reduce((bits, { priority, nmi }) => bits | (nmi ? NMI_FLAG : 1n << BigInt(priority >> 3)), 0n);
  }

  setBinaryPoint(pe: number, group: 0 | 1, value: number): void {
    const state = this.#pe(pe);
    if (group === 0) state.bpr[0] = Math.max(2, value & 7);
    else if (!state.cbpr) state.bpr[1] = Math.max(3, value & 7);
  }

  binaryPoint(pe: number, group: 0 | 1): bigint {
    const { bpr, cbpr } = this.#pe(pe);
    return BigInt(group === 1 && cbpr ? Math.min(7, bpr[0] + 1) : bpr[group]);
  }

  /** ICC_SGI1R_EL1, or a register that generates SGIs of Group 0 only. */
  sendSgi(targets: readonly number[], id: number, onlyGroup0: boolean): void {
    for (const pe of targets) {
      const one = this.#interrupt(pe, id);
      if (!onlyGroup0 || one.group === 0) one.latched = true;
    }
  }
}

function isPending({ latched, line, edge }: Interrupt): boolean {
  return latched || (line && !edge);
}

function isNmi({ nmi, group }: Interrupt): boolean {
  return nmi && group === 1;
}

function urgency(one: Interrupt): number {
  return isNmi(one) ? 0 : one.priority;
}
