/**
 * Machines as data: which CPUs there are, which caches and nodes they share, and how they are numbered. Presets, specs such as `2x32x2`,
 * hwloc's XML, or built part by part. `simulate(scenario, { topology })` takes one.
 *
 * @module topology
 */

export { buildTopology, type Numbering, type TopologyParameters } from "../topology/builder.ts";
export { checkTopology } from "../topology/check.ts";
export { formatCpuList, parseCpuList, type CpuList } from "../topology/cpulist.ts";
export { describeTopology } from "../topology/describe.ts";
export { readHwlocFile } from "../topology/file.ts";
export { hwlocLimits } from "../topology/hwloc/limits.ts";
export { parseHwlocXml, type HwlocOptions } from "../topology/hwloc/parse.ts";
export { topologyForCpus } from "../topology/plausible.ts";
export { buildPreset, findPreset, presets, type Preset } from "../topology/presets.ts";
export { formatTopologySpec, parseTopologySpec, topologyFromText } from "../topology/spec.ts";
export {
  maxCpus,
  nodeDistance,
  nowhere,
  onlineCpus,
  sharedLevel,
  type Architecture,
  type Cpu,
  type CpuState,
  type HwlocOrigin,
  type Level,
  type NumaNode,
  type Topology,
  type TopologyCounts,
} from "../topology/topology.ts";
