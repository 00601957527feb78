// Timing models of published machines. Instruction costs: InstLatx64 dumps, by file key. Handoffs: class medians of the
// matrices of nviennot/core-to-core-latency. Where a machine has no figure, the neutral model's estimate stands.

import { derive } from "./derive.ts";
import { genericArm64, genericX86 } from "./generic.ts";
import type { TimingModel } from "./model.ts";
import type { Sourced, TimingParameter } from "./parameters.ts";

function measured(value: number, source: string): Sourced {
  return { value, source, confidence: "A" };
}

function estimate(value: number, least: number, most: number, source: string): Sourced {
  return { value, source, confidence: "estimate", range: [least, most] };
}

/** A clock that the maker states. */
function stated(value: number, source: string): Sourced {
  return { value, source, confidence: "B" };
}

/** Columns of an instruction dump, cycles. */
interface Dump {
  readonly key: string;
  /** Set when the dump is of another machine with the same core: the figures are estimates then. */
  readonly otherPart?: string;
  readonly pause: number;
  readonly rdtsc: number;
  readonly cpuid: number;
  readonly lfence: number;
  readonly mfence: number;
  readonly sfence?: number;
  readonly lockAdd: number;
  readonly clflush?: number;
}

function instructionCosts(dump: Dump): Partial<Record<TimingParameter, Sourced>> {
  const from = (value: number): Sourced =>
    dump.otherPart === undefined
      ? measured(value, `InstLatx64 ${dump.key}`)
      : estimate(value, 0.7 * value, 1.4 * value, `InstLatx64 ${dump.key}: ${dump.otherPart}`);
  return {
    relax: from(dump.pause),
    readCounter: from(dump.rdtsc),
    serialize: from(dump.cpuid),
    loadFence: from(dump.lfence),
    fullFence: from(dump.mfence),
    atomic: from(dump.lockAdd),
    compareAndSwap: estimate(
      dump.lockAdd,
      0.7 * dump.lockAdd,
      1.4 * dump.lockAdd,
      `as LOCK ADD of InstLatx64 ${dump.key}`,
    ),
    ...(dump.sfence === undefined ? {} : { storeFence: from(dump.sfence) }),
    ...(dump.clflush === undefined ? {} : { flushLine: from(dump.clflush) }),
  };
}

const matrices = (file: string): string => `core-to-core matrix of ${file}`;

/** AMD's homes are a hop away from the caches, so that less of a load's latency is left for the memory itself. */
const epycMemory: Sourced = estimate(
  40,
  20,
  80,
  "no published figure at hand; so that a load from the node's memory takes 110 to 130 ns in all",
);

/** Idle exit of C1, from the driver's table; it stands for HLT and for MWAIT. */
function idleExit(ns: number, source: string): Partial<Record<TimingParameter, Sourced>> {
  const wake: Sourced = { value: ns, source, confidence: "B" };
  return { wakeHlt: wake, wakeMwait: wake };
}

