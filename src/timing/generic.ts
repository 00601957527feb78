// The neutral timing models, one per architecture: round figures in the middle of what published machines show, for when
// no particular one is meant.

import type { TimingModel } from "./model.ts";
import type { Sourced } from "./parameters.ts";

/** A figure chosen within a range of published or argued ones. */
function chosen(value: number, least: number, most: number, source: string): Sourced {
  return { value, source, confidence: "estimate", range: [least, most] };
}

const dumps = "middle of the InstLatx64 dumps of server parts, Haswell to Zen 4";
const handoffs = "middle of the published core-to-core latency matrices (nviennot/core-to-core-latency)";
const halfHandoff =
  "half of a handoff within a last-level cache: until the requester has the line and says so; as the models of machines";
const beyondHops = "what handoffs between domains leave beside two hops; as the models of machines";
const noFigure = "no published figure; order of magnitude of the machines at hand";

const noMulticastFigure =
  "no published figure of bare metal; a few cycles of an interconnect per message, and below 570 ns per target of a broadcast with its function call (ThunderX2, ipi_benchmark)";

const shared = {
  simple: chosen(1, 1, 1, "definition of the issue slot"),
  load: chosen(1, 1, 4, "pipelined hits share issue slots with other instructions"),
  store: chosen(1, 1, 4, "pipelined hits share issue slots with other instructions"),
  branch: chosen(1, 1, 4, "predicted branches"),
  multiply: chosen(4, 2, 12, dumps),
  sibling: chosen(8, 6, 12, `handoffs between SMT siblings of Intel's and AMD's servers; ${handoffs}`),
  memory: chosen(80, 30, 140, "no published figure; so that a load from the node's memory takes 110 to 150 ns in all"),
  siblingInterrupt: chosen(
    480,
    240,
    500,
    "no published figure; as between cores, less both ways between core and interconnect",
  ),
  interruptMember: chosen(4, 1, 50, noMulticastFigure),
  interruptCopy: chosen(10, 2, 100, noMulticastFigure),
  device: chosen(100, 50, 500, noFigure),
  cpuOn: chosen(10_000, 9_000, 300_000, "Trusted Firmware-A docs/perf: wake from CPU_OFF, N1SDP and Juno"),
  storeDrain: chosen(0, 0, 20, "stores ask for their lines when they retire: as eager as can be"),
  smm: chosen(
    100_000,
    10_000,
    1_000_000,
    "below the 150 us beyond which Intel's BIOS Implementation Test Suite warns of an SMI (Delgado and Karavanic, IISWC 2013)",
  ),
  microcodeUpdate: chosen(
    1_000_000,
    50_000,
    100_000_000,
    "no published figure; more than the transfer of an image of 100 KiB, whose growth Intel's patches for staging give as the reason of load latency (x86/microcode, October 2024)",
  ),
  cpuOff: chosen(
    10_000,
    1_500,
    200_000,
    "Trusted Firmware-A docs/perf: CPU_OFF takes 2 to 22 us on N1SDP, 20 to 195 us on Juno, the longest where a cluster's cache is flushed",
  ),
  psciLock: chosen(
    1_500,
    500,
    90_000,
    "Trusted Firmware-A docs/perf: of two cores of a cluster that power down at once one takes 1.5 us more on N1SDP; up to 88 us more on Juno",
  ),
  sdeiLock: chosen(100, 20, 1_000, noFigure),
  firmwareCall: chosen(80, 60, 1500, "Trusted Firmware-A docs/perf: half of PSCI_VERSION, N1SDP to Juno"),
};

