// Random arm64 programs: the snippets that stop paths are made of (spins of all kinds, counters, locks, interrupts, waits).

import {
  Device,
  GICD_BASE,
  GICR_BASE,
  GICR_STRIDE,
  PAGE_DEVICE,
  PAGE_OWNER_SHIFT,
  PAGE_READ,
  PAGE_WRITE,
} from "../../src/abi.ts";
import { A64, conditions } from "./a64.ts";
import { PAGE_RW, PAGE_RX } from "./bare-machine.ts";
import type { Guest, Layout } from "./random-machine.ts";
import type { Random } from "./random.ts";

const CODE = 0x4000_0000;
const VECTORS = 0x4003_0000;
const SHARED = 0x4010_0000;
const PRIVATE = 0x4011_0000;
const PRIVATE_BYTES = 256;
const NOWHERE = 0x5000_0000;

// Registers with a fixed role in the programs.
const SHARED_BASE = 20;
const PRIVATE_BASE = 21;
const HANDLER = 24; // to 27: the interrupt handler's own
/** 27 and 30: the virtual and the physical timer. */
const TIMER_PPIS = 0x4800_0000;

export function arm64Guest(random: Random, layout: Layout): Guest {
  const device = PAGE_READ | PAGE_WRITE | PAGE_DEVICE;
  const contents = [{ address: VECTORS, bytes: handler(random) }];
  const starts: { pc: number; stack: number }[] = [];
  const marks: number[] = [VECTORS + 0x280];
  let at = CODE;
  for (let cpu = 0; cpu < layout.cpus; cpu++) {
    const { bytes, offsets } = program(random, layout, cpu);
    contents.push({ address: at, bytes });
    starts.push({ pc: at, stack: 0 });
    for (const offset of offsets) marks.push(at + offset);
    at += Math.ceil(bytes.length / 64) * 64;
  }
  if (at > VECTORS) throw new Error("programs too long");
  return {
    maps: [
      { address: CODE, bytes: 0x4_0000, attributes: PAGE_RX },
      { address: SHARED, bytes: 0x10_0000, attributes: PAGE_RW },
      { address: GICD_BASE, bytes: 0x10000, attributes: device | (Device.GIC_DISTRIBUTOR << PAGE_OWNER_SHIFT) },
      {
        address: GICR_BASE,
        bytes: layout.cpus * GICR_STRIDE,
        attributes: device | (Device.GIC_REDISTRIBUTOR << PAGE_OWNER_SHIFT),
      },
    ],
    contents,
    starts,
    marks,
  };
}

function program(random: Random, layout: Layout, cpu: number): { bytes: Uint8Array; offsets: number[] } {
  const a = new A64();
  const offsets: number[] = [];
  a.mov(SHARED_BASE, SHARED).mov(PRIVATE_BASE, PRIVATE + cpu * PRIVATE_BYTES);
  a.mov(1, VECTORS).msr("vbar_el1", 1);
  enableInterrupts(a, cpu);
  a.label("again");
  const count = random.between(3, 10);
  for (let i = 0; i < count; i++) {
    const before = a.words.length;
    random.pick(snippets)(a, random, layout);
    for (let word = before; word < a.words.length; word += random.between(1, 8)) offsets.push(word * 4);
  }
  if (layout.fatal && random.chance(20)) endMachine(a, random);
  a.b("again");
  return { bytes: a.finish(), offsets };
}

/** An exception without a vector, or a call of the firmware to power off or to reset. */
function endMachine(a: A64, random: Random): void {
  const kind = random.between(0, 3);
  if (kind < 2) a.mov(1, NOWHERE).msr("vbar_el1", 1).isb().svc();
  else a.mov(0, kind === 2 ? 0x8400_0008 : 0x8400_0009).hvc();
}

/** Wakes the redistributor, enables all SGIs in group 1, opens the priority mask, and unmasks IRQs. */
function enableInterrupts(a: A64, cpu: number): void {
  const redistributor = GICR_BASE + cpu * GICR_STRIDE;
  a.mov(2, redistributor).store(31, 2, 0x14, 4);
  a.mov(2, redistributor + 0x10000)
    .mov(3, 0xffff_ffff)
    .store(3, 2, 0x80, 4);
  a.mov(3, TIMER_PPIS | 0xffff).store(3, 2, 0x100, 4);
  if (cpu === 0) a.mov(2, GICD_BASE).mov(3, 2).store(3, 2, 0, 4);
  a.mov(3, 0xff).msr("icc_pmr_el1", 3).mov(3, 1).msr("icc_igrpen1_el1", 3).daifclr(2);
}

