/**
 * Below `simulate()`: a machine under one's own control (any image, any cycle, probes, registers, memory, snapshots), the steps of which a run
 * consists, and the measurements that a report is made of.
 *
 * @module machine
 */

// First, since the order in which guest modules load is the order of routines in an image.
import "../guest/kernel.ts";

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
} from "../machine/machine.ts";
export { deliveryKinds, type Delivery, type DeliveryKindName } from "../machine/delivery.ts";
export type { MachineImage } from "../machine/guest-image.ts";
export { SNAPSHOT_VERSION } from "../machine/snapshot/format.ts";
export { accelerationNames, type AccelerationName, type Accelerations } from "../machine/accelerations.ts";
export { TraceLog, type TraceRecord } from "../machine/trace-log.ts";
export { registerNames } from "../machine/registers.ts";
export { ArrivalFlag, LineEvent, TraceKind } from "../abi.ts";
export { coreIdentity, loadCore, type CoreSource } from "../core/load.ts";

export {
  buildMachine,
  executeScenario,
  kernelFor,
  prepareMachine,
  type LineMeasurement,
  type RunOptions,
  type RunResult,
} from "../scenario/run.ts";
export { expandScenario, type ExpandedScenario } from "../scenario/expand.ts";
export type { ExpandedRequest } from "../scenario/requests.ts";
export { runWithFaults, type FaultyRun, type Injected, type Injection } from "../faults/inject.ts";
export { everyBoundary, type AtMark, type Placement as FaultPlacement } from "../faults/placement.ts";

export { makeReport } from "../report/make.ts";
export { capturedBy, latenessOf, reportedCall } from "../scenario/lateness.ts";
export type { Timeline } from "../measure/timeline.ts";
export type { History, Observation } from "../measure/observations.ts";
export { measureDistributions } from "../measure/distributions.ts";
export {
  LineWaits,
  lineMeasuring,
  readLines,
  type LineTraffic,
  type LineUse,
  type WorstWait,
} from "../measure/lines.ts";
export { ObjectNames, objectText, watchFrames, type ObjectName } from "../measure/object-names.ts";
