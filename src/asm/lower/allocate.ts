// Register allocation: linear scan over the intervals of a routine (Poletto and Sarkar), with per-instruction clobbers and hints.
//
// What finds no register is spilled: its uses get short-lived registers around loads and stores, and the scan starts anew. The result
// is a function of the instructions alone; ties are broken by the number of the virtual register.

import { unreachable } from "../failure.ts";
import type { Clobbers, Instruction, InstructionList, Location, RegisterSet, VirtualRegister } from "./instructions.ts";
import {
  ANY,
  DEF,
  def,
  defAny,
  isSlot,
  registerOf,
  roleOf,
  slotLocation,
  slotOf,
  USE,
  use,
  useAny,
  withRegister,
} from "./instructions.ts";
import { AT_END, AT_RESULT, AT_START, AT_USE, liveIntervals, POSITIONS } from "./intervals.ts";
import type { Interval } from "./intervals.ts";

/** The registers of an architecture as the allocator sees them, and how it moves values to and from the stack. */
export interface RegisterFile<A> {
  /** In order of preference; call-saved ones last. */
  readonly allocatable: readonly number[];
  readonly callSaved: RegisterSet;
  readonly loadSlot: (assembler: A, register: number, slot: number) => void;
  readonly storeSlot: (assembler: A, slot: number, register: number) => void;
}

export interface Allocation {
  /** By virtual register; undefined for those that never occur. */
  readonly locations: readonly (Location | undefined)[];
  readonly intervals: readonly Interval[];
  /** Call-saved registers that are written. */
  readonly saved: RegisterSet;
  readonly slots: number;
}

/** Rewrites the list where values are spilled. */
export function allocate<A>(list: InstructionList<A>, file: RegisterFile<A>): Allocation {
  const slots = new Map<VirtualRegister, Location>();
  for (;;) {
    const intervals = liveIntervals(list);
    const scan = new LinearScan(list, file, intervals, slots);
    const spilled = scan.run();
    if (spilled.length === 0) {
      return { locations: scan.locations, intervals, saved: scan.used & file.callSaved, slots: slots.size };
    }
    for (const register of spilled) slots.set(register, slotLocation(slots.size));
    insertReloads(list, file, new Set(spilled));
  }
}

interface Forbidden {
  readonly position: number;
  readonly first: number;
  readonly last: number;
  readonly registers: RegisterSet;
}

class LinearScan<A> {
  readonly locations: (Location | undefined)[];
  used: RegisterSet = 0;
  readonly #list: InstructionList<A>;
  readonly #file: RegisterFile<A>;
  readonly #intervals: Interval[];
  readonly #forbidden: readonly Forbidden[];
  #active: { interval: Interval; register: number }[] = [];
  #spilled: VirtualRegister[] = [];

  constructor(
    list: InstructionList<A>,
    file: RegisterFile<A>,
    intervals: readonly Interval[],
    slots: ReadonlyMap<VirtualRegister, Location>,
  ) {
    this.#list = list;
    this.#file = file;
    this.locations = new Array<Location | undefined>(list.registers.length).fill(undefined);
    for (const [register, slot] of slots) this.locations[register] = slot;
    this.#intervals = intervals
      .filter(({ register }) => !slots.has(register))
      .sort((one, other) => one.start - other.start || one.register - other.register);
    this.#forbidden = list.instructions.flatMap((instruction, number) => forbiddenAt(number, instruction.clobbers));
  }

  run(): VirtualRegister[] {
    for (const interval of this.#intervals) {
      this.#active = this.#active.filter((entry) => entry.interval.end >= interval.start);
      const forbidden = this.#forbiddenFor(interval);
      const register = this.#choose(interval, forbidden);
      if (register === undefined) this.#spill(interval, forbidden);
      else this.#assign(interval, register);
    }
    return this.#spilled;
  }