/** Counts interrupts in the private line; sometimes lingers. Uses registers of its own and keeps the flags; stops timers. */
function handler(random: Random): Uint8Array {
  const a = new A64();
  for (let i = 0; i < 0x280 / 4; i++) a.nop();
  a.mrs(HANDLER, "icc_iar1_el1").mrs(HANDLER + 3, "nzcv");
  a.load(HANDLER + 1, PRIVATE_BASE, 64)
    .addImmediate(HANDLER + 1, HANDLER + 1, 1)
    .store(HANDLER + 1, PRIVATE_BASE, 64);
  if (random.chance(50)) {
    a.mov(HANDLER + 2, random.between(1, 9))
      .label("linger")
      .relax();
    a.subsImmediate(HANDLER + 2, HANDLER + 2, 1).bCondition("ne", "linger");
  }
  for (const timer of timers) a.msr(`${timer}_ctl_el0`, 31);
  a.msr("nzcv", HANDLER + 3)
    .msr("icc_eoir1_el1", HANDLER)
    .eret();
  return a.finish();
}

/** Generic timers. */
const timers = ["cntp", "cntv"] as const;

type Snippet = (a: A64, random: Random, layout: Layout) => void;

/** Puts the address of a random shared word into X1. */
function sharedWord(a: A64, random: Random, { lines, words }: Layout): void {
  a.addImmediate(1, SHARED_BASE, random.between(0, lines - 1) * 64 + random.between(0, words - 1) * 8);
}

/** Goes round a loop at most `most` times, so that nobody waits for ever: X9 counts down. */
function bounded(a: A64, random: Random, body: (out: string) => void): void {
  const head = a.fresh();
  const out = a.fresh();
  a.mov(9, random.between(3, 60)).label(head);
  body(out);
  a.subsImmediate(9, 9, 1).bCondition("ne", head).label(out);
}

