// What of a run goes into a trace: some CPUs, some time. What is open when the window begins begins there; what is open at its end ends.

import { trackKinds, type Emit, type SliceBegin, type TraceEvent, type TrackKind } from "./event.ts";

export interface Bounds {
  /** Undefined: all. */
  readonly cpus: ReadonlySet<number> | undefined;
  /** Cycles: from the first of them, to before the second. */
  readonly from: number;
  readonly to: number;
}

/** Lets through what lies within bounds, with the slices of each track balanced. */
export class Bounded {
  readonly #bounds: Bounds;
  readonly #emit: Emit;
  readonly #open = new Map<number, Record<TrackKind, SliceBegin[]>>();
  #hasBegun: boolean;

  constructor(bounds: Bounds, emit: Emit) {
    this.#bounds = bounds;
    this.#emit = emit;
    this.#hasBegun = bounds.from === 0;
  }

  readonly emit: Emit = (event) => {
    const { cpus, from, to } = this.#bounds;
    if (event.cycle >= to || cpus?.has(event.cpu) === false) return;
    if (!this.#hasBegun && event.cycle >= from) this.#begin();
    this.#follow(event);
    if (this.#hasBegun) this.#emit(event);
  };

  /** The run, or the window, is over. @param cycle the end of the run */
  end(cycle: number): void {
    const last = Math.min(cycle, this.#bounds.to);
    if (!this.#hasBegun && last >= this.#bounds.from) this.#begin();
    if (!this.#hasBegun) return;
    for (const [track, open] of this.#tracks()) {
      for (const { cpu, name, kernel } of open.toReversed())
        this.#emit({ type: "end", cycle: last, cpu, track, name, ...silence(kernel) });
    }
  }

  #begin(): void {
    this.#hasBegun = true;
    for (const [, open] of this.#tracks()) {
      for (const { kernel, values, ...slice } of open) {
        const told = { ...(values === undefined ? {} : { values }), ...silence(kernel) };
        this.#emit({ ...slice, ...told, cycle: this.#bounds.from, endingFlows: [], flows: [] });
      }
    }
  }

  #tracks(): (readonly [TrackKind, SliceBegin[]])[] {
    const cpus = [...this.#open].sort(([one], [other]) => one - other);
    return cpus.flatMap(([, tracks]) => trackKinds.map((kind) => [kind, tracks[kind]] as const));
  }

  #follow(event: TraceEvent): void {
    if (event.type === "instant") return;
    let tracks = this.#open.get(event.cpu);
    if (tracks === undefined) {
      tracks = { phases: [], execution: [], calls: [], stolen: [] };
      this.#open.set(event.cpu, tracks);
    }
    if (event.type === "begin") tracks[event.track].push(event);
    else tracks[event.track].pop();
  }
}

/** The kernel said it when it happened, not now; what it never says has to be said. */
function silence(kernel: SliceBegin["kernel"]): Pick<SliceBegin, "kernel"> {
  return kernel === undefined ? {} : { kernel: [] };
}
