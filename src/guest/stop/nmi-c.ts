// Design C of stop_machine() in NMI context: version 2 of 30 March 2026. No switch: a pointer per CPU and a mask say
// whose NMI it is; the CPU waits for its result, one second long.
//
//   S5   Any NMI while the CPU is armed counts as ours.
//   S6   Errors are or'ed, by a plain load and store that others' may get lost in (accumulateError).
//   S10  After that second nothing is disarmed: an NMI that comes then uses a frame and a mask that are gone.
//   S34  The pointer is set before `done` is cleared: an NMI in between runs the function, and its result is thrown away.

import {
  addressOf,
  array,
  cast,
  code,
  cpuCount,
  extend,
  global,
  i32,
  isNull,
  perCpu,
  ptr,
  routine,
  same,
  struct,
  u32,
  u64,
  u8,
  type Builder,
  type Pointer,
  type PointerLocal,
} from "../../asm/index.ts";
import { X64Regs } from "../entry/regs.ts";
import { cpumaskFirst, onlineMaskPointer } from "../lib/cpumask.ts";
import { waitUpTo } from "../lib/delay.ts";
import { ENOMEM, ETIMEDOUT } from "../lib/errno.ts";
import { keep } from "../lib/keep.ts";
import { CpuMask } from "../lib/mask.ts";
import { NmiClaim } from "../nmi/entry.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { MultiStopData } from "./data.ts";
import { CpuStopFunction } from "./multi-stop.ts";
import { DELIVERY, markAccess, nmiMultiStop, nmiStopRoutines, sendSelfNmi } from "./nmi-stop.ts";

export const MultiStopDataC = extend(
  MultiStopData,
  "multi_stop_data_c",
  { use_nmi: u8, nmi_fn: code, nmi_cpus: ptr(CpuMask) },
  { size: 64, at: { use_nmi: 40, nmi_fn: 48, nmi_cpus: 56 } },
);

const NmiStop = struct(
  "nmi_stop",
  { data: ptr(MultiStopDataC), ret: i32, done: u8 },
  { size: 16, at: { ret: 8, done: 12 } },
);
export const nmiStopC = perCpu("nmi_stop", NmiStop, { offset: 0x880 });

export const runC = nmiMultiStop("c", (k, msdata) => {
  const mine = k.let("mine", addressOf(nmiStopC.here));
  k.mark("arm");
  k.writeOnce(mine.data, cast(msdata, MultiStopDataC));
  k.writeOnce(mine.done, 0);
  k.mark("armed");
  sendSelfNmi(k);
  waitUpTo(k, "self_nmi", DELIVERY, () => k.readOnce(mine.done).ne(0));
  const err = k.let("nmi_err", -ETIMEDOUT, i32);
  k.if(mine.done.ne(0), () => k.set(err, mine.ret));
  return err;
});

export const handlerC = routine("stop_machine_nmi_handler_c", { regs: ptr(X64Regs) }, u32, (k) => {
  const mine = k.let("mine", addressOf(nmiStopC.here));
  const msdata = k.let("msdata", mine.data);
  k.if(isNull(msdata), () => k.return(NmiClaim.None));
  markAccess(k, msdata);
  const mask = k.let("mask", msdata.nmi_cpus);
  k.mark(observed("access", { locals: ["mask"] }));
  const isMine = k.let("is_mine", k.bool(k.testAndClearBit(mask, local.here.cpu)));
  k.if(isMine.eq(0), () => k.return(NmiClaim.None));
  k.set(mine.ret, k.callPointer(msdata.nmi_fn, CpuStopFunction, msdata.data));
  k.writeOnce(mine.done, 1);
  k.writeOnce(mine.data, null);
  k.mark(observed("handle", { which: "stop" }));
  k.return(NmiClaim.Finish);
});

/** What zalloc_cpumask_var() and free_cpumask_var() take their masks from: as many as calls may be under way. */
const MASKS = 16;
const masks = global("nmi_cpus_masks", array(CpuMask, MASKS), { section: "arena", align: 64 });
const masksTaken = global("nmi_cpus_taken", u64, { align: 64 });

function allocateMask(k: Builder, refuse: (error: number) => void): PointerLocal<typeof CpuMask> {
  const mask = k.let("mask", null, ptr(CpuMask));
  k.for("i", 0, MASKS, (i) =>
    k.if(
      k.testAndSetBit(addressOf(masksTaken), i),
      () => undefined,
      () => {
        k.set(mask, addressOf(masks.at(i)));
        k.break();
      },
    ),
  );
  k.if(isNull(mask), () => refuse(-ENOMEM));
  return mask;
}

function freeMask(k: Builder, mask: Pointer<typeof CpuMask>): void {
  k.for("n", 0, MASKS, (n) => k.if(same(mask, addressOf(masks.at(n))), () => k.clearBit(addressOf(masksTaken), n)));
}

const words = cpuCount.add(63).shr(6);

export const designC = nmiStopRoutines({
  name: "c",
  type: MultiStopDataC,
  multiStop: runC,
  prepare: ({ k, msdata, cpus }, refuse) => {
    const mask = allocateMask(k, refuse);
    const maskBytes = k.let("mask_bytes", words.shl(3));
    k.mark(observed("alive", { locals: ["mask", "mask_bytes"], nth: 2 }));
    keep(k, maskBytes);
    k.if(
      isNull(cpus),
      () => {
        k.for("j", 0, words, (j) => k.set(mask.bits.at(j), 0));
        k.setBit(mask, cpumaskFirst(k, onlineMaskPointer));
      },
      () => k.for("j", 0, words, (j) => k.set(mask.bits.at(j), cpus.bits.at(j))),
    );
    k.set(msdata.use_nmi, 1);
    k.set(msdata.nmi_fn, msdata.fn);
    k.set(msdata.nmi_cpus, mask);
  },
  finish: ({ k, msdata }) => {
    const freed = k.let("freed", msdata.nmi_cpus);
    k.mark(observed("dead", { locals: ["freed"], nth: 2 }));
    freeMask(k, freed);
  },
});
