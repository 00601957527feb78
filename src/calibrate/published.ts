// What was published about the machines of the timing models: medians of core-to-core handoffs by what the CPUs share, the
// cost of a shared counter by the number of CPUs, and costs of interrupts. test/calibrate derives the medians again from the
// published files where they are at hand.

import { publishedInterrupts, type PublishedInterrupts } from "../measure/published-interrupts.ts";
import type { Confidence } from "../timing/index.ts";

/**
 * What two CPUs that hand a line to each other share. In `package` their last-level caches differ and the line's home is in
 * their package; in `package-far-home` it is in the other one; in `machine` each is in a package of its own.
 */
export const handoffClasses = {
  sibling: "SMT siblings of one core",
  llc: "same last-level cache",
  package: "same package, other LLC",
  "package-far-home": "the same, line homed in other package",
  machine: "other package",
} as const;
export type HandoffClass = keyof typeof handoffClasses;

/** How the measured machine numbers its CPUs: threads of core c are c, c + cores, ...; packages and LLCs are consecutive. */
export interface MeasuredShape {
  readonly cores: number;
  readonly coresPerPackage: number;
  readonly coresPerLlc: number;
  /** Package in whose memory the flag lay, where that shows. */
  readonly homePackage?: number;
}

/**
 * Medians of a compare-and-swap ping-pong: half of a round trip, averaged over many, so one way including the retries of who
 * waits; ns.
 */
export interface PublishedHandoffs {
  readonly machine: string;
  readonly source: string;
  readonly confidence: Confidence;
  /** The published matrix and how to read it. */
  readonly matrix?: { readonly file: string; readonly shape: MeasuredShape };
  /** Why it stands for a machine that it was not measured on. */
  readonly standsInFor?: string;
  readonly ns: Readonly<Partial<Record<HandoffClass, number>>>;
}

/** Programs that all CPUs run at once on one counter. */
export const contentionKinds = {
  "fetch-add": "fetch-and-add",
  "compare-and-swap": "compare-and-swap loop",
  "ticket-lock": "increment under a ticket lock",
} as const;
export type ContentionKind = keyof typeof contentionKinds;

/** How an image does atomics: single instructions, or loops of exclusive accesses (arm64). */
export type Atomics = "instruction" | "llsc";

/** What one increment takes each CPU when `cpus` of them increment one counter, ns: medians of 15 trials. */
export interface PublishedContention {
  readonly machine: string;
  /** The machine has another core than the model: shown for the shape of the curve, no target. */
  readonly isOtherCore?: true;
  readonly atomics: Atomics;
  readonly source: string;
  readonly confidence: Confidence;
  readonly file: string;
  readonly cpus: readonly number[];
  readonly ns: Readonly<Partial<Record<ContentionKind, readonly number[]>>>;
}

export interface Publication {
  readonly handoffs?: PublishedHandoffs;
  readonly contention?: readonly PublishedContention[];
}

const matrices = "nviennot/core-to-core-latency at 96a943ac, results/";

