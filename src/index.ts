/**
 * Simulates the moment an operating system stops all of its CPUs, and shows what happened. `simulate()` is where to begin.
 *
 * What lies below has entry points of its own: `allstop/topology` (machines as data), `allstop/guest` and `allstop/asm` (stop paths of one's
 * own), `allstop/machine` (a machine under one's own control), `allstop/code` (what it executes, and stepping
 * through it), `allstop/litmus`, `allstop/cpumask`. A name is exported from one of them.
 *
 * @module allstop
 */

// First, since the order in which guest modules load is the order of routines in an image.
import "./guest/kernel.ts";

// --- one run ----------------------------------------------------------------------------------------------------------------------

export { simulate, Simulation, type SimulateOptions } from "./simulate.ts";
export type { RunOptions } from "./scenario/run.ts";
export { useCore, type CoreSource } from "./core/load.ts";
export { AllstopError, errorCodes, type ErrorCode, type ErrorDetails } from "./errors.ts";
export {
  SCENARIO_FORMAT,
  parseScenario,
  parseScenarioText,
  scenarioLimits,
  type Scenario,
  type ScenarioInput,
} from "./scenario/document.ts";
export { builtInScenario, type CaseChoice, type ScenarioFields } from "./scenario/input.ts";
export {
  REPORT_FORMAT,
  type BoundaryReport,
  type CausePart,
  type CauseReport,
  type DistributionsReport,
  type LineReport,
  type LinesReport,
  type MissingCpu,
  type PhaseReport,
  type Report,
  type RequestCount,
  type RoundReport,
  type StepReport,
  type Straggler,
  type Verdict,
} from "./report/report.ts";
export type { Lateness } from "./measure/lateness.ts";
export { causes, type Cause, type Part, type Stretch } from "./measure/partition.ts";
export {
  Distribution,
  SIGNIFICANT_DIGITS,
  callDistributionNames,
  type CallDistributionName,
  type CallDistributions,
  type PercentilePoint,
  type Percentiles,
} from "./measure/distributions.ts";
export { spreadOf, type Spread } from "./measure/statistics.ts";

// --- the built-in cases -----------------------------------------------------------------------------------------------------------

export {
  CASE_FORMAT,
  parseCase,
  parseCaseText,
  scenariosOf,
  type Case,
  type CaseVariant,
  type Expectation,
} from "./scenario/case.ts";
export { caseIds, findCase, findCases } from "./scenario/catalogue.ts";
export { rowsOf, runCaseRow, type CaseOptions, type CaseRow } from "./scenario/run-case.ts";

// --- many runs --------------------------------------------------------------------------------------------------------------------

export { sweep, type SweepOptions, type SweepProgress } from "./sweep/sweep.ts";
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

// --- showing it: text, pictures, traces -------------------------------------------------------------------------------------------

export { causesText, formatNs, plain, reportLines, type Palette } from "./report/text.ts";
export { sweepLines } from "./report/sweep-text.ts";
export { comparisonLines } from "./report/comparison-text.ts";
export {
  cpuStates,
  type StretchState,
  type Rendezvous,
  type RendezvousCpu,
  type StateStretch,
} from "./report/rendezvous.ts";
export { rendezvousOf } from "./report/make-rendezvous.ts";
export { renderHeatMap, type HeatMapOptions } from "./report/picture/heat-map.ts";
export { renderTopology, type TopologyMapOptions, type TopologyMoment } from "./report/picture/topology-map.ts";
export { renderWaterfall, type WaterfallOptions } from "./report/picture/waterfall.ts";
export {
  curveOf,
  percentilesOf,
  renderPercentiles,
  type PercentileCurve,
  type PercentilePlot,
} from "./report/picture/percentiles.ts";
export { pictureKinds, renderPicture, type PictureKind } from "./report/picture/kinds.ts";
export { renderSweepChart, type SweepChartOptions } from "./report/picture/sweep-chart.ts";
export { renderLineChart, type ChartPoint, type ChartSeries, type LineChart } from "./report/picture/line-chart.ts";
export { renderHtmlReport, type HtmlReportInput } from "./report/html/run-report.ts";
export { renderHtmlComparison, type HtmlComparisonInput } from "./report/html/comparison.ts";
export { lookClosely, type Contender, type ContenderOptions } from "./report/contenders.ts";
export {
  traceFormats,
  traceScenario,
  type TraceFormat,
  type TraceOptions,
  type TraceSummary,
} from "./trace/trace-scenario.ts";

// --- what there is to choose from -------------------------------------------------------------------------------------------------

export { findPolicy, policies, type Policy } from "./policies/index.ts";
export { loadKinds, loadParameters, type LoadKind, type LoadParameters } from "./faults/load.ts";
export { actKinds, type Act, type ActKind } from "./faults/act.ts";
export { oracles, type Oracle, type OracleResult } from "./measure/oracles/index.ts";
export {
  findTimingModel,
  timingModels,
  timingParameters,
  type Sourced,
  type TimingModel,
  type TimingParameter,
} from "./timing/index.ts";
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

// --- other programs ---------------------------------------------------------------------------------------------------------------

export { DEFAULT_LIMIT_CYCLES, boardMachine, execImage, type ExecOptions, type ExecResult } from "./board/exec.ts";
export { execExitCodes, type CpuPlace, type ExecOutcome, type ExecVerdict } from "./board/verdict.ts";
export { calibrate, type Calibration, type CalibrationOptions } from "./calibrate/calibration.ts";
export { calibrationLines } from "./calibrate/text.ts";
