// What was published of calls between CPUs, mostly measured with ipi_benchmark. None of it was measured on a machine of the timing models,
// and most of it in guests, where sending traps to a hypervisor: orders of magnitude, no targets.

import type { Confidence } from "../timing/index.ts";

/** Least and most, ns. */
type Range = readonly [least: number, most: number];

/** Until the function runs, and until the sender goes on, where they were told apart. */
export interface PublishedCall {
  readonly runNs?: Range;
  readonly returnNs?: Range;
}

export interface PublishedInterrupts {
  readonly machine: string;
  readonly architecture: "x86-64" | "arm64" | "ppc64";
  readonly where: "bare metal" | "guest" | "not stated";
  readonly self?: PublishedCall;
  readonly one?: PublishedCall;
  readonly all?: PublishedCall;
  readonly lock?: PublishedCall;
  /** What stands between the figures and nanoseconds. */
  readonly unit?: string;
  readonly source: string;
  readonly confidence: Confidence;
}

/** One dry run in the raw sample. That it is as long elsewhere is a guess. */
const DRY_RUN_NS = 30;
const post = "ipi_benchmark, linux-arm-kernel, 19 Dec 2017, v2";
const dryRuns = `given in dry runs, taken for ${DRY_RUN_NS} ns each`;

function call(run: number | Range, whole?: number | Range): PublishedCall {
  const range = (ns: number | Range): Range => (typeof ns === "number" ? [ns, ns] : ns);
  return { runNs: range(run), ...(whole === undefined ? {} : { returnNs: range(whole) }) };
}

function whole(least: number, most = least): PublishedCall {
  return { returnNs: [least, most] };
}

function inDryRuns(
  machine: string,
  where: "bare metal" | "guest",
  self: readonly [number, number],
  one: readonly [number, number],
  all: number,
): PublishedInterrupts {
  const ns = ([run, back]: readonly [number, number]): PublishedCall => call(run * DRY_RUN_NS, back * DRY_RUN_NS);
  return {
    machine,
    architecture: "arm64",
    where,
    self: ns(self),
    one: ns(one),
    all: whole(all * DRY_RUN_NS),
    unit: dryRuns,
    source: post,
    confidence: "B",
  };
}

const skylakeGuest = {
  architecture: "x86-64",
  where: "guest",
  source: "ipi_benchmark, Linux commit 4180bf1b655a",
  confidence: "B",
} as const;

export const publishedInterrupts: readonly PublishedInterrupts[] = [
  {
    machine: "unidentified server",
    architecture: "x86-64",
    where: "not stated",
    self: call(100, 174),
    one: call(1240, 1790),
    all: whole(25_700),
    source: "ipi_benchmark, published kernel log",
    confidence: "A",
  },
  {
    ...skylakeGuest,
    machine: "Skylake-SP 2.5 GHz, 80 CPUs, x2APIC cluster",
    self: call(69, 150),
    one: call(2240, 2510),
    all: whole(92_800),
  },
  {
    ...skylakeGuest,
    machine: "the same, x2APIC physical",
    self: call(86, 179),
    one: call(2260, 2550),
    all: whole(198_500),
  },
  {
    ...skylakeGuest,
    machine: "the same, one hypercall for many targets",
    self: call(67, 150),
    one: call([2190, 2290], [2500, 2560]),
    all: whole(75_700, 78_100),
  },
  {
    machine: "2 CPUs, IPI virtualisation on to off",
    architecture: "x86-64",
    where: "guest",
    self: call(51, 111),
    one: call([1320, 1450], [1730, 1750]),
    all: whole(1560, 1760),
    source: "ipi_benchmark, kvm list, 2021",
    confidence: "B",
  },
  inDryRuns("ThunderX2, 112 CPUs", "bare metal", [9, 18], [81, 110], 2106),
  inDryRuns("ThunderX2", "guest", [10, 18], [305, 525], 9729),
  inDryRuns("ThunderX2, VHE series", "guest", [9, 18], [176, 343], 9885),
  {
    machine: "raw sample in the patch",
    architecture: "arm64",
    where: "not stated",
    self: call(304, 656),
    one: call(5670, 6310),
    all: whole(23_200),
    lock: whole(24_500),
    source: post,
    confidence: "B",
  },
  {
    machine: "32 and 4 CPUs, to CPU 1",
    architecture: "arm64",
    where: "guest",
    one: call([2100, 2200]),
    source: "vGIC SGI patch, Linux v6.5",
    confidence: "B",
  },
  {
    machine: "32 CPUs, to CPU 31, with and without patch",
    architecture: "arm64",
    where: "guest",
    one: call([3200, 4000]),
    source: "the same",
    confidence: "B",
  },
  {
    machine: "IBM pseries partition",
    architecture: "ppc64",
    where: "guest",
    self: call(19, 35),
    one: call(1110, 1500),
    all: whole(39_800, 43_600),
    source: "ipi_benchmark, linuxppc-dev, Nov 2025",
    confidence: "B",
  },
];
