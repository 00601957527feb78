// Random arm64 loads side by side: of lines that others write meanwhile, near each other and far, with what stands between them.

import { conditions, type A64 } from "./a64.ts";
import type { Layout } from "./random-machine.ts";
import type { Random } from "./random.ts";

/** Registers that hold the addresses of shared words, and of private ones. */
export interface Bases {
  readonly shared: number;
  readonly own: number;
}

/** Pointers to words; two of them may be the same. */
const POINTERS = [10, 11, 12, 13, 14] as const;
const [FIRST, SECOND, THIRD] = POINTERS;
/** Where loads go to, and what sums them up. */
const TARGETS = [2, 3, 4, 6] as const;
const SUM = 5;
const DEPENDENT = 7;

function point(a: A64, random: Random, { lines, words }: Layout, { shared, own }: Bases): void {
  for (const pointer of POINTERS) {
    const word = 8 * random.between(0, words - 1);
    if (random.chance(15)) a.addImmediate(pointer, own, word);
    else a.addImmediate(pointer, shared, 64 * random.between(0, lines - 1) + word);
  }
}

/** Several loads, hardly anything between them; then something that takes lines away from others, or orders. */
export function loads(a: A64, random: Random, layout: Layout, bases: Bases): void {
  point(a, random, layout, bases);
  for (let bursts = random.between(1, 5); bursts > 0; bursts--) {
    for (let i = random.between(2, 6); i > 0; i--) {
      oneLoad(a, random);
      if (random.chance(25)) random.pick([branchOver, branchOver, detour])(a, random);
    }
    between(a, random, layout);
  }
}

/** Goes to a label, or not, as something that has been loaded says. */
function branchOnLoaded(a: A64, random: Random, label: string): void {
  const target = random.pick(TARGETS);
  const kind = random.between(0, 4);
  if (kind === 0) a.cbz(target, label, random.chance(50));
  else if (kind === 1) a.cbnz(target, label, random.chance(50));
  else if (kind === 2) a.tbz(target, random.between(0, 2), label);
  else if (kind === 3) a.tbnz(target, random.between(0, 2), label);
  else a.cmp(target, random.pick(TARGETS)).bCondition(random.pick(conditions.slice(0, 14)), label);
}

/** A branch forwards: to the next instruction, or over some, loads among them. */
function branchOver(a: A64, random: Random): void {
  const over = a.fresh();
  branchOnLoaded(a, random, over);
  for (let i = random.between(0, 3); i > 0; i--) {
    if (random.chance(60)) oneLoad(a, random);
    else if (random.chance(40)) a.addImmediate(random.pick(POINTERS), random.pick(POINTERS), 0);
    else a.addImmediate(SUM, SUM, 1);
  }
  a.label(over);
  if (random.chance(70)) oneLoad(a, random);
}

/** A load that is come to on two ways, of as many instructions: straight on, and by a branch forwards and one back. */
function detour(a: A64, random: Random): void {
  const [away, back, end] = [a.fresh(), a.fresh(), a.fresh()];
  branchOnLoaded(a, random, away);
  const hasBarrier = random.chance(50);
  a.nop();
  if (hasBarrier) a.nop();
  a.label(back).load(random.pick(TARGETS), random.pick(POINTERS)).b(end).label(away);
  if (hasBarrier) a.dmb("ld");
  a.b(back).label(end);
}

function oneLoad(a: A64, random: Random): void {
  const pointer = random.pick(POINTERS);
  const target = random.pick(TARGETS);
  const kind = random.between(0, 19);
  if (kind < 12) {
    const size = random.pick([1, 2, 4, 8, 8]);
    a.load(target, pointer, size * random.between(0, 8 / size - 1), size);
  } else if (kind < 14) a.add(SUM, SUM, target);
  else if (kind === 14) a.eor(DEPENDENT, target, target).add(DEPENDENT, pointer, DEPENDENT).load(target, DEPENDENT);
  else if (kind === 15) {
    // LDR Xt, [Xn], #8; and Xn as it was
    a.word(0xf840_8400 | (pointer << 5) | target).subImmediate(pointer, pointer, 8);
  } else if (kind === 16) {
    // LDUR Xt, [Xn, #60]: it may be in two lines
    a.word(0xf843_c000 | (pointer << 5) | target);
  } else if (kind === 17) a.loadPair(target, DEPENDENT, pointer, 8 * random.between(0, 7));
  // UDIV X7, X5, X5: it takes longer
  else a.word(0x9ac0_0800 | (SUM << 16) | (SUM << 5) | DEPENDENT);
}

function between(a: A64, random: Random, { hardwareIds }: Layout): void {
  const pointer = random.pick(POINTERS);
  const kind = random.between(0, 9);
  if (kind < 3) a.loadAdd(SUM, DEPENDENT, pointer);
  else if (kind < 5) a.store(SUM, pointer);
  else if (kind === 5) a.dmb(random.pick(["ish", "ld", "st", "ishld"]));
  else if (kind === 6) a.loadAcquire(random.pick(TARGETS), pointer, random.chance(50));
  else if (kind === 7) {
    const next = a.fresh();
    a.cbz(random.pick(TARGETS), next).nop().label(next);
  } else if (kind === 8) {
    // An SGI to one of the CPUs (MPIDRs use Aff1 and Aff0)
    const mpidr = random.pick(hardwareIds);
    const affinity = ((mpidr >> 8) & 0xff) * 2 ** 16 + 2 ** (mpidr & 0xf);
    a.mov(DEPENDENT, random.between(0, 7) * 2 ** 24 + affinity).msr("icc_sgi1r_el1", DEPENDENT);
  }
}

/** Waits, for a while, until one of several words moves; X9 counts down. */
export function spinOnSeveral(a: A64, random: Random, layout: Layout, bases: Bases): void {
  const head = a.fresh();
  const out = a.fresh();
  point(a, random, layout, bases);
  a.load(SUM, FIRST).mov(9, random.between(3, 60)).label(head);
  a.load(2, FIRST).load(3, SECOND);
  if (random.chance(50)) a.add(3, 3, 2).load(4, THIRD);
  if (random.chance(40)) branchOver(a, random);
  a.cmp(2, SUM).bCondition("ne", out).subsImmediate(9, 9, 1).bCondition("ne", head).label(out);
}
