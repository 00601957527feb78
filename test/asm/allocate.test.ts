// Register allocation: random instruction lists on a tiny machine that breaks every promise an operand role does not make.
//
// Each list runs twice: on virtual registers, and on the places that allocation chose. Early results are spoiled before operands are
// read, held operands are read again after the result is written, clobbered registers are overwritten. All values read must be equal.

import { describe, expect, it } from "vitest";
import { buildImage } from "../../src/asm/index.ts";
import { allocate } from "../../src/asm/lower/allocate.ts";
import type { RegisterFile } from "../../src/asm/lower/allocate.ts";
import type { Clobbers, OperandCode } from "../../src/asm/lower/instructions.ts";
import {
  def,
  defAny,
  early,
  held,
  InstructionList,
  isSlot,
  registerOf,
  update,
  use,
  useAny,
} from "../../src/asm/lower/instructions.ts";
import { parallelMoves } from "../../src/asm/lower/moves.ts";
import { randomProgram } from "./support/random-program.ts";
import { Random } from "./support/random.ts";

/** Registers and slots by location; trace of all values read by instructions. */
class TinyMachine {
  readonly values = new Map<number, number>();
  readonly trace: number[] = [];
  readonly isPhysical: boolean;

  constructor(isPhysical: boolean) {
    this.isPhysical = isPhysical;
  }

  read(location: number): number {
    const value = this.values.get(location) ?? 0;
    this.trace.push(value);
    return value;
  }

  spoil(set: number | undefined): void {
    if (!this.isPhysical || set === undefined) return;
    for (let register = 0; register < 32; register++)
      if ((set >>> register) & 1) this.values.set(register, -0x5a5a_0000 - register);
  }
}

const REGISTERS = 5;
const file: RegisterFile<TinyMachine> = {
  allocatable: Array.from({ length: REGISTERS }, (_, i) => i),
  callSaved: 0b11000,
  loadSlot: (machine, register, slot) => machine.values.set(register, machine.values.get(-1 - slot) ?? 0),
  storeSlot: (machine, slot, register) => machine.values.set(-1 - slot, machine.values.get(register) ?? 0),
};

/** A random list: straight code with nested loops, as lowering lays it out. */
function randomList(random: Random): InstructionList<TinyMachine> {
  const list = new InstructionList<TinyMachine>();
  const live: number[] = [];
  const define = (): void => {
    const operands: OperandCode[] = [];
    const clobbered = clobbers(random);
    // Nothing is held over a call, so all call-clobbered registers are free for its operands.
    const isCall = clobbered?.across !== undefined;
    const isAny = random.chance(isCall ? 0.6 : 0.2);
    const roles = isAny ? [useAny] : isCall ? [use] : [use, held];
    for (let i = random.below(3); i > 0 && live.length > 0; i--) operands.push(random.pick(roles)(random.pick(live)));
    const uses = operands.length;
    const isNew = random.chance(0.6) || live.length === 0;
    const target = isNew ? list.newRegister() : random.pick(live);
    const alsoRead = operands.some((operand) => registerOf(operand) === target);
    const role = isAny
      ? defAny
      : isCall
        ? def
        : !isNew && random.chance(0.3)
          ? update
          : alsoRead
            ? def
            : random.pick([def, early]);
    // A held operand that is also the result would be read again after it was written.
    const isAmbiguous = alsoRead && operands.some((operand) => operand === held(target));
    if (!isAmbiguous) {
      operands.push(role(target));
      push(list, operands, uses, role, clobbered);
      if (isNew) live.push(target);
    }
  };
  const sequence = (depth: number): void => {
    for (let i = random.between(3, 8); i > 0; i--) {
      if (depth > 0 && random.chance(0.25)) {
        const first = list.next;
        const outer = live.length;
        sequence(depth - 1);
        if (list.next > first) list.closeLoop(first);
        // What a loop declares is not used behind it.
        live.length = outer;
      } else {
        define();
      }
    }
  };
  sequence(2);
  return list;
}

function clobbers(random: Random): Clobbers | undefined {
  const set = random.below(1 << REGISTERS) & ~1;
  return random.pick([undefined, undefined, { across: 0b00111 }, { operands: set & 0b110 }, { all: set & 0b1010 }]);
}

function push(
  list: InstructionList<TinyMachine>,
  operands: readonly OperandCode[],
  uses: number,
  role: (register: number) => OperandCode,
  clobbered: Clobbers | undefined,
): void {
  const number = list.next;
  list.push(
    operands,
    (machine, locations) => {
      const target = locations[uses] ?? 0;
      if (role === early && machine.isPhysical) machine.values.set(target, -1);
      machine.spoil(clobbered?.all);
      machine.spoil(clobbered?.operands);
      let result = number;
      for (let i = 0; i < uses; i++) result += (i + 3) * machine.read(locations[i] ?? 0);
      if (role === update) result += machine.read(target);
      machine.spoil(clobbered?.across);
      machine.values.set(target, result % 1_000_003);
      for (let i = 0; i < uses; i++)
        if (operands[i] === held(registerOf(operands[i] ?? 0))) machine.read(locations[i] ?? 0);
      machine.spoil(clobbered?.all);
    },
    clobbered,
  );
}