  #assign(interval: Interval, register: number): void {
    this.locations[interval.register] = register;
    this.used |= 1 << register;
    this.#active.push({ interval, register });
  }

  /** A hint of its own, a partner's register, a hint of a partner, or the first free register in the order of preference. */
  #choose(interval: Interval, forbidden: RegisterSet): number | undefined {
    let taken = forbidden;
    for (const { register } of this.#active) taken |= 1 << register;
    const { allocatable } = this.#file;
    const isFree = (register: number): boolean => ((taken >>> register) & 1) === 0 && allocatable.includes(register);
    const info = this.#list.registers[interval.register];
    const own = info?.hints.find(isFree);
    if (own !== undefined) return own;
    const partners = info?.partners ?? [];
    for (const partner of partners) {
      const location = this.locations[partner];
      if (location !== undefined && !isSlot(location) && isFree(location)) return location;
    }
    for (const partner of partners) {
      const hint = this.#list.registers[partner]?.hints.find(isFree);
      if (hint !== undefined) return hint;
    }
    return allocatable.find(isFree);
  }

  /** Spills the cheapest of this interval and those whose register it could take. */
  #spill(interval: Interval, forbidden: RegisterSet): void {
    let victim: { interval: Interval; register: number } | undefined;
    let lowest = this.#isReload(interval) ? Infinity : interval.weight;
    for (const entry of this.#active) {
      if ((forbidden >>> entry.register) & 1 || this.#isReload(entry.interval)) continue;
      if (entry.interval.weight < lowest) {
        lowest = entry.interval.weight;
        victim = entry;
      }
    }
    if (victim === undefined) {
      if (this.#isReload(interval)) throw unreachable("an instruction needs more registers than there are");
      this.#spilled.push(interval.register);
      return;
    }
    this.#spilled.push(victim.interval.register);
    this.#active = this.#active.filter((entry) => entry !== victim);
    this.#assign(interval, victim.register);
  }

  #isReload(interval: Interval): boolean {
    return this.#list.registers[interval.register]?.isReload ?? false;
  }

  #forbiddenFor({ start, end }: Interval): RegisterSet {
    let set = 0;
    for (let i = lowerBound(this.#forbidden, start - AT_END); i < this.#forbidden.length; i++) {
      const entry = this.#forbidden[i];
      if (entry === undefined || entry.position > end) break;
      if (start <= entry.last && end >= entry.first) set |= entry.registers;
    }
    return set;
  }
}

/** The positions at which an interval must not have a clobbered register. */
function forbiddenAt(number: number, clobbers: Clobbers | undefined): Forbidden[] {
  if (clobbers === undefined) return [];
  const position = number * POSITIONS;
  const entries: Forbidden[] = [];
  const add = (registers: RegisterSet | undefined, first: number, last: number): void => {
    if (registers !== undefined) entries.push({ position, first: position + first, last: position + last, registers });
  };
  // Across: alive both before and after the results, i.e. starting by the use and ending behind the result.
  add(clobbers.across, AT_RESULT, AT_USE);
  add(clobbers.operands, AT_USE, AT_USE);
  add(clobbers.all, AT_START, AT_END);
  return entries;
}

function lowerBound(entries: readonly Forbidden[], position: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle]?.position ?? 0) < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Gives each occurrence of a spilled register its own short-lived one, loaded before and stored after the instruction. */
function insertReloads<A>(
  list: InstructionList<A>,
  file: RegisterFile<A>,
  spilled: ReadonlySet<VirtualRegister>,
): void {
  const old = list.instructions.splice(0);
  const newNumbers: { first: number; last: number }[] = [];
  for (const instruction of old) {
    const first = list.instructions.length;
    const after: Instruction<A>[] = [];
    const replacements = new Map<VirtualRegister, VirtualRegister>();
    const operands = instruction.operands.map((operand) => {
      const register = registerOf(operand);
      const role = roleOf(operand);
      if (!spilled.has(register) || role & ANY) return operand;
      let reload = replacements.get(register);
      if (reload === undefined) {
        reload = list.newRegister("", true);
        replacements.set(register, reload);
      }
      return withRegister(operand, reload);
    });
    for (const [register, reload] of replacements) {
      const roles = instruction.operands.filter((operand) => registerOf(operand) === register).map(roleOf);
      const shared = {
        clobbers: undefined,
        statement: instruction.statement,
        mark: undefined,
        jump: undefined,
        label: undefined,
      };
      // The slot stays an operand, so that the spilled value keeps an interval.
      if (roles.some((role) => role & USE)) {
        const emit = (a: A, [to = 0, from = 0]: readonly Location[]): void => {
          file.loadSlot(a, to, slotOf(from));
        };
        list.instructions.push({ ...shared, operands: [def(reload), useAny(register)], emit });
      }
      if (roles.some((role) => role & DEF)) {
        const emit = (a: A, [from = 0, to = 0]: readonly Location[]): void => {
          file.storeSlot(a, slotOf(to), from);
        };
        after.push({ ...shared, operands: [use(reload), defAny(register)], emit });
      }
    }
    list.instructions.push({ ...instruction, operands }, ...after);
    newNumbers.push({ first, last: list.instructions.length - 1 });
  }
  const loops = list.loops.splice(0);
  for (const { first, last } of loops) {
    list.loops.push({ first: newNumbers[first]?.first ?? 0, last: newNumbers[last]?.last ?? 0 });
  }
}
