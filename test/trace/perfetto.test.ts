// Perfetto traces as a decoder that is not ours reads them, beside what the same run says of itself.

import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import { executeScenario } from "../../src/scenario/run.ts";
import { nsOf } from "../../src/timing/index.ts";
import { decodePackets, decodeTrace, knownBytes, type Slice } from "./decode.ts";
import { scenario, traced } from "./runs.ts";

const PHASES = ["PREPARE", "DISABLE_IRQ", "RUN", "EXIT"];

function byTrack(slices: readonly Slice[]): Map<string, Slice[]> {
  const tracks = new Map<string, Slice[]>();
  for (const slice of slices) tracks.set(slice.track, [...(tracks.get(slice.track) ?? []), slice]);
  return tracks;
}

/** A whole and its parts: each begins where the one before it ends, and together they are the whole. */
function expectTiled(whole: Slice | undefined, parts: readonly Slice[]): void {
  expect(parts[0]?.startNs).toBe(whole?.startNs);
  parts.slice(1).forEach((part, index) => expect(part.startNs).toBe(parts[index]?.endNs));
  expect(parts.at(-1)?.endNs).toBe(whole?.endNs);
}

describe("stop_machine() on 4,096 CPUs", () => {
  it("has every CPU's phases without a gap, and a flow for each interrupt", async () => {
    const document = scenario({ machine: { architecture: "arm64", cpus: 4096 } });
    const { bytes, chunks } = await traced(document);
    const { tracks, slices } = decodeTrace(bytes);
    expect(chunks).toBeGreaterThan(3);
    const names = new Set(tracks.values());
    const phases = byTrack(slices.filter(({ track }) => /^CPU \d+$/.test(track)));
    const { machine, history, timelines } = await executeScenario(document);
    const [timeline] = timelines;
    const ns = (cycle: number | undefined): number => Math.round(nsOf(machine.timing, cycle ?? NaN));
    for (let cpu = 0; cpu < 4096; cpu++) {
      expect(names.has(`CPU ${cpu}`) && names.has(`CPU ${cpu} execution`)).toBe(true);
      const [whole, ...parts] = phases.get(`CPU ${cpu}`) ?? [];
      expect([whole?.name, whole?.depth, whole?.startNs]).toEqual(["stop_machine", 0, ns(timeline?.call)]);
      expect(parts.every(({ depth }) => depth === 1)).toBe(true);
      expectTiled(whole, parts);
      expect(whole?.endNs).toBe(ns(timeline?.leave[cpu]));
      expect(parts.map(({ name }) => name).slice(-5)).toEqual(["entered", ...PHASES]);
      const starts = parts.slice(-5).map(({ startNs }) => startNs);
      expect(starts).toEqual([timeline?.enter, ...(timeline?.acknowledge ?? [])].map((column) => ns(column?.[cpu])));
    }
    const sent = history.records.filter(({ kind }) => kind === TraceKind.INTERRUPT_SENT);
    expectFlows(
      slices,
      sent.map(({ cpu, peer }) => `${cpu} ${peer}`),
    );
  }, 60_000);
});

/** Each message begins one flow, which ends once, on a handler of its target. */
function expectFlows(slices: readonly Slice[], messages: readonly string[]): void {
  const begun = new Map<number, Slice>();
  const ended = new Map<number, Slice>();
  for (const slice of slices) {
    for (const flow of slice.flows) if (!begun.has(flow)) begun.set(flow, slice);
    for (const flow of slice.endingFlows) {
      expect(ended.has(flow)).toBe(false);
      ended.set(flow, slice);
    }
  }
  const cpuOf = (track: string | undefined): string => /\d+/.exec(track ?? "")?.[0] ?? "";
  const seen = [...begun].map(([flow, from]) => {
    const to = ended.get(flow);
    expect(to?.category === "interrupt" || to?.category === "nmi").toBe(true);
    expect(String(from.values["to"])).toBe(cpuOf(to?.track));
    expect(to?.startNs).toBeGreaterThan(from.startNs);
    return `${cpuOf(from.track)} ${cpuOf(to?.track)}`;
  });
  expect(seen.sort()).toEqual([...messages].sort());
}

