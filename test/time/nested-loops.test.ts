// Loops around loops, such as a wait whose every step passes its time in a loop of pauses: both are foreseen to their last turn.

import { describe, expect, it } from "vitest";
import { Counter } from "../../src/abi.ts";
import { accelerationNames } from "../../src/machine/accelerations.ts";
import { R8, R9, RAX, RBX } from "../instructions/x86-64/code.ts";
import { A64 } from "../support/a64.ts";
import { BareMachine, PAGE_RW, PAGE_RX } from "../support/bare-machine.ts";
import { stateOf } from "../support/observe.ts";
import { X64 } from "../support/x64.ts";

const PAUSES = 41;
const none = Object.fromEntries(accelerationNames.map((name) => [name, false]));

/** Waits so many steps for a word, counts those that it took, and writes another. */
type Wait = (origin: number, steps: number, word: number, writes: number) => Uint8Array;

const x86: Wait = (origin, steps, word, writes) => {
  const code = new X64(origin).set(RBX, word).set(R8, 0).set(R9, steps);
  code.label("step").load(4, RAX, { base: RBX }).test(4, RAX, RAX).jumpIf(5, "out").set(RAX, 0);
  code.label("pause").pause().opImmediate("add", 4, RAX, 1).opImmediate("cmp", 4, RAX, PAUSES).jumpIf(2, "pause");
  code.opImmediate("add", 8, R8, 1).opImmediate("sub", 4, R9, 1).test(4, R9, R9).jumpIf(5, "step").label("out");
  return code.set(RBX, writes).storeImmediate(4, { base: RBX }, 1).cli().hlt().finish();
};

const arm64: Wait = (_origin, steps, word, writes) => {
  const code = new A64().mov(1, word).mov(8, 0).mov(9, steps);
  code.label("step").load(0, 1, 0, 4).cbnz(0, "out", false).mov(0, 0);
  code.label("pause").relax().addImmediate(0, 0, 1).cmpImmediate(0, PAUSES).bCondition("cc", "pause");
  code.addImmediate(8, 8, 1).subsImmediate(9, 9, 1, false).bCondition("ne", "step").label("out");
  return code.mov(1, writes).mov(2, 1).store(2, 1, 0, 4).label("end").wfi().b("end").finish();
};

const waits = [
  ["x86-64", x86, R8, 0x1000],
  ["arm64", arm64, 8, 0x4000_1000],
] as const;

describe.each(waits)("on %s", (architecture, wait, counter, code) => {
  const data = code + 0x3000;

  /** CPU 0 waits for CPU 1, which waits for nobody. */
  function waiting(steps: number, stepsOfOther: number, accelerations = {}): BareMachine {
    const machine = new BareMachine({ architecture, cpus: 2, accelerations, ramBytes: 2 ** 16 });
    machine.map(code, 0x2000, PAGE_RX);
    machine.map(data, 0x2000, PAGE_RW);
    machine.write(code, wait(code, steps, data, data + 0x1000));
    machine.write(code + 0x1000, wait(code + 0x1000, stepsOfOther, data + 0x1040, data));
    for (const cpu of [0, 1]) machine.start(cpu, code + 0x1000 * cpu);
    return machine;
  }

  it("a million steps cost next to nothing, and are counted to the last", () => {
    const machine = waiting(900_000, 1_000_000);
    machine.run(2 ** 40);
    expect(machine.register(0, counter)).toBe(900_000n);
    expect(machine.register(1, counter)).toBe(1_000_000n);
    expect(machine.counter(Counter.EVENTS)).toBeLessThan(1000n);
  });

  it("a wait ends in the step in which the word is written, as without acceleration", () => {
    for (const stepsOfOther of [1, 2, 3, 7, 20, 59, 60, 61, 90]) {
      const [fast, slow] = [{}, none].map((accelerations) => {
        const machine = waiting(60, stepsOfOther, accelerations);
        return [100, 777, 3333, 5000, 12_345, 1_000_000].map((cycle) => {
          machine.run(cycle);
          return stateOf(machine);
        });
      });
      expect({ stepsOfOther, states: fast }).toEqual({ stepsOfOther, states: slow });
    }
  });
});
