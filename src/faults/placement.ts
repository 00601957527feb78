// Where in a run something goes wrong: at a time, at a cycle, or at an instruction of a CPU.

/** Behind the n-th time that a CPU comes by a mark "routine:mark", or a symbol. */
export interface AtMark {
  readonly mark: string;
  /** Whose coming by counts; any CPU's if not given. */
  readonly cpu?: number | undefined;
  /** Which time; the first if not given. */
  readonly hit?: number | undefined;
  /** Instructions that this CPU executes from there on, the marked one first; 0 if not given: right before that one. */
  readonly instructions?: number | undefined;
  /** Or so much later. */
  readonly delayNs?: number | undefined;
}

/** From the machine's first cycle on, or behind a mark. */
export type Placement = { readonly us: number } | { readonly cycle: number } | AtMark;

/** `at` of a document. */
export interface PlacementFields {
  readonly us?: number | undefined;
  readonly cycle?: number | undefined;
  readonly mark?: string | undefined;
  readonly cpu?: number | undefined;
  readonly hit?: number | undefined;
  readonly instructions?: number | undefined;
  readonly delayNs?: number | undefined;
}

/**
 * Every instruction boundary of what a CPU executes from a mark on: `count` placements, the first right before the marked instruction.
 * One run each is an exhaustive search.
 */
export function everyBoundary(mark: string, count: number, which: Pick<AtMark, "cpu" | "hit"> = {}): AtMark[] {
  return Array.from({ length: count }, (_, instructions) => ({ ...which, mark, instructions }));
}