describe("what else is seen", () => {
  it("is the NMIs of x86-64 from who sends them to who handles them", async () => {
    const document = scenario({
      machine: { architecture: "x86-64", cpus: 8 },
      policy: { name: "stop_machine_nmi_c", active: "all" },
    });
    const { slices } = decodeTrace((await traced(document)).bytes);
    const nmis = slices.filter(({ category, isInstant }) => category === "nmi" && !isInstant);
    const withFlow = nmis.filter(({ endingFlows }) => endingFlows.length > 0);
    expect(new Set(withFlow.map(({ track }) => track)).size).toBeGreaterThanOrEqual(7);
    const functions = slices.filter(({ name }) => name === "function");
    expect(new Set(functions.map(({ track }) => track)).size).toBe(8);
    expect(slices.filter(({ name }) => name === "send NMI").length).toBeGreaterThanOrEqual(7);
  });

  it("is SDEI, up to where CPUs stay", async () => {
    const document = scenario({
      machine: { architecture: "arm64", cpus: 4, firmware: "compliant" },
      policy: { name: "smp_send_stop_sdei" },
      load: { particular: [{ cpus: "2", kind: "wedged" }] },
      // The kernel waits a second for what interrupts can stop.
      limitUs: 4_000_000,
    });
    const { slices } = decodeTrace((await traced(document)).bytes);
    const [event] = slices.filter(({ name }) => name === "SDEI event 0");
    expect(event?.track).toBe("CPU 2 execution");
    const raised = slices.find(({ name }) => name === "raise sdei");
    expect(raised?.values).toEqual({ to: 2 });
    expect(event?.endingFlows).toEqual(raised?.flows);
    expect(
      slices
        .filter(({ name }) => name.startsWith("parked"))
        .map(({ track }) => track)
        .sort(),
    ).toEqual(["CPU 1 execution", "CPU 2 execution", "CPU 3 execution"]);
  });

  it("is a hang: who has not answered waits, interrupted by nobody, until the end", async () => {
    const document = scenario({
      machine: { architecture: "x86-64", cpus: 8 },
      load: { common: "busy", particular: [{ cpus: "5", kind: "wedged" }] },
      limitUs: 500,
    });
    const { bytes, summary } = await traced(document);
    const { slices } = decodeTrace(bytes);
    const last = (cpu: number): string | undefined => slices.findLast(({ track }) => track === `CPU ${cpu}`)?.name;
    expect([0, 1, 2, 3, 4, 5, 6, 7].map(last)).toEqual(
      [..."01234"].map(() => "PREPARE").concat("signalled", "PREPARE", "PREPARE"),
    );
    expect(slices.find(({ track, name }) => track === "CPU 5" && name === "signalled")?.endNs).toBe(500_000);
    expect(summary.endNs).toBe(500_000);
    const arrived = slices.find(({ track, name }) => track === "CPU 5 execution" && name === "reschedule arrives");
    expect(arrived?.flows).toHaveLength(1);
    expect(slices.flatMap(({ endingFlows }) => endingFlows)).not.toContain(arrived?.flows[0]);
  });

  it("is lost messages, and time in which a CPU runs nothing", async () => {
    const document = scenario({
      machine: { architecture: "x86-64", cpus: 4 },
      load: { common: "busy", particular: [{ cpus: "3", kind: "smm", us: 100 }] },
      faults: { delivery: [{ cpus: "2", kind: "interrupt", lost: 1 }] },
      limitUs: 1000,
    });
    const { slices } = decodeTrace((await traced(document)).bytes);
    const lost = slices.find(({ name }) => name === "reschedule lost");
    expect([lost?.track, lost?.category, lost?.endingFlows.length]).toEqual(["CPU 2 execution", "fault", 1]);
    const smm = slices.find(({ name }) => name === "SMM");
    expect(smm?.track).toBe("CPU 3 stolen time");
    expect((smm?.endNs ?? 0) - (smm?.startNs ?? 0)).toBeCloseTo(100_000, -1);
  });
});

describe("the bytes", () => {
  it("are the same in every run, with and without accelerations", async () => {
    const document = scenario({ machine: { architecture: "arm64", cpus: 16 }, load: { common: "mixed" } });
    const { bytes } = await traced(document);
    expect((await traced(document)).bytes).toEqual(bytes);
    const none = { runAhead: false, spinElision: false, foresight: false };
    expect((await traced(document, { accelerations: none })).bytes).toEqual(bytes);
  });

  it("are of packets with one sequence, tracks of CPUs in order below one", async () => {
    const { bytes } = await traced(scenario({ machine: { cpus: 4 } }));
    const packets = decodePackets(bytes);
    expect(knownBytes(bytes)).toBe(bytes.length);
    expect(new Set(packets.map((packet) => packet.trusted_packet_sequence_id))).toEqual(new Set([1]));
    const descriptors = packets.flatMap(({ track_descriptor: one }) => (one === undefined ? [] : [one]));
    const [root] = descriptors;
    expect(root?.name).toMatch(/^stop_machine on /);
    const cpus = descriptors.filter(({ name }) => name.startsWith("CPU "));
    expect(cpus.map(({ parent_uuid: parent, sibling_order_rank: rank }) => [parent, rank])).toEqual(
      [0, 1, 2, 3].map((rank) => [root?.uuid, rank]),
    );
  });

  it("say what they said when they were looked at", async () => {
    const document = scenario({ machine: { architecture: "arm64", cpus: 2 }, policy: { active: "all" }, seed: 7 });
    const { slices } = decodeTrace((await traced(document)).bytes);
    const golden: unknown = JSON.parse(await readFile(new URL("golden.json", import.meta.url), "utf8"));
    expect(slices.map(({ track, name, startNs, endNs }) => ({ track, name, startNs, endNs }))).toEqual(golden);
  });
});