/** By timing model. */
export const publications: Readonly<Record<string, Publication>> = {
  "skylake-sp": {
    handoffs: {
      machine: "2x Xeon Gold 6242",
      standsInFor: "no Skylake-SP was published; Cascade Lake-SP has the same mesh",
      source: matrices,
      confidence: "A",
      matrix: {
        file: "dual-intel-xeon-gold-6242-2-8ghz.csv",
        shape: { cores: 32, coresPerPackage: 16, coresPerLlc: 16 },
      },
      ns: { sibling: 7.4, llc: 48, machine: 141.4 },
    },
  },
  "cascadelake-sp": {
    handoffs: {
      machine: "2x Xeon Platinum 8275CL",
      source: matrices,
      confidence: "A",
      matrix: {
        file: "intel-xeon-platinum-8275cl-3-00ghz.csv",
        shape: { cores: 48, coresPerPackage: 24, coresPerLlc: 24 },
      },
      ns: { sibling: 7.6, llc: 46.6, machine: 134.1 },
    },
  },
  "icelake-sp": {
    handoffs: {
      machine: "2x Xeon Platinum 8375C",
      source: matrices,
      confidence: "A",
      matrix: {
        file: "intel-xeon-platinum-8375c-2-90ghz.csv",
        shape: { cores: 64, coresPerPackage: 32, coresPerLlc: 32 },
      },
      ns: { sibling: 8, llc: 51.3, machine: 107.8 },
    },
  },
  zen2: {
    handoffs: {
      machine: "2x EPYC 7742",
      source: matrices,
      confidence: "A",
      matrix: {
        file: "dual-amd-epyc-7742-64.csv",
        shape: { cores: 128, coresPerPackage: 64, coresPerLlc: 4, homePackage: 1 },
      },
      ns: { sibling: 8, llc: 25.3, package: 132.1, "package-far-home": 266.9, machine: 266.6 },
    },
  },
  zen3: {
    handoffs: {
      machine: "2x EPYC 7R13",
      source: matrices,
      confidence: "A",
      matrix: {
        file: "amd-epyc-7r13-48.csv",
        shape: { cores: 96, coresPerPackage: 48, coresPerLlc: 8, homePackage: 0 },
      },
      ns: { sibling: 9.8, llc: 22.7, package: 107.6, "package-far-home": 200.5, machine: 197.2 },
    },
  },
  zen4: {
    handoffs: {
      machine: "2x EPYC 9274F",
      source: "nviennot/core-to-core-latency, issue 132: middles of the printed samples",
      confidence: "A",
      ns: { sibling: 9, llc: 23.5, package: 100.5, "package-far-home": 192, machine: 197.5 },
    },
  },
  "neoverse-n1": {
    handoffs: {
      machine: "AWS Graviton 2, 64 CPUs",
      source: matrices,
      confidence: "A",
      matrix: { file: "aws-graviton2.csv", shape: { cores: 64, coresPerPackage: 64, coresPerLlc: 64 } },
      ns: { llc: 47.2 },
    },
    contention: [
      {
        machine: "AWS Graviton 2, 16 CPUs (virtual machine), LSE",
        atomics: "instruction",
        source: "travisdowns/concurrency-hierarchy-bench at 1b3f7f8c, results/g2-16",
        confidence: "A",
        file: "g2-16.csv",
        cpus: [1, 2, 4, 8, 12, 16],
        ns: {
          "fetch-add": [5.3, 17, 34.7, 75.5, 114.6, 150.3],
          "compare-and-swap": [8.4, 52.2, 116.5, 323.3, 507.6, 638.7],
          "ticket-lock": [12.2, 265.7, 681.7, 1995.6, 4045.8, 6841.2],
        },
      },
      {
        machine: "AWS Graviton 1, 16 Cortex-A72 in clusters of four",
        isOtherCore: true,
        atomics: "llsc",
        source: "travisdowns/concurrency-hierarchy-bench at 1b3f7f8c, results/g1-16",
        confidence: "A",
        file: "g1-16.csv",
        cpus: [1, 2, 4, 8, 12, 16],
        ns: {
          "fetch-add": [8.8, 30.7, 105.4, 410.2, 808.5, 1372.3],
          "compare-and-swap": [17.1, 54.8, 175.1, 641.1, 1308.6, 2060.1],
        },
      },
    ],
  },
  "neoverse-v1": {
    handoffs: {
      machine: "AWS Graviton 3, 64 CPUs",
      source: matrices,
      confidence: "A",
      matrix: { file: "aws-graviton3.csv", shape: { cores: 64, coresPerPackage: 64, coresPerLlc: 64 } },
      ns: { llc: 46.4 },
    },
  },
  kunpeng920: {
    handoffs: {
      machine: "Kunpeng 920-6426, 64 CPUs",
      source: matrices,
      confidence: "A",
      matrix: {
        file: "hisilicon-kunpeng-920-6426-2-6ghz.csv",
        shape: { cores: 64, coresPerPackage: 64, coresPerLlc: 32 },
      },
      ns: { llc: 35.7, package: 80.5 },
    },
  },
};

/** A cost of an interrupt or a wake-up, ns from least to greatest, on a machine that is none of the models'. */
export interface PublishedCost {
  readonly what: "one" | "all" | "wake";
  readonly architectures: readonly ("x86-64" | "arm64")[];
  readonly ns: readonly [least: number, most: number];
  readonly machine: string;
  readonly source: string;
  readonly confidence: Confidence;
}

/** What ipi_benchmark printed on a machine: until the function ran on one other CPU, or until the sender went on from all others. */
function benchmarkCost(what: "one" | "all", machine: string, where: PublishedInterrupts["where"]): PublishedCost {
  const found = publishedInterrupts.find((published) => published.machine === machine && published.where === where);
  const ns = what === "one" ? found?.one?.runNs : found?.all?.returnNs;
  if (found === undefined || ns === undefined || found.architecture === "ppc64") throw new Error(`${machine}: ${what}`);
  const { architecture, unit, source, confidence } = found;
  const details = [machine, where === "not stated" ? "guest or not: not stated" : where, unit].filter(Boolean);
  const until = what === "one" ? "until the function runs" : "until the sender goes on";
  return {
    what,
    architectures: [architecture],
    ns,
    machine: details.join(", "),
    source: `${source}: ${until}`,
    confidence,
  };
}

/**
 * Nobody has published interrupts of one of these machines on the bare metal, so that the figures say no more than which
 * order of magnitude is right. The `self` case of ipi_benchmark calls its function without an interrupt.
 */
export const publishedCosts: readonly PublishedCost[] = [
  benchmarkCost("one", "unidentified server", "not stated"),
  {
    what: "one",
    architectures: ["x86-64"],
    ns: [997, 997],
    machine: "Xeon, 2 GHz: posted interrupt, sender and receiver",
    source: "Shinjuku, NSDI 2019, table 1: 1,993 cycles",
    confidence: "C",
  },
  benchmarkCost("one", "2 CPUs, IPI virtualisation on to off", "guest"),
  benchmarkCost("one", "32 and 4 CPUs, to CPU 1", "guest"),
  benchmarkCost("one", "ThunderX2, 112 CPUs", "bare metal"),
  benchmarkCost("all", "unidentified server", "not stated"),
  benchmarkCost("all", "ThunderX2, 112 CPUs", "bare metal"),
  {
    what: "wake",
    architectures: ["x86-64"],
    ns: [1000, 2000],
    machine: "Intel servers, C1, worst case",
    source: "intel_idle tables: Skylake-SP, Cascade Lake-SP 2 us; Ice Lake-SP, Sapphire Rapids 1 us",
    confidence: "B",
  },
];
