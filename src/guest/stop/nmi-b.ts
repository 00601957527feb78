// Design B of stop_machine() in NMI context: the reviewer's draft of 2 February 2026, never tested. Two cpumasks by
// value say who still has to take its NMI and who has; the results are put together afterwards.
//
//   S3  `cpus` is copied without a look whether it is NULL, which it may be.
//   S4  An NMI before the first call, or after the last, goes through a pointer that nobody has set, or that is stale.
//   S2  RUN returns at once: everybody may have left when the NMI comes.
//   S5  Any NMI while the CPU is armed counts as ours.

import {
  addressOf,
  array,
  cast,
  cpuCount,
  extend,
  i32,
  perCpu,
  ptr,
  routine,
  struct,
  u32,
  u64,
} from "../../asm/index.ts";
import { X64Regs } from "../entry/regs.ts";
import { forEachCpu } from "../lib/cpumask.ts";
import { EINVAL } from "../lib/errno.ts";
import { NmiClaim } from "../nmi/entry.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { MultiStopData } from "./data.ts";
import { CpuStopFunction } from "./multi-stop.ts";
import { markAccess, nmiMultiStop, nmiStopRoutines, sendSelfNmi } from "./nmi-stop.ts";

/** NR_CPUS of a kernel whose requester's stack has room for two such masks. */
const DRAFT_CPUS = 4096;
const WORDS = DRAFT_CPUS / 64;

export const MultiStopDataB = extend(
  MultiStopData,
  "multi_stop_data_b",
  { nmi_cpus: array(u64, WORDS), nmi_cpus_done: array(u64, WORDS) },
  { size: 40 + 16 * WORDS, at: { nmi_cpus: 40 } },
);

const NmiStop = struct("nmi_stop_b", { msdata: ptr(MultiStopDataB), err: i32 }, { size: 16 });
export const nmiStopB = perCpu("nmi_stop_b", NmiStop, { offset: 0x880 });

const words = cpuCount.add(63).shr(6);

export const runB = nmiMultiStop("b", (k, msdata) => {
  k.writeOnce(nmiStopB.here.msdata, cast(msdata, MultiStopDataB));
  sendSelfNmi(k);
  return k.let("none", 0, i32);
});

export const handlerB = routine("stop_machine_nmi_handler_b", { regs: ptr(X64Regs) }, u32, (k) => {
  const cpu = k.let("cpu", local.here.cpu);
  const msdata = k.let("msdata", nmiStopB.here.msdata);
  markAccess(k, msdata);
  const isMine = k.let("is_mine", k.bool(k.testAndClearBit(addressOf(msdata.nmi_cpus), cpu)));
  k.if(isMine.eq(0), () => k.return(NmiClaim.None));
  const err = k.callPointer(msdata.fn, CpuStopFunction, msdata.data);
  k.set(nmiStopB.here.err, err);
  k.setBit(addressOf(msdata.nmi_cpus_done), cpu);
  k.mark(observed("handle", { which: "stop" }));
  k.return(NmiClaim.Finish);
});

export const designB = nmiStopRoutines({
  name: "b",
  type: MultiStopDataB,
  multiStop: runB,
  prepare: ({ k, msdata, cpus }) => {
    k.if(cpuCount.gt(DRAFT_CPUS), () => k.bug());
    k.mark("copy");
    k.for("i", 0, words, (i) => {
      k.set(msdata.nmi_cpus.at(i), cpus.bits.at(i));
      k.set(msdata.nmi_cpus_done.at(i), 0);
    });
  },
  finish: ({ k, msdata, cpus }, ret) => {
    const differ = k.let("differ", 0, u32);
    k.for("word", 0, words, (word) =>
      k.if(msdata.nmi_cpus_done.at(word).ne(cpus.bits.at(word)), () => k.set(differ, 1)),
    );
    k.if(
      differ.ne(0),
      () => {
        k.mark(observed("say", { which: "nmi_not_on_all_cpus" }));
        k.set(ret, -EINVAL);
      },
      () => forEachCpu(k, cpus, (cpu) => k.set(ret, ret.or(nmiStopB.of(cpu).err))),
    );
  },
});
