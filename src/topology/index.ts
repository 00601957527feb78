// The public names of the topology: builder, presets, hwloc loader, and the plain data they all make.

export { buildTopology, numberings, type Numbering, type TopologyParameters } from "./builder.ts";
export { checkTopology } from "./check.ts";
export { formatCpuList, parseCpuList, type CpuList } from "./cpulist.ts";
export { describeTopology } from "./describe.ts";
export { formatMpidr, mpidrOf, mpidrStyles, styledMpidrs, type MpidrStyle } from "./hardware-ids.ts";
export { hwlocLimits } from "./hwloc/limits.ts";
export { parseHwlocXml, type HwlocOptions } from "./hwloc/parse.ts";
export { parametersForCpus, topologyForCpus } from "./plausible.ts";
export { buildPreset, findPreset, presets, type Preset } from "./presets.ts";
export { formatTopologySpec, parseTopologySpec, topologyFromText } from "./spec.ts";
export {
  cpusOfEach,
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
} from "./topology.ts";
