// Reports of fixed seeds: what they said is what they say. Of a run's figures all are compared but those of the host's time.

import { expect, it } from "vitest";
import type { Report } from "../../src/report/report.ts";
import { execute, hang, mixed } from "./runs.ts";

/** What people and programs read from a report, a line each, so that a difference shows its place. */
function figuresOf({ outcome, latency, phases, stragglers, causes, oracles, waits, messages, digest }: Report): string {
  const told = { outcome, latency, phases, stragglers, causes, waits, messages };
  const lines = Object.entries(told).flatMap(([field, value]) => linesOf(field, value));
  return [...lines, ...oracles.map(({ name, held }) => `oracles.${name} ${held}`), `digest ${digest}`, ""].join("\n");
}

function linesOf(place: string, value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [`${place} ${JSON.stringify(value)}`];
  return Object.entries(value).flatMap(([field, one]) => linesOf(`${place}.${field}`, one));
}

it.each([
  ["x86-64-16", mixed(16)],
  ["x86-64-384", mixed(384)],
  ["arm64-hang", hang],
  [
    "arm64-ladder",
    {
      machine: { cpus: 8, architecture: "arm64" },
      policy: { name: "smp_send_stop_sdei" },
      load: { particular: [{ cpus: "3", kind: "wedged" }] },
      limitUs: 2_000_000,
    },
  ],
  [
    "x86-64-reboot",
    {
      machine: { cpus: 8, architecture: "x86-64" },
      policy: { name: "reboot_2023" },
      load: { particular: [{ cpus: "5", kind: "wedged" }] },
      limitUs: 2_000_000,
    },
  ],
] as [string, Parameters<typeof execute>[0]][])("%s", async (name, input) => {
  const { report } = await execute(input);
  await expect(figuresOf(report)).toMatchFileSnapshot(`golden/reports/${name}.txt`);
});