export const machineModels: readonly TimingModel[] = [
  derive(genericX86, {
    name: "skylake-sp",
    title: "Intel Xeon Scalable, Skylake-SP",
    clockMhz: measured(2100, "InstLatx64 0050654_SkylakeXeon_20: clock of the dump, Xeon Platinum 8160"),
    handoffs: {
      sibling: 7.4,
      domain: 48,
      machine: 141.4,
      source: `${matrices("2x Xeon Gold 6242")}: the next generation on the same mesh`,
      confidence: "estimate",
    },
    parameters: {
      ...instructionCosts({
        key: "0050654_SkylakeXeon_20",
        pause: 140.3,
        rdtsc: 25,
        cpuid: 99.3,
        lfence: 4.3,
        mfence: 33.3,
        sfence: 6,
        lockAdd: 23,
        clflush: 236,
      }),
      ...idleExit(2000, "intel_idle table, Skylake-SP C1"),
    },
  }),
  derive(genericX86, {
    name: "cascadelake-sp",
    title: "Intel Xeon Scalable, Cascade Lake-SP",
    clockMhz: stated(3000, "Xeon Platinum 8275CL, clock in its name"),
    handoffs: { sibling: 7.6, domain: 46.6, machine: 134.1, source: matrices("2x Xeon 8275CL"), confidence: "fit" },
    parameters: {
      ...instructionCosts({
        key: "0050657_CascadeLakeXeon",
        pause: 40.4,
        rdtsc: 25,
        cpuid: 100.3,
        lfence: 4.3,
        mfence: 33.3,
        sfence: 6,
        lockAdd: 23,
        clflush: 109,
      }),
      ...idleExit(2000, "intel_idle table, Cascade Lake-SP C1"),
    },
  }),
  derive(genericX86, {
    name: "icelake-sp",
    title: "Intel Xeon Scalable, Ice Lake-SP",
    clockMhz: stated(2900, "Xeon Platinum 8375C, clock in its name"),
    handoffs: { sibling: 8, domain: 51.3, machine: 107.8, source: matrices("2x Xeon 8375C"), confidence: "fit" },
    parameters: {
      ...instructionCosts({
        key: "00606A6_ICX",
        pause: 34.4,
        rdtsc: 27,
        cpuid: 104.3,
        lfence: 5.2,
        mfence: 36.2,
        sfence: 6,
        lockAdd: 18,
        clflush: 188,
      }),
      ...idleExit(1000, "intel_idle table, Ice Lake-SP C1"),
    },
  }),
  derive(genericX86, {
    name: "sapphirerapids",
    title: "Intel Xeon Scalable, Sapphire Rapids",
    clockMhz: stated(2000, "Xeon Platinum 8480+, base clock"),
    handoffs: {
      domain: 60,
      machine: 125,
      source: "no matrix published; larger mesh than Ice Lake-SP",
      confidence: "estimate",
    },
    parameters: {
      ...instructionCosts({
        key: "0090672_AlderLake_01_BC",
        otherPart: "client part with the same core",
        pause: 159.9,
        rdtsc: 25.9,
        cpuid: 123,
        lfence: 12,
        mfence: 38.1,
        sfence: 6,
        lockAdd: 17.9,
        clflush: 92.5,
      }),
      relax: estimate(40, 34, 160, "between Ice Lake-SP (34) and the client part with the same core (160)"),
      ...idleExit(1000, "intel_idle table, Sapphire Rapids C1"),
    },
  }),
  derive(genericX86, {
    name: "zen2",
    title: "AMD EPYC 7002, Zen 2",
    clockMhz: measured(2250, "InstLatx64 0830F10_K17_Rome: EPYC 7742"),
    handoffs: {
      sibling: 8,
      domain: 25.3,
      node: 132.1,
      farHome: 266.9,
      machine: 266.6,
      distance: 32,
      source: matrices("2x EPYC 7742"),
      confidence: "fit",
    },
    parameters: {
      memory: epycMemory,
      ...instructionCosts({
        key: "0830F10_K17_Rome",
        pause: 65.7,
        rdtsc: 37.4,
        cpuid: 131,
        lfence: 11.1,
        mfence: 78.8,
        sfence: 1,
        lockAdd: 17.8,
        clflush: 248,
      }),
    },
  }),
  derive(genericX86, {
    name: "zen3",
    title: "AMD EPYC 7003, Zen 3",
    clockMhz: stated(2650, "EPYC 7R13, base clock"),
    handoffs: {
      sibling: 9.8,
      domain: 22.7,
      node: 107.6,
      farHome: 200.5,
      machine: 197.2,
      distance: 32,
      source: matrices("2x EPYC 7R13"),
      confidence: "fit",
    },
    parameters: {
      memory: epycMemory,
      ...instructionCosts({
        key: "0A20F12_K19_Vermeer_03 (Ryzen 7 5800X, the same core)",
        pause: 65.1,
        rdtsc: 36,
        cpuid: 129,
        lfence: 10,
        mfence: 61.3,
        sfence: 1,
        lockAdd: 7.5,
        clflush: 22,
      }),
    },
  }),
  derive(genericX86, {
    name: "zen4",
    title: "AMD EPYC 9004, Zen 4",
    clockMhz: measured(2400, "InstLatx64 0A10F11_K19_Genoa_01: EPYC 9654"),
    handoffs: {
      sibling: 9,
      domain: 23.5,
      node: 100.5,
      farHome: 192,
      machine: 197.5,
      distance: 32,
      source: "samples of 2x EPYC 9274F, core-to-core-latency issue 132",
      confidence: "fit",
    },
    parameters: {
      memory: epycMemory,
      ...instructionCosts({
        key: "0A10F11_K19_Genoa_01",
        pause: 65.7,
        rdtsc: 35.3,
        cpuid: 147,
        lfence: 10.1,
        mfence: 58.4,
        sfence: 1,
        lockAdd: 7.8,
        clflush: 5.3,
      }),
    },
  }),
  derive(genericArm64, {
    name: "neoverse-n1",
    title: "Arm Neoverse N1 (Graviton 2)",
    clockMhz: stated(2500, "Graviton 2, clock of the contention measurements"),
    handoffs: { domain: 47.2, source: matrices("Graviton 2"), confidence: "fit" },
    counterHz: estimate(121_875_000, 25e6, 125e6, "CNTFRQ_EL0 of Graviton 2 as reported by its kernel"),
    parameters: {
      atomic: measured(
        12.5,
        "concurrency-hierarchy-bench, Graviton 2: 5.3 ns per uncontended fetch-add, loop included",
      ),
      compareAndSwap: measured(
        16.5,
        "concurrency-hierarchy-bench, Graviton 2: 8.4 ns (21 cycles) per uncontended turn of LDAR and CASAL, less its nine instructions beside CASAL",
      ),
      firmwareCall: measured(60, "Trusted Firmware-A docs/perf, N1SDP: half of PSCI_VERSION, 120 ns for the first CPU"),
    },
  }),
  derive(genericArm64, {
    name: "neoverse-v1",
    title: "Arm Neoverse V1 (Graviton 3)",
    clockMhz: estimate(2600, 2500, 2700, "Graviton 3"),
    handoffs: { domain: 46.4, source: matrices("Graviton 3"), confidence: "fit" },
  }),
  derive(genericArm64, {
    name: "kunpeng920",
    title: "HiSilicon Kunpeng 920",
    clockMhz: stated(2600, "Kunpeng 920-6426, clock in the file's name"),
    handoffs: { domain: 35.7, package: 80.5, distance: 32, source: matrices("Kunpeng 920-6426"), confidence: "fit" },
    counterHz: estimate(100_000_000, 1e8, 1e8, "CNTFRQ_EL0 of Kunpeng 920"),
  }),
];