export const genericX86: TimingModel = {
  name: "generic-x86",
  title: "a neutral x86-64 server",
  architecture: "x86-64",
  clockMhz: chosen(2500, 2000, 3800, "nominal clocks of server parts"),
  issueWidth: chosen(2, 1, 4, "sustained instructions per cycle of kernel code"),
  counterHz: chosen(2_500_000_000, 2e9, 3.8e9, "the TSC runs with the reference clock"),
  lines: {
    cache: chosen(9, 5.6, 13, `a quarter of the handoff within a last-level cache; ${handoffs}`),
    node: chosen(25, 1, 36, `a third of what another complex of the socket adds; ${handoffs}`),
    package: chosen(25, 1, 36, `a third of what another complex of the socket adds; ${handoffs}`),
    machine: chosen(50, 27, 115, `what another socket adds over two hops; ${handoffs}`),
  },
  parameters: {
    ...shared,
    storeBuffer: chosen(
      48,
      42,
      112,
      "Haswell 42, Skylake 56, Ice Lake 72 (Intel optimization manual 2.3 to 2.6), Zen 2 48, Zen 3 64 (AMD software optimization guides); the core holds 48",
    ),
    llcOccupancy: chosen(18, 11, 26, halfHandoff),
    homeOccupancy: chosen(40, 25, 70, beyondHops),
    divide: chosen(18, 10, 40, dumps),
    atomic: chosen(18, 7.5, 23, dumps),
    compareAndSwap: chosen(18, 7.5, 23, "as any other locked instruction"),
    fullFence: chosen(36, 17, 83, dumps),
    storeFence: chosen(3, 1, 23, dumps),
    loadFence: chosen(6, 1, 25, dumps),
    serialize: chosen(110, 83, 160, dumps),
    readCounter: chosen(28, 24, 68, dumps),
    relax: chosen(60, 3, 180, dumps),
    systemRead: chosen(60, 20, 120, noFigure),
    systemWrite: chosen(20, 4, 150, noFigure),
    sendInterrupt: chosen(
      200,
      50,
      383,
      "below SENDUIPI, which writes the ICR by microcode (xUI: 383 cycles), and the sender of a posted IPI (Shinjuku: 298)",
    ),
    exceptionEntry: chosen(
      400,
      200,
      720,
      "part of the 720 to 1,212 cycles that a receiver spends (xUI; Shinjuku, table 1)",
    ),
    exceptionReturn: chosen(250, 100, 500, "part of the same"),
    port: chosen(50, 20, 500, noFigure),
    flushLine: chosen(100, 5, 251, dumps),
    writeBackAll: chosen(2_000_000, 100_000, 10_000_000, noFigure),
    apicAccess: chosen(60, 20, 200, `${noFigure}; an uncached access that does not leave the core`),
    apicTimerClock: chosen(25_000, 19_200, 100_000, "core crystal clock of Intel's server parts (Intel SDM 3B 20.7.3)"),
    interrupt: chosen(
      500,
      240,
      1000,
      "between a posted IPI less sender and receiver cost, 242 ns (Shinjuku, NSDI 2019, table 1), and an IPI of a server until its function runs, 1,240 ns (ipi_benchmark, unidentified server)",
    ),
    selfInterrupt: chosen(100, 50, 300, `${noFigure}; the self case of ipi_benchmark takes no interrupt`),
    interruptGap: chosen(20, 5, 100, noFigure),
    wakeHlt: chosen(1000, 500, 2000, "intel_idle C1 of Intel servers: 1 to 2 us at worst"),
    wakeMwait: chosen(1000, 100, 2000, "intel_idle C1 of Intel servers: 1 to 2 us at worst; C0.2: 0.1 to 0.2 us"),
    wakeWfi: chosen(1000, 500, 2000, "not used on x86"),
    wakeWfe: chosen(20, 10, 100, "not used on x86"),
    wakePause: chosen(150, 100, 200, "intel_idle, Intel servers with WAITPKG: C0.2 takes 0.1 to 0.2 us"),
  },
};

export const genericArm64: TimingModel = {
  name: "generic-arm64",
  title: "a neutral arm64 server",
  architecture: "arm64",
  clockMhz: chosen(2500, 2300, 3300, "nominal clocks of server parts"),
  issueWidth: chosen(2, 1, 4, "sustained instructions per cycle of kernel code"),
  counterHz: chosen(1_000_000_000, 25_000_000, 1_000_000_000, "FEAT_ECV: 1 GHz"),
  lines: {
    cache: chosen(
      11,
      8.9,
      12,
      `a quarter of the handoff within a last-level cache (Kunpeng, Graviton 2 and 3); ${handoffs}`,
    ),
    node: chosen(15, 1, 30, `a third of what the other half of Kunpeng 920 adds; ${handoffs}`),
    package: chosen(15, 1, 30, `a third of what the other half of Kunpeng 920 adds; ${handoffs}`),
    machine: chosen(60, 30, 120, noFigure),
  },
  parameters: {
    ...shared,
    storeBuffer: chosen(32, 24, 80, noFigure),
    llcOccupancy: chosen(22, 18, 24, halfHandoff),
    homeOccupancy: chosen(30, 20, 60, beyondHops),
    divide: chosen(12, 5, 20, "Neoverse N1 software optimisation guide: 5 to 20"),
    atomic: chosen(12, 8, 20, "Graviton 2: 5 ns per uncontended fetch-add (concurrency-hierarchy-bench)"),
    compareAndSwap: chosen(
      16,
      12,
      24,
      "Graviton 2: 8.4 ns per turn of an uncontended compare-and-swap loop (concurrency-hierarchy-bench)",
    ),
    fullFence: chosen(30, 10, 100, noFigure),
    storeFence: chosen(10, 4, 50, noFigure),
    loadFence: chosen(10, 4, 50, noFigure),
    serialize: chosen(30, 15, 60, noFigure),
    readCounter: chosen(20, 10, 60, noFigure),
    relax: chosen(2, 1, 40, "YIELD does nothing on parts without threads"),
    systemRead: chosen(6, 2, 40, noFigure),
    systemWrite: chosen(8, 2, 60, noFigure),
    sendInterrupt: chosen(60, 20, 200, noFigure),
    exceptionEntry: chosen(60, 20, 200, noFigure),
    exceptionReturn: chosen(50, 20, 200, noFigure),
    port: chosen(50, 20, 500, "not used on arm64"),
    flushLine: chosen(60, 20, 200, noFigure),
    writeBackAll: chosen(1_000_000, 100_000, 10_000_000, "not used on arm64"),
    apicAccess: chosen(60, 20, 200, "not used on arm64"),
    apicTimerClock: chosen(25_000, 19_200, 100_000, "not used on arm64"),
    interrupt: chosen(500, 300, 1500, "part of the 2.1 us that an IPI takes in a guest (vGIC SGI patch, Linux v6.5)"),
    selfInterrupt: chosen(200, 100, 500, noFigure),
    interruptGap: chosen(20, 5, 100, noFigure),
    wakeHlt: chosen(1000, 500, 2000, "not used on arm64"),
    wakeMwait: chosen(1000, 100, 2000, "not used on arm64"),
    wakeWfi: chosen(500, 100, 2000, noFigure),
    wakeWfe: chosen(20, 10, 100, noFigure),
    wakePause: chosen(150, 100, 200, "not used on arm64"),
  },
};
