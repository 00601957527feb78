// Random operations on the GIC, by two PEs in turns, give what the reference (reference.ts) says after each.

import { describe, expect, it } from "vitest";
import { wait } from "../../instructions/arm64/gic.ts";
import { DATA, DATA_BYTES, Guest, openInterrupts, park, setVectors, vectors } from "../../instructions/arm64/guest.ts";
import { plainTiming } from "../../support/plain-timing.ts";
import { Random } from "../../support/random.ts";
import { SETUP, open, randomOperation, type Operation } from "./operations.ts";
import { ReferenceGic } from "./reference.ts";

const PES = 2;
const OPERATIONS = 160;
const SEQUENCES = 40;

interface Step extends Operation {
  readonly pe: number;
}

/** The program of a PE: it waits for its turn before each of its steps, and until all has arrived behind it. */
function program(steps: readonly Step[], pe: number): string {
  const body = steps.map((step, index) =>
    step.pe !== pe
      ? ""
      : `turn_${index}: ldr x2, [x20]\n cmp x2, #${index}\n b.ne turn_${index}
         ${step.text} str x1, [x21, #${8 * index}]\n ${wait(100)} mov x2, #${index + 1}\n str x2, [x20]\n`,
  );
  return `pe_${pe}: ${setVectors} ${openInterrupts(pe)} mov x28, #0\n li x20, #${DATA}\n li x21, #${DATA + 64}\n ${wait(200)}
    ${body.join("")} b park\n`;
}

function results(steps: readonly Step[], featNmi: boolean, random: Random): bigint[] {
  const latencies = {
    device: random.between(1, 9),
    interrupt: random.between(1, 9),
    selfInterrupt: random.between(1, 9),
  };
  const allint = featNmi ? "msr allint, #1\n" : "";
  const guest = new Guest(
    `${program(steps, 0).replace("pe_0:", `pe_0: ${allint}`)}${program(steps, 1).replace("pe_1:", `pe_1: ${allint}`)}
     ${park} ${vectors({})}`,
    { cpus: PES, timing: plainTiming("arm64", latencies), featNmi },
  );
  guest.start("pe_0", "pe_1").run(600_000);
  expect(guest.machine.read64(DATA)).toBe(BigInt(steps.length));
  return steps.map((_, index) => guest.machine.read64(DATA + 64 + 8 * index));
}

describe.each([false, true])("the GIC and its reference (FEAT_NMI: %s)", (featNmi) => {
  it(`agree after each of ${OPERATIONS} random operations of two PEs (${SEQUENCES} sequences)`, () => {
    expect(64 + 8 * (OPERATIONS + SETUP.length)).toBeLessThanOrEqual(DATA_BYTES);
    for (let seed = 1; seed <= SEQUENCES; seed++) {
      const random = new Random(seed);
      const steps: Step[] = [
        ...SETUP.map((operation) => ({ ...operation, pe: 0 })),
        ...Array.from({ length: OPERATIONS }, () => ({
          ...randomOperation(random, { pes: PES, featNmi, qemu: false }),
          pe: random.between(0, PES - 1),
        })),
      ];
      const found = results(steps, featNmi, random);
      const gic = new ReferenceGic(PES, featNmi);
      open(gic);
      const story: string[] = [];
      for (const [index, step] of steps.entries()) {
        const expected = step.apply(gic, step.pe);
        story.push(`PE ${step.pe}: ${step.name}${expected === undefined ? "" : ` -> 0x${expected.toString(16)}`}`);
        const context = { seed, story: story.slice(-40) };
        if (expected !== undefined)
          expect({ ...context, value: found[index] }).toEqual({ ...context, value: expected });
      }
    }
  });
});
