// What one thread does, for each choice of the values that its loads return: its events, and how each depends on others.

import type { EventSet } from "./relation.ts";
import { MOST_EVENTS } from "./relation.ts";

/** What the models ask of an event, by the letters that cat files have for it. */
export interface Marks {
  /** LDAR, LDAXR, and the load of an atomic with A. */
  readonly A?: boolean;
  /** LDAPR. */
  readonly Q?: boolean;
  /** STLR, STLXR, and the store of an atomic with L. */
  readonly L?: boolean;
  /** The load of an atomic that doesn't return what it loads. */
  readonly NoRet?: boolean;
  /** Both halves of a locked instruction. */
  readonly locked?: boolean;
}

export interface TraceEvent {
  readonly kind: "R" | "W" | "F";
  readonly address: bigint;
  readonly value: bigint;
  /** In small letters, options with a dot: `dmb.sy`; empty if this is no fence. */
  readonly fence: string;
  readonly marks: Marks;
  /** Events of the thread, by number, on which the address depends. */
  readonly addr: EventSet;
  readonly data: EventSet;
  readonly ctrl: EventSet;
  /** Dependencies through the value that a successful CAS returns: Arm's Pick dependencies. */
  readonly pickAddr: EventSet;
  readonly pickData: EventSet;
  readonly pickCtrl: EventSet;
  /** Number of the load that forms a read-modify-write with this store. */
  readonly rmwOf?: number;
  /** The two are one instruction. */
  readonly isAmo?: boolean;
}

/** What a register holds, and the loads on which that depends. */
export interface Value {
  readonly bits: bigint;
  readonly basic: EventSet;
  readonly pick: EventSet;
}

export function constant(bits: bigint): Value {
  return { bits, basic: 0, pick: 0 };
}

export interface Trace {
  readonly events: readonly TraceEvent[];
  readonly registers: ReadonlyMap<string, Value>;
  /** Registers that a load, an atomic or a store-exclusive wrote. */
  readonly results: ReadonlySet<string>;
}

/** Answers questions with each combination of answers in turn. */
class Oracle {
  #answers: { chosen: number; of: number }[] = [];
  #asked = 0;

  choose(of: number): number {
    const known = this.#answers[this.#asked];
    if (known === undefined) this.#answers.push({ chosen: 0, of });
    this.#asked++;
    return known?.chosen ?? 0;
  }

  /** @returns whether there is another combination */
  next(): boolean {
    this.#asked = 0;
    for (let last = this.#answers.pop(); last !== undefined; last = this.#answers.pop()) {
      if (last.chosen + 1 < last.of) {
        this.#answers.push({ chosen: last.chosen + 1, of: last.of });
        return true;
      }
    }
    return false;
  }
}

/** Values that a location may hold, by address. */
export type Domain = ReadonlyMap<bigint, ReadonlySet<bigint>>;

/** A thread on its way through its program. */
export class ThreadState {
  readonly events: TraceEvent[] = [];
  readonly registers: Map<string, Value>;
  readonly results = new Set<string>();
  /** Dependencies of all branches so far. */
  control = constant(0n);
  /** Whether the last comparison found its operands equal. */
  isEqual = constant(0n);
  /** The load-exclusive that a store-exclusive would pair with. */
  monitor: number | undefined;
  readonly #oracle: Oracle;
  readonly #domain: Domain;

  constructor(registers: ReadonlyMap<string, bigint>, oracle: Oracle, domain: Domain) {
    this.registers = new Map([...registers].map(([name, bits]) => [name, constant(bits)]));
    this.#oracle = oracle;
    this.#domain = domain;
  }

  get(register: string): Value {
    return this.registers.get(register) ?? constant(0n);
  }

  set(register: string, value: Value): void {
    this.registers.set(register, value);
  }

  /** A register that the memory or the monitor decides about. */
  result(register: string, value: Value): void {
    this.results.add(register);
    this.set(register, value);
  }

  choose(of: number): number {
    return this.#oracle.choose(of);
  }

  branch(on: Value): void {
    this.control = { bits: 0n, basic: this.control.basic | on.basic, pick: this.control.pick | on.pick };
  }

  #add(event: Partial<TraceEvent> & Pick<TraceEvent, "kind">): number {
    const none = { address: 0n, value: 0n, fence: "", marks: {}, addr: 0, data: 0, pickAddr: 0, pickData: 0 };
    const number = this.events.push({ ...none, ctrl: this.control.basic, pickCtrl: this.control.pick, ...event }) - 1;
    if (number >= MOST_EVENTS) throw new Error("litmus reference: a thread that is too long");
    return number;
  }

  fence(name: string): void {
    this.#add({ kind: "F", fence: name });
  }

  /** @returns the value, which depends on the load, and the number of the load */
  load(address: Value, marks: Marks): { readonly value: Value; readonly load: number } {
    const values = [...(this.#domain.get(address.bits) ?? unknownAddress(address.bits))];
    const value = values[this.choose(values.length)] ?? 0n;
    const { basic: addr, pick: pickAddr } = address;
    const load = this.#add({ kind: "R", address: address.bits, value, marks, addr, pickAddr });
    return { load, value: { bits: value, basic: 1 << load, pick: 0 } };
  }

  store(
    address: Value,
    data: Value,
    marks: Marks,
    more: Pick<TraceEvent, "rmwOf" | "isAmo"> & { on?: Value } = {},
  ): void {
    if (!this.#domain.has(address.bits)) unknownAddress(address.bits);
    const { on, ...rmw } = more;
    this.#add({
      kind: "W",
      address: address.bits,
      value: data.bits,
      marks,
      addr: address.basic,
      pickAddr: address.pick,
      data: data.basic,
      pickData: data.pick,
      ctrl: this.control.basic | (on?.basic ?? 0),
      pickCtrl: this.control.pick | (on?.pick ?? 0),
      ...rmw,
    });
  }
}

function unknownAddress(address: bigint): never {
  throw new Error(`litmus reference: an access to no location: ${address}`);
}

/** Carries out an instruction. @returns the label to go on at, if it isn't the next instruction */
export type Step = (state: ThreadState, instruction: string) => string | undefined;

/** A thread may go back, but not round and round: what loads return is not known to end that. */
const MOST_STEPS = 64;

function run(lines: readonly string[], state: ThreadState, step: Step): Trace {
  let steps = 0;
  for (let at = 0; at < lines.length; at++) {
    if (++steps > MOST_STEPS) throw new Error("litmus reference: a thread that doesn't come to its end");
    const line = lines[at] ?? "";
    if (line.endsWith(":")) continue;
    const label = step(state, line);
    if (label === undefined) continue;
    at = lines.indexOf(`${label}:`);
    if (at < 0) throw new Error(`litmus reference: no such label: ${label}`);
  }
  return state;
}

/** All traces of a thread, its loads returning any values of the domain. */
export function tracesOf(
  thread: { readonly lines: readonly string[]; readonly registers: ReadonlyMap<string, bigint> },
  step: Step,
  domain: Domain,
): Trace[] {
  const oracle = new Oracle();
  const traces: Trace[] = [];
  do traces.push(run(thread.lines, new ThreadState(thread.registers, oracle, domain), step));
  while (oracle.next());
  return traces;
}
