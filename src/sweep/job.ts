// Runs one job of a sweep on the calling thread. A mistake or a bug becomes a row.

import type { Image } from "../asm/index.ts";
import { makeReport } from "../report/make.ts";
import { expandScenario } from "../scenario/expand.ts";
import { executeScenario, kernelFor } from "../scenario/run.ts";
import type { Topology } from "../topology/index.ts";
import type { SweepJob, SweepPlan } from "./plan.ts";
import { failedRow, rowOf, type SweepRow } from "./row.ts";

/** What the jobs of a sweep share. */
export interface SweepShared {
  readonly core: WebAssembly.Module;
  readonly topologies: SweepPlan["topologies"];
  /** Only on the thread that made them. */
  readonly policies?: SweepPlan["policies"];
}

/** Runs jobs one after the other; keeps the last few kernels, since building one takes as long as a small run. */
export class JobRunner {
  readonly #shared: SweepShared;
  readonly #images = new Map<string, Image>();

  constructor(shared: SweepShared) {
    this.#shared = shared;
  }

  /** Never rejects. */
  async run({ head, scenario, topology: name }: SweepJob): Promise<SweepRow> {
    const topology = name === undefined ? undefined : this.#shared.topologies[name];
    try {
      const image = this.#imageOf(head.key, scenario, topology);
      const { core, policies = [] } = this.#shared;
      const given = { policies, ...(topology === undefined ? {} : { topology }) };
      return rowOf(head, makeReport(await executeScenario(scenario, { core, image, ...given })));
    } catch (error) {
      return failedRow(head, error);
    }
  }

  /** Runs of a point differ in nothing that the image holds but the tasks that the seed has drawn, and the order of these. */
  #imageOf(key: string, scenario: SweepJob["scenario"], topology: Topology | undefined): Image {
    const expanded = expandScenario(scenario, topology, this.#shared.policies);
    const works = new Set(expanded.loads.flatMap(({ work }) => work ?? []));
    const name = [key.slice(0, key.indexOf("-")), ...works].join(" ");
    const image = this.#images.get(name) ?? kernelFor(expanded);
    this.#images.delete(name);
    this.#images.set(name, image);
    const [oldest] = this.#images.keys();
    if (this.#images.size > MOST_IMAGES && oldest !== undefined) this.#images.delete(oldest);
    return image;
  }
}

const MOST_IMAGES = 8;
