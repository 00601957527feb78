// The same protocols here, with full timing, and on QEMU's emulator of one thread, without any: for a sense of what is fast.

import { buildSelfBootingKernel } from "allstop/guest";
import type { Architecture } from "allstop/topology";
import { expectEqual, type SampledCase } from "../case.ts";
import { spanBetween, type Span } from "../clock.ts";
import { runOnQemu } from "../qemu/board.ts";
import { expectedConsole, kernelOptions, type Protocol, type Work } from "../qemu/guest.ts";
import { runHere } from "../qemu/here.ts";

/** The most are what QEMU's boards have. */
const sizes: Record<Architecture, readonly number[]> = { arm64: [64, 256, 512], "x86-64": [64, 255] };
const protocols: readonly Protocol[] = ["idle", "spinning"];
const BATCHES = 9;
/** The first batches warm up: code is translated, caches fill. */
const WARMING_BATCHES = 1;
/** Roughly what a round takes either of the two, per CPU: batches are as long as the time allows. */
const SECONDS_PER_CPU: Record<Protocol, number> = { idle: 10e-6, spinning: 2e-6 };

function workOf(protocol: Protocol, architecture: Architecture, cpus: number, seconds: number): Work {
  const roundsPerBatch = Math.max(1, Math.round(seconds / BATCHES / (SECONDS_PER_CPU[protocol] * cpus)));
  return { protocol, architecture, cpus, batches: BATCHES, roundsPerBatch };
}

/** Both contenders do the same number of rounds, and must say the same in the end. */
const contenders = {
  qemu: (work: Work) => runOnQemu(work.architecture, work.cpus, buildSelfBootingKernel(kernelOptions(work)).elf),
  allstop: (work: Work) => runHere(work),
};

async function sample(contender: keyof typeof contenders, work: Work): Promise<Span[]> {
  const { console, dots } = await contenders[contender](work);
  expectEqual(console, expectedConsole(work), "what the guest says");
  const spans = dots.slice(1).map((end, index) => spanBetween(dots[index] ?? end, end, work.roundsPerBatch));
  return spans.slice(WARMING_BATCHES);
}

export const qemuCases: readonly SampledCase[] = protocols.flatMap((protocol) =>
  (Object.keys(sizes) as Architecture[]).flatMap((architecture) =>
    sizes[architecture].flatMap((cpus) =>
      (Object.keys(contenders) as (keyof typeof contenders)[]).map((contender) => ({
        name: `qemu/${protocol}/${architecture}/${cpus}/${contender}`,
        figure: "time" as const,
        unit: "rendezvous",
        sample: (seconds: number) => sample(contender, workOf(protocol, architecture, cpus, seconds)),
      })),
    ),
  ),
);
