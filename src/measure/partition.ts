// A span of time divided among causes: stretches that follow each other without a gap, so that their lengths sum to the whole.

/** Why a CPU was late, by name. */
export const causes = {
  sender: "the sender's serialisation: it served other CPUs first",
  message: "message latency: the interrupt was under way",
  lost: "the interrupt was lost on its way",
  "irqs-off": "interrupts were off",
  "nmi-blocked": "NMIs were blocked",
  "idle-exit": "it left an idle state",
  smm: "it was in system-management mode",
  descheduled: "its hypervisor ran something else",
  line: "it waited for a cache line",
  kernel: "its own way through the kernel: handler, scheduler, stopper thread",
  others: "it spun for others",
} as const;

/** Why a CPU was late: a key of `causes`. */
export type Cause = keyof typeof causes;

/** Cycles `from` to `until`, which is excluded, and what they went to. */
export interface Stretch {
  readonly cause: Cause;
  readonly from: number;
  readonly until: number;
  /** Of the cause `line`: an address in it. */
  readonly address?: number;
}

/** What all stretches of one cause, and of one line, sum to. */
export interface Part {
  readonly cause: Cause;
  readonly cycles: number;
  readonly address?: number;
}

/** Puts stretches one behind the other, from a cycle on. */
export class Span {
  readonly stretches: Stretch[] = [];
  #until: number;
  readonly #end: number;

  constructor(from: number, end: number) {
    this.#until = from;
    this.#end = Math.max(from, end);
  }

  /** Where the next stretch begins. */
  get cycle(): number {
    return this.#until;
  }

  /** Up to a cycle, or the end of the span; what has passed already stays as it is. */
  goOn(cause: Cause, until: number): void {
    const to = Math.min(until, this.#end);
    if (!(to > this.#until)) return;
    this.stretches.push({ cause, from: this.#until, until: to });
    this.#until = to;
  }
}

/**
 * Lays other stretches over a span: where they meet one of the causes in `over`, they take its place. The result is as long as before
 * and has no gaps.
 * @param stretches without gaps, in order
 * @param above in the order of their beginnings; where they overlap, the first counts
 */
export function layOver(
  stretches: readonly Stretch[],
  above: readonly Stretch[],
  over: ReadonlySet<Cause>,
): readonly Stretch[] {
  if (above.length === 0) return stretches;
  const result: Stretch[] = [];
  let next = 0;
  for (const below of stretches) {
    let cycle = below.from;
    if (over.has(below.cause)) {
      while ((above[next]?.until ?? Infinity) <= cycle) next++;
      // One that reaches beyond this stretch concerns the following ones, too.
      for (let index = next; index < above.length && cycle < below.until; index++) {
        const one = above[index] as Stretch;
        if (one.from >= below.until) break;
        const from = Math.max(one.from, cycle);
        const until = Math.min(one.until, below.until);
        if (until <= from) continue;
        if (from > cycle) result.push({ ...below, from: cycle, until: from });
        result.push({ ...one, from, until });
        cycle = until;
      }
    }
    if (cycle < below.until) result.push({ ...below, from: cycle, until: below.until });
  }
  return result;
}

const order = Object.keys(causes) as Cause[];

/** Sums stretches by cause and by line of `lineBytes`, the greatest first; equal ones in the order of `causes` and addresses. */
export function sumParts(stretches: readonly Stretch[], lineBytes: number): Part[] {
  const sums: Sum[] = [];
  // Without lines there are a few causes only.
  const byKey = stretches.length > FEW ? new Map<number, Sum>() : undefined;
  for (const { cause, from, until, address } of stretches) {
    const line = address === undefined ? 0 : 1 + Math.floor(address / lineBytes);
    const key = line * order.length + order.indexOf(cause);
    const known = byKey === undefined ? sums.find((one) => one.key === key) : byKey.get(key);
    if (known !== undefined) {
      known.cycles += until - from;
      continue;
    }
    const sum = { key, cause, address, cycles: until - from };
    sums.push(sum);
    byKey?.set(key, sum);
  }
  sums.sort((one, other) => other.cycles - one.cycles || one.key - other.key);
  return sums.map(({ cause, address, cycles }) =>
    address === undefined ? { cause, cycles } : { cause, cycles, address },
  );
}

interface Sum {
  readonly key: number;
  readonly cause: Cause;
  readonly address: number | undefined;
  cycles: number;
}

const FEW = 16;

/** The part of a partition between two cycles. */
export function clip(stretches: readonly Stretch[], from: number, until: number): Stretch[] {
  return stretches
    .map((one) => ({ ...one, from: Math.max(one.from, from), until: Math.min(one.until, until) }))
    .filter((one) => one.until > one.from);
}
