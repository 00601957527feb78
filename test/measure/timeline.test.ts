// Timelines from traces written by hand: what counts for whom, and when.

import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import type { Machine } from "../../src/machine/machine.ts";
import type { TraceRecord } from "../../src/machine/trace-log.ts";
import { readTimelines, type RendezvousProbes, type Timeline, type TimelineOf } from "../../src/measure/timeline.ts";
import { cpuOfflinePolicy } from "../../src/policies/hotplug.ts";
import type { Policy } from "../../src/policies/index.ts";
import { stopMachinePolicy } from "../../src/policies/stop-machine.ts";

const CPUS = 4;
const image = { perCpuStart: 0x1000, perCpuStride: 0x100 };
/** An address in a CPU's block. */
const blockOf = (cpu: number, offset = 0x10): bigint => BigInt(image.perCpuStart + cpu * image.perCpuStride + offset);

const marks = ["call", "return", "enter", "acknowledge", "functionStart", "functionEnd", "leave", "dead"] as const;
type Mark = (typeof marks)[number];
const probe = (mark: Mark) => ({ number: marks.indexOf(mark) });
const probes = {
  ...Object.fromEntries(marks.map((mark) => [mark, probe(mark)])),
  further: [{ probe: probe("dead"), state: 5 }],
} as unknown as RendezvousProbes;

function record(cycle: number, cpu: number, kind: TraceKind, fields: Partial<TraceRecord> = {}): TraceRecord {
  return { cycle, cpu, kind, subject: 0, peer: cpu, value: 0n, value2: 0n, ...fields };
}

const at = (cycle: number, cpu: number, mark: Mark, value = blockOf(0)): TraceRecord =>
  record(cycle, cpu, TraceKind.PROBE, { subject: marks.indexOf(mark), value });
const sent = (cycle: number, to: number): TraceRecord => record(cycle, 0, TraceKind.INTERRUPT_SENT, { peer: to });
const taken = (cycle: number, cpu: number): TraceRecord => record(cycle, cpu, TraceKind.INTERRUPT_TAKEN);
const woken = (cycle: number, cpu: number): TraceRecord => record(cycle, cpu, TraceKind.WAKE);
/** The state, with something else in the upper half of the word. */
const acknowledge = (cycle: number, cpu: number, state: number): TraceRecord =>
  at(cycle, cpu, "acknowledge", 0xabcd_0000_0000n | BigInt(state));

function read(trace: TraceRecord[], policy: Policy = stopMachinePolicy, of?: TimelineOf): Timeline[] {
  const machine = {
    topology: { cpus: { length: CPUS } },
    image,
    trace: { ofKinds: () => trace },
  } as unknown as Machine;
  return readTimelines(machine, probes, policy, of);
}

const ofCpu0: TimelineOf = { requester: 0, targets: [] };

describe("a timeline", () => {
  it("has the first of what happens more than once on the way in", () => {
    const [timeline] = read([
      sent(90, 2),
      at(100, 0, "call"),
      sent(110, 2),
      sent(120, 2),
      woken(130, 2),
      woken(135, 2),
      taken(140, 2),
      taken(150, 2),
      at(160, 2, "enter"),
      at(165, 2, "enter"),
    ]);
    const cpu2 = [timeline?.signalled, timeline?.woken, timeline?.interrupted, timeline?.enter].map((one) => one?.[2]);
    expect([timeline?.call, ...cpu2]).toEqual([100, 110, 130, 140, 160]);
  });

  it("has nothing of what happens once a CPU is in", () => {
    const [timeline] = read([at(100, 0, "call"), at(160, 2, "enter"), sent(170, 2), woken(175, 2), taken(180, 2)]);
    for (const column of [timeline?.signalled, timeline?.woken, timeline?.interrupted]) expect(column?.[2]).toBeNaN();
  });

  it("has each state, the function and the end of those that are in, once", () => {
    const [timeline] = read([
      at(100, 0, "call"),
      acknowledge(110, 1, 1),
      at(120, 1, "enter"),
      acknowledge(130, 1, 1),
      acknowledge(131, 1, 1),
      acknowledge(140, 1, 2),
      at(150, 1, "functionStart"),
      at(160, 1, "functionEnd"),
      at(170, 1, "leave"),
      at(180, 1, "leave"),
      at(181, 2, "leave"),
      at(190, 2, "functionStart"),
      acknowledge(195, 1, 3),
    ]);
    expect(timeline?.acknowledge.map((column) => column[1])).toEqual([130, 140, NaN, NaN]);
    expect([timeline?.functionStart[1], timeline?.functionEnd[1], timeline?.leave[1]]).toEqual([150, 160, 170]);
    expect([timeline?.functionStart[2], timeline?.leave[2]]).toEqual([NaN, NaN]);
  });

  it("is one per call, each with its own return", () => {
    const trace = [10, 20].flatMap((cycle) => [
      at(cycle, 0, "call"),
      at(cycle + 1, 1, "enter"),
      at(cycle + 5, 0, "return"),
    ]);
    expect(read(trace).map((one) => [one.call, one.enter[1], one.return])).toEqual([
      [10, 11, 15],
      [20, 21, 25],
    ]);
  });
});

describe("of one requester", () => {
  it("it has nothing of what belongs to the blocks of others, next to its own too", () => {
    const others = [blockOf(1), blockOf(1, 0), blockOf(0, -1)];
    const [timeline, ...more] = read(
      [
        ...others.map((value) => at(5, 1, "call", value)),
        at(10, 0, "call"),
        ...others.map((value, index) => at(20, index + 1, "enter", value)),
        ...others.map((value) => at(25, 1, "return", value)),
        at(30, 0, "enter", blockOf(0, 0)),
      ],
      stopMachinePolicy,
      ofCpu0,
    );
    expect(more).toEqual([]);
    expect([timeline?.call, timeline?.return, [...(timeline?.enter ?? [])]]).toEqual([10, NaN, [30, NaN, NaN, NaN]]);
  });

  it("what only the target passes counts until the call returns, and of no other CPU", () => {
    const trace = [at(10, 0, "call"), at(20, 3, "dead"), at(25, 2, "dead"), at(30, 0, "return")];
    const of: TimelineOf = { requester: 0, targets: [3] };
    expect([...(read(trace, cpuOfflinePolicy, of)[0]?.acknowledge[4] ?? [])]).toEqual([NaN, NaN, NaN, 20]);
    const late = [at(10, 0, "call"), at(30, 0, "return"), at(40, 3, "dead")];
    expect(read(late, cpuOfflinePolicy, of)[0]?.acknowledge[4]?.[3]).toBeNaN();
  });
});
