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
import { A64, barrierOptions, conditions, type BarrierOption } from "./a64.ts";
import { PAGE_RW, PAGE_RX } from "./bare-machine.ts";
import type { Guest, Layout } from "./random-machine.ts";
import type { Random } from "./random.ts";
import {
  EVENT_HANDLER_OFFSET,
  anySdeiCall,
  eventHandler,
  openEvents,
  power,
  signalEvent,
  standBy,
} from "./random-firmware.ts";
import { loads, spinOnSeveral, type Bases } from "./random-loads.ts";

const CODE = 0x4000_0000;
const VECTORS = 0x4003_0000;
const SHARED = 0x4010_0000;
const PRIVATE = 0x4011_0000;
const PRIVATE_BYTES = 1024;
const NOWHERE = 0x5000_0000;

// Registers with a fixed role in the programs.
const SHARED_BASE = 20;
const PRIVATE_BASE = 21;
const BASES: Bases = { shared: SHARED_BASE, own: PRIVATE_BASE };
/** Handlers use 24 to 27, which they save on the stack at the end of the private bytes. */
const HANDLER = 24;

export function arm64Guest(random: Random, layout: Layout): Guest {
  const device = PAGE_READ | PAGE_WRITE | PAGE_DEVICE;
  const contents = [
    { address: VECTORS, bytes: handlers(random, layout) },
    { address: VECTORS + EVENT_HANDLER_OFFSET, bytes: eventHandler(random, VECTORS, PRIVATE_BASE) },
  ];
  const starts: { pc: number; stack: number }[] = [];
  const marks: number[] = [VECTORS + 0x280, VECTORS + 0x300];
  let at = CODE;
  for (let cpu = 0; cpu < layout.cpus; cpu++) {
    const { bytes, offsets } = program(random, layout, cpu);
    contents.push({ address: at, bytes });
    starts.push({ pc: at, stack: PRIVATE + (cpu + 1) * PRIVATE_BYTES });
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
  enableInterrupts(a, random, layout, cpu);
  a.label("again");
  const count = random.between(3, 10);
  for (let i = 0; i < count; i++) {
    const before = a.words.length;
    random.pick(layout.loads && random.chance(80) ? loadSnippets : snippets)(a, random, layout);
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

/** Wakes the redistributor, enables all SGIs and PPIs, opens the priority mask, and unmasks IRQs. */
function enableInterrupts(a: A64, random: Random, layout: Layout, cpu: number): void {
  const redistributor = GICR_BASE + cpu * GICR_STRIDE;
  a.mov(2, redistributor).store(31, 2, 0x14, 4);
  a.mov(2, redistributor + 0x10000)
    .mov(3, random.chance(70) ? 0xffff_ffff : 0xffff_ff5f)
    .store(3, 2, 0x80, 4);
  if (random.chance(60))
    for (let word = 0; word < 8; word++) a.mov(3, priorities(random)).store(3, 2, 0x400 + 4 * word, 4);
  if (layout.featNmi) a.mov(3, random.between(0, 0xff)).store(3, 2, 0xf80, 4);
  a.mov(3, 0xffff_ffff).store(3, 2, 0x100, 4);
  if (cpu === 0) enableShared(a, random, layout);
  if (layout.featNmi && random.chance(60)) setNmi(a, random);
  a.mov(3, random.chance(30) ? 2 : 0).msr("icc_ctlr_el1", 3); // EOImode
  a.mov(3, 0xff).msr("icc_pmr_el1", 3).mov(3, 1).msr("icc_igrpen1_el1", 3).msr("icc_igrpen0_el1", 3);
  a.daifclr(random.chance(50) ? 2 : 3);
}

/** Four priorities, of few levels. */
function priorities(random: Random): number {
  let word = 0;
  for (let i = 0; i < 4; i++) word = (word << 8) | random.pick([0x00, 0x20, 0x80, 0xa0, 0xa8, 0xc0]);
  return word >>> 0;
}

/** SPIs 32 to 47: groups, priorities, level or edge, and enables of both groups. */
function enableShared(a: A64, random: Random, layout: Layout): void {
  a.mov(2, GICD_BASE)
    .mov(3, random.chance(70) ? 0xffff : 0xff3f)
    .store(3, 2, 0x84, 4);
  for (let word = 0; word < 4; word++) a.mov(3, priorities(random)).store(3, 2, 0x420 + 4 * word, 4);
  a.mov(3, random.between(0, 0x7fff_ffff)).store(3, 2, 0xc08, 4);
  if (layout.featNmi) a.mov(3, random.between(0, 15)).store(3, 2, 0xf84, 4);
  a.mov(3, 0xffff).store(3, 2, 0x104, 4);
  a.mov(3, random.chance(80) ? 3 : 2).store(3, 2, 0, 4);
  route(a, random, layout);
}

/** Routes a random SPI to a random CPU, to any one, or to one that isn't there. */
function route(a: A64, random: Random, { cpus }: Layout): void {
  const to = random.chance(20) ? 2 ** 31 : random.between(0, cpus);
  const affinity = to === 2 ** 31 ? to : ((to >> 4) << 8) | (to & 15);
  a.mov(2, GICD_BASE + 0x6000 + 8 * random.between(32, 47))
    .mov(3, affinity)
    .store(3, 2, 0, 8);
}

/** SCTLR_EL1.NMI and SPINTMASK at random. */
function setNmi(a: A64, random: Random): void {
  a.mov(3, (BigInt(random.between(0, 3)) << 61n) | 0x30d0_0800n).msr("sctlr_el1", 3);
}

/** IRQs and FIQs; the handlers stand behind the vectors. */
function handlers(random: Random, layout: Layout): Uint8Array {
  const a = new A64();
  while (a.words.length < 0x280 / 4) a.nop();
  a.b("irq");
  while (a.words.length < 0x300 / 4) a.nop();
  a.b("fiq");
  // From EL0.
  while (a.words.length < 0x400 / 4) a.nop();
  a.b("call");
  while (a.words.length < 0x480 / 4) a.nop();
  a.b("irq");
  while (a.words.length < 0x500 / 4) a.nop();
  a.b("fiq");
  while (a.words.length < 0x580 / 4) a.nop();
  systemCall(a.label("call"));
  handler(a.label("irq"), random, layout, 1);
  handler(a.label("fiq"), random, layout, 0);
  if (a.words.length * 4 > EVENT_HANDLER_OFFSET) throw new Error("handlers too long");
  return a.finish();
}

/**
 * SVC #0 goes on at EL1. Everything else stays: an SDEI event between a handler's last look at its ELR_EL1 and SPSR_EL1 and its ERET, whose
 * own handler ends by EVENT_COMPLETE_AND_RESUME, overwrites both; the handler returns into itself, and takes what lies above its stack for
 * a frame, and that for a place in EL0.
 */
function systemCall(a: A64): void {
  const [syndrome, expected] = [HANDLER, HANDLER + 1];
  a.mrs(syndrome, "esr_el1").mov(expected, 0x5600_0000).cmp(syndrome, expected).bCondition("ne", "astray");
  a.mov(syndrome, 5).msr("spsr_el1", syndrome).eret();
  a.label("astray").b("astray");
}

/**
 * Counts interrupts in the private line; sometimes lingers, and lets more urgent ones in meanwhile. All that it changes is put
 * on the stack, so that it can be interrupted itself.
 */
function handler(a: A64, random: Random, { featNmi }: Layout, group: 0 | 1): void {
  const sp = 31;
  const [saved, id, count, turns] = [HANDLER, HANDLER + 1, HANDLER + 2, HANDLER + 3];
  a.subImmediate(sp, sp, 64).storePair(saved, id, sp, 0).storePair(count, turns, sp, 16);
  a.mrs(saved, "elr_el1").mrs(id, "spsr_el1").storePair(saved, id, sp, 32);
  a.mrs(id, group === 0 ? "icc_iar0_el1" : "icc_iar1_el1");
  if (featNmi && group === 1) {
    const ordinary = a.fresh();
    a.cmpImmediate(id, 1022).bCondition("ne", ordinary).mrs(id, "icc_nmiar1_el1").label(ordinary);
  }
  a.load(count, PRIVATE_BASE, 64).addImmediate(count, count, 1).store(count, PRIVATE_BASE, 64);
  const nests = random.chance(60);
  if (nests && featNmi && random.chance(50)) a.allint(0);
  if (nests) a.daifclr(3);
  if (random.chance(50)) {
    const linger = a.fresh();
    a.mov(turns, random.between(1, 9)).label(linger).relax().subsImmediate(turns, turns, 1).bCondition("ne", linger);
  }
  if (nests) a.daifset(3);
  if (nests && featNmi) a.allint(1);
  for (const timer of timers) a.msr(`${timer}_ctl_el0`, 31);
  a.msr(group === 0 ? "icc_eoir0_el1" : "icc_eoir1_el1", id);
  if (random.chance(40)) a.relax();
  a.msr("icc_dir_el1", id);
  a.loadPair(saved, id, sp, 32).msr("elr_el1", saved).msr("spsr_el1", id);
  a.loadPair(saved, id, sp, 0).loadPair(count, turns, sp, 16).addImmediate(sp, sp, 64).eret();
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

const loadSnippets: readonly Snippet[] = [
  (a, random, layout) => {
    loads(a, random, layout, BASES);
  },
  (a, random, layout) => {
    loads(a, random, layout, BASES);
  },
  (a, random, layout) => {
    spinOnSeveral(a, random, layout, BASES);
  },
];

/** What needs no privilege. */
const plain: readonly Snippet[] = [
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
];

/** To EL0 for some of that, with IRQs and FIQs masked or not, and back. */
function userMode(a: A64, random: Random, layout: Layout): void {
  const user = a.fresh();
  a.mov(2, 3).msr("cntkctl_el1", 2).addImmediate(2, PRIVATE_BASE, 512).msr("sp_el0", 2);
  a.adr(2, user).msr("elr_el1", 2);
  a.mov(2, random.pick([0, 0, 0x80, 0xc0]) | (random.between(0, 15) * 2 ** 28)).msr("spsr_el1", 2);
  a.eret().label(user);
  for (let i = random.between(1, 4); i > 0; i--) random.pick(plain)(a, random, layout);
  a.svc();
}

const snippets: readonly Snippet[] = [
  ...plain,
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
  // SGIs of group 0 only
  (a, random) => void a.mov(2, random.between(0, 7) * 2 ** 24 + random.between(1, 15)).msr("icc_sgi0r_el1", 2),
  // a shared interrupt, by software: pending, not pending, by message, enabled and not, another priority, another target
  (a, random, layout) => {
    a.mov(2, GICD_BASE).mov(3, 1 << random.between(0, 15));
    const kind = random.between(0, 6);
    if (kind < 2) a.store(3, 2, 0x204, 4);
    else if (kind === 2) a.store(3, 2, random.pick([0x284, 0x384, 0x304]), 4);
    else if (kind === 3) a.store(3, 2, 0x184, 4).relax().store(3, 2, 0x104, 4);
    else if (kind === 4) a.mov(3, random.between(32, 47)).store(3, 2, random.pick([0x40, 0x48]), 4);
    else if (kind === 5) a.mov(3, priorities(random) & 0xff).store(3, 2, 0x420 + random.between(0, 15), 1);
    else route(a, random, layout);
  },
  // what the distributor and a redistributor say of it
  (a, random, { cpus }) => {
    a.mov(2, GICD_BASE)
      .load(3, 2, random.pick([0, 0x204, 0x304]), 4)
      .add(5, 5, 3);
    a.mov(2, GICR_BASE + random.between(0, cpus - 1) * GICR_STRIDE + 0x10000);
    a.load(3, 2, random.pick([0x200, 0x300]), 4).add(5, 5, 3);
  },
  // private interrupts of anybody: pending, not pending, another priority, another trigger
  (a, random, { cpus }) => {
    a.mov(2, GICR_BASE + random.between(0, cpus - 1) * GICR_STRIDE + 0x10000);
    a.mov(3, (random.between(1, 0xffff) * 2 ** 16) | random.between(0, 0xff));
    const kind = random.between(0, 3);
    if (kind < 2) a.store(3, 2, random.pick([0x200, 0x280]), 4);
    else if (kind === 2) a.mov(3, priorities(random) & 0xff).store(3, 2, 0x400 + random.between(0, 31), 1);
    else a.store(3, 2, 0xc04, 4);
  },
  // the CPU interface: closed to some priorities for a while, a group off and on, another binary point
  (a, random) => {
    const kind = random.between(0, 4);
    if (kind < 3)
      a.mov(2, random.pick([0x00, 0x60, 0xa0, 0xc0]))
        .msr("icc_pmr_el1", 2)
        .mov(3, 0xff);
    else if (kind === 3) a.msr(random.pick(["icc_igrpen0_el1", "icc_igrpen1_el1"] as const), 31).mov(3, 1);
    else a.mov(3, random.between(0, 7)).msr(random.pick(["icc_bpr0_el1", "icc_bpr1_el1"] as const), 3);
    bounded(a, random, () => a.relax());
    a.mrs(2, random.pick(["icc_hppir1_el1", "icc_hppir0_el1", "icc_rpr_el1", "isr_el1"] as const)).add(5, 5, 2);
    a.mov(3, 0xff).msr("icc_pmr_el1", 3).msr("icc_igrpen1_el1", 3).msr("icc_igrpen0_el1", 3);
  },
  // a redistributor asleep for a while
  (a, random, { cpus }) => {
    const redistributor = GICR_BASE + random.between(0, cpus - 1) * GICR_STRIDE;
    a.mov(2, redistributor).mov(3, 2).store(3, 2, 0x14, 4);
    bounded(a, random, () => a.relax());
    a.store(31, 2, 0x14, 4);
  },
  // FEAT_NMI: masked by ALLINT, by the stack pointer; other interrupts become non-maskable
  (a, random, { featNmi, cpus }) => {
    if (!featNmi) return;
    const kind = random.between(0, 2);
    if (kind === 0) setNmi(a, random);
    else if (kind === 1) {
      const cpu = random.between(0, cpus - 1);
      a.mov(2, GICR_BASE + cpu * GICR_STRIDE + 0x10000)
        .mov(3, random.between(0, 0xff))
        .store(3, 2, 0xf80, 4);
    }
    a.allint(1);
    bounded(a, random, () => a.relax());
    a.mrs(2, "isr_el1").add(5, 5, 2).allint(0);
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
  // events of SDEI, and other business of EL3
  (a, random, layout) => {
    openEvents(a, random, layout, VECTORS);
  },
  (a, random, layout) => {
    for (let i = random.between(1, 3); i > 0; i--) signalEvent(a, random, layout);
  },
  (a, random) => {
    for (let i = random.between(1, 3); i > 0; i--) anySdeiCall(a, random);
  },
  (a, random, layout) => {
    power(a, random, layout, CODE);
  },
  (a, random) => {
    a.mrs(3, "mpidr_el1");
    selfInterrupt(a, random);
    standBy(a, random);
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
  stores,
  stores,
  ...loadSnippets,
  userMode,
  userMode,
  userMode,
];

/**
 * Stores to shared lines, overlapping and of all widths, with what orders them between; loads of what has been stored, and of two
 * lines at once.
 */
function stores(a: A64, random: Random, layout: Layout): void {
  for (let i = random.between(3, 14); i > 0; i--) {
    sharedWord(a, random, layout);
    const size = random.pick([1, 4, 8]);
    const offset = size * random.between(0, 8 / size - 1);
    const kind = random.between(0, 9);
    if (kind < 4) a.mov(2, random.between(1, 0x7fff_ffff)).store(2, 1, offset, size);
    else if (kind === 4) a.load(3, 1, offset, size).eor(5, 5, 3);
    else if (kind === 5) {
      a.movRegister(4, 1);
      sharedWord(a, random, layout);
      a.load(3, 4).load(6, 1).eor(5, 3, 6);
    } else order(a, random);
  }
}

/** Accesses of the word at X1 that are ordered with others, and barriers. */
function order(a: A64, random: Random): void {
  const kind = random.between(0, 7);
  const options = Object.keys(barrierOptions) as BarrierOption[];
  if (kind < 2) a.dmb(random.pick(options));
  else if (kind === 2) a.dsb(random.pick(options));
  else if (kind === 3) a.storeRelease(5, 1);
  else if (kind === 4) a.loadAcquire(3, 1, random.chance(50));
  else if (kind === 5) a.loadAddOrdered(5, 3, 1, random.chance(50), random.chance(50));
  else if (kind === 6) a.isb();
  else {
    a.loadExclusive(3, 1, random.chance(50));
    if (random.chance(40)) a.store(5, 1, 0);
    a.addImmediate(3, 3, 1).storeExclusive(2, 3, 1, random.chance(50));
  }
}

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
