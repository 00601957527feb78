// Machine.setPerturbation(), and machines that are looked at, saved and forked while stores wait.

import { describe, expect, it } from "vitest";
import type { Image } from "../../src/asm/index.ts";
import { Machine } from "../../src/machine/machine.ts";
import { loadMachine, saveMachine } from "../../src/machine/snapshot/snapshot.ts";
import { FOREVER, Watched, partsOf, partsOfRandom, rendezvous, stateOf, watchedKinds } from "../machine/support.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { wait as arm64Wait } from "../instructions/arm64/gic.ts";
import { DATA as ARM64_DATA, Guest, awaitFlag, park } from "../instructions/arm64/guest.ts";
import { DATA as X86_DATA } from "../instructions/x86-64/guest.ts";
import { TextGuest, awaitWord, setWord, wait } from "../instructions/x86-64/text-guest.ts";
import { checkedCore } from "../support/bare-machine.ts";
import { plainTiming } from "../support/plain-timing.ts";
import { architectures, build, randomMachine, type Architecture } from "../support/random-machine.ts";
import { Random } from "../support/random.ts";

/** A machine in the middle of stop_machine(). */
async function machineOf(architecture: Architecture, seed: number | undefined): Promise<Machine> {
  const { machine } = await rendezvous(architecture, 6, 1);
  if (seed !== undefined) machine.setPerturbation(seed);
  return machine;
}

describe.each(architectures)("a perturbed %s machine", (architecture) => {
  it.each([-1, 0.5, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY])("refuses the seed %d", async (seed) => {
    const machine = await machineOf(architecture, undefined);
    const attempt = (): void => machine.setPerturbation(seed);
    expect(attempt).toThrow(expect.objectContaining({ code: "OPTION_INVALID", value: seed }) as Error);
  });

  it("ends in the same state for the same seed, in others for others", async () => {
    const digests = await Promise.all(
      [1, 1, 2, 2 ** 32 - 1].map(async (seed) => {
        const machine = await machineOf(architecture, seed);
        machine.run(FOREVER);
        return machine.digest();
      }),
    );
    expect(digests[1]).toBe(digests[0]);
    expect(new Set(digests).size).toBe(3);
  });

  it("isn't perturbed with the seed 0", async () => {
    const [plain, zero] = await Promise.all([machineOf(architecture, undefined), machineOf(architecture, 0)]);
    for (const machine of [plain, zero]) machine.run(FOREVER);
    expect(stateOf(zero)).toEqual(stateOf(plain));
  });

  it("goes on without delays, and elides spins again, when the seed is set to 0", async () => {
    const turnedOff = await machineOf(architecture, 5);
    turnedOff.run(2_000);
    turnedOff.setPerturbation(0);
    const perturbed = await machineOf(architecture, 5);
    perturbed.run(2_000);
    expect(turnedOff.digest()).toBe(perturbed.digest());
    for (const machine of [turnedOff, perturbed]) machine.run(FOREVER);
    expect(turnedOff.cycle).toBeLessThan(perturbed.cycle);
    expect(turnedOff.work.parkings).toBeGreaterThan(perturbed.work.parkings);
  });

  it("goes on perturbed as a fork and from a snapshot", async () => {
    const machine = await machineOf(architecture, 9);
    machine.run(3_000);
    const twins = [machine.fork(), Machine.restoreOn(checkedCore, machine.snapshot(), partsOf(machine))];
    const end = machine.run(FOREVER);
    for (const twin of twins) {
      expect(twin.run(FOREVER)).toEqual(end);
      expect(stateOf(twin)).toEqual(stateOf(machine));
    }
  });

  it("may be perturbed by another seed at any time, as is its fork", async () => {
    const machine = await machineOf(architecture, 0);
    machine.run(3_000);
    const twin = machine.fork();
    for (const one of [machine, twin]) {
      one.setPerturbation(77);
      one.run(6_000);
      one.setPerturbation(78);
      one.run(FOREVER);
    }
    expect(twin.digest()).toBe(machine.digest());
  });
});

