// allstop topology: a machine's shape, before anything is run on it.

import { describeTopology, type Architecture } from "../topology/index.ts";
import { topologyFromArgument } from "./machine-options.ts";
import { print } from "./terminal.ts";

export interface TopologyArguments {
  readonly arch?: Architecture;
  readonly json?: true;
}

export async function showTopology(machine: string, options: TopologyArguments): Promise<number> {
  const topology = await topologyFromArgument(machine, options.arch);
  if (options.json) print(JSON.stringify(topology, null, 2));
  else for (const line of describeTopology(topology)) print(line);
  return 0;
}
