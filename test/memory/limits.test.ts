// What happens at the capacities of the core: the machine stops and says at what, or goes on as if there were more.

import { expect, it } from "vitest";
import { Counter, LINE_BYTES, PAGE_BYTES, RunStatus, StopReason } from "../../src/abi.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { A64 } from "../support/a64.ts";
import { BareMachine, PAGE_RW, PAGE_RX } from "../support/bare-machine.ts";

const CODE = 0x4000_0000;
const DATA = 0x4010_0000;
const RAM_BYTES = 32 * 2 ** 20;

it("a directory with room for no more lines stops the machine, for ever", () => {
  const machine = new BareMachine({ architecture: "arm64", ramBytes: RAM_BYTES });
  const code = new A64().label("next").load(3, 0).addImmediate(0, 0, LINE_BYTES).addImmediate(4, 4, 1).b("next");
  machine.map(CODE, 0x1000, PAGE_RX);
  machine.map(DATA, CODE + RAM_BYTES - DATA, PAGE_RW);
  machine.write(CODE, code.finish());
  machine.start(0, CODE, { argument: BigInt(DATA) });
  expect(machine.run(1_000_000_000)).toBe(RunStatus.STOPPED);
  expect(machine.counter(Counter.STOP_REASON)).toBe(BigInt(StopReason.DIRECTORY_POOL_EXHAUSTED));
  // Every line took its place, and the loads of those that had one are done.
  const lines = machine.register(0, 4);
  expect(lines).toBeGreaterThan(50_000n);
  expect(machine.counter(Counter.MISSES)).toBe(lines + 1n);
  expect(machine.run(2_000_000_000)).toBe(RunStatus.STOPPED);
  expect(machine.register(0, 4)).toBe(lines);
});

it("of two CPUs that end it in one cycle, the lower one is named", () => {
  const topology = buildTopology({ architecture: "arm64", packages: 1, coresPerLlc: 3 });
  for (const order of [
    [1, 2],
    [2, 1],
  ]) {
    const machine = new BareMachine({ architecture: "arm64", topology });
    machine.map(CODE, 0x1000, PAGE_RX);
    // UDF, without vectors to take it to.
    machine.write(CODE, new A64().nop().word(0).finish());
    for (const cpu of order) machine.start(cpu, CODE, { cycle: 10n });
    expect(machine.run(10_000)).toBe(RunStatus.STOPPED);
    expect(machine.counter(Counter.STOP_CPU)).toBe(1n);
  }
});

it("a decode cache with room for no more code begins anew, unseen by the guest", () => {
  const pages = 6000;
  const last = CODE + pages * PAGE_BYTES;
  const machine = new BareMachine({ architecture: "arm64", ramBytes: RAM_BYTES });
  machine.map(CODE, (pages + 1) * PAGE_BYTES, PAGE_RX);
  // Each page holds nothing but a step to the next; the last one goes back once.
  const step = new A64()
    .addImmediate(4, 4, 1)
    .word(0x1400_0000 | (PAGE_BYTES / 4 - 1))
    .finish();
  for (let page = 0; page < pages; page++) machine.write(CODE + page * PAGE_BYTES, step);
  const end = new A64().addImmediate(5, 5, 1).cmpImmediate(5, 2).bCondition("eq", "park").br(0).label("park").b("park");
  machine.write(last, end.finish());
  machine.start(0, CODE, { argument: BigInt(CODE) });
  expect(machine.run(10_000_000)).not.toBe(RunStatus.STOPPED);
  expect(machine.counter(Counter.STOP_REASON)).toBe(BigInt(StopReason.NONE));
  expect(machine.counter(Counter.CODE_FLUSHES)).toBeGreaterThan(0n);
  expect([machine.register(0, 4), machine.register(0, 5)]).toEqual([BigInt(2 * pages), 2n]);
});
