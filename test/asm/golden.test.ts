// Golden listings of ten stop routines on both architectures, and their instruction counts against gcc 12.

import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { listing } from "../../src/asm/index.ts";
import type { Architecture } from "../../src/asm/index.ts";
import { contentOf, goldenFile, parseGolden, stopImage, stopNames } from "./support/golden.ts";
import { disassemble, OBJDUMP } from "./support/disassemble.ts";
import { hasAll, needing } from "./support/tools.ts";

/** Instructions of fixtures/stop-routines.c by gcc 12 -O2 -mgeneral-regs-only (flags in the file), without padding. */
const GCC = {
  "x86-64": {
    set_state: 4,
    ack_state: 6,
    multi_cpu_stop: 68,
    _raw_spin_lock: 15,
    _raw_spin_unlock: 2,
    list_add_tail: 6,
    cpumask_first: 14,
    cpu_stop_signal_done: 5,
    cpu_stop_queue_work: 50,
    cpu_stopper_thread: 55,
  },
  arm64: {
    set_state: 5,
    ack_state: 9,
    multi_cpu_stop: 67,
    _raw_spin_lock: 11,
    _raw_spin_unlock: 2,
    list_add_tail: 5,
    cpumask_first: 14,
    cpu_stop_signal_done: 7,
    cpu_stop_queue_work: 50,
    cpu_stopper_thread: 46,
  },
} as const;

/** RECORD=1 writes the listings anew, to be reviewed like source. */
function record(architecture: Architecture): void {
  if (!hasAll(OBJDUMP[architecture])) {
    console.warn(`${OBJDUMP[architecture]} is not installed: the listing for ${architecture} stays as it is`);
    return;
  }
  const text = listing(stopImage(architecture), {
    routines: stopNames,
    lines: false,
    disassemble: (bytes, address) => disassemble(architecture, bytes, address),
  });
  writeFileSync(goldenFile(architecture), text);
}

if (process.env.RECORD !== undefined) {
  record("x86-64");
  record("arm64");
}

describe.for(["x86-64", "arm64"] as const)("stop routines for %s", (architecture) => {
  const golden = parseGolden(readFileSync(goldenFile(architecture), "utf8"));
  const image = stopImage(architecture);

  it("has a golden listing for each", () => {
    expect(golden.map(({ name }) => name)).toEqual(stopNames);
  });

  it.for(stopNames)("%s has the bytes of its golden listing", (name) => {
    const expected = golden.find((candidate) => candidate.name === name);
    expect({ address: image.symbol(name).address, bytes: Buffer.from(contentOf(image, name)).toString("hex") }).toEqual(
      {
        address: expected?.address,
        bytes: expected?.bytes,
      },
    );
  });

  it.skipIf(!hasAll(OBJDUMP[architecture]))(
    needing("the golden text is what objdump reads", OBJDUMP[architecture]),
    () => {
      const text = readFileSync(goldenFile(architecture), "utf8");
      for (const name of stopNames) {
        for (const instruction of disassemble(architecture, contentOf(image, name), image.symbol(name).address)) {
          expect(text).toContain(instruction.text);
        }
      }
    },
  );

  it("takes at most 15 % more instructions than gcc, as a whole and in the long routines", () => {
    const reference: Readonly<Record<string, number>> = GCC[architecture];
    const total = golden.reduce((sum, { instructions }) => sum + instructions, 0);
    const gccTotal = Object.values(reference).reduce((sum, count) => sum + count, 0);
    expect(total).toBeLessThanOrEqual(gccTotal * 1.15);
    for (const { name, instructions } of golden) {
      const gcc = reference[name] ?? 0;
      // Of a handful of instructions, 15 % is less than one: gcc's tail calls save two.
      expect(instructions, name).toBeLessThanOrEqual(Math.max(gcc * 1.15, gcc + 3));
    }
  });
});
