// The public contract of the library: every name that a user may rely on.

export { AllstopError, errorCodes, type ErrorCode, type ErrorDetails } from "./errors.ts";

export { runScenario } from "./run-scenario.ts";
export {
  buildMachine,
  executeScenario,
  kernelFor,
  prepareMachine,
  type RunOptions,
  type LineMeasurement,
  type RunResult,
} from "./scenario/run.ts";
export type { ExpandedRequest } from "./scenario/requests.ts";
export {
  SCENARIO_FORMAT,
  parseScenario,
  parseScenarioText,
  scenarioLimits,
  type Scenario,
  type ScenarioInput,
} from "./scenario/document.ts";
export { expandScenario, type ExpandedScenario } from "./scenario/expand.ts";
export {
  CASE_FORMAT,
  parseCase,
  parseCaseText,
  scenariosOf,
  type Case,
  type CaseVariant,
  type Expectation,
} from "./scenario/case.ts";
export { caseIds, findCase } from "./scenario/catalogue.ts";
export { rowsOf, runCaseRow, type CaseOptions, type CaseRow } from "./scenario/run-case.ts";
export {
  REPORT_FORMAT,
  type MissingCpu,
  type PhaseReport,
  type Report,
  type RoundReport,
  type BoundaryReport,
  type CausePart,
  type CauseReport,
  type DistributionsReport,
  type LineReport,
  type LinesReport,
  type RequestCount,
  type StepReport,
  type Straggler,
  type Verdict,
} from "./report/report.ts";
export { causesText, formatNs, plain, reportLines, type Palette } from "./report/text.ts";
export { makeReport } from "./report/make.ts";
export { capturedBy, latenessOf, reportedCall } from "./scenario/lateness.ts";
export type { Lateness } from "./measure/lateness.ts";
export { causes, type Cause, type Part, type Stretch } from "./measure/partition.ts";
export {
  Distribution,
  SIGNIFICANT_DIGITS,
  callDistributionNames,
  measureDistributions,
  type CallDistributionName,
  type CallDistributions,
  type Percentiles,
} from "./measure/distributions.ts";
export {
  LineWaits,
  lineMeasuring,
  readLines,
  type LineTraffic,
  type LineUse,
  type WorstWait,
} from "./measure/lines.ts";
export { ObjectNames, objectText, watchFrames, type ObjectName } from "./measure/object-names.ts";

export type { FieldValue } from "./scenario/fields.ts";
export { parseSeeds, parseVary, type Vary } from "./sweep/fields.ts";
export {
  jobOf,
  planPoints,
  planSweep,
  runsOf,
  sweepLimits,
  type SweepInput,
  type SweepJob,
  type SweepPlan,
  type SweepPoint,
} from "./sweep/plan.ts";
export { sweep, type SweepOptions, type SweepProgress } from "./sweep/sweep.ts";
export { localRunner, threadPool, type PoolOptions, type SweepRunner } from "./sweep/runner.ts";
export type { RowErrorCode, RowHead, SweepRow } from "./sweep/row.ts";
export {
  SweepSummarizer,
  sweepMetrics,
  type PointSummary,
  type Quantiles,
  type Scaling,
  type SweepMetric,
  type SweepSummary,
} from "./sweep/summary.ts";
export { fitPowerLaw, type PowerLaw } from "./sweep/power-law.ts";
export { compare, comparisonOf, planComparison, type CompareInput, type Comparison } from "./sweep/compare.ts";
export { writeParquet } from "./sweep/parquet.ts";
export { sweepLines } from "./report/sweep-text.ts";
export { comparisonLines } from "./report/comparison-text.ts";
export { sweepPicture, type SweepPictureOptions } from "./report/picture/sweep-picture.ts";
export { lineChart, type ChartPoint, type ChartSeries, type LineChart } from "./report/picture/line-chart.ts";

export {
  DISASSEMBLY_FORMAT,
  Disassembler,
  disassemble,
  imageOfElfFile,
  routinesOf,
  type CodeImage,
  type Disassembly,
  type ListedInstruction,
  type ListedRoutine,
} from "./disassembly/disassemble.ts";
export {
  DECODER_PACKAGE,
  loadDecoder,
  type DecodedInstruction,
  type InstructionDecoder,
} from "./disassembly/decoder.ts";
export type { SourceLine } from "./disassembly/source-lines.ts";
export { disassemblyLines } from "./disassembly/text.ts";

