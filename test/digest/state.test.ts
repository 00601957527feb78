// What the state digest covers: machines that differ in one thing only, by two ways through the same code that take the
// same cycles and meet again, have different digests as long as the difference can show, and no longer.

import { describe, expect, it } from "vitest";
import { Warmth } from "../../src/abi.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { A64 } from "../support/a64.ts";
import { BareMachine, PAGE_RW, PAGE_RX } from "../support/bare-machine.ts";
import { plainTiming, type Figures } from "../support/plain-timing.ts";

const CODE = 0x4000_0000;
const LINE = 0x4010_0000;
/** Behind the last instruction of a way, before anything that it has sent arrives. */
const MET = 60n;
const GAP = 500;
const LATENCY = 1000;
const figures: Figures = { interrupt: LATENCY, interruptGap: GAP, relax: 2 };

interface Way {
  readonly emit?: (code: A64) => void;
  readonly prepare?: (machine: BareMachine) => void;
}

/**
 * A machine whose CPU 0 goes the first or the second way; X0 says which, and is 0 when they have met. Both have the same
 * number of branches.
 */
function machineOn(which: 0 | 1, ways: readonly [Way, Way]): BareMachine {
  const topology = buildTopology({ architecture: "arm64", packages: 1, coresPerLlc: 3 });
  const timing = plainTiming("arm64", figures);
  const machine = new BareMachine({ architecture: "arm64", topology, timing });
  const code = new A64().mov(9, 2).mov(10, 4).cbnz(0, "second");
  ways[0].emit?.(code);
  code.b("met").label("second");
  ways[1].emit?.(code);
  code.b("met").label("met").mov(0, 0).mov(9, 0).mov(10, 0).label("park").b("park");
  machine.map(CODE, 0x1000, PAGE_RX);
  machine.map(LINE, 0x1000, PAGE_RW);
  machine.write(CODE, code.finish());
  ways[which].prepare?.(machine);
  machine.start(0, CODE, { argument: BigInt(which), cycle: 10n });
  return machine;
}

/** Whether the digests of the two are the same at a cycle. */
function areAlike(ways: readonly [Way, Way], cycle: bigint): boolean {
  const [one, other] = ([0, 1] as const).map((which) => {
    const machine = machineOn(which, ways);
    machine.run(cycle);
    return machine.core.digest();
  });
  return one === other;
}

const nops = (count: number) => (code: A64) => {
  for (let i = 0; i < count; i++) code.nop();
};

describe("the digests of two machines", () => {
  it("are the same when nothing differs but the way", () => {
    const emit = nops(4);
    expect(areAlike([{ emit }, { emit }], MET)).toBe(true);
    expect(areAlike([{ emit }, { emit }], 17n)).toBe(false);
  });

  it("differ by how many instructions a CPU has executed", () => {
    expect(areAlike([{ emit: nops(2) }, { emit: (code) => code.relax() }], MET)).toBe(false);
  });

  it("differ by a register, and by a word of memory", () => {
    expect(areAlike([{ emit: nops(1) }, { emit: (code) => code.mov(11, 1) }], MET)).toBe(false);
    const store = (value: 9 | 10): Way => ({
      emit: (code) => void code.store(value, 12),
      prepare: (machine) => machine.core.warm(BigInt(LINE), 64n, Warmth.OWNED, 0),
    });
    const address = (way: Way): Way => ({ ...way, emit: (code) => way.emit?.(code.mov(12, LINE)) });
    expect(areAlike([address(store(9)), address(store(9))], MET)).toBe(true);
    expect(areAlike([address(store(9)), address(store(10))], MET)).toBe(false);
  });

  it("differ by who has held a line since before the first instruction", () => {
    const owned = (core: number): Way => ({
      prepare: (machine) => machine.core.warm(BigInt(LINE), 64n, Warmth.OWNED, core),
    });
    expect(areAlike([owned(1), owned(1)], MET)).toBe(true);
    expect(areAlike([owned(1), owned(2)], MET)).toBe(false);
  });

  it("differ by when a CPU may send its next interrupt, until it may", () => {
    // An SGI for nobody takes its place on the interface.
    const sends: readonly [Way, Way] = [
      { emit: (code) => void code.mov(0, 0).nop() },
      { emit: (code) => void code.mov(0, 0).msr("icc_sgi1r_el1", 0) },
    ];
    expect(areAlike(sends, MET)).toBe(false);
    expect(areAlike(sends, MET + BigInt(GAP))).toBe(true);
  });

  it("differ by an interrupt under way: for whom it is", () => {
    const to = (list: 9 | 10): Way => ({ emit: (code) => void code.msr("icc_sgi1r_el1", list) });
    expect(areAlike([to(9), to(9)], MET)).toBe(true);
    // To CPU 1, or to CPU 2: neither is there yet.
    expect(areAlike([to(9), to(10)], MET)).toBe(false);
  });

  it("differ by an interrupt that is pending for a PE that is off: for which", () => {
    const to = (list: 9 | 10): Way => ({ emit: (code) => void code.msr("icc_sgi1r_el1", list) });
    const landed = MET + BigInt(2 * LATENCY);
    expect(areAlike([to(9), to(9)], landed)).toBe(true);
    expect(areAlike([to(9), to(10)], landed)).toBe(false);
  });
});
