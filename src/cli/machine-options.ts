// Options that name a machine, for the commands that need one.

import { existsSync } from "node:fs";
import type { ScenarioInput } from "../scenario/document.ts";
import { readHwlocFile } from "../topology/file.ts";
import { topologyFromText, type Architecture, type Topology } from "../topology/index.ts";

/** A topology from a preset, a spec, a number of CPUs, or an hwloc file. */
export async function topologyFromArgument(text: string, architecture: Architecture | undefined): Promise<Topology> {
  return (await topologyFromFile(text)) ?? topologyFromText(text, architecture);
}

/** The topology of an hwloc file, if the text names a file: it ends in .xml, or is a path to something that exists. */
export async function topologyFromFile(text: string): Promise<Topology | undefined> {
  const isFile = /\.xml$/i.test(text) || (/[/\\]/.test(text) && existsSync(text));
  return isFile ? readHwlocFile(text) : undefined;
}

/** What --arch accepts. */
export const architectures: readonly Architecture[] = ["x86-64", "arm64"];

export type MachineInput = NonNullable<ScenarioInput["machine"]>;
