// All randomness: one seeded generator per purpose, so that drawing more for one thing changes no other.

/** Same seed and purpose, same numbers, on every host (a SplitMix32 counter behind an FNV-1a hash of the purpose). */
export class SeededRandom {
  #state: number;

  constructor(seed: number, purpose: string) {
    let hash = (0x811c9dc5 ^ (seed >>> 0)) >>> 0;
    for (const letter of purpose) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0;
    this.#state = hash;
  }

  /** 32 random bits. */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** A number in [0, 1). */
  fraction(): number {
    return this.next() / 2 ** 32;
  }

  /** One of the weighted choices; the weights need not sum to anything. */
  choose<T>(choices: readonly (readonly [weight: number, choice: T])[]): T {
    const total = choices.reduce((sum, [weight]) => sum + weight, 0);
    let point = this.fraction() * total;
    for (const [weight, choice] of choices) {
      point -= weight;
      if (point < 0) return choice;
    }
    return (choices.at(-1) as readonly [number, T])[1];
  }
}
