// The trace as the host gets it: in order, complete, and never cut in silence.

import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import { arm64, x64, type DirectBodies } from "../../src/asm/index.ts";
import { TraceLog } from "../../src/machine/trace-log.ts";
import { architectures, cpus, imageOf, machineOf, type Arch } from "../machine/images.ts";

const turns: DirectBodies = {
  x64: (a) => void a.mov(x64.rbx, 0).label("again").mark("turn").add(x64.rbx, 1).jmp("again"),
  arm64: (a) => void a.movConstant(arm64.x1, 0).label("again").mark("turn").add(arm64.x1, arm64.x1, 1).b("again"),
};

const CPUS = 8;
const UNTIL = 3000;

function traced(architecture: Arch, traceRecords: number, slice = UNTIL) {
  const machine = machineOf(imageOf(architecture, turns), { topology: cpus(CPUS), traceRecords });
  machine.probe("main:turn", { values: [architecture === "arm64" ? "x1" : "rbx"] });
  for (let cpu = 0; cpu < CPUS; cpu++) machine.start(cpu, "main");
  for (let cycle = slice; cycle <= UNTIL; cycle += slice) machine.run(cycle);
  return machine;
}

describe.each(architectures)("on %s", (architecture) => {
  it("every hit is there, in the order of time and CPU, whatever the ring holds", () => {
    const whole = traced(architecture, 2 ** 16);
    expect(whole.recordsLost).toBe(0);
    const records = [...whole.trace];
    expect(records.length).toBeGreaterThan(5000);
    for (let cpu = 0; cpu < CPUS; cpu++) {
      const values = records.filter((record) => record.cpu === cpu).map(({ value }) => value);
      expect(values.findIndex((value, turn) => value !== BigInt(turn))).toBe(-1);
    }
    const keys = records.map(({ cycle, cpu }) => cycle * 16 + cpu);
    expect(keys.findIndex((key, index) => key < (keys[index - 1] ?? 0))).toBe(-1);
    // A small ring does as long as it is drained often enough.
    const sliced = traced(architecture, 2 ** 12, 100);
    expect(sliced.recordsLost).toBe(0);
    expect(sliced.digest()).toBe(whole.digest());
    const differing = [...sliced.trace].findIndex(
      ({ cycle, cpu, value }, index) =>
        cycle !== records[index]?.cycle || cpu !== records[index].cpu || value !== records[index].value,
    );
    expect([sliced.trace.length, differing]).toEqual([records.length, -1]);
  });

  it("a ring that is too small loses records by count, never in silence", () => {
    const hits = [...traced(architecture, 2 ** 16).trace].length;
    for (const size of [1, 2, 3, 7, 64, 300]) {
      const machine = traced(architecture, size);
      expect(machine.trace.length + machine.recordsLost).toBe(hits);
      expect(machine.trace.length).toBeGreaterThan(0);
    }
    expect(traced(architecture, 1).recordsLost).toBeGreaterThan(0);
  });

  it("tracing changes nothing in the machine", () => {
    const quiet = machineOf(imageOf(architecture, turns), { topology: cpus(CPUS) });
    for (let cpu = 0; cpu < CPUS; cpu++) quiet.start(cpu, "main");
    quiet.run(UNTIL);
    expect(traced(architecture, 2 ** 16).digest()).toBe(quiet.digest());
    expect(traced(architecture, 5).digest()).toBe(quiet.digest());
  });

  it("a probe that neither records nor breaks is no probe", () => {
    const machine = machineOf(imageOf(architecture, turns));
    machine.probe("main:turn");
    machine.probe("main:turn", { record: false });
    machine.start(0, "main");
    machine.run(500);
    expect(machine.trace.length).toBe(0);
  });

  it("probes can be set while the machine stands", () => {
    const machine = machineOf(imageOf(architecture, turns));
    machine.start(0, "main");
    machine.run(500);
    machine.probe("main:turn");
    machine.run(1000);
    const [first] = machine.trace;
    expect(first?.kind).toBe(TraceKind.PROBE);
    expect(first?.cycle).toBeGreaterThanOrEqual(500);
  });
});

describe("TraceLog", () => {
  it("is empty, grows, and is empty again when cleared", () => {
    const log = new TraceLog();
    expect([...log]).toEqual([]);
    const record = new Uint8Array(40);
    new DataView(record.buffer).setBigUint64(0, 2n ** 52n, true);
    for (let i = 0; i < 1000; i++) log.append(record);
    expect(log.length).toBe(1000);
    expect([...log][999]?.cycle).toBe(2 ** 52);
    log.clear();
    expect(log.length).toBe(0);
    expect([...log]).toEqual([]);
  });

  it("sorts by cycle, then CPU, and keeps the order of one CPU in one cycle", () => {
    const log = new TraceLog();
    const add = (cycle: number, cpu: number, subject: number): void => {
      const bytes = new Uint8Array(40);
      const view = new DataView(bytes.buffer);
      view.setBigUint64(0, BigInt(cycle), true);
      view.setUint32(8, cpu, true);
      view.setUint32(16, subject, true);
      log.append(bytes);
    };
    add(5, 1, 1);
    add(5, 0, 2);
    add(3, 7, 3);
    add(5, 1, 4);
    expect([...log].map(({ subject }) => subject)).toEqual([3, 2, 1, 4]);
    add(1, 0, 5);
    expect([...log].map(({ subject }) => subject)).toEqual([5, 3, 2, 1, 4]);
  });
});