describe.each(architectures)("random %s machines", (architecture) => {
  it("go on identically, saved and forked at each of many cycles", () => {
    for (let seed = 1; seed <= 4; seed++) {
      const kind = { ...randomMachine(architecture, seed, "loose"), perturbation: seed };
      const random = new Random(seed);
      const reference = new Watched(build(kind, { traceKinds: watchedKinds }).core);
      const parts = partsOfRandom(kind);
      for (let cut = random.between(500, 1_500); cut < 5_000; cut += random.between(500, 1_500)) {
        reference.advance(cut);
        const host = { console: "", probes: [], starts: new Map(), trace: reference.trace, cycle: cut };
        const { core } = loadMachine(checkedCore, saveMachine(reference.core, parts, host), parts);
        const looks = [cut + 50, cut + 1_000];
        const expected = reference.fork().run(looks);
        for (const twin of [new Watched(core, reference.trace), reference.fork()]) {
          expect({ seed, cut, ...twin.run(looks) }).toEqual({ seed, cut, ...expected });
        }
      }
    }
  });
});

/** Far away from CPU 0, whose store to the first word, and those behind it, have been executed but wait. */
const waiting = {
  "x86-64": () => {
    const topology = buildTopology({ packages: 1, coresPerLlc: 2 });
    const timing = plainTiming("x86-64", { storeBuffer: 8, cache: 250 });
    const guest = new TextGuest({
      topology,
      timing,
      programs: [
        `${awaitWord(128)} ${wait(2000)} movq $1, DATA; movq $2, DATA + 64; movl $3, DATA; mov DATA, %r8d; mov $1, %r9; mfence; mov $2, %r9`,
        `lock; addq $0, DATA; lock; addq $0, DATA + 64; ${setWord(128)}`,
      ],
    });
    return { machine: guest.machine, data: X86_DATA, topology, timing, seen: () => guest.regs(0, "r8", "r9") };
  },
  arm64: () => {
    const topology = buildTopology({ architecture: "arm64", packages: 1, coresPerLlc: 2 });
    const timing = plainTiming("arm64", { storeBuffer: 8, cache: 250 });
    const guest = new Guest(
      `first: li x20, #${ARM64_DATA}
      mov x1, #1
      mov x2, #2
      mov w3, #3
      ${awaitFlag(0x400, "ready")}
      ${arm64Wait(2000)}
      str x1, [x20]
      dmb ishst
      str x2, [x20, #64]
      str w3, [x20]
      ldr w8, [x20]
      mov x9, #1
      dsb sy
      mov x9, #2
      b park
      second: li x20, #${ARM64_DATA}
      add x9, x20, #64
      ldadd xzr, x10, [x9]
      ldadd xzr, x10, [x20]
      mov x10, #1
      str x10, [x20, #0x400]
      b park
      ${park}`,
      { topology, timing },
    );
    guest.start("first", "second");
    return { machine: guest.machine, data: ARM64_DATA, topology, timing, seen: () => guest.registers(0, 8, 9) };
  },
} as const;

describe.each(architectures)("an %s machine with stores that wait", (architecture) => {
  it("goes on identically, saved and forked while they do", () => {
    const { machine, data, topology, timing, seen } = waiting[architecture]();
    // To where the CPU has read its own store and waits, while memory knows nothing of it.
    let cycle = 0;
    while (seen()[1] !== 1n) machine.run((cycle += 50));
    expect(seen()).toEqual([3n, 1n]);
    expect(machine.read64(data)).toBe(0n);

    const parts = { topology, timing, image: { architecture, hash: "waiting" } as unknown as Image };
    const original = new Watched(machine.core);
    const host = { console: "", probes: [], starts: new Map(), trace: original.trace, cycle };
    const { core } = loadMachine(checkedCore, saveMachine(machine.core, parts, host), parts);
    const twins = [new Watched(core), original.fork()];
    const looks = [1, 300, 700, 1_100, 1_500, 4_000, 8_000].map((later) => cycle + later);
    const expected = original.run(looks);
    for (const twin of twins) expect(twin.run(looks)).toEqual(expected);
    expect(seen()).toEqual([3n, 2n]);
    expect([machine.read64(data), machine.read64(data + 64)]).toEqual([3n, 2n]);
  });
});
