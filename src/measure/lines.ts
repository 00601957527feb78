// What lines of memory cost: who asked for them and how long that took, where requests queued, which copies were taken away.

import { LINE_BYTES, LineEvent, TraceKind } from "../abi.ts";
import type { Accelerations } from "../machine/accelerations.ts";
import type { Machine } from "../machine/machine.ts";
import type { TraceVisitor } from "../machine/trace-log.ts";
import type { Stretch } from "./partition.ts";

/**
 * What has to be off for every request to leave its records: trains grant those of spinners without stepping them, foresight lets whole
 * transactions pass at once. Neither changes a result.
 */
export const lineMeasuring: Partial<Accelerations> = { spinTrains: false, foresight: false };

/** The longest that a CPU has waited for a line. */
export interface WorstWait {
  readonly cpu: number;
  readonly cycles: number;
  /** When its request set out. */
  readonly cycle: number;
  readonly address: number;
}

/** Of one line; times are sums over its requests, in cycles. */
export interface LineUse {
  /** Of its first byte. */
  readonly address: number;
  /** Requests that were granted: the line went to a core, or the right to write it did. */
  transfers: number;
  /** Those that were to write. */
  writes: number;
  /** From setting out until the line had come. */
  waitCycles: number;
  /** The part of that in which a request stood in a queue, at a last-level cache or at the line's home. */
  queueCycles: number;
  /** The part in which CPUs stood still for it: stores can wait beside what the CPU does. */
  blockedCycles: number;
  /** Copies that were taken from cores; and rights to write. */
  invalidations: number;
  downgrades: number;
  worst: WorstWait | undefined;
  /** Requests by the address of the access, and by the instruction that made it: stores that had waited in a buffer have none. */
  readonly accesses: Map<number, number>;
  readonly code: Map<number, number>;
}

/** The stretches in which a CPU stood still for a line, in the order of time. */
export class LineWaits {
  readonly #byCpu = new Map<number, Stretch[]>();

  /** Adds a wait of a CPU, later than those that it has. */
  add(cpu: number, stretch: Stretch): void {
    const own = this.#byCpu.get(cpu);
    if (own === undefined) this.#byCpu.set(cpu, [stretch]);
    else own.push(stretch);
  }

  /** The waits of a CPU, in order. */
  of(cpu: number): readonly Stretch[] {
    return this.#byCpu.get(cpu) ?? [];
  }
}

/** What lines of memory did, and who waited for them. */
export interface LineTraffic {
  /** By the address of the first byte. */
  readonly lines: ReadonlyMap<number, LineUse>;
  readonly waits: LineWaits;
}

/** A request on its way. */
interface Underway {
  readonly sent: number;
  readonly address: number;
  readonly pc: number;
  /** Whether it is to write. */
  readonly write: boolean;
  /** When it reaches the last-level cache; from when on it stands in a queue, at the home if it has been asked. */
  queues: number;
  hasAsked: boolean;
  queueCycles: number;
}

/** Bits of `peer` in records of requests. */
const KIND = 0xff;
const WRITE = 0x100;
const LATENCY_SHIFT = 16;
const KINDS = 256;

/**
 * Reads the records of a run that was traced with TraceKind.LINE.
 * @param from @param until cycles: requests that set out within count
 */
export function readLines(machine: Machine, from: number, until: number): LineTraffic {
  const reader = new LineReader(from, until);
  machine.trace.visit(TraceKind.LINE, reader.read);
  return reader;
}

class LineReader implements LineTraffic {
  readonly lines = new Map<number, LineUse>();
  readonly waits = new LineWaits();
  readonly #underway = new Map<number, Underway>();
  readonly #from: number;
  readonly #until: number;

  constructor(from: number, until: number) {
    this.#from = from;
    this.#until = until;
  }

  readonly read: TraceVisitor = (cycle, cpu, subject, peer, address, detail) => {
    const event = subject as LineEvent;
    const key = cpu * KINDS + (peer & KIND);
    const request = this.#underway.get(key);
    if (event === LineEvent.REQUESTED) {
      const write = (peer & WRITE) !== 0;
      const queues = cycle + (peer >>> LATENCY_SHIFT);
      const made = { sent: cycle, address, pc: detail, write, queues, hasAsked: false, queueCycles: 0 };
      this.#underway.set(key, made);
    } else if (event === LineEvent.WAITED) this.#wait(cpu, address, detail, cycle);
    else if (event === LineEvent.INVALIDATED || event === LineEvent.DOWNGRADED) {
      if (cycle < this.#from || cycle > this.#until) return;
      if (event === LineEvent.INVALIDATED) this.#use(address).invalidations += peer;
      else this.#use(address).downgrades++;
    } else if (request !== undefined) this.#goOn(request, event, cpu, cycle, detail);
  };

  #goOn(request: Underway, event: LineEvent, cpu: number, cycle: number, detail: number): void {
    if (event === LineEvent.ASKED) {
      request.queueCycles += cycle - request.queues;
      request.queues = detail;
      request.hasAsked = true;
    } else if (event === LineEvent.SERVED) request.queueCycles += cycle - request.queues;
    else this.#grant(request, cpu, cycle, detail);
  }

  #grant(request: Underway, cpu: number, cycle: number, arrival: number): void {
    const { sent, address, pc, write, hasAsked } = request;
    // Whoever has asked the home is served as soon as the answer is there.
    if (!hasAsked) request.queueCycles += cycle - request.queues;
    if (sent < this.#from || sent > this.#until) return;
    const use = this.#use(address);
    const cycles = arrival - sent;
    use.transfers++;
    if (write) use.writes++;
    use.waitCycles += cycles;
    use.queueCycles += request.queueCycles;
    count(use.accesses, address);
    if (pc !== 0) count(use.code, pc);
    if (cycles > (use.worst?.cycles ?? -1)) use.worst = { cpu, cycles, cycle: sent, address };
  }

  #wait(cpu: number, line: number, from: number, until: number): void {
    const address = this.#addressOf(cpu, line);
    this.waits.add(cpu, { cause: "line", from, until, address });
    const within = Math.min(until, this.#until) - Math.max(from, this.#from);
    if (within > 0) this.#use(line).blockedCycles += within;
  }

  /** The address in a line that a CPU has asked for last, or the line itself where a sibling has it. */
  #addressOf(cpu: number, line: number): number {
    for (let kind = 0; kind < KINDS_OF_REQUESTS; kind++) {
      const address = this.#underway.get(cpu * KINDS + kind)?.address;
      if (address !== undefined && lineOf(address) === line) return address;
    }
    return line;
  }

  #use(address: number): LineUse {
    const line = lineOf(address);
    const known = this.lines.get(line);
    if (known !== undefined) return known;
    const use: LineUse = {
      address: line,
      transfers: 0,
      writes: 0,
      waitCycles: 0,
      queueCycles: 0,
      blockedCycles: 0,
      invalidations: 0,
      downgrades: 0,
      worst: undefined,
      accesses: new Map(),
      code: new Map(),
    };
    this.lines.set(line, use);
    return use;
  }
}

/** That of the access, of the store buffer, and of two early loads (assembly/memory/request.ts). */
const KINDS_OF_REQUESTS = 4;

function lineOf(address: number): number {
  return address - (address % LINE_BYTES);
}

function count(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
