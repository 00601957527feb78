// The rendezvous itself: multi_cpu_stop and its state machine (kernel/stop_machine.c).

import {
  cast,
  i32,
  isNull,
  nothing,
  ptr,
  routine,
  signature,
  slot,
  testBit,
  u32,
  u64,
  type Builder,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { cpumaskFirst, onlineMaskPointer } from "../lib/cpumask.ts";
import { counters, local } from "../percpu.ts";
import { MultiStopData, MultiStopState } from "./data.ts";

/** cpu_stop_fn_t */
export const CpuStopFunction = signature({ data: u64 }, i32);

/** How an active CPU runs the function in RUN: directly, or by one of the NMI designs. */
export const runFunction = slot("stop_run_fn", { msdata: ptr(MultiStopData) }, i32);

/** Mainline: calls it, with interrupts off. */
export const runDirectly = routine("stop_run_fn_direct", { msdata: ptr(MultiStopData) }, i32, (k, { msdata }) => {
  k.mark("start");
  const err = k.callPointer(msdata.fn, CpuStopFunction, msdata.data);
  k.mark("end");
  k.return(err);
});

/** Re-arms the counter, then publishes the state: a CPU that sees the new state decrements the new count. */
export const setState = routine(
  "set_state",
  [{ msdata: ptr(MultiStopData) }, { newstate: u32 }],
  nothing,
  (k, { msdata, newstate }) => {
    k.set(msdata.thread_ack, msdata.num_threads);
    k.smpWmb("publish");
    k.writeOnce(msdata.state, newstate);
  },
);

/** The last CPU to acknowledge a state moves to the next. */
export const ackState = routine("ack_state", { msdata: ptr(MultiStopData) }, nothing, (k, { msdata }) => {
  k.if(k.decAndTest(msdata.thread_ack), () => k.call(setState, msdata, msdata.state.add(1)));
});

/** touch_nmi_watchdog(): keeps the others' watchdogs quiet, so that only the CPU at fault is reported. */
export const touchNmiWatchdog = routine("touch_nmi_watchdog", [], nothing, (k) => {
  k.set(counters.here.watchdog_touched, 1);
});

/** rcu_momentary_eqs(): tells RCU that this CPU passes a quiescent state. */
const rcuMomentaryEqs = routine("rcu_momentary_eqs", [], nothing, (k) => {
  k.atomicAdd(counters.here.rcu_watching, 8);
});

/** What the variants of the rendezvous differ in. */
export interface MultiStopVariant {
  /** What an active CPU does in RUN. */
  readonly run: (k: Builder, msdata: Pointer<typeof MultiStopData>) => Value<"i32">;
  /** Tells whenever the CPU comes to use the requester's block, for paths in which the block may be gone. */
  readonly onAccess?: (k: Builder, msdata: Pointer<typeof MultiStopData>, nth: number) => void;
}

/** multi_cpu_stop() by the name of a variant. */
export function multiCpuStopRoutine(name: string, { run, onAccess = () => undefined }: MultiStopVariant) {
  return routine(name, { data: u64 }, i32, (k, { data }) => {
    const msdata = k.let("msdata", cast(data, MultiStopData));
    k.mark("enter");
    const err = k.let("err", 0, i32);
    onAccess(k, msdata, 1);
    const curstate = k.let("curstate", MultiStopState.None, u32);
    // local_save_flags: interrupts stay on in PREPARE, unless the caller had them off.
    const wereOff = k.let("irqs_were_off", k.irqsDisabled());
    const cpu = k.let("cpu", local.here.cpu);
    const active = k.let("is_active", 0, u32);
    // NULL means the first online CPU, and only that one. Decided once.
    k.if(
      isNull(msdata.active_cpus),
      () => k.set(active, k.bool(cpumaskFirst(k, onlineMaskPointer).eq(cpu))),
      () => k.set(active, k.bool(testBit(msdata.active_cpus, cpu))),
    );
    k.doWhile(() => {
      k.cpuRelax();
      const newstate = k.readOnce(msdata.state);
      k.if(
        newstate.ne(curstate),
        () => {
          onAccess(k, msdata, 2);
          k.set(curstate, newstate);
          k.switch(curstate, [
            [MultiStopState.DisableIrq, () => k.irqDisable()],
            [MultiStopState.Run, () => k.if(active.ne(0), () => k.set(err, run(k, msdata)))],
          ]);
          k.mark("ack");
          k.call(ackState, msdata);
        },
        () =>
          k.if(curstate.gt(MultiStopState.Prepare), () => {
            k.call(touchNmiWatchdog);
            k.call(rcuMomentaryEqs);
          }),
      );
    }, curstate.ne(MultiStopState.Exit));
    k.if(wereOff.eq(0), () => k.irqEnable());
    k.mark("leave");
    k.return(err);
  });
}

/** multi_cpu_stop(): the rendezvous as in mainline, in every stopper thread. */
export const multiCpuStop = multiCpuStopRoutine("multi_cpu_stop", {
  run: (k, msdata) => k.call(runFunction, msdata),
});
