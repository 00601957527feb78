// Who holds a line of memory, and what waits for it: as the directory and the caches have it at this cycle.

import { LINE_BYTES } from "../abi.ts";
import type { Topology } from "../topology/index.ts";
import { BUFFER_BYTES, offsets, places, type CoreRecords } from "./records.ts";

/**
 * `I`: in no cache; `S`: some cores may read it; `M`: one core may write it. Whether that one has written it, or is its only reader
 * and could (E), makes no difference in the model: no message is sent when it does.
 */
export type LineLetter = "I" | "S" | "M";

/** Which caches have a line, and in which state. */
export interface LineHolders {
  /** Address of the line's first byte. */
  readonly address: number;
  readonly state: LineLetter;
  /** CPUs of the core that may write. */
  readonly owner: readonly number[];
  /** CPUs of the cores that may read. */
  readonly sharers: readonly number[];
  /** Last-level caches that have asked the home and not been answered. */
  readonly asking: number;
}

/** A store that waits in a CPU's store buffer. */
export interface WaitingStore {
  readonly address: number;
  readonly bytes: number;
  readonly value: bigint;
}

/** What a CPU that is blocked waits for. */
export type BlockedFor =
  | { readonly kind: "line"; readonly address: number; readonly write: boolean }
  | { readonly kind: "device"; readonly address: number }
  | { readonly kind: "stores" };

/** Kinds of words of the table of lines (assembly/memory/lines.ts). */
const LineKind = { COLD: 0, OWNED: 1, HOME: 2, SHARED: 3 } as const;
const OWNER_MASK = 0x3f_ffff;

/** Reads the table of lines and the directory of one machine. */
export class Lines {
  readonly #records: CoreRecords;
  readonly #cpusOfCore: ReadonlyMap<number, readonly number[]>;

  constructor(records: CoreRecords, topology: Topology) {
    this.#records = records;
    const cpus = new Map<number, number[]>();
    for (const { number, state } of topology.cpus) {
      if (state === "absent") continue;
      const core = this.#field(this.#coreOf(number), "index");
      const own = cpus.get(core);
      if (own === undefined) cpus.set(core, [number]);
      else own.push(number);
    }
    this.#cpusOfCore = cpus;
  }

  #coreOf(cpu: number): number {
    return this.#records.u32(this.#records.cpu(cpu) + offsets.Cpu.core);
  }

  #field(core: number, field: keyof (typeof offsets)["Core"]): number {
    return this.#records.u32(core + offsets.Core[field]);
  }

  #cpus(core: number): readonly number[] {
    return this.#cpusOfCore.get(this.#field(core, "index")) ?? [];
  }

  /** Who holds the line of an address in RAM. */
  holders(address: number): LineHolders {
    const records = this.#records;
    const line = address - (address % LINE_BYTES);
    const ramBase = Number(records.u64(records.machine + offsets.Machine.ramBase));
    const word = records.u32(records.ofMachine("lineTable") + ((line - ramBase) / LINE_BYTES) * 4);
    const found = this.#ofWord(word);
    const owner = found.owner.flatMap((core) => this.#cpus(core));
    const sharers = found.sharers.flatMap((core) => this.#cpus(core));
    const state = owner.length > 0 ? "M" : sharers.length > 0 ? "S" : "I";
    const numeric = (one: number, other: number): number => one - other;
    return { address: line, state, owner: owner.sort(numeric), sharers: sharers.sort(numeric), asking: found.asking };
  }

  #ofWord(word: number): { owner: readonly number[]; sharers: readonly number[]; asking: number } {
    const kind = word & 3;
    if (kind === LineKind.HOME) return this.#ofHome((word & ~3) >>> 0);
    if (kind === LineKind.OWNED) {
      const core = this.#records.ofMachine("coreRecords") + ((word >>> 2) & OWNER_MASK) * places.CORE_BYTES;
      return { owner: [core], sharers: [], asking: 0 };
    }
    if (kind === LineKind.COLD) return { owner: [], sharers: [], asking: 0 };
    // Since before the first instruction: all cores that had an online CPU then.
    const sharers = [...this.#cpusOfCore.keys()]
      .map((index) => this.#records.ofMachine("coreRecords") + index * places.CORE_BYTES)
      .filter((core) => this.#bit(this.#records.u32(this.#field(core, "domain") + offsets.Domain.onlineMask), core));
    return { owner: [], sharers, asking: 0 };
  }

  /** Whether a core's bit is set in a mask of its domain. */
  #bit(mask: number, core: number): boolean {
    const bit = this.#field(core, "bit");
    return ((this.#records.u32(mask + 4 * (bit >> 5)) >>> (bit & 31)) & 1) !== 0;
  }

  #ofHome(home: number): { owner: readonly number[]; sharers: readonly number[]; asking: number } {
    const records = this.#records;
    const maskBytes = 8 * records.ofMachine("maskWords");
    const owner: number[] = [];
    const sharers: number[] = [];
    for (
      let entry = records.u32(home + offsets.Home.firstEntry);
      entry !== 0;
      entry = records.u32(entry + offsets.Entry.nextOfHome)
    ) {
      const domain = records.u32(entry + offsets.Entry.domain);
      const writer = records.u16(entry + offsets.Entry.writer);
      const held = entry + places.ENTRY_FIELDS + maskBytes;
      const count = records.u32(domain + offsets.Domain.coreCount);
      const cores = records.u32(domain + offsets.Domain.cores);
      for (let bit = 0; bit < count; bit++) {
        if (((records.u32(held + 4 * (bit >> 5)) >>> (bit & 31)) & 1) === 0) continue;
        const core = records.u32(cores + 4 * bit);
        if (writer === bit + 1) owner.push(core);
        else sharers.push(core);
      }
    }
    return { owner, sharers, asking: records.u16(home + offsets.Home.asking) };
  }

  /** Stores of a CPU that others don't see yet, the oldest first. */
  waitingStores(cpu: number): WaitingStore[] {
    const records = this.#records;
    const buffer = records.ofMachine("storeBuffers") + cpu * BUFFER_BYTES;
    const count = records.u32(buffer + offsets.StoreBuffer.count) & 0xff;
    return Array.from({ length: count }, (_, index) => {
      const at = buffer + places.STORES + index * places.STORE_BYTES;
      const description = records.u64(at);
      return {
        address: Number(description & 0xffff_ffff_ffffn),
        bytes: Number((description >> 48n) & 15n),
        value: records.u64(at + 8),
      };
    });
  }

  /** What a CPU that is BLOCKED waits for. */
  blockedFor(cpu: number): BlockedFor {
    const records = this.#records;
    const record = records.cpu(cpu);
    if (records.view.getUint8(record + offsets.Cpu.awaitsStores) !== 0) return { kind: "stores" };
    if (records.u64(record + offsets.Cpu.deviceArrival) !== NEVER) {
      return { kind: "device", address: Number(records.u64(record + offsets.Cpu.deviceAddress)) };
    }
    const request = record + offsets.Cpu.request0;
    const ramBase = Number(records.u64(records.machine + offsets.Machine.ramBase));
    const line = records.u32(request + offsets.Request.line);
    const write = records.u32(request + offsets.Request.write) !== 0;
    return { kind: "line", address: ramBase + line * LINE_BYTES, write };
  }
}

const NEVER = 2n ** 64n - 1n;
