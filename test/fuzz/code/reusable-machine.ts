// A small machine that is put back to where it was built, so that millions of inputs run on it: constructing one costs the
// host as much as hundreds of short runs.

import { ALL_ACCELERATIONS, Config, Counter, PAGE_BYTES, Region } from "../../../src/abi.ts";
import { BareMachine, type BareMachineOptions } from "../../support/bare-machine.ts";

const EVENT_NODES = 4096;
const DIRECTORY_BYTES = 2 ** 20;
const CODE_BYTES = 8 * 2 ** 20;
/** One word for each page of 4 GiB: attributes, and where decoded code is. The tables stand one behind the other, before RAM. */
const PAGE_TABLE_BYTES = 4 * 2 ** 20;

/** A range of linear memory and what stood there. */
interface Kept {
  readonly start: number;
  readonly bytes: Uint8Array;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

export class ReusableMachine {
  readonly bare: BareMachine;
  readonly #memory: Uint8Array;
  readonly #kept: readonly Kept[];
  readonly #directory: number;
  /** What is written before it is read, or out of reach: not put back. */
  readonly scratch: Span;

  /** @param prepare maps pages and writes what all inputs find there; nothing runs yet */
  constructor(options: BareMachineOptions & { readonly ramBytes: number }, prepare: (machine: BareMachine) => void) {
    const words = [
      [Config.EVENT_NODES, EVENT_NODES],
      [Config.DIRECTORY_BYTES, DIRECTORY_BYTES],
      [Config.CODE_BYTES, CODE_BYTES],
    ] as const;
    this.bare = new BareMachine({ ...options, traceRecords: 16, words });
    prepare(this.bare);
    const { core, ramBase } = this.bare;
    this.#memory = new Uint8Array(core.buffer);
    // The order in which the core reserves its regions; a test compares all of memory with a new machine's.
    const ram = core.region(Region.RAM);
    const attributes = ram - 2 * PAGE_TABLE_BYTES;
    const codePages = ram - PAGE_TABLE_BYTES;
    const firstPage = (ramBase / PAGE_BYTES) * 4;
    const pageWords = (options.ramBytes / PAGE_BYTES) * 4;
    this.#directory = ram + options.ramBytes + (options.ramBytes / 64) * 4;
    this.scratch = { start: this.#directory + DIRECTORY_BYTES, end: this.#directory + DIRECTORY_BYTES };
    this.scratch = { ...this.scratch, end: this.scratch.end + EVENT_NODES * 4 + CODE_BYTES };
    this.#kept = [
      this.#keep(0, attributes),
      this.#keep(attributes + firstPage, attributes + firstPage + pageWords),
      this.#keep(codePages + firstPage, codePages + firstPage + pageWords),
      this.#keep(ram, this.#directory),
      this.#keep(this.scratch.end, core.memoryBytes),
    ];
  }

  #keep(start: number, end: number): Kept {
    return { start, bytes: this.#memory.slice(start, end) };
  }

  /** Puts everything back; all accelerations are on. */
  restore(): void {
    const { core } = this.bare;
    // What mirrors the machine's words outside of memory goes back first.
    core.setAccelerations(ALL_ACCELERATIONS);
    const used = Number(core.counter(Counter.DIRECTORY_BYTES));
    for (const { start, bytes } of this.#kept) this.#memory.set(bytes, start);
    this.#memory.fill(0, this.#directory, this.#directory + used);
  }
}