/** Runs the list, each loop twice. */
function execute(
  list: InstructionList<TinyMachine>,
  machine: TinyMachine,
  locationOf: (register: number) => number,
): void {
  const run = (first: number, last: number, within: number): void => {
    for (let number = first; number <= last; number++) {
      const loop = list.loops.findIndex(
        (range, i) =>
          i !== within && range.first === number && range.last <= last && !isInside(list, i, within, first, last),
      );
      if (loop >= 0 && loop !== within) {
        const range = list.loops[loop];
        if (range === undefined) continue;
        for (let turn = 0; turn < 2; turn++) run(range.first, range.last, loop);
        number = range.last;
        continue;
      }
      const instruction = list.instructions[number];
      instruction?.emit?.(
        machine,
        instruction.operands.map((operand) => locationOf(registerOf(operand))),
      );
    }
  };
  run(0, list.instructions.length - 1, -1);
}

/** True if loop `i` lies in another loop that starts here too and is larger: that one is entered first. */
function isInside(list: InstructionList<TinyMachine>, i: number, within: number, first: number, last: number): boolean {
  const own = list.loops[i];
  if (own === undefined) return false;
  return list.loops.some(
    (other, j) =>
      j !== i &&
      j !== within &&
      other.first === own.first &&
      other.last > own.last &&
      other.first >= first &&
      other.last <= last,
  );
}

describe("linear scan", () => {
  it("keeps every promise of the operand roles, on 3,000 random lists", () => {
    let spilled = 0;
    for (let seed = 1; seed <= 3000; seed++) {
      const list = randomList(new Random(seed));
      const expected = new TinyMachine(false);
      execute(list, expected, (register) => register);
      const { locations, slots } = allocate(list, file);
      const machine = new TinyMachine(true);
      execute(list, machine, (register) => locations[register] ?? 0);
      expect(machine.trace, `seed ${seed}`).toEqual(expected.trace);
      spilled += slots;
    }
    expect(spilled).toBeGreaterThan(1000);
  });

  it("gives the same places for the same list", () => {
    const places = (): unknown => allocate(randomList(new Random(5)), file).locations;
    expect(places()).toEqual(places());
  });
});

describe("parallel moves", () => {
  it("act as if at once, cycles included, for all maps of four places", () => {
    const scratch = 9;
    for (let code = 0; code < 4 ** 4; code++) {
      const moves = [0, 1, 2, 3].map((to) => ({ to, from: (code >> (2 * to)) & 3 }));
      const values = new Map([0, 1, 2, 3].map((place) => [place, `value ${place}`]));
      const expected = moves.map(({ from }) => values.get(from));
      parallelMoves(moves, scratch, (to, from) => values.set(to, values.get(from) ?? ""));
      expect(moves.map(({ to }) => values.get(to))).toEqual(expected);
    }
  });

  it("read from slots without touching other registers", () => {
    const steps: [number, number][] = [];
    parallelMoves(
      [
        { to: 1, from: -3 },
        { to: 2, from: 1 },
      ],
      9,
      (to, from) => steps.push([to, from]),
    );
    expect(steps).toEqual([
      [2, 1],
      [1, -3],
    ]);
  });
});

describe.for(["x86-64", "arm64"] as const)("allocation of random routines for %s", (architecture) => {
  /** rsp, r10 and r11; x16, x17, x18 and above x28. */
  const reserved = architecture === "x86-64" ? [4, 10, 11] : [16, 17, 18, 29, 30, 31];

  it("never lets two live values share a place, and stays inside the frame", () => {
    const program = randomProgram(77, { routines: 40, callsPerRoutine: 1, cpus: 2 });
    const image = buildImage({ architecture, roots: program.routines, cpus: 2 });
    let checked = 0;
    for (const { unit } of image.units) {
      if (unit.kind !== "code" || unit.lowered === undefined) continue;
      const { allocation, frame } = unit.lowered;
      const placed = allocation.intervals.map((interval) => ({
        ...interval,
        location: allocation.locations[interval.register],
      }));
      for (const one of placed) {
        expect(one.location, `${unit.symbol.name}: register ${one.register}`).toBeDefined();
        expect(reserved).not.toContain(one.location);
        for (const other of placed) {
          if (one.register >= other.register || one.location !== other.location) continue;
          const overlap = one.start <= other.end && other.start <= one.end;
          expect(overlap, `${unit.symbol.name}: registers ${one.register} and ${other.register}`).toBe(false);
          checked++;
        }
      }
      expect(allocation.slots * 8).toBeLessThanOrEqual(frame.bytes);
      expect(placed.filter(({ location }) => location !== undefined && isSlot(location)).length).toBeLessThanOrEqual(
        allocation.slots,
      );
      const saved = new Set(frame.saved);
      for (let register = 0; register < 31; register++)
        if ((allocation.saved >>> register) & 1) expect(saved).toContain(register);
    }
    expect(checked).toBeGreaterThan(1000);
  });
});
