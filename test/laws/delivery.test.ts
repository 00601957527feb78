// Laws 2 and 3 with faults of delivery: whatever a host holds up or loses, and whenever it changes its mind, the machine is
// the same with every acceleration on or off, wherever it is cut, and behind a copy.

import { describe, expect, it } from "vitest";
import { DELIVERY_KINDS, DeliveryKind, LOSE_ALL, TraceKind } from "../../src/abi.ts";
import { accelerationNames } from "../../src/machine/accelerations.ts";
import type { BareMachine } from "../support/bare-machine.ts";
import { observe, sortedTrace, type Act } from "../support/observe.ts";
import { Random } from "../support/random.ts";
import { architectures, build, latencyFamilies, randomMachine, type RandomMachine } from "../support/random-machine.ts";

const seeds = Number(process.env["ALLSTOP_SEEDS"] ?? 5);
const slow = Object.fromEntries(accelerationNames.map((name) => [name, false]));

/** What a host does now and then to the ways to random CPUs. */
function interference(random: Random, { topology }: RandomMachine, until: number, most: number): Act[] {
  return Array.from({ length: random.between(3, 24) }, () => {
    const cpu = random.between(0, topology.cpus.length - 1);
    // Interrupts are what random programs send most.
    const kind = random.chance(60) ? DeliveryKind.INTERRUPT : random.between(0, DELIVERY_KINDS - 1);
    const delay = random.chance(50) ? random.between(1, random.pick([most, 20 * most])) : 0;
    const lose = random.chance(30) ? random.pick([1, 2, 5, LOSE_ALL]) : 0;
    return {
      cycle: random.between(1, until - 1),
      act: (machine: BareMachine) => {
        machine.core.setDelivery(cpu, kind, { delay: BigInt(delay), lose });
      },
    };
  });
}

const families = architectures.flatMap((architecture) =>
  latencyFamilies.map((latencies) => ({ architecture, latencies })),
);

describe.each(families)("random $architecture machines with $latencies latencies and faults of delivery", (family) => {
  const { architecture, latencies } = family;
  const until = latencies === "tight" ? 5000 : 12_000;

  it(`have one digest and one trace whatever the accelerations and cuts (${seeds} seeds)`, () => {
    const kinds = [TraceKind.INTERRUPT_ARRIVED, TraceKind.INTERRUPT_LOST, TraceKind.INTERRUPT_TAKEN];
    let changed = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const machine = randomMachine(architecture, seed, latencies);
      const random = new Random(seed ^ 0xfa017);
      const looks = Array.from({ length: 4 }, () => random.between(2, until)).concat(until);
      const acts = interference(random, machine, until, latencies === "tight" ? 4 : 60);
      const look = (accelerations: object, cuts: readonly number[], done: readonly Act[] = acts) => {
        const bare = build(machine, { accelerations, traceKinds: kinds });
        const { states, trace } = observe(bare, looks, cuts, done);
        return { ...family, seed, states, trace: sortedTrace(trace, until) };
      };
      const reference = look(slow, []);
      const cuts = Array.from({ length: random.between(0, 60) }, () => random.between(1, until));
      expect(look({}, cuts)).toEqual(reference);
      if (look({}, [], []).states.at(-1) !== reference.states.at(-1)) changed++;
    }
    // Faults that change nothing would prove nothing.
    expect(changed).toBeGreaterThan(seeds / 2);
  });
});
