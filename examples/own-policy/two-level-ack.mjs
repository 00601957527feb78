// A stop path of one's own: stop_machine() in which CPUs acknowledge a state in groups of sixteen.
//
// In mainline all CPUs count down one word, on the line that all of them spin on: every acknowledgement takes that line away from everyone.
// Here each group has a counter on a line of its own, and only the last of a group touches the common one. The rest is mainline's.

import {
  addressOf,
  array,
  asInteger,
  cast,
  codeOf,
  global,
  i32,
  isNull,
  nothing,
  ptr,
  routine,
  struct,
  testBit,
  u32,
  u64,
  u8,
  LINE_BYTES,
  cpuCount,
} from "allstop/asm";
import {
  MultiStopData,
  MultiStopState,
  Request,
  cpumaskFirst,
  cpusReadLock,
  cpusReadUnlock,
  forEachCpu,
  local,
  multiStopMarks,
  multiStopPhases,
  multiStopStopped,
  multiStopBindings,
  onlineMaskPointer,
  runFunction,
  setState,
  stopCpus,
  stoppedFunction,
} from "allstop/guest";

const CPUS_PER_GROUP_LOG2 = 4;
const MOST_GROUPS = 65_536 >> CPUS_PER_GROUP_LOG2;

/** A line each. */
const AckGroup = struct("ack_group", { members: u32, left: u32, rest: array(u8, LINE_BYTES - 8) });
const groups = global("ack_groups", array(AckGroup, MOST_GROUPS), { section: "arena", align: LINE_BYTES });

/** The last of a group counts for the group, after making its counter ready for the next state. */
const ackInGroups = routine("ack_state_in_groups", { msdata: ptr(MultiStopData) }, nothing, (k, { msdata }) => {
  const group = k.let("group", addressOf(groups.at(local.here.cpu.shr(CPUS_PER_GROUP_LOG2))));
  k.if(k.decAndTest(group.left), () => {
    k.set(group.left, group.members);
    k.if(k.decAndTest(msdata.thread_ack), () => k.call(setState, msdata, msdata.state.add(1)));
  });
});

/** multi_cpu_stop(), on every CPU, in its stopper thread. The marks say where it enters, acknowledges and leaves. */
const multiCpuStopInGroups = routine("multi_cpu_stop_in_groups", { data: u64 }, i32, (k, { data }) => {
  const msdata = k.let("msdata", cast(data, MultiStopData));
  k.mark("enter");
  const err = k.let("err", 0, i32);
  const curstate = k.let("curstate", MultiStopState.None, u32);
  const cpu = k.let("cpu", local.here.cpu);
  const active = k.let("is_active", 0, u32);
  k.if(
    isNull(msdata.active_cpus),
    () => k.set(active, k.bool(cpumaskFirst(k, onlineMaskPointer).eq(cpu))),
    () => k.set(active, k.bool(testBit(msdata.active_cpus, cpu))),
  );
  k.doWhile(() => {
    k.cpuRelax();
    const newstate = k.readOnce(msdata.state);
    k.if(newstate.ne(curstate), () => {
      k.set(curstate, newstate);
      k.switch(curstate, [
        [MultiStopState.DisableIrq, () => k.irqDisable()],
        [MultiStopState.Run, () => k.if(active.ne(0), () => k.set(err, k.call(runFunction, msdata)))],
      ]);
      k.mark("ack");
      k.call(ackInGroups, msdata);
    });
  }, curstate.ne(MultiStopState.Exit));
  k.irqEnable();
  k.mark("leave");
  k.return(err);
});

/** What the requester's task calls: the function under test with its request block, on the CPUs of the request's mask. */
const callStopMachineInGroups = routine(
  "request_stop_machine_in_groups",
  { request: ptr(Request) },
  i32,
  (k, { request }) => {
    k.call(cpusReadLock);
    const msdata = k.stackStruct("msdata", MultiStopData);
    k.set(msdata.fn, codeOf(stoppedFunction));
    k.set(msdata.data, asInteger(request));
    k.set(msdata.active_cpus, request.mask);
    // As many acknowledgements as there are groups with somebody in them.
    k.set(msdata.num_threads, 0);
    k.for("i", 0, cpuCount.add(15).shr(CPUS_PER_GROUP_LOG2), (i) => k.set(groups.at(i).members, 0));
    forEachCpu(k, onlineMaskPointer, (cpu) => {
      const group = k.let("group", addressOf(groups.at(cpu.shr(CPUS_PER_GROUP_LOG2))));
      k.if(group.members.eq(0), () => k.set(msdata.num_threads, msdata.num_threads.add(1)));
      k.set(group.members, group.members.add(1));
      k.set(group.left, group.members);
    });
    k.call(setState, msdata, MultiStopState.Prepare);
    const ret = k.let("ret", stopCpus(k, onlineMaskPointer, msdata, multiCpuStopInGroups));
    k.call(cpusReadUnlock);
    k.return(ret);
  },
);

/** @type {import("allstop").Policy} */
export const stopMachineInGroups = {
  name: "stop_machine_in_groups",
  title: "stop_machine() whose acknowledgements are counted in groups of 16 CPUs",
  architectures: ["x86-64", "arm64"],
  source: "examples/own-policy",
  bindings: multiStopBindings,
  request: {
    call: callStopMachineInGroups,
    targets: [0, 0],
    takesActive: true,
    captured: (online) => online,
    rounds: "any",
    mask: "active",
  },
  marks: {
    ...multiStopMarks,
    enter: "multi_cpu_stop_in_groups:enter",
    acknowledge: { mark: "multi_cpu_stop_in_groups:ack", state: "curstate" },
    leave: "multi_cpu_stop_in_groups:leave",
  },
  phases: multiStopPhases(""),
  stoppedState: multiStopStopped,
};