export {
  Stepper,
  type CourseOptions,
  type StepEnd,
  type StepImageOptions,
  type StepPlace,
  type StepPosition,
  type StepperOptions,
} from "./stepping/stepper.ts";
export type { StepEvent, StepEventKind } from "./stepping/events.ts";
export { Pictures, type CpuPicture, type TouchedLine } from "./stepping/picture.ts";
export { StepSession, stepCommands, type CommandResult } from "./stepping/session.ts";
export { screenLines, type ScreenSize } from "./stepping/screen.ts";
export type { ApicInterrupts, CpuInterrupts, GicInterrupts } from "./inspect/interrupts.ts";
export type { BlockedFor, LineHolders, LineLetter, WaitingStore } from "./inspect/lines.ts";

export {
  traceFormats,
  traceScenario,
  type TraceFormat,
  type TraceOptions,
  type TraceSummary,
} from "./trace/trace-scenario.ts";

export {
  Machine,
  type CounterOffsets,
  type CpuView,
  type InterruptMessage,
  type LocalApicMode,
  type LocalInterruptSource,
  type MachineOptions,
  type MachineStop,
  type MemoryUse,
  type ProbeHandle,
  type ProbeOptions,
  type RestoreOptions,
  type RunEnd,
  type MicrocodeUpdate,
  type ShutdownMode,
  type StartupEntry,
  type SystemNmiReason,
} from "./machine/machine.ts";
export { deliveryKinds, type Delivery, type DeliveryKindName } from "./machine/delivery.ts";
export type { MachineImage } from "./machine/guest-image.ts";
export { DEFAULT_LIMIT_CYCLES, boardMachine, execImage, type ExecOptions, type ExecResult } from "./board/exec.ts";
export { execExitCodes, type CpuPlace, type ExecOutcome, type ExecVerdict } from "./board/verdict.ts";
export { SNAPSHOT_VERSION } from "./machine/snapshot/format.ts";
export { accelerationNames, type AccelerationName, type Accelerations } from "./machine/accelerations.ts";
export { TraceLog, type TraceRecord } from "./machine/trace-log.ts";
export { registerNames } from "./machine/registers.ts";
export { ArrivalFlag, LineEvent, TraceKind } from "./abi.ts";
export { coreIdentity, loadCore, type CoreSource } from "./core/load.ts";

export {
  CpuMask,
  CpuMaskError,
  CpuMaskPool,
  cpuMaskErrnos,
  maxCpuMaskBits,
  type CpuMaskErrno,
  type CpuMaskFormat,
  type DistributeCursor,
} from "./cpumask/index.ts";

export { buildKernel, kernelSymbols, perCpuOffsets, requestOffsets, type KernelOptions } from "./guest/kernel.ts";
export { kernelParts } from "./guest/parts.ts";
export {
  SELF_BOOT_CPUS,
  buildReportingKernel,
  buildSelfBootingKernel,
  type SelfBootingKernel,
} from "./guest/self-boot/image.ts";
export { buildImage, listing, parseElf, writeElf, Image, type ElfFile, type ImageOptions } from "./asm/index.ts";

export {
  DEFAULT_LITMUS_RUNS,
  isRefuted,
  kindNames,
  litmusLimits,
  litmusLines,
  parseLitmus,
  placements,
  runLitmus,
  type LitmusOptions,
  type LitmusResult,
  type LitmusState,
  type LitmusTest,
  type Placement,
} from "./litmus/index.ts";
export { actKinds, type Act, type ActKind } from "./faults/act.ts";
export { runWithFaults, type FaultyRun, type Injected, type Injection } from "./faults/inject.ts";
export { loadKinds, loadParameters, type LoadKind, type LoadParameters } from "./faults/load.ts";
export { everyBoundary, type AtMark, type Placement as FaultPlacement } from "./faults/placement.ts";
export { calibrate, type Calibration, type CalibrationOptions } from "./calibrate/calibration.ts";
export { calibrationLines } from "./calibrate/text.ts";
export { findPolicy, policies, type Phase, type Policy, type RequestKind } from "./policies/index.ts";
export { spreadOf, type Spread } from "./measure/statistics.ts";
export type { Timeline } from "./measure/timeline.ts";

export {
  findPersonality,
  firmwareSwitches,
  personalities,
  personalityOf,
  type EventCounts,
  type FirmwareChoice,
  type FirmwareSwitches,
  type Personality,
} from "./firmware/index.ts";
export {
  findTimingModel,
  timingModels,
  timingParameters,
  type Sourced,
  type TimingModel,
  type TimingParameter,
} from "./timing/index.ts";
export {
  buildPreset,
  buildTopology,
  describeTopology,
  formatCpuList,
  formatTopologySpec,
  onlineCpus,
  parseCpuList,
  parseHwlocXml,
  parseTopologySpec,
  presets,
  topologyForCpus,
  topologyFromText,
  type Architecture,
  type Cpu,
  type HwlocOptions,
  type Preset,
  type Topology,
  type TopologyParameters,
} from "./topology/index.ts";
