// Every machine of the shared hwloc data stops its CPUs. The data is not part of the repository; without it there is
// nothing to do here.

import { existsSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { simulate } from "../../src/simulate.ts";
import { SCENARIO_FORMAT } from "../../src/scenario/document.ts";
import { readHwlocFile } from "../../src/topology/file.ts";
import { onlineCpus } from "../../src/topology/index.ts";

const folder = new URL("../../../shared/data/hwloc/", import.meta.url);
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".xml")) : [];

describe.skipIf(files.length === 0)("machines of the shared hwloc data", () => {
  it.each(files.length === 0 ? ["none"] : files)("%s stops", async (name) => {
    const topology = await readHwlocFile(new URL(name, folder).pathname);
    const online = onlineCpus(topology);
    const { report } = await simulate({ format: SCENARIO_FORMAT, limitUs: 20_000 }, { topology });
    expect(report.outcome).toMatchObject({ verdict: "completed", returned: 0, calls: { cpus: 1, total: 1 } });
    expect(report.machine).toMatchObject({ cpus: topology.counts.complete, online: online.length });
    expect(report.scenario.policy.requester).toBe(online[0]);
    expect(report.phases.map(({ passed }) => passed)).toEqual(Array(4).fill(online.length));
    const { rendezvousNs, totalNs, frozenNs } = report.latency;
    // Nobody stops a CPU faster than a few cycles, or takes longer than 100 us per CPU when all are idle.
    expect(rendezvousNs).toBeGreaterThan(100);
    expect(totalNs).toBeGreaterThan(rendezvousNs ?? Infinity);
    expect(totalNs).toBeLessThan(100_000 * online.length);
    expect(frozenNs?.max).toBeLessThanOrEqual(totalNs ?? 0);
    expect(report.recordsLost).toBe(0);
  });
});