const snippets: readonly Snippet[] = [
  // counters
  (a, random, layout) => {
    sharedWord(a, random, layout);
    a.mov(2, random.between(1, 3)).loadAdd(2, 3, 1, random.chance(50));
  },
  (a, random, layout) => {
    sharedWord(a, random, layout);
    a.load(2, 1).addImmediate(2, 2, 1).store(2, 1);
  },
  (a, random, layout) => {
    sharedWord(a, random, layout);
    const retry = a.fresh();
    a.label(retry).loadExclusive(2, 1).addImmediate(2, 2, 1).storeExclusive(3, 2, 1).cbnz(3, retry, false);
  },
  (a, random, layout) => {
    sharedWord(a, random, layout);
    a.load(2, 1).addImmediate(3, 2, 5).compareAndSwap(2, 3, 1);
  },
  // spins that end when a shared word moves, or by a counter of turns
  (a, random, layout) => {
    sharedWord(a, random, layout);
    a.load(4, 1);
    bounded(a, random, (out) => a.relax().load(5, 1).cmp(5, 4).bCondition("ne", out));
  },
  // two words, one of them private; stores a constant each turn
  (a, random, layout) => {
    sharedWord(a, random, layout);
    a.load(4, 1).mov(6, 1);
    bounded(a, random, (out) =>
      a.load(5, 1).load(7, PRIVATE_BASE, 8).store(6, PRIVATE_BASE, 16).relax().cmp(5, 4).bCondition("ne", out),
    );
  },
  // counts turns in private memory, by load and store and atomically, in both widths
  (a, random, layout) => {
    sharedWord(a, random, layout);
    const size = random.pick([4, 8]);
    a.load(4, 1).mov(6, 3).addImmediate(8, PRIVATE_BASE, 128);
    bounded(a, random, (out) => {
      a.load(7, PRIVATE_BASE, 24, size).addImmediate(7, 7, 1).store(7, PRIVATE_BASE, 24, size);
      a.loadAdd(6, 7, 8, size === 8)
        .relax()
        .load(5, 1)
        .cmp(5, 4)
        .bCondition("ne", out);
    });
  },
  // stores to a contended word in each turn
  (a, random, layout) => {
    sharedWord(a, random, layout);
    bounded(a, random, () => a.mov(2, random.between(0, 5)).store(2, 1, 0).relax());
  },
  // deadline by the counter
  (a, random) => {
    const head = a.fresh();
    a.mrs(2, "cntvct_el0").addImmediate(2, 2, random.between(10, 900)).label(head).relax();
    a.mrs(3, "cntvct_el0")
      .cmp(3, 2)
      .bCondition(random.pick(["cc", "lt"] as const), head);
  },
  // counted loops up and down, with every kind of condition, close to the wraps
  (a, random) => {
    const head = a.fresh();
    const out = a.fresh();
    const wide = random.chance(50);
    const step = random.between(1, 3);
    const down = random.chance(50);
    const start = random.pick([0n, 1n, 100n, 0x7fffffc0n, 0xffffff80n, 0x7fffffffffffffb0n, 0xffffffffffffffa0n]);
    a.mov(2, start)
      .mov(3, start + BigInt(random.between(-90, 90)))
      .mov(9, 70);
    a.label(head).subsImmediate(9, 9, 1).bCondition("eq", out);
    if (down) a.subsImmediate(2, 2, step, wide);
    else a.addsImmediate(2, 2, step, wide);
    if (random.chance(60)) a.cmp(2, 3, wide);
    a.bCondition(random.pick(conditions.slice(0, 14)), head).label(out);
  },
  // growth that is not affine: doubling, Fibonacci, accumulated counters
  (a, random) => {
    a.mov(2, random.between(1, 9)).mov(3, 1);
    const kind = random.between(0, 2);
    bounded(a, random, () => {
      a.relax();
      if (kind === 0) a.addShifted(2, 2, 2, 0);
      else if (kind === 1) a.add(4, 2, 3).movRegister(2, 3).movRegister(3, 4);
      else a.addImmediate(3, 3, 1).add(2, 2, 3);
    });
  },
  // a call in the turn, with a frame
  (a, random, layout) => {
    sharedWord(a, random, layout);
    const routine = a.fresh();
    const over = a.fresh();
    a.b(over)
      .label(routine)
      .storePair(29, 30, PRIVATE_BASE, 192)
      .load(5, 1)
      .relax()
      .loadPair(29, 30, PRIVATE_BASE, 192)
      .ret();
    a.label(over).load(4, 1);
    bounded(a, random, (out) => a.bl(routine).cmp(5, 4).bCondition("ne", out));
  },
  // an interrupt to anybody, oneself included, or to all others
  (a, random, { cpus }) => {
    if (random.chance(15)) a.mov(2, (1n << 40n) | (BigInt(random.between(0, 7)) << 24n));
    else {
      const target = random.between(0, cpus - 1);
      const affinity = (BigInt(target >> 4) << 16n) | (1n << BigInt(target & 15));
      a.mov(2, affinity | (BigInt(random.between(0, 7)) << 24n));
    }
    a.msr("icc_sgi1r_el1", 2);
  },
  // waits; an interrupt to oneself makes sure that they end
  (a, random) => {
    a.mrs(3, "mpidr_el1").mov(4, 0xffff).eor(5, 5, 5);
    selfInterrupt(a, random);
    a.wfi();
  },
  (a, random, layout) => {
    sharedWord(a, random, layout);
    selfInterrupt(a, random);
    a.sevl().wfe().loadExclusive(2, 1).wfe();
  },
  (a, random) => void (random.chance(50) ? a.sev() : a.sevl()),
  // masked for a while, spinning
  (a, random, layout) => {
    sharedWord(a, random, layout);
    a.daifset(2).load(4, 1);
    bounded(a, random, (out) => a.relax().load(5, 1).cmp(5, 4).bCondition("ne", out));
    a.daifclr(2);
  },
  // a timer that interrupts, or that is polled; both may have expired, be masked or never expire
  (a, random) => {
    const timer = random.pick(timers);
    a.mov(2, random.between(-20, 900)).msr(`${timer}_tval_el0`, 2);
    a.mov(2, random.pick([0, 1, 1, 1, 3])).msr(`${timer}_ctl_el0`, 2);
    if (random.chance(30)) a.mov(2, random.pick([0n, 1n << 63n, (1n << 64n) - 1n])).msr(`${timer}_cval_el0`, 2);
    if (random.chance(30)) a.mrs(3, `${timer}_cval_el0`);
  },
  (a, random) => {
    const timer = random.pick(timers);
    const head = a.fresh();
    a.mov(2, random.between(1, 600)).msr(`${timer}_tval_el0`, 2).mov(2, 3).msr(`${timer}_ctl_el0`, 2);
    a.label(head).relax().mrs(3, `${timer}_ctl_el0`).subsImmediate(3, 3, 7).cbnz(3, head);
    if (random.chance(50)) a.msr(`${timer}_ctl_el0`, 31);
  },
  // waits with a timeout, beside or without an event or an interrupt
  (a, random, layout) => {
    sharedWord(a, random, layout);
    a.mrs(2, "cntvct_el0").addImmediate(2, 2, random.between(0, 700));
    if (random.chance(30)) a.loadExclusive(3, 1);
    if (random.chance(50)) a.wfet(2);
    else a.wfit(2);
    if (random.chance(30)) a.mrs(3, "cntvct_el0");
  },
  // the event stream, on and off
  (a, random) => {
    const control = random.chance(60) ? 4 | random.pick([0, 8]) | (random.between(3, 9) << 4) : 0;
    a.mov(2, control).msr("cntkctl_el1", 2);
    if (control !== 0) a.wfe().wfe();
  },
  // private work
  (a, random) => {
    for (let i = random.between(2, 12); i > 0; i--) {
      a.load(2, PRIVATE_BASE, 8 * random.between(0, 3))
        .eor(3, 3, 2)
        .addShifted(3, 3, 2, 5)
        .store(3, PRIVATE_BASE, 32);
    }
  },
];

/** An SGI to the CPU itself, from its own MPIDR (Aff1 and Aff0 are used). */
function selfInterrupt(a: A64, random: Random): void {
  // X2 = 1 << Aff0, bits 23:16 = Aff1, INTID
  const shift = a.fresh();
  const done = a.fresh();
  a.mrs(3, "mpidr_el1").mov(2, 1);
  a.word(0x92400c64); // and x4, x3, #15
  a.label(shift).cbz(4, done).add(2, 2, 2).subImmediate(4, 4, 1).b(shift).label(done);
  a.word(0xd3483c64); // ubfx x4, x3, #8, #8
  a.addShifted(2, 2, 4, 16).mov(4, random.between(0, 7)).addShifted(2, 2, 4, 24).msr("icc_sgi1r_el1", 2);
}
