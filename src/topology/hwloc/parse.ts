// Turns hwloc XML text into a topology: who the machine is, where its CPUs are, how far apart its nodes.

import { AllstopError } from "../../errors.ts";
import { assemble, type IdChoice } from "../assemble.ts";
import { genericTimingModel, nowhere, type Architecture, type NumaNode, type Topology } from "../topology.ts";
import { matrixOf } from "./distances.ts";
import { readHwlocDocument, type HwlocDocument } from "./document.ts";
import { placeListedCpus } from "./placement.ts";
import type { PlacedCpu } from "../hardware-ids.ts";

/** What an hwloc file doesn't say. */
export interface HwlocOptions extends IdChoice {
  /** Default: the product or CPU model that the file names. */
  readonly name?: string;
}

/**
 * Reads an export of `lstopo`, schema 1.x, 2.x or 3.x. A file holds no APIC ids or MPIDRs; they are given as the
 * builder would unless `options` has them. CPUs present but not listed are placed as hwloc/placement.ts describes.
 * Throws XML_INVALID or XML_LIMIT with line and column, or TOPOLOGY_INVALID for a machine that can't be.
 */
export function parseHwlocXml(text: string, options: HwlocOptions = {}): Topology {
  if (typeof text !== "string") throw new AllstopError("OPTION_INVALID", "not a text", { value: typeof text });
  const document = readHwlocDocument(text);
  const cpus = placeListedCpus(document);
  const architecture = architectureOf(document.infos);
  return assemble(
    {
      name: options.name ?? nameOf(document.infos),
      architecture,
      timingModel: genericTimingModel(architecture),
      cpus,
      nodes: nodesOf(document, cpus),
      distances: document.distances && matrixOf(document.distances, document.nodes),
      hwloc: { schema: document.schema, objects: Object.freeze(document.objects) },
    },
    options,
  );
}

/** Linux's `uname -m` where the file has it; dumps of CPUID and old files tell by vendor or model. */
function architectureOf(infos: ReadonlyMap<string, string>): Architecture | undefined {
  const machine = infos.get("Architecture");
  if (machine !== undefined) {
    if (/^(x86_64|amd64|i[3-6]86)$/i.test(machine)) return "x86-64";
    return /^(aarch64|arm64)$/i.test(machine) ? "arm64" : undefined;
  }
  if (infos.get("Backend") === "x86" || infos.has("CPUVendor")) return "x86-64";
  if (infos.has("CPUImplementer")) return "arm64";
  return /^(AMD|Intel)\b/.test(infos.get("CPUModel") ?? "") ? "x86-64" : undefined;
}

function nameOf(infos: ReadonlyMap<string, string>): string {
  const names = ["DMIProductName", "PlatformModel", "CPUModel"].map((key) => printable(infos.get(key) ?? ""));
  return names.find((name) => name !== "") ?? "hwloc topology";
}

/** Without control characters, which could play tricks on a terminal, and not endless. */
function printable(text: string): string {
  return text
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, 80);
}

/** Schema 1.x files of a machine with uniform memory may list no node. */
function nodesOf({ nodes, listed }: HwlocDocument, cpus: readonly PlacedCpu[]): NumaNode[] {
  if (nodes.length === 0) return [{ number: 0, package: 0 }];
  const homeOfNode = new Map<number, number>();
  for (const { state, node, package: home } of cpus) {
    if (state !== "absent" && !homeOfNode.has(node)) homeOfNode.set(node, home);
  }
  const indexOfPackage = new Map<number, number>();
  for (const [cpu, spot] of listed) indexOfPackage.set(spot.package, cpus[cpu]?.package ?? nowhere);
  indexOfPackage.set(nowhere, nowhere);
  return nodes.map((node, index) => ({
    number: node.number,
    package: homeOfNode.get(index) ?? indexOfPackage.get(node.package) ?? nowhere,
  }));
}
