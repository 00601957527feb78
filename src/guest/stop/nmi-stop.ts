// stop_machine() with the function in NMI context, where not even NMIs interrupt it: what its four designs share.
// The rendezvous is that of multi_cpu_stop(); in RUN each active CPU sends an NMI to itself, whose handler calls the function.

import {
  asInteger,
  code,
  i32,
  imageOption,
  ptr,
  routine,
  slot,
  u32,
  u64,
  type Builder,
  type Callable,
  type CodeValue,
  type Local,
  type Pointer,
  type StructType,
  type Value,
} from "../../asm/index.ts";
import { X86Vector } from "../../abi.ts";
import { cpusReadLock, cpusReadUnlock } from "../hotplug/lock.ts";
import { sendIpi } from "../irqchip/controller.ts";
import { numOnlineCpus, onlineMaskPointer } from "../lib/cpumask.ts";
import { keep, ownPlace } from "../lib/keep.ts";
import { CpuMask } from "../lib/mask.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";
import type { MultiStopData } from "./data.ts";
import { MultiStopState } from "./data.ts";
import { multiCpuStopRoutine, setState } from "./multi-stop.ts";
import { callEarly, stopCpus } from "./stop-machine.ts";

const interfaceParameters = [{ fn: code }, { data: u64 }, { cpus: ptr(CpuMask) }] as const;

/** The interface: takes the hotplug lock; or is for callers that hold it. A kernel that uses it binds a design's routines. */
export const stopMachineNmi = slot("stop_machine_nmi", interfaceParameters, i32);
export const stopMachineNmiCpuslocked = slot("stop_machine_nmi_cpuslocked", interfaceParameters, i32);

/** How long a self-NMI may take to come, in steps of 1 us. Iterations are counted, and the handler takes one at most: its time is no part. */
export const selfNmiIterations = imageOption("selfNmiIterations", u32, 1_000_000);
export const DELIVERY = { iterations: selfNmiIterations, stepUs: 1 } as const;

/** The self-NMI: an ordinary send to the own APIC id, since the register for self-IPIs knows only vectors. It arrives some time later. */
export function sendSelfNmi(k: Builder): void {
  markRaise(k);
  k.call(sendIpi, local.here.cpu, X86Vector.NMI);
}

/** This CPU's handler has something to do from here on. */
export function markRaise(k: Builder): void {
  const cpu = k.let("self", local.here.cpu);
  k.mark(observed("raise", { which: "stop", locals: ["self"] }));
  keep(k, cpu);
}

/** The handler or the stopper is about to use the requester's block. */
export function markAccess(k: Builder, msdata: Pointer<typeof MultiStopData>, nth?: number): void {
  void msdata;
  k.mark(observed("access", { locals: ["msdata"], ...(nth === undefined ? {} : { nth }) }));
}

/** multi_cpu_stop() of a design. */
export function nmiMultiStop(design: string, run: (k: Builder, msdata: Pointer<typeof MultiStopData>) => Value<"i32">) {
  return multiCpuStopRoutine(`multi_cpu_stop_nmi_${design}`, { run, onAccess: markAccess });
}

/** What a requester of some design does before and after the rendezvous. `S` is its multi_stop_data. */
export interface NmiDesign<S extends typeof MultiStopData | StructType> {
  /** Its letter in the reference. */
  readonly name: string;
  readonly type: S;
  readonly multiStop: Callable;
  /** Refuses a call before anything is touched. */
  readonly check?: (k: Builder, fn: CodeValue, refuse: (error: number) => void) => void;
  readonly prepare?: (frame: NmiFrame<S>, refuse: (error: number) => void) => void;
  /** May change what is returned. */
  readonly finish?: (frame: NmiFrame<S>, ret: Local<"i32">) => void;
  /** Stands around the call where the hotplug lock is taken, and only there. */
  readonly enable?: (k: Builder) => void;
  readonly disable?: (k: Builder) => void;
}

/** The requester's frame. */
export interface NmiFrame<S> {
  readonly k: Builder;
  readonly msdata: Pointer<S>;
  readonly cpus: Pointer<typeof CpuMask>;
}

/** The two entries of a design. */
export function nmiStopRoutines<S extends typeof MultiStopData>(design: NmiDesign<S>) {
  const { name, type, multiStop, check, prepare, finish, enable, disable } = design;
  const cpuslocked = routine(
    `stop_machine_nmi_cpuslocked_${name}`,
    interfaceParameters,
    i32,
    (k, { fn, data, cpus }) => {
      k.mark("call");
      const builder = k as unknown as Builder;
      check?.(builder, fn, (error) => k.return(error));
      const msdata = k.stackStruct("msdata", type) as Pointer<S> & Pointer<typeof MultiStopData>;
      const bytes = k.let("bytes", type.bytes, u32);
      k.mark(observed("alive", { locals: ["msdata", "bytes"] }));
      keep(builder, bytes);
      k.set(msdata.fn, fn);
      k.set(msdata.data, data);
      k.set(msdata.num_threads, numOnlineCpus);
      k.set(msdata.active_cpus, cpus);
      prepare?.({ k: builder, msdata, cpus }, (error) => k.return(error));
      callEarly(builder, fn, data, (ret) => k.return(ret));
      k.call(setState, msdata, MultiStopState.Prepare);
      k.mark("prepared");
      const ret = k.let("result", stopCpus(builder, onlineMaskPointer, msdata, multiStop));
      finish?.({ k: builder, msdata, cpus }, ret);
      k.mark(observed("dead", { locals: ["msdata"] }));
      ownPlace(builder);
      keep(builder, asInteger(msdata));
      k.return(ret);
    },
  );
  const whole = routine(`stop_machine_nmi_${name}`, interfaceParameters, i32, (k, { fn, data, cpus }) => {
    k.mark("call");
    k.call(cpusReadLock);
    enable?.(k);
    const ret = k.let("ret", k.call(cpuslocked, fn, data, cpus));
    disable?.(k);
    k.call(cpusReadUnlock);
    k.mark("return");
    k.return(ret);
  });
  return { whole, cpuslocked };
}
