// The data of the stop facility as the reference states it (linux-stop-paths.md, section 3.2): sizes, field order, and what
// shares a line; in the declarations and in the memory of a running machine.

import { describe, expect, it } from "vitest";
import { CpuStopDone, CpuStopWork, CpuStopper, MultiStopData, MultiStopState } from "../../src/guest/stop/data.ts";
import { STACK_TOP, request, stopTask } from "../../src/guest/percpu.ts";
import { architectures, argument, runStop } from "./stop-run.ts";

const layout = ({ bytes, offsets }: { bytes: number; offsets: ReadonlyMap<string, number> }) => ({
  bytes,
  ...Object.fromEntries(offsets),
});

describe("declared layout", () => {
  it("multi_stop_data: state and thread_ack share one aligned word of 8 bytes", () => {
    expect(layout(MultiStopData)).toEqual({
      bytes: 40,
      fn: 0,
      data: 8,
      num_threads: 16,
      active_cpus: 24,
      state: 32,
      thread_ack: 36,
    });
    expect(MultiStopState).toEqual({ None: 0, Prepare: 1, DisableIrq: 2, Run: 3, Exit: 4 });
  });

  it("cpu_stopper: thread 8, lock 4, enabled 1, list 16, embedded work 48, caller 8, fn 8", () => {
    expect(layout(CpuStopper)).toEqual({
      bytes: 96,
      thread: 0,
      lock: 8,
      enabled: 12,
      works: 16,
      stop_work: 32,
      caller: 80,
      fn: 88,
    });
    expect(layout(CpuStopWork)).toEqual({ bytes: 48, list: 0, fn: 16, caller: 24, arg: 32, done: 40 });
  });

  it("cpu_stop_done: nr_todo and ret are neighbours, then the completion", () => {
    expect(layout(CpuStopDone)).toMatchObject({ nr_todo: 0, ret: 4, completion: 8 });
  });
});

describe.each(architectures)("in the memory of a machine, %s", (architecture) => {
  const machine = { architecture, cpus: 5 };

  it("PREPARE is published with the counter armed for all online CPUs", async () => {
    const run = await runStop(
      { machine, policy: { active: "1,3" } },
      {
        until: "stop_machine_cpuslocked:prepared",
        exact: true,
        probes: { set: { place: "set_state", values: [...argument[architecture]] } },
      },
    );
    const [set] = run.passed("set");
    const msdata = Number(set?.value);
    expect(set?.value2).toBe(1n);
    const read = run.machine;
    expect(read.readUint64(msdata)).toBe(BigInt(read.address("stopped_function")));
    expect(read.readUint64(msdata + 8)).toBe(BigInt(run.block(0) + request.symbol.offset));
    expect(read.readUint32(msdata + 16)).toBe(5);
    expect(read.readUint64(msdata + 24)).toBe(BigInt(read.address("request_mask")));
    expect([read.readUint32(msdata + 32), read.readUint32(msdata + 36)]).toEqual([1, 5]);
    expect(run.machine.readMask("request_mask", 64)).toEqual([1, 3]);
  });

  it("NULL stays NULL in active_cpus", async () => {
    const run = await runStop({ machine }, { until: "complete", exact: true });
    const [enter] = run.passed("enter");
    expect(run.machine.readUint64(Number(enter?.value) + 24)).toBe(0n);
  });

  it("all see one multi_stop_data, on the requester's stack", async () => {
    const run = await runStop({ machine, policy: { requester: 2 } });
    const addresses = new Set(run.passed("enter").map(({ value }) => Number(value)));
    expect(addresses.size).toBe(1);
    const [msdata = 0] = addresses;
    const inBlock = msdata - run.block(2);
    // The work task's stack lies above the idle one in its CPU's block.
    expect(inBlock).toBeGreaterThan(STACK_TOP.idle);
    expect(inBlock + 40).toBeLessThanOrEqual(STACK_TOP.work);
    expect(Math.floor((msdata + 32) / 64)).toBe(Math.floor((msdata + 39) / 64));
  });

  it("the last acknowledgement of EXIT writes state 5 and arms the counter once more", async () => {
    const run = await runStop({ machine }, { until: "complete", exact: true });
    const msdata = Number(run.passed("enter")[0]?.value);
    expect([run.machine.readUint32(msdata + 32), run.machine.readUint32(msdata + 36)]).toEqual([5, 5]);
    // The last CPU completes the requester, and all have been counted.
    const [done] = [run.block(0) + 0x80 + 32 + 40].map((at) => Number(run.machine.readUint64(at)));
    expect(run.machine.readUint32(done ?? 0)).toBe(0);
  });

  it("a stopper that waits has an empty list, a free lock, and is enabled", async () => {
    const run = await runStop({ machine, policy: { rounds: 2 } });
    for (const cpu of run.online) {
      const stopper = run.block(cpu) + 0x80;
      const read = run.machine;
      expect(Number(read.readUint64(stopper))).toBe(run.block(cpu) + stopTask.symbol.offset);
      expect([read.readUint32(stopper + 8), read.readMemory(stopper + 12, 1)[0]]).toEqual([0, 1]);
      expect([read.readUint64(stopper + 16), read.readUint64(stopper + 24)]).toEqual(
        Array(2).fill(BigInt(stopper + 16)),
      );
      // Nothing runs: caller and fn are cleared.
      expect([read.readUint64(stopper + 80), read.readUint64(stopper + 88)]).toEqual([0n, 0n]);
    }
  });
});
